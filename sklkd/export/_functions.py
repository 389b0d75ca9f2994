"""NumPy's functions of one number that files can hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # C files need no onnx
    from sklkd.export._graph import Graph


@dataclass(frozen=True)
class Function:
    """A function, elementwise.

    Attributes
    ----------
    write : callable
        (graph, tensor, dtype) -> tensor.
    c : str
        The same of ``v`` in C.
    inverse : callable
        What undoes it.
    """

    write: Callable[[Graph, str, Any], str]
    c: str
    inverse: Any


def _one(kind: str) -> Callable[[Graph, str, Any], str]:
    return lambda graph, tensor, dtype: graph.op(kind, tensor)


def _log1p(graph: Graph, tensor: str, dtype: Any) -> str:
    return graph.op("Log", graph.op("Add", tensor, graph.constant(1.0, dtype)))


def _expm1(graph: Graph, tensor: str, dtype: Any) -> str:
    return graph.op("Sub", graph.op("Exp", tensor), graph.constant(1.0, dtype))


def _square(graph: Graph, tensor: str, dtype: Any) -> str:
    return graph.op("Mul", tensor, tensor)


FUNCTIONS: dict[Any, Function] = {
    np.exp: Function(_one("Exp"), "exp(v)", np.log),
    np.expm1: Function(_expm1, "expm1(v)", np.log1p),
    np.log: Function(_one("Log"), "log(v)", np.exp),
    np.log1p: Function(_log1p, "log1p(v)", np.expm1),
    np.sqrt: Function(_one("Sqrt"), "sqrt(v)", np.square),
    np.square: Function(_square, "(v) * (v)", np.sqrt),
}
