"""One offline distillation, from the user's rows and a teacher to a trained student."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from sklkd._checkpoint import NOTHING_KEPT, Checkpoint
from sklkd._progress import Progress
from sklkd._storage import Storage
from sklkd.estimators._checked_targets import check_scale
from sklkd.estimators._deduplicate import Deduplication
from sklkd.estimators._fitted_estimator import fitted_student
from sklkd.estimators._fitted_student import FittedStudent
from sklkd.estimators._student_fit import Thresholds
from sklkd.estimators._task import Task
from sklkd.estimators._teacher_layers import TeacherLayers
from sklkd.estimators._training import AnyTrained, AnyTraining, predicts_missing, training_of
from sklkd.estimators._validation import split_for_early_stopping
from sklkd.estimators.offline._account import DistillationAccount
from sklkd.estimators.offline._blending import Blending, BlendingDecision
from sklkd.estimators.offline._estimator_trial import EstimatorTrial
from sklkd.estimators.offline._given import NamedLosses, check_hard_weight, check_losses_of_student, given_teacher
from sklkd.estimators.offline._kept_fits import fingerprint, opened
from sklkd.estimators.offline._said_of_teacher import notes_on, notes_on_rows, warn_of_teacher
from sklkd.estimators.offline._student_columns import (
    FEW_ROWS,
    check_columns,
    column_thresholds,
    most_used,
    selected_from,
)
from sklkd.estimators.offline._task_of_teacher import standardized, task_of_teacher
from sklkd.estimators.offline._teacher_clones import TeacherClones
from sklkd.estimators.offline._transfer_rows import (
    PIECE,
    TeacherOutputs,
    beside_synthetic,
    chosen_sampler,
    n_synthetic_rows,
    similar_next_to_each_other,
    synthetic_rows,
    unlabelled_rows,
)
from sklkd.knowledge import Knowledge, gather
from sklkd.losses._checked import check_losses
from sklkd.losses._tasks import default_loss
from sklkd.rows import Rows
from sklkd.students._estimator_student import EstimatorStudent, resolve_any
from sklkd.students._scaling import TargetScaling
from sklkd.students._tabular_student import IMITATION, WITH_TEACHER, Recipe
from sklkd.teachers import (
    TeacherFitter,
    accepts_missing,
    decision_threshold,
    is_fitted,
)

LABELS_ASKED = 16  # one in so many rows of a costly teacher, of which up to six questions are asked there

STAGES: tuple[str, ...] = ("teacher", "labelling", "label-only students", "transfer rows", "student")
LABELS_ONLY_STAGES: tuple[str, ...] = ("teacher", "student")


@dataclass(frozen=True, eq=False)
class Distilled:
    """What a fit has made.

    Attributes
    ----------
    student : FittedStudent
    teacher : Teacher
        The adapter of the fitted teacher.
    refitted : bool
        Whether the teacher was fitted here.
    source : str
        How the teacher's outputs for the training rows were obtained, the estimator's ``cv_``.
    losses : list of (str, Loss)
    sampler : object or None
        What made synthetic rows.
    """

    student: FittedStudent
    teacher: Any
    refitted: bool
    source: str
    losses: NamedLosses
    sampler: Any


@dataclass(frozen=True, eq=False)
class Decided:
    """What a fit has found out before its student is trained.

    Attributes
    ----------
    rows : Rows
        Distinct rows with the teacher's outputs and the columns that the student reads.
    task : Task
    codec : ColumnCodec or None
        The invertible form of the rows' own.
    ask : TeacherOutputs
        Asks the prepared teacher.
    layers : TeacherLayers
        The losses that will be trained with, and the teacher.
    takes_missing : bool
        Whether the teacher predicts for rows with missing values.
    all_thresholds, thresholds : Thresholds
        Of all columns, and of those that the student reads.
    threshold : float or None
        The decision threshold of a teacher that has one.
    blending : Blending
    source : str
        How the teacher's outputs were obtained.
    """

    rows: Rows
    task: Task
    codec: Any
    ask: TeacherOutputs
    layers: TeacherLayers
    takes_missing: bool
    all_thresholds: Thresholds
    thresholds: Thresholds
    threshold: float | None
    blending: Blending
    source: str


class OfflineFit:
    """The steps of one fit, in the order of :meth:`run`.

    Parameters
    ----------
    estimator : DistilledClassifier or DistilledRegressor
        Its public parameters say how; it is not changed.
    rows : Rows
        Checked rows with labels or targets in the user's terms, and weights.
    task : Task
        Classes, or the scaling of the targets.
    teacher_outputs : array-like or None
        The user's, in place of a teacher.
    X_transfer : array, frame or sparse matrix, or None
        Checked unlabelled rows.
    progress : Progress
        Of ``STAGES``, or of ``LABELS_ONLY_STAGES`` where ``hard_weight`` is 1.
    identity : dict of str to object, default=None
        What else of the user's the fit is recognised by, where ``rows`` are not all.

    Raises
    ------
    ValueError, TypeError
        For a teacher, a student or losses that cannot be what they are passed as.
    """

    def __init__(
        self,
        estimator: Any,
        rows: Rows,
        task: Task,
        teacher_outputs: Any,
        X_transfer: Any,
        progress: Progress,
        identity: dict[str, Any] | None = None,
    ):
        self.est, self.rows, self.task, self.X_transfer = estimator, rows, task, X_transfer
        self.progress = progress
        reserved = set(estimator.get_params(deep=False))
        self.losses = check_losses(estimator.loss, default_loss(task.kind), task.kind, reserved)
        check_hard_weight(estimator.hard_weight, self.losses)
        self.student = resolve_any(estimator.student, task.kind)
        check_losses_of_student(self.student, self.losses)
        self.teacher = given_teacher(estimator, teacher_outputs, [name for name, _ in self.losses], task.kind)
        self.columns = check_columns(estimator.columns, rows.table)
        self.storage = Storage(estimator.memory_limit)
        self.spread = any(loss.needs_spread for _, loss in self.losses)
        seeds = check_random_state(estimator.random_state).randint(2**31 - 1, size=3).tolist()
        others = {"teacher_outputs": teacher_outputs, "X_transfer": X_transfer} | (identity or {})
        self.checkpoint, seeds = self._opened(seeds, others)
        self.sample_seed, self.train_seed, teacher_seed = seeds
        # what is made again of a fit that was killed has to be the same
        seeded = estimator.random_state is not None or self.checkpoint.keeps
        self.fitter = self._fitter(teacher_seed if seeded else None, self.checkpoint)

    def _fitter(self, seed: int | None, checkpoint: Checkpoint = NOTHING_KEPT) -> TeacherFitter:
        task = self.task
        return TeacherFitter(self.est, task.classes, seed, multilabel=task.multilabel, checkpoint=checkpoint)

    def _opened(self, seeds: list[int], others: dict[str, Any]) -> tuple[Checkpoint, list[int]]:
        """What is kept of this fit, and the seeds that it began with."""
        if self.est.checkpoint is None:
            return NOTHING_KEPT, seeds
        found = fingerprint(self.est, self.teacher, self.rows, self._fitter(None), others)
        return opened(self.est.checkpoint, found, seeds)

    @property
    def _all_auto(self) -> bool:
        """Whether both weights are to be found out."""
        return isinstance(self.est.hard_weight, str) and isinstance(self.est.blend, str)

    @property
    def _labels_only(self) -> bool:
        return self.est.hard_weight == 1

    def run(self) -> Distilled:
        """Fit the teacher where it is not fitted, and train the student."""
        return self.train(self.decide())

    def decide(self) -> Decided:
        """Fit the teacher where it is not fitted, ask it for the rows, and decide what the student learns from."""
        deduplication = Deduplication(self.rows, self.storage)
        knowledge = self._ask_teacher(deduplication)
        task, y = self._task_and_targets(knowledge)
        rows = deduplication.distinct_rows(task.encode(y), standardized(knowledge, task))
        # adapters that learn something from rows only refer to them
        self.reference = rows.X if knowledge.teacher.needs_rows else rows.table
        teacher = knowledge.teacher.prepared(self.reference)
        layers = TeacherLayers([] if self._labels_only else self.losses, teacher, task)
        warn_of_teacher(teacher, rows, task, kept=is_fitted(self.teacher))
        takes_missing = self.checkpoint.kept("takes-missing", partial(self._takes_missing, teacher, rows))
        answers = self.fitter.answers(self.teacher, self.rows)
        # each piece is looked up among the training rows, or set beside them, anew
        piece = max(PIECE, len(self.rows))
        ask = TeacherOutputs(teacher, task, self.spread, self.est.n_jobs, answers, piece)
        all_thresholds = column_thresholds(self.student, teacher, rows, self.train_seed)
        rows = self._with_columns(rows, deduplication.invertible, ask, all_thresholds)
        thresholds = all_thresholds
        if rows.columns is not None and thresholds:
            thresholds = [all_thresholds[j] for j in rows.columns.indices]
        binary = task.classification and task.n_outputs == 2
        few = rows.few(max(1, len(rows) // LABELS_ASKED) if teacher.costly else FEW_ROWS)
        threshold = decision_threshold(teacher, few.X) if binary else None
        return Decided(
            rows,
            task,
            deduplication.invertible,
            ask,
            layers,
            takes_missing,
            all_thresholds,
            thresholds,
            threshold,
            self._blending(teacher, rows, task, thresholds, threshold, deduplication.invertible),
            knowledge.source,
        )

    def train(self, decided: Decided) -> Distilled:
        """Train the student as it was decided."""
        unlabelled, sampler = self._without_labels(decided)
        with self.progress.stage("student"):
            trained = self._trained(decided, unlabelled, sampler)
        self.progress.note("%s, with labels on %d rows", trained.said, len(decided.rows))
        return self._distilled(decided, trained, sampler)

    def _without_labels(self, decided: Decided) -> tuple[list[Rows], Any]:
        """Unlabelled and synthetic rows with the teacher's outputs, and what made the synthetic ones."""
        if decided.blending.hard_weight == 1:
            return [], None
        with self.progress.stage("transfer rows"):
            unlabelled, sampler = self._transfer_rows(decided)
        self.progress.note("%d unlabelled and synthetic rows", sum(map(len, unlabelled)))
        return unlabelled, sampler

    def _transfer_rows(self, decided: Decided) -> tuple[list[Rows], Any]:
        rows, unlabelled = decided.rows, self._unlabelled(decided)
        teacher, blending = decided.ask.teacher, decided.blending
        sampler = self._sampler(teacher, rows) if blending.synthetic else None
        n_unlabelled = sum(map(len, unlabelled))
        n = n_synthetic_rows(self.est.n_synthetic, rows, teacher, imitates=blending.imitates, n_unlabelled=n_unlabelled)
        if sampler is None or n == 0:
            return unlabelled, None
        made = self.checkpoint.kept("synthetic", partial(self._synthetic, sampler, decided, n))
        return [*unlabelled, replace(made, codec=rows.codec)], sampler

    def _sampler(self, teacher: Any, rows: Rows) -> Any:
        """What makes synthetic rows, if anything does."""
        augment = None if self.est.n_synthetic == 0 else self.est.augment
        return chosen_sampler(augment, rows, teacher, self.X_transfer is not None)

    def _sampling(self, teacher: Any, rows: Rows, codec: Any) -> Callable[[Rows], Rows] | None:
        """What makes synthetic rows like some of the rows; None where there are to be none."""
        sampler = self._sampler(teacher, rows)
        if sampler is None:
            return None

        def make(some: Rows) -> Rows:
            n = n_synthetic_rows(self.est.n_synthetic, some, teacher, imitates=False)
            return synthetic_rows(sampler, some, codec, n, self.sample_seed)

        return make

    def _unlabelled(self, decided: Decided) -> list[Rows]:
        """The user's unlabelled rows, if there are any, with the teacher's outputs."""
        if self.X_transfer is None:
            return []
        part = unlabelled_rows(self.X_transfer, decided.rows.codec, decided.takes_missing)
        ask = partial(decided.ask.of, part.X, self.progress)
        return [replace(part, outputs=self.checkpoint.kept("unlabelled", ask))]

    def _synthetic(self, sampler: Any, decided: Decided, n: int) -> Rows:
        """So many synthetic rows with the teacher's outputs."""
        rows = decided.rows
        made = synthetic_rows(sampler, rows, decided.codec, n, self.sample_seed)
        made = made.take(similar_next_to_each_other(made.coded, decided.all_thresholds))
        return decided.ask.label(made, self.progress)

    def _trained(self, decided: Decided, unlabelled: list[Rows], sampler: Any) -> AnyTrained:
        """The student, trained on labels only where these are all that it learns from."""
        rows, blending = decided.rows, decided.blending
        recipe = IMITATION if blending.imitates else WITH_TEACHER
        training = self._training(decided, recipe)
        if blending.hard_weight == 1:
            seen, validation = split_for_early_stopping(self.student, rows, decided.task, self.sample_seed)
            return training.fit_labels_only(seen, validation)
        unlabelled = [blending.targets(replace(part, columns=rows.columns)) for part in unlabelled]
        if isinstance(self.student, EstimatorStudent):
            real = blending.with_labels(rows, decided.task)
        else:
            real = blending.targets(rows if sampler is None else beside_synthetic(rows, blending))
        return training.fit(real, unlabelled, decided.layers, blending.hard_weight)

    def _training(self, decided: Decided, recipe: Recipe) -> AnyTraining:
        """How the student is trained."""
        return training_of(
            self.student,
            decided.task,
            decided.thresholds,
            self.train_seed,
            self.est.verbose,
            recipe=recipe,
            storage=self.storage,
            checkpoint=self.checkpoint.part("student"),
            advance=self.progress.advances(),
        )

    def _distilled(self, decided: Decided, trained: AnyTrained, sampler: Any) -> Distilled:
        """What the fit has made, of the trained student."""
        rows, task, teacher, threshold = decided.rows, decided.task, decided.ask.teacher, decided.threshold
        notes = [*notes_on(teacher, threshold, task), *notes_on_rows(rows, self.est.augment)]
        one = rows.take(np.arange(1)).for_student()
        fitted = fitted_student(
            trained,
            rows,
            task=task,
            handles_missing=decided.takes_missing and predicts_missing(trained, one.X),
            refuses_missing=(
                f"the teacher that {type(self.est).__name__} was fitted with does not take: impute it first, or distil "
                "a teacher that takes it (such as a Pipeline that imputes)."
            ),
            threshold=threshold,
            teacher=teacher,
            blending=decided.blending.with_notes(notes),
            columns=None if rows.columns is None else replace(rows.columns, codec=None),
        )
        return Distilled(fitted, teacher, not is_fitted(self.teacher), decided.source, self.losses, sampler)

    def _with_columns(self, rows: Rows, codec: Any, ask: TeacherOutputs, thresholds: Thresholds) -> Rows:
        """The rows with the columns that the student reads, which may be those that the teacher uses most."""
        if self.est.columns is None:
            return rows
        columns: Any = self.columns
        if columns is None:
            find = partial(most_used, self.est.columns, rows, codec, ask, thresholds, self.sample_seed)
            columns = self.checkpoint.kept("columns", find)
        return replace(rows, columns=selected_from(rows, columns))

    def _task_and_targets(self, knowledge: Knowledge) -> tuple[Task, Any]:
        """What the student has to predict, and the labels or targets; the scores of a teacher that scores rows."""
        if knowledge.teacher.estimand.kind == "score" and knowledge.outputs is not None:
            scores: Any = knowledge.outputs.values
            return Task(scaling=TargetScaling(*check_scale(scores, self.rows.weight))), scores
        return task_of_teacher(self.task, knowledge), self.rows.y

    def _ask_teacher(self, deduplication: Deduplication) -> Knowledge:
        """The fitted teacher, and its outputs for the training rows where a student learns from them."""
        return gather(
            self.fitter,
            self.teacher,
            self.rows,
            cv=self.est.cv,
            groups=deduplication.groups,
            ask=not self._labels_only,
            spread=self.spread,
            empty=self.storage.empty,
            checkpoint=self.checkpoint,
            progress=self.progress,
        )

    def _blending(
        self, teacher: Any, rows: Rows, task: Task, thresholds: Thresholds, threshold: float | None, codec: Any
    ) -> Blending:
        estimand = teacher.estimand
        if self._labels_only:
            return Blending(DistillationAccount(estimand, 0.0, 1.0, "given: the student learns from labels only"))
        clones = TeacherClones(self.teacher, self.fitter, task)
        decision = BlendingDecision(
            rows,
            clones,
            self.est.student,
            thresholds,
            self.losses,
            self.sample_seed,
            self.storage,
            self.est.n_jobs,
            self.checkpoint,
            self.progress,
        )
        with self.progress.stage("label-only students"):
            made = decision.decide(estimand, threshold, hard_weight=self.est.hard_weight, blend=self.est.blend)
            tried = self._all_auto and made.account.n_validation > 0 and not teacher.costly
            if isinstance(self.student, EstimatorStudent) and tried:
                optional = isinstance(self.est.augment, str)
                made = EstimatorTrial(decision, made, teacher, self._sampling(teacher, rows, codec), optional).better()
        self.progress.note("blend=%s, hard_weight=%s: %s", made.blend, made.hard_weight, made.account.reason)
        return made

    def _takes_missing(self, teacher: Any, rows: Rows) -> bool:
        """Whether the teacher predicts for rows with missing values; an error if it does not and is given some."""
        if rows.matrix is None:
            return False
        missing = np.flatnonzero(rows.with_missing())
        if len(missing) == 0:
            return accepts_missing(teacher, rows.take(np.array([0])).X)
        if rows.outputs is None and teacher.answers_new_rows:
            # it has not been asked for any of these yet
            teacher.outputs(rows.take(missing[:1]).X)
        return True
