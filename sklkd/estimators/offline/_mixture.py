"""The mixture of teacher and label-only students that is best on validation rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from sklkd.estimators._task import Task
from sklkd.estimators._validation import validation_loss
from sklkd.rows import Rows

PRIOR = (0.25, 0.3)  # mean and standard deviation of the students' weight before anything is known


@dataclass(frozen=True)
class Validated:
    """Losses on validation rows, and the weight that is best there.

    Attributes
    ----------
    weight : float
        Of the label-only students in the best mixture.
    explained : float
        Part of the loss of the classes' frequencies that the mixture saves; 1 for regression.
    n_rows : int
    losses : dict of str to float
    beside : str
        What the students were compared with.
    """

    weight: float
    explained: float
    n_rows: int
    losses: dict[str, float]
    beside: str


def compare(of_students: NDArray, of_teacher: NDArray, rows: Rows, task: Task, beside: str) -> Validated:
    """Find the best mixture of label-only students and teacher on rows that neither have seen.

    Parameters
    ----------
    of_students, of_teacher : ndarray of shape (n, n_outputs)
        Probabilities or standardized predictions of students and teacher.
    rows : Rows
        Validation rows.
    task : Task
    beside : str
        What ``of_teacher`` are, in words.
    """

    def loss(mixed: NDArray) -> float:
        return validation_loss(mixed, rows, task)

    # negative log likelihoods: of the classes or labels, or of a normal distribution whose variance is the mean squared
    # error
    def likelihood(mixed: NDArray) -> float:
        if task.multilabel:
            return len(rows) * task.n_outputs * loss(mixed)
        return len(rows) * (loss(mixed) if task.classification else math.log(max(loss(mixed), 1e-150)))

    weight = best_weight(of_students, of_teacher, likelihood, PRIOR)
    left = loss(weight * of_students + (1 - weight) * of_teacher)
    losses = {"teacher": loss(of_teacher), "label-only students": loss(of_students), "mixture": left}
    return Validated(weight, _explained(left, rows, task), len(rows), losses, beside)


def _explained(left: float, rows: Rows, task: Task) -> float:
    """Part of the log loss of the classes' frequencies that is saved; 1 for regression, whose term harms nobody."""
    if task.kind == "regression":
        return 1.0
    if task.multilabel:
        frequency = rows.weight @ rows.y / rows.weight.sum()
    else:
        frequency = np.bincount(rows.y, rows.weight, minlength=task.n_outputs) / rows.weight.sum()
    usual = validation_loss(np.tile(frequency, (len(rows), 1)), rows, task)
    return max(0.0, 1 - left / usual) if usual > 0 else 0.0


def best_weight(
    of_students: NDArray,
    of_teacher: NDArray,
    loss: Callable[[NDArray], float],
    prior: tuple[float, float] | None = None,
) -> float:
    """The weight of ``of_students`` in the mixture with the least loss, in hundredths.

    With a prior, the mean and standard deviation of a normal distribution, the loss is a negative log likelihood.
    """

    def cost(weight: float) -> float:
        doubt = 0.0 if prior is None else (weight - prior[0]) ** 2 / (2 * prior[1] ** 2)
        return loss(weight * of_students + (1 - weight) * of_teacher) + doubt

    found = minimize_scalar(cost, bounds=(0, 1), method="bounded", options={"xatol": 1e-3})
    return round(float(min((0.0, float(found.x), 1.0), key=cost)), 2)
