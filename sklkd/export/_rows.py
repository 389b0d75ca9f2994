"""Rows on which a graph is compared with its estimator, made up where the user gives none."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

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


def rows_for_columns(transformer: Any) -> Any:
    """Rows for a fitted ColumnTransformer, with numbers on the scale and categories that its parts have learnt.

    A frame where it was fitted on one, for which pandas must have been imported by whoever did so; None where it was
    not.
    """
    rng = np.random.RandomState(0)
    columns: dict[Any, NDArray] = {j: rng.standard_normal(N_ROWS) for j in range(transformer.n_features_in_)}
    for name, part, _ in transformer.transformers_:
        step = part.steps[0][1] if isinstance(part, Pipeline) else part
        for position, j in enumerate(transformer._transformer_to_input_indices[name]):
            learnt = getattr(_encoder_of(part), "categories_", None)
            if learnt is not None:
                columns[j] = rng.choice(learnt[position], N_ROWS)
            elif hasattr(step, "scale_"):
                center = getattr(step, "mean_", getattr(step, "center_", np.zeros(position + 1)))
                columns[j] = columns[j] * step.scale_[position] + center[position]
    names = getattr(transformer, "feature_names_in_", None)
    if names is None:
        return np.stack(list(columns.values()), axis=1)
    pandas = sys.modules.get("pandas")
    return None if pandas is None else pandas.DataFrame(dict(zip(names, columns.values(), strict=True)))


def _encoder_of(part: Any) -> Any:
    """What codes the categories: a transformer, or the step of a Pipeline that does."""
    steps = [step for _, step in part.steps] if isinstance(part, Pipeline) else [part]
    return next((step for step in steps if hasattr(step, "categories_")), None)


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
