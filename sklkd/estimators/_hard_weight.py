"""How far to trust the labels against the teacher, by rows that neither teacher nor student has seen."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from torch import nn

from sklkd._sklearn import _safe_indexing
from sklkd.estimators._layers import TeacherLayers
from sklkd.estimators._merge import Merged
from sklkd.estimators._teach import Task, answers, teach
from sklkd.knowledge import Rows, TeacherFitter
from sklkd.students._resolve import Student, resolve_student
from sklkd.teachers import Outputs, Precomputed, Teacher

UNKNOWN = 0.1  # where nothing can be found out: the usual share of the labels (Hinton et al. 2015 and its followers)
FEWEST = 50  # distinct rows below which a quarter of them says nothing
HELD_OUT = 0.25
LABELS_HELD_OUT = 0.2  # of the rows, to stop by, where labels alone are learnt
# What the labels' own term gets of the rival's share, above a threshold. On 9 sets where it matters the rival's answers
# with half of it were better than labels alone with all of it on 5 (abalone 9 %, adult 8 % better, letter 9 % worse).
# On small sets (vehicle, breast_w, titanic) a quarter was better than a half, by 1 % of the teacher's loss at the mean
LABELS, THRESHOLD = 0.25, 0.2
# The share before anything is known, so that few rows move it little
PRIOR = (0.25, 0.3)
MEMBERS, ROUNDS, FASTEST = 100, 30, 0.3  # a sketch's members, least rounds and largest rate
FLOOR = 1e-7  # of probabilities, where their logarithm is taken


@dataclass(frozen=True)
class Trust:
    """How far teacher and labels are believed.

    Attributes
    ----------
    hard_weight : float
    reason : str
        What it rests on.
    share : float
        Of the rival in what the student is told.
    rival : callable or None
        Rows -> logits or standardised targets of a student that has learnt from labels alone.
    """

    hard_weight: float
    reason: str
    share: float = 0.0
    rival: Callable[[Any], NDArray] | None = None

    def tell(self, outputs: Outputs, X: Any) -> Outputs:
        """The teacher's standardised outputs for some rows, mixed with the rival's answers."""
        if self.rival is None:
            return outputs
        own = self.rival(X)
        if outputs.values is None:
            return Outputs(proba=self._mixed(softmax(own, axis=1), outputs.proba))
        return replace(outputs, values=self._mixed(own, outputs.values))

    def _mixed(self, own: NDArray, told: Any) -> NDArray:
        return self.share * own + (1 - self.share) * told


def choose_trust(
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
) -> Trust:
    """How far to believe the teacher, by rows that neither it nor a network has seen.

    A student, the rival, is trained on the labels of three quarters of the rows, as long as it gets better on the last
    quarter. There its answers are mixed with those of a teacher that has not seen these rows either: the given outputs
    where they are out-of-bag or cross-fitted, else a :func:`sketch` of the teacher, fitted on the same three quarters
    and then forgotten. The share of the rival in the mixture with the least loss, s, is its share in what the student
    is told of every row: 0 where the teacher knows all that a network could learn from labels, 1 where a network alone
    does better. The labels themselves get the weight max(0, (s - 0.2) / 0.8) / 4.

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
    Trust
        Where it cannot be found out (fewer than 50 distinct rows, or a teacher that can be neither cloned nor shown to
        be honest, such as a torch module or stored outputs) its ``hard_weight`` is 0.1, and there is no rival.
    """
    rest, held = hold_out(merged, seed)
    honest = bool(merged.unseen[held].all())
    if len(merged) < FEWEST or (task.classification and len(np.unique(merged.y[rest])) < 2):
        return Trust(UNKNOWN, "constant: too few distinct rows to hold some out")
    if not (honest or can_clone(teacher)):
        return Trust(
            UNKNOWN, "constant: the teacher has no answers for rows that it has not seen, and cannot be cloned"
        )
    if honest:
        told: Any = merged.take(held).outputs
    else:
        rows = Rows(_safe_indexing(merged.X, rest), labels[rest], _varying(merged.weight[rest]))
        with warnings.catch_warnings():
            # a clone's complaints are those of the teacher, which has been heard
            warnings.simplefilter("ignore")
            try:
                draft = sketch(thawed(teacher))
                probe = fitter.adapt(teacher, fitter.fit(draft, rows, refit=True), rows, refit=True)
            except ValueError as error:
                return Trust(
                    UNKNOWN, f"constant: a clone of the teacher could not be fitted on a part of the rows ({error})"
                )
        told = standardised(probe.outputs(_safe_indexing(merged.X, held)))
    alone = TeacherLayers([], adapter)
    encoder, net = teach(
        resolve_student(student), task, merged.take(rest), [], alone, 1.0, seed=seed, held=merged.take(held)
    )

    def rival(X: Any) -> NDArray:
        return answers(encoder, net, X)

    own = rival(_safe_indexing(merged.X, held))
    y, weight = merged.y[held], merged.weight[held]
    if task.classification:
        share = best_share(softmax(own, axis=1), told.proba, lambda mixed: len(y) * log_loss(mixed, y, weight), PRIOR)
    else:
        # of a normal distribution whose variance is the mean squared error
        share = best_share(own, told.values, lambda mixed: len(y) / 2 * log_error(mixed, y, weight), PRIOR)
    told_by = "given answers" if honest else "a clone of the teacher"
    reason = (
        f"{len(held)} rows held out from {told_by} and a student of the labels alone, "
        f"whose answers are {share:.0%} of the targets"
    )
    hard_weight = round(LABELS * max(0.0, (share - THRESHOLD) / (1 - THRESHOLD)), 2)
    return Trust(hard_weight, reason, share, rival if share else None)


def hold_out(merged: Merged, seed: int, share: float = HELD_OUT) -> tuple[NDArray, NDArray]:
    """Rows to train on, and rows to judge by: where they suffice, such as the teacher has not seen."""
    order = np.random.RandomState(seed).permutation(len(merged))
    n_held = max(1, int(share * len(merged)))
    pool = order[merged.unseen[order]]
    held = np.sort((pool if len(pool) >= 2 * n_held else order)[:n_held])
    return np.setdiff1d(np.arange(len(merged)), held), held


def hold_out_to_stop(student: Student, merged: Merged, task: Task, seed: int) -> tuple[Merged, Merged | None]:
    """Rows to learn the labels of, and others that say when to stop, where the student has no epochs of its own."""
    if not student.budgeted or len(merged) < FEWEST:
        return merged, None
    rest, held = hold_out(merged, seed, LABELS_HELD_OUT)
    if task.classification and len(np.unique(merged.y[rest])) < task.n_outputs:
        return merged, None
    return merged.take(rest), merged.take(held)


def sketch(teacher: Any) -> Any:
    """A teacher that costs a third and answers nearly as well: fewer trees.

    Bagged ensembles get 100 members, boosters a third of their rounds at three times the rate, wherever they stand in
    the teacher; everything else stays as it is.
    """
    if isinstance(teacher, list):
        return [(name, sketch(member)) for name, member in teacher]
    params = teacher.get_params(deep=True)
    fewer: dict[str, Any] = {}
    for name, rounds in params.items():
        prefix, _, last = name.rpartition("__")
        if last not in ("n_estimators", "max_iter", "iterations") or not isinstance(rounds, int):
            continue
        key = f"{prefix}__learning_rate" if prefix else "learning_rate"
        rate = params.get(key)
        if isinstance(rate, float) and rounds >= 3 * ROUNDS and 3 * rate <= FASTEST:
            fewer |= {name: rounds // 3, key: 3 * rate}
        elif key not in params and last == "n_estimators" and rounds > MEMBERS:
            fewer[name] = MEMBERS
    return clone(teacher).set_params(**fewer) if fewer else teacher


def best_share(own: NDArray, told: NDArray, loss: Any, prior: tuple[float, float] | None = None) -> float:
    """The share of ``own`` in the mixture with the least loss, in hundredths.

    With a prior, the mean and standard deviation of a normal distribution, the loss is a negative log likelihood.
    """

    def cost(share: float) -> float:
        doubt = 0.0 if prior is None else (share - prior[0]) ** 2 / (2 * prior[1] ** 2)
        return loss(share * own + (1 - share) * told) + doubt

    found = minimize_scalar(cost, bounds=(0, 1), method="bounded", options={"xatol": 1e-3})
    return round(float(min((0.0, float(found.x), 1.0), key=cost)), 2)


def log_loss(proba: NDArray, y: NDArray, weight: NDArray) -> float:
    """Weighted mean of the negative log probability of the class."""
    return float(np.average(-np.log(np.maximum(proba[np.arange(len(y)), y], FLOOR)), weights=weight))


def log_error(values: NDArray, y: NDArray, weight: NDArray) -> float:
    """Logarithm of the weighted mean squared error, over targets and rows."""
    error = np.average(((values - y) ** 2).mean(1), weights=weight)
    return float(np.log(max(error, np.finfo(float).tiny)))


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
