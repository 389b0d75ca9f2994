"""scikit-learn's transformers, as skl2onnx converts them."""

from __future__ import annotations

from typing import Any

from onnx import TensorProto
from sklearn.pipeline import Pipeline

from sklkd.export._graph import Graph


def write_steps(graph: Graph, steps: list[Any], feeds: list[tuple[str, str, int]]) -> str:
    """Write fitted transformers one behind the other.

    Parameters
    ----------
    graph : Graph
    steps : list of (str, transformer)
    feeds : list of (str, str, int)
        Tensors that go in, each with its type, "float", "double" or "string", and its number of columns.

    Returns
    -------
    str
        What the last one gives, of the type of the numbers that go in.

    Raises
    ------
    ImportError
        Where skl2onnx is not installed.
    """
    try:
        from skl2onnx import convert_sklearn
        from skl2onnx.common import data_types
    except ImportError as error:
        raise ImportError("steps before the estimator need skl2onnx: pip install 'sklkd[onnx]'.") from error
    kinds = {
        "float": data_types.FloatTensorType,
        "double": data_types.DoubleTensorType,
        "string": data_types.StringTensorType,
    }
    model = convert_sklearn(
        Pipeline(steps),
        initial_types=[(name, kinds[kind]([None, width])) for name, kind, width in feeds],
        target_opset={"": graph.opset, "ai.onnx.ml": graph.ml_opset},
    )
    output = graph.inline(model, [name for name, _, _ in feeds])[0]
    numbers = {kind for _, kind, _ in feeds} - {"string"} or {"float"}
    return graph.op("Cast", output, to=TensorProto.DOUBLE if "double" in numbers else TensorProto.FLOAT)
