"""A student is prepared, trained and trained further."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.preprocessing import FunctionTransformer
from skorch import NeuralNet

from sklkd._sparse_rows import concatenate
from sklkd.estimators._student_pipeline import fit_steps
from sklkd.estimators._task import Task
from sklkd.estimators._teacher_layers import TeacherLayers, joined
from sklkd.losses import Loss
from sklkd.losses._objective import Objective
from sklkd.rows import Rows, total_weights
from sklkd.students import InputEncoder
from sklkd.students._forward import forward
from sklkd.students._resolve import Student, as_input, fill_module, settle
from sklkd.students._tabular_student import LABELS_ONLY, WITH_TEACHER, Recipe, TabularStudent
from sklkd.students._train import initialize, reuse_output_layers, train
from sklkd.teachers import Outputs
from sklkd.transfer import UNLABELLED, TransferSet, map_tensors

Thresholds = list[tuple[NDArray, NDArray]]
"""Of each column the split thresholds of a teacher's trees and their weights; empty where they are not used."""


@dataclass(frozen=True, eq=False)
class TrainedStudent:
    """A fitted encoder and a trained net.

    Attributes
    ----------
    encoder : transformer
        From the user's columns to the student's input.
    net : NeuralNet
        Its ``criterion_`` is the objective that it was trained with.
    task : Task
    """

    encoder: Any
    net: NeuralNet
    task: Task

    def predictions(self, rows: Rows) -> NDArray[np.float64]:
        """Probabilities (n, n_classes), or standardized predictions (n, n_outputs)."""
        inputs = as_input(rows.encoded(self.encoder))
        outputs = forward(self.net.module_, inputs, self.net.device).numpy().astype(float)
        return self.task.predictions(outputs)

    def train_further(self, rows: Rows, unlabelled: Sequence[Rows], layers: TeacherLayers, seed: int) -> None:
        """Train the net, in place, on new rows with the losses that it has."""
        parts = [rows, *unlabelled]
        known = layers.of_parts(parts)
        transfer = transfer_set(self.encoder, parts, layers.losses, known, self.net.device)
        train(self.net, transfer, seed, n_outputs=self.task.n_outputs, continued=True)
        _reuse_output_layers(self.net, transfer, parts, layers.losses, known)


class MoreRows(Protocol):
    """Labelled rows that are made when the encoder is fitted and the losses are built."""

    @property
    def n_rows(self) -> int:
        """How many there are, at most."""

    def behind(self, transfer: TransferSet, encoder: Any) -> TransferSet:
        """A transfer set with these rows behind its own."""


@dataclass(frozen=True, eq=False)
class StudentTraining:
    """How one student is trained.

    Attributes
    ----------
    student : Student
        Unfitted; used up.
    task : Task
    thresholds : list of (ndarray, ndarray)
        See ``Thresholds``.
    seed : int
    verbose : int
    encoder : transformer, default=None
        Fitted already, on these rows or more. None: fitted on the labelled rows.
    recipe : Recipe, default=WITH_TEACHER
        What "auto" stands for in a default student that learns from a teacher.
    more_rows : MoreRows, default=None
        Labelled rows beyond those that are passed on, which are a sample of all. None: there are none.
    """

    student: Student
    task: Task
    thresholds: Thresholds
    seed: int
    verbose: int = 0
    encoder: Any = None
    recipe: Recipe = WITH_TEACHER
    more_rows: MoreRows | None = None

    def prepare(self, rows: Rows, recipe: Recipe) -> tuple[Any, Any]:
        """Fit the encoder, and fill in what the data decide of the net: the encoder, and the rows as its input."""
        if self.encoder is None:
            encoder, encoded = fit_encoder(self.student, rows)
        else:
            encoder, encoded = self.encoder, rows.encoded(self.encoder)
        fill_module(
            self.student,
            encoder,
            encoded,
            rows.weight,
            self.task.n_outputs,
            self.thresholds,
            self.task.kind,
        )
        settle(self.student, len(rows) + (0 if self.more_rows is None else self.more_rows.n_rows), recipe)
        return encoder, as_input(encoded)

    def fit_labels_only(self, rows: Rows, validation: Rows | None) -> TrainedStudent:
        """Train on labels; the epoch that is best on the validation rows is kept, or the last where there are none."""
        encoder, inputs = self.prepare(rows, LABELS_ONLY)
        net = self._initialize(Objective([], 1.0, link=self.task.link), inputs, [])
        transfer = self._completed(labelled_set(inputs, rows), encoder)
        held = None if validation is None else encoded_rows(encoder, validation)
        train(net, transfer, self.seed, n_outputs=self.task.n_outputs, held=held)
        return TrainedStudent(encoder, net, self.task)

    def fit(self, rows: Rows, unlabelled: Sequence[Rows], layers: TeacherLayers, hard_weight: float) -> TrainedStudent:
        """Train on what the losses compare with the teacher, and on labels.

        Parameters
        ----------
        rows : Rows
            Labelled, with the targets of the losses as outputs.
        unlabelled : sequence of Rows
            Unlabelled and synthetic rows with theirs.
        layers : TeacherLayers
            The losses, clones of this fit's own, and the teacher, asked for what they compare.
        hard_weight : float
        """
        parts = [rows, *unlabelled]
        encoder, inputs = self.prepare(rows, self.recipe)
        known = layers.of_parts(parts)
        objective = Objective(layers.losses, hard_weight, link=self.task.link)
        net = self._initialize(objective, inputs, known[0])
        transfer = self._completed(transfer_set(encoder, parts, layers.losses, known, net.device), encoder)
        train(net, transfer, self.seed, n_outputs=self.task.n_outputs)
        _reuse_output_layers(net, transfer, parts, layers.losses, known)
        return TrainedStudent(encoder, net, self.task)

    def _completed(self, transfer: TransferSet, encoder: Any) -> TransferSet:
        return transfer if self.more_rows is None else self.more_rows.behind(transfer, encoder)

    def _initialize(self, objective: Objective, inputs: Any, known: list[Any]) -> NeuralNet:
        return initialize(self.student.net, objective, inputs[:2], known, self.seed, self.verbose)


def fit_encoder(student: Student, rows: Rows, counts: dict[int, NDArray] | None = None) -> tuple[Any, Any]:
    """The encoder, fitted on labelled rows, and these rows encoded; ``counts`` as for ``InputEncoder.fit_coded``."""
    rows = rows.for_student()
    if student.encoder is not None:
        return fit_steps(student.encoder, rows.X, rows.y, takes_sparse=student.tabular)
    if rows.coded is None or rows.codec is None:
        if student.tabular:
            raise ValueError(
                f"student must be a network of your own for X of more than two dimensions, got X of shape "
                f"{np.shape(rows.X)}: TabularNet takes a table."
            )
        encoder = FunctionTransformer(np.asarray, kw_args={"dtype": np.float32}).fit(rows.X)
        return encoder, encoder.transform(rows.X)
    max_levels = student.net.most_levels() if student.tabular and isinstance(student.net, TabularStudent) else 0
    encoder = InputEncoder(one_hot=not student.tabular, max_levels=max_levels)
    encoder.fit_coded(rows.codec, rows.coded, rows.weight, counts)
    return encoder, encoder.transform_coded(rows.coded)


def transfer_set(
    encoder: Any, parts: Sequence[Rows], losses: list[tuple[str, Loss]], known: list[list[Any]], device: Any
) -> TransferSet:
    """Labelled rows and then unlabelled ones, encoded, with what each loss compares with."""
    inputs = concatenate([as_input(part.encoded(encoder)) for part in parts])
    outputs: Any = Outputs.concatenate([part.outputs for part in parts]) if losses else None
    targets = [
        loss.target(outputs) if loss.n_layers == 0 else prepared(loss, layer, device)
        for (_, loss), layer in zip(losses, joined(known), strict=True)
    ]
    labels = pad_labels(parts[0].y, len(inputs) - len(parts[0]))
    return TransferSet(inputs, labels, as_weight(total_weights(parts)), targets)


def labelled_set(inputs: Any, rows: Rows, targets: Sequence[Any] = ()) -> TransferSet:
    """Encoded rows with their labels and weights, and what methods without a teacher store for each row."""
    return TransferSet(inputs, pad_labels(rows.y, 0), as_weight(total_weights([rows])), targets)


def encoded_rows(encoder: Any, rows: Rows) -> TransferSet:
    """Labelled rows as a fitted encoder gives them."""
    return labelled_set(as_input(rows.encoded(encoder)), rows)


def as_weight(weight: NDArray) -> torch.Tensor | None:
    """Weights of rows; None where they are equal."""
    return None if np.allclose(weight, weight[0]) else torch.from_numpy(weight.astype(np.float32))


def pad_labels(y: NDArray, n_unlabelled: int) -> torch.Tensor:
    """Labels or standardized targets, and what says that a row has none."""
    if y.dtype.kind != "f":
        none = np.full((n_unlabelled, *y.shape[1:]), UNLABELLED)
        return torch.from_numpy(np.concatenate([y.astype(np.int64), none]))
    return torch.from_numpy(np.concatenate([y, np.full((n_unlabelled, y.shape[1]), np.nan)]).astype(np.float32))


def prepared(loss: Loss, features: Any, device: Any) -> Any:
    """What a loss makes of the teacher's layers, once for all rows; its learnt parts are where the student is."""
    with torch.no_grad():
        made = loss.prepare(map_tensors(lambda layer: layer.to(device), features))
    return map_tensors(lambda layer: layer.cpu(), made)


def _reuse_output_layers(
    net: NeuralNet, transfer: TransferSet, parts: Sequence[Rows], losses: list[tuple[str, Loss]], known: list[list[Any]]
) -> None:
    """Put the teacher's output layer into a trained net, where a loss says so."""
    if not any(loss.always_alone for _, loss in losses):
        return
    outputs = Outputs.concatenate([part.outputs for part in parts])
    reuse_output_layers(net, transfer.inputs[:2], joined(known), _linear_in_features(outputs))


def _linear_in_features(outputs: Outputs) -> torch.Tensor:
    """Values, or logits with a mean of 0: log-probabilities too are then linear in the layer before a softmax."""
    if outputs.values is not None:
        return torch.from_numpy(outputs.values)
    return torch.from_numpy(outputs.logits - outputs.logits.mean(axis=1, keepdims=True))
