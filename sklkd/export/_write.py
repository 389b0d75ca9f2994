"""The graph of an estimator: its columns, its student, its predictions."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, RuntimeException
from sklearn.compose import ColumnTransformer

from sklkd._version import __version__
from sklkd.estimators._estimator_fit import LEAST_LOG
from sklkd.export._columns import encode
from sklkd.export._compare import about_rows_ignored
from sklkd.export._estimator import linked, write_probabilities, write_standardized
from sklkd.export._file import SEAL, UNSEALED, sealed
from sklkd.export._format import FORMAT, jsonable
from sklkd.export._graph import DEFAULT_OPSET, OLDEST, TENSOR, Feed, Graph
from sklkd.export._module import write_encoded, write_module
from sklkd.export._outputs import (
    write_classes,
    write_classes_by_lines,
    write_classes_one_by_one,
    write_double_classes,
    write_labels,
    write_values,
)
from sklkd.export._parts import parts_of
from sklkd.export._plain import write_plain
from sklkd.export._quantize import quantize
from sklkd.export._source import Source
from sklkd.export._steps import write_steps
from sklkd.export._tabular import category_rows, write_tabular, write_tabular_exactly
from sklkd.export._wrapped import Calibration, Isotonic
from sklkd.students import InputEncoder
from sklkd.students._folded import fold
from sklkd.students._plain_encoder import PlainEncoder

OPSETS = (OLDEST, DEFAULT_OPSET, min(24, onnx.defs.onnx_opset_version()))
"""The oldest, the default and the newest that is tested."""

MAY_BE_ROUNDING = (ValueError, Fail, RuntimeException)
"""Errors of a file for some rows that rounding these may cause: outputs that are no numbers, and steps that stop."""


@dataclass(frozen=True)
class Options:
    """How to write: the opset, whether numbers are read and binned in double precision, how weights are stored."""

    opset: int
    double: bool
    quantize: str | None

    @property
    def kind(self) -> str:
        return "double" if self.double else "float"


def write(source: Source, options: Options) -> bytes:
    """An estimator, and the steps before it, as the content of a file."""
    graph = Graph(options.opset, source.inputs)
    is_net, calibration = source.est._fitted.is_net, source.unwrapped.calibration
    outputs = (_write_student if is_net else _write_estimator)(graph, source, options)
    if isinstance(calibration, Isotonic):
        outputs = graph.op("Cast", outputs, to=TensorProto.DOUBLE)
    for bad in graph.refused:
        in_double = isinstance(calibration, Isotonic) or not is_net
        nothing = graph.constant(np.nan, np.float64 if in_double else np.float32)
        outputs = graph.op("Where", bad, nothing, outputs)
    est = source.est
    task = est._fitted.task
    if task.classes is not None:
        if isinstance(calibration, Isotonic):
            write_classes_by_lines(graph, outputs, task.classes, est._fitted.threshold, calibration)
        elif not is_net:
            write_double_classes(graph, outputs, task.classes, est._fitted.threshold)
        elif calibration is not None and calibration.one_by_one:
            write_classes_one_by_one(graph, outputs, task.classes)
        else:
            write_classes(graph, outputs, task.classes, est._fitted.threshold, one_node=options.quantize is None)
    elif task.multilabel:
        write_labels(graph, outputs, task.scaling)
    else:
        write_values(graph, outputs, task.scaling, source.unwrapped.functions)
    if options.quantize is not None:
        quantize(graph, options.quantize)
    # a quantized file is to be small, and one tensor of numbers explains itself
    about = "" if options.quantize is not None and source.one_tensor else _about(source, graph)
    return sealed(graph.model(_metadata(source, graph, options), about).SerializeToString())


def _about(source: Source, graph: Graph) -> str:
    """What the file takes and gives, for whoever opens it with other tools."""
    task = source.est._fitted.task
    types = {_dtype_name(one) for one in graph.inputs}
    outputs = " and ".join(repr(one.name) for one in graph.outputs)
    says = [f"A student that sklkd {__version__} has distilled ({type(source.est).__name__})."]
    if source.one_tensor:
        says.append(f"It takes 'X', rows of {'x'.join(map(str, source.shape))} numbers in the order of fit,")
    else:
        says.append("It takes every column by itself, as (n, 1), called as at fit,")
    order = {"classification": "the classes in sorted order", "multilabel": "the labels in the order of y's columns"}
    says.append(f"and gives {outputs}, {order.get(task.kind, 'in the units of y')}.")
    if types != {"string"}:
        says.append("A missing number is NaN.")
    if "string" in types:
        says.append("A missing string is the one character U+E000; a string that was not there at fit is unseen.")
    return " ".join(says)


def _write_student(graph: Graph, source: Source, options: Options) -> str:
    """From the user's columns to logits, calibrated ones where they are, or what the scaling makes targets of."""
    est, module, calibration = source.est, source.est.student_.module_, source.unwrapped.calibration
    kind = options.kind
    rows = None
    if source.steps:
        rows = write_steps(graph, source.steps, _declare(graph, source, kind), kind)
    if not isinstance(est.encoder_, InputEncoder):
        if source.own_steps:
            feeds = _declare(graph, source, kind) if rows is None else [Feed(rows, kind, est.n_features_in_)]
            rows = write_steps(graph, source.own_steps, feeds, kind)
            rows = graph.op("Cast", rows, to=TensorProto.FLOAT)
        elif rows is None:
            rows = graph.input("X", "float", source.shape)
        return _calibrated(graph, write_module(graph, module, rows, source.student_shape()), calibration)
    if rows is None and source.one_tensor:
        rows = graph.input("X", kind, source.shape)
    folded = fold(est.encoder_, module)
    if folded is not None and isinstance(calibration, Calibration):
        folded = calibration.folded(folded)
    learnt = {j: one for j, one in enumerate(est.encoder_._levels) if one is not None}
    tables = learnt if folded is None else category_rows(folded)
    encoded = encode(graph, est.encoder_, rows, source.inputs, kind, est._fitted.handles_missing, tables)
    if folded is not None and isinstance(calibration, Isotonic) and options.quantize is None:
        # lines may be so steep that a digit of the logits is a step of the probabilities
        return write_tabular_exactly(graph, folded, encoded)
    if folded is not None:
        return write_tabular(graph, folded, encoded, whole_edges=options.quantize == "int8")
    inputs, width = write_encoded(graph, est.encoder_, encoded)
    return _calibrated(graph, write_module(graph, module, inputs, (width,)), calibration)


def _write_estimator(graph: Graph, source: Source, options: Options) -> str:
    """The same of a student that is no network, in double: probabilities, but their logarithms for isotonic lines."""
    est, calibration, kind = source.est, source.unwrapped.calibration, options.kind
    rows = None
    if source.steps:
        rows = write_steps(graph, source.steps, _declare(graph, source, kind), kind)
    if isinstance(est.encoder_, PlainEncoder):
        if rows is None and source.one_tensor:
            rows = graph.input("X", kind, source.shape)
        rows = write_plain(graph, est.encoder_, rows, source.inputs, kind, est._fitted.handles_missing)
    else:
        feeds = _declare(graph, source, kind) if rows is None else [Feed(rows, kind, est.n_features_in_)]
        rows = write_steps(graph, source.own_steps, feeds, kind)
    (width,) = source.student_shape()
    if not est._fitted.task.classification:
        return write_standardized(graph, est.student_, rows, kind, width, est._fitted.limits)
    isotonic = isinstance(calibration, Isotonic)
    found = write_probabilities(graph, est.student_, rows, kind, width, all_digits=isotonic)
    if calibration is None:
        return found
    logits = graph.op("Log", graph.op("Max", found, graph.constant(np.exp(LEAST_LOG), np.float64)))
    if isinstance(calibration, Isotonic):
        return logits
    parts = (graph.constant(part, np.float64) for part in (calibration.weight, calibration.bias))
    return linked(graph, graph.op("Gemm", logits, *parts), "one by one" if calibration.one_by_one else "softmax")


def _calibrated(graph: Graph, logits: str, calibration: Calibration | Isotonic | None) -> str:
    if not isinstance(calibration, Calibration):
        return logits
    return graph.op("Gemm", logits, graph.constant(calibration.weight), graph.constant(calibration.bias))


def _declare(graph: Graph, source: Source, kind: str) -> list[Any]:
    """Declare the inputs of steps: one tensor, or one input per column; None for columns that are not read."""
    if source.one_tensor:
        return [Feed(graph.input("X", kind, source.shape), kind, source.shape[0])]
    kinds = ["string" if j in source.text else kind for j in range(source.shape[0])]
    feeds = {name: Feed(graph.input(name, one, (1,)), one, 1) for name, one in zip(source.inputs, kinds, strict=True)}
    if source.names is None:
        return list(feeds.values())
    reader = (source.steps or source.own_steps)[0][1]
    return [feeds.get(str(name)) for name in reader.feature_names_in_]


def differing_step(source: Source, options: Options, feeds: dict[str, NDArray]) -> str:
    """The first step that gives other numbers than its graph, or stops there, in words; "" if there is none.

    Parameters
    ----------
    source : Source
    options : Options
    feeds : dict of str to ndarray
        The rows as the graph's inputs.
    """
    steps = source.steps or source.own_steps
    given = source.rows
    for i, (name, step) in enumerate(steps):
        with about_rows_ignored():
            given = step.transform(given)
        expected = given.toarray() if hasattr(given, "toarray") else np.asarray(given)
        if expected.dtype.kind not in "biuf":
            continue
        expected = expected.astype(np.float64)
        graph = Graph(options.opset, source.inputs)
        graph.op("Identity", write_steps(graph, steps[: i + 1], _declare(graph, source, options.kind), options.kind))
        graph.output(graph.nodes[-1].output[0], TENSOR[options.kind], expected.shape[1:])
        content = graph.model({}).SerializeToString()
        try:
            got = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"]).run(None, feeds)[0]
        except Exception as error:  # noqa: BLE001 - ONNX Runtime's errors have no base of their own
            return f"step {name!r} ({type(step).__name__}) stops in ONNX Runtime: {error}"
        scale = np.maximum(np.nanstd(expected, axis=0), np.abs(expected))
        apart = (np.abs(got - expected) > 1e-3 * scale) | (np.isnan(got) != np.isnan(expected))
        if apart.any():
            part = _part(step, np.flatnonzero(apart.any(axis=0)))
            return f"step {name!r} ({type(step).__name__}){part} gives other numbers there"
    return ""


def _part(step: Any, columns: NDArray) -> str:
    """Which part of a ColumnTransformer gives a column, and from which it is made."""
    if not isinstance(step, ColumnTransformer):
        return ""
    for name, part, places in parts_of(step):
        given = step.output_indices_[name]
        if given.start <= columns[0] < given.stop:
            names = getattr(step, "feature_names_in_", np.arange(step.n_features_in_))
            return f", part {name!r} ({type(part).__name__}) for columns {[names[place] for place in places]}"
    return ""


def _metadata(source: Source, graph: Graph, options: Options) -> dict[str, Any]:
    est, task = source.est, source.est._fitted.task
    classes = task.classes
    codec = est.encoder_.codec_ if source.coded else None
    learnt = codec.categories_ if codec is not None else []
    optional = {
        "threshold": est._fitted.threshold,
        "support": None if task.scaling is None else task.scaling.support,
        "multilabel": task.multilabel or None,
        "refuses_unseen": True if graph.refused else None,
        "times": codec.times_ if codec is not None and any(codec.times_) else None,
        "feature_names": source.names,
        "categories": {j: jsonable(one, "categories") for j, one in enumerate(learnt) if one is not None} or None,
        "text": source.text or None,
        "empty": (source.unread if codec is None else np.flatnonzero(codec._empty).tolist()) or None,
    }
    required = {
        "format": FORMAT,
        SEAL: UNSEALED,
        "estimator": type(est).__name__,
        "classes": None if classes is None else jsonable(classes, "classes"),
        "classes_dtype": None if classes is None else str(classes.dtype),
        "y_ndim": 1 if classes is not None else task.y_ndim,
        "n_outputs": task.n_outputs,
        "row_shape": list(source.shape),
        "dtypes": {one.name: _dtype_name(one) for one in graph.inputs},
        "number_dtype": "float64" if options.double else "float32",
        "one_tensor": source.one_tensor,
        # steps may impute, or not: then the outputs are NaN
        "allow_nan": bool(est._fitted.handles_missing) or not source.coded,
        "opset": options.opset,
        "quantize": options.quantize,
        "versions": {
            "sklkd": __version__,
            "onnx": onnx.__version__,
            "onnxruntime": onnxruntime.__version__,
            "python": platform.python_version(),
        },
    }
    return required | {name: value for name, value in optional.items() if value is not None}


def _dtype_name(value: Any) -> str:
    kind = value.type.tensor_type.elem_type
    return "string" if kind == TensorProto.STRING else helper.tensor_dtype_to_np_dtype(kind).name
