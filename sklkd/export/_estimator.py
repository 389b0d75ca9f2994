"""A classifier or regressor as a graph: its trees or weights as they are, others as skl2onnx converts them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, inliner, numpy_helper
from sklearn.multioutput import MultiOutputRegressor

from sklkd.export._formula import formula_of
from sklkd.export._graph import TENSOR, Graph
from sklkd.export._linear import Linear
from sklkd.export._trees import Trees
from sklkd.students._scaling import LEAST_LOG as LEAST_LOG_VALUE
from sklkd.students._scaling import TargetScaling

ML = "ai.onnx.ml"


class _Double:
    """Operators of numbers in double precision."""

    def __init__(self, graph: Graph):
        self.graph = graph

    def __call__(self, kind: str, *inputs: Any, **attributes: Any) -> str:
        tensors = [one if isinstance(one, str) else self.graph.constant(one, np.float64) for one in inputs]
        return self.graph.op(kind, *tensors, **attributes)

    def cast(self, tensor: str) -> str:
        return self.graph.op("Cast", tensor, to=TensorProto.DOUBLE)


def write_probabilities(graph: Graph, model: Any, rows: str, kind: str, width: int, *, all_digits: bool) -> str:
    """Write a classifier behind its columns (n, width), and return its probabilities, double (n, n_classes).

    Parameters
    ----------
    graph : Graph
    model : classifier
    rows : str
    kind : {"float", "double"}
        Type of the columns.
    width : int
    all_digits : bool
        Whether sums of leaves have more digits than a float.

    Raises
    ------
    NotImplementedError
        Where it cannot be converted.
    """
    found = formula_of(model, width)
    if found is None:
        return _by_skl2onnx(graph, model, rows, kind, width)
    return linked(graph, _raw(graph, found, rows, kind, all_digits=all_digits), found.link)


def write_standardized(graph: Graph, model: Any, rows: str, kind: str, width: int, limits: TargetScaling) -> str:
    """Write a regressor, and return its predictions in units of the targets' spread, double (n, n_outputs).

    Parameters are those of :func:`write_probabilities`, and ``limits`` where predictions may lie.
    """
    found = formula_of(model, width)
    double = _Double(graph)
    if found is not None:
        found = found.centred() if isinstance(found, Trees) else found
        values = linked(graph, _raw(graph, found, rows, kind), found.link)
    elif isinstance(model, MultiOutputRegressor):
        each = [_by_skl2onnx(graph, one, rows, kind, width) for one in model.estimators_]
        values = graph.op("Concat", *each, axis=1)
    else:
        values = _by_skl2onnx(graph, model, rows, kind, width)
    if limits.support == "positive":
        values = double("Max", values, limits.center * np.exp(LEAST_LOG_VALUE))
    elif limits.support == "unit":
        values = double("Clip", values, 0.0, 1.0)
    return double("Div", double("Sub", values, limits.center), limits.scale)


def _raw(graph: Graph, found: Trees | Linear, rows: str, kind: str, all_digits: bool = False) -> str:
    if isinstance(found, Trees):
        return write_trees(graph, found, rows, kind, all_digits=all_digits)
    double = _Double(graph)
    return double("Gemm", double.cast(rows), found.weight, found.base)


def linked(graph: Graph, raw: str, link: str) -> str:
    """What a link of ``sklkd.export._links`` makes of sums in double."""
    double = _Double(graph)
    if link in ("identity", "exp"):
        return raw if link == "identity" else double("Exp", raw)
    if link == "softmax":
        return double("Softmax", raw, axis=1)
    # ONNX Runtime has a sigmoid of floats only
    single = double("Reciprocal", double("Add", double("Exp", double("Neg", raw)), 1.0))
    if link == "expit":
        return single
    if link == "second of two":
        return double("Concat", double("Sub", 1.0, single), single, axis=1)
    return double("Div", single, graph.total(single))


def write_trees(graph: Graph, trees: Trees, rows: str, kind: str, *, all_digits: bool) -> str:
    """Write trees, and return the sums of their leaves, double (n, n_outputs).

    ONNX Runtime gives these sums as floats. Where ``all_digits``, of each the first digits and, as another output, the
    others: the former are multiples of a power of 2 such that no sum is rounded.
    """
    double = kind == "double"
    if double and trees.single:
        rows = graph.op("Cast", graph.op("Cast", rows, to=TENSOR["float"]), to=TENSOR["double"])
    values, step = trees.values, 1.0
    if all_digits:
        most = np.add.reduce([np.abs(tree).max(axis=0) for tree in np.split(values, trees.roots[1:])]).max()
        step = 2.0 ** (np.ceil(np.log2(most)) - 22) if most > 0 else 1.0
        high = np.rint(values / step)
        values = np.hstack([high, values / step - high])
    sums = _ensemble(graph, trees, values, rows, double=double)
    of = _Double(graph)
    wide = of.cast(sums)
    if all_digits:
        n = len(trees.base)
        parts = [graph.columns(wide, np.arange(n)), graph.columns(wide, np.arange(n, 2 * n))]
        wide = of("Mul", of("Add", *parts), step)
    if trees.divisor != 1:
        wide = of("Div", wide, trees.divisor)
    return of("Add", wide, trees.base) if trees.base.any() else wide


def _ensemble(graph: Graph, trees: Trees, values: NDArray, rows: str, *, double: bool) -> str:
    n_nodes = np.diff(np.append(trees.roots, len(trees.left)))
    tree = np.repeat(np.arange(len(trees.roots)), n_nodes)
    first = np.repeat(trees.roots, n_nodes)
    leaf = trees.left < 0
    leaves, outputs = np.nonzero(leaf[:, None] & (values != 0))
    if not len(leaves):
        leaves, outputs = np.flatnonzero(leaf)[:1], np.zeros(1, int)
    weights = values[leaves, outputs]
    ints = {
        "nodes_treeids": tree,
        "nodes_nodeids": np.arange(len(tree)) - first,
        "nodes_featureids": trees.feature,
        "nodes_truenodeids": np.where(leaf, 0, trees.left - first),
        "nodes_falsenodeids": np.where(leaf, 0, trees.right - first),
        "nodes_missing_value_tracks_true": trees.missing_left.astype(int),
        "target_treeids": tree[leaves],
        "target_nodeids": leaves - first[leaves],
        "target_ids": outputs,
    }
    attributes: dict[str, Any] = {name: array.tolist() for name, array in ints.items()}
    if double:
        graph.need_ml(3)
        attributes["nodes_values_as_tensor"] = numpy_helper.from_array(trees.threshold, "thresholds")
        attributes["target_weights_as_tensor"] = numpy_helper.from_array(weights, "leaves")
    else:
        attributes |= {"nodes_values": trees.threshold.tolist(), "target_weights": weights.tolist()}
    modes = np.where(leaf, "LEAF", "BRANCH_LEQ").tolist()
    return graph.op(
        "TreeEnsembleRegressor", rows, domain=ML, n_targets=values.shape[1], nodes_modes=modes, **attributes
    )


def _by_skl2onnx(graph: Graph, model: Any, rows: str, kind: str, width: int) -> str:
    try:
        from skl2onnx import convert_sklearn
        from skl2onnx.common import data_types
    except ImportError as error:
        raise ImportError(f"{type(model).__name__} in a file needs skl2onnx: pip install 'sklkd[onnx]'.") from error
    types = {"float": data_types.FloatTensorType, "double": data_types.DoubleTensorType}
    classifier = hasattr(model, "predict_proba")
    try:
        made = convert_sklearn(
            model,
            initial_types=[("X", types[kind]([None, width]))],
            target_opset={"": graph.opset, ML: graph.ml_opset},
            options={id(model): {"zipmap": False}} if classifier else None,
        )
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # what it says is in the error
        onnxruntime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its converters fail in many ways, some when the graph is loaded
        if kind == "double":
            # some know floats only, which the comparison judges
            return _by_skl2onnx(graph, model, graph.op("Cast", rows, to=TENSOR["float"]), "float", width)
        raise NotImplementedError(
            f"student ({type(model).__name__}) cannot be exported: skl2onnx says {str(error).partition(chr(10))[0]!r}. "
            "Distil into trees, a linear model or a network, or pickle est.without_teacher()."
        ) from error
    outputs = graph.inline(inliner.inline_local_functions(made), [rows])
    wide = _Double(graph).cast(outputs[-1])
    return graph.op("Reshape", wide, graph.constant([0, -1], np.int64)) if not classifier else wide
