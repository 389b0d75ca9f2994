"""The graph of an estimator: its columns, its student, its predictions."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from sklkd._version import __version__
from sklkd.export._columns import encode
from sklkd.export._format import FORMAT
from sklkd.export._graph import DEFAULT_OPSET, OLDEST, Graph
from sklkd.export._module import write_encoded, write_module
from sklkd.export._outputs import write_classes, write_values
from sklkd.export._quantize import quantize
from sklkd.export._source import Source
from sklkd.export._steps import write_steps
from sklkd.export._tabular import category_rows, write_tabular
from sklkd.students import InputEncoder
from sklkd.students._folded import fold

OPSETS = (OLDEST, DEFAULT_OPSET, 24)
"""The oldest, the default and the newest that is tested."""


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
    outputs = _write_student(graph, source, options)
    est = source.est
    task = est._fitted.task
    if task.classes is not None:
        write_classes(graph, outputs, task.classes, est._fitted.threshold, one_node=options.quantize is None)
    else:
        write_values(graph, outputs, task.scaling)
    if options.quantize is not None:
        quantize(graph, options.quantize)
    return graph.model(_metadata(source, graph, options)).SerializeToString()


def _write_student(graph: Graph, source: Source, options: Options) -> str:
    """From the user's columns to logits or what the scaling makes targets of."""
    est, module, kind = source.est, source.est.student_.module_, options.kind
    rows = None
    if source.steps:
        rows = write_steps(graph, source.steps, _declare(graph, source, kind))
    if not isinstance(est.encoder_, InputEncoder):
        if source.own_steps:
            feeds = _declare(graph, source, kind) if rows is None else [(rows, kind, est.n_features_in_)]
            rows = write_steps(graph, source.own_steps, feeds)
            rows = graph.op("Cast", rows, to=TensorProto.FLOAT)
        elif rows is None:
            rows = graph.input("X", "float", source.shape)
        return write_module(graph, module, rows, source.student_shape())
    if rows is None and source.one_tensor:
        rows = graph.input("X", kind, source.shape)
    folded = fold(est.encoder_, module)
    learnt = {j: one for j, one in enumerate(est.encoder_._levels) if one is not None}
    tables = learnt if folded is None else category_rows(folded)
    encoded = encode(graph, est.encoder_, rows, source.inputs, kind, est._fitted.handles_missing, tables)
    if folded is not None:
        return write_tabular(graph, folded, encoded, whole_edges=options.quantize == "int8")
    inputs, width = write_encoded(graph, est.encoder_, encoded)
    return write_module(graph, module, inputs, (width,))


def _declare(graph: Graph, source: Source, kind: str) -> list[tuple[str, str, int]]:
    """Declare the inputs of steps: one tensor, or one input per column."""
    if source.one_tensor:
        return [(graph.input("X", kind, source.shape), kind, source.shape[0])]
    kinds = ["string" if j in source.text else kind for j in range(source.shape[0])]
    return [(graph.input(name, one, (1,)), one, 1) for name, one in zip(source.inputs, kinds, strict=True)]


def _metadata(source: Source, graph: Graph, options: Options) -> dict[str, Any]:
    est, task = source.est, source.est._fitted.task
    classes = task.classes
    codec = est.encoder_.codec_ if source.coded else None
    learnt = codec.categories_ if codec is not None else []
    optional = {
        "threshold": est._fitted.threshold,
        "support": None if task.scaling is None else task.scaling.support,
        "times": codec.times_ if codec is not None and any(codec.times_) else None,
    }
    required = {
        "format": FORMAT,
        "estimator": type(est).__name__,
        "classes": None if classes is None else classes.tolist(),
        "classes_dtype": None if classes is None else str(classes.dtype),
        "y_ndim": 1 if classes is not None else task.y_ndim,
        "n_outputs": task.n_outputs,
        "row_shape": list(source.shape),
        "feature_names": source.names,
        "dtypes": {one.name: _dtype_name(one) for one in graph.inputs},
        "number_dtype": "float64" if options.double else "float32",
        "one_tensor": source.one_tensor,
        "categories": {j: one.tolist() for j, one in enumerate(learnt) if one is not None},
        "text": source.text,
        "empty": [] if codec is None else np.flatnonzero(codec._empty).tolist(),
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
