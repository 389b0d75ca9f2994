"""One offline distillation of Dask collections: decided on a sample, trained on what workers make of the partitions."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from sklkd._dask import is_dask
from sklkd._progress import Progress
from sklkd._sparse_rows import SparseRows
from sklkd._storage import Storage
from sklkd.estimators._student_fit import StudentTraining, TrainedStudent, fit_encoder
from sklkd.estimators._task import Task
from sklkd.estimators._teacher_layers import TeacherLayers
from sklkd.estimators.offline._blending import student_splits
from sklkd.estimators.offline._dask_teachers import fitted_in_memory, is_dask_teacher
from sklkd.estimators.offline._fit import LABELS_ONLY_STAGES, STAGES, Decided, Distilled, OfflineFit
from sklkd.estimators.offline._given import is_scorer
from sklkd.estimators.offline._partitions import Partitions, by_rows, partitions_of
from sklkd.estimators.offline._sample import drawn_sample, quotas, sample_rows
from sklkd.estimators.offline._shards import Gathered, Labelling, shard_of_part, with_arrays
from sklkd.estimators.offline._statistics import Whole, statistics_of_part
from sklkd.estimators.offline._student_columns import selected_from
from sklkd.estimators.offline._transfer_rows import weight_beside_synthetic
from sklkd.estimators.offline._workers import on_workers
from sklkd.rows import Rows
from sklkd.students._estimator_student import is_estimator_student
from sklkd.students._resolve import Student, resolve_student
from sklkd.students._tabular_student import Recipe
from sklkd.students._train import without_training
from sklkd.teachers import Precomputed, is_fitted
from sklkd.transfer import TransferSet

ON_ALL_ROWS = "label-only students on all rows"


def stages_of(hard_weight: Any) -> tuple[str, ...]:
    """Of a fit of collections, of which some may be left out."""
    first = ("statistics", "sample", "teacher on all rows")
    return first + (LABELS_ONLY_STAGES if hard_weight == 1 else (*STAGES[:3], ON_ALL_ROWS, *STAGES[3:]))


def fit_collections(
    estimator: Any, X: Any, y: Any, *, sample_weight: Any, X_transfer: Any, progress: Progress
) -> Distilled:
    """Distil from collections, in three stages: statistics, sample and decisions; shards; training.

    Parameters
    ----------
    estimator : DistilledClassifier or DistilledRegressor
        Gets what the check of X leaves: ``n_features_in_``, names and classes.
    X, y, sample_weight : Dask collections
    X_transfer : array or frame, or None
        Unlabelled rows in memory.
    progress : Progress
        Of ``stages_of`` the estimator's ``hard_weight``.
    """
    check_parameters(estimator)
    X, y = by_rows(X), by_rows(y)
    partitions = partitions_of(X, y, sample_weight)
    with progress.stage("statistics"):
        whole = statistics(partitions, estimator._task_name)
    whole.check_kinds(partitions.layout.columns)
    goal = whole.goal(estimator._task_name, partitions.layout.y_shape)
    if goal.classes is not None:
        estimator.classes_ = goal.classes
    drawn = quotas([part.n_rows for part in whole.parts], sample_rows())
    # a fit that goes on must draw the same sample, also where no seed is given
    random_state = 0 if estimator.random_state is None and estimator.checkpoint is not None else estimator.random_state
    seed = int(check_random_state(random_state).randint(2**31 - 1, size=4)[3])
    with progress.stage("sample"):
        sample = drawn_sample(partitions, drawn, seed)
    progress.note("a sample of %d of %d rows decides", len(sample), whole.n_rows)
    sample = replace(sample, table=estimator._check_X(sample.X, reset=True, allow_nan=True))
    X_transfer = estimator._check_X_transfer(X_transfer)
    collections = Collections(partitions, whole, drawn, seed)
    identity = {"X": X, "y": y, "sample_weight": sample_weight}
    fit = PartitionedFit(estimator, sample, goal.task, X_transfer, collections, identity, progress)
    fit.fit_dask_teacher(X, y, sample_weight)
    return fit.run()


def statistics(partitions: Partitions, kind: str) -> Whole:
    """The statistics of all partitions."""
    found = dict(on_workers(statistics_of_part, (partitions.layout, kind), partitions.parts, "read"))
    return Whole([found[number] for number in sorted(found)])


def check_parameters(estimator: Any) -> None:
    """Raise for what needs all rows in one place."""
    if is_estimator_student(estimator.student):
        raise ValueError(
            "student must be a network where X is a Dask collection: another estimator is fitted on all rows at once. "
            "Pass X.compute()."
        )
    if estimator.cv is not None and not (isinstance(estimator.cv, str) and estimator.cv == "auto"):
        raise ValueError(
            f"cv must be 'auto' or None where X is a Dask collection, got cv={estimator.cv!r}: folds and bags need all "
            "rows in one place."
        )
    if isinstance(estimator.teacher, Precomputed) or is_scorer(estimator.teacher):
        kind = type(estimator.teacher).__name__
        raise ValueError(
            f"teacher must predict classes or targets for each partition where X is a Dask collection, got {kind}: "
            "pass X.compute()."
        )


def check_others(teacher_outputs: Any, X_transfer: Any, metadata: Any) -> None:
    """Raise for what ``fit`` does not take beside collections."""
    given = [name for name, value in (metadata or {}).items() if value is not None]
    if teacher_outputs is not None or given:
        name = "teacher_outputs" if teacher_outputs is not None else given[0]
        raise ValueError(f"{name} must be None where X is a Dask collection: pass X.compute() to use it.")
    if is_dask(X_transfer):
        raise TypeError("X_transfer must hold its rows, got a Dask collection: pass X_transfer.compute().")


@dataclass(frozen=True, eq=False)
class Collections:
    """What a fit knows of its collections.

    Attributes
    ----------
    partitions : Partitions
    whole : Whole
    drawn : ndarray of int
        How many rows of each partition are in the sample.
    seed : int
        Of the sample.
    """

    partitions: Partitions
    whole: Whole
    drawn: NDArray
    seed: int

    @property
    def n_rows(self) -> int:
        """The most rows with a weight that are not in the sample."""
        return sum(self.room.values())

    @property
    def room(self) -> dict[int, int]:
        """The same of each partition that has some."""
        left = enumerate(zip(self.whole.parts, self.drawn.tolist(), strict=True))
        room = {number: min(part.n_weighted, part.n_rows - drawn) for number, (part, drawn) in left}
        return {number: n for number, n in room.items() if n > 0}


class PartitionedFit(OfflineFit):
    """The steps of a fit whose own rows are a sample of collections."""

    def __init__(
        self,
        estimator: Any,
        sample: Rows,
        task: Task,
        X_transfer: Any,
        collections: Collections,
        identity: dict[str, Any],
        progress: Progress,
    ):
        super().__init__(estimator, sample, task, None, X_transfer, progress, identity)
        self.student: Student = resolve_student(estimator.student)
        self.collections = collections
        self._factor = 1.0  # of the weights of real rows beside synthetic ones
        self.fitted_here = False  # a teacher on the collections themselves
        for name, loss in self.losses:
            if loss.always_alone:
                raise ValueError(
                    f"loss must not be {type(loss).__name__} ({name!r}) where X is a Dask collection: it needs the "
                    "teacher's layers on all rows in one place. Pass another loss, or X.compute()."
                )

    def fit_dask_teacher(self, X: Any, y: Any, sample_weight: Any) -> None:
        """Let the ordinary form of a teacher that knows Dask be the teacher, fitted on all partitions."""
        if not is_dask_teacher(self.teacher):
            return
        fitter = self.fitter
        params = self.est.teacher_fit_params or {}
        self.fitted_here = not is_fitted(self.teacher)
        with self.progress.stage("teacher on all rows"):
            self.teacher = fitted_in_memory(self.teacher, X, y, sample_weight, fitter.classes, fitter.seed, params)

    def run(self) -> Distilled:
        distilled = super().run()
        return replace(distilled, refitted=distilled.refitted or self.fitted_here)

    def decide(self) -> Decided:
        decided = super().decide()
        if decided.codec is None or decided.codec.sparse_:
            raise ValueError("X must be a dense table where it is a Dask collection: pass X.compute().")
        n, n_all = len(self.rows), self.collections.whole.n_rows
        notes = [f"Decided on a sample of {n:,} of {n_all:,} rows"] if n < n_all else []
        if n < n_all and not is_fitted(self.teacher):
            notes.append("The teacher was fitted on this sample, since it does not take Dask collections")
        blending = decided.blending.with_notes(notes)
        if blending.students and self.collections.n_rows:
            with self.progress.stage(ON_ALL_ROWS):
                blending = replace(blending, students=self._students_of_all_rows(decided))
        return replace(decided, blending=blending)

    def _students_of_all_rows(self, decided: Decided) -> tuple[TrainedStudent, ...]:
        """The label-only students, trained on all rows but those of the sample that each is held back.

        What they weigh was decided with those of the sample, beside a clone of the teacher that knew no more than they.
        """
        decided = replace(decided, rows=self._recoded(decided.rows), layers=TeacherLayers([], None))
        rows, shards, trained = decided.rows, self._shards(decided), []
        splits = student_splits(rows, self.sample_seed, len(rows) + shards.n_rows)
        for k, (seen, held) in enumerate(splits):
            student = resolve_student(self.est.student)
            encoder, _ = fit_encoder(student, rows.take(seen), self._counts(rows))
            training = StudentTraining(
                student,
                decided.task,
                decided.thresholds,
                self.sample_seed + k,
                encoder=encoder,
                storage=self.storage,
                checkpoint=self.checkpoint.part(f"label-student-of-all-rows-{k}"),
                more_rows=shards,
                advance=self.progress.advances(len(splits)),
            )
            one = training.fit_labels_only(rows.take(seen), rows.take(held))
            trained.append(replace(one, net=without_training(one.net)))
        return tuple(trained)

    def _trained(self, decided: Decided, unlabelled: list[Rows], sampler: Any) -> Any:
        """As of rows in memory, all of them coded by what was learnt of all partitions."""
        decided = replace(decided, rows=self._recoded(decided.rows))
        if sampler is not None:
            self._factor = weight_beside_synthetic(decided.blending)
        return super()._trained(decided, [self._recoded(part) for part in unlabelled], sampler)

    def _recoded(self, rows: Rows) -> Rows:
        codec = self.collections.whole.codec
        rows = rows.copied()
        rows = replace(rows, codec=codec, matrix=codec.transform(rows.table))
        return rows if rows.columns is None else replace(rows, columns=selected_from(rows, rows.columns.indices))

    def _training(self, decided: Decided, recipe: Recipe) -> StudentTraining:
        encoder, _ = fit_encoder(self.student, decided.rows, self._counts(decided.rows))
        training: Any = super()._training(decided, recipe)
        return replace(training, encoder=encoder, more_rows=self._shards(decided))

    def _counts(self, rows: Rows) -> dict[int, NDArray]:
        """How often each category comes in all rows, in the columns that the student reads."""
        counts = self.collections.whole.counts
        if rows.columns is None:
            return counts
        return {k: counts[j] for k, j in enumerate(rows.columns.indices.tolist()) if j in counts}

    def _shards(self, decided: Decided) -> Shards:
        given = len(self.rows) if self.rows.weight is None else float(self.rows.weight.sum())
        return Shards(self.collections, decided, given, self._factor, self.storage)


@dataclass(frozen=True, eq=False)
class Shards:
    """The rows of collections that are not in the sample, labelled and encoded on workers.

    Attributes
    ----------
    collections : Collections
    decided : Decided
    sample_weight : float
        The sum of the weights of the sample's rows, in the user's unit.
    factor : float
        Of the weights of real rows beside synthetic ones.
    storage : Storage
    """

    collections: Collections
    decided: Decided
    sample_weight: float
    factor: float
    storage: Storage

    @property
    def n_rows(self) -> int:
        return self.collections.n_rows

    def behind(self, transfer: TransferSet, encoder: Any) -> TransferSet:
        """The sample's transfer set with all shards behind it."""
        if self.n_rows == 0:
            return transfer
        if isinstance(transfer.inputs, SparseRows):
            raise ValueError(
                "student must not have steps that make sparse rows where X is a Dask collection: pass X.compute()."
            )
        gathered = Gathered(transfer, self.collections.room, self.storage)
        parts = [part for part in self.collections.partitions.parts if part[0] in gathered.starts]
        for number, shard in on_workers(shard_of_part, self._labelling(encoder), parts, "labelled"):
            if shard is not None:
                gathered.put(number, shard)
        arrays, weight = gathered.close()
        self._weigh(weight, transfer)
        equal = weight.min() == weight.max()
        return with_arrays(transfer, arrays, None if equal else weight.astype(np.float32))

    def _labelling(self, encoder: Any) -> Labelling:
        collections, decided = self.collections, self.decided
        # copies: what has been built is where the student is, and workers may have no such device
        layers = copy.copy(decided.layers)
        layers.losses = [(name, copy.deepcopy(loss).cpu()) for name, loss in layers.losses]
        return Labelling(
            collections.partitions.layout,
            collections.drawn,
            collections.seed,
            collections.whole.codec,
            encoder,
            decided.rows.columns,
            decided.ask,
            layers,
            decided.blending,
        )

    def _weigh(self, weight: NDArray, transfer: TransferSet) -> None:
        """Give real rows a mean weight of 1, times the factor; those of the sample have it among themselves."""
        n_first, n_sample = len(transfer), len(self.decided.rows)
        first, rest = weight[:n_first], weight[n_first:]
        mean = (self.sample_weight + float(rest.sum())) / (n_sample + len(rest))
        rest *= self.factor / mean
        first[:] = 1.0 if transfer.weight is None else transfer.weight.numpy()
        first[transfer.labelled().numpy()] *= self.sample_weight / n_sample / mean
