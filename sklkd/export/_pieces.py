"""Functions of one number that are polynomials between edges, as tables of a graph: splines, quantiles, calibrators."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from sklkd.export._graph import TENSOR, Graph


@dataclass(frozen=True)
class Pieces:
    """Of one column. A piece is the polynomial of ``(x - left) / width``.

    Attributes
    ----------
    lower : ndarray
        Numbers at and above which the next piece begins.
    upper : ndarray
        Numbers above which the next piece begins.
    left, width : ndarray of shape (n_pieces,)
        Where there are as many pieces as edges, and one more.
    coefficients : ndarray of shape (degree + 1, n_pieces, n_outputs)
        Of rising powers.
    """

    lower: NDArray
    upper: NDArray
    left: NDArray
    width: NDArray
    coefficients: NDArray


def broken_line(x: NDArray, y: NDArray) -> Pieces:
    """What ``np.interp`` makes of points whose ``x`` increase: constant beyond them."""
    rise, run = np.append(np.diff(y), 0.0), np.append(np.diff(x), 1.0)
    base, slope = np.append(y[:1], y), np.append(0.0, rise / run)
    coefficients = np.stack([base, slope])[:, :, None]
    return Pieces(x, x[:0], np.append(x[:1], x), np.ones(len(x) + 1), coefficients)


def write_pieces(graph: Graph, numbers: str, columns: list[Pieces]) -> str:
    """Write functions, one for each column of numbers, which give as many outputs, and return all of these.

    Parameters
    ----------
    graph : Graph
    numbers : str
        Double, of shape (n, n_columns).
    columns : list of Pieces
        Of one degree and one number of outputs.

    Returns
    -------
    str
        Double, of shape (n, n_columns * n_outputs); NaN where a number is.
    """

    def double(value: NDArray) -> str:
        return graph.constant(value, np.float64)

    x = graph.op("Unsqueeze", numbers, graph.constant([2], np.int64))
    most = max(len(column.left) for column in columns)
    first = most * np.arange(len(columns))  # where the pieces of each column begin in the tables
    place = graph.constant(first, np.int64)
    for kind, edges in (
        ("GreaterOrEqual", [column.lower for column in columns]),
        ("Greater", [column.upper for column in columns]),
    ):
        table = _side_by_side(edges, max(map(len, edges)), np.inf)
        if table.shape[1]:
            passed = graph.op("Cast", graph.op(kind, x, double(table)), to=TENSOR["double"])
            count = graph.op("ReduceSum", passed, graph.constant([2], np.int64), keepdims=0)
            place = graph.op("Add", graph.op("Cast", count, to=TensorProto.INT64), place)
    left, width = (
        double(_side_by_side([getattr(column, name) for column in columns], most, 1.0).reshape(-1, 1))
        for name in ("left", "width")
    )
    part = graph.op("Div", graph.op("Sub", x, graph.op("Gather", left, place)), graph.op("Gather", width, place))
    powers = [_side_by_side([column.coefficients[k] for column in columns], most, 0.0) for k in range(_degree(columns))]
    n_outputs = columns[0].coefficients.shape[2]
    total = ""
    for power in reversed(powers):
        mine = graph.op("Gather", double(power.reshape(-1, n_outputs)), place)
        total = graph.op("Add", graph.op("Mul", total, part), mine) if total else mine
    return graph.op("Reshape", total, graph.constant([0, len(columns) * n_outputs], np.int64))


def _degree(columns: list[Pieces]) -> int:
    return len(columns[0].coefficients)


def _side_by_side(rows: list[NDArray], length: int, fill: float) -> NDArray:
    """Arrays of one length, the shorter ones filled up."""
    found = np.full((len(rows), length, *rows[0].shape[1:]), fill)
    for i, row in enumerate(rows):
        found[i, : len(row)] = row
    return found
