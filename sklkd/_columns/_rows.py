"""Which rows of a matrix are the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def identical_rows(Z: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Group the identical rows of a matrix, in an order that does not depend on the order of the rows.

    NaN equals NaN and -0.0 equals 0.0. The groups are ordered by the bytes of their rows; two matrices that hold the
    same rows, in whatever order and however often, give the same groups in the same order.

    Parameters
    ----------
    Z : ndarray of float64, shape (n, d)

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
    if n == 0 or d == 0:
        return np.arange(min(n, 1)), np.zeros(n, dtype=np.intp)
    rows = np.add(Z, 0.0, dtype=np.float64, order="C")  # -0.0 + 0.0 is 0.0
    rows[np.isnan(rows)] = np.nan  # there are many bit patterns that are NaN
    _, first, inverse = np.unique(rows.view(f"V{rows.itemsize * d}").ravel(), return_index=True, return_inverse=True)
    return first, inverse
