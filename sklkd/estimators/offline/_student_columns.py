"""Which of the columns a student reads: those that the user names, or the ones that the teacher uses most."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd._columns import ColumnCodec, ColumnSelection, is_csr
from sklkd._sklearn import _get_column_indices
from sklkd.estimators._student_fit import Thresholds
from sklkd.estimators._task import of_outputs
from sklkd.estimators._training import AnyStudent
from sklkd.estimators.offline._transfer_rows import TeacherOutputs
from sklkd.rows import Rows

FEW_ROWS = 2_000
"""On which a teacher's thresholds are mapped back to the user's columns, and its decisions are looked at."""
PERMUTED_ROWS = 1_000
"""Rows at most on which it is found out what a teacher uses."""


def check_columns(columns: Any, X: Any) -> NDArray | None:
    """The positions of the columns that a student reads of a checked table; None for all, and for a number of them.

    Raises
    ------
    ValueError
        If X is no table or has not these columns, or there are none, or one is given twice.
    """
    if columns is None:
        return None
    if np.ndim(X) != 2:
        raise ValueError(f"columns must be None where X is no table, got columns={columns!r}.")
    n_all = X.shape[1]
    if isinstance(columns, Integral):
        if columns > n_all:
            raise ValueError(f"columns must be at most the number of columns of X, {n_all}, got columns={columns}.")
        return None
    asked = columns(X) if callable(columns) else columns
    asked = asked if isinstance(asked, slice) else np.asarray(asked).tolist()
    try:
        indices = np.asarray(_get_column_indices(X, asked), dtype=np.intp)
    except ValueError as error:
        # scikit-learn 1.6 names a column that is not there in the cause alone
        raise ValueError(
            f"columns must be names or positions of columns of X, which has {n_all}, a mask, a slice, a selector or a "
            f"number: {error.__cause__ or error}."
        ) from error
    if len(indices) == 0 or len(set(indices.tolist())) < len(indices):
        raise ValueError(f"columns must select at least one column, and none twice, got {len(indices)} columns.")
    # of all columns in any order an array would not say which is which
    return np.sort(indices) if len(indices) == n_all else indices


def most_used(
    n: int, rows: Rows, codec: ColumnCodec, ask: TeacherOutputs, thresholds: Thresholds, seed: int
) -> NDArray:
    """The positions of the columns that a teacher uses most.

    These are the ones that change its outputs most where their values are exchanged between rows: in squares of
    probabilities, or of the targets' standard deviation [1]_.

    Parameters
    ----------
    n : int
        How many.
    rows : Rows
        Training rows.
    codec : ColumnCodec
        The invertible form of the rows' own.
    ask : TeacherOutputs
    thresholds : list of (ndarray, ndarray)
        Of the teacher's trees; a column without is not used by them, and not looked at.
    seed : int

    Returns
    -------
    ndarray of int, shape (n,)
        Ascending.

    Raises
    ------
    ValueError
        For outputs in a teacher's place, and for wide sparse tables.

    References
    ----------
    .. [1] L. Breiman, "Random forests", Machine Learning 45, 2001.
    """
    if not ask.teacher.answers_new_rows:
        raise ValueError(
            "columns must be names or positions where outputs stand in for the teacher, which cannot be asked what it "
            f"uses, got columns={n}."
        )
    if codec.sparse_:
        raise ValueError(
            "columns must be names or positions of a sparse table of more than 500 columns, of which no values are "
            f"exchanged, got columns={n}."
        )
    rng = np.random.RandomState(seed)
    some = rows.take(rng.permutation(len(rows))[:PERMUTED_ROWS])
    coded = np.array(some.coded, dtype=np.float64)
    usual = of_outputs(ask.of(codec.inverse_transform(coded)))
    change = np.zeros(coded.shape[1])
    for j in range(coded.shape[1]):
        order = rng.permutation(len(coded))
        if thresholds and not len(thresholds[j][0]):
            continue
        exchanged = coded.copy()
        exchanged[:, j] = coded[order, j]
        change[j] = np.mean((of_outputs(ask.of(codec.inverse_transform(exchanged))) - usual) ** 2)
    return np.sort(np.argsort(-change, kind="stable")[:n])


def selected_from(rows: Rows, indices: NDArray) -> ColumnSelection:
    """These columns of coded rows, with their names and with what has coded them."""
    codec: Any = rows.codec
    some = codec.of_columns(indices)
    return ColumnSelection(indices, codec.n_features_in_, getattr(some, "feature_names_in_", None), some)


def column_thresholds(student: AnyStudent, teacher: Any, rows: Rows, seed: int) -> Thresholds:
    """The teacher's split thresholds in each column, for students that encode by them."""
    if not student.tabular or student.encoder is not None or is_csr(rows.matrix):
        return []
    pick = np.random.RandomState(seed).permutation(len(rows))[:FEW_ROWS]
    return teacher.thresholds(rows.take(np.sort(pick)).X)
