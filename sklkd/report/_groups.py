"""The same measures for groups of rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sklkd.report._columns_of import Columns
from sklkd.report._comparison import Comparison, Results

MOST = 10
"""Groups that are reported at most."""
RANGES = 4
"""Ranges of a number that has more values than there may be groups."""
FEWEST = 2
"""Rows of a group that is reported at least."""


@dataclass(frozen=True, eq=False)
class Group:
    """Measures of some of the rows.

    Attributes
    ----------
    name : str
        What they have in common, such as ``"sex = female"`` or ``"30 < age <= 45"``.
    n_rows : int
    results : Results
        ``rows``, ``intervals`` and ``differences`` as of the whole report.
    """

    name: str
    n_rows: int
    results: Results


def grouped(column: Columns, comparison: Comparison, notes: list[str]) -> list[Group]:
    """The largest groups, in the order of their values; what is left out is noted."""
    found = _members(column)
    largest = sorted(found, key=lambda name: -len(found[name]))[:MOST]
    kept = [name for name in found if name in largest and len(found[name]) >= FEWEST]
    if len(kept) < len(found):
        rest = sum(len(rows) for name, rows in found.items() if name not in kept)
        notes.append(f"Groups by {column.names[0]}: {len(found) - len(kept)} smaller ones, {rest:,} rows, left out.")
    return [Group(name, len(found[name]), comparison.part(found[name]).results()) for name in kept]


def _members(column: Columns) -> dict[str, NDArray[np.intp]]:
    """Numbers of the rows of each group."""
    values, name = column.values[:, 0], column.names[0]
    distinct = np.unique(values[~np.isnan(values)])
    found: dict[str, NDArray[np.bool_]] = {}
    if column.categories[0] is not None or len(distinct) <= MOST:
        found = {f"{name} = {column.written(0, value)}": values == value for value in distinct}
    else:
        quantiles = np.quantile(values[~np.isnan(values)], np.arange(1, RANGES) / RANGES, method="lower")
        edges = np.unique(quantiles[quantiles < distinct[-1]])
        place, ends = np.searchsorted(edges, values), [column.written(0, edge) for edge in edges]
        for k in range(len(edges) + 1):
            low, high = f"{ends[k - 1]} < " if k else "", f" <= {ends[k]}" if k < len(ends) else ""
            text = f"{low}{name}{high}" if high else f"{name} > {ends[k - 1]}"
            found[text] = (place == k) & ~np.isnan(values)
    if np.isnan(values).any():
        found[f"{name} is missing"] = np.isnan(values)
    return {name: np.flatnonzero(rows) for name, rows in found.items()}
