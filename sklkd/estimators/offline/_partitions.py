"""Dask collections as X, y and row weights: the partitions that belong together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd._dask import is_dask
from sklkd.estimators._task import Task


@dataclass(frozen=True, eq=False)
class Part:
    """One partition on a worker.

    Attributes
    ----------
    number : int
        Counted from 0.
    X : array or frame
    y : ndarray of shape (n,) or (n, n_targets)
    weight : ndarray of float64, shape (n,), or None
    """

    number: int
    X: Any
    y: NDArray
    weight: NDArray | None

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True, eq=False)
class Layout:
    """What every partition has to look like.

    Attributes
    ----------
    columns : list or None
        Names of X's columns; None for arrays.
    dtypes : list
        Of X's columns; of an array one for all.
    n_columns : int
    y_dtypes : list
        Of the columns of y.
    y_shape : tuple of int
        Behind the rows: () for one target or label a row.
    """

    columns: list[Any] | None
    dtypes: list[Any]
    n_columns: int
    y_dtypes: list[Any]
    y_shape: tuple[int, ...]

    def part(self, number: int, X: Any, y: Any, weight: Any) -> Part:
        """A partition, checked.

        Raises
        ------
        ValueError
            If it has other columns or dtypes than the collections say, or y or the weights another number of rows.
        """
        where = f"partition {number}"
        columns = X.columns.tolist() if self.columns is not None else None
        if columns != self.columns or np.ndim(X) != 2 or X.shape[1] != self.n_columns:
            raise ValueError(
                f"X must have the same columns in every partition, got others in {where}: select "
                "X[columns] of each file, or give the right meta where the collection is made."
            )
        _check_dtypes("X", X, self.dtypes, where)
        _check_dtypes("y", y, self.y_dtypes, where)
        values = np.asarray(y)
        if values.shape[1:] == (1,):
            values = values[:, 0]
        weights = None if weight is None else np.asarray(weight)
        for name, one in (("y", values), ("sample_weight", weights)):
            if one is not None and len(one) != X.shape[0]:
                raise ValueError(
                    f"X and {name} must have the same rows in every partition, got {X.shape[0]} and {len(one)} in "
                    f"{where}: take both from one collection."
                )
        return Part(number, X, values, None if weights is None else _checked_weight(weights, where))


@dataclass(frozen=True, eq=False)
class Partitions:
    """Checked collections, partition by partition.

    Attributes
    ----------
    parts : list of tuple
        For each partition its number and X, y and weight as ``dask.delayed`` values; the weight may be None.
    layout : Layout
    """

    parts: list[tuple[Any, ...]]
    layout: Layout

    def __len__(self) -> int:
        return len(self.parts)


@dataclass(frozen=True, eq=False)
class Goal:
    """What is learnt from y.

    Attributes
    ----------
    task : Task
        Classes, or the scaling of the targets, of all partitions.
    classes : ndarray or list of ndarray or None
        The estimator's ``classes_``; None for regression.
    """

    task: Task
    classes: Any = None


def partitions_of(X: Any, y: Any, sample_weight: Any) -> Partitions:
    """The partitions of collections that belong together.

    Raises
    ------
    TypeError
        If X is no table, or y or the weights are no Dask collections.
    ValueError
        If their partitions do not match.
    """
    given = {"X": X, "y": y} | ({} if sample_weight is None else {"sample_weight": sample_weight})
    for name, one in given.items():
        if not is_dask(one) or not hasattr(one, "to_delayed") or not hasattr(one, "ndim"):
            raise TypeError(
                f"{name} must be a Dask DataFrame, Series or Array where one of X, y and sample_weight is, got "
                f"{type(one).__name__}: make it one with the same partitions, or pass all of them in memory, as by "
                "X.compute()."
            )
    if X.ndim != 2:
        raise TypeError(f"X must be a Dask DataFrame or a Dask Array of two dimensions, got {X.ndim}: pass a table.")
    if y.ndim not in (1, 2):
        raise ValueError(f"y must have one or two dimensions, got {y.ndim}.")
    if sample_weight is not None and sample_weight.ndim != 1:
        raise ValueError(f"sample_weight must have one dimension, got {sample_weight.ndim}.")
    pieces = {name: _delayed(one) for name, one in given.items()}
    n = len(pieces["X"])
    for name, one in given.items():
        if len(pieces[name]) != n or not _alike(X, one):
            raise ValueError(
                f"X and {name} must have the same partitions, got {n} and {len(pieces[name])} that differ in number, "
                f"divisions or chunks: take both from one collection, or repartition (rechunk) {name} like X."
            )
    weights = pieces.get("sample_weight", [None] * n)
    parts = list(zip(range(n), pieces["X"], pieces["y"], weights, strict=True))
    return Partitions(parts, _layout(X, y))


def by_rows(collection: Any) -> Any:
    """The same, the columns of an array in one piece."""
    if getattr(collection, "numblocks", None) is not None and collection.ndim == 2 and collection.numblocks[1] > 1:
        return collection.rechunk({1: -1})
    return collection


def _delayed(collection: Any) -> list[Any]:
    """One delayed value a partition."""
    import dask

    # else partitions of Parquet are joined, more of them the fewer columns are read: of y more than of X
    with dask.config.set({"optimization.tune.active": False}):
        return alone(np.asarray(collection.to_delayed(), dtype=object).ravel().tolist())


def alone(values: list[Any]) -> list[Any]:
    """Delayed values of one collection, each with no more than its own part of the graph.

    Who computes one of them would otherwise look at the graph of all: for so many, in the square of their number.
    """
    from dask.core import get_dependencies
    from dask.delayed import Delayed

    graph = dict(values[0].dask) if values else {}
    made = []
    for value in values:
        own, asked = {}, [value.key]
        while asked:
            key = asked.pop()
            if key not in own:
                own[key] = graph[key]
                asked += get_dependencies(graph, key)
        made.append(Delayed(value.key, own))
    return made


def _alike(X: Any, other: Any) -> bool:
    """Whether what is known of two collections' rows is the same."""
    if hasattr(X, "divisions") and hasattr(other, "divisions"):
        known = None not in (*X.divisions, *other.divisions)
        return not known or X.divisions == other.divisions
    if hasattr(X, "chunks") and hasattr(other, "chunks"):
        return all(np.isnan(a) or np.isnan(b) or a == b for a, b in zip(X.chunks[0], other.chunks[0], strict=True))
    return True


def _layout(X: Any, y: Any) -> Layout:
    columns = X.columns.tolist() if hasattr(X, "columns") else None
    y_shape = () if y.ndim == 1 or y.shape[1] == 1 else (int(y.shape[1]),)
    return Layout(columns, dtypes_of(X._meta), int(X.shape[1]), dtypes_of(y._meta), y_shape)


def dtypes_of(table: Any) -> list[Any]:
    """Dtypes of the columns of a frame; of a series or an array the only one."""
    return table.dtypes.tolist() if hasattr(table, "columns") else [table.dtype]


def _check_dtypes(name: str, table: Any, expected: list[Any], where: str) -> None:
    found = dtypes_of(table)
    for got, wanted in zip(found, expected, strict=True):
        # which categories a partition has is no part of what the collection says
        if got != wanted and not (hasattr(got, "categories") and hasattr(wanted, "categories")):
            raise ValueError(
                f"{name} must have the same dtypes in every partition, got {got} instead of {wanted} in {where}: "
                "convert it, as by astype, or give the right meta where the collection is made."
            )


def _checked_weight(weight: NDArray, where: str) -> NDArray[np.float64]:
    weight = weight.astype(np.float64)
    if not np.isfinite(weight).all() or (weight < 0).any():
        raise ValueError(f"sample_weight must be finite and >= 0, got a weight that is not in {where}.")
    return weight
