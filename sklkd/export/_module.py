"""Networks of the user's own, as torch exports them, behind the default encoder."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto
from torch import Tensor, nn

from sklkd._torch import newest_opset, without_dynamo
from sklkd.export._columns import Encoded, smoothly_clipped
from sklkd.export._graph import Graph
from sklkd.losses._objective import logits_of
from sklkd.students import InputEncoder

NEWEST = 20
"""Newest opset of torch's exporter that needs no package beside onnx."""


class _Logits(nn.Module):
    """A network without the features that it may give beside its outputs."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module

    def forward(self, X: Tensor) -> Tensor:
        # a module may compute in a type of its own
        return logits_of(self.module(X)).float()


def write_module(graph: Graph, module: Any, inputs: str, shape: tuple[int, ...]) -> str:
    """Write a network behind its inputs, float of ``(n, *shape)``, and return its outputs.

    Raises
    ------
    ValueError
        For an opset that torch's exporter does not know.
    """
    if graph.opset > NEWEST:
        raise ValueError(f"opset must be at most {NEWEST} for a network of your own, got opset={graph.opset}.")
    module = _Logits(copy.deepcopy(module)).cpu().float().eval()
    rows = {0: "n"}
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        # its successor takes ten times as long, and needs onnxscript
        warnings.simplefilter("ignore", DeprecationWarning)
        # the comparison on other numbers of rows shows whether something is constant that should not be
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
        path = Path(folder) / "module.onnx"
        torch.onnx.export(
            module,
            (torch.zeros(2, *shape),),
            str(path),
            # an older torch's is converted
            opset_version=min(graph.opset, newest_opset()),
            input_names=["X"],
            output_names=["outputs"],
            dynamic_axes={"X": rows, "outputs": rows},
            **without_dynamo(),
        )
        model = onnx.load(path)
    return graph.inline(model, [inputs])[0]


def write_encoded(graph: Graph, encoder: InputEncoder, encoded: Encoded) -> tuple[str, int]:
    """What the encoder gives, as one float tensor, and how many columns it has."""
    return (_one_hot if encoder.one_hot else _codes)(graph, encoder, encoded)


def _one_hot(graph: Graph, encoder: InputEncoder, encoded: Encoded) -> tuple[str, int]:
    """Smoothly clipped numbers, indicators of missing ones, 0/1 columns of categories."""
    parts, width = [], 0
    numeric = np.array([n_codes == 0 for n_codes in encoder.cardinalities_])
    missing = np.flatnonzero(encoder.missing_[numeric])
    if encoded.third is not None:
        parts.append(graph.op("Mul", smoothly_clipped(graph, encoded.third), graph.constant(3.0)))
        width += int(numeric.sum())
    if len(missing) and encoded.unfilled is not None:
        picked = graph.op("Gather", graph.op("IsNaN", encoded.unfilled), graph.constant(missing, np.int64), axis=1)
        parts.append(graph.op("Cast", picked, to=TensorProto.FLOAT))
        width += len(missing)
    for j, codes in encoded.categories:
        n_codes = encoder.cardinalities_[j]
        same = graph.op("Equal", codes, graph.constant(np.arange(n_codes), np.int64))
        parts.append(graph.op("Cast", same, to=TensorProto.FLOAT))
        width += n_codes
    return _concatenated(graph, parts), width


def _codes(graph: Graph, encoder: InputEncoder, encoded: Encoded) -> tuple[str, int]:
    """One column per column: scaled numbers, NaN where they are missing, and codes of categories."""
    parts, order = [], [j for j, n_codes in enumerate(encoder.cardinalities_) if n_codes == 0]
    if encoded.third is not None:
        numbers = graph.op("Mul", encoded.third, graph.constant(3.0))
        if encoded.unfilled is not None:
            numbers = graph.op("Where", graph.op("IsNaN", encoded.unfilled), graph.constant(np.nan), numbers)
        parts.append(numbers)
    for j, codes in encoded.categories:
        parts.append(graph.op("Cast", codes, to=TensorProto.FLOAT))
        order.append(j)
    joined = _concatenated(graph, parts)
    if order != sorted(order):
        joined = graph.op("Gather", joined, graph.constant(np.argsort(order), np.int64), axis=1)
    return joined, len(order)


def _concatenated(graph: Graph, parts: list[str]) -> str:
    return graph.op("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]
