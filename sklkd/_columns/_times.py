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


def is_period(dtype: Any) -> bool:
    """Whether it is pandas' dtype of periods."""
    return type(dtype).__name__ == "PeriodDtype"


def times_of_series(series: Any) -> Times:
    """A pandas column of dates by their own clock, of durations, or of periods, which count from their start."""
    if is_period(series.dtype):
        series = series.dt.start_time
    if series.dtype.kind == "m":
        return times_of_array(series.to_numpy(dtype="m8[us]"))
    if series.dt.tz is not None:
        series = series.dt.tz_localize(None)
    # pandas 2.0 has no way from a gap in a column of pyarrow to NumPy but this one
    if hasattr(series.dtype, "pyarrow_dtype"):
        series = series.astype("M8[us]")
    return times_of_array(series.to_numpy(dtype="M8[us]"))


def series_of_times(series: Any, dtype: Any) -> Any:
    """The reverse; a time that a clock shows twice in a year is the first, one that it skips the next that it shows."""
    if is_period(dtype):
        return series.dt.to_period(dtype.freq)
    zone = getattr(dtype, "tz", None) or getattr(getattr(dtype, "pyarrow_dtype", None), "tz", None)
    if zone is not None:
        first = np.ones(len(series), dtype=bool)
        series = series.dt.tz_localize(zone, ambiguous=first, nonexistent="shift_forward")
    return series.astype(dtype)


def polars_kind(dtype: Any) -> str:
    """The name of a polars dtype, without its parameters."""
    return dtype.base_type().__name__


def times_of_polars(series: Any) -> Times:
    """A polars column of dates by their own clock, of durations, or of times of the day."""
    if polars_kind(series.dtype) == "Time":
        return Times(series.cast(int).cast(float).to_numpy() / 1e9, DURATIONS)
    if polars_kind(series.dtype) == "Duration":
        return Times(series.dt.total_microseconds().cast(float).to_numpy() / MICRO, DURATIONS)
    if getattr(series.dtype, "time_zone", None) is not None:
        series = series.dt.replace_time_zone(None)
    return Times(series.dt.timestamp("us").cast(float).to_numpy() / MICRO, DATES)


def polars_of_times(series: Any, dtype: Any) -> Any:
    """The reverse, from dates or durations in microseconds."""
    if polars_kind(dtype) == "Time":
        return (series.dt.total_microseconds() % 86_400_000_000 * 1000).cast(dtype)
    zone = getattr(dtype, "time_zone", None)
    if zone is not None:
        series = series.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return series.cast(dtype)


def _without_zone(cell: Any) -> Any:
    if getattr(cell, "tzinfo", None) is not None:
        raise ValueError(
            "Dates with a time zone must be in a column of dates, got one of Python objects: convert it, as by "
            "pandas.to_datetime."
        )
    return cell
