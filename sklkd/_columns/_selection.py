"""Some of a table's columns, found by name or by position."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd._columns._reader import are_strings


@dataclass(frozen=True, eq=False)
class ColumnSelection:
    """Which columns of a table are read.

    Attributes
    ----------
    indices : ndarray of int, shape (n_selected,)
        Their positions, in the order in which they are read.
    n_all : int
        How many columns the table has.
    names : ndarray of str, shape (n_selected,), or None
        Their names, where the table has names that are strings.
    codec : ColumnCodec or None
        What has coded them.
    """

    indices: NDArray[np.intp]
    n_all: int
    names: NDArray | None = None
    codec: Any = None

    def of(self, X: Any) -> Any:
        """These columns of a table with all of them; a table that has them alone, as it is.

        In a frame they are found by name, whatever else it has.

        Raises
        ------
        ValueError
            If a frame lacks one of them.
        """
        if self.names is not None and hasattr(X, "columns") and are_strings(list(X.columns)):
            absent = [name for name in self.names if name not in X.columns]
            if absent:
                raise ValueError(f"X must have the columns that columns selects, got a frame without {absent}.")
            return X[self.names.tolist()]
        if isinstance(X, (list, tuple)):
            X = np.array(X, dtype=object)
        if np.ndim(X) != 2 or X.shape[1] != self.n_all:
            return X
        if hasattr(X, "iloc"):
            return X.iloc[:, self.indices]
        return (X.tocsr() if hasattr(X, "tocsr") else X)[:, self.indices]

    @property
    def columns(self) -> NDArray:
        """Their names, or else their positions."""
        return self.indices if self.names is None else self.names
