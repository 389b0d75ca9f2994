"""What the columns of a report are called, and how their numbers are written."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sklkd.report._intervals import Estimate, Interval


def _gain(value: float) -> str:
    # where the teacher gains little, the ratio says no more than that
    return f"{'>' if value > 0 else '<-'}200%" if abs(value) > 2 else f"{value:.0%}"


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _bytes(value: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5 or unit == "GB":
            break
        value /= 1000
    return f"{value:.3g} {unit}"


def _microseconds(value: float) -> str:
    return f"{value:,.1f} µs" if value < 10 else f"{value:,.0f} µs"


def seconds(value: float) -> str:
    """A time of training."""
    return f"{value:.2f} s" if value < 10 else f"{value:,.0f} s"


def units(value: float) -> str:
    """A number in the target's units, whose size is not known."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:#.4g}"


def ratio(value: float) -> str:
    """How many times one is the other."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def percent(value: float) -> str:
    """A share."""
    return f"{100 * value:.1f} %"


def level(value: float) -> str:
    """A level of confidence."""
    return f"{100 * value:.6g} %"


def bound(value: float) -> str:
    """A lower bound of a share, rounded down."""
    return f"{np.floor(1000 * value) / 10:.1f} %"


FORMATS: dict[str, tuple[str, Callable[[float], str]]] = {
    "score": ("score", "{:.4f}".format),
    "f1": ("macro F1", "{:.4f}".format),
    "log_loss": ("log loss", "{:.4f}".format),
    "rmse": ("RMSE", units),
    "pinball": ("pinball loss", units),
    "coverage": ("targets at or below", "{:.1%}".format),
    "inside": ("targets inside", "{:.1%}".format),
    "brier": ("Brier score", "{:.4f}".format),
    "ece": ("calibration error", "{:.4f}".format),
    "gain_retained": ("gain retained", _gain),
    "agreement": ("agreement with teacher", "{:.1%}".format),
    "kl": ("KL from teacher", "{:.4f}".format),
    "rmse_to_teacher": ("RMSE to teacher", units),
    "correlation_to_teacher": ("correlation to teacher", "{:.4f}".format),
    "parameters": ("parameters", _count),
    "bytes": ("pickled", _bytes),
    "fit_seconds": ("training", seconds),
    "us_one_row": ("one row", _microseconds),
    "us_per_row": ("per row of a batch", _microseconds),
}
"""Columns in order: what they are called in print, and how a number is written."""

COSTS = {
    "parameters": "parameters",
    "bytes": "bytes, pickled",
    "fit_seconds": "seconds of training",
    "us_one_row": "microseconds to predict one row",
    "us_per_row": "microseconds per row of a batch",
}
"""Columns that a picture can have across, and what they are called there."""

HIGHER = {"score", "f1", "gain_retained", "agreement", "correlation_to_teacher"}
"""Columns of which more is better."""


def label(column: str, task: str, n_batch: int = 0) -> str:
    """What a column is called in the reports of a task."""
    if column == "score":
        return {"regression": "R2", "multilabel": "all labels right"}.get(task, "accuracy")
    if column == "us_per_row" and n_batch:
        return f"per row of {n_batch:,}"
    kind, _, level = column.partition(" ")
    return f"{FORMATS[kind][0]} {level}".rstrip()


def written(column: str, value: float) -> str:
    """A value of a column; "-" where there is none."""
    return "-" if np.isnan(value) else FORMATS[column.partition(" ")[0]][1](value)


def written_interval(column: str, interval: Interval) -> str:
    """Both ends of an interval of a column."""
    if np.isnan(interval.low):
        return "-"
    return f"{written(column, interval.low)} to {written(column, interval.high)}"


def signed(column: str, value: float) -> str:
    """A difference of values of a column."""
    return f"{'-' if value < 0 else '+'}{written(column, abs(value))}"


def written_difference(column: str, estimate: Estimate) -> str:
    """A difference and its interval."""
    if np.isnan(estimate.value):
        return "-"
    if np.isnan(estimate.low):
        return signed(column, estimate.value)
    return f"{signed(column, estimate.value)} ({signed(column, estimate.low)} to {signed(column, estimate.high)})"
