"""Weights in fewer bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from sklkd.export._graph import Graph

LEAST = 64
"""Numbers that a matrix needs to be worth the extra nodes."""
SMALLEST = np.finfo(np.float32).tiny
"""Of scales: a 127th of a denormal number would be 0."""


def quantize(graph: Graph, how: str) -> None:
    """Store a graph's weight matrices in 8 or 16 bits, with nodes that restore them.

    The runtime folds these nodes when it loads the file, so that predictions cost the same. ``Cast`` and ``Mul`` stand
    in for ``DequantizeLinear``, which ONNX Runtime does not fold.
    """
    restored = []
    for name, value in list(graph.constants.items()):
        if value.dtype != np.float32 or value.ndim < 2 or value.size < LEAST or value.size in value.shape:
            continue
        before, graph.nodes = graph.nodes, []
        del graph.constants[name]
        if how == "float16":
            limit = float(np.finfo(np.float16).max)
            stored = graph.constant(np.clip(value, -limit, limit), np.float16)
            graph.op("Cast", stored, to=TensorProto.FLOAT, name=name)
        else:
            codes, scale = eight_bits(value)
            stored = graph.op("Cast", graph.constant(codes, np.int8), to=TensorProto.FLOAT)
            graph.op("Mul", stored, graph.constant(scale), name=name)
        restored += graph.nodes
        graph.nodes = before
    graph.nodes = restored + graph.nodes


def eight_bits(weight: NDArray) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Whole numbers from -127 to 127, and their scale for each index of the first or the last axis.

    Of the two axes the one with fewer scales, unless its squared error is more than twice the other's.
    """
    candidates = []
    for axis in (0, weight.ndim - 1):
        others = tuple(one for one in range(weight.ndim) if one != axis)
        largest = np.abs(weight).max(axis=others, keepdims=True)
        scale = np.where(largest > 0, np.maximum(largest / 127, SMALLEST), 1).astype(np.float32)
        codes = np.rint(weight / scale).astype(np.int8)
        candidates.append((float(np.sum((codes * scale - weight) ** 2)), codes, scale))
    few, many = sorted(candidates, key=lambda one: one[2].size)
    _, codes, scale = few if few[0] <= 2 * many[0] else many
    return codes, scale
