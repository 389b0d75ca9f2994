"""Fitted transformers in a graph: the usual ones written here, the others as skl2onnx converts them."""

from __future__ import annotations

from typing import Any

from onnx import TensorProto, inliner
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline

from sklkd.export._categories import CannotWrite
from sklkd.export._graph import DTYPE, TENSOR, Feed, Graph, joined, picked
from sklkd.export._parts import parts_of, passes
from sklkd.export._transformers import writer_of


def write_steps(graph: Graph, steps: list[Any], feeds: list[Any], kind: str) -> str:
    """Write fitted transformers one behind the other.

    Parameters
    ----------
    graph : Graph
    steps : list of (str, transformer)
    feeds : list of Feed or None
        Tensors that go in; None for columns that no step reads.
    kind : {"float", "double"}
        Type of all numbers.

    Returns
    -------
    str
        What the last one gives, of type ``kind``.

    Raises
    ------
    ImportError
        Where skl2onnx is not installed, and a step needs it.
    NotImplementedError
        Where a step cannot be converted.
    """
    found = _write(graph, "", Pipeline(steps), feeds, kind)
    if any(feed.kind != kind for feed in found):
        raise NotImplementedError("est gets strings from the steps before it: let the last one code them as numbers.")
    return joined(graph, found).tensor


def _write(graph: Graph, path: str, step: Any, feeds: list[Any], kind: str) -> list[Feed]:
    if passes(step):
        return feeds
    below = f"{path}__" if path else ""
    if isinstance(step, Pipeline):
        for name, inside in step.steps:
            feeds = _write(graph, below + name, inside, feeds, kind)
        return feeds
    if isinstance(step, ColumnTransformer):
        inside = [(name, part, picked(graph, feeds, places)) for name, part, places in parts_of(step)]
    elif isinstance(step, FeatureUnion):
        inside = [(name, part, feeds) for name, part in step.transformer_list if part != "drop"]
    else:
        try:
            own = writer_of(step)
            return _by_skl2onnx(graph, step, feeds, kind) if own is None else own(graph, step, feeds, kind)
        except CannotWrite as error:
            raise NotImplementedError(
                f"Step {path!r} ({type(step).__name__}) cannot be exported: {error} The estimator takes categories and "
                "missing values as they are: leave such a step out, or export the estimator alone and run the steps "
                "before it where the rows come from."
            ) from error
    weights, found = step.transformer_weights or {}, []
    for name, part, taken in inside:
        given = _write(graph, below + name, part, taken, kind)
        if name in weights:
            numbers = joined(graph, given)
            weight = graph.constant(weights[name], DTYPE[kind])
            given = [numbers._replace(tensor=graph.op("Mul", numbers.tensor, weight))]
        found += given
    return found


def _by_skl2onnx(graph: Graph, step: Any, feeds: list[Feed], kind: str) -> list[Feed]:
    try:
        from skl2onnx import convert_sklearn
        from skl2onnx.common import data_types
    except ImportError as error:
        raise ImportError(f"{type(step).__name__} in a file needs skl2onnx: pip install 'sklkd[onnx]'.") from error
    kinds = {
        "float": data_types.FloatTensorType,
        "double": data_types.DoubleTensorType,
        "string": data_types.StringTensorType,
    }
    if all(feed.kind != "string" for feed in feeds):
        feeds = [joined(graph, feeds)]
    try:
        model = convert_sklearn(
            step,
            initial_types=[(f"x{i}", kinds[feed.kind]([None, feed.width])) for i, feed in enumerate(feeds)],
            target_opset={"": graph.opset, "ai.onnx.ml": graph.ml_opset},
        )
    except Exception as error:  # its converters fail in many ways
        if feeds[0].kind == "double":
            # some know floats only, which the comparison judges
            floats = graph.op("Cast", feeds[0].tensor, to=TENSOR["float"])
            found = _by_skl2onnx(graph, step, [feeds[0]._replace(tensor=floats, kind="float")], "float")[0]
            return [Feed(graph.op("Cast", found.tensor, to=TENSOR[kind]), kind, found.width)]
        raise CannotWrite(f"skl2onnx says {str(error).partition(chr(10))[0]!r}.") from error
    output = model.graph.output[0].type.tensor_type
    width = output.shape.dim[1].dim_value if len(output.shape.dim) > 1 else 0
    if len(model.graph.output) > 1 or output.elem_type == TensorProto.STRING:
        raise CannotWrite("skl2onnx makes something else of it than numbers.")
    tensor = graph.inline(inliner.inline_local_functions(model), [feed.tensor for feed in feeds])[0]
    return [Feed(graph.op("Cast", tensor, to=TENSOR[kind]), kind, width or len(step.get_feature_names_out()))]
