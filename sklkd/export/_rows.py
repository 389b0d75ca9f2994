"""Rows on which a graph is compared with its estimator, made up where the user gives none."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import KNNImputer, MissingIndicator
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import PowerTransformer, QuantileTransformer, SplineTransformer

from sklkd._columns._cells import is_missing
from sklkd._sklearn import donors, spline_of_missing
from sklkd.export._format import UNSEEN
from sklkd.export._functions import FUNCTIONS
from sklkd.export._parts import flat, knots_of, parts_of, passes
from sklkd.export._thresholds import thresholds_of, with_thresholds
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
    is_net = est._fitted.is_net
    edges = _edges(est.student_.module_ if is_net else None, encoder)
    thresholds = {} if is_net else thresholds_of(est.student_, encoder)
    columns: list[NDArray] = []
    for j, categories in enumerate(encoder.codec_.categories_):
        if categories is not None:
            columns.append(_categories(rng, categories, missing))
        else:
            numbers = _numbers(rng, edges[j]) * encoder.scale_[j] + encoder.center_[j]
            columns.append(with_thresholds(rng, numbers, thresholds[j]) if j in thresholds else numbers)
            if missing:
                columns[-1][rng.random(N_ROWS) < ABSENT] = np.nan
    return np.stack(columns, axis=1)


class _How(NamedTuple):
    """Random numbers, whether steps may give missing values, and whether those that fill gaps get some."""

    rng: np.random.RandomState
    missing: bool
    gaps: bool


def rows_before(steps: list[Any], given: NDArray | None, *, missing: bool, gaps: bool = True) -> NDArray:
    """Rows for fitted steps: what gives certain numbers, and the values that each has learnt to treat otherwise.

    Encoders get all their categories, and unseen ones where these are no error; imputers get gaps; splines and
    quantiles get their knots, and numbers between and beyond them; scalers and others that have an inverse get what
    becomes the given numbers; the rest normally distributed numbers, on the scale that the step has learnt.

    Parameters
    ----------
    steps : list of (str, transformer)
    given : ndarray of shape (n, n_outputs) or None
        What the last one should give.
    missing : bool
        Whether the steps may give missing values.
    gaps : bool, default=True
        Whether what imputers get may have gaps.

    Returns
    -------
    ndarray of shape (n, n_features)
        Float64, or objects where a column holds strings.
    """
    how = _How(np.random.RandomState(0), missing, gaps)
    for _, step in reversed(flat(steps)):
        given = _before(how, step, given)
    return np.zeros((N_ROWS, 0)) if given is None else given


def learnt_texts(step: Any) -> set[int]:
    """Columns of which a step has learnt strings."""
    if isinstance(step, ColumnTransformer):
        return {places[k] for _, part, places in parts_of(step) if not passes(part) for k in learnt_texts(part)}
    if isinstance(step, FeatureUnion):
        return set().union(*(learnt_texts(part) for _, part in step.transformer_list if not isinstance(part, str)))
    if isinstance(step, Pipeline):
        inside = flat(step.steps)
        return learnt_texts(inside[0][1]) if inside else set()
    learnt = getattr(step, "categories_", None)
    if learnt is None:
        learnt = [[one] for one in getattr(step, "statistics_", ())]
    return {j for j, values in enumerate(learnt) if any(isinstance(one, str) for one in values)}


def _before(how: _How, step: Any, given: Any) -> NDArray:
    """Rows for one step."""
    if isinstance(step, Pipeline):
        for _, inside in reversed(flat(step.steps)):
            given = _before(how, inside, given)
        return given
    if isinstance(step, ColumnTransformer):
        return _before_columns(how, step, given)
    if isinstance(step, FeatureUnion):
        name, part = next((name, part) for name, part in step.transformer_list if part != "drop")
        # the first one's outputs come first
        width = step.n_features_in_ if passes(part) else len(part.get_feature_names_out())
        mine = None if given is None else given[:, :width] / (step.transformer_weights or {}).get(name, 1.0)
        if passes(part):
            return how.rng.standard_normal((N_ROWS, width)) if mine is None else mine
        return _before(how, part, mine)
    if hasattr(step, "categories_"):
        return _joined([_learnt_categories(how, step, j) for j in range(len(step.categories_))])
    if hasattr(step, "add_indicator"):
        return _with_gaps(how, step, given)
    if isinstance(step, MissingIndicator):
        cells = how.rng.standard_normal((N_ROWS, step.n_features_in_))
        for j in step.features_:
            cells[how.rng.random(N_ROWS) < ABSENT * how.gaps, j] = step.missing_values
        return cells
    if isinstance(step, PowerTransformer):
        return _before_powers(how, step, given)
    if isinstance(step, SplineTransformer):
        return _before_splines(how, step)
    if isinstance(step, QuantileTransformer):
        return _before_quantiles(how, step, given)
    numbers = None if given is None else _inverse(how, step, given)
    if numbers is not None:
        return numbers
    numbers = how.rng.standard_normal((N_ROWS, step.n_features_in_))
    scale = getattr(step, "scale_", None)
    center = getattr(step, "mean_", getattr(step, "center_", None))
    numbers = numbers if scale is None else numbers * scale
    return numbers if center is None or np.shape(center) != numbers.shape[1:] else numbers + center


def _before_columns(how: _How, step: ColumnTransformer, given: Any) -> NDArray:
    columns: list[Any] = [how.rng.standard_normal(N_ROWS) for _ in range(step.n_features_in_)]
    read: set[int] = set()
    for name, part, places in parts_of(step):
        mine = None if given is None else given[:, step.output_indices_[name]]
        if mine is not None and name in (step.transformer_weights or {}):
            mine = mine / step.transformer_weights[name]
        found = mine if passes(part) else _before(how, part, mine)
        if found is not None:
            for place, column in zip(places, found.T, strict=True):
                columns[place] = _both(columns[place], column) if place in read else column
            read.update(places)
    return _joined(columns)


def _both(column: NDArray, other: NDArray) -> NDArray:
    """A column that two parts read: the first one's values, and the gaps of both."""
    gaps = np.array([is_missing(cell) for cell in other])
    return _put(column, gaps, np.nan)


def _learnt_categories(how: _How, step: Any, j: int) -> NDArray:
    """Of an encoder's column, with unseen ones and gaps where these are no error."""
    known = step.categories_[j].tolist()
    unseen_gives_nan = is_missing(getattr(step, "unknown_value", None) or 0)
    if getattr(step, "handle_unknown", "ignore") != "error" and (how.missing or not unseen_gives_nan):
        strings = any(isinstance(one, str) for one in known)
        numbers = [one for one in known if not strings and not is_missing(one)]
        unseen = [UNSEEN if strings else float(max(numbers, default=0)) + 1, *[np.nan] * how.gaps]
    else:
        unseen = []
    values = np.empty(len(known) + len(unseen), dtype=object)
    values[:] = known + unseen
    often = np.full(len(values), NEVER_SEEN)
    often[: len(known)] = (1 - NEVER_SEEN * len(unseen)) / len(known)
    return values[how.rng.choice(len(values), N_ROWS, p=often)]


def _with_gaps(how: _How, imputer: Any, given: Any) -> NDArray:
    """What an imputer fills, with its indicators taken off, and columns that were empty at fit put in."""
    width = imputer.n_features_in_
    learnt = getattr(imputer, "statistics_", np.zeros(width))
    empty: list[bool] = [isinstance(one, float) and bool(np.isnan(one)) for one in learnt]
    if isinstance(imputer, KNNImputer):
        empty = np.all(donors(imputer)[1], axis=0).tolist()
    if imputer.keep_empty_features:
        empty = [False] * width
    indicators = len(imputer.indicator_.features_) if imputer.add_indicator else 0
    columns: list[Any] = []
    taken = iter([] if given is None else given[:, : given.shape[1] - indicators].T)
    for j in range(width):
        column = None if empty[j] else next(taken, None)
        if column is None:
            text = isinstance(learnt[j], str)
            column = np.full(N_ROWS, learnt[j], dtype=object) if text else how.rng.standard_normal(N_ROWS)
        absent = how.rng.random(N_ROWS) < (1.0 if empty[j] else ABSENT * how.gaps)
        gap = np.nan if is_missing(imputer.missing_values) else imputer.missing_values
        columns.append(np.where(absent, gap, column) if column.dtype != object else _put(column, absent, gap))
    return _joined(columns)


def _before_powers(how: _How, step: PowerTransformer, given: Any) -> NDArray:
    """What becomes the given numbers, and what becomes 0 where nothing becomes them."""
    width = step.n_features_in_
    given = how.rng.standard_normal((N_ROWS, width)) * REACH if given is None else np.asarray(given, np.float64)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        zero, found = (np.asarray(step.inverse_transform(numbers)) for numbers in (np.zeros((1, width)), given))
    least = 0.0 if step.method == "box-cox" else -np.inf
    fill = np.where(np.isfinite(zero) & (zero > least), zero, 1.0)
    taken = np.isfinite(found) & (found > least)
    return np.where(taken | np.isnan(given), found, fill)


def _before_splines(how: _How, step: SplineTransformer) -> NDArray:
    columns = [_on_and_around(how, knots, beyond=step.extrapolation != "error") for knots in knots_of(step)]
    if spline_of_missing(step) == "zeros":
        for column in columns:
            column[how.rng.random(N_ROWS) < ABSENT * how.gaps] = np.nan
    return np.stack(columns, axis=1)


def _before_quantiles(how: _How, step: QuantileTransformer, given: Any) -> NDArray:
    """Quantiles and numbers around them, and in half of the rows what becomes the given numbers."""
    found = np.stack([_on_and_around(how, quantiles, beyond=True) for quantiles in step.quantiles_.T], axis=1)
    if given is None:
        return found
    given = np.asarray(given, np.float64)
    inverse = np.asarray(step.inverse_transform(given))
    return np.where(np.isnan(given) | (how.rng.random((N_ROWS, 1)) < 0.5), inverse, found)


def _on_and_around(how: _How, edges: NDArray, *, beyond: bool) -> NDArray[np.float64]:
    """A third of a column on edges, a third between them, a third spread over their range, or beyond it as well."""
    place = how.rng.randint(len(edges), size=N_ROWS)
    right = edges[np.minimum(place + 1, len(edges) - 1)]
    span = (edges[-1] - edges[0]) or 1.0
    spread = edges[0] + how.rng.uniform(-beyond, 1 + beyond, N_ROWS) * span
    between = edges[place] + how.rng.random(N_ROWS) * (right - edges[place])
    numbers = np.choose(how.rng.randint(3, size=N_ROWS), [edges[place], between, spread])
    return numbers if beyond else np.clip(numbers, edges[0], edges[-1])


def _put(column: NDArray, where: NDArray, value: Any) -> NDArray:
    column = column.copy()
    column[where] = value
    return column


def _inverse(how: _How, step: Any, given: Any) -> Any:
    """What a step would turn into these rows; None if it does not tell."""
    function = getattr(step, "func", None)
    if function in FUNCTIONS and step.inverse_func is None:
        with np.errstate(all="ignore"):
            found = FUNCTIONS[function].inverse(np.asarray(given, np.float64))
    elif hasattr(step, "get_support"):
        found = how.rng.standard_normal((len(given), step.n_features_in_))
        found[:, step.get_support()] = given
    elif hasattr(step, "inverse_transform") and not hasattr(step, "n_bins_"):
        with warnings.catch_warnings():
            # rows beyond the range of its function are replaced below
            warnings.simplefilter("ignore", RuntimeWarning)
            found = step.inverse_transform(given)
        found = found.toarray() if hasattr(found, "toarray") else np.asarray(found)
    else:
        return None
    if found.dtype == object:
        return found
    bad = (~np.isfinite(found)).any(axis=1) & np.isfinite(np.asarray(given, np.float64)).all(axis=1)
    if bad.all():
        return None
    found[bad] = found[how.rng.choice(np.flatnonzero(~bad), bad.sum())]
    return found


def _joined(columns: list[NDArray]) -> NDArray:
    """Columns side by side, as float64 where all of them are numbers."""
    rows = np.empty((N_ROWS, len(columns)), dtype=object)
    for j, column in enumerate(columns):
        rows[:, j] = column
    if any(isinstance(cell, str) or cell is None for cell in rows.ravel()):
        return rows
    return rows.astype(np.float64)


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
