"""The end of a graph: from the network's outputs to labels and probabilities, or to values in the units of y."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper

from sklkd._decision_rule import LIKELY
from sklkd.export._format import jsonable
from sklkd.export._functions import FUNCTIONS
from sklkd.export._graph import Graph
from sklkd.export._pieces import Pieces, broken_line, write_pieces
from sklkd.export._wrapped import Isotonic
from sklkd.students._scaling import LEAST_LOG, TargetScaling

ML = "ai.onnx.ml"
LEAST_LOGIT = -80.0


def write_classes(
    graph: Graph, logits: str, classes: NDArray, threshold: float | None = None, *, one_node: bool
) -> None:
    """Declare and write the predicted label and all probabilities.

    Parameters
    ----------
    graph : Graph
    logits : str
        Tensor of shape (n, n_classes).
    classes : ndarray of shape (n_classes,)
    threshold : float, default=None
        For two classes the probability of the second from which on it is predicted. None: the larger logit's class.
    one_node : bool
        Whether to use the operator of linear classifiers, in place of the last layer and up to three nodes behind it,
        where that is possible; its weights are attributes, which cannot be quantized.
    """
    label, probabilities, labels = _declare_classes(graph, classes)
    layer = graph.take_back_layer(logits) if one_node and labels.dtype.kind in "Oi" else None
    if layer is not None:
        largest = label if threshold is None else graph.free("label_of_larger")
        _write_linear_classifier(graph, layer, labels, [largest, probabilities])
    else:
        graph.op("Softmax", logits, name=probabilities)
    if threshold is not None:
        _write_label(graph, _above(graph, probabilities, threshold), labels, label)
    elif layer is None:
        _write_label(graph, ("ArgMax", [logits], {"axis": 1, "keepdims": 0}), labels, label)


def write_classes_one_by_one(graph: Graph, logits: str, classes: NDArray) -> None:
    """The same for more than two classes whose probabilities are sigmoids, normalised."""
    label, probabilities, labels = _declare_classes(graph, classes)
    # less would be 0 as float, and so would the sum
    single = graph.op("Sigmoid", graph.op("Max", logits, graph.constant(LEAST_LOGIT)))
    graph.op("Div", single, graph.total(single), name=probabilities)
    _write_label(graph, ("ArgMax", [probabilities], {"axis": 1, "keepdims": 0}), labels, label)


def write_classes_by_lines(
    graph: Graph, logits: str, classes: NDArray, threshold: float | None, calibration: Isotonic
) -> None:
    """The same for probabilities that lines make of logits in double; they are double, since many rows have the same.

    A threshold may be just one of these.
    """
    total = ""
    for lines in calibration.members:
        mine = _of_lines(graph, logits, [broken_line(*line) for line in lines])
        total = graph.op("Add", total, mine) if total else mine
    members = graph.constant(len(calibration.members), np.float64)
    write_double_classes(graph, graph.op("Div", total, members), classes, threshold)


def write_double_classes(graph: Graph, probabilities: str, classes: NDArray, threshold: float | None) -> None:
    """The same for probabilities in double that are there already."""
    label, name, labels = _declare_classes(graph, classes, TensorProto.DOUBLE)
    graph.op("Identity", probabilities, name=name)
    if threshold is not None:
        second = graph.op("Gather", name, graph.constant(1, np.int64), axis=1)
        above = graph.op("GreaterOrEqual", second, graph.constant(threshold, np.float64))
        _write_label(graph, ("Cast", [above], {"to": TensorProto.INT64}), labels, label)
    else:
        _write_label(graph, ("ArgMax", [name], {"axis": 1, "keepdims": 0}), labels, label)


def _of_lines(graph: Graph, logits: str, lines: list[Pieces]) -> str:
    """As scikit-learn normalises: the rest for the first of two classes, else all alike where all are 0."""

    def double(value: float) -> str:
        return graph.constant(value, np.float64)

    if len(lines) == 1:
        difference = graph.op("Sub", graph.columns(logits, [1]), graph.columns(logits, [0]))
        second = write_pieces(graph, difference, lines)
        found = graph.op("Concat", graph.op("Sub", double(1.0), second), second, axis=1)
    else:
        single = write_pieces(graph, logits, lines)
        total = graph.total(single)
        nothing = graph.op("Equal", total, double(0.0))
        found = graph.op("Where", nothing, double(1 / len(lines)), graph.op("Div", single, total))
    return graph.op("Min", found, double(1.0))


def _declare_classes(graph: Graph, classes: NDArray, kind: int = TensorProto.FLOAT) -> tuple[str, str, NDArray]:
    """Names of label and probabilities, and the classes in a type that graphs have."""
    label, probabilities = graph.free("label"), graph.free("probabilities")
    found = jsonable(classes, "classes")
    if any(isinstance(one, int) and one > np.iinfo(np.int64).max for one in found):
        raise ValueError("classes must be below 2**63, which a graph's labels hold: number them anew before fit.")
    labels = np.array(found)
    kinds = {"U": object, "i": np.int64, "u": np.int64}
    labels = labels.astype(kinds.get(labels.dtype.kind, labels.dtype))
    graph.output(label, helper.np_dtype_to_tensor_dtype(labels.dtype))
    graph.output(probabilities, kind, (len(classes),))
    return label, probabilities, labels


def _write_linear_classifier(
    graph: Graph, layer: tuple[str, NDArray, NDArray], labels: NDArray, outputs: list[str]
) -> None:
    inputs, weight, bias = layer
    graph.nodes.append(
        helper.make_node(
            "LinearClassifier",
            [inputs],
            outputs,
            domain=ML,
            coefficients=weight.T.ravel().tolist(),
            intercepts=bias.ravel().tolist(),
            post_transform="SOFTMAX",
            **{"classlabels_ints" if labels.dtype.kind == "i" else "classlabels_strings": labels.tolist()},
        )
    )


def _above(graph: Graph, probabilities: str, threshold: float) -> tuple[str, list[str], dict]:
    """The node that gives 1 where the second class reaches the threshold, else 0."""
    second = graph.op("Gather", probabilities, graph.constant(1, np.int64), axis=1)
    # a float is at least the threshold exactly where it is at least the next float from there
    rounded = np.float32(threshold)
    least = np.nextafter(rounded, np.float32(np.inf)) if float(rounded) < threshold else rounded
    above = graph.op("GreaterOrEqual", second, graph.constant(least))
    return "Cast", [above], {"to": TensorProto.INT64}


def _write_label(graph: Graph, codes: tuple[str, list[str], dict], labels: NDArray, name: str) -> None:
    """The labels of codes, which a last node (operator, inputs, attributes) gives."""
    kind, inputs, attributes = codes
    if labels.dtype.kind == "i" and np.array_equal(labels, np.arange(len(labels))):
        graph.op(kind, *inputs, name=name, **attributes)
    else:
        graph.op(
            "Gather", graph.constant(labels, labels.dtype), graph.op(kind, *inputs, **attributes), axis=0, name=name
        )


def write_labels(graph: Graph, outputs: str, scaling: TargetScaling) -> None:
    """Declare and write 0 or 1 and the probability of each of several labels."""
    label, probabilities = graph.free("label"), graph.free("probabilities")
    shape = (len(scaling.center),)
    graph.output(label, TensorProto.INT64, shape)
    graph.output(probabilities, TensorProto.FLOAT, shape)
    gained = graph.op("Mul", outputs, graph.constant(scaling.gain))
    graph.op("Sigmoid", graph.op("Add", gained, graph.constant(scaling.shift)), name=probabilities)
    graph.op("Cast", graph.op("Greater", probabilities, graph.constant(LIKELY)), to=TensorProto.INT64, name=label)


def write_values(graph: Graph, outputs: str, scaling: TargetScaling, functions: tuple[Any, ...] = ()) -> None:
    """Declare and write values in the units of y, by the formulas of :class:`TargetScaling`, then NumPy's functions.

    They are double: the digits may be needed where the spread is small beside the mean, and a rate that is small beside
    its mean would be 0 as float.
    """
    value = graph.free("value")
    wide = graph.op("Cast", _ordered(graph, outputs, scaling.order), to=TensorProto.DOUBLE)
    graph.output(value, TensorProto.DOUBLE, (len(scaling.center),))
    found = _scaled(graph, wide, scaling, "" if functions else value)
    for function in functions:
        found = FUNCTIONS[function].write(graph, found, np.float64)
    if functions:
        graph.op("Identity", found, name=value)


def _ordered(graph: Graph, outputs: str, order: tuple[int, ...]) -> str:
    """Outputs of which no quantiles cross."""
    if not order:
        return outputs
    size = graph.constant([len(order)], np.int64)
    ascending, _ = graph.two("TopK", outputs, size, axis=1, largest=0, sorted=1)
    return ascending if list(order) == sorted(order) else graph.columns(ascending, list(order))


def _scaled(graph: Graph, wide: str, scaling: TargetScaling, name: str) -> str:
    def double(numbers: NDArray | float) -> str:
        return graph.constant(numbers, np.float64)

    if scaling.support == "real":
        return graph.op("Add", graph.op("Mul", wide, double(scaling.scale)), double(scaling.center), name=name)
    u = graph.op("Mul", wide, double(scaling.gain))
    if scaling.support == "unit":
        return graph.op("Sigmoid", graph.op("Add", u, double(scaling.shift)), name=name)
    capped = graph.op("Min", u, double(scaling.bend))
    grown = graph.op("Exp", graph.op("Max", capped, double(LEAST_LOG)))
    # what is beyond the bend; NaN where the row has a missing value that the graph does not take
    beyond = graph.op("Add", graph.op("Sub", u, capped), double(1.0))
    return graph.op("Mul", graph.op("Mul", grown, double(scaling.center)), beyond, name=name)
