"""Where a teacher's trees split the user's columns, and how much each split gained."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.stats import rankdata

from sklkd._columns import ColumnCodec
from sklkd.teachers._rows import CHUNK, sample, width

CELLS = 40_000_000
"""About as many cells are looked at (320 MB) where columns are traced."""
RANKED = 2_000
"""Rows on which columns are matched by rank before the match is verified on all."""
CANDIDATES = 5
"""Original columns that are tried for each transformed one."""
SUPPORT = 5
"""Rows that must differ from a column's commonest value before it is said to follow another: fewer do by chance."""


@dataclass(frozen=True)
class Splits:
    """Splits of any number of trees: ``X[:, feature] <= threshold`` gained ``gain``; three arrays of one length."""

    feature: NDArray[np.intp]
    threshold: NDArray[np.float64]
    gain: NDArray[np.float64]

    @classmethod
    def of(cls, feature: Any, threshold: Any, gain: Any) -> Splits:
        """Splits with a finite threshold.

        Gains are divided by their sum, so that several ensembles mix fairly. A split that gained nothing keeps a
        weight of a billionth: the best first split of a checkerboard gains nothing.
        """
        threshold = np.asarray(threshold, dtype=np.float64)
        # Splits of missing values against the rest are written as infinite or nearly so.
        keep = np.abs(threshold) < 1e38
        gain = np.asarray(gain, dtype=np.float64)[keep]
        gain = np.maximum(gain, 1e-9 * max(gain.max(initial=0.0), 1e-30))
        return cls(np.asarray(feature, dtype=np.intp)[keep], threshold[keep], gain / max(gain.sum(), 1e-300))

    @classmethod
    def none(cls) -> Splits:
        return cls(np.empty(0, np.intp), np.empty(0), np.empty(0))

    @classmethod
    def union(cls, parts: Iterable[Splits], weights: Any = None) -> Splits:
        """Splits of several ensembles, each with its share of the whole gain."""
        kept = list(parts)
        shares = np.ones(len(kept)) if weights is None else np.asarray(weights, dtype=np.float64)
        kept, shares = [one for one in kept if len(one.feature)], shares[[len(one.feature) > 0 for one in kept]]
        if not kept or shares.sum() <= 0:
            return cls.none()
        gain = np.concatenate([share * one.gain for share, one in zip(shares, kept, strict=True)])
        return cls(
            np.concatenate([one.feature for one in kept]),
            np.concatenate([one.threshold for one in kept]),
            gain / shares.sum(),
        )

    def within(self, n_columns: int) -> Splits:
        """Those of the first ``n_columns`` columns."""
        keep = self.feature < n_columns
        return Splits(self.feature[keep], self.threshold[keep], self.gain[keep])

    def renamed(self, feature: NDArray[np.intp]) -> Splits:
        """Column ``j`` becomes column ``feature[j]``; splits of a column that becomes -1 go."""
        feature = np.asarray(feature)[self.feature]
        keep = feature >= 0
        return Splits(feature[keep], self.threshold[keep], self.gain[keep])


def by_column(splits: Splits, X: Any) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """For every column of ``X`` its sorted distinct thresholds and their summed gains; none for categories."""
    if _is_numeric(X):
        numeric = np.ones(X.shape[1], dtype=bool)
    else:
        numeric = np.array([categories is None for categories in ColumnCodec(invertible=False).fit(X).categories_])
    found = []
    for is_number, rows in zip(numeric, _grouped(splits.feature, len(numeric)), strict=True):
        if not is_number:
            rows = rows[:0]
        threshold, gain = splits.threshold[rows], splits.gain[rows]
        order = np.argsort(threshold)
        threshold, gain = threshold[order], gain[order]
        starts = np.flatnonzero(np.diff(threshold, prepend=-np.inf) > 0)
        found.append((threshold[starts], np.add.reduceat(gain, starts) if len(starts) else gain))
    return found


def traceable(X: Any) -> int:
    """How many rows are looked at: columns are compared as dense float64 ones, which for wide data are large."""
    return max(500, min(CHUNK, CELLS // max(width(X), 1)))


def _is_numeric(X: Any) -> bool:
    """Whether all columns are numbers by their container's type."""
    return sparse.issparse(X) or (isinstance(X, np.ndarray) and X.dtype.kind in "biuf")


def _grouped(feature: NDArray[np.intp], n_columns: int) -> list[NDArray[np.intp]]:
    """For every column the positions of its splits. Small integers are sorted by radix: there may be millions."""
    small = feature.astype(np.uint16) if n_columns < 2**16 else feature
    order = np.argsort(small, kind="stable")
    bounds = np.concatenate([[0], np.cumsum(np.bincount(feature, minlength=n_columns))])
    return [order[low:high] for low, high in pairwise(bounds)]


def splits_before_transform(splits: Splits, Z: Any, X: Any) -> Splits:
    """Splits of the transformed columns ``Z`` as splits of the columns ``X`` that they were made from.

    What the steps of a pipeline do to a column is read from the data: a transformed column is traced to the numeric
    column of which it is a monotone function on these rows, and its thresholds are moved along that function (exactly,
    if it is linear; else linearly between the two rows around the threshold). Splits of columns that no single column
    explains, such as codes of categories or principal components, are left out.

    Parameters
    ----------
    splits : Splits
        Of the columns of ``Z``.
    Z : array-like, frame or sparse matrix of shape (n, n_transformed)
        The transformed rows.
    X : array-like, frame or sparse matrix of shape (n, n_columns)
        The same rows before.
    """
    used = np.flatnonzero(np.bincount(splits.feature))
    codec = ColumnCodec(invertible=False)
    originals = codec.fit_transform(X)
    numeric = np.flatnonzero([categories is None for categories in codec.categories_])
    if not len(used) or not len(numeric):
        return Splits.none()
    originals, transformed = originals[:, numeric], _columns(Z, used)
    candidates = _candidates(transformed, originals)
    feature = np.full(len(splits.feature), -1, dtype=np.intp)
    threshold = np.full(len(splits.feature), np.nan)
    rows_of = _grouped(splits.feature, int(used[-1]) + 1)
    for j, rows in enumerate(rows_of[column] for column in used):
        for candidate in candidates[j]:
            moved = _moved(splits.threshold[rows], transformed[:, j], originals[:, candidate])
            if moved is not None:
                feature[rows], threshold[rows] = numeric[candidate], moved
                break
    keep = np.isfinite(threshold)
    return Splits(feature[keep], threshold[keep], splits.gain[keep])


def _columns(Z: Any, used: NDArray[np.intp]) -> NDArray[np.float64]:
    """Some columns of what a transformer made, as numbers."""
    if sparse.issparse(Z):
        return Z.tocsc()[:, used].toarray().astype(np.float64)
    array = np.asarray(Z)
    if array.dtype.kind not in "biuf":
        array = ColumnCodec(invertible=False).fit_transform(Z)
    return array[:, used].astype(np.float64)


def _candidates(transformed: NDArray[np.float64], originals: NDArray[np.float64]) -> NDArray[np.intp]:
    """For each transformed column the originals with the largest rank correlation, the largest first."""
    a, b = _ranks(sample(transformed, RANKED)), _ranks(sample(originals, RANKED))
    correlation = np.abs(a.T @ b)
    # Of equals the first: a column that occurs twice is traced to its first occurrence.
    return np.argsort(-correlation.round(9), axis=1, kind="stable")[:, :CANDIDATES]


def _ranks(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks, centred and of length one; a missing value has the mean rank."""
    missing = ~np.isfinite(columns)
    ranks = rankdata(np.where(missing, np.inf, columns), axis=0)
    ranks[missing] = np.nan
    ranks -= np.nanmean(np.where(missing.all(axis=0), 0.0, ranks), axis=0)
    ranks[missing] = 0.0
    length = np.sqrt((ranks**2).sum(axis=0))
    return ranks / np.where(length > 0, length, 1.0)


def _moved(t: NDArray[np.float64], z: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Thresholds of ``z`` on the scale of ``x``, NaN where no row lies on one side; None if z does not follow x."""
    seen = np.isfinite(x) & np.isfinite(z)
    z, x = z[seen], x[seen]
    if len(z) == 0 or np.array_equal(z, x):
        return t if len(z) else None
    order = np.lexsort((z, x))
    z, x = z[order], x[order]
    spread = z.max() - z.min()
    tolerance = 1e-6 * spread
    if spread == 0 or x[0] == x[-1]:
        return None
    slope = (z[-1] - z[0]) / (x[-1] - x[0])
    if slope != 0 and np.abs(z - z[0] - slope * (x - x[0])).max() <= tolerance:
        return x[0] + (t - z[0]) / slope
    step, same = np.diff(z), np.diff(x) == 0
    if np.abs(step[same]).max(initial=0.0) > tolerance or _minority(z) < SUPPORT:
        return None
    if step.min() >= -tolerance:
        return _between(t, np.maximum.accumulate(z), x, "right")
    if step.max() <= tolerance:
        return _between(-t, np.maximum.accumulate(-z), x, "left")
    return None


def _between(t: NDArray[np.float64], z: NDArray[np.float64], x: NDArray[np.float64], side: Any) -> NDArray[np.float64]:
    """The point of ``x`` at which the ascending ``z`` crosses each threshold."""
    after = np.searchsorted(z, t, side=side)
    inside = (after > 0) & (after < len(z))
    after = np.clip(after, 1, len(z) - 1)
    before = after - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.clip((t - z[before]) / (z[after] - z[before]), 0.0, 1.0)
    return np.where(inside, x[before] + share * (x[after] - x[before]), np.nan)


def _minority(z: NDArray[np.float64]) -> int:
    """Rows that do not have the commonest value."""
    return len(z) - int(np.unique(z, return_counts=True)[1].max())
