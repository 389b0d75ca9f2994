"""Numbers as the integers that a C file without floating point takes and gives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MISSING, LARGEST = -(2**31), 2**31 - 1
"""The integer of a missing value, and the largest of a number."""


class FixedPoint:
    """Between numbers and integers: a number is its integer times ``2**-shift``.

    Parameters
    ----------
    shifts : sequence of int
        Of the columns of a row; 0 for codes of categories.
    out_shifts : sequence of int
        Of the outputs.
    classification : bool
        Whether outputs are scores of classes, whose softmax are the probabilities.

    Examples
    --------
    >>> import numpy as np
    >>> from sklkd.export._fixed_point import FixedPoint
    >>> FixedPoint([4, -1], [8], classification=False).rows(np.array([[1.5, 7e9], [np.nan, -20.0]])).tolist()
    [[24, 2147483647], [-2147483648, -10]]
    """

    def __init__(self, shifts: Sequence[int], out_shifts: Sequence[int], *, classification: bool):
        self.shifts, self.out_shifts = np.array(shifts, dtype=np.int64), np.array(out_shifts, dtype=np.int64)
        self._classification = classification

    def rows(self, Z: NDArray) -> NDArray[np.int32]:
        """The nearest integers of coded rows (n, d), those beyond 32 bits the largest; NaN becomes ``MISSING``."""
        with np.errstate(over="ignore"):
            nearest = np.clip(np.rint(np.ldexp(Z, self.shifts)), -LARGEST, LARGEST)
        return np.where(np.isnan(nearest), MISSING, nearest).astype(np.int32)

    def outputs(self, out: NDArray[np.int32]) -> NDArray[np.float64]:
        """Probabilities of classes, or values, of what the file gives, (n, n_outputs)."""
        values = np.ldexp(out.astype(np.float64), -self.out_shifts)
        if not self._classification:
            return values
        powers = np.exp(values - values.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)
