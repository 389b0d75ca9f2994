"""Draws the time of compiled trees for one row over their number, with the students as level lines, as measured.

python docs/pictures/compilers.py docs/pictures/compilers.png
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

RESULTS = Path(sys.argv[0]).resolve().parents[2] / "benchmarks" / "results" / "compilers.json"
TITLES = {"xgboost": "XGBoost", "lightgbm": "LightGBM", "forest": "random forest"}
TOOLS = {
    "timber": ("Timber", "#CC79A7"),
    "tl2cgen": ("tl2cgen", "#D55E00"),
    "lleaves": ("lleaves", "#009E73"),
    "onnx": ("ONNX Runtime", "0.45"),
}
DEPTHS = {4: ("depth 4", "o", ":"), 8: ("depth 8", "s", "--"), 16: ("depth 16", "D", "-")}
STUDENTS = {("tiny", "c"): "tiny, C", ("small", "c"): "small, C", ("small", "onnx"): "small, graph"}


def one_row(case: dict[str, Any]) -> float:
    """Microseconds in C where the library has a function to call, else in Python."""
    return case["one_row_us"] if case["in_c_us"] is None else case["in_c_us"]


def panel(ax: Any, model: str, measured: list[dict[str, Any]]) -> None:
    for tool, (_, color) in TOOLS.items():
        for depth, (_, marker, style) in DEPTHS.items():
            line = [one for one in measured if (one["model"], one["tool"], one["depth"]) == (model, tool, depth)]
            line.sort(key=lambda one: one["trees"])
            times = [one_row(one) for one in line]
            ax.plot([one["trees"] for one in line], times, color=color, marker=marker, linestyle=style, markersize=4)
    for (size, tool), label in STUDENTS.items():
        (found,) = (one for one in measured if (one["model"], one["depth"], one["tool"]) == ("student", size, tool))
        ax.axhline(one_row(found), color="#0072B2", linewidth=1.5)
        right = ax.get_yaxis_transform()
        ax.text(0.98, 1.08 * one_row(found), label, color="#0072B2", fontsize="small", ha="right", transform=right)
    ax.set(xscale="log", yscale="log", title=TITLES[model], xlabel="trees")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    ax.grid(alpha=0.3)


def main(file: str | None = None) -> None:
    measured = [one for one in json.loads(RESULTS.read_text()) if "failed" not in one]
    figure, grid = plt.subplots(1, 3, figsize=(11, 4.4), layout="constrained", sharex=True, sharey=True)
    for ax, model in zip(grid, TITLES, strict=True):
        panel(ax, model, measured)
    grid[0].set_ylabel("µs for one row (log scale)")
    keys = [Line2D([], [], color=color, label=label) for label, color in TOOLS.values()]
    keys += [
        Line2D([], [], color="black", marker=marker, linestyle=style, label=label, markersize=4)
        for depth, (label, marker, style) in DEPTHS.items()
        if any(one["depth"] == depth for one in measured)
    ]
    figure.legend(
        handles=[*keys, Line2D([], [], color="#0072B2", label="students")], loc="outside upper center", ncols=8
    )
    if file is not None:
        figure.savefig(file, dpi=110)


main(*sys.argv[1:2])
