"""scikit-learn's transformers, as skl2onnx converts them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

from sklkd._columns._cells import is_missing
from sklkd.export._format import MISSING
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
    NotImplementedError
        Where it cannot convert a step.
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
    if any(kind == "string" for _, kind, _ in feeds):
        steps = copy.deepcopy(steps)
        for step in _parts(steps):
            _spell_missing(step)
    try:
        model = convert_sklearn(
            Pipeline(steps),
            initial_types=[(name, kinds[kind]([None, width])) for name, kind, width in feeds],
            target_opset={"": graph.opset, "ai.onnx.ml": graph.ml_opset},
        )
    except RuntimeError as error:
        first = str(error).partition("\n")[0]
        raise NotImplementedError(
            f"skl2onnx cannot convert the steps before the estimator: {first} The estimator takes "
            "categories and missing values as they are: leave such steps out, or export the last step alone and run "
            "the others where the rows come from."
        ) from error
    if any(kind == "double" for _, kind, _ in feeds):
        _impute_doubles(model, steps)
    output = graph.inline(model, [name for name, _, _ in feeds])[0]
    numbers = {kind for _, kind, _ in feeds} - {"string"} or {"float"}
    return graph.op("Cast", output, to=TensorProto.DOUBLE if "double" in numbers else TensorProto.FLOAT)


def _impute_doubles(model: Any, steps: list[Any]) -> None:
    """Put IsNaN and Where in the place of Imputer, which ONNX Runtime does not have for doubles.

    The operator holds what it fills in as floats; the transformers have all digits.
    """
    learnt = [step.statistics_ for step in _parts(steps) if hasattr(step, "statistics_")]
    learnt = [one for one in learnt if one.dtype.kind in "fiu"]  # not those of strings
    nodes = list(model.graph.node)
    del model.graph.node[:]
    for i, node in enumerate(nodes):
        if node.op_type != "Imputer":
            model.graph.node.append(node)
            continue
        options = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        rounded = np.array(options["imputed_value_floats"], dtype=np.float32)
        filling = next((one for one in learnt if np.array_equal(one.astype(np.float32), rounded)), rounded)
        replaced = np.array(options.get("replaced_value_float", np.nan), dtype=np.float64)
        constants = {f"filling_{i}": filling.astype(np.float64)}
        cells, absent = node.input[0], f"absent_{i}"
        if np.isnan(replaced):
            asks = helper.make_node("IsNaN", [cells], [absent])
        else:
            constants[f"replaced_{i}"] = replaced
            asks = helper.make_node("Equal", [cells, f"replaced_{i}"], [absent])
        model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
        model.graph.node.append(asks)
        model.graph.node.append(helper.make_node("Where", [absent, f"filling_{i}", cells], [node.output[0]]))


def _spell_missing(step: Any) -> None:
    """Let a transformer of strings know missing values by what stands for them in the graph's inputs."""
    if isinstance(step, SimpleImputer) and step.statistics_.dtype == object and is_missing(step.missing_values):
        step.missing_values = MISSING
    elif isinstance(step, OneHotEncoder):
        step.categories_ = [_spelt(categories) for categories in step.categories_]


def _spelt(categories: NDArray) -> NDArray:
    if categories.dtype != object or not any(isinstance(one, str) for one in categories):
        return categories
    return np.array([MISSING if is_missing(one) else one for one in categories], dtype=object)


def _parts(steps: list[Any]) -> Iterator[Any]:
    """The transformers of steps, and those inside them."""
    for _, step, *_ in steps:
        yield step
        yield from _parts(getattr(step, "steps", None) or getattr(step, "transformers_", []))
