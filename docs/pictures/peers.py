"""Draws mean ranks of the peers, with a bar over those that no test tells apart.

python docs/pictures/peers.py docs/pictures/peers.png
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

BENCHMARKS = Path(sys.argv[0]).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS / "peers"))
from ranks import cliques, log_losses, mean_ranks, p_values  # noqa: E402

OURS, THEIRS = "#0072B2", "0.25"


def critical_differences(names: list[str], ranks: Any, p: Any) -> Any:
    """A figure: the axis of ranks, a line from each to its name, half of them to either side, and bars of cliques."""
    order = np.argsort(ranks)
    n = len(order)
    low, high = np.floor(ranks.min()), np.ceil(ranks.max())
    left = (n + 1) // 2
    bars = cliques(ranks, p)
    top = 0.6 + 0.35 * len(bars)
    depth = top + 0.5 * left
    figure, ax = plt.subplots(figsize=(8, 0.9 + 0.45 * depth), layout="constrained")
    ax.hlines(0, low, high, color="black", linewidth=1)
    for tick in np.arange(low, high + 1):
        ax.vlines(tick, -0.15, 0, color="black", linewidth=1)
        ax.text(tick, -0.25, f"{tick:.0f}", ha="center", va="bottom")
    for place, one in enumerate(order):
        first_half = place < left
        height = top + 0.5 * (place if first_half else n - 1 - place)
        end = low - 0.2 if first_half else high + 0.2
        color = OURS if names[one].startswith("sklkd") else THEIRS
        ax.plot([ranks[one], ranks[one], end], [0, height, height], color=color, linewidth=1.2)
        text = f"{names[one]}  {ranks[one]:.1f}" if first_half else f"{ranks[one]:.1f}  {names[one]}"
        ax.text(end, height, f" {text} ", ha="right" if first_half else "left", va="center", color=color)
    for number, (first, last) in enumerate(bars):
        ax.hlines(0.35 * (number + 1), first - 0.04, last + 0.04, color="#D55E00", linewidth=4)
    span = high - low
    ax.set(xlim=(low - 0.6 * span, high + 0.6 * span), ylim=(depth, -1.1))
    ax.text((low + high) / 2, -0.95, "mean rank (lower is better); bars: no test tells these apart", ha="center")
    ax.axis("off")
    return figure


def main(file: str | None = None) -> None:
    peers, values = log_losses(json.loads((BENCHMARKS / "results" / "peers.json").read_text()))
    whole = ~np.isnan(values).any(axis=0)
    names = [name for name, one in zip(peers, whole, strict=True) if one]
    figure = critical_differences(names, mean_ranks(values)[whole], p_values(values)[np.ix_(whole, whole)])
    if file is not None:
        figure.savefig(file, dpi=150)


main(*sys.argv[1:2])
