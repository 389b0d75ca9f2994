"""The encoder of students that are no networks in a graph: numbers in their own units, categories as 0 and 1."""

from __future__ import annotations

import numpy as np

from sklkd.export._columns import read_columns
from sklkd.export._graph import DTYPE, TENSOR, Graph
from sklkd.students._plain_encoder import PlainEncoder


def write_plain(
    graph: Graph, encoder: PlainEncoder, numbers: str | None, names: list[str], kind: str, allow_nan: bool
) -> str:
    """Declare the inputs, and write what the encoder makes of them: of type ``kind``, (n, n_outputs).

    Parameters are those of :func:`sklkd.export._columns.encode`.
    """
    tables = {j: one for j, one in enumerate(encoder._levels) if one is not None}
    given, numeric, coded = read_columns(graph, encoder, numbers, names, kind, tables)
    parts = []
    if given is not None and numeric:
        numbers = given
        zero, unit = encoder.zero_[numeric], encoder.unit_[numeric]
        if zero.any():
            numbers = graph.op("Sub", numbers, graph.constant(zero, DTYPE[kind]))
        if (unit != 1).any():
            numbers = graph.op("Div", numbers, graph.constant(unit, DTYPE[kind]))
        if encoder.keep_missing or not allow_nan:
            parts.append(numbers)
        else:
            absent = graph.op("IsNaN", numbers)
            middle = (encoder.center_[numeric] - zero) / unit
            parts.append(graph.op("Where", absent, graph.constant(middle, DTYPE[kind]), numbers))
        indicated = np.flatnonzero(encoder.missing_[numeric])
        if not encoder.keep_missing and len(indicated):
            missing = graph.op("IsNaN", graph.columns(numbers, indicated))
            parts.append(graph.op("Cast", missing, to=TENSOR[kind]))
    for j, codes in coded:
        same = graph.op("Equal", codes, graph.constant(np.arange(encoder.cardinalities_[j]), np.int64))
        parts.append(graph.op("Cast", same, to=TENSOR[kind]))
    return graph.op("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]
