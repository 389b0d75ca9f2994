"""Dask collections as rows to predict: recognised without importing Dask, and answered lazily, part by part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar, cast

import numpy as np

Method = TypeVar("Method", bound=Callable[..., Any])

_ARRAY = np.ndarray


@dataclass(frozen=True)
class NoRows:
    """In the place of rows, of which only the columns are known: they are checked, and the outputs are empty.

    Attributes
    ----------
    like : frame, Series or array without rows
    """

    like: Any


def is_dask(X: Any) -> bool:
    """Whether X is a Dask collection of any kind."""
    return hasattr(type(X), "__dask_graph__")


def takes_dask(method: Method) -> Method:
    """Let a method that predicts for rows take a Dask DataFrame, Series or Array, too, and give a lazy Dask Array.

    The method itself has to give an empty result for :class:`NoRows`, from which dtype and shape are known before
    anything is computed. What is sent to the workers is the model's ``_for_deployment()``, where it has one.
    """

    @wraps(method)
    def predicting(model: Any, X: Any) -> Any:
        # the first question is for one row, which takes a microsecond
        return method(model, X) if type(X) is _ARRAY or not is_dask(X) else _lazy(predicting, model, X)

    return cast(Method, predicting)


def in_memory(*values: Any) -> tuple[Any, ...]:
    """Dask collections computed, all at once; everything else as it is."""
    from dask.base import compute

    return compute(*values, traverse=False)


def _lazy(method: Callable[..., Any], model: Any, X: Any) -> Any:
    """The method's answer for each part of X, as one Dask Array."""
    kind = type(X)
    if hasattr(kind, "map_blocks"):
        return _for_blocks(method, model, X)
    if hasattr(kind, "map_partitions") and hasattr(kind, "dtypes"):
        empty = method(model, NoRows(X._meta))
        return X.map_partitions(_answer_of_partition, _sent(model), method, empty, meta=empty)
    raise TypeError(
        f"X must be a Dask DataFrame, Series or Array where it is a Dask collection, got a Dask {kind.__name__}: make "
        "one of it by dask.dataframe.from_delayed, dask.array.from_delayed or to_dataframe()."
    )


def _for_blocks(method: Callable[..., Any], model: Any, X: Any) -> Any:
    beyond = tuple(range(1, X.ndim))
    if not all(isinstance(X.shape[axis], int) for axis in beyond):
        raise ValueError(f"X must know its columns, got a Dask Array of shape {X.shape}: call X.compute_chunk_sizes().")
    if any(X.numblocks[axis] > 1 for axis in beyond):
        X = X.rechunk(dict.fromkeys(beyond, -1))
    empty = method(model, NoRows(np.empty((0, *X.shape[1:]), X.dtype)))
    return X.map_blocks(
        _answer_of_block,
        _sent(model),
        method,
        empty,
        drop_axis=list(beyond),
        new_axis=list(range(1, empty.ndim)),
        chunks=(X.chunks[0], *empty.shape[1:]),
        meta=empty,
    )


def _sent(model: Any) -> Any:
    """The model as one entry of the graph, to which all parts refer."""
    from dask.delayed import delayed

    return delayed(model._for_deployment() if hasattr(model, "_for_deployment") else model, traverse=False)


def _answer_of_partition(rows: Any, model: Any, method: Any, empty: Any, partition_info: Any = None) -> Any:
    return _answer(rows, model, method, empty, f"partition {partition_info['number']}")


def _answer_of_block(rows: Any, model: Any, method: Any, empty: Any, block_id: Any = None) -> Any:
    return _answer(rows, model, method, empty, f"block {block_id[0]}")


def _answer(rows: Any, model: Any, method: Any, empty: Any, place: str) -> Any:
    """The predictions for a part; what is wrong with its rows says where they are."""
    if rows.shape[0] == 0:
        return empty
    try:
        return method(model, rows)
    except (TypeError, ValueError) as error:
        if hasattr(error, "add_note"):  # from Python 3.11 on
            error.add_note(f"The rows are those of {place} of X.")
        raise
