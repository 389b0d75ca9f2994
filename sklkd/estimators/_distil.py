"""One offline distillation, from rows and a teacher to a trained student."""

from __future__ import annotations

import copy
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import has_fit_parameter

from sklkd._named import check_names
from sklkd._sklearn import _num_samples, _safe_indexing
from sklkd.augment import MUNGE
from sklkd.estimators._base import tags_of
from sklkd.estimators._hard_weight import Trust, choose_trust, hold_out_to_stop
from sklkd.estimators._layers import NO_LAYERS, TeacherLayers
from sklkd.estimators._merge import Merged, Merger
from sklkd.estimators._own_steps import takes_gaps
from sklkd.estimators._targets import check_weight
from sklkd.estimators._teach import Unlabelled, column_thresholds, teach, teach_more
from sklkd.exceptions import TeacherWarning
from sklkd.knowledge import Knowledge, Rows, TeacherFitter, gather
from sklkd.losses import Loss
from sklkd.losses._checked import check_losses
from sklkd.students._resolve import resolve_student
from sklkd.students._train import learnt_losses
from sklkd.teachers import Outputs, Precomputed, accepts_missing, is_fitted

# At most. 60,000 are better than 30,000 by 0.4 % at the mean of 12 sets (covertype 2.6 %), but cost the teacher's
# answers: for 40,000 they are a quarter of the fit on adult
SYNTHETIC_ROWS, COPIES = 40_000, 10
# What orders synthetic rows: columns that the teacher splits most, and levels of each
ORDERED_BY, LEVELS = 4, 16
# Networks of the labels have learnt the real rows and are too sure of them: these weigh the less beside synthetic ones
# the more of their targets is from there, which is 8, -5 and 24 % of the loss on pendigits with three seeds. The
# labels' own term, a mean over the same rows, does not change
LEAST_WEIGHT = 0.02
# The labels' share where nothing else trains the output layer; what a hint is worth is its weight
BESIDE_HIDDEN = 0.5


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
        check_hard_weight(est.hard_weight, losses)
        self.spread = any(loss.needs_spread for _, loss in losses)
        student = resolve_student(est.student)
        teacher = given_teacher(est, teacher_outputs, [name for name, _ in losses])
        kept = is_fitted(teacher)
        rows = Rows(X, y, check_weight(sample_weight, X))
        est._learn_units(rows)
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
            ask=est.hard_weight != 1,
            spread=self.spread,
            n_jobs=est.n_jobs,
        )
        self.teacher = knowledge.teacher
        layers = TeacherLayers(losses if est.hard_weight != 1 else [], self.teacher, self._in_units)
        if knowledge.outputs is not None:
            knowledge = replace(knowledge, outputs=self._standardised(knowledge.outputs))
        merged = merger.merge(knowledge, est._numbers(y))
        if kept and merged.outputs is not None:
            self._compare_with_prior(merged)
        est._adapter = self.teacher if est.keep_teacher else None
        est.teacher_, est.teacher_refitted_ = (self.teacher.estimator if est.keep_teacher else None), not kept
        est.cv_, est.loss_ = knowledge.source, self._as_given(losses)
        est._allow_nan = self._takes_missing(merged)
        thresholds = column_thresholds(student, self.teacher, merged, train_seed)
        self.trust = self._choose_trust(merged, losses, teacher, fitter, thresholds, sample_seed)
        est.hard_weight_, est.hard_weight_reason_ = self.trust.hard_weight, self.trust.reason
        held = None
        if est.hard_weight_ == 1:
            losses, layers = [], NO_LAYERS
            merged, held = hold_out_to_stop(student, merged, est._wanted(), sample_seed)
        if merged.outputs is not None:
            merged = replace(merged, outputs=self.trust.tell(merged.outputs, merged.X))
        extra = self._unlabelled(X_transfer) if X_transfer is not None and losses else []
        est.augment_ = self._sampler(merged, X_transfer) if losses else None
        if est.augment_ is not None:
            extra = [*extra, self._synthetic(est.augment_, merged, thresholds, sample_seed)]
            merged = replace(merged, weight=merged.weight * max(1 - self.trust.share, LEAST_WEIGHT))
        est.encoder_, est.student_ = teach(
            student,
            est._wanted(),
            merged,
            extra,
            layers,
            est.hard_weight_,
            thresholds=thresholds,
            seed=train_seed,
            verbose=est.verbose,
            held=held,
        )
        est._allow_nan = est._allow_nan and takes_gaps(est.encoder_, merged.X)
        est._keep_units(est.student_)
        est.history_ = est.student_.history

    def go_on(self, X: Any, y: NDArray, sample_weight: Any, X_transfer: Any) -> None:
        """Train a fitted estimator's student further, on new rows."""
        est = self.est
        losses = learnt_losses(est.student_)
        self.spread = any(loss.needs_spread for _, loss in losses)
        self.teacher, self.trust = est._adapter, Trust(est.hard_weight_, est.hard_weight_reason_)
        if losses and self.teacher is None:
            raise ValueError(
                "partial_fit needs the teacher, which keep_teacher=False has dropped: set keep_teacher=True."
            )
        rows = Rows(X, y, check_weight(sample_weight, X))
        outputs = self._ask(X) if losses else None
        knowledge = Knowledge(self.teacher, outputs, np.zeros(len(y), bool), "in-sample")
        merged = Merger(rows).merge(knowledge, est._numbers(y))
        extra = self._unlabelled(X_transfer) if X_transfer is not None and losses else []
        seed = int(check_random_state(est.random_state).randint(2**31 - 1))
        net = copy.deepcopy(est.student_)
        layers = TeacherLayers(losses, self.teacher, self._in_units)
        est.student_ = teach_more(est.encoder_, net, est._wanted(), merged, extra, layers, seed=seed)
        if losses:
            est.loss_ = self._as_given(learnt_losses(est.student_))
        est.history_ = est.student_.history

    def _as_given(self, losses: list[tuple[str, Any]]) -> Any:
        """One loss or a list of named ones, as the user gave them."""
        return losses if isinstance(self.est.loss, list) else losses[0][1]

    def _takes_missing(self, merged: Merged) -> bool:
        """Whether the teacher answers for rows with missing values; an error if it does not and is given some."""
        if merged.coded is None:
            return False
        gaps = np.flatnonzero(np.isnan(merged.coded).any(axis=1))
        if len(gaps) == 0:
            return accepts_missing(self.teacher, _safe_indexing(merged.X, [0]))
        if merged.outputs is None and self.teacher.answers_new_rows:
            # it has not been asked for any of these yet
            self.teacher.outputs(_safe_indexing(merged.X, gaps[:1]))
        return True

    def _choose_trust(
        self,
        merged: Merged,
        losses: list[tuple[str, Loss]],
        teacher: Any,
        fitter: TeacherFitter,
        thresholds: list[tuple[NDArray, NDArray]],
        seed: int,
    ) -> Trust:
        if self.est.hard_weight != "auto":
            return Trust(float(self.est.hard_weight), "given")
        if losses[0][1].always_alone:
            return Trust(0.0, f"constant: {type(losses[0][1]).__name__} trains alone")
        if not any(loss.teaches_output for _, loss in losses):
            return Trust(BESIDE_HIDDEN, "constant: no loss compares outputs, so that labels alone teach the last layer")
        labels = merged.y * self.est._scale + self.est._center if self.classes is None else self.classes[merged.y]
        return choose_trust(
            merged,
            labels[:, 0] if self.classes is None and self.est._y_ndim == 1 else labels,
            self.est._wanted(),
            student=self.est.student,
            teacher=teacher,
            fitter=fitter,
            thresholds=thresholds,
            standardised=self._standardised,
            seed=seed,
        )

    def _in_units(self, values: NDArray) -> NDArray:
        """Values of a regression teacher, (..., n_targets), in units of the target's standard deviation."""
        return values if self.classes is not None else (values - self.est._center) / self.est._scale

    def _standardised(self, outputs: Any) -> Outputs:
        """Outputs of a regression teacher in units of the target's standard deviation."""
        if self.classes is not None:
            return outputs
        if outputs.values.shape[1] != len(self.est._center):
            raise ValueError(
                f"the teacher gives {outputs.values.shape[1]} value(s) per row, but y has {len(self.est._center)}."
            )
        spread = None if outputs.spread is None else outputs.spread / self.est._scale
        return replace(outputs, values=self._in_units(outputs.values), spread=spread)

    def _ask(self, X: Any) -> Outputs:
        if not self.teacher.answers_new_rows:
            raise ValueError(
                "X_transfer, augment and partial_fit need a teacher that can be asked about new rows, got outputs of "
                "the first rows alone: pass the teacher, or X_transfer=None and augment=None."
            )
        return self.trust.tell(self._standardised(self.teacher.outputs(X, spread=self.spread)), X)

    def _unlabelled(self, X_transfer: Any) -> list[Unlabelled]:
        try:
            X = self.est._check_X(X_transfer, reset=False, allow_nan=self.est._allow_nan)
        except ValueError as error:
            raise ValueError(f"X_transfer must be rows like those of X: {error}") from error
        return [Unlabelled(X, self._ask(X), np.ones(_num_samples(X)))]

    def _sampler(self, merged: Merged, X_transfer: Any) -> Any:
        """What makes synthetic rows: "auto" makes none where the user has unlabelled rows or outputs alone."""
        if not isinstance(self.est.augment, str):
            return clone(self.est.augment, safe=False)
        if X_transfer is not None or not self.teacher.answers_new_rows or merged.coded is None or len(merged) < 2:
            return None
        return MUNGE()

    def _synthetic(
        self, sampler: Any, merged: Merged, thresholds: list[tuple[NDArray, NDArray]], seed: int
    ) -> Unlabelled:
        n = min(COPIES * len(merged), max(SYNTHETIC_ROWS, len(merged)))
        # a fitted sampler holds the rows; the estimator keeps what it was told to do
        sampler = clone(sampler, safe=False)
        # rows are drawn as often as they weigh, which shares a row's weight among its copies
        weighted = not np.allclose(merged.weight, 1) and has_fit_parameter(sampler, "sample_weight")
        sampler.fit(merged.X, **({"sample_weight": merged.weight} if weighted else {}))
        X = like_after_like(sampler.sample(n, random_state=seed), merged.codec, thresholds)
        return Unlabelled(X, self._ask(X), np.ones(n))

    def _compare_with_prior(self, merged: Merged) -> None:
        """Warn where a kept teacher does worse on the given rows than the class prior or the mean."""
        # squared errors (Brier's, for classes): a sure answer that is wrong is not infinitely wrong
        outputs: Any = merged.outputs
        truth, told = merged.y, outputs.values
        if self.classes is not None:
            truth, told = np.eye(len(self.classes))[merged.y], outputs.proba
        prior = np.average(truth, axis=0, weights=merged.weight)
        error, usual = (np.average(((one - truth) ** 2).sum(1), weights=merged.weight) for one in (told, prior))
        if usual > 0 and error > usual * (1 + 1e-6):
            rival = "class prior" if self.classes is not None else "mean"
            cause = (
                "it was fitted on other columns than it is given here, such as unscaled ones when it now stands behind "
                "a Pipeline's scaler"
            )
            if not self.teacher.answers_new_rows:
                cause = "they are in another order than the rows of X, or their columns in another than the classes"
            warnings.warn(
                f"the {'fitted teacher does' if self.teacher.answers_new_rows else 'given outputs do'} worse on the "
                f"given rows than the {rival} alone. Usually {cause}.",
                TeacherWarning,
                stacklevel=5,
            )


def like_after_like(X: Any, codec: Any, thresholds: list[tuple[NDArray, NDArray]]) -> Any:
    """The rows of X in an order in which those that trees answer alike follow each other.

    Their paths through a tree are then mostly the one before, which the processor has at hand: forests of 300 trees
    answer 40,000 rows of phoneme, electricity, california_housing and letter in 0.56 to 0.66 of the time.
    """
    if codec is None or not thresholds:
        return X
    most_split = np.argsort([-gain.sum() for _, gain in thresholds], kind="stable")[:ORDERED_BY]
    ranks = np.argsort(np.argsort(codec.transform(X)[:, most_split], axis=0), axis=0)
    return _safe_indexing(X, np.lexsort((ranks * LEVELS // len(ranks)).T[::-1]))


def check_hard_weight(hard_weight: Any, losses: list[tuple[str, Loss]]) -> None:
    """Raise where nothing would train the student's output, or where a loss that trains alone is not by itself."""
    for _, loss in losses:
        if loss.always_alone and (len(losses) > 1 or hard_weight not in ("auto", 0, 1)):
            what = f"{len(losses)} losses" if len(losses) > 1 else f"hard_weight={hard_weight}"
            raise ValueError(
                f"{type(loss).__name__} trains alone, without labels or other losses; got {what}. Pass it by itself, "
                "with hard_weight='auto'."
            )
    if hard_weight == 0 and not any(loss.teaches_output for _, loss in losses):
        names = ", ".join(type(loss).__name__ for _, loss in losses)
        raise ValueError(
            f"hard_weight must be > 0 with losses on hidden layers alone ({names}), which do not train the student's "
            "output; got hard_weight=0. Raise it, or add a loss on outputs such as SoftTargetLoss."
        )


def given_teacher(estimator: Any, teacher_outputs: Any, loss_names: list[str]) -> Any:
    """The teacher to distil, or the outputs in its place."""
    if teacher_outputs is not None:
        return Precomputed(teacher_outputs)
    teacher = estimator.teacher
    if teacher is None:
        raise TypeError(
            "teacher must be an estimator, a torch module, a list of (name, teacher) or Precomputed, got teacher=None; "
            "or pass teacher_outputs to fit."
        )
    if isinstance(teacher, list):
        check_names("teacher", teacher, {*estimator.get_params(deep=False), *loss_names})
    for one in [one for _, one in teacher] if isinstance(teacher, list) else [teacher]:
        if isinstance(one, type):
            raise TypeError(f"teacher must be an instance, got the class {one.__name__}: call it, {one.__name__}().")
        kind, other = (
            ("classifier", "regressor") if estimator._task == "classification" else ("regressor", "classifier")
        )
        if tags_of(one).estimator_type == other:
            raise TypeError(f"teacher must be a {kind} here, got {type(one).__name__}, which is a {other}.")
    return teacher
