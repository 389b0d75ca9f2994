"""Real rows, a few of whose values are drawn anew, given all others."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sklkd._sklearn import Interval
from sklkd.augment._base import Sampler
from sklkd.augment._metric import Metric, nearest, reference_rows


class GibbsSampler(Sampler):
    """Real rows with values drawn from their distribution given the rest of the row [1]_.

    A Gibbs chain is started at every real row and stopped soon. One step takes one column of the row, finds the real
    rows that are nearest in *all other* columns, and takes the value of one of them, drawn at random. In contrast to
    :class:`MUNGE` the neighbours know nothing of the value that is replaced, so it can move far where the rest of the
    row allows that, and not at all where it does not.

    Parameters
    ----------
    n_features : int or None, default=1
        Columns of every row that are drawn anew, one after the other, in random order. None: each of them once, a full
        round. One is the cheap variant of the paper, said to be slightly better; the cost grows with the number.
    n_neighbors : int, default=10
        Rows from which a value is drawn. The fewer, the closer to the real distribution, and the fewer distinct rows.

    Notes
    -----
    The paper learns the conditional distributions with a transformer; neighbours (in the distance of :class:`MUNGE`,
    among at most 10,000 distinct rows) need no training and draw only values that occur. ``sample`` searches them:
    70,000 rows like 7,000 real ones of 20 columns take about 2 s for each of ``n_features``.

    References
    ----------
    .. [1] R. Fakoor, J. Mueller, N. Erickson, P. Chaudhari, A. Smola, "Fast, Accurate, and Simple Models for Tabular
       Data via Augmented Distillation", NeurIPS 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from sklkd.augment import GibbsSampler
    >>> X = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0], [4.0, 4.0]])
    >>> GibbsSampler(n_neighbors=1).fit(X).sample(2, random_state=0).shape
    (2, 2)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_features": [Interval(Integral, 1, None, closed="left"), None],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, *, n_features: int | None = 1, n_neighbors: int = 10):
        self.n_features = n_features
        self.n_neighbors = n_neighbors

    def _fit_matrix(self, X: Any) -> None:
        self._metric = Metric(self._rows, self._codec.categories_)
        self._chosen = reference_rows(len(self._rows))

    def _sample_matrix(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        rows = self._draw_rows(n, rng)
        Z = self._rows[rows]
        if len(self._rows) == 1 or n == 0:
            return Z
        own = np.full(len(self._rows), -1)
        own[self._chosen] = np.arange(len(self._chosen))
        reference = self._metric.blocks(self._rows[self._chosen])
        steps = rng.random(Z.shape).argsort(axis=1)[:, : self.n_features]  # all where it is None
        points = self._metric.blocks(Z)
        for step in steps.T:
            for j in range(Z.shape[1]):
                here = np.flatnonzero(step == j)
                if len(here):
                    donors = self._draw_donors(j, reference, [block[here] for block in points], own[rows[here]], rng)
                    Z[here, j] = self._rows[self._chosen[donors], j]
                    points[j][here] = reference[j][donors]
        return Z

    def _draw_donors(
        self,
        j: int,
        reference: list[NDArray[np.float32]],
        queries: list[NDArray[np.float32]],
        own: NDArray[np.intp],
        rng: np.random.Generator,
    ) -> NDArray[np.intp]:
        """For every query a reference row that is near in all columns but j."""
        n = len(queries[j])
        if len(reference) == 1:  # given nothing, all are equally near
            return rng.integers(len(self._chosen), size=n)
        others = [k for k in range(len(reference)) if k != j]
        near = nearest(
            np.hstack([reference[k] for k in others]), np.hstack([queries[k] for k in others]), own, self.n_neighbors
        )
        return near[np.arange(n), rng.integers(near.shape[1], size=n)]
