"""The containers: read column by column, and filled again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd._columns._cells import Coded, cast, objects_from, slots
from sklkd._columns._sparse import WIDE, canonical, dense
from sklkd._columns._times import (
    Times,
    in_grains,
    is_period,
    polars_kind,
    polars_of_times,
    series_of_times,
    times_of_polars,
    times_of_series,
    to_array,
)

Column = NDArray[np.float64] | list[Any] | Coded | Times
"""A column that is read: numbers with NaN where they are missing, the cells as they are, codes, or times."""


class Container(ABC):
    """A user's container: read column by column, then emptied and kept as the template of others like it."""

    shape: tuple[int, int]
    wide_sparse = False  # whether its matrix is one in CSR format

    def csr(self) -> Any:
        """The matrix in CSR format, where ``wide_sparse``."""
        raise NotImplementedError

    @property
    def names(self) -> list[Any] | None:
        """Names of the columns, where the container has them."""
        return None

    @abstractmethod
    def matrix(self) -> NDArray[np.float64] | None:
        """All columns at once, as a new array, where all are numeric."""

    def numbers(self) -> NDArray[Any] | None:
        """The same, in float32 where that holds every value, or else float64; it may be the user's own array."""
        return self.matrix()

    @abstractmethod
    def column(self, j: int) -> Column:
        """One column."""

    @abstractmethod
    def take(self, j: int, rows: NDArray[np.intp]) -> Any:
        """Some cells of a column, in the container's own array type; row -1 is a missing cell."""

    @abstractmethod
    def clear(self) -> None:
        """Drop all rows."""

    def with_whole_grains(self, Z: NDArray[np.float64]) -> NDArray[np.float64]:
        """Times as multiples of what all of a column's are."""
        Z = Z.copy() if self.grains else Z
        for j, (_, grain) in self.grains.items():
            Z[:, j] = in_grains(Z[:, j], grain)
        return Z

    @abstractmethod
    def fill(self, Z: NDArray[np.float64]) -> Any:
        """A container like this one that holds a matrix's rows."""

    @abstractmethod
    def stored(self, Z: NDArray[np.float64]) -> NDArray[np.float64]:
        """The matrix that is read from what ``fill`` makes of a matrix: numbers as the dtypes hold them."""

    def keep(
        self,
        rows: dict[int, NDArray[np.intp]],
        objects: dict[int, tuple[type, Any]],
        grains: dict[int, tuple[str, float]],
    ) -> Container:
        """Become a template: forget all rows but one of every category of every column in ``rows``.

        ``objects``: the type of a column's Python objects, and the missing one. ``grains``: whether a column holds
        dates or durations, and what they are multiples of.
        """
        self.pools = {j: self.take(j, index) for j, index in rows.items()}
        self.objects, self.grains = objects, grains
        self.clear()
        return self


class _Array(Container):
    """A NumPy array, or what becomes one."""

    def __init__(self, X: Any):
        if isinstance(X, np.ma.MaskedArray):
            raise TypeError("Masked arrays are not supported; pass X.astype(float).filled(numpy.nan).")
        if isinstance(X, np.matrix):
            raise TypeError("np.matrix is not supported; pass numpy.asarray(X).")
        array = np.asarray(X)
        if array.dtype.kind in "US" and not isinstance(X, np.ndarray):
            array = np.asarray(X, dtype=object)  # NumPy turns the numbers in a list of mixed cells into strings
        _check_dimensions(array)
        _check_dtype(array.dtype, "X")
        self.array = array
        self.shape = array.shape

    def matrix(self) -> NDArray[np.float64] | None:
        return self.array.astype(np.float64, order="C") if self.array.dtype.kind in "fiub" else None

    def numbers(self) -> NDArray[Any] | None:
        dtype = self.array.dtype
        return self.array.astype(narrowest([dtype]), copy=False) if dtype.kind in "fiub" else None

    def column(self, j: int) -> Column:
        return self.array[:, j].tolist()

    def take(self, j: int, rows: NDArray[np.intp]) -> NDArray[Any]:
        pool = self.array[rows, j]
        if rows[-1] < 0 and self.array.dtype.kind == "O":
            pool[-1] = None
        return pool

    def clear(self) -> None:
        self.array = self.array[:0].copy()

    def fill(self, Z: NDArray[np.float64]) -> NDArray[Any]:
        dtype = self.array.dtype
        if dtype.kind in "fiub":
            return cast(Z, dtype, "X")
        if dtype.kind == "U" and np.isnan(Z).any():
            raise ValueError(f"X has dtype {dtype}, which cannot hold a missing value, got NaN.")
        out = np.empty(Z.shape, dtype=dtype)
        for j, values in enumerate(Z.T):
            pool = self.pools.get(j)
            out[:, j] = objects_from(values, *self.objects[j]) if pool is None else pool[slots(values, len(pool) - 1)]
        return out

    def stored(self, Z: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.array.dtype.kind in "fiub":
            return cast(Z, self.array.dtype, "X").astype(np.float64)
        return map_columns(
            lambda j, values: as_objects_hold(values, self.objects[j]) if j in self.objects else values,
            Z,
        )


class _Sparse(Container):
    """A SciPy sparse matrix or array; what is not stored is 0."""

    def __init__(self, X: Any):
        _check_dimensions(X)
        _check_dtype(X.dtype, "X")
        self.data = X
        self.shape = X.shape
        self.wide_sparse = X.shape[1] > WIDE

    def matrix(self) -> NDArray[np.float64]:
        return dense(self.data.astype(np.float64))

    def csr(self) -> Any:
        """The matrix in CSR format, of which only what is not 0 is stored."""
        return canonical(self.data)

    def column(self, j: int) -> Column:
        return self.data.tocsc()[:, [j]].toarray().ravel().astype(np.float64)

    def take(self, j: int, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        return np.asarray(self.column(j))[rows]

    def clear(self) -> None:
        from scipy import sparse  # who reads a table does not wait for it

        csr = sparse.csr_array if isinstance(self.data, sparse.sparray) else sparse.csr_matrix
        self.data = csr((0, self.shape[1]), dtype=self.data.dtype)

    def fill(self, Z: NDArray[np.float64]) -> Any:
        return type(self.data)(cast(Z, self.data.dtype, "X"))

    def stored(self, Z: NDArray[np.float64]) -> NDArray[np.float64]:
        return cast(Z, self.data.dtype, "X").astype(np.float64)


FEW = 100
"""Strings up to which reading them one by one takes less time than finding the distinct ones first."""

_WIDEST = {"f": np.dtype(np.float64), "i": np.dtype(np.int64), "u": np.dtype(np.uint64), "b": np.dtype(np.bool_)}


class _Pandas(Container):
    """A pandas frame, or one that behaves like it."""

    def __init__(self, X: Any):
        self.frame = X
        self.shape = X.shape
        self._names = X.columns.tolist()
        self.dtypes = X.dtypes.tolist()
        for name, dtype in zip(self._names, self.dtypes, strict=True):
            if dtype.kind not in "mM":
                _check_dtype(dtype, f"Column {name!r}")

    @property
    def names(self) -> list[Any]:
        return self._names

    def matrix(self) -> NDArray[np.float64] | None:
        return np.array(self.frame.to_numpy(dtype=np.float64), order="C") if self._numeric else None

    def numbers(self) -> NDArray[Any] | None:
        return self.frame.to_numpy(dtype=narrowest(self.dtypes)) if self._numeric else None

    @property
    def _numeric(self) -> bool:
        return all(isinstance(dtype, np.dtype) and dtype.kind in "fiub" for dtype in self.dtypes)

    @cached_property
    def _columns(self) -> list[Any]:
        return [series for _, series in self.frame.items()]  # twice as fast as iloc[:, j] one by one

    def column(self, j: int) -> Column:
        dtype, series = self.dtypes[j], self._columns[j]
        if dtype.kind in "fiub":
            return series.to_numpy(dtype=np.float64, **({} if isinstance(dtype, np.dtype) else {"na_value": np.nan}))
        if dtype.kind in "mM" or is_period(dtype):
            return times_of_series(series)
        if hasattr(dtype, "categories"):
            return Coded(series.array.codes, dtype.categories.tolist())
        if dtype.type is str and len(series) > FEW:
            codes, values = series.factorize()
            return Coded(codes, values.tolist())
        return series.tolist()

    def take(self, j: int, rows: NDArray[np.intp]) -> Any:
        return self.frame.iloc[:, j].array.take(rows, allow_fill=True)  # -1: missing

    def clear(self) -> None:
        self.frame = self.frame.iloc[:0].copy()
        self._columns = []

    def fill(self, Z: NDArray[np.float64]) -> Any:
        frame = type(self.frame)({j: self._series(j, values) for j, values in enumerate(Z.T)})
        frame.columns = self.frame.columns
        return frame

    def stored(self, Z: NDArray[np.float64]) -> NDArray[np.float64]:
        return map_columns(self._stored, Z)

    def _stored(self, j: int, values: NDArray[np.float64]) -> NDArray[np.float64]:
        dtype = self.dtypes[j]
        if j in self.pools:
            return values
        if j in self.grains and j not in self.objects:
            return times_of_series(self._series(j, values)).seconds
        if j in self.objects:
            return as_objects_hold(values, self.objects[j])
        if isinstance(dtype, np.dtype):
            return cast(values, dtype, f"Column {self._names[j]!r}").astype(np.float64)
        return self._series(j, values).to_numpy(dtype=np.float64, na_value=np.nan)

    def _series(self, j: int, values: NDArray[np.float64]) -> Any:
        dtype, what = self.dtypes[j], f"Column {self._names[j]!r}"
        if j in self.pools:
            pool = self.pools[j]
            cells = pool.take(slots(values, len(pool) - 1))
        elif j in self.objects:
            cells = objects_from(values, *self.objects[j])
        elif j in self.grains:
            return series_of_times(type(self.frame.iloc[:, j])(to_array(values, self.grains[j][0])), dtype)
        elif isinstance(dtype, np.dtype):
            return cast(values, dtype, what)
        else:  # nullable, Arrow and sparse dtypes: None is missing in all of them
            missing = np.isnan(values)
            cells = cast(np.where(missing, 0.0, values), _WIDEST[dtype.kind], what).astype(object)
            cells[missing] = None
        return type(self.frame.iloc[:, j])(cells, dtype=dtype)


_POLARS_DTYPES = {"Boolean": "bool", "Int128": "int64", "UInt128": "uint64"}
"""NumPy dtypes through which numbers become a polars column, where the names differ."""


class _Polars(Container):
    """A polars frame."""

    def __init__(self, X: Any):
        self.frame = X
        self.shape = X.shape
        self._names = list(X.columns)
        self.dtypes = list(X.dtypes)
        self.null = [series.null_count() > 0 for series in X.get_columns()]

    @property
    def names(self) -> list[Any]:
        return self._names

    def matrix(self) -> NDArray[np.float64] | None:
        return None

    def column(self, j: int) -> Column:
        series = self.frame.to_series(j)
        dtype = self.dtypes[j]
        if dtype.is_numeric() or polars_kind(dtype) == "Boolean":
            return series.cast(float).to_numpy()
        return times_of_polars(series) if dtype.is_temporal() else series.to_list()

    def take(self, j: int, rows: NDArray[np.intp]) -> Any:
        return self.frame.to_series(j).gather([None if row < 0 else int(row) for row in rows])

    def clear(self) -> None:
        self.frame = self.frame.clear()

    def fill(self, Z: NDArray[np.float64]) -> Any:
        return type(self.frame)([self._series(j, values) for j, values in enumerate(Z.T)])

    def stored(self, Z: NDArray[np.float64]) -> NDArray[np.float64]:
        return map_columns(self._stored, Z)

    def _stored(self, j: int, values: NDArray[np.float64]) -> NDArray[np.float64]:
        if j in self.pools:
            return values
        if j in self.objects:
            return as_objects_hold(values, self.objects[j])
        if j in self.grains:
            return times_of_polars(self._series(j, values)).seconds
        return self._series(j, values).cast(float).to_numpy()

    def _series(self, j: int, values: NDArray[np.float64]) -> Any:
        if j in self.pools:
            pool = self.pools[j]
            return pool.gather(slots(values, len(pool) - 1))
        name, dtype, make = self._names[j], self.dtypes[j], type(self.frame.to_series(j))
        if j in self.objects:
            return make(name, objects_from(values, *self.objects[j]).tolist(), dtype=dtype)
        if j in self.grains:
            return polars_of_times(make(name, to_array(values, self.grains[j][0])), dtype)
        if dtype.is_decimal():
            # polars 1 cuts further digits off, of 0.29 * 100 too; with a quarter of the last one it cannot
            values = np.round(values, dtype.scale) + np.copysign(10.0**-dtype.scale / 4, values)
        if dtype.is_float() or dtype.is_decimal():
            return make(name, values, nan_to_null=self.null[j]).cast(dtype)
        missing = np.isnan(values)
        stored = np.dtype(_POLARS_DTYPES.get(polars_kind(dtype), polars_kind(dtype).lower()))
        cells = cast(np.where(missing, 0.0, values), stored, f"Column {name!r}")
        return make(name, cells).cast(dtype).scatter(np.flatnonzero(missing), None)


def narrowest(dtypes: Sequence[np.dtype[Any]]) -> type:
    """The narrower of float32 and float64 that holds all numbers of these dtypes."""
    return np.float32 if all(np.can_cast(dtype, np.float32) for dtype in dtypes) else np.float64


def map_columns(
    change: Callable[[int, NDArray[np.float64]], NDArray[np.float64]], Z: NDArray[np.float64]
) -> NDArray[np.float64]:
    """A matrix whose columns have been changed one by one."""
    out = np.empty(Z.shape)
    for j, values in enumerate(Z.T):
        out[:, j] = change(j, values)
    return out


def as_objects_hold(values: NDArray[np.float64], objects: tuple[type, Any]) -> NDArray[np.float64]:
    """Numbers after they have been Python objects of one type."""
    kind, _ = objects
    if kind is bool:
        return np.where(np.isnan(values), np.nan, np.rint(values) != 0)
    return np.rint(values) if kind is int else values


def open_table(X: Any) -> Container:
    """The reader of a container, recognised by its methods: pandas and polars are never imported."""
    if isinstance(X, np.ndarray):
        return _Array(X)
    if hasattr(X, "tocsr"):
        return _Sparse(X)
    if hasattr(X, "iloc") and hasattr(X, "dtypes"):
        if len(X.shape) != 2:
            raise ValueError("Expected 2D array, got 1D array instead: a Series. Reshape your data: use X.to_frame().")
        return _Pandas(X)
    if hasattr(X, "get_columns") and hasattr(X, "schema"):
        return _Polars(X)
    if hasattr(X, "collect") and hasattr(X, "collect_schema"):
        raise TypeError("X is a lazy frame; pass X.collect().")
    return _Array(X)


def _check_dimensions(X: Any) -> None:
    if X.ndim < 2:
        kind = "scalar" if X.ndim == 0 else "1D"
        raise ValueError(
            f"Expected 2D array, got {kind} array instead. Reshape your data: use X.reshape(-1, 1) if it is one "
            "column, or X.reshape(1, -1) if it is one row."
        )
    if X.ndim > 2:
        raise ValueError(f"Found array with dim {X.ndim}, while dim <= 2 is required.")


def _check_dtype(dtype: Any, what: str) -> None:
    if dtype.kind in "mM":
        raise ValueError(
            f"{what} holds dates or durations ({dtype}): pass a frame with columns of them, or convert it to numbers "
            "first."
        )
    if dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {what} has dtype {dtype}.")
    if dtype.kind in "SV":
        kind = dtype.type.__name__
        raise TypeError(f"{what} has dtype {dtype}; argument must be a string or a number, not {kind!r}.")
