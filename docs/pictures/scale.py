"""Draws the picture of docs/guide/larger_than_memory.rst: time and memory of a fit over its sizes, as measured."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

RESULTS = Path(sys.argv[0]).resolve().parents[2] / "benchmarks" / "results" / "scale.json"
AXES = ("rows", "columns", "classes", "trees")
LINES = {"student, all defaults": ("", "#0072B2", "o"), "the teacher's own fit": ("teacher_", "#D55E00", "s")}


def panel(ax: Any, cases: list[dict[str, float]], axis: str, values: str, unit: float) -> None:
    sizes = [case[axis] for case in cases]
    for label, (prefix, colour, marker) in LINES.items():
        ax.plot(sizes, [case[prefix + values] / unit for case in cases], color=colour, marker=marker, ms=5, label=label)
    if values == "bytes":
        ax.plot(
            sizes, [case["bytes_of_X"] / unit for case in cases], color="0.4", linestyle="--", label="X itself, float32"
        )
    ax.set(xscale="log", yscale="log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set_xticks(sizes[:: 2 if len(sizes) > 4 else 1], [short(size) for size in sizes[:: 2 if len(sizes) > 4 else 1]])
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.grid(alpha=0.3)


def short(size: int) -> str:
    return f"{size // 1_000_000}M" if size >= 1_000_000 else f"{size // 1000}k" if size >= 10_000 else f"{size:,}"


def main() -> None:
    results = json.loads(RESULTS.read_text())
    figure, grid = plt.subplots(2, len(AXES), figsize=(11, 5.2), layout="constrained", sharey="row")
    for axis, (time, memory) in zip(AXES, grid.T, strict=True):
        panel(time, results[axis], axis, "seconds", 1.0)
        panel(memory, results[axis], axis, "bytes", 2.0**20)
        memory.set_xlabel(axis)
    grid[0][0].set_ylabel("seconds of a fit")
    grid[1][0].set_ylabel("memory above the start [MB]")
    figure.legend(*grid[1][0].get_legend_handles_labels(), loc="outside upper center", ncols=3)


main()
