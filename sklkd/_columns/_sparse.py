"""Wide sparse tables: the one kind whose matrix stores only the numbers that are not 0."""

from __future__ import annotations

from typing import Any

import numpy as np

WIDE = 500
"""Columns up to which a sparse table is read as a dense one, with all that the student then makes of a column."""


def is_csr(Z: Any) -> bool:
    """Whether a matrix is one in CSR format."""
    return hasattr(Z, "indptr")


def canonical(X: Any) -> Any:
    """A copy of a table of numbers in canonical form: a float64 ``csr_array``, sorted, in which no entry is 0."""
    from scipy import sparse  # who reads a table does not wait for it

    Z = sparse.csr_array(X, dtype=np.float64, copy=True)
    Z.sum_duplicates()
    Z.eliminate_zeros()
    return Z


def dense(X: Any) -> Any:
    """A sparse matrix as an array in C order."""
    try:
        return X.toarray(order="C")
    except MemoryError as error:
        n, d = X.shape
        raise MemoryError(
            f"X is sparse with shape {X.shape}, and as the dense matrix that the student reads it would take "
            f"{X.dtype.itemsize * n * d / 2**30:.1f} GiB: reduce its columns first, as by SelectKBest or TruncatedSVD."
        ) from error
