"""What a fitted codec needs to read a table: NumPy alone, so that a process that only predicts imports no more."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd._columns._cells import Coded, Lookup, cell_types, times_of, to_numbers
from sklkd._columns._sparse import canonical, is_csr
from sklkd._columns._tables import Column, Container, open_table
from sklkd._columns._times import Times


class ColumnReader:
    """The part of :class:`ColumnCodec` that turns tables into matrices once the columns are known."""

    n_features_in_: int
    categories_: list[NDArray[Any] | None]
    _names: Any
    times_: list[str | None]
    sparse_ = False
    _by_name = False  # whether frames may have other columns, or these in another order
    _lookups: dict[int, Lookup]
    _empty: NDArray[np.bool_]

    def _read(self, X: Any) -> Any:
        """The matrix of ``X`` (n, d): float64, shape (n, d), a copy, in CSR format where ``sparse_``; n may be 0."""
        table = self._table(X)
        d = table.shape[1]
        if d != self.n_features_in_:
            what, expected = type(self).__name__, self.n_features_in_
            raise ValueError(f"X has {d} features, but {what} is expecting {expected} features as input.")
        names: Any = table.names
        if names != self._names and are_strings(names) and are_strings(self._names):
            j = next(j for j in range(d) if names[j] != self._names[j])
            raise ValueError(
                "The feature names should match those that were passed during fit, in the same order: "
                f"column {j} is {names[j]!r}, and was {self._names[j]!r}."
            )
        Z = table.csr() if self.sparse_ and table.wide_sparse else table.matrix()
        if Z is None:
            Z = np.empty(table.shape)
            for j in range(d):
                Z[:, j] = self._code_column(j, table.column(j))
        else:
            for j in range(d) if names is not None else ():
                self._check_no_times(j)
            for j in self._lookups:
                Z[:, j] = self._code_column(j, Z[:, j])
        if self.sparse_ and not is_csr(Z):
            Z = canonical(Z)
        self._check_finite(Z)
        return Z

    def _table(self, X: Any) -> Container:
        """The table, with the columns that are read where they are found by name."""
        names: list[Any] = list(X.columns) if self._by_name and hasattr(X, "columns") else []
        if not names or names == self._names or not (are_strings(names) and are_strings(self._names)):
            return open_table(X)
        absent = [name for name in self._names if name not in names]
        if absent:
            raise ValueError(f"X must have the columns {self._names}, got a frame without {absent}.")
        return open_table(X[self._names])

    def _name(self, j: int) -> str:
        return str(j) if self._names is None else repr(self._names[j])

    def _code_column(self, j: int, column: Column) -> NDArray[np.float64]:
        """The numbers or codes of a column whose kind is known."""
        if isinstance(column, Times):
            return self._code_times(j, column)
        if isinstance(column, (np.ndarray, Coded)):
            self._check_no_times(j)
        if isinstance(column, Coded):  # the value at the end is what the code -1 reads
            return self._code_column(j, [*column.values, None])[column.codes]
        if j in self._lookups:
            cells = column.tolist() if isinstance(column, np.ndarray) else column
            return self._lookups[j].codes(cells, self._name(j))
        if isinstance(column, np.ndarray):
            return column
        types, _ = cell_types(column, self._name(j))
        times = times_of(column, types)
        if times is not None:
            return self._code_times(j, times)
        if any(issubclass(kind, str) for kind in types):
            if not self._empty[j]:
                n_texts = sum(isinstance(cell, str) for cell in column)
                raise ValueError(
                    f"Column {self._name(j)} was numeric at fit and must be numeric, got text in {n_texts} of "
                    f"{len(column)} rows; convert it to numbers, or fit with the column as strings."
                )
            column = [None if isinstance(cell, str) else cell for cell in column]
        return to_numbers(column)

    def _code_times(self, j: int, column: Times) -> NDArray[np.float64]:
        if self.times_[j] != column.kind and not self._empty[j]:
            raise ValueError(
                f"Column {self._name(j)} must hold {self.times_[j] or 'no dates or durations'}, as at fit, got "
                f"{column.kind}."
            )
        return np.full(len(column.seconds), np.nan) if self._empty[j] else column.seconds

    def _check_no_times(self, j: int) -> None:
        """Raise where a frame has something else than the times that fit saw; numbers of an array are seconds."""
        if self.times_[j] is not None:
            raise ValueError(f"Column {self._name(j)} must hold {self.times_[j]}, as at fit, got other cells.")

    def _check_finite(self, Z: Any) -> None:
        values = Z.data if is_csr(Z) else Z
        if not np.isfinite(values).all():
            infinite = np.isinf(values)
            if infinite.any():
                j = Z.indices[infinite].min() if is_csr(Z) else infinite.any(axis=0).argmax()
                raise ValueError(
                    "Input X contains infinity or a value too large for dtype('float64') "
                    f"(column {self._name(int(j))}); replace it first."
                )


def are_strings(names: list[Any] | None) -> bool:
    return names is not None and all(isinstance(name, str) for name in names)
