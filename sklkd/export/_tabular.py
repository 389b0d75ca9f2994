"""TabularNet as a graph: encoding and first layer as one, then the other layers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from sklkd.export._columns import Encoded, smoothly_clipped
from sklkd.export._graph import Graph
from sklkd.students._folded import Folded

STEPS, LEAST_STEPS = 2**15 - 1, 8
"""Edges as whole numbers are at most as large; the narrowest bin is at least as wide, or edges stay floats."""


def category_rows(folded: Folded) -> dict[int, NDArray[np.intp]]:
    """Of each categorical column the rows of weights for its categories, missing values and unseen categories."""
    parts = np.split(folded.levels, folded.level_starts[1:-1])
    return dict(zip(folded.categorical.tolist(), parts, strict=False))


def write_tabular(graph: Graph, folded: Folded, encoded: Encoded, *, whole_edges: bool) -> str:
    """Write the net behind its encoded columns, and return its outputs.

    The bins of all columns come from one product with a matrix of slopes, then are clipped: of the forms that were
    measured (benchmarks/README.md) the fastest for many rows and, with as few bins as a column has here, for one. The
    matrix is nearly empty, so the file holds slopes and columns, of which the runtime makes the matrix when it loads.
    Each part of the first layer adds to what the part before has made. Inputs of the first layer whose weights are all
    0 are left out.

    ``whole_edges``: edges of bins in 16 bits, where no bin is too narrow for it.
    """
    outputs = _first_layer(graph, folded, encoded, whole_edges)
    for weight, bias in folded.layers:
        active = graph.op("Mul", outputs, graph.op("Sigmoid", outputs))
        outputs = graph.op("Gemm", active, graph.constant(weight), graph.constant(bias))
    return outputs


def write_tabular_exactly(graph: Graph, folded: Folded, encoded: Encoded) -> str:
    """The same in double precision, as the estimator predicts, and its outputs in double.

    ``encoded`` must come from numbers in double, which are rounded where the encoder rounds them.
    """

    def double(value: Any) -> str:
        return graph.constant(value, np.float64)

    total = double(folded.bias[None])
    if encoded.categories:
        picked = graph.op("Gather", double(folded.level_values), _rows_of_levels(graph, encoded), axis=0)
        total = graph.op("Add", graph.op("ReduceSum", picked, graph.constant([1], np.int64), keepdims=0), total)
    if encoded.exact is not None:
        numbers = graph.op("Cast", encoded.exact, to=TensorProto.DOUBLE)
        third = graph.op("Mul", numbers, double(1 / 3))
        root = graph.op("Sqrt", graph.op("Add", graph.op("Mul", third, third), double(1.0)))
        total = graph.op("Gemm", graph.op("Div", numbers, root), double(folded.clip), total)
        column, left, slope, weight = folded.bins
        if len(column):
            rising = graph.op("Sub", graph.columns(numbers, column), double(left[:, 0]))
            rising = graph.op("Mul", rising, double(slope[:, 0]))
            bins = graph.op("Clip", rising, double(0.0), double(1.0))
            total = graph.op("Gemm", bins, double(weight[len(folded.clip) :]), total)
    if encoded.unfilled is not None and len(folded.with_missing):
        missing = graph.op("IsNaN", graph.columns(encoded.unfilled, folded.with_missing))
        missing = graph.op("Cast", missing, to=TensorProto.DOUBLE)
        total = graph.op("Gemm", missing, double(folded.missing_weights), total)
    for weight, bias in folded.layers:
        # x / (1 + e^-x): ONNX Runtime makes one node of the product with a sigmoid, of which it has only one of floats
        divisor = graph.op("Add", graph.op("Exp", graph.op("Neg", total)), double(1.0))
        total = graph.op("Gemm", graph.op("Div", total, divisor), double(weight), double(bias))
    return total


def _first_layer(graph: Graph, folded: Folded, encoded: Encoded, whole_edges: bool) -> str:
    total = _of_categories(graph, folded, encoded) if encoded.categories else graph.constant(folded.bias[None])
    if encoded.third is None:
        return total
    clipped = smoothly_clipped(graph, encoded.third)
    total = graph.op("Gemm", clipped, graph.constant(3 * folded.clip), total)
    column, left, slope, weight = folded.bins
    weight = weight[len(folded.clip) :]
    live = np.flatnonzero(weight.any(axis=1))
    if len(live):
        lines = column[live], left[live, 0], slope[live, 0]
        bins = _bins(graph, encoded, len(folded.numeric), *lines, whole_edges)
        total = graph.op("Gemm", bins, graph.constant(weight[live]), total)
    if encoded.unfilled is not None and len(folded.with_missing):
        missing = graph.op("Cast", graph.op("IsNaN", encoded.unfilled), to=TensorProto.FLOAT)
        reads = _reads(graph, folded.with_missing, len(folded.numeric))
        total = graph.op("Gemm", missing, graph.op("MatMul", reads, graph.constant(folded.missing_weights)), total)
    return total


def _reads(graph: Graph, column: NDArray, n_columns: int) -> str:
    """(n_columns, len(column)), 1 where an input reads a column."""
    small = np.uint8 if n_columns <= 256 else np.int16 if n_columns <= 2**15 else np.int32
    index = graph.op("Cast", graph.constant(column, small), to=TensorProto.INT64)
    depth = graph.constant([n_columns], np.int64)
    return graph.op("OneHot", index, depth, graph.constant([0.0, 1.0]), axis=0)


def _bins(
    graph: Graph, encoded: Encoded, n_columns: int, column: NDArray, left: NDArray, slope: NDArray, whole_edges: bool
) -> str:
    """Each bin 0 on its left, 1 on its right, rising inside."""
    reads = _reads(graph, column, n_columns)
    if encoded.exact is None:
        slopes, offsets = _lines(graph, left, slope, whole_edges)
        rising = graph.op("Gemm", encoded.third, graph.op("Mul", reads, slopes), offsets)  # type: ignore[arg-type]
    else:
        # a product with zeros and ones is exact, so that a narrow bin's edge is taken off before digits are lost
        beyond = graph.op("Gemm", encoded.exact, reads, graph.constant(-left))
        rising = graph.op("Mul", beyond, graph.constant(slope))
    return graph.op("HardSigmoid", rising, alpha=1.0, beta=0.0)


def _lines(graph: Graph, left: NDArray, slope: NDArray, whole_edges: bool) -> tuple[str, str]:
    """Three times the slope of each bin, and its value at 0."""
    right = left + 1 / slope
    step = max(np.abs(left).max(), np.abs(right).max(), (1 / slope).max()) / STEPS
    start = np.rint(left / step)
    width = np.rint(right / step) - start
    if not whole_edges or width.min() < LEAST_STEPS:
        return graph.constant(3 * slope), graph.constant(-left * slope)
    widths = graph.op("Cast", graph.constant(width, np.int16), to=TensorProto.FLOAT)
    starts = graph.op("Cast", graph.constant(-start, np.int16), to=TensorProto.FLOAT)
    return graph.op("Div", graph.constant(3 / step), widths), graph.op("Div", starts, widths)


def _of_categories(graph: Graph, folded: Folded, encoded: Encoded) -> str:
    """What categories add to the first layer: one row of weights each, looked up and summed."""
    values = folded.level_values.copy()
    values[np.unique(folded.levels[: folded.level_starts[1]])] += folded.bias  # in the first column only
    picked = graph.op("Gather", graph.constant(values), _rows_of_levels(graph, encoded), axis=0)
    return graph.op("ReduceSum", picked, graph.constant([1], np.int64), keepdims=0)


def _rows_of_levels(graph: Graph, encoded: Encoded) -> str:
    """The row of weights of each category, (n, n_categorical)."""
    rows = [name for _, name in encoded.categories]
    return graph.op("Concat", *rows, axis=1) if len(rows) > 1 else rows[0]
