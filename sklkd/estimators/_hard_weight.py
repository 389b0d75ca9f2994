"""How far to trust the labels against the teacher, by rows that neither teacher nor student has seen."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import softmax

from sklkd._sklearn import _safe_indexing
from sklkd.estimators._layers import NO_LAYERS
from sklkd.estimators._merge import Merged
from sklkd.estimators._sketch import can_clone, sketch, thawed
from sklkd.estimators._teach import Task, answers, teach
from sklkd.knowledge import Rows, TeacherFitter
from sklkd.students._resolve import Student, resolve_student
from sklkd.teachers import Outputs

UNKNOWN = 0.1  # where nothing can be found out: the usual share of the labels (Hinton et al. 2015 and its followers)
FEWEST = 50  # distinct rows below which a quarter of them says nothing
HELD_OUT = 0.25
LABELS_HELD_OUT = 0.2  # of the rows, to stop by, where labels alone are learnt
# Rivals, each with another quarter held out. The first half of them is judged: clones of the teacher for the other half
# too were better by 0.4 % at the median of 14 runs on seven small sets, for 19 % more time. The other half is trained
# where they are heard
RIVALS, RIVALS_OF_MANY, MANY = 4, 2, 2_000
# What the labels' own term gets of the rivals' share, above a threshold, and the power of the part of the log loss that
# is explained: where classes are noisy, the term makes the student sure of noise. With four rivals, a quarter against
# nothing: vehicle -3.7 and -9.7 % of the teacher's loss, credit_g +3.7 and +3.5 %, titanic -20 and -22 %, but
# mfeat_factors -40 and -34 %; with two, pendigits -44 and -37 %, letter -28 and -20 %. A half was worse on 8 of 9
LABELS, NOISE = 0.25, 3
# The share up to which the rivals are not heard: the teacher knows more than its clone, beside which they were judged.
# Unheard, 8 of 15 such runs are better, by 0.2 % at the mean, and two where the clone is far behind by 4 and 6 %
THRESHOLD = 0.2
# The share before anything is known, so that few rows move it little
PRIOR = (0.25, 0.3)
# A clone has failed where its loss on rows that it and the teacher have seen, of which so many are compared, is above
# the teacher's by more than this part of its loss on unseen rows. With three seeds of 11 sets it is at most 0.11, on
# shuttle, where it diverges, 0.8 to 1, on kddcup99 0.1 to 0.6; it is then up to 33 times worse on unseen rows as well
FAILED, COMPARED = 0.5, 2_000
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
        Rows -> probabilities or standardised targets of students that have learnt from labels alone, averaged.
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
            return Outputs(proba=self._mixed(own, outputs.proba))
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
    fitter: TeacherFitter,
    thresholds: list[tuple[NDArray, NDArray]],
    standardised: Any,
    seed: int,
) -> Trust:
    """How far to believe the teacher, by rows that neither it nor a network has seen.

    A student, the rival, is trained on the labels of three quarters of the rows, as long as it gets better on the last
    quarter. There its answers are mixed with those of a teacher that has not seen these rows either: the given outputs
    where they are out-of-bag or cross-fitted, else a :func:`sketch` of the teacher, or a whole clone where that fails,
    fitted on the same three quarters and then forgotten. The share of the rival in the mixture with the least loss, s,
    is its share in what the student is told of every row: 0 where the teacher knows all that a network could learn from
    labels, 1 where a network alone does better. The labels themselves get the weight max(0, (s - 0.2) / 0.8) / 4, for
    classes times the cube of the part of their log loss that the mixture explains.

    There are two rivals with another quarter held out each, and of less than 2,000 rows four, half of which say what
    the share is; the others are trained where it is above 0.2. The student is told their mean, which errs less than
    each.

    Parameters
    ----------
    merged : Merged
    labels : ndarray
        The rows' labels or targets as the teacher is given them.
    task : Task
    student, teacher : object
        As the user passed them.
    fitter : TeacherFitter
    thresholds : list of (ndarray, ndarray)
        The teacher's, for the rivals' encoding.
    standardised : callable
        Puts outputs into the units of ``merged.y``.
    seed : int

    Returns
    -------
    Trust
        Where it cannot be found out (fewer than 50 distinct rows, or a teacher that can be neither cloned nor shown to
        be honest, such as a torch module or stored outputs, or whose clone is far worse than it) its ``hard_weight`` is
        0.1, and there is no rival.
    """
    parts = hold_outs(merged, seed, RIVALS_OF_MANY if len(merged) >= MANY else RIVALS)
    judged = parts[: len(parts) // 2]
    honest = all(bool(merged.unseen[held].all()) for _, held in judged)
    if len(merged) < FEWEST or (task.classification and any(len(np.unique(merged.y[rest])) < 2 for rest, _ in parts)):
        return Trust(UNKNOWN, "constant: too few distinct rows to hold some out")
    if not (honest or can_clone(teacher)):
        return Trust(
            UNKNOWN, "constant: the teacher has no answers for rows that it has not seen, and cannot be cloned"
        )
    told = []
    for rest, held in judged:
        outputs: Any = merged.take(held).outputs
        if not honest:
            try:
                outputs = _stand_in(
                    teacher,
                    fitter,
                    merged.take(rest),
                    labels[rest],
                    merged.take(held),
                    classification=task.classification,
                    standardised=standardised,
                )
            except ValueError as error:
                return Trust(
                    UNKNOWN, f"constant: a clone of the teacher could not be fitted on a part of the rows ({error})"
                )
            if outputs is None:
                return Trust(
                    UNKNOWN,
                    "constant: a clone of the teacher, fitted on a part of the rows, is far worse than it on these",
                )
        told.append(outputs.proba if task.classification else outputs.values)

    def trained(number: int) -> Callable:
        rest, held = parts[number]
        encoder, net = teach(
            resolve_student(student),
            task,
            merged.take(rest),
            [],
            NO_LAYERS,
            1.0,
            thresholds=thresholds,
            seed=seed + number,
            held=merged.take(held),
        )
        return _answering(encoder, net, task)

    rivals = [trained(number) for number in range(len(judged))]
    own = [rival(_safe_indexing(merged.X, held)) for rival, (_, held) in zip(rivals, judged, strict=True)]
    judges = merged.take(np.concatenate([held for _, held in judged]))
    share, explained = weighed(np.concatenate(own), np.concatenate(told), judges, task.classification)
    told_by = "given answers" if honest else "a clone of the teacher"
    reason = f"{len(judges)} rows held out from {told_by} and from students of the labels alone, whose answers are "
    if share <= THRESHOLD:
        return Trust(0.0, reason + "0% of the targets")
    rivals += [trained(number) for number in range(len(judged), len(parts))]
    hard_weight = round(LABELS * explained**NOISE * (share - THRESHOLD) / (1 - THRESHOLD), 2)

    def rival(X: Any) -> NDArray:
        return np.mean([one(X) for one in rivals], axis=0)

    return Trust(hard_weight, f"{reason}{share:.0%} of the targets", share, rival)


def _stand_in(
    teacher: Any,
    fitter: TeacherFitter,
    seen: Merged,
    labels: NDArray,
    held: Merged,
    *,
    classification: bool,
    standardised: Callable[[Any], Outputs],
) -> Outputs | None:
    """What a teacher that had seen some rows alone would answer for others.

    It is what a :func:`sketch` of the teacher says, or a whole clone where the sketch fails: where much of its loss on
    unseen rows is there on seen ones too and is not the teacher's, as with boosters that diverge on rare classes.
    None if the clone fails as well.
    """
    rows, whole = Rows(seen.X, labels, _varying(seen.weight)), thawed(teacher)
    some = seen.take(np.arange(0, len(seen), math.ceil(len(seen) / COMPARED)))
    usual, quick = _error(some.outputs, some, classification), sketch(whole)
    for draft in [quick] if quick is whole else [quick, whole]:
        with warnings.catch_warnings():
            # a clone's complaints are those of the teacher, which has been heard
            warnings.simplefilter("ignore")
            probe = fitter.adapt(teacher, fitter.fit(draft, rows, refit=True), rows, refit=True)
        told, again = (standardised(probe.outputs(part.X)) for part in (held, some))
        if _error(again, some, classification) - usual <= FAILED * _error(told, held, classification):
            return told
    return None


def _error(outputs: Any, rows: Merged, classification: bool) -> float:
    """Log loss, or the root of the mean squared error of standardised targets."""
    if classification:
        return log_loss(outputs.proba, rows.y, rows.weight)
    return math.exp(log_error(outputs.values, rows.y, rows.weight) / 2)


def _answering(encoder: Any, net: Any, task: Task) -> Callable:
    """Rows -> probabilities or standardised targets of a trained student."""

    def rival(X: Any) -> NDArray:
        own = answers(encoder, net, X)
        return softmax(own, axis=1) if task.classification else own

    return rival


def weighed(own: NDArray, told: NDArray, rows: Merged, classification: bool) -> tuple[float, float]:
    """The rivals' share in the best mixture on rows that neither they nor the teacher have seen, and what it explains.

    That is the part of the log loss of the classes' frequencies that the mixture saves; 1 for regression, where the
    labels' term makes nobody too sure.
    """
    y, weight = rows.y, rows.weight
    if not classification:
        # of a normal distribution whose variance is the mean squared error
        return best_share(own, told, lambda mixed: len(y) / 2 * log_error(mixed, y, weight), PRIOR), 1.0
    share = best_share(own, told, lambda mixed: len(y) * log_loss(mixed, y, weight), PRIOR)
    frequency = np.bincount(y, weight, minlength=own.shape[1]) / weight.sum()
    usual = log_loss(np.tile(frequency, (len(y), 1)), y, weight)
    left = log_loss(share * own + (1 - share) * told, y, weight)
    return share, max(0.0, 1 - left / usual) if usual > 0 else 0.0


def hold_out(merged: Merged, seed: int, share: float = HELD_OUT) -> tuple[NDArray, NDArray]:
    """Rows to train on, and rows to judge by: where they suffice, such as the teacher has not seen."""
    return hold_outs(merged, seed, 1, share)[0]


def hold_outs(merged: Merged, seed: int, n_parts: int, share: float = HELD_OUT) -> list[tuple[NDArray, NDArray]]:
    """The same for several parts, of which no two have a row to judge by in common."""
    order = np.random.RandomState(seed).permutation(len(merged))
    n_held = max(1, int(share * len(merged)))
    pool = order[merged.unseen[order]]
    if len(pool) < max(2, n_parts) * n_held:
        pool = order
    held = [np.sort(pool[start : start + n_held]) for start in range(0, n_parts * n_held, n_held)]
    return [(np.setdiff1d(np.arange(len(merged)), one), one) for one in held]


def hold_out_to_stop(student: Student, merged: Merged, task: Task, seed: int) -> tuple[Merged, Merged | None]:
    """Rows to learn the labels of, and others that say when to stop, where the student has no epochs of its own."""
    if not student.budgeted or len(merged) < FEWEST:
        return merged, None
    rest, held = hold_out(merged, seed, LABELS_HELD_OUT)
    if task.classification and len(np.unique(merged.y[rest])) < task.n_outputs:
        return merged, None
    return merged.take(rest), merged.take(held)


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


def _varying(weight: NDArray) -> NDArray | None:
    return None if np.all(weight == weight[0]) else weight
