"""Which rows are close, when some columns are numbers and others categories."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

MAX_REFERENCE = 10_000
"""Rows among which neighbours are looked for: the cost of a search grows with their number. 10,000 rows of 50 columns
take about half a second, 100,000 rows 5 s."""

MAX_ONE_HOT = 32
"""Categories up to which a column is one-hot; beyond, every category gets this many random signs."""

FARTHEST = 1e300
"""Numbers are clipped there, so that none of their differences overflows."""

FAR = 1e100
"""Interquartile ranges from the median beyond which all rows are alike: their squares do not overflow."""


class Metric:
    """Squared distance between rows: a sum over columns of about 1 for two unlike values.

    Numbers are taken in interquartile ranges from the median and bent to at most 3 of them (Holzmüller et al. 2024), so
    that outliers do not decide alone. Two different categories are 1 apart, in columns of more than 32 categories
    between about 0.5 and 1.5. So is a missing value from one that is not, which itself is taken for the median.

    Parameters
    ----------
    rows : ndarray of float64, shape (n, d)
    categories : list of (ndarray or None), length d
    """

    def __init__(self, rows: NDArray[np.float64], categories: list[NDArray | None]):
        self.center, self.unit = center_and_unit(rows)
        self.n_categories = [0 if values is None else len(values) for values in categories]
        self.missing = np.asarray(np.isnan(rows).any(axis=0))

    def blocks(self, Z: NDArray[np.float64]) -> list[NDArray[np.float32]]:
        """The coordinates of rows (n, d), column by column."""
        return [self._block(j, values) for j, values in enumerate(Z.T)]

    def _block(self, j: int, values: NDArray[np.float64]) -> NDArray[np.float32]:
        missing = np.isnan(values)
        if self.n_categories[j]:
            points = _signs(self.n_categories[j])
            return points[np.where(missing, self.n_categories[j], values).astype(np.intp)]
        with np.errstate(over="ignore"):
            scaled = np.where(missing, 0.0, (np.clip(values, -FARTHEST, FARTHEST) - self.center[j]) / self.unit[j])
        scaled = np.clip(scaled, -FAR, FAR)
        bent = scaled / np.sqrt(1 + (scaled / 3) ** 2)
        return np.column_stack([bent, missing] if self.missing[j] else [bent]).astype(np.float32)


def nearest(
    reference: NDArray[np.float32], queries: NDArray[np.float32], own: NDArray[np.intp], k: int
) -> NDArray[np.intp]:
    """Positions (n, k) in ``reference`` of every query's neighbours, nearest first.

    ``own`` (n,) is the position of the query itself, which is not its own neighbour, or -1. There are as many
    neighbours as there can be, if that is less than k.
    """
    k = min(k, len(reference) - 1)
    search = NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(reference)
    found = search.kneighbors(queries, return_distance=False)
    # Its own row comes first or, among rows at distance 0, anywhere; where it is not found, the farthest is left out.
    place = np.where((found == own[:, None]).any(axis=1), (found == own[:, None]).argmax(axis=1), k)
    return found[np.arange(k + 1) != place[:, None]].reshape(len(queries), k)


def reference_rows(n: int) -> NDArray[np.intp]:
    """Rows among which neighbours are looked for: all, or MAX_REFERENCE of them, always the same."""
    if n <= MAX_REFERENCE:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, MAX_REFERENCE, replace=False))


def center_and_unit(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Median and interquartile range of every column (d,); where that is 0, half the range, or 1 for a constant."""
    present = np.clip(np.where(np.isnan(rows).all(axis=0), 0.0, rows), -FARTHEST, FARTHEST)
    low, first, center, third, high = np.nanquantile(present, [0.0, 0.25, 0.5, 0.75, 1.0], axis=0)
    unit = np.where(third > first, third - first, (high - low) / 2)
    return center, np.where(unit > 0, unit, 1.0)


def _signs(n_categories: int) -> NDArray[np.float32]:
    """A point for every category and for a missing one, at squared distance 1 from each other (1 on average)."""
    if n_categories <= MAX_ONE_HOT:
        return np.eye(n_categories + 1, dtype=np.float32) * np.float32(np.sqrt(0.5))
    signs = np.random.default_rng(0).integers(0, 2, size=(n_categories + 1, MAX_ONE_HOT)) * 2 - 1
    return (signs * np.sqrt(0.5 / MAX_ONE_HOT)).astype(np.float32)
