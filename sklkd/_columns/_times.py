"""Dates and durations as numbers of seconds, and back."""

from __future__ import annotations

import datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

DATES, DURATIONS = "dates", "durations"

MICRO = 1e6
"""Of a second, the finest that is kept."""

GRAINS = (86_400.0, 3_600.0, 60.0, 1.0)
"""Seconds of which all times of a column may be multiples: days, hours, minutes, seconds."""

_DATES = (datetime.date, np.datetime64)
_DURATIONS = (datetime.timedelta, np.timedelta64)


class Times(NamedTuple):
    """A column of dates or durations in seconds, dates since 1970 by their own clock; NaN where one is missing."""

    seconds: NDArray[np.float64]
    kind: str


def time_kind(types: set[type]) -> str | None:
    """What cells of these types are: dates, durations, or something else."""
    for kind, accepted in ((DATES, _DATES), (DURATIONS, _DURATIONS)):
        if types and all(issubclass(one, accepted) for one in types):
            return kind
    return None


def times_of_cells(cells: list[Any], kind: str, missing: list[bool]) -> Times:
    """Cells that are dates or durations, or missing."""
    plain = [None if absent else _without_zone(cell) for cell, absent in zip(cells, missing, strict=True)]
    return times_of_array(np.array(plain, dtype="M8[us]" if kind == DATES else "m8[us]"))


def times_of_array(array: NDArray[Any]) -> Times:
    """An array of datetime64 or timedelta64."""
    letter = array.dtype.kind
    micros = array.astype(f"{letter}8[us]")
    seconds = micros.view(np.int64) / MICRO
    return Times(np.where(np.isnat(micros), np.nan, seconds), DATES if letter == "M" else DURATIONS)


def to_array(seconds: NDArray[np.float64], kind: str) -> NDArray[Any]:
    """Seconds as datetime64 or timedelta64, in microseconds."""
    missing = np.isnan(seconds)
    micros = np.rint(np.where(missing, 0.0, seconds) * MICRO).astype(np.int64)
    array = micros.view("M8[us]" if kind == DATES else "m8[us]").copy()
    array[missing] = np.array("NaT", array.dtype)
    return array


def to_cells(seconds: NDArray[np.float64], kind: type, missing_cell: Any) -> NDArray[Any]:
    """Seconds as Python objects of one type, with the user's own object where they are missing."""
    what = DATES if issubclass(kind, _DATES) else DURATIONS
    array = to_array(seconds, what)
    cells = np.empty(len(seconds), dtype=object)
    for i, cell in enumerate(array.tolist()):
        if cell is None:
            cells[i] = missing_cell
        elif kind is datetime.date:
            cells[i] = cell.date()
        elif kind in (datetime.datetime, datetime.timedelta):
            cells[i] = cell
        else:  # numpy's and pandas' own
            cells[i] = kind(cell)
    return cells


def grain_of(seconds: NDArray[np.float64]) -> float:
    """The longest of ``GRAINS`` of which all times are multiples; a microsecond if none is."""
    seen = seconds[~np.isnan(seconds)]
    return next((grain for grain in GRAINS if not (seen % grain).any()), 1 / MICRO)


def in_grains(seconds: NDArray[np.float64], grain: float) -> NDArray[np.float64]:
    """Times rounded to multiples of a grain."""
    return np.rint(seconds * MICRO) / MICRO if grain < 1 else np.rint(seconds / grain) * grain


def common_time(types: set[type]) -> type:
    """The type of the cells, or for several kinds of dates the one with the most digits."""
    return max(types, key=lambda one: (one is not datetime.date, one.__name__))


def _without_zone(cell: Any) -> Any:
    if getattr(cell, "tzinfo", None) is not None:
        raise ValueError(
            "Dates with a time zone must be in a column of dates, got one of Python objects: convert it, as by "
            "pandas.to_datetime."
        )
    return cell
