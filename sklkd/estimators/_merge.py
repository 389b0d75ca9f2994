"""Identical rows merged, so that a weight of 2 and a repeated row are the same."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd._columns import ColumnCodec, identical_rows
from sklkd._sklearn import _safe_indexing
from sklkd.knowledge import Knowledge, Rows
from sklkd.teachers import Outputs


@dataclass(frozen=True)
class Merged:
    """Distinct rows in canonical order.

    Attributes
    ----------
    X : like the user's
    codec : ColumnCodec or None
    coded : ndarray of shape (n, n_features) or None
        The rows as the codec has them; None for arrays of more than two dimensions.
    y : ndarray
        Class codes (n,), or standardised targets (n, n_targets).
    weight : ndarray of shape (n,)
        Summed weights of the rows that were merged, mean 1.
    outputs : Outputs or None
        The teacher's answers, averaged over the rows that were merged.
    unseen : ndarray of bool, shape (n,)
        Rows whose answer comes from a teacher that was not fitted on them.
    """

    X: Any
    codec: ColumnCodec | None
    coded: NDArray | None
    y: NDArray
    weight: NDArray
    outputs: Outputs | None
    unseen: NDArray

    def __len__(self) -> int:
        return len(self.y)

    def take(self, index: NDArray) -> Merged:
        return Merged(
            _safe_indexing(self.X, index),
            self.codec,
            None if self.coded is None else self.coded[index],
            self.y[index],
            self.weight[index],
            None if self.outputs is None else self.outputs.take(index),
            self.unseen[index],
        )


class Merger:
    """Finds the identical ones of some rows, before and after the teacher has answered.

    Parameters
    ----------
    rows : Rows
    """

    def __init__(self, rows: Rows):
        self.rows = rows
        self.kept = np.arange(len(rows.y)) if rows.weight is None else np.flatnonzero(rows.weight)
        X = rows.X if len(self.kept) == len(rows.y) else _safe_indexing(rows.X, self.kept)
        self.codec, self.coded = None, None
        if getattr(X, "ndim", 2) > 2 and np.isnan(np.asarray(X, dtype=np.float64)).any():
            raise ValueError("Input X contains NaN: arrays of more than two dimensions must not.")
        if getattr(X, "ndim", 2) == 2:
            self.codec = ColumnCodec(invertible=False)
            self.coded = self.codec.fit_transform(X)

    def groups(self) -> NDArray:
        """For every row, also of weight 0, the number of its group of rows with identical X."""
        return identical_rows(self._matrix(self.rows.X))[1]

    def _matrix(self, X: Any) -> NDArray:
        if self.codec is None:
            return np.asarray(X, dtype=np.float64).reshape(len(X), -1)
        return self.codec.transform(X)

    def merge(self, knowledge: Knowledge | None, y: NDArray) -> Merged:
        """Rows with a weight, those with identical X and y as one.

        Parameters
        ----------
        knowledge : Knowledge or None
            Its outputs in the units of y; None where there is no teacher.
        y : ndarray of shape (n,) or (n, n_targets)
            Class codes or standardised targets of all rows.
        """
        X, y = self.rows.X, y[self.kept]
        weight = np.ones(len(y)) if self.rows.weight is None else self.rows.weight[self.kept]
        matrix = self._matrix(_safe_indexing(X, self.kept)) if self.coded is None else self.coded
        first, inverse = identical_rows(np.column_stack([matrix, y]))
        total = np.bincount(inverse, weight)
        outputs, unseen = None, np.zeros(len(first), bool)
        if knowledge is not None:
            unseen = np.bincount(inverse, ~knowledge.unseen[self.kept]) == 0
            if knowledge.outputs is not None:
                outputs = _averaged(knowledge.outputs.take(self.kept), inverse, weight, total)
        return Merged(
            _safe_indexing(X, self.kept[first]),
            self.codec,
            None if self.coded is None else self.coded[first],
            y[first],
            total / total.mean(),
            outputs,
            unseen,
        )


def _averaged(outputs: Outputs, inverse: NDArray, weight: NDArray, total: NDArray) -> Outputs:
    def average(part: NDArray | None) -> NDArray | None:
        if part is None:
            return None
        sums = np.stack([np.bincount(inverse, weight * column) for column in part.T], axis=1)
        return sums / total[:, None]

    return replace(
        outputs,
        proba=average(outputs.proba),
        margins=average(outputs.margins),
        values=average(outputs.values),
        spread=average(outputs.spread),
    )
