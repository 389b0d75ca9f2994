"""Which rows of a matrix are the same."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd._columns._sparse import is_csr


def identical_rows(Z: Any) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Group the identical rows of a matrix, in an order that does not depend on the order of the rows.

    NaN equals NaN and -0.0 equals 0.0. The groups are ordered by the bytes of their rows; two matrices that hold the
    same rows, in whatever order and however often, give the same groups in the same order.

    Parameters
    ----------
    Z : ndarray of float64 or canonical csr_array, shape (n, d)

    Returns
    -------
    first : ndarray of intp, shape (n_groups,)
        Row that stands for every group: the earliest one.
    inverse : ndarray of intp, shape (n,)
        Group of every row: ``Z[first][inverse]`` equals ``Z``.

    Examples
    --------
    >>> import numpy as np
    >>> first, inverse = identical_rows(np.array([[3.0, 4.0], [1.0, 2.0], [3.0, 4.0]]))
    >>> first.tolist(), inverse.tolist()
    ([0, 1], [0, 1, 0])
    """
    n, d = Z.shape
    if is_csr(Z):
        return _identical(_bytes_of_rows(Z))
    if n == 0 or d == 0:
        return np.arange(min(n, 1)), np.zeros(n, dtype=np.intp)
    rows = np.add(Z, 0.0, dtype=np.float64, order="C")  # -0.0 + 0.0 is 0.0
    rows[np.isnan(rows)] = np.nan  # there are many bit patterns that are NaN
    return _identical(rows.view(f"V{rows.itemsize * d}").ravel())


def rows_with_missing(Z: Any) -> NDArray[np.bool_]:
    """Which rows of a matrix, dense or in CSR format, have a missing value, (n,)."""
    if not is_csr(Z):
        return np.isnan(Z).any(axis=1)
    missing = np.zeros(Z.shape[0], bool)
    missing[np.repeat(np.arange(len(missing)), np.diff(Z.indptr))[np.isnan(Z.data)]] = True
    return missing


def beside(Z: Any, columns: NDArray) -> Any:
    """A matrix, dense or in CSR format, with more columns behind its own."""
    if not is_csr(Z):
        return np.column_stack([Z, columns])
    from scipy import sparse  # who reads a table does not wait for it

    return sparse.hstack([Z, sparse.csr_array(columns.reshape(Z.shape[0], -1).astype(np.float64))], format="csr")


def _identical(rows: NDArray) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    _, first, inverse = np.unique(rows, return_index=True, return_inverse=True)
    return first, inverse


def _bytes_of_rows(Z: Any) -> NDArray[np.object_]:
    """The columns of each row's entries, then their values."""
    values = Z.data.copy()
    values[np.isnan(values)] = np.nan
    columns = Z.indices.astype(np.int64)
    rows = np.empty(Z.shape[0], dtype=object)
    for i, (start, stop) in enumerate(itertools.pairwise(Z.indptr.tolist())):
        rows[i] = columns[start:stop].tobytes() + values[start:stop].tobytes()
    return rows
