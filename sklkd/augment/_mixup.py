"""Weighted means of two real rows."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sklkd._sklearn import Interval
from sklkd.augment._base import Sampler


class Mixup(Sampler):
    """Points on the line between two random real rows [1]_.

    Two rows are mixed with weights w and 1 - w, w from a Beta(alpha, alpha) distribution. A category, and a value that
    is missing in one of the two rows, comes from the first with probability w, or else from the second.

    Parameters
    ----------
    alpha : float > 0, default=1.0
        1: w is uniform. Less: most rows are near one of the two. The paper, which mixes labels too, has 0.1 to 0.4 or
        1; here the teacher labels the mixed row itself, so that strong mixing does not blur the labels.

    Notes
    -----
    Values are rounded in columns of whole numbers. Rows may lie where no real ones are, between two clusters.

    References
    ----------
    .. [1] H. Zhang, M. Cisse, Y. Dauphin, D. Lopez-Paz, "mixup: Beyond Empirical Risk Minimization", ICLR 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from sklkd.augment import Mixup
    >>> X = np.array([[0.0, 10.0], [1.0, 11.0]])
    >>> Z = Mixup().fit(X).sample(5, random_state=0)
    >>> bool(np.allclose(Z[:, 1] - Z[:, 0], 10.0))
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {"alpha": [Interval(Real, 0, None, closed="neither")]}

    def __init__(self, *, alpha: float = 1.0):
        self.alpha = alpha

    def _sample_matrix(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        first, second = self._rows[self._draw_rows(n, rng)], self._rows[self._draw_rows(n, rng)]
        weight = rng.beta(self.alpha, self.alpha, size=(n, 1))
        mixed = self._legal(weight * first + (1 - weight) * second)
        either = np.where(rng.random(first.shape) < weight, first, second)
        return np.where(self._categorical | np.isnan(mixed), either, mixed)
