"""What is to be said of a teacher: warnings where it can hardly be right, and notes for the account."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd._columns import is_csr
from sklkd._warn import warn
from sklkd.estimators._task import Task, of_outputs
from sklkd.exceptions import TeacherWarning
from sklkd.rows import Rows


def warn_of_teacher(teacher: Any, rows: Rows, task: Task, *, kept: bool) -> None:
    """Warn where a kept teacher does worse on the given rows than the class prior or the mean.

    Also of an unfitted one that was trained on what its criterion does not take.
    """
    if teacher.mistake and not kept:
        warn(f"teacher was trained on another loss than was meant: {teacher.mistake}.", TeacherWarning)
    if rows.outputs is None or not kept or not teacher.estimand.answered_by_labels:
        return
    error, usual = squared_errors(of_outputs(rows.outputs), rows.y, rows.weight)
    if usual > 0 and error > usual * (1 + 1e-6):
        baseline = "mean" if task.kind == "regression" else "class prior"
        cause = (
            "it was fitted on other columns than it is given here, such as unscaled ones when it now stands behind "
            "a Pipeline's scaler"
        )
        if teacher.mistake:
            cause = f"it was trained on another loss than was meant, as {teacher.mistake}"
        elif not teacher.answers_new_rows:
            cause = "they are in another order than the rows of X, or their columns in another than the classes"
        warn(
            f"the {'fitted teacher does' if teacher.answers_new_rows else 'given outputs do'} worse on the "
            f"given rows than the {baseline} alone. {'Here' if teacher.mistake else 'Usually'} {cause}.",
            TeacherWarning,
        )


def squared_errors(predicted: NDArray, y: NDArray, weight: NDArray) -> tuple[float, float]:
    """Mean squared errors of predictions, and of the mean of y or the frequencies of classes.

    Those of classes are Brier's: a sure prediction that is wrong is not infinitely wrong.
    """
    if y.ndim == 2:
        error, usual = (
            float(np.average(((one - y) ** 2).sum(1), weights=weight))
            for one in (predicted, np.average(y, axis=0, weights=weight))
        )
        return error, usual
    right = predicted[np.arange(len(y)), y]
    frequency = np.bincount(y, weight, minlength=predicted.shape[1]) / weight.sum()
    error = np.average(np.einsum("ij,ij->i", predicted, predicted) - 2 * right + 1, weights=weight)
    return float(error), float(1 - frequency @ frequency)


def notes_on(teacher: Any, threshold: float | None, task: Task) -> list[str]:
    """What else is to be said of a teacher: how its outputs were read, and how it decides."""
    # said where nothing but the numbers tells it
    read = task.kind != "regression" and teacher.interprets and teacher.reads_as
    notes = [f"The teacher's outputs were taken for {read}"] if read else []
    notes += [f"Of the teacher could not be read: {failed}" for failed in teacher.fallbacks]
    if threshold is not None and task.classes is not None:
        notes.append(
            f"As the teacher does, class {task.classes[1]} is predicted where its probability is at least "
            f"{threshold:.4g}"
        )
    return notes


def notes_on_rows(rows: Rows, augment: Any) -> list[str]:
    """What is to be said of a wide sparse table."""
    if not is_csr(rows.matrix) or not isinstance(augment, str):
        return []
    n_columns = rows.matrix.shape[1]
    return [f"No synthetic rows were made: X is sparse, and neighbours are not looked for in its {n_columns:,} columns"]
