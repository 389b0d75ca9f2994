"""scikit-learn's usual transformers as graphs, in double precision too, with missing values and unseen categories.

skl2onnx has most of them, but rounds columns of frames to floats, spells missing strings "nan", and codes categories
that were not there at fit as if they were.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.impute import KNNImputer, MissingIndicator, SimpleImputer
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

from sklkd._columns._cells import is_missing
from sklkd._sklearn import donors
from sklkd.export._categories import CannotWrite, learnt, tables_of, takes_unseen
from sklkd.export._curves import CURVES
from sklkd.export._format import MISSING, spellings
from sklkd.export._functions import FUNCTIONS
from sklkd.export._graph import DTYPE, TENSOR, Feed, Graph, joined, picked

REFUSED = -2
"""Code of a category that the encoder takes for an error."""


Writer = Callable[[Graph, Any, list[Feed], str], list[Feed]]
"""(graph, transformer, feeds, kind) -> feeds"""


def writer_of(step: Any) -> Writer | None:
    """What writes a fitted transformer; None for types that are not known here, subclasses among them."""
    return _WRITERS.get(type(step))


def _scaler(graph: Graph, step: Any, feeds: list[Feed], kind: str) -> list[Feed]:
    """Of all kinds."""
    numbers = _numbers(graph, feeds, kind)
    scale = step.scale_
    center = getattr(step, "mean_", getattr(step, "center_", None))
    if isinstance(step, StandardScaler) and not step.with_mean:
        center = None
    if isinstance(step, MinMaxScaler):
        scale, center = 1 / step.scale_, -step.min_ / step.scale_
    if scale is None and center is None:
        return [numbers]
    scale = np.ones(numbers.width) if scale is None else scale
    center = np.zeros(numbers.width) if center is None else center
    if kind == "float":
        offset, factor = center.astype(np.float32).tolist(), (1 / scale).astype(np.float32).tolist()
        tensor = graph.op("Scaler", numbers.tensor, domain="ai.onnx.ml", offset=offset, scale=factor)
    else:
        tensor = graph.op("Sub", numbers.tensor, graph.constant(center, np.float64))
        tensor = graph.op("Div", tensor, graph.constant(scale, np.float64))
    if getattr(step, "clip", False):
        least, most = getattr(step, "feature_range", (-1, 1))
        tensor = graph.op("Clip", tensor, graph.constant(least, DTYPE[kind]), graph.constant(most, DTYPE[kind]))
    return [numbers._replace(tensor=tensor)]


def _curve(graph: Graph, step: Any, feeds: list[Feed], kind: str) -> list[Feed]:
    """Of transformers that bend columns, which is done in double precision."""
    wide = graph.op("Cast", _numbers(graph, feeds, kind).tensor, to=TENSOR["double"])
    found = graph.op("Cast", CURVES[type(step)](graph, step, wide), to=TENSOR[kind])
    return [Feed(found, kind, len(step.get_feature_names_out()))]


def _function(graph: Graph, step: FunctionTransformer, feeds: list[Feed], kind: str) -> list[Feed]:
    if step.func is None:
        return feeds
    if step.func not in FUNCTIONS or step.kw_args:
        known = ", ".join(f"np.{function.__name__}" for function in FUNCTIONS)
        raise CannotWrite(f"of functions only {known} can be written.")
    numbers = _numbers(graph, feeds, kind)
    return [numbers._replace(tensor=FUNCTIONS[step.func].write(graph, numbers.tensor, DTYPE[kind]))]


def _simple_imputer(graph: Graph, step: SimpleImputer, feeds: list[Feed], kind: str) -> list[Feed]:
    """Where, with all digits, in the place of Imputer, which ONNX Runtime does not have for doubles and strings."""
    if all(feed.kind != "string" for feed in feeds):
        feeds = [joined(graph, feeds)]
    filled, absent, start = [], [], 0
    for feed in feeds:
        statistics = step.statistics_[start : start + feed.width]
        start += feed.width
        absent.append(_absent(graph, feed, step.missing_values))
        # a column that was empty at fit has none, and is left out
        kept = np.array([step.keep_empty_features or not _is_nan(one) for one in statistics])
        if feed.kind == "string":
            fill = graph.constant([MISSING if is_missing(one) else str(one) for one in statistics], object)
        else:
            fill = graph.constant([float(one) for one in statistics], DTYPE[kind])
        whole = feed._replace(tensor=graph.op("Where", absent[-1], fill, feed.tensor))
        filled += picked(graph, [whole], np.flatnonzero(kept).tolist())
    return filled + _indicators(graph, step, absent, kind)


def _indicator(graph: Graph, step: MissingIndicator, feeds: list[Feed], kind: str) -> list[Feed]:
    absent = [_absent(graph, feed, step.missing_values) for feed in feeds]
    if step.features == "missing-only" and step.error_on_new:
        new = np.setdiff1d(np.arange(step.n_features_in_), step.features_)
        if len(new):
            graph.refuse(_columns_of(graph, absent, new))
    return _places(graph, absent, step.features_, kind)


def _knn_imputer(graph: Graph, step: KNNImputer, feeds: list[Feed], kind: str) -> list[Feed]:
    """The training rows are in the graph; distances are those of sklearn's ``nan_euclidean_distances``."""
    if step.metric != "nan_euclidean" or step.weights not in ("uniform", "distance"):
        raise CannotWrite("only weights='uniform' or 'distance' and metric='nan_euclidean' can be written.")
    feed = _numbers(graph, feeds, kind)
    absent = _absent(graph, feed, step.missing_values)
    wide = graph.op("Cast", feed.tensor, to=TENSOR["double"])
    values, absent_values = donors(step)
    known = ~absent_values
    fit = np.where(known, values, 0.0)

    def double(value: Any) -> str:
        return graph.constant(value, np.float64)

    filled = graph.op("Where", absent, double(0.0), wide)
    present = graph.op("Cast", graph.op("Not", absent), to=TENSOR["double"])
    common = graph.op("MatMul", present, double(known.T))
    crossed = graph.op("Mul", graph.op("MatMul", filled, double(fit.T)), double(2.0))
    squares = graph.op("MatMul", graph.op("Mul", filled, filled), double(known.T))
    squares = graph.op("Add", squares, graph.op("MatMul", present, double((fit**2).T)))
    squares = graph.op("Max", graph.op("Sub", squares, crossed), double(0.0))
    mean_square = graph.op("Div", squares, graph.op("Max", common, double(1.0)))
    nothing = graph.op("Equal", common, double(0.0))
    distance = graph.op("Where", nothing, double(np.inf), graph.op("Sqrt", mean_square))
    columns = []
    for j in range(feed.width):
        own = graph.columns(wide, [j])
        givers = np.flatnonzero(known[:, j])
        if len(givers):
            found = _from_neighbours(graph, step, distance, givers, fit[givers, j])
            missing = graph.columns(absent, [j])
            columns.append(graph.op("Where", missing, found, own))
        elif step.keep_empty_features:
            columns.append(graph.op("Mul", graph.columns(present, [j]), double(0.0)))
    whole = graph.op("Cast", graph.op("Concat", *columns, axis=1), to=TENSOR[kind])
    return [Feed(whole, kind, len(columns)), *_indicators(graph, step, [absent], kind)]


def _from_neighbours(graph: Graph, step: KNNImputer, distance: str, givers: NDArray, values: NDArray) -> str:
    """The mean of the nearest givers' values, (n, 1); that of all of them where no distance is known."""
    mine = graph.columns(distance, givers)
    k = graph.constant([min(step.n_neighbors, len(givers))], np.int64)
    nearest, places = graph.two("TopK", mine, k, axis=1, largest=0, sorted=0)
    apart = graph.op("Cast", graph.op("Not", graph.op("IsInf", nearest)), to=TENSOR["double"])
    if step.weights == "distance":
        same = graph.op("Cast", graph.op("Equal", nearest, graph.constant(0.0, np.float64)), to=TENSOR["double"])
        any_same = graph.op("Cast", graph.total(same), to=TENSOR["bool"])
        apart = graph.op("Where", any_same, same, graph.op("Reciprocal", nearest))
    weighted = graph.op("Mul", graph.op("Gather", graph.constant(values, np.float64), places), apart)
    weight = graph.total(apart)
    mean = graph.op("Div", graph.total(weighted), weight)
    unknown = graph.op("Equal", weight, graph.constant(0.0, np.float64))
    return graph.op("Where", unknown, graph.constant(values.mean(), np.float64), mean)


def _one_hot(graph: Graph, step: OneHotEncoder, feeds: list[Feed], kind: str) -> list[Feed]:
    found = []
    for j, rows in enumerate(tables_of(step)):
        width = rows.shape[1]
        # the place of the 1 in each category's row, -1 where there is none
        places = np.full(rows.shape[0], -1)
        places[np.diff(rows.indptr) > 0] = rows.indices
        codes = _codes(graph, step, j, feeds, places)
        if width:
            hot = graph.op("Equal", codes, graph.constant(np.arange(width), np.int64))
            found.append(Feed(graph.op("Cast", hot, to=TENSOR[kind]), kind, width))
    return found


def _table(graph: Graph, step: OrdinalEncoder | TargetEncoder, feeds: list[Feed], kind: str) -> list[Feed]:
    """Of encoders that give every column as many numbers."""
    found = []
    for j, rows in enumerate(tables_of(step)):
        codes = _codes(graph, step, j, feeds, np.arange(len(rows)))
        if getattr(step, "handle_unknown", None) == "error":
            codes = graph.op("Max", codes, graph.constant(0, np.int64))
        flat = graph.op("Squeeze", codes, graph.constant([1], np.int64))
        found.append(Feed(graph.op("Gather", graph.constant(rows, DTYPE[kind]), flat), kind, rows.shape[1]))
    return found


def _codes(graph: Graph, step: Any, j: int, feeds: list[Feed], codes: NDArray) -> str:
    """For each row the code of its category in a column, int64 of shape (n, 1).

    Parameters
    ----------
    graph : Graph
    step : encoder
    j : int
        The column.
    feeds : list of Feed
    codes : ndarray of int
        Of the categories, in order, and then, unless it is an error, of an unseen one.
    """
    feed = picked(graph, feeds, [j])[0]
    categories = learnt(step.categories_[j])
    strings = categories.dtype == object
    name = repr(step.feature_names_in_[j]) if hasattr(step, "feature_names_in_") else str(j)
    if strings != (feed.kind == "string"):
        what = ("strings", "numbers") if strings else ("numbers", "strings")
        raise CannotWrite(f"column {name} held {what[0]} at fit, and the rows have {what[1]}.")
    error = not takes_unseen(step)
    codes = np.append(codes, REFUSED) if error else codes
    if strings:
        if sum(is_missing(one) for one in categories) > 1:
            raise CannotWrite(
                f"column {name} has both None and NaN as categories, which a file cannot tell apart: replace one."
            )
        known = [MISSING if is_missing(one) else spellings([one], name)[0] for one in categories]
        given, default = codes[:-1].tolist(), int(codes[-1])
        found = graph.op(
            "LabelEncoder",
            feed.tensor,
            domain="ai.onnx.ml",
            keys_strings=known,
            values_int64s=given,
            default_int64=default,
        )
    else:
        found = _codes_of_numbers(graph, feed, categories, codes)
    if error:
        graph.refuse(graph.op("Equal", found, graph.constant(REFUSED, np.int64)))
    return found


def _codes_of_numbers(graph: Graph, feed: Feed, categories: NDArray, codes: NDArray) -> str:
    same = graph.op("Equal", feed.tensor, graph.constant(categories[None], DTYPE[feed.kind]))
    gap = np.isnan(categories)
    if gap.any():
        is_gap = graph.op("And", graph.op("IsNaN", feed.tensor), graph.constant(gap[None], bool))
        same = graph.op("Or", same, is_gap)
    same = graph.op("Cast", same, to=TENSOR["float"])
    # the first place of the largest number: none is larger than this last one where no category is the same
    least = graph.op("Mul", graph.op("Cast", graph.op("IsNaN", feed.tensor), to=TENSOR["float"]), graph.constant(0.0))
    last = graph.op("Add", least, graph.constant(0.5))
    place = graph.op("ArgMax", graph.op("Concat", same, last, axis=1), axis=1, keepdims=1)
    return graph.op("Gather", graph.constant(codes, np.int64), place)


def _numbers(graph: Graph, feeds: list[Feed], kind: str) -> Feed:
    if any(feed.kind != kind for feed in feeds):
        raise CannotWrite("it gets strings.")
    return joined(graph, feeds)


def _absent(graph: Graph, feed: Feed, missing: Any) -> str:
    """Whether cells are what an imputer fills, bool of shape (n, width)."""
    if feed.kind == "string":
        key = MISSING if is_missing(missing) else str(missing)
        found = graph.op(
            "LabelEncoder",
            feed.tensor,
            domain="ai.onnx.ml",
            keys_strings=[key],
            values_int64s=[1],
            default_int64=0,
        )
        return graph.op("Cast", found, to=TENSOR["bool"])
    if is_missing(missing):
        return graph.op("IsNaN", feed.tensor)
    return graph.op("Equal", feed.tensor, graph.constant(float(missing), DTYPE[feed.kind]))


def _indicators(graph: Graph, step: Any, absent: list[str], kind: str) -> list[Feed]:
    return _places(graph, absent, step.indicator_.features_, kind) if step.add_indicator else []


def _places(graph: Graph, absent: list[str], features: NDArray, kind: str) -> list[Feed]:
    if not len(features):
        return []
    return [Feed(graph.op("Cast", _columns_of(graph, absent, features), to=TENSOR[kind]), kind, len(features))]


def _columns_of(graph: Graph, absent: list[str], columns: NDArray) -> str:
    whole = graph.op("Concat", *absent, axis=1) if len(absent) > 1 else absent[0]
    return graph.columns(whole, columns)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and np.isnan(value)


_WRITERS: dict[type, Writer] = {
    FunctionTransformer: _function,
    KNNImputer: _knn_imputer,
    MaxAbsScaler: _scaler,
    MinMaxScaler: _scaler,
    MissingIndicator: _indicator,
    OneHotEncoder: _one_hot,
    OrdinalEncoder: _table,
    RobustScaler: _scaler,
    SimpleImputer: _simple_imputer,
    StandardScaler: _scaler,
    TargetEncoder: _table,
    **dict.fromkeys(CURVES, _curve),
}
