"""Draws loss against the time for one row, as measured: the README's picture, and that of the guide.

python docs/pictures/latency.py README.png
"""

from __future__ import annotations

import json
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import FuncFormatter, NullFormatter

RESULTS = Path(sys.argv[0]).resolve().parents[2] / "benchmarks" / "results" / "latency.json"
SIZES = ("tiny", "small", "base")
TITLES = {"california_housing": "California housing", "covertype": "Forest cover types", "letter": "Letters"}


def spread(runs: list[dict[str, Any]], models: list[str], of_times: list[str]) -> tuple[Any, Any, Any]:
    """Median microseconds, mean losses and their standard deviations over the seeds."""
    losses = np.array([[run["models"][model]["loss"] for model in models] for run in runs])
    times = np.array([[run["models"][model]["us_one_row"] for model in of_times] for run in runs])
    return np.median(times, axis=0), losses.mean(axis=0), losses.std(axis=0, ddof=1)


def size_of(runs: list[dict[str, Any]], model: str) -> str:
    """Bytes of a model's file, from the least to the most, in print."""
    found = [run["models"][model]["bytes"] for run in runs]
    unit, name = (1e6, "MB") if min(found) >= 1e5 else (1e3, "kB")
    low, high = (f"{one / unit:,.0f}" if one >= 10 * unit else f"{one / unit:.2g}" for one in (min(found), max(found)))
    return f"{low} {name}" if low == high else f"{low} to {high} {name}"


def panel(ax: Any, runs: list[dict[str, Any]]) -> None:
    lines = [
        (["teacher"], ["teacher"], "forest of 300 trees (teacher)", {"color": "#D55E00", "marker": "s"}),
        (["teacher, compiled"], ["teacher, compiled"], "the same, compiled", {"color": "#D55E00", "marker": "D"}),
        (list(SIZES), list(SIZES), "student: tiny, small, base", {"color": "#0072B2", "marker": "o"}),
        (
            [f"{size}, labels only" for size in SIZES],
            list(SIZES),
            "same networks without a teacher",
            {"color": "0.45", "marker": "o", "mfc": "white", "linestyle": "--"},
        ),
    ]
    for models, of_times, label, style in lines:
        x, y, error = spread(runs, models, of_times)
        ax.errorbar(x, y, error, label=label, capsize=3, markersize=7, **style)
    ax.set(xscale="log", title=TITLES[runs[0]["set"]], ylabel=f"{runs[0]['metric']} (lower is better)")
    ax.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value:,.0f} µs" if value < 1e3 else f"{value / 1e3:,.0f} ms")
    )
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1000 else f"{value:.2f}"))
    ax.grid(alpha=0.3)


def main(file: str | None = None) -> None:
    results = json.loads(RESULTS.read_text())
    figure, grid = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
    for ax, (_, runs) in zip(grid, groupby(results, key=lambda run: run["set"]), strict=True):
        panel(ax, list(runs))
    files = ", ".join(f"{size} {size_of(results, size)}" for size in SIZES)
    about = f"files: compiled forest {size_of(results, 'teacher, compiled')}; students {files}"
    figure.supxlabel(f"time for one row, one thread (log scale)\n{about}", fontsize="medium")
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    if file is not None:
        figure.savefig(file, dpi=150)


main(*sys.argv[1:2])
