"""From the user's columns to the student's input: one float32 matrix."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from sklkd._columns import DATES, ColumnCodec, dense, is_csr
from sklkd._weighted import weighted_quantile
from sklkd.students._calendar import PARTS, calendar_parts

# Levels of a column; more are kept where the network has room, and of those beyond such as were seen in so many rows
# (benchmarks/quality/levels.py). With 64 at most, a teacher to whom 300 or 1,000 levels matter is missed by 84 and 43 %
# of its error, with more bettered by 39 and 19 %; with 4 rows instead of 2 by 39 and -1 %. With 1 by 39 and 25 %, but
# titanic (369 levels, 785 rows) is then worse by 1.5 %
MANY, OFTEN = 64, 2

# Scaled numbers end here, where float32 has some digits left for sums and slopes of bins; exports clip there as well
FARTHEST = 1e30


class InputEncoder(TransformerMixin, BaseEstimator):
    """Scale numbers robustly, code categories, keep or fill missing values.

    Numeric columns become ``(x - median) / interquartile range`` (half the range where the quartiles meet, 0 where the
    column is constant), computed in float64, at most 1e30 away from 0, and returned in float32. Categories become
    codes: 0 to K - 1 for the levels that are kept, K for the rare and, where fit saw any, for missing ones; a level
    that fit never saw is the rare one, or -1 where there is none. A date is a number of seconds, and gives up to four
    more columns, behind all others: the days since the last first of March, the day of the month and of the week, and
    the time of day, each where it varied in fit.

    Numbers of a sparse table of more than 500 columns are divided by the largest absolute one of their column, which
    keeps zeros zero, and stay sparse; for every other network than :class:`TabularNet` they are made dense.

    Parameters
    ----------
    one_hot : bool, default=False
        False: one output column per column, for :class:`TabularNet`, which expands categories and handles missing
        values (NaN) itself. True: for every other network: smoothly clipped numbers with missing values at the
        median, an indicator for each column in which fit saw missing values, and 0/1 columns for categories.
    max_categories : int, default=64
        Levels kept per column, the most frequent first.
    max_levels : int, default=0
        Columns may keep more levels than that, of those seen in at least two rows (of the least weight), as long as all
        columns together have no more than this; they then share one limit.

    Attributes
    ----------
    codec_ : ColumnCodec
    calendar_ : list of (int, int)
        A column of dates and the number of its part (``sklkd.students._calendar.PARTS``) for each column behind.
    center_, scale_ : ndarray of shape (n_features + n_parts,)
        Median and scale of numeric columns (0 and 1 for categories).
    cardinalities_ : list of int
        Codes per column, 0 for numeric ones.
    missing_ : ndarray of bool, as long
        Numeric columns in which fit saw missing values; of dates those of their seconds alone.
    """

    def __init__(self, *, one_hot: bool = False, max_categories: int = MANY, max_levels: int = 0):
        self.one_hot = one_hot
        self.max_categories = max_categories
        self.max_levels = max_levels

    def fit(self, X: Any, y: Any = None, *, sample_weight: NDArray | None = None) -> InputEncoder:
        """Learn medians, scales and levels from the rows of X; ``y`` is ignored."""
        codec = ColumnCodec(invertible=False).fit(X)
        return self.fit_coded(codec, codec.transform(X), sample_weight)

    def fit_coded(
        self,
        codec: ColumnCodec,
        Z: Any,
        sample_weight: NDArray | None = None,
        numbers: NDArray | None = None,
        counts: dict[int, NDArray] | None = None,
    ) -> InputEncoder:
        """As ``fit``, for rows that a fitted codec has already turned into a matrix.

        ``numbers`` are those of its rows that are looked at, to which ``sample_weight`` belongs; None: all. ``counts``
        are there where these rows are a sample: for each column of categories how often each of them comes in all rows,
        in units of the least weight of a row. Levels are then those of all rows, as the codec's are.
        """
        self.codec_ = codec
        self.n_features_in_ = Z.shape[1]
        if codec.sparse_:
            return self._fit_entries(Z if numbers is None else Z[numbers])

        def column(j: int) -> NDArray[np.float64]:
            return (Z[:, j] if numbers is None else Z[numbers, j]).astype(float)

        self.calendar_ = [
            (j, k) for j, kind in enumerate(codec.times_) if kind == DATES for k in _varying_parts(column(j))
        ]
        n_features = Z.shape[1] + len(self.calendar_)
        n_rows = len(Z) if numbers is None else len(numbers)
        weight = np.ones(n_rows) if sample_weight is None else np.asarray(sample_weight, float)
        self.center_, self.scale_ = np.zeros(n_features), np.ones(n_features)
        self.missing_ = np.zeros(n_features, bool)
        self.cardinalities_ = [0] * n_features
        self._levels: list[NDArray | None] = [None] * n_features
        of_all = None if counts is None else codec.missing_
        least = OFTEN * (1 - 1e-9)
        if counts is None:
            known = enumerate(codec.categories_)
            counts = {j: category_weights(column(j), len(one), weight) for j, one in known if one is not None}
            least *= weight[weight > 0].min(initial=np.inf)
        often = np.array([(counts[j] >= least).sum() for j in counts])
        keep = dict(zip(counts, shared(self.max_levels, often, np.ones(len(often))), strict=True))
        for j in range(self.n_features_in_):
            values = column(j)
            missing = bool(np.isnan(values).any() if of_all is None else of_all[j])
            if j in counts:
                kept = max(self.max_categories, int(keep[j]))
                self._levels[j], self.cardinalities_[j] = _levels(counts[j], kept, missing)
            else:
                self.center_[j], self.scale_[j] = _robust_scale(values, weight)
                self.missing_[j] = missing
        for of, places in groupby(enumerate(self.calendar_, self.n_features_in_), lambda place: place[1][0]):
            parts = calendar_parts(column(of))
            for j, (_, k) in places:
                self.center_[j], self.scale_[j] = _robust_scale(parts[:, k], weight)
        return self

    def _fit_entries(self, Z: Any) -> InputEncoder:
        """Learn the scales of a wide sparse table."""
        n_features = Z.shape[1]
        largest = np.zeros(n_features)
        np.fmax.at(largest, Z.indices, np.abs(Z.data))
        self.calendar_, self.cardinalities_, self._levels = [], [0] * n_features, [None] * n_features
        self.center_, self.scale_ = np.zeros(n_features), np.where(largest > 0, largest, 1.0)
        self.missing_ = np.bincount(Z.indices[np.isnan(Z.data)], minlength=n_features) > 0
        return self

    def transform(self, X: Any) -> Any:
        """Encode rows of X: float32 of shape (n, n_features), or wider where ``one_hot``; wide sparse ones as CSR."""
        check_is_fitted(self, "center_")
        return self.transform_coded(self.codec_.transform(X))

    def transform_coded(self, Z: Any) -> Any:
        """As ``transform``, for rows that the codec has already turned into a matrix."""
        if is_csr(Z):
            if not self.one_hot:
                values = scaled(Z.data, 0.0, self.scale_[Z.indices]).astype(np.float32)
                return csr_matrix((values, Z.indices, Z.indptr), shape=Z.shape)  # skorch knows no csr_array
            Z = dense(Z)
        Z = self.widened(Z)
        out = scaled(Z, self.center_, self.scale_)
        for j, levels in enumerate(self._levels):
            if levels is not None:
                out[:, j] = self.level_codes(Z, j)
        return (self._expand(out) if self.one_hot else out).astype(np.float32)

    def level_codes(self, Z: NDArray, j: int) -> NDArray[np.float64]:
        """The codes of the levels that are kept, of a column of categories."""
        levels: Any = self._levels[j]
        # the last entry is what -1 (never seen) reads, the one before it what missing reads
        return levels[np.where(np.isnan(Z[:, j]), len(levels) - 2, Z[:, j]).astype(int)]

    def widened(self, Z: NDArray) -> NDArray:
        """The matrix of the codec with the parts of dates behind it: (n, n_features + n_parts)."""
        if not self.calendar_:
            return Z
        of_columns = {j: calendar_parts(Z[:, j].astype(float)) for j, _ in self.calendar_}
        return np.column_stack([Z, *(of_columns[j][:, k] for j, k in self.calendar_)])

    def _expand(self, out: NDArray) -> NDArray:
        numeric = np.array([levels is None for levels in self._levels])
        z = out[:, numeric]
        absent = np.isnan(z)
        z = np.where(absent, 0.0, z)
        parts = [z / np.sqrt(1 + (z / 3) ** 2), absent[:, self.missing_[numeric]].astype(float)]
        for j in np.flatnonzero(~numeric):
            parts.append((out[:, [j]] == np.arange(self.cardinalities_[j])).astype(float))
        return np.hstack(parts)

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        if not self._reads_entries:
            return state
        # no column has categories, which skops would store one by one
        return {name: value for name, value in state.items() if name not in ("cardinalities_", "_levels")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if self._reads_entries:
            self.cardinalities_, self._levels = [0] * self.n_features_in_, [None] * self.n_features_in_

    @property
    def _reads_entries(self) -> bool:
        """Whether it is fitted to a wide sparse table."""
        return hasattr(self, "codec_") and self.codec_.sparse_

    def scale_thresholds(self, j: int, thresholds: NDArray) -> NDArray:
        """Thresholds of numeric column j in the units of the encoded column."""
        return (thresholds - self.center_[j]) / self.scale_[j]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        return tags


def _varying_parts(seconds: NDArray) -> list[int]:
    """The calendar's parts that differ between dates."""
    parts = calendar_parts(seconds[~np.isnan(seconds)])
    return [k for k in range(len(PARTS)) if len(parts) and np.ptp(parts[:, k]) > 0]


def scaled(X: NDArray, center: NDArray | float, scale: NDArray) -> NDArray[np.float64]:
    """``(X - center) / scale``, at most ``FARTHEST`` away from 0, so that it is finite in float32 too."""
    with np.errstate(over="ignore"):
        z = (X - center) / scale
    np.minimum(z, FARTHEST, out=z)
    return np.maximum(z, -FARTHEST, out=z)


def _robust_scale(x: NDArray, weight: NDArray) -> tuple[float, float]:
    seen = ~np.isnan(x)
    if not seen.any():
        return 0.0, 1.0
    x, weight = x[seen], weight[seen]
    low, center, high = weighted_quantile(x, weight, [0.25, 0.5, 0.75])
    scale = high - low
    if not scale > 0:
        scale = (x.max() - x.min()) / 2
    return float(center), float(scale) if scale > 0 else 1.0


def shared(total: int, room: NDArray, wish: NDArray) -> NDArray:
    """Split a number among columns in proportion to a wish, none above its room, and at least a few each."""
    if room.sum() <= total:
        return room
    wish = np.where(room > 0, np.maximum(wish, 0.2 * wish.max()), 0)
    low, high = 0.0, total * 1e6 / wish.sum()
    for _ in range(100):
        factor = (low + high) / 2
        if np.minimum(np.floor(wish * factor), room).sum() > total:
            high = factor
        else:
            low = factor
    return np.minimum(np.floor(wish * low), room)


def category_weights(codes: NDArray, n_categories: int, weight: NDArray) -> NDArray:
    """The weight of the rows of each category."""
    seen = ~np.isnan(codes)
    return np.bincount(codes[seen].astype(int), weight[seen], minlength=n_categories)


def _levels(counts: NDArray, keep: int, missing: bool) -> tuple[NDArray, int]:
    """Codes of the student for the codec's codes; the last two entries: missing, never seen."""
    n_categories = len(counts)
    levels = np.full(n_categories + 2, -1.0)
    kept = np.sort(np.argsort(-counts, kind="stable")[:keep])
    levels[kept] = np.arange(len(kept))
    n_codes = len(kept)
    if len(kept) < n_categories:
        levels[:n_categories][levels[:n_categories] < 0] = n_codes
        levels[-1] = n_codes
        n_codes += 1
    if missing:
        levels[-2] = n_codes
        n_codes += 1
    return levels, n_codes
