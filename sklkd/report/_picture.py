"""The report's picture, and what all pictures share."""

from __future__ import annotations

from typing import Any

import numpy as np

STYLES = {
    "teacher": {"marker": "s", "color": "0.3"},
    "student": {"marker": "o", "color": "#0072B2"},
    "baseline": {"marker": "o", "color": "#0072B2", "markerfacecolor": "white"},
}
APART = 0.75
"""Decades between points, from which on texts stand between them."""
FACTOR = 3
"""Between the ends of what is better drawn on a logarithmic axis."""
LEGEND = {"framealpha": 0.8, "edgecolor": "none"}
"""How legends look."""


def pyplot(caller: str) -> Any:
    """matplotlib.pyplot, or an error that names the extra."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(f"{caller} needs matplotlib: pip install 'sklkd[plot]'.") from error
    return plt


def new_axes(ax: Any, caller: str) -> Any:
    """The given axes, or those of a new figure, open at the top and on the right."""
    plt = pyplot(caller)
    ax = plt.subplots(figsize=(6.4, 4.0), layout="constrained")[1] if ax is None else ax
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def thousands(axis: Any) -> None:
    """Write numbers on an axis in full; on a short logarithmic one, which has hardly a power of ten, also 2 and 5."""

    def full(x: float, _: Any = None) -> str:
        return f"{x:,.0f}" if x >= 1 else f"{x:g}"

    def between(x: float, _: Any = None) -> str:
        low, high = axis.get_view_interval()
        digit = round(x / 10 ** np.floor(np.log10(x))) if x > 0 else 0
        return full(x) if digit in (2, 5) and high < 100 * low else ""

    axis.set_major_formatter(full)
    axis.set_minor_formatter(between)


def picture(ax: Any, points: dict[str, tuple[float, float]], texts: dict[str, str], labels: tuple[str, str]) -> Any:
    """Draw one labelled point a model, and the teacher's level; the axis across is logarithmic where it is long.

    Parameters
    ----------
    ax : matplotlib Axes or None
    points : dict of str to (float, float)
        Of "teacher", "student" and "baseline", those that there are; and of others, then with a legend.
    texts : dict of str to str
        What stands beside each of them, where there are no others.
    labels : (str, str)
        Of the axis across and of the one upwards.

    Returns
    -------
    matplotlib Axes
    """
    ax = new_axes(ax, "DistillationReport.plot")
    if "teacher" in points:
        ax.axhline(points["teacher"][1], color="0.6", linestyle=":", linewidth=1, zorder=0)
    for model, point in points.items():
        ax.plot(*point, linestyle="none", markersize=9, label=model, **_style(model, list(points)))
    usual, across = set(points) <= set(STYLES), [x for x, _ in points.values()]
    ax.set_xscale("log" if usual or max(across) > FACTOR * min(across) else "linear")
    thousands(ax.xaxis)
    ax.set(xlabel=labels[0], ylabel=labels[1])
    if usual:
        _annotate_all(ax, points, texts)
    else:
        ax.margins(x=0.1, y=0.1)
        ax.legend(**LEGEND)
    return ax


def _style(model: str, models: list[str]) -> dict[str, Any]:
    """Others have a colour each, and are hollow where they were trained without distillation."""
    if model in STYLES:
        return STYLES[model]
    distilled = model.removesuffix(" baseline")
    others = list(dict.fromkeys(one.removesuffix(" baseline") for one in models if one not in STYLES))
    style = {"marker": "D", "color": f"C{1 + others.index(distilled) % 9}"}
    return style if distilled == model else style | {"markerfacecolor": "white"}


def _annotate_all(ax: Any, points: dict[str, tuple[float, float]], texts: dict[str, str]) -> None:
    logs = {model: float(np.log10(x)) for model, (x, _) in points.items()}
    low, high = min(logs.values()), max(logs.values())
    # texts stand between points that are far apart, and beside those that are not, each time in a third of the width
    between = high - low > APART
    width = (high - low) / 0.75 if between else max((high - low) / 0.3, 2 * APART)
    middle = (low + high) / 2
    ax.set_xlim(10 ** (middle - width / 2), 10 ** (middle + width / 2))
    ax.margins(y=0.45)
    for right in (False, True):
        half = sorted(
            (model for model in points if (logs[model] > middle) == right), key=lambda model: points[model][1]
        )
        for rank, model in enumerate(half):
            vertical = "bottom" if rank == len(half) - 1 else "top" if rank == 0 else "center"
            _annotate(ax, points[model], texts[model], right == between, vertical, STYLES[model]["color"])


def _annotate(ax: Any, point: tuple[float, float], text: str, before: bool, vertical: str, color: str) -> None:
    ax.annotate(
        text,
        point,
        xytext=(-9 if before else 9, {"bottom": 3, "center": 0, "top": -3}[vertical]),
        textcoords="offset points",
        ha="right" if before else "left",
        va=vertical,
        color=color,
    )
