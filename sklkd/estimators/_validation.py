"""Validation rows, and losses on them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sklkd.estimators._task import Task
from sklkd.rows import Rows
from sklkd.students._estimator_student import EstimatorStudent
from sklkd.students._resolve import Student

FEWEST = 50  # distinct rows below which a part of them says nothing
MOST = 10_000  # validation rows of a split, which say enough
EARLY_STOPPING = 0.2  # of the rows, where a student is trained on labels only
FLOOR = 1e-7  # of probabilities, where their logarithm is taken

Split = tuple[NDArray, NDArray]
"""Numbers of training rows and of validation rows."""


def validation_splits(rows: Rows, seed: int, n_splits: int, size: float) -> list[Split]:
    """Splits of which no two share a validation row; where they suffice, these are rows that the teacher has not seen.

    Parameters
    ----------
    rows : Rows
    seed : int
    n_splits : int
    size : float
        Part of the rows that each split holds out, up to 10,000.
    """
    order = np.random.RandomState(seed).permutation(len(rows))
    n_held = max(1, min(int(size * len(rows)), MOST))
    pool = order if rows.out_of_sample is None else order[rows.out_of_sample[order]]
    if len(pool) < max(2, n_splits) * n_held:
        pool = order
    validation = [np.sort(pool[start : start + n_held]) for start in range(0, n_splits * n_held, n_held)]
    # of very few rows some splits would hold out none
    return [(np.setdiff1d(np.arange(len(rows)), one), one) for one in validation if len(one)]


def split_for_early_stopping(
    student: Student | EstimatorStudent, rows: Rows, task: Task, seed: int
) -> tuple[Rows, Rows | None]:
    """Training rows, and validation rows where the epochs of a student that learns from labels only are not given."""
    if not student.budgeted or len(rows) < FEWEST:
        return rows, None
    training, validation = validation_splits(rows, seed, 1, EARLY_STOPPING)[0]
    if task.classification and len(np.unique(rows.y[training])) < task.n_outputs:
        return rows, None
    return rows.take(training), rows.take(validation)


def validation_loss(predictions: NDArray, rows: Rows, task: Task) -> float:
    """Log loss of probabilities, of several labels the mean, or root mean squared error of standardized predictions.

    All of it is weighted.
    """
    if task.multilabel:
        probability = np.maximum(np.where(rows.y == 1, predictions, 1 - predictions), FLOOR)
        return float(np.average(-np.log(probability).mean(1), weights=rows.weight))
    if task.classification:
        probability = np.maximum(predictions[np.arange(len(rows)), rows.y], FLOOR)
        return float(np.average(-np.log(probability), weights=rows.weight))
    return float(np.sqrt(np.average(((predictions - rows.y) ** 2).mean(1), weights=rows.weight)))
