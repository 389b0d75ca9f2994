"""How far to trust the labels against the teacher, by rows that neither teacher nor student has seen."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from sklearn.frozen import FrozenEstimator
from torch import nn

from sklkd._sklearn import _safe_indexing
from sklkd.estimators._merge import Merged
from sklkd.estimators._teach import Task, answers, teach
from sklkd.knowledge import Rows, TeacherFitter
from sklkd.students._resolve import resolve_student
from sklkd.teachers import Precomputed, Teacher

UNKNOWN = 0.1  # where nothing can be found out: the usual share of the labels (Hinton et al. 2015 and its followers)
FEWEST = 50  # distinct rows below which a quarter of them says nothing
HELD_OUT = 0.25
# A share as small as this is not worth it: the labels of few rows, seen again and again, are learnt by heart. With it
# 7 of 11 sets were better (phoneme, spambase and adult by 2 to 6 %), 4 worse by at most 1 %
DISCOUNT = 0.2
FLOOR = 1e-7  # of probabilities, where their logarithm is taken


def choose_hard_weight(
    merged: Merged,
    labels: NDArray,
    task: Task,
    *,
    student: Any,
    teacher: Any,
    adapter: Teacher,
    fitter: TeacherFitter,
    standardised: Any,
    seed: int,
) -> tuple[float, str]:
    """The share of the labels in a combination of teacher and student that does best on rows which neither has seen.

    A student is trained on the labels of three quarters of the rows. On the last quarter its answers are mixed with
    those of a teacher that has not seen these rows either: the given outputs where they are out-of-bag or
    cross-fitted, else a clone of the teacher, fitted on the same three quarters and then forgotten. The share of the
    student in the mixture with the least loss, s, says what the labels deserve: max(0, (s - 0.2) / 0.8), which is 0
    where the teacher knows nearly all that a network could learn from them, 1 where a network alone does better.

    Parameters
    ----------
    merged : Merged
    labels : ndarray
        The rows' labels or targets as the teacher is given them.
    task : Task
    student, teacher : object
        As the user passed them.
    adapter : Teacher
        Of the fitted teacher; gives thresholds.
    fitter : TeacherFitter
    standardised : callable
        Puts outputs into the units of ``merged.y``.
    seed : int

    Returns
    -------
    hard_weight : float
        Between 0 and 1. Where it cannot be found out (fewer than 50 distinct rows, or a teacher that can be neither
        cloned nor shown to be honest, such as a torch module or stored outputs) it is 0.1.
    reason : str
        What it rests on.
    """
    order = np.random.RandomState(seed).permutation(len(merged))
    n_held = int(HELD_OUT * len(merged))
    pool = order[merged.unseen[order]]
    honest = len(pool) >= 2 * n_held
    held = np.sort((pool if honest else order)[:n_held])
    rest = np.setdiff1d(order, held)
    if len(merged) < FEWEST or (task.classification and len(np.unique(merged.y[rest])) < 2):
        return UNKNOWN, "constant: too few distinct rows to hold some out"
    if not (honest or can_clone(teacher)):
        return UNKNOWN, "constant: the teacher has no answers for rows that it has not seen, and cannot be cloned"
    if honest:
        told: Any = merged.take(held).outputs
    else:
        rows = Rows(_safe_indexing(merged.X, rest), labels[rest], _varying(merged.weight[rest]))
        with warnings.catch_warnings():
            # a clone's complaints are those of the teacher, which has been heard
            warnings.simplefilter("ignore")
            try:
                probe = fitter.adapt(teacher, fitter.fit(thawed(teacher), rows, refit=True), rows, refit=True)
            except ValueError as error:
                return UNKNOWN, f"constant: a clone of the teacher could not be fitted on a part of the rows ({error})"
        told = standardised(probe.outputs(_safe_indexing(merged.X, held)))
    encoder, net = teach(resolve_student(student), task, merged.take(rest), [], [], 1.0, adapter, seed=seed)
    own = answers(encoder, net, _safe_indexing(merged.X, held))
    y, weight = merged.y[held], merged.weight[held]
    reason = f"{len(held)} rows held out from {'given answers' if honest else 'a clone of the teacher'} and a student"
    if task.classification:
        share = best_share(softmax(own, axis=1), told.proba, lambda mixed: log_loss(mixed, y, weight))
    else:
        share = best_share(own, told.values, lambda mixed: squared_error(mixed, y, weight))
    return round(max(0.0, (share - DISCOUNT) / (1 - DISCOUNT)), 2), reason


def best_share(own: NDArray, told: NDArray, loss: Any) -> float:
    """The share of ``own`` in the mixture with the least loss, in hundredths."""
    found = minimize_scalar(
        lambda share: loss(share * own + (1 - share) * told), bounds=(0, 1), method="bounded", options={"xatol": 1e-3}
    )
    return round(float(min((0.0, float(found.x), 1.0), key=lambda share: loss(share * own + (1 - share) * told))), 2)


def log_loss(proba: NDArray, y: NDArray, weight: NDArray) -> float:
    """Weighted mean of the negative log probability of the class."""
    return float(np.average(-np.log(np.maximum(proba[np.arange(len(y)), y], FLOOR)), weights=weight))


def squared_error(values: NDArray, y: NDArray, weight: NDArray) -> float:
    """Weighted mean of the squared error, over targets and rows."""
    return float(np.average(((values - y) ** 2).mean(1), weights=weight))


def can_clone(teacher: Any) -> bool:
    """Whether an unfitted clone of a teacher can be had."""
    if isinstance(teacher, list):
        return all(can_clone(member) for _, member in teacher)
    if isinstance(teacher, (nn.Module, Precomputed)) or not all(hasattr(teacher, one) for one in ("get_params", "fit")):
        return False
    # a distilled estimator without its teacher, or that learnt from given outputs
    return not (hasattr(teacher, "student_") and getattr(teacher, "teacher", teacher) is None)


def thawed(teacher: Any) -> Any:
    """A teacher whose clone is unfitted."""
    if isinstance(teacher, list):
        return [(name, thawed(member)) for name, member in teacher]
    return teacher.estimator if isinstance(teacher, FrozenEstimator) else teacher


def _varying(weight: NDArray) -> NDArray | None:
    return None if np.all(weight == weight[0]) else weight
