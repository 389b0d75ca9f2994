"""Identical rows become one, so that a weight of 2 and a repeated row are the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd._columns import ColumnCodec, has_one_dimension, identical_rows, text_codes
from sklkd._sklearn import _safe_indexing
from sklkd._storage import Storage
from sklkd.knowledge import Knowledge
from sklkd.rows import Rows
from sklkd.teachers import Outputs


class Deduplication:
    """Codes the rows of a fit once, and finds the identical ones.

    Its ``invertible`` codec makes rows like the user's from a matrix; encoders get ``codec``, which is lighter.

    Parameters
    ----------
    rows : Rows
        With labels or targets in the user's terms, and weights.
    storage : Storage, default=None
        Where large arrays are kept. None: in memory.
    codec : ColumnCodec, default=None
        That has learnt the columns already; it is then not invertible. None: it learns them of these rows.

    Raises
    ------
    ValueError
        For missing values in arrays of more than two dimensions.
    """

    def __init__(self, rows: Rows, storage: Storage | None = None, codec: ColumnCodec | None = None):
        self.rows = rows
        self.kept = np.arange(len(rows)) if rows.weight is None else np.flatnonzero(rows.weight)
        self.table = X = rows.X if len(self.kept) == len(rows) else _safe_indexing(rows.X, self.kept)
        self.codec = codec
        self.invertible: ColumnCodec | None = None
        self.coded: Any = None
        n_dimensions = len(X.shape)
        if n_dimensions > 2 and np.isnan(np.asarray(X, dtype=np.float64)).any():
            raise ValueError("Input X contains NaN: arrays of more than two dimensions must not.")
        if codec is not None:
            self.coded = codec.transform(X)
        elif n_dimensions == 2:
            self.invertible = ColumnCodec()
            self.coded = self.invertible.fit_narrow(X, np.empty if storage is None else storage.empty)
            self.codec = self.invertible.without_template()

    def groups(self) -> NDArray:
        """For every row, also of weight 0, the number of its group of rows with identical X."""
        if self.coded is not None and len(self.kept) == len(self.rows):
            return identical_rows(self.coded)[1]
        return identical_rows(self._matrix(self.rows.X))[1]

    def _matrix(self, X: object) -> Any:
        if has_one_dimension(X):
            return text_codes(X)
        if self.codec is None:
            array = np.asarray(X, dtype=np.float64)
            return array.reshape(len(array), -1)
        return self.codec.transform(X)

    def distinct_rows(self, y: NDArray, knowledge: Knowledge | None = None) -> Rows:
        """Rows with a weight, those with identical X and y as one, in canonical order.

        Parameters
        ----------
        y : ndarray of shape (n,) or (n, n_targets)
            Class codes or standardized targets of all rows.
        knowledge : Knowledge, default=None
            The teacher's outputs, standardized as y is; rows that become one get their weighted mean.

        Returns
        -------
        Rows
            Weights are summed, and have a mean of 1.
        """
        y = y[self.kept]
        weight = np.ones(len(y)) if self.rows.weight is None else self.rows.weight[self.kept]
        matrix = self._matrix(self.table) if self.coded is None else self.coded
        first, inverse = identical_rows(matrix, y)
        total = np.bincount(inverse, weight)
        outputs, out_of_sample = None, np.zeros(len(first), bool)
        if knowledge is not None:
            out_of_sample = np.bincount(inverse, ~knowledge.unseen[self.kept]) == 0
            if knowledge.outputs is not None:
                outputs = _averaged(knowledge.outputs.take(self.kept), inverse, weight, total)
        return Rows(
            self.table,
            y[first],
            total / total.mean(),
            self.codec,
            self.coded,
            outputs,
            out_of_sample,
            self.rows.metadata_of(self.kept[first]),
            numbers=first,
        )


def _averaged(outputs: Outputs, inverse: NDArray, weight: NDArray, total: NDArray) -> Outputs:
    """Outputs of distinct rows: the weighted mean over the rows that become one."""

    def average(part: NDArray | None) -> NDArray | None:
        if part is None:
            return None
        means = np.empty((len(total), part.shape[1]), part.dtype)
        for k, column in enumerate(part.T):
            means[:, k] = np.bincount(inverse, weight * column) / total
        return means

    return replace(
        outputs,
        proba=average(outputs.proba),
        margins=average(outputs.margins),
        values=average(outputs.values),
        spread=average(outputs.spread),
    )
