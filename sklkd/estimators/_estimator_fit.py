"""A student that is no network is fitted on soft targets, and fitted further."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sklkd._checkpoint import NOTHING_KEPT, Checkpoint
from sklkd._interrupts import interrupts_heard
from sklkd._sklearn import _safe_indexing
from sklkd.estimators._student_pipeline import fit_estimator_steps
from sklkd.estimators._task import Task, of_outputs
from sklkd.estimators._teacher_layers import TeacherLayers
from sklkd.exceptions import DivergedError
from sklkd.losses import Loss
from sklkd.rows import Rows, total_weights
from sklkd.students._estimator_student import EstimatorStudent, probabilities, values, weighted_copies
from sklkd.students._plain_encoder import PlainEncoder

LEAST_LOG = -690.0
"""Of a probability: its exponential is still a number of float64."""


@dataclass(frozen=True, eq=False)
class TrainedEstimator:
    """A fitted encoder and a fitted classifier or regressor.

    Attributes
    ----------
    encoder : transformer
        From the user's columns to the model's input.
    net : estimator
        The fitted model, called as that of :class:`~sklkd.estimators._student_fit.TrainedStudent` is.
    task : Task
    losses : list of (str, Loss)
        Whose weight the soft targets had.
    """

    encoder: Any
    net: Any
    task: Task
    losses: Sequence[tuple[str, Loss]] = ()

    def predictions(self, rows: Rows) -> NDArray[np.float64]:
        """Probabilities (n, n_classes), or standardized predictions (n, n_outputs)."""
        return np.concatenate([self._of_encoded(piece.encoded(self.encoder)) for piece in rows.pieces()])

    def _of_encoded(self, encoded: Any) -> NDArray[np.float64]:
        if self.task.classification:
            return probabilities(self.net, encoded, self.task.n_outputs)
        scaling = self.task.target_scaling
        return scaling.standardize(scaling.limited(values(self.net, encoded)))

    def check_finite(self, encoded: Any) -> None:
        """Raise where values for rows are not finite, as of solvers that overflow."""
        if not np.isfinite(values(self.net, encoded)).all():
            raise DivergedError(
                f"student must predict finite values, and {type(self.net).__name__} does not after its fit: give y in "
                "other units, scale the columns, or take another solver."
            )

    def train_further(self, rows: Rows, unlabelled: Sequence[Rows], hard_weight: float) -> None:
        """Fit the model further, in place, by its own ``partial_fit``."""
        parts = [rows, *unlabelled]
        encoded = joined([part.encoded(self.encoder) for part in parts])
        if self.task.classification:
            index, codes, weight = weighted_copies(soft_masses(parts, self.task, self.losses, hard_weight))
            all_codes = np.arange(self.task.n_outputs)
            self.net.partial_fit(_safe_indexing(encoded, index), codes, classes=all_codes, sample_weight=weight)
        else:
            targets, weight = mixed_targets(parts, self.losses, hard_weight)
            self.net.partial_fit(encoded, in_own_units(targets, self.task), sample_weight=weight)

    @property
    def said(self) -> str:
        return f"the student is a {type(self.net).__name__}"


@dataclass(frozen=True, eq=False)
class LabelsOnlyFit:
    """A fit on labels only, which may run in another process."""

    training: EstimatorTraining
    rows: Rows
    encoder: Any
    encoded: Any

    def run(self) -> TrainedEstimator:
        return self.training.fitted(self.encoder, self.encoded, [self.rows], [], 1.0)

    def run_elsewhere(self) -> TrainedEstimator:
        """The same without the encoder, which the caller has."""
        return replace(self.run(), encoder=None)

    def put_together(self, encoder: Any, made: TrainedEstimator) -> TrainedEstimator:
        """The student, of what :meth:`run_elsewhere` has made, and its encoder."""
        return replace(made, encoder=encoder)


LOOKED_AT = 100
"""Rows of which it is seen whether a fitted regressor predicts finite values."""


@dataclass(frozen=True, eq=False)
class EstimatorTraining:
    """How one student that is no network is fitted; the counterpart of ``StudentTraining``.

    Attributes
    ----------
    student : EstimatorStudent
    task : Task
    seed : int
        Of every ``random_state`` that the user has left None.
    encoder : transformer, default=None
        Fitted already. None: fitted on the labelled rows.
    checkpoint : Checkpoint, default=NOTHING_KEPT
        Keeps the fitted model.
    """

    student: EstimatorStudent
    task: Task
    seed: int
    encoder: Any = None
    checkpoint: Checkpoint = NOTHING_KEPT

    def fit(
        self, rows: Rows, unlabelled: Sequence[Rows], layers: TeacherLayers, hard_weight: float
    ) -> TrainedEstimator:
        """Fit on the mixture of the losses' targets and the labels.

        Parameters
        ----------
        rows : Rows
            Labelled, with the targets of the losses as outputs.
        unlabelled : sequence of Rows
            Unlabelled and synthetic rows with theirs.
        layers : TeacherLayers
            The losses.
        hard_weight : float
        """
        parts = [rows, *unlabelled]
        encoder, encoded = self._encoded(rows)
        encoded = joined([encoded, *(part.encoded(encoder) for part in unlabelled)])
        return self.fitted(encoder, encoded, parts, layers.losses, hard_weight)

    def fit_labels_only(self, rows: Rows, validation: Rows | None) -> TrainedEstimator:
        """Fit on labels; validation rows are for networks, whose epochs they choose."""
        return self.labels_only(rows, validation)[1].run()

    def labels_only(self, rows: Rows, validation: Rows | None) -> tuple[Any, LabelsOnlyFit]:
        """The encoder, and the fit of :meth:`fit_labels_only`."""
        encoder, encoded = self._encoded(rows)
        return encoder, LabelsOnlyFit(self, Rows(np.empty((len(rows), 0)), rows.y, rows.weight), encoder, encoded)

    def fitted(
        self, encoder: Any, encoded: Any, parts: Sequence[Rows], losses: Any, hard_weight: float
    ) -> TrainedEstimator:
        """Fit on encoded rows."""
        model = self.student.prepared(self.task.n_outputs, self.seed)
        if self.task.classification:
            index, y, weight = weighted_copies(soft_masses(parts, self.task, losses, hard_weight))
            # labels alone need no copies
            X = encoded if np.array_equal(index, np.arange(len(weight))) else _safe_indexing(encoded, index)
        else:
            targets, weight = mixed_targets(parts, losses, hard_weight)
            X, y = encoded, in_own_units(targets, self.task)

        def fit() -> Any:
            with interrupts_heard():
                return model.fit(X, y, sample_weight=weight)

        trained = TrainedEstimator(encoder, self.checkpoint.kept("fitted", fit), self.task, losses)
        if not self.task.classification:
            trained.check_finite(_safe_indexing(X, np.arange(min(LOOKED_AT, X.shape[0]))))
        return trained

    def _encoded(self, rows: Rows) -> tuple[Any, Any]:
        if self.encoder is not None:
            return self.encoder, rows.encoded(self.encoder)
        if self.student.encoder is not None:
            return self.checkpoint.kept("encoder", lambda: fit_encoder(self.student, rows))
        return fit_encoder(self.student, rows)


def fit_encoder(student: EstimatorStudent, rows: Rows) -> tuple[Any, Any]:
    """The encoder, fitted on labelled rows, and what it makes of them."""
    own = rows.for_student()
    if student.encoder is not None:
        return fit_estimator_steps(student.encoder, own.X, own.y, takes_missing=student.takes_missing)
    if own.matrix is None or own.codec is None:
        raise ValueError(
            f"student must have steps that make columns of rows of more than two dimensions, got X of shape "
            f"{np.shape(own.X)}: pass a Pipeline with such a step, or a network."
        )
    encoder = PlainEncoder(keep_missing=student.takes_missing, keep_sparse=student.takes_sparse)
    encoder.fit_coded(own.codec, own.matrix, own.weight, own.numbers)
    return encoder, rows.encoded(encoder)


def term_weights(parts: Sequence[Rows], losses: Any, hard_weight: float) -> tuple[NDArray, NDArray]:
    """What soft target and label of each row weigh, as in the objective that networks minimise.

    Each term is a mean over its own rows, so that a label weighs more the fewer rows have one. In all they weigh as
    much as the rows do.
    """
    weight, n_labelled = total_weights(parts), len(parts[0])
    soft = (1 - hard_weight) * sum(loss.weight for _, loss in losses) * weight
    hard = np.zeros(len(weight))
    hard[:n_labelled] = hard_weight * weight[:n_labelled] * (weight.sum() / weight[:n_labelled].sum())
    total = soft.sum() + hard.sum()
    if not total > 0:
        raise ValueError(
            "loss must have a weight > 0, or hard_weight be > 0, else there is nothing to learn from; got 0 of both."
        )
    return soft * (weight.sum() / total), hard * (weight.sum() / total)


def soft_masses(parts: Sequence[Rows], task: Task, losses: Any, hard_weight: float) -> NDArray[np.float64]:
    """Each row's weight, shared among the classes (n, n_classes)."""
    soft, hard = term_weights(parts, losses, hard_weight)
    masses = np.zeros((len(soft), task.n_outputs))
    if soft.any():
        masses += soft[:, None] * np.concatenate([of_outputs(part.outputs) for part in parts])
    masses[np.arange(len(parts[0])), parts[0].y] += hard[: len(parts[0])]
    return masses


def mixed_targets(parts: Sequence[Rows], losses: Any, hard_weight: float) -> tuple[NDArray, NDArray]:
    """Standardized targets (n, n_outputs) and weights: squared errors to two targets are one to their mean."""
    soft, hard = term_weights(parts, losses, hard_weight)
    labels = parts[0].y
    weighted = np.zeros((len(soft), labels.shape[1]))
    if soft.any():
        weighted += soft[:, None] * np.concatenate([of_outputs(part.outputs) for part in parts])
    weighted[: len(labels)] += hard[: len(labels), None] * labels
    weight = soft + hard
    return weighted / np.where(weight > 0, weight, 1)[:, None], weight


def in_own_units(targets: NDArray, task: Task) -> NDArray:
    """Standardized targets in the user's units, one-dimensional where there is one."""
    scaling = task.target_scaling
    own = targets * scaling.scale + scaling.center
    return own[:, 0] if own.shape[1] == 1 else own


def joined(parts: Sequence[Any]) -> Any:
    """Encoded rows, one lot after the other: arrays, sparse matrices or frames."""
    if len(parts) == 1:
        return parts[0]
    if any(sparse.issparse(part) for part in parts):
        return sparse.vstack(parts, format="csr")
    library = type(parts[0]).__module__.partition(".")[0]
    if library == "pandas":
        return sys.modules[library].concat(parts, ignore_index=True)
    return sys.modules[library].concat(parts) if library == "polars" else np.concatenate(parts)
