"""The graph of an estimator: its columns, its student, its answers."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper

from sklkd._version import __version__
from sklkd.export._columns import encode
from sklkd.export._format import FORMAT
from sklkd.export._graph import DEFAULT_OPSET, OLDEST, Graph
from sklkd.export._quantize import quantize
from sklkd.export._tabular import weights, write_tabular

OPSETS = (OLDEST, DEFAULT_OPSET, 24)
"""The oldest, the default and the newest that is tested."""


@dataclass(frozen=True)
class Options:
    """How to write: the opset, whether numbers are read and binned in double precision, how weights are stored."""

    opset: int
    double: bool
    quantize: str | None


def write(est: Any, options: Options) -> bytes:
    """An estimator as the content of a file."""
    graph = Graph(options.opset)
    kind = "double" if options.double else "float"
    module = est.student_.module_
    encoder = est.encoder_
    encoded = encode(graph, encoder, None, kind, est._allow_nan)
    outputs = write_tabular(graph, module, encoded, weights(module.output))
    if est._classes is not None:
        _write_classes(graph, outputs, est.classes_)
    else:
        _write_values(graph, outputs, est._center, est._scale)
    if options.quantize is not None:
        quantize(graph, options.quantize)
    return graph.model(_metadata(est, graph, encoder, options)).SerializeToString()


def _write_classes(graph: Graph, logits: str, classes: NDArray) -> None:
    """The most probable label and all probabilities."""
    labels = np.array(classes.tolist())
    kinds = {"U": object, "i": np.int64, "u": np.int64}
    labels = labels.astype(kinds.get(labels.dtype.kind, labels.dtype))
    if labels.dtype.kind == "i" and np.array_equal(labels, np.arange(len(labels))):
        graph.op("ArgMax", logits, axis=1, keepdims=0, name="label")
    else:
        codes = graph.op("ArgMax", logits, axis=1, keepdims=0)
        graph.op("Gather", graph.constant(labels, labels.dtype), codes, axis=0, name="label")
    graph.op("Softmax", logits, axis=-1, name="probabilities")
    graph.output("label", helper.np_dtype_to_tensor_dtype(labels.dtype))
    graph.output("probabilities", TensorProto.FLOAT, (len(classes),))


def _write_values(graph: Graph, outputs: str, center: NDArray, scale: NDArray) -> None:
    """Values in the units of y, in double, whose digits may be needed where the spread is small beside the mean."""
    scaled = graph.op("Mul", graph.op("Cast", outputs, to=TensorProto.DOUBLE), graph.constant(scale, np.float64))
    graph.op("Add", scaled, graph.constant(center, np.float64), name="value")
    graph.output("value", TensorProto.DOUBLE, (len(center),))


def _metadata(est: Any, graph: Graph, encoder: Any, options: Options) -> dict[str, Any]:
    classes = est._classes
    codec = encoder.codec_
    names = getattr(codec, "feature_names_in_", None)
    categories = {j: one.tolist() for j, one in enumerate(codec.categories_) if one is not None}
    return {
        "format": FORMAT,
        "estimator": type(est).__name__,
        "classes": None if classes is None else classes.tolist(),
        "classes_dtype": None if classes is None else str(classes.dtype),
        "y_ndim": 1 if classes is not None else est._y_ndim,
        "n_outputs": len(est._center) if classes is None else len(classes),
        "row_shape": [codec.n_features_in_],
        "feature_names": None if names is None else names.tolist(),
        "dtypes": {one.name: _dtype_name(one) for one in graph.inputs},
        "number_dtype": "float64" if options.double else "float32",
        "one_tensor": names is None and not categories,
        "categories": categories,
        "empty": np.flatnonzero(codec._empty).tolist(),
        "allow_nan": bool(est._allow_nan),
        "opset": options.opset,
        "quantize": options.quantize,
        "versions": {
            "sklkd": __version__,
            "onnx": onnx.__version__,
            "onnxruntime": onnxruntime.__version__,
            "python": platform.python_version(),
        },
    }


def _dtype_name(value: Any) -> str:
    kind = value.type.tensor_type.elem_type
    return "string" if kind == TensorProto.STRING else helper.tensor_dtype_to_np_dtype(kind).name
