"""Rows that visit every cell of the grid that a tree ensemble's splits make."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklkd._sklearn import HasMethods, StrOptions
from sklkd.augment._base import Sampler


class ThresholdSampler(Sampler):
    """Every value drawn independently, between the split thresholds of a tree ensemble [1]_.

    Trees are constant between their thresholds. Where rows fall into all intervals of a column equally often, the
    student sees every step of the teacher, also those that few real rows reach. Columns are drawn independently, so
    most rows are far from real ones: a supplement to real rows rather than a substitute where columns are correlated.

    Parameters
    ----------
    thresholds : list of array-like, object or None, default=None
        The thresholds of every column (an empty array where there are none; ignored for categories; in a tuple, what
        follows the array is ignored), or an object whose ``thresholds(X)`` gives such a list for the rows of ``fit``,
        as the adapters of :mod:`sklkd.teachers` do. None: the midpoints between all distinct values of a column, where
        any tree that is grown on these rows splits.
    position : {"uniform", "midpoint"}, default="uniform"
        Where in its interval a value lies: anywhere, or, as in the paper, in the middle, with the column's smallest,
        largest and mean value in addition to the midpoints. With "uniform" the student also sees where the steps are.

    Notes
    -----
    Thresholds outside of a column's range are left out. Values are rounded in columns of whole numbers. Categories,
    for which the paper has no rule, are equally likely. A value is missing as often as in its column.

    References
    ----------
    .. [1] D. Cohen, J. Foley, H. Zamani, J. Allan, W. B. Croft, "Universal Approximation Functions for Fast Learning to
       Rank", SIGIR 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from sklkd.augment import ThresholdSampler
    >>> X = np.array([[0.0], [10.0], [20.0]])
    >>> sampler = ThresholdSampler(thresholds=[[4.0, 6.0]], position="midpoint").fit(X)
    >>> sorted(set(sampler.sample(100, random_state=0).ravel().tolist()))
    [0.0, 5.0, 10.0, 20.0]
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "thresholds": ["array-like", HasMethods("thresholds"), None],
        "position": [StrOptions({"uniform", "midpoint"})],
    }

    def __init__(self, *, thresholds: list[ArrayLike] | Any | None = None, position: str = "uniform"):
        self.thresholds = thresholds
        self.position = position

    def _fit_matrix(self, X: Any) -> None:
        given: Any = self.thresholds
        if hasattr(given, "thresholds"):
            given = given.thresholds(self._codec.inverse_transform(self._rows) if X is None else X)
        if given is not None and len(given) != self.n_features_in_:
            raise ValueError(
                f"thresholds must have one array for each of the {self.n_features_in_} columns of X, got {len(given)}."
            )
        missing = np.isnan(self._rows)
        self._missing_rate = self._copies @ missing / self._copies.sum()
        self._points = []
        for j, categories in enumerate(self._codec.categories_):
            values = self._rows[~missing[:, j], j]
            if categories is not None or not len(values):
                self._points.append(np.unique(values))
            else:
                inner = _midpoints(np.unique(values)) if given is None else _checked(given[j], j)
                self._points.append(self._column_points(values, inner, self._copies[~missing[:, j]]))

    def _column_points(
        self, values: NDArray[np.float64], inner: NDArray[np.float64], copies: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """Edges of the intervals of a numeric column, or the values that are drawn from it."""
        low, high = values.min(), values.max()
        inner = inner[(inner > low) & (inner < high)]
        if self.position == "uniform":
            return np.unique([low, *inner, high])
        return np.unique([low, high, np.average(values, weights=copies), *_midpoints(np.unique(inner))])

    def _sample_matrix(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        Z = np.full((n, self.n_features_in_), np.nan)
        for j, points in enumerate(self._points):
            if len(points) == 0:
                continue
            if self._categorical[j] or self.position == "midpoint" or len(points) == 1:
                Z[:, j] = rng.choice(points, size=n)
            else:
                interval = rng.integers(len(points) - 1, size=n)
                Z[:, j] = rng.uniform(points[interval], points[interval + 1])
        Z[rng.random(Z.shape) < self._missing_rate] = np.nan
        return self._legal(Z)


def _midpoints(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[:-1] / 2 + values[1:] / 2


def _checked(thresholds: Any, j: int) -> NDArray[np.float64]:
    array = np.asarray(thresholds[0] if isinstance(thresholds, tuple) else thresholds, dtype=np.float64)
    if array.ndim != 1 or not np.isfinite(array).all():
        raise ValueError(f"thresholds of column {j} must be a 1-d array of finite numbers, got {thresholds!r}.")
    return array
