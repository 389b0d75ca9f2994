"""Which rows of a matrix are the same."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd._columns._sparse import is_csr

PIECE = 2**13
"""Rows that are looked at together: they fit the cache."""

FACTORS = np.array([0xBF58476D1CE4E5B9, 0x94D049BB133111EB], dtype=np.uint64)
"""Odd numbers with which bits are mixed, those of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)."""


def identical_rows(Z: Any, *others: NDArray) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Group the identical rows of a matrix, in an order that does not depend on the order of the rows.

    NaN equals NaN and -0.0 equals 0.0. The groups of an array are ordered by a hash of their rows, which is as good as
    at random, and then by ``others``; those of a matrix in CSR format by their bytes. Two matrices that hold the same
    rows, in whatever order and however often, give the same groups in the same order.

    Parameters
    ----------
    Z : ndarray or canonical csr_array, shape (n, d)
    *others : ndarray of shape (n,) or (n, k)
        More columns, without NaN.

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
    >>> sorted(first.tolist()), (first[inverse]).tolist()
    ([0, 1], [0, 1, 0])
    """
    if is_csr(Z):
        _, first, inverse = np.unique(_bytes_of_rows(beside(Z, *others)), return_index=True, return_inverse=True)
        return first, inverse
    columns = [column for one in others for column in one.reshape(len(one), -1).T]
    for salt in itertools.count():  # until no two different rows have the same hash, which the first hardly ever misses
        hashes = _hashes(Z, salt)
        order = np.lexsort([*columns[::-1], hashes]) if columns else np.argsort(hashes, kind="stable")
        again = np.flatnonzero(hashes[order[1:]] == hashes[order[:-1]]) + 1
        if _equal(Z, order[again], order[again - 1]):
            break
    for column in columns:
        again = again[column[order[again]] == column[order[again - 1]]]
    new = np.ones(len(order), bool)
    new[again] = False
    inverse = np.empty(len(order), dtype=np.intp)
    inverse[order] = np.cumsum(new) - 1
    return order[new], inverse


def _hashes(Z: NDArray, salt: int) -> NDArray[np.uint64]:
    """A number for each row, the same for the same values."""
    hashes = np.full(len(Z), salt, dtype=np.uint64)
    for start in range(0, len(Z), PIECE):
        part = hashes[start : start + PIECE]
        for column in _canonical(Z[start : start + PIECE]).T:
            part ^= column.view(np.uint64)
            for factor in FACTORS:
                part *= factor
                part ^= part >> np.uint64(32)
    return hashes


def _equal(Z: NDArray, some: NDArray, others: NDArray) -> bool:
    """Whether rows hold the same values as other rows."""
    pieces = [(some[start : start + PIECE], others[start : start + PIECE]) for start in range(0, len(some), PIECE)]
    return all(np.array_equal(_canonical(Z[one]), _canonical(Z[other]), equal_nan=True) for one, other in pieces)


def _canonical(values: NDArray) -> NDArray[np.float64]:
    """Numbers of which equal ones have the same bytes, column by column in memory."""
    made = np.add(values, 0.0, dtype=np.float64, order="F")  # -0.0 + 0.0 is 0.0
    made[np.isnan(made)] = np.nan  # there are many bit patterns that are NaN
    return made


def rows_with_missing(Z: Any) -> NDArray[np.bool_]:
    """Which rows of a matrix, dense or in CSR format, have a missing value, (n,)."""
    if not is_csr(Z):
        return np.isnan(Z).any(axis=1)
    missing = np.zeros(Z.shape[0], bool)
    missing[np.repeat(np.arange(len(missing)), np.diff(Z.indptr))[np.isnan(Z.data)]] = True
    return missing


def beside(Z: Any, *columns: NDArray) -> Any:
    """A matrix in CSR format with more columns behind its own."""
    from scipy import sparse  # who reads a table does not wait for it

    more = [sparse.csr_array(one.reshape(Z.shape[0], -1).astype(np.float64)) for one in columns]
    return sparse.hstack([Z, *more], format="csr") if more else Z


def _bytes_of_rows(Z: Any) -> NDArray[np.object_]:
    """The columns of each row's entries, then their values."""
    values = Z.data.copy()
    values[np.isnan(values)] = np.nan
    columns = Z.indices.astype(np.int64)
    rows = np.empty(Z.shape[0], dtype=object)
    for i, (start, stop) in enumerate(itertools.pairwise(Z.indptr.tolist())):
        rows[i] = columns[start:stop].tobytes() + values[start:stop].tobytes()
    return rows
