"""Draws the picture of docs/guide/what_auto_decides.rst: what "auto" asks, and where the answers lead."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt

LEFT, RIGHT, OUTCOME = 2.9, 9.3, "#e3eefc"

# height of the question, the question, the answer that leads on, the one that leads out, and where to
QUESTIONS = [
    (
        8.2,
        "What does the teacher estimate?\nIts parameters say so; else a test on rows,\n"
        "for a shift of base rates, mean or coverage",
        "class probabilities,\na mean or a rate",
        "reweighted probabilities,\na quantile, a score, ...",
        "Labels do not answer it:\nblend = 0, hard_weight = 0",
    ),
    (
        5.6,
        "Can it be compared with label-only students on\nrows that neither has seen? Out-of-bag, cross-\n"
        "fitted, or with a clone fitted on a part",
        "yes",
        "no",
        "Constants:\nblend = 0, hard_weight = 0.1",
    ),
    (
        3.0,
        "Which weight of the label-only students has\nthe least loss on these validation rows?",
        "above 0.2",
        "at most 0.2",
        "They add nothing:\nblend = 0, hard_weight = 0",
    ),
]
START = (10.2, 'Outputs for the training rows:\ncv="auto", out-of-bag where that is free')
DECIDED = (0.8, "blend = this weight,\nhard_weight = a part of it, at most 0.25")
END = (
    -1.2,
    "Targets: blend x label-only students + (1 - blend) x teacher,\nfor the given rows, and for synthetic ones "
    '(augment="auto")',
)


def draw() -> None:
    """Draw the questions below each other, and what each leads to beside it."""
    ax = plt.subplots(figsize=(8.6, 7.6), layout="constrained")[1]
    ax.set(xlim=(0, 11.6), ylim=(-2, 11))
    ax.axis("off")
    _box(ax, LEFT, *START)
    _arrow(ax, (LEFT, START[0] - 0.6), LEFT, QUESTIONS[0][0] + 0.75)
    for k, (y, question, onward, out, outcome) in enumerate(QUESTIONS):
        _box(ax, LEFT, y, question, weight="bold")
        _box(ax, RIGHT, y, outcome, color=OUTCOME)
        _arrow(ax, (5.55, y), RIGHT - 1.75, y)
        ax.text(6.55, y + 0.15, out, ha="center", va="bottom", fontsize=8.5)
        below = QUESTIONS[k + 1][0] + 0.75 if k + 1 < len(QUESTIONS) else DECIDED[0] + 0.6
        _arrow(ax, (LEFT, y - 0.75), LEFT, below)
        ax.text(LEFT + 0.15, (y - 0.75 + below) / 2, onward, va="center", fontsize=8.5)
    _box(ax, LEFT, *DECIDED, color=OUTCOME)
    _arrow(ax, (LEFT, DECIDED[0] - 0.6), LEFT, END[0] + 0.6)
    _box(ax, (LEFT + RIGHT) / 2 - 1.6, *END)


def _box(ax: Any, x: float, y: float, text: str, *, color: str = "white", weight: str = "normal") -> None:
    box = {"boxstyle": "round,pad=0.5", "facecolor": color, "edgecolor": "0.4"}
    ax.text(x, y, text, ha="center", va="center", fontsize=9.5, weight=weight, bbox=box)


def _arrow(ax: Any, start: tuple[float, float], x: float, y: float) -> None:
    ax.annotate("", (x, y), start, arrowprops={"arrowstyle": "-|>", "color": "0.35", "shrinkA": 0, "shrinkB": 0})


if __name__ == "__main__":
    draw()
