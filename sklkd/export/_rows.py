"""Rows on which a graph is compared with its estimator, made up where the user gives none."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd.export._format import UNSEEN
from sklkd.students import InputEncoder, TabularNet

N_ROWS, REACH = 3_000, 3.0
GAP, NEVER_SEEN = 0.1, 0.05


def training_like_rows(est: Any, *, gaps: bool) -> NDArray:
    """Rows like those of training, and harder ones: every bin, both its edges, missing and unseen cells.

    Parameters
    ----------
    est : DistilledClassifier or DistilledRegressor
        Fitted; its encoder is an :class:`InputEncoder`.
    gaps : bool
        Whether cells may be missing.

    Returns
    -------
    ndarray of shape (n, n_features)
        Float64, or objects where a column is categorical.
    """
    rng = np.random.RandomState(0)
    encoder = est.encoder_
    edges = _edges(est.student_.module_, encoder)
    columns = []
    for j, categories in enumerate(encoder.codec_.categories_):
        if categories is not None:
            columns.append(_cells(rng, categories, gaps))
        else:
            columns.append(_numbers(rng, edges[j]) * encoder.scale_[j] + encoder.center_[j])
            if gaps:
                columns[-1][rng.random(N_ROWS) < GAP] = np.nan
    return np.stack(columns, axis=1)


def _edges(module: Any, encoder: InputEncoder) -> list[NDArray]:
    """Left and right edges of every column's bins, (n_bins, 2), in encoded units."""
    edges = [np.empty((0, 2)) for _ in encoder.cardinalities_]
    if not isinstance(module, TabularNet):
        return edges
    encoding: Any = module.encoding
    left, slope = encoding.left.cpu().double().numpy(), encoding.slope.cpu().double().numpy()
    column = encoding.numeric[encoding.column].cpu().numpy()
    for j in np.unique(column):
        mine = column == j
        edges[j] = np.stack([left[mine], left[mine] + 1 / slope[mine]], axis=1)
    return edges


def _numbers(rng: np.random.RandomState, edges: NDArray) -> NDArray[np.float64]:
    """A third spread over the column's range, a third inside bins, narrow ones as often as wide, a third on edges."""
    if not len(edges):
        return rng.standard_normal(N_ROWS) * REACH
    pick = edges[rng.randint(len(edges), size=N_ROWS)]
    inside = rng.random(N_ROWS)
    part = rng.randint(3, size=N_ROWS)
    inside[part == 2] = np.rint(inside[part == 2])
    numbers = pick[:, 0] + inside * (pick[:, 1] - pick[:, 0])
    spread = part == 0
    numbers[spread] = rng.uniform(edges.min() - 0.5, edges.max() + 0.5, spread.sum())
    return numbers


def _cells(rng: np.random.RandomState, categories: NDArray, gaps: bool) -> NDArray[np.object_]:
    cells = np.empty(N_ROWS, dtype=object)
    values = categories.tolist()
    for i, code in enumerate(rng.randint(len(values), size=N_ROWS)):
        cells[i] = values[code]
    cells[rng.random(N_ROWS) < NEVER_SEEN] = UNSEEN
    if gaps:
        cells[rng.random(N_ROWS) < GAP] = None
    return cells
