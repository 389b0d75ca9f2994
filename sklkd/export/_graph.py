"""A small builder of ONNX graphs."""

from __future__ import annotations

import json
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import DTypeLike, NDArray
from onnx import TensorProto, compose, helper, numpy_helper, version_converter

from sklkd._version import __version__
from sklkd.export._format import KEY

OLDEST, DEFAULT_OPSET = 13, 18
"""Opsets: the oldest that has all operators in the form used here, and one that runtimes have had for years."""

TENSOR = {
    "float": TensorProto.FLOAT,
    "double": TensorProto.DOUBLE,
    "string": TensorProto.STRING,
    "bool": TensorProto.BOOL,
}
DTYPE: dict[str, Any] = {"float": np.float32, "double": np.float64}


class Feed(NamedTuple):
    """A tensor of shape (n, width), of kind "float", "double" or "string"."""

    tensor: str
    kind: str
    width: int


class Graph:
    """Nodes, constants, inputs and outputs, written one after the other; every tensor has a short name of its own.

    Parameters
    ----------
    opset : int
    reserved : list of str
        Names of inputs, which are the user's.
    """

    def __init__(self, opset: int, reserved: list[str]):
        self.opset = opset
        self._taken = set(reserved)
        self.nodes: list[Any] = []
        self.constants: dict[str, NDArray] = {}
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []
        # tensors that are true in rows which get no prediction
        self.refused: list[str] = []
        # of the operators of classical models: of the same age
        self.ml_opset = 2 if opset < 15 else 3
        self._n = 0

    def _name(self) -> str:
        self._n += 1
        return self.free(np.base_repr(self._n, 36))

    def free(self, name: str) -> str:
        """The name, or, where an input has it, one like it."""
        while name in self._taken:
            name += "_"
        return name

    def constant(self, value: Any, dtype: DTypeLike = np.float32) -> str:
        """Keep an array in the file."""
        name = self._name()
        self.constants[name] = np.asarray(value, dtype, order="C")
        return name

    def op(self, kind: str, *inputs: str, domain: str = "", name: str = "", **attributes: Any) -> str:
        """Add a node of one output, and return the output's name."""
        output = name or self._name()
        self.nodes.append(helper.make_node(kind, inputs, [output], domain=domain, **attributes))
        return output

    def two(self, kind: str, *inputs: str, **attributes: Any) -> tuple[str, str]:
        """Add a node of two outputs, and return their names."""
        outputs = self._name(), self._name()
        self.nodes.append(helper.make_node(kind, inputs, outputs, **attributes))
        return outputs

    def columns(self, tensor: str, places: Any) -> str:
        """Some columns of a tensor of shape (n, width)."""
        return self.op("Gather", tensor, self.constant(places, np.int64), axis=1)

    def total(self, tensor: str) -> str:
        """Of each row, (n, 1)."""
        return self.op("ReduceSum", tensor, self.constant([1], np.int64), keepdims=1)

    def refuse(self, bad: str) -> None:
        """Give no prediction for rows with a true cell."""
        count = self.total(self.op("Cast", bad, to=TensorProto.FLOAT))
        self.refused.append(self.op("Greater", count, self.constant(0.0)))

    def need_ml(self, version: int) -> None:
        """Use a later version of the operators of classical models."""
        self.ml_opset = max(self.ml_opset, version)

    def take_back_layer(self, output: str) -> tuple[str, NDArray, NDArray] | None:
        """Remove the node that has just been added, if it is a linear layer: its input, weight and bias, or None."""
        node = self.nodes[-1]
        plain = node.op_type == "Gemm" and not node.attribute and list(node.output) == [output]
        if not (plain and all(name in self.constants for name in node.input[1:])):
            return None
        self.nodes.pop()
        return node.input[0], *(self.constants.pop(name) for name in node.input[1:])

    def input(self, name: str, kind: str, shape: tuple[int, ...]) -> str:
        """Declare an input of ``(n, *shape)``."""
        self.inputs.append(helper.make_tensor_value_info(name, TENSOR[kind], ["n", *shape]))
        return name

    def output(self, name: str, kind: int, shape: tuple[int, ...] = ()) -> None:
        """Declare an output of ``(n, *shape)``."""
        self.outputs.append(helper.make_tensor_value_info(name, kind, ["n", *shape]))

    def inline(self, model: Any, feeds: list[str]) -> list[str]:
        """Copy a whole model in, fed with tensors that are here already; returns what its outputs are called now."""
        opset = next(one.version for one in model.opset_import if not one.domain)
        if opset != self.opset:
            model = version_converter.convert_version(model, self.opset)
        model = compose.add_prefix(model, f"{self._name()}/")
        names = dict(zip([value.name for value in model.graph.input], feeds, strict=True))
        for tensor in model.graph.initializer:
            self.constants[tensor.name] = numpy_helper.to_array(tensor)
        for node in model.graph.node:
            for i, name in enumerate(node.input):
                node.input[i] = names.get(name, name)
            self.nodes.append(node)
        return [names.get(value.name, value.name) for value in model.graph.output]

    def model(self, metadata: dict[str, Any], about: str = "") -> Any:
        """The finished model, checked; ``metadata`` becomes its JSON entry, ``about`` its doc string."""
        tensors = [numpy_helper.from_array(value, name) for name, value in self.constants.items()]
        graph = helper.make_graph(self.nodes, "sklkd", self.inputs, self.outputs, tensors)
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid("ai.onnx.ml", self.ml_opset)]
        used = {node.domain for node in self.nodes}
        opsets = [one for one in opsets if not one.domain or one.domain in used]
        model = helper.make_model(graph, opset_imports=opsets, producer_name="sklkd", producer_version=__version__)
        if about:
            model.doc_string = about
        model.ir_version = helper.find_min_ir_version_for(opsets)
        helper.set_model_props(model, {KEY: json.dumps(metadata, ensure_ascii=False, separators=(",", ":"))})
        onnx.checker.check_model(model)
        return model


def joined(graph: Graph, feeds: list[Feed]) -> Feed:
    """Tensors of one kind side by side, as one."""
    if len(feeds) == 1:
        return feeds[0]
    whole = graph.op("Concat", *(feed.tensor for feed in feeds), axis=1)
    return Feed(whole, feeds[0].kind, sum(feed.width for feed in feeds))


def picked(graph: Graph, feeds: list[Any], places: list[int]) -> list[Feed]:
    """Some columns of tensors that stand side by side; None is a column that nobody picks."""
    columns = [(i, k) for i, feed in enumerate(feeds) for k in range(1 if feed is None else feed.width)]
    found = []
    for i, run in groupby((columns[place] for place in places), key=lambda column: column[0]):
        mine = [k for _, k in run]
        feed = feeds[i]
        if mine != list(range(feed.width)):
            feed = feed._replace(tensor=graph.columns(feed.tensor, mine), width=len(mine))
        found.append(feed)
    return found
