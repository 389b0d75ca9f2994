"""Real rows with noise."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sklkd._sklearn import Interval
from sklkd.augment._base import Sampler
from sklkd.augment._metric import center_and_unit


class GaussianNoise(Sampler):
    """Real rows, their numbers jittered and some of their categories drawn anew.

    The simplest sampler, and a yardstick for the others: it ignores how columns depend on each other.

    Parameters
    ----------
    scale : float >= 0, default=0.1
        Standard deviation of the noise, in interquartile ranges of the column (half ranges where that is 0).
    resample_probability : float in [0, 1], default=0.1
        Probability that a category is replaced by that of another row. Numeric columns of one or two distinct values
        count as categories.

    Notes
    -----
    Noisy values are kept inside the column's range, and rounded in columns of whole numbers. Missing stays missing.

    Examples
    --------
    >>> import numpy as np
    >>> from sklkd.augment import GaussianNoise
    >>> X = np.array([[0.0, 5], [1.0, 6], [2.0, np.nan], [3.0, 8]])
    >>> int(np.isnan(GaussianNoise().fit(X).sample(4, random_state=0)[:, 1]).sum())
    1
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "scale": [Interval(Real, 0, None, closed="left")],
        "resample_probability": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(self, *, scale: float = 0.1, resample_probability: float = 0.1):
        self.scale = scale
        self.resample_probability = resample_probability

    def _fit_matrix(self, X: Any) -> None:
        low, high = self._range
        ends = (self._rows == low) | (self._rows == high) | np.isnan(self._rows)
        self._resampled = self._categorical | ends.all(axis=0)
        self._unit = center_and_unit(self._rows)[1]

    def _sample_matrix(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        own = self._rows[self._draw_rows(n, rng)]
        noisy = self._legal(own + self.scale * self._unit * rng.standard_normal(own.shape))
        donors = np.column_stack([self._rows[self._draw_rows(n, rng), j] for j in range(own.shape[1])])
        redrawn = (rng.random(own.shape) < self.resample_probability) & ~np.isnan(own) & ~np.isnan(donors)
        return np.where(self._resampled, np.where(redrawn, donors, own), noisy)
