"""The front of a graph: from the user's columns to numbers and codes of categories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from sklkd.export._calendar import with_calendar
from sklkd.export._format import ALSO_MISSING, MISSING, jsonable, spellings
from sklkd.export._graph import Graph
from sklkd.students import InputEncoder


@dataclass
class Encoded:
    """Tensors of a graph that stand for encoded columns.

    Attributes
    ----------
    third : str or None
        A third of the scaled numbers, float of shape (n, n_numeric), missing ones at 0; None without numeric columns.
    exact : str or None
        The scaled numbers themselves, rounded as the encoder rounds them; None where a digit less does.
    unfilled : str or None
        Scaled numbers, NaN where they are missing; None where they never are.
    categories : list of (int, str)
        Categorical columns, each with the codes of its categories, int64 of shape (n, 1).
    """

    third: str | None
    exact: str | None
    unfilled: str | None
    categories: list[tuple[int, str]]


def encode(
    graph: Graph,
    encoder: InputEncoder,
    numbers: str | None,
    names: list[str],
    kind: str,
    allow_nan: bool,
    tables: dict[int, NDArray],
) -> Encoded:
    """Write a fitted encoder's work: declare the inputs, take dates apart, scale numbers, code categories.

    Parameters
    ----------
    graph : Graph
    encoder : InputEncoder
    numbers : str or None
        A tensor that holds the columns, where all are numeric; None to declare one input per column.
    names : list of str
        What these inputs are called.
    kind : {"float", "double"}
        Type of numeric inputs; double where some are dates.
    allow_nan : bool
        Whether missing values may come.
    tables : dict of int to ndarray
        Of each categorical column the codes of its categories, in order, of missing values and of unseen categories.
    """
    numbers, numeric, coded = read_columns(graph, encoder, numbers, names, kind, tables)
    if numbers is None:
        return Encoded(None, None, None, coded)
    scale = _scale_exactly if kind == "double" else _scale
    return scale(graph, numbers, encoder.center_[numeric], encoder.scale_[numeric], allow_nan, coded)


def read_columns(
    graph: Graph, encoder: InputEncoder, numbers: str | None, names: list[str], kind: str, tables: dict[int, NDArray]
) -> tuple[str | None, list[int], list[tuple[int, str]]]:
    """Declare the inputs, take dates apart, and code categories: the first part of :func:`encode`.

    Returns
    -------
    numbers : str or None
        All numbers, of shape (n, n_numeric), those of parts of dates behind; None where there are none.
    numeric : list of int
        Which columns of the encoder they are.
    coded : list of (int, str)
        Categorical columns with their codes, int64 of shape (n, 1).
    """
    codec = encoder.codec_
    numeric = [j for j, categories in enumerate(codec.categories_) if categories is None]
    coded: list[tuple[int, str]] = []
    if numbers is None:
        columns = []
        for j, name in enumerate(names):
            if codec.categories_[j] is None:
                columns.append(graph.input(name, kind, (1,)))
            else:
                column = graph.input(name, "string", (1,))
                coded.append((j, _codes(graph, encoder, j, column, tables[j])))
        if columns:
            numbers = graph.op("Concat", *columns, axis=1) if len(columns) > 1 else columns[0]
    if numbers is None or not numeric:
        return None, numeric, coded
    if encoder.calendar_:
        numbers = with_calendar(graph, numbers, [(numeric.index(j), part) for j, part in encoder.calendar_])
        numeric += range(len(codec.categories_), len(encoder.center_))
    return numbers, numeric, coded


def _scale(graph: Graph, numbers: str, center: NDArray, scale: NDArray, allow_nan: bool, coded: Any) -> Encoded:
    """Centred before it is scaled, which keeps the digits of large numbers."""
    scale = 1 / (3 * scale)
    third = graph.op("Scaler", numbers, domain="ai.onnx.ml", offset=center.tolist(), scale=scale.tolist())
    if not allow_nan:
        return Encoded(third, None, None, coded)
    return Encoded(_filled(graph, third), None, third, coded)


def _scale_exactly(graph: Graph, numbers: str, center: NDArray, scale: NDArray, allow_nan: bool, coded: Any) -> Encoded:
    """In double precision, and rounded to single where the encoder rounds."""
    centred = graph.op("Sub", numbers, graph.constant(center, np.float64))
    scaled = graph.op("Cast", graph.op("Div", centred, graph.constant(scale, np.float64)), to=TensorProto.FLOAT)
    filled = _filled(graph, scaled) if allow_nan else scaled
    third = graph.op("Mul", filled, graph.constant(1 / 3))
    return Encoded(third, filled, scaled if allow_nan else None, coded)


def _filled(graph: Graph, numbers: str) -> str:
    """0 in the place of NaN, by one node; IsNaN and Where take several times as long."""
    return graph.op("Imputer", numbers, domain="ai.onnx.ml", imputed_value_floats=[0.0], replaced_value_float=np.nan)


def _codes(graph: Graph, encoder: InputEncoder, j: int, column: str, codes: NDArray) -> str:
    categories: Any = encoder.codec_.categories_[j]
    *known, missing, unseen = codes.astype(int).tolist()
    spelt = spellings(jsonable(categories, "categories"), encoder.codec_._name(j))
    # predictors of ours never feed the others, which may be categories
    absent = [MISSING, *(one for one in ALSO_MISSING if one not in spelt)]
    return graph.op(
        "LabelEncoder",
        column,
        domain="ai.onnx.ml",
        keys_strings=[*spelt, *absent],
        values_int64s=[*known, *[missing] * len(absent)],
        default_int64=unseen,
    )


def smoothly_clipped(graph: Graph, third: str) -> str:
    """A third of the smoothly clipped numbers: ``t / sqrt(1 + t**2)`` is the sine of the arc whose tangent is t.

    It cannot overflow, and takes half the nodes of squaring, adding, the root and the quotient.
    """
    return graph.op("Sin", graph.op("Atan", third))
