"""Rows on which a graph is compared with its estimator, made up where the user gives none."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline

from sklkd._columns._cells import is_missing
from sklkd.export._format import UNSEEN
from sklkd.students import InputEncoder, TabularNet

N_ROWS, REACH = 3_000, 3.0
WIDE_CELLS, STORED = 10_000_000, 0.05  # of a wide sparse table
ABSENT, NEVER_SEEN = 0.1, 0.05
"""How many values are missing, or of a category that fit has not seen."""


def training_like_rows(est: Any, *, missing: bool) -> NDArray:
    """Rows like those of training, and harder ones: every bin, both its edges, missing values, unseen categories.

    Parameters
    ----------
    est : DistilledClassifier or DistilledRegressor
        Fitted; its encoder is an :class:`InputEncoder`.
    missing : bool
        Whether values may be missing.

    Returns
    -------
    ndarray of shape (n, n_features)
        Float64, or objects where a column is categorical.
    """
    rng = np.random.RandomState(0)
    encoder = est.encoder_
    if encoder.codec_.sparse_:
        return _entries(rng, encoder.scale_, missing)
    edges = _edges(est.student_.module_, encoder)
    columns = []
    for j, categories in enumerate(encoder.codec_.categories_):
        if categories is not None:
            columns.append(_categories(rng, categories, missing))
        else:
            columns.append(_numbers(rng, edges[j]) * encoder.scale_[j] + encoder.center_[j])
            if missing:
                columns[-1][rng.random(N_ROWS) < ABSENT] = np.nan
    return np.stack(columns, axis=1)


def rows_for_columns(transformer: Any, given: Any) -> Any:
    """Rows for a fitted ColumnTransformer: categories that its parts have learnt, and what gives certain numbers.

    Where these, or the parts that make them, tell nothing, normally distributed numbers on the scale that a part has
    learnt. Values that it imputes may be missing. A frame where it was fitted on one, for which pandas must have been
    imported by whoever did so; None where it was not.

    Parameters
    ----------
    transformer : ColumnTransformer
    given : ndarray of shape (n, n_outputs) or None
        What it should give, categories aside.
    """
    rng = np.random.RandomState(0)
    columns: dict[Any, NDArray] = {j: rng.standard_normal(N_ROWS) for j in range(transformer.n_features_in_)}
    for name, part, _ in transformer.transformers_:
        inside = part.steps if isinstance(part, Pipeline) else [(name, part)]
        positions = transformer._transformer_to_input_indices[name]
        learnt = getattr(_encoder_of(part), "categories_", None)
        found = None
        if learnt is None and given is not None and part != "drop":
            found = inverse(inside, given[:, transformer.output_indices_[name]])
        step = inside[0][1]
        for position, j in enumerate(positions):
            if learnt is not None:
                columns[j] = rng.choice(learnt[position], N_ROWS)
            elif found is not None and found.shape[1] == len(positions):
                columns[j] = found[:, position]
            elif hasattr(step, "scale_"):
                center = getattr(step, "mean_", getattr(step, "center_", np.zeros(position + 1)))
                columns[j] = columns[j] * step.scale_[position] + center[position]
            if isinstance(step, SimpleImputer) and is_missing(step.missing_values):
                absent = rng.random(N_ROWS) < ABSENT
                columns[j] = np.where(absent, step.missing_values, columns[j])
    names = getattr(transformer, "feature_names_in_", None)
    if names is None:
        return np.stack(list(columns.values()), axis=1)
    pandas = sys.modules.get("pandas")
    return None if pandas is None else pandas.DataFrame(dict(zip(names, columns.values(), strict=True)))


def inverse(steps: list[Any], rows: Any) -> Any:
    """What the steps would turn into these rows; None if they do not tell. Values that they impute may be missing."""
    imputed, rows = False, rows.copy()
    for _, step in reversed(steps):
        if isinstance(step, SimpleImputer) and rows.shape[1] == step.n_features_in_:
            imputed = imputed or step.missing_values is np.nan
        elif hasattr(step, "inverse_transform"):
            rows = np.asarray(step.inverse_transform(rows))
        else:
            return None
    if imputed:
        rows[np.random.RandomState(0).random(rows.shape) < ABSENT] = np.nan
    return rows


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


def _entries(rng: np.random.RandomState, scale: NDArray, missing: bool) -> NDArray[np.float64]:
    """Rows of a wide sparse table, fewer the wider it is, with one number of twenty that is not 0."""
    shape = max(100, min(N_ROWS, WIDE_CELLS // len(scale))), len(scale)
    rows = np.zeros(shape)
    filled = rng.random(shape) < STORED
    rows[filled] = rng.standard_normal(filled.sum()) * REACH
    rows *= scale
    if missing:
        rows[rng.random(shape) < ABSENT] = np.nan
    return rows


def _categories(rng: np.random.RandomState, categories: NDArray, missing: bool) -> NDArray[np.object_]:
    column = np.empty(N_ROWS, dtype=object)
    known = categories.tolist()
    for i, code in enumerate(rng.randint(len(known), size=N_ROWS)):
        column[i] = known[code]
    column[rng.random(N_ROWS) < NEVER_SEEN] = UNSEEN
    if missing:
        column[rng.random(N_ROWS) < ABSENT] = None
    return column
