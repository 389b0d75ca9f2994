"""One offline distillation, from rows and a teacher to a trained student."""

from __future__ import annotations

import copy
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from sklkd._sklearn import _num_samples, _safe_indexing
from sklkd.estimators._base import check_losses
from sklkd.estimators._hard_weight import choose_hard_weight
from sklkd.estimators._merge import Merged, Merger
from sklkd.estimators._targets import check_scale, check_weight
from sklkd.estimators._teach import Task, Unlabelled, teach, teach_more
from sklkd.exceptions import TeacherWarning
from sklkd.knowledge import Knowledge, Rows, TeacherFitter, gather
from sklkd.students._resolve import resolve_student
from sklkd.students._train import keep_units, logits_to_proba
from sklkd.teachers import Outputs, Precomputed, accepts_missing, adapt, is_fitted

SYNTHETIC_ROWS, COPIES = 60_000, 10  # at most; more pays little against what the teacher's answers cost


class Distillation:
    """Runs one fit of an estimator and leaves the result in it.

    Parameters
    ----------
    estimator : DistilledClassifier or DistilledRegressor
        Its parameters say how, its ``_task`` and ``_default_loss`` what.
    classes : ndarray or None
        Sorted classes; None for regression.
    """

    def __init__(self, estimator: Any, classes: NDArray | None):
        self.est, self.classes = estimator, classes

    def run(self, X: Any, y: NDArray, sample_weight: Any, X_transfer: Any, teacher_outputs: Any) -> None:
        """Fit the teacher where needed, gather what it knows, train the student."""
        est = self.est
        losses = check_losses(est.loss, est._default_loss(), est._task, set(est.get_params(deep=False)))
        student = resolve_student(est.student)
        teacher = given_teacher(est.teacher, teacher_outputs)
        kept = is_fitted(teacher)
        rows = Rows(X, y, check_weight(sample_weight, X))
        rng = check_random_state(est.random_state)
        sample_seed, train_seed, teacher_seed = rng.randint(2**31 - 1, size=3).tolist()
        fitter = TeacherFitter(est, self.classes, None if est.random_state is None else teacher_seed)
        merger = Merger(rows)
        knowledge = gather(
            fitter,
            teacher,
            rows,
            cv=est.cv,
            groups=merger.groups,
            kept=kept,
            ask=est.hard_weight != 1,
            n_jobs=est.n_jobs,
        )
        self.teacher = knowledge.teacher
        self._learn_units(rows)
        merged = merger.merge(knowledge, self._numbers(y), self._standardised)
        if kept and merged.outputs is not None:
            self._compare_with_prior(merged)
        est.teacher_, est.teacher_refitted_ = (self.teacher.estimator if est.keep_teacher else None), not kept
        est.cv_ = knowledge.source
        est._allow_nan = self.teacher.answers_new_rows and accepts_missing(self.teacher, _safe_indexing(merged.X, [0]))
        est.hard_weight_, self.reason = choose_hard_weight(est.hard_weight)
        if est.hard_weight_ == 1:
            losses = []
        extra = self._unlabelled(X_transfer) if X_transfer is not None and losses else []
        est.augment_ = self._sampler(merged, X_transfer) if losses else None
        if est.augment_ is not None:
            extra = extra + [self._synthetic(est.augment_, merged, sample_seed)]
        est.encoder_, est.student_ = teach(
            student,
            self.task,
            merged,
            extra,
            losses,
            est.hard_weight_,
            self.teacher,
            seed=train_seed,
            verbose=est.verbose,
        )
        if self.classes is None:
            keep_units(est.student_, est._center, est._scale)
        else:
            est.student_.predict_nonlinearity = logits_to_proba
        est.loss_, est.history_ = est.student_.criterion_, est.student_.history

    def go_on(self, X: Any, y: NDArray, sample_weight: Any, X_transfer: Any) -> None:
        """Train a fitted estimator's student further, on new rows."""
        est = self.est
        if est.teacher_ is None and est.hard_weight_ < 1:
            raise ValueError("partial_fit needs the teacher, which keep_teacher=False or without_teacher() has dropped.")
        rows = Rows(X, y, check_weight(sample_weight, X))
        losses = list(zip(est.loss_.names, est.loss_.losses, strict=True))
        self.teacher = adapt(est.teacher_, self.classes, missing="floor")
        outputs = self.teacher.outputs(X) if losses else None
        knowledge = Knowledge(self.teacher, outputs, np.zeros(len(y), bool), "in-sample")
        merged = Merger(rows).merge(knowledge, self._numbers(y), self._standardised)
        extra = self._unlabelled(X_transfer) if X_transfer is not None and losses else []
        seed = int(check_random_state(est.random_state).randint(2**31 - 1))
        net = copy.deepcopy(est.student_)
        est.student_ = teach_more(est.encoder_, net, self.task, merged, extra, losses, seed=seed)
        est.loss_, est.history_ = est.student_.criterion_, est.student_.history

    @property
    def task(self) -> Task:
        if self.classes is not None:
            return Task(True, len(self.classes))
        return Task(False, len(self.est._center))

    def _learn_units(self, rows: Rows) -> None:
        if self.classes is None:
            self.est._center, self.est._scale = check_scale(rows.y.reshape(len(rows.y), -1), rows.weight)

    def _numbers(self, y: NDArray) -> NDArray:
        """Class codes (n,), or standardised targets (n, n_targets)."""
        if self.classes is not None:
            return np.searchsorted(self.classes, y)
        return (y.reshape(len(y), -1) - self.est._center) / self.est._scale

    def _standardised(self, outputs: Outputs) -> Outputs:
        """Outputs of a regression teacher in units of the target's standard deviation."""
        if self.classes is not None:
            return outputs
        if outputs.values.shape[1] != len(self.est._center):
            raise ValueError(
                f"the teacher gives {outputs.values.shape[1]} value(s) per row, but y has {len(self.est._center)}."
            )
        spread = None if outputs.spread is None else outputs.spread / self.est._scale
        return replace(outputs, values=(outputs.values - self.est._center) / self.est._scale, spread=spread)

    def _ask(self, X: Any) -> Outputs:
        if not self.teacher.answers_new_rows:
            raise ValueError(
                "X_transfer and augment need a teacher that can be asked about new rows, got outputs of the training "
                "rows alone: pass the teacher, or X_transfer=None and augment=None."
            )
        return self._standardised(self.teacher.outputs(X))

    def _unlabelled(self, X_transfer: Any) -> list[Unlabelled]:
        X = self.est._check_X(X_transfer, reset=False, allow_nan=self.est._allow_nan)
        return [Unlabelled(X, self._ask(X), np.ones(_num_samples(X)))]

    def _sampler(self, merged: Merged, X_transfer: Any) -> Any:
        """What makes synthetic rows: "auto" makes none where the user has unlabelled rows or outputs alone."""
        if not isinstance(self.est.augment, str):
            return self.est.augment
        if X_transfer is not None or not self.teacher.answers_new_rows or merged.coded is None or len(merged) < 2:
            return None
        from sklkd.augment import MUNGE

        return MUNGE()

    def _synthetic(self, sampler: Any, merged: Merged, seed: int) -> Unlabelled:
        n = min(COPIES * len(merged), max(SYNTHETIC_ROWS, len(merged)))
        X = sampler.fit(merged.X).sample(n, random_state=seed)
        return Unlabelled(X, self._ask(X), np.ones(n))

    def _compare_with_prior(self, merged: Merged) -> None:
        """Warn where a kept teacher does worse on the given rows than the class prior or the mean."""
        if self.classes is not None:
            prior = np.bincount(merged.y, merged.weight, minlength=len(self.classes))[merged.y] / merged.weight.sum()
            told = np.maximum(merged.outputs.proba[np.arange(len(merged)), merged.y], 1e-4)
            worse = np.average(-np.log(told), weights=merged.weight) > np.average(-np.log(prior), weights=merged.weight)
        else:
            errors = ((merged.outputs.values - merged.y) ** 2).mean(1)
            worse = np.average(errors, weights=merged.weight) > np.average((merged.y**2).mean(1), weights=merged.weight)
        if worse:
            warnings.warn(
                f"the fitted teacher does worse on the given rows than the "
                f"{'class prior' if self.classes is not None else 'mean'} alone. Usually it was fitted on other columns "
                "than it is given here, such as unscaled ones when it now stands behind a Pipeline's scaler.",
                TeacherWarning,
                stacklevel=5,
            )


def given_teacher(teacher: Any, teacher_outputs: Any) -> Any:
    """The teacher to distil, or the outputs in its place."""
    if teacher_outputs is not None:
        return Precomputed(teacher_outputs)
    if teacher is None:
        raise TypeError("teacher must be an estimator, a torch module, a list of (name, teacher) or Precomputed, got None.")
    if isinstance(teacher, type):
        raise TypeError(f"teacher must be an instance, got the class {teacher.__name__}: call it, {teacher.__name__}().")
    return teacher
