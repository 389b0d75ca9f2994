"""Single cells: what is a number, a category, or missing, and back."""

from __future__ import annotations

import datetime
import numbers
from collections.abc import Iterable
from itertools import compress
from operator import not_
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklkd._columns._times import Times, common_time, time_kind, times_of_cells, to_cells

UNSEEN = -1.0
"""Code of a category that fit did not see."""

_TIMES = (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64)


class Coded(NamedTuple):
    """A column that its container gives as codes into a list of distinct values; -1 is missing."""

    codes: NDArray[np.integer[Any]]
    values: list[Any]

    @property
    def used(self) -> list[Any]:
        """The values that occur."""
        counts = np.bincount(self.codes[self.codes >= 0], minlength=len(self.values))
        return [self.values[code] for code in np.flatnonzero(counts)]


class Lookup(dict):
    """Category -> code; a cell that is not there is missing (NaN) or unseen (-1)."""

    def __init__(self, categories: Iterable[Any]):
        super().__init__((category, float(code)) for code, category in enumerate(categories))

    def __missing__(self, cell: Any) -> float:
        return np.nan if is_missing(cell) else UNSEEN

    def codes(self, cells: list[Any], name: str) -> NDArray[np.float64]:
        try:
            return np.fromiter(map(self.__getitem__, cells), np.float64, len(cells))
        except TypeError:  # a cell that cannot be hashed
            cell_types(cells, name)
            raise


def is_missing(cell: Any) -> bool:
    # pandas' NA is neither equal to itself nor different from itself, so it is known by its name.
    return cell is None or type(cell).__name__ in ("NAType", "NaTType") or bool(cell != cell)


def cell_types(cells: list[Any], name: str) -> tuple[set[type], Any]:
    """Types of the cells that are not missing, and the first missing cell.

    They are strings and numbers, or all dates, or all durations.
    """
    types = set(map(type, cells))
    missing_types = {kind for kind in types if kind is type(None) or kind.__name__ in ("NAType", "NaTType")}
    types -= missing_types
    for kind in types:
        if issubclass(kind, numbers.Complex) and not issubclass(kind, numbers.Real):
            raise ValueError(f"Complex data not supported: column {name} holds {kind.__name__}.")
        if not issubclass(kind, (str, numbers.Number, np.bool_, *_TIMES)):
            raise TypeError(f"Column {name}: argument must be a string or a number, not {kind.__name__!r}.")
        if hasattr(kind, "is_snan") and any(cell.is_snan() for cell in cells if isinstance(cell, kind)):
            # it cannot even be compared
            raise ValueError(f"Column {name} must hold no signalling NaN of {kind.__name__}: put NaN in its place.")
    missing_cell = None
    if any(map(_may_be_nan, types)):
        missing = missing_cells(cells, missing_types)
        if True in missing:
            types = set(map(type, compress(cells, map(not_, missing))))
            missing_cell = cells[missing.index(True)]
    elif missing_types:
        missing_cell = next((cell for cell in cells if type(cell) in missing_types), None)
    of_time = next((kind for kind in types if issubclass(kind, _TIMES)), None)
    if of_time is not None and time_kind(types) is None:
        raise ValueError(
            f"Column {name} must hold dates alone, or durations alone, got {of_time.__name__} and others: convert "
            "it first."
        )
    return types, missing_cell


def missing_cells(cells: list[Any], types: set[type]) -> list[bool]:
    """Which cells are missing; ``types`` are those of the missing ones but NaN."""
    if any(kind.__name__ == "NAType" for kind in types):
        return [is_missing(cell) for cell in cells]
    return [cell is None or bool(cell != cell) for cell in cells]  # a third of the time


def _may_be_nan(kind: type) -> bool:
    numpy_time = issubclass(kind, (np.datetime64, np.timedelta64))
    return numpy_time or (issubclass(kind, numbers.Number) and not issubclass(kind, numbers.Integral))


def common_type(types: set[type]) -> type:
    """bool, int or float, the narrowest that holds cells of these types, or dates; NoneType where there are none."""
    if not types:
        return type(None)
    if time_kind(types):
        return common_time(types)
    for kind, accepted in ((bool, (bool, np.bool_)), (int, numbers.Integral)):
        if all(issubclass(t, accepted) for t in types):
            return kind
    return float


def times_of(cells: list[Any], types: set[type]) -> Times | None:
    """Cells of these types, or missing, as times; None where they are something else."""
    kind = time_kind(types)
    return None if kind is None else times_of_cells(cells, kind, list(map(is_missing, cells)))


def to_numbers(cells: list[Any]) -> NDArray[np.float64]:
    """Cells that are numbers or missing, as numbers or NaN."""
    try:
        return np.array(cells, dtype=np.float64)  # None becomes NaN
    except TypeError:  # pandas' NA does not
        return to_numbers([np.nan if is_missing(cell) else cell for cell in cells])
    except OverflowError as error:  # of a whole number; other numbers become infinity, which is found later
        raise ValueError(
            "Input X contains infinity or a value too large for dtype('float64'); replace it first."
        ) from error


def sorted_categories(cells: list[Any]) -> list[Any]:
    """The distinct cells that are not missing: numbers first, then strings and others by the name of their type."""
    values = [cell for cell in set(cells) if not is_missing(cell)]
    mixed = len({_rank(value) for value in values}) > 1
    return sorted(values, key=lambda value: (_rank(value), value)) if mixed else sorted(values)


def _rank(value: Any) -> str:
    # decimals and fractions do not compare with each other, nor with all numbers of NumPy
    if isinstance(value, (int, float, np.number, np.bool_)):
        return ""
    return "str" if isinstance(value, str) else type(value).__name__


def as_array(values: list[Any]) -> NDArray[Any]:
    if values and all(isinstance(value, (numbers.Number, np.bool_)) for value in values):
        return np.array(values)
    array = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):  # slice assignment would unpack tuples and intervals
        array[i] = value
    return array


def first_rows(codes: NDArray[np.float64], n_categories: int) -> NDArray[np.intp]:
    """Row in which every category comes first, and at the end the first row that misses it (-1 where none does)."""
    first = np.full(n_categories + 1, -1, dtype=np.intp)
    first[slots(codes, n_categories)[::-1]] = np.arange(len(codes) - 1, -1, -1)
    return first


def fits_float32(values: NDArray[np.float64]) -> bool:
    """Whether float32 holds all of them exactly."""
    with np.errstate(over="ignore"):
        return np.array_equal(values.astype(np.float32), values, equal_nan=True)


def slots(codes: NDArray[np.float64], n_categories: int) -> NDArray[np.intp]:
    return np.where(np.isnan(codes), n_categories, codes).astype(np.intp)


def cast(values: NDArray[np.float64], dtype: np.dtype[Any], what: str) -> NDArray[Any]:
    """Numbers in a NumPy dtype, rounded and clipped to what it can hold."""
    if dtype.kind == "f":
        return values.astype(dtype)
    if np.isnan(values).any():
        raise ValueError(f"{what} has dtype {dtype}, which cannot hold a missing value, got NaN.")
    if dtype.kind == "b":
        return values > 0.5
    low, high = float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
    if int(high) > np.iinfo(dtype).max:  # 2**63 - 1 rounds up to 2**63
        high = float(np.nextafter(high, 0.0))
    return np.clip(np.rint(values), low, high).astype(dtype)


def objects_from(values: NDArray[np.float64], kind: type, missing_cell: Any) -> NDArray[Any]:
    """Numbers as Python objects of one type, with the user's own object where they are missing."""
    if issubclass(kind, _TIMES):
        return to_cells(values, kind, missing_cell)
    missing = np.isnan(values)
    cells = values.astype(object)
    if kind in (bool, int):
        cells = np.array([kind(value) for value in np.rint(np.where(missing, 0.0, values))], dtype=object)
    cells[missing] = missing_cell
    return cells
