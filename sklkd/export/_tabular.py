"""TabularNet as a graph: encoding and first layer as one, then the other layers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from sklkd.export._columns import Encoded, smoothly_clipped
from sklkd.export._graph import Graph
from sklkd.students import TabularNet


def write_tabular(graph: Graph, net: TabularNet, encoded: Encoded) -> str:
    """Write the net behind its encoded columns.

    The bins of all columns come from one product with a matrix of slopes, then are clipped: of the forms that were
    measured (benchmarks/README.md) the fastest for one row and for many. The matrix is nearly empty, so the file holds
    slopes and columns, of which the runtime makes the matrix when it loads. Each part of the first layer adds to what
    the part before has made. Inputs of the first layer whose weights are all 0 are left out.

    Parameters
    ----------
    graph : Graph
    net : TabularNet
        Trained.
    encoded : Encoded

    Returns
    -------
    str
        The outputs, (n, n_outputs).
    """
    hidden: Any = net.hidden
    outputs = _first_layer(graph, net, encoded, *_weights(hidden[0][0]))
    outputs = _silu(graph, outputs)
    for layer in hidden[1:]:
        outputs = _silu(graph, _linear(graph, outputs, *_weights(layer[0])))
    return _linear(graph, outputs, *_weights(net.output))


def _weights(layer: Any) -> tuple[NDArray, NDArray]:
    """Weight (n_in, n_out) and bias of a linear layer, in float64."""
    return layer.weight.detach().cpu().double().numpy().T, layer.bias.detach().cpu().double().numpy()


def _linear(graph: Graph, inputs: str, weight: NDArray, bias: NDArray) -> str:
    return graph.op("Gemm", inputs, graph.constant(weight), graph.constant(bias))


def _silu(graph: Graph, inputs: str) -> str:
    return graph.op("Mul", inputs, graph.op("Sigmoid", inputs))


def _first_layer(graph: Graph, net: TabularNet, encoded: Encoded, weight: NDArray, bias: NDArray) -> str:
    encoding = net.encoding
    n_numeric, n_bins, n_gaps = len(encoding.numeric), len(encoding.column), len(encoding.gaps)
    smooth, bins, gaps, levels = np.split(weight, np.cumsum([n_numeric, n_bins, n_gaps]))
    total = _levels(graph, encoding, encoded.levels, levels, bias) if encoded.levels else graph.constant(bias)
    if encoded.third is None:
        return total
    total = graph.op("Gemm", smoothly_clipped(graph, encoded.third), graph.constant(3 * smooth), total)
    live = np.flatnonzero(bins.any(axis=1))
    if len(live):
        total = graph.op("Gemm", _bins(graph, encoding, encoded, live), graph.constant(bins[live]), total)
    if encoded.absent is not None and gaps.any():
        missing = graph.op("Cast", encoded.absent, to=TensorProto.FLOAT)
        spread = graph.op("MatMul", _one_hot(graph, encoding.gaps.numpy(), n_numeric), graph.constant(gaps))
        total = graph.op("Gemm", missing, spread, total)
    return total


def _one_hot(graph: Graph, column: NDArray, n_columns: int) -> str:
    """(n_columns, len(column)), 1 where an input reads a column."""
    depth = graph.constant([n_columns], np.int64)
    index = graph.op("Cast", graph.constant(column, np.int16), to=TensorProto.INT64)
    return graph.op("OneHot", index, depth, graph.constant([0.0, 1.0]), axis=0)


def _bins(graph: Graph, encoding: Any, encoded: Encoded, live: NDArray) -> str:
    """Each bin 0 on its left, 1 on its right, rising inside."""
    column, slope, shift = (getattr(encoding, name).cpu().numpy()[live] for name in ("column", "slope", "shift"))
    reads = _one_hot(graph, column, len(encoding.numeric))
    if encoded.exact is None:
        slopes = graph.op("Mul", reads, graph.constant(3 * slope.astype(np.float64)))
        rising = graph.op("Gemm", encoded.third, slopes, graph.constant(shift))  # type: ignore[arg-type]
        return graph.op("Clip", rising, graph.constant(0.0), graph.constant(1.0))
    slopes = graph.op("Cast", graph.op("Mul", reads, graph.constant(slope)), to=TensorProto.DOUBLE)
    shifts = graph.op("Cast", graph.constant(shift), to=TensorProto.DOUBLE)
    rising = graph.op("Gemm", encoded.exact, slopes, shifts)
    clipped = graph.op("Clip", rising, graph.constant(0.0, np.float64), graph.constant(1.0, np.float64))
    return graph.op("Cast", clipped, to=TensorProto.FLOAT)


def _levels(graph: Graph, encoding: Any, columns: list[tuple[int, str]], weight: NDArray, bias: NDArray) -> str:
    """What categories add to the first layer: one row of weights each, looked up and summed."""
    level_column = encoding.level_column.cpu().numpy()
    tables, first = [], []
    n_rows = 0
    for j, _ in columns:
        # the code -1, of what has no level, reads the row of zeros in front
        table = np.vstack([np.zeros_like(bias), weight[level_column == j]])
        first.append(n_rows + 1)
        n_rows += len(table)
        tables.append(table)
    tables[0] = tables[0] + bias
    codes = [name for _, name in columns]
    rows = graph.op("Concat", *codes, axis=1) if len(codes) > 1 else codes[0]
    rows = graph.op("Add", rows, graph.constant(first, np.int64))
    picked = graph.op("Gather", graph.constant(np.vstack(tables)), rows, axis=0)
    return graph.op("ReduceSum", picked, graph.constant([1], np.int64), keepdims=0)
