"""What label-only students and labels weigh beside the teacher, decided on validation rows.

Label-only students are the student's own network, trained on labels only, each with part of the rows held out. Where
labels answer the question that the teacher answers, their mean predictions are blended into the targets of the losses,
with the weight that is best on rows that neither they nor the teacher have seen; the labels' own term in the loss gets
a part of that weight. Where labels answer another question (a quantile, reweighted probabilities), both are 0.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import NDArray

from sklkd._checkpoint import NOTHING_KEPT, Checkpoint
from sklkd._progress import SILENT, Progress
from sklkd._side_by_side import side_by_side
from sklkd._storage import Storage
from sklkd.estimators._student_fit import Thresholds
from sklkd.estimators._task import Task, of_outputs
from sklkd.estimators._training import AnyTrained, fit_encoder, training_of
from sklkd.estimators._validation import FEWEST, Split, validation_loss, validation_splits
from sklkd.estimators.offline._account import DistillationAccount
from sklkd.estimators.offline._mixture import Validated, compare
from sklkd.estimators.offline._teacher_clones import TeacherClones
from sklkd.losses import Loss
from sklkd.rows import Rows
from sklkd.students._estimator_student import resolve_any
from sklkd.teachers import (
    Estimand,
    Outputs,
    can_clone,
    confirm_estimand,
    is_fitted,
    natural_if_balanced,
    shifted_in_error,
)

UNKNOWN = 0.1  # hard_weight where nothing can be found out: the usual one (Hinton et al. 2015 and its followers)
BESIDE_HIDDEN = 0.5  # where no loss compares outputs; what a hint is worth is its weight
HELD_OUT = 0.25  # of the rows, for each label-only student
# Label-only students, by the least number of rows; the first half is validated (benchmarks/README.md, "Targets" and
# "Time of a fit")
STUDENTS = {34_000: 1, 2_000: 2, 0: 4}
# One has failed, and is left out of the targets, where its loss on its held-out rows is above this times the least of
# all, and this more (benchmarks/README.md, "No harm")
FAILED, CLOSE = 2.0, 0.2
# Of the students' weight above THRESHOLD the labels' own term gets a quarter, for classes times the cube of the part of
# the log loss that is explained: noisy labels make a student sure of noise (benchmarks/README.md, "Labels")
LABELS, NOISE = 0.25, 3
# A teacher knows more than its clone, beside which the students were validated (benchmarks/README.md, "Targets")
THRESHOLD = 0.2


@dataclass(frozen=True, eq=False)
class Blending:
    """The targets of a fit: the teacher's outputs, blended with those of label-only students.

    Attributes
    ----------
    account : DistillationAccount
    students : tuple of AnyTrained
        Label-only students; empty where their weight is 0.
    imitates : bool, default=False
        Whether the teacher alone is to be followed: because the user asks for it, or since labels answer another
        question; not where labels merely add nothing.
    synthetic : bool, default=True
        Whether synthetic rows are made, where the user leaves it open.
    """

    account: DistillationAccount
    students: tuple[AnyTrained, ...] = ()
    imitates: bool = False
    synthetic: bool = True

    @property
    def blend(self) -> float:
        return self.account.blend

    @property
    def hard_weight(self) -> float:
        return self.account.hard_weight

    def targets(self, rows: Rows) -> Rows:
        """The rows with blended outputs in place of the teacher's."""
        if not self.students or rows.outputs is None:
            return rows
        predicted = np.mean([student.predictions(rows) for student in self.students], axis=0)
        return replace(rows, outputs=_blended(predicted, self.blend, rows.outputs))

    def with_labels(self, rows: Rows, task: Task) -> Rows:
        """Labelled rows with their labels in the place of label-only students: for students that are no networks.

        What a label-only student predicts for a row that it has seen is little else, but smoother, which networks are
        better by, and boosters worse (benchmarks/README.md, "Students of other kinds").
        """
        if not self.students or rows.outputs is None:
            return rows
        labels = np.eye(task.n_outputs)[rows.y] if task.classification else rows.y
        return replace(rows, outputs=_blended(labels, self.blend, rows.outputs))

    def with_notes(self, notes: Sequence[str]) -> Blending:
        """The same, with more to say."""
        return replace(self, account=replace(self.account, notes=(*self.account.notes, *notes)))


def _blended(others: NDArray, weight: float, outputs: Outputs) -> Outputs:
    blended = weight * others + (1 - weight) * of_outputs(outputs)
    return Outputs(proba=blended) if outputs.values is None else replace(outputs, values=blended)


class Undecided(Exception):
    """Nothing can be found out on validation rows; the message says why."""


@dataclass
class BlendingDecision:
    """Decides ``blend`` and ``hard_weight`` of a fit.

    Attributes
    ----------
    rows : Rows
        Distinct rows with the teacher's outputs.
    clones : TeacherClones
    student : object
        As the user passed it.
    thresholds : list of (ndarray, ndarray)
        The teacher's, for the encoding.
    losses : list of (str, Loss)
    seed : int
    storage : Storage
        Where large arrays are kept.
    n_jobs : int or None
        Clones, and label-only students, at once.
    checkpoint : Checkpoint, default=NOTHING_KEPT
        Keeps the decision, and what it rests on.
    progress : Progress, default=SILENT
        Told of each epoch of a label-only student.
    """

    rows: Rows
    clones: TeacherClones
    student: Any
    thresholds: Thresholds
    losses: list[tuple[str, Loss]]
    seed: int
    storage: Storage = field(default_factory=Storage)
    n_jobs: int | None = None
    checkpoint: Checkpoint = NOTHING_KEPT
    progress: Progress = SILENT
    _trained: dict[int, AnyTrained] = field(default_factory=dict)
    _predicted: dict[int, NDArray] = field(default_factory=dict)
    _encoder: Any = None

    @property
    def task(self) -> Task:
        return self.clones.task

    def decide(self, estimand: Estimand, threshold: float | None, *, hard_weight: Any, blend: Any) -> Blending:
        """The blending.

        Parameters
        ----------
        estimand : Estimand
            What the teacher says that it estimates.
        threshold : float or None
            The decision threshold of a teacher that has one.
        hard_weight, blend : float or "auto"
            As the user passed them; a number is obeyed.
        """
        found = self.checkpoint.kept("decision", lambda: self._weights(estimand, threshold, hard_weight, blend))
        return self._blending(*found)

    def _weights(
        self, estimand: Estimand, threshold: float | None, hard_weight: Any, blend: Any
    ) -> tuple[Estimand, float, float, str, Validated | None]:
        """What the teacher estimates, both weights, and what they rest on."""
        given = not isinstance(hard_weight, str), not isinstance(blend, str)
        if self.task.classification:
            estimand = natural_if_balanced(estimand, np.bincount(self.rows.y, self.rows.weight) / len(self.rows))
        confirmed = self._confirmed(estimand)
        if all(given):
            return confirmed, float(hard_weight), float(blend), "given", None
        in_error = confirmed is not estimand and self._shifted_in_error()
        if not in_error:
            estimand = confirmed
        hard, weight, reason, validated = self._auto(estimand, threshold, in_error)
        if given[0]:
            hard = float(hard_weight)
        if given[1]:
            weight = float(blend)
        return estimand, hard, weight, reason, validated

    def _confirmed(self, estimand: Estimand) -> Estimand:
        """What the teacher estimates, tested on rows where parameters do not say it, or cannot say it all.

        The parameters of a teacher that was fitted by the user do not tell whether its fit was given weights.
        """
        rows = self.rows
        if not estimand.answered_by_labels or (estimand.known and not is_fitted(self.clones.teacher)):
            return estimand
        unseen = np.flatnonzero(rows.out_of_sample)
        some = rows.take(unseen) if len(unseen) >= FEWEST else rows
        return confirm_estimand(estimand, *self.task.one_label_a_row(some.outputs, some.y, some.weight))

    def _shifted_in_error(self) -> bool:
        """Whether the shift of a teacher is an error, which label-only students tell on their held-out rows.

        With too few rows to train these on, a shift counts as a purpose.
        """
        try:
            held, predicted = self._predict_held_out()
        except Undecided:
            return False
        reference = Outputs(proba=predicted) if self.task.classification else Outputs(values=predicted)
        outputs, y, weight = self.task.one_label_a_row(held.outputs, held.y, held.weight)
        return shifted_in_error(outputs, self.task.one_label_a_row(reference, held.y, held.weight)[0], y, weight)

    def _auto(
        self, estimand: Estimand, threshold: float | None, in_error: bool
    ) -> tuple[float, float, str, Validated | None]:
        """Both weights as "auto" has them, and what they rest on."""
        if self.losses[0][1].always_alone:
            return 0.0, 0.0, f"{type(self.losses[0][1]).__name__} trains alone", None
        if not estimand.answered_by_labels:
            return 0.0, 0.0, "labels do not answer what this teacher estimates, so that it is imitated alone", None
        if threshold is not None:
            reason = "the decision threshold belongs to this teacher's own probabilities, which are imitated alone"
            return 0.0, 0.0, reason, None
        if not any(loss.teaches_output for _, loss in self.losses):
            return BESIDE_HIDDEN, 0.0, "no loss compares outputs, so that labels train the last layer", None
        try:
            found = self._validate(in_error)
        except Undecided as error:
            return UNKNOWN, 0.0, f"constants, because {error}", None
        if found.weight <= THRESHOLD:
            return 0.0, 0.0, f"label-only students add nothing to {found.beside} on validation rows", found
        hard = round(LABELS * found.explained**NOISE * (found.weight - THRESHOLD) / (1 - THRESHOLD), 2)
        return hard, found.weight, f"the mixture with {found.beside} that is best on validation rows", found

    def _blending(
        self, estimand: Estimand, hard: float, weight: float, reason: str, validated: Validated | None
    ) -> Blending:
        students = self._all_students() if weight > 0 else ()
        n, losses = (0, {}) if validated is None else (validated.n_rows, validated.losses)
        nothing_validated = validated is None and hard == 0 and weight == 0
        return Blending(DistillationAccount(estimand, weight, hard, reason, n, losses), students, nothing_validated)

    def _splits(self) -> list[Split]:
        return student_splits(self.rows, self.seed, len(self.rows))

    def _validation_splits(self) -> list[Split]:
        """The splits of the first half of the label-only students."""
        rows, splits = self.rows, self._splits()
        one_class = self.task.classification and any(len(np.unique(rows.y[seen])) < 2 for seen, _ in splits)
        if len(rows) < FEWEST or one_class:
            raise Undecided("there are too few distinct rows to hold some out")
        return splits[: max(1, len(splits) // 2)]

    def _predict_held_out(self) -> tuple[Rows, NDArray]:
        """The validation rows, and what label-only students predict that have not seen them."""
        splits = self._validation_splits()
        self._train(range(len(splits)))
        predicted = [self._on_held_out(k) for k in range(len(splits))]
        return self.rows.take(np.concatenate([held for _, held in splits])), np.concatenate(predicted)

    def _validate(self, in_error: bool) -> Validated:
        """Train the first half of the label-only students, and compare them with the teacher on their held-out rows.

        A teacher in error is no better than its outputs, whether it has seen the rows or not.
        """
        splits = self._validation_splits()
        clones = None
        if in_error:
            beside = "the teacher's outputs, shifted by error rather than on purpose,"
        elif all(bool(self.rows.out_of_sample[held].all()) for _, held in splits):
            beside = "the teacher's out-of-sample outputs"
        else:
            beside, clones = "a clone of the teacher", self._clone_predictions(splits)
        held_rows, predicted = self._predict_held_out()
        of_teacher = of_outputs(held_rows.outputs) if clones is None else clones
        return compare(predicted, of_teacher, held_rows, self.task, beside)

    def _clone_predictions(self, splits: list[Split]) -> NDArray:
        if not can_clone(self.clones.teacher):
            raise Undecided("the teacher has no outputs for rows that it has not seen, and cannot be cloned")
        clones = self.clones.unfitted()
        with warnings.catch_warnings():
            # a clone's complaints are those of the teacher, which has made them already
            warnings.simplefilter("ignore")
            parts = [
                (self.rows.take(seen), self.rows.take(held), self.checkpoint.part(f"clone-{k}"))
                for k, (seen, held) in enumerate(splits)
            ]
            found = side_by_side(self.n_jobs, clones.attempt, parts)
        for predicted in found:
            if isinstance(predicted, str):
                raise Undecided(f"a clone of the teacher could not be fitted on a part of the rows ({predicted})")
            if predicted is None:
                raise Undecided("a clone of the teacher, fitted on a part of the rows, is far worse than it on these")
        return np.concatenate(found)

    def _all_students(self) -> tuple[AnyTrained, ...]:
        """The label-only students, without those that have failed where others have not."""
        held_out = [self.rows.take(held) for _, held in self._splits()]
        self._train(range(len(held_out)))
        losses = [validation_loss(self._on_held_out(k), held, self.task) for k, held in enumerate(held_out)]
        most = FAILED * min(losses) + CLOSE
        return tuple(self._trained[k] for k, loss in enumerate(losses) if loss <= most)

    def _on_held_out(self, k: int) -> NDArray:
        """What the k-th label-only student predicts for the rows that it has not seen, computed once."""
        if k not in self._predicted:
            self._predicted[k] = self._trained[k].predictions(self.rows.take(self._splits()[k][1]))
        return self._predicted[k]

    def _train(self, wanted: Iterable[int]) -> None:
        """Train those of the label-only students that are not trained yet, all at once where that takes no longer."""
        n_students = len(self._splits())
        if effective_n_jobs(self.n_jobs) > 1:
            wanted = range(n_students)
        wanted = [k for k in wanted if k not in self._trained]
        prepared = [self._training(k) for k in wanted]
        trainings = [(training,) for _, training in prepared]
        found = side_by_side(self.n_jobs, run_elsewhere, trainings, n_students)
        for k, (encoder, training), made in zip(wanted, prepared, found, strict=True):
            self._trained[k] = training.put_together(encoder, made)

    def _training(self, k: int) -> tuple[Any, Any]:
        """The encoder and the training of the k-th label-only student."""
        seen, held = self._splits()[k]
        return self.new_training(k, "label").labels_only(self.rows.take(seen), self.rows.take(held))

    def label_student(self, k: int) -> AnyTrained:
        """The k-th label-only student."""
        self._train([k])
        return self._trained[k]

    def trials(self) -> list[tuple[Rows, Rows, Callable[[Rows], Rows]]]:
        """What students would learn from that have seen parts of the rows alone, as those of the label-only students.

        Returns
        -------
        list of (seen, held, clone)
            Rows with outputs of a clone of the teacher that was fitted on them, the other rows, and a callable that
            gives rows the clone's outputs.
        """
        parts = []
        for seen, held in self._validation_splits():
            labelled, clone = self.clones.labelled(self.rows.take(seen))
            parts.append((labelled, self.rows.take(held), clone))
        return parts

    def new_training(self, k: int, kind: str) -> Any:
        """How the k-th label-only student is trained, and students of another kind beside it, which are kept apart."""
        student = resolve_any(self.student, self.task.kind)
        if self._encoder is None and student.encoder is None:
            # one for all; a user's own steps may look at labels, and are fitted without the held-out rows
            self._encoder, _ = fit_encoder(student, self.rows)
        return training_of(
            student,
            self.task,
            self.thresholds,
            self.seed + k,
            encoder=None if student.encoder else self._encoder,
            storage=self.storage,
            checkpoint=self.checkpoint.part(f"{kind}-student-{k}"),
            advance=self.progress.advances(len(self._splits())),
        )


def run_elsewhere(training: Any) -> Any:
    """What a training on labels only makes, maybe in another process."""
    return training.run_elsewhere()


def student_splits(rows: Rows, seed: int, n_rows: int) -> list[Split]:
    """For each label-only student the rows that train it and those held back; there are ``n_rows`` in all."""
    n_students = next(n for least, n in STUDENTS.items() if n_rows >= least)
    return validation_splits(rows, seed, n_students, HELD_OUT)
