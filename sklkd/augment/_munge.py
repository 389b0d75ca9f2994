"""Rows mixed with their neighbours."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sklkd._sklearn import Interval
from sklkd.augment._base import Sampler
from sklkd.augment._metric import Metric, nearest, reference_rows


class MUNGE(Sampler):
    """Real rows, some of whose values come from a near neighbour [1]_.

    Every synthetic row starts as a real row, all of them equally often. One of the row's nearest neighbours is drawn,
    and every value is replaced by the neighbour's with probability ``swap_probability``. Rows stay close to where real
    ones are, marginals and correlations roughly stay what they were, and no value is new in its
    column. Nothing is learnt but the neighbours, once, in ``fit``.

    Parameters
    ----------
    swap_probability : float in [0, 1], default=0.5
        Probability that a value comes from the neighbour: the value of public implementations (the paper tunes it).
    n_neighbors : int, default=5
        How many neighbours a row may be mixed with. The paper has 1; with more there are more distinct rows.
    local_variance : float > 0 or None, default=None
        None: a number is replaced by the neighbour's number b as it is. A number s: it is drawn from a normal
        distribution around b with standard deviation ``|a - b| / s``, a being the row's own value, as in the paper.
        The less s, the farther rows stray; public implementations have 1 and 10.

    Notes
    -----
    The distance takes numbers in interquartile ranges (the paper: in ranges), outliers bent to at most three of them;
    two unlike categories are 1 apart (in columns of more than 32 categories roughly), as are missing and present.
    Beyond 10,000 distinct rows, neighbours are looked for among 10,000 of them, so the cost stays linear. Neighbours
    are distinct rows: a row is not mixed with its own copies. Deviations from the paper: only one of the two partners
    is kept of every swap, and values drawn with ``local_variance`` are kept inside the column's range and rounded in
    columns of whole numbers. Where one of the two values is missing, the neighbour's is taken as it is.

    References
    ----------
    .. [1] C. Bucila, R. Caruana, A. Niculescu-Mizil, "Model Compression", KDD 2006.

    Examples
    --------
    >>> import numpy as np
    >>> from sklkd.augment import MUNGE
    >>> X = np.array([["red", 1], ["red", 2], ["blue", 8], ["blue", 9]], dtype=object)
    >>> MUNGE(n_neighbors=1).fit(X).sample(3, random_state=0).tolist()
    [['red', 1], ['blue', 9], ['red', 2]]
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "swap_probability": [Interval(Real, 0, 1, closed="both")],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "local_variance": [Interval(Real, 0, None, closed="neither"), None],
    }

    def __init__(self, *, swap_probability: float = 0.5, n_neighbors: int = 5, local_variance: float | None = None):
        self.swap_probability = swap_probability
        self.n_neighbors = n_neighbors
        self.local_variance = local_variance

    def _fit_matrix(self, X: Any) -> None:
        n = len(self._rows)
        if n == 1:
            self._neighbors = np.zeros((1, 1), dtype=np.intp)
            return
        points = np.hstack(Metric(self._rows, self._codec.categories_).blocks(self._rows))
        chosen = reference_rows(n)
        own = np.full(n, -1)
        own[chosen] = np.arange(len(chosen))
        self._neighbors = chosen[nearest(points[chosen], points, own, self.n_neighbors)]

    def _sample_matrix(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        rows = self._draw_rows(n, rng)
        partners = self._neighbors[rows, rng.integers(self._neighbors.shape[1], size=n)]
        own, other = self._rows[rows], self._rows[partners]
        swap = rng.random(own.shape, dtype=np.float32) < self.swap_probability
        if self.local_variance is not None:
            other = self._jitter(own, other, rng)
        return np.where(swap, other, own)

    def _jitter(
        self, own: NDArray[np.float64], other: NDArray[np.float64], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        spread = np.abs(own - other) / self.local_variance
        drawn = self._legal(other + spread * rng.standard_normal(own.shape))
        return np.where(self._categorical | np.isnan(spread), other, drawn)
