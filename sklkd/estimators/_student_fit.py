"""A student is prepared, trained and trained further."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from sklearn.preprocessing import FunctionTransformer
from skorch import NeuralNet
from torch import nn

from sklkd._checkpoint import NOTHING_KEPT, Checkpoint
from sklkd._columns import is_csr
from sklkd._device import device_of
from sklkd._progress import Advance
from sklkd._storage import Storage
from sklkd.estimators._student_pipeline import fit_steps
from sklkd.estimators._task import Task
from sklkd.estimators._teacher_layers import TeacherLayers, joined
from sklkd.losses import Loss
from sklkd.losses._objective import Objective
from sklkd.rows import Rows, total_weights
from sklkd.students import InputEncoder, TabularNet
from sklkd.students._forward import forward
from sklkd.students._resolve import Student, as_input, fill_module, settle
from sklkd.students._tabular_student import LABELS_ONLY, WITH_TEACHER, Recipe, TabularStudent
from sklkd.students._train import initialize, reuse_output_layers, train, without_training
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

    @property
    def said(self) -> str:
        return f"the student has trained {len(self.net.history)} epochs"

    def predictions(self, rows: Rows) -> NDArray[np.float64]:
        """Probabilities (n, n_classes), or standardized predictions (n, n_outputs)."""
        return np.concatenate([self._of_piece(piece) for piece in rows.pieces()])

    def _of_piece(self, rows: Rows) -> NDArray[np.float64]:
        inputs = as_input(rows.encoded(self.encoder))
        outputs = forward(self.net.module_, inputs, device_of(self.net.module_)).numpy().astype(float)
        return self.task.predictions(outputs)

    def train_further(self, rows: Rows, unlabelled: Sequence[Rows], layers: TeacherLayers, seed: int) -> None:
        """Train the net, in place, on new rows with the losses that it has."""
        parts = [rows, *unlabelled]
        known = layers.of_parts(parts)
        inputs = as_input(encode(self.encoder, parts))
        transfer = transfer_set(inputs, parts, layers.losses, known, device_of(self.net.module_))
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
class LabelsOnly:
    """A training on labels only, with encoded rows and without the user's.

    Attributes
    ----------
    net : NeuralNet
        Not initialised; used up.
    rows : TransferSet
    held : TransferSet or None
        Validation rows.
    task : Task
    seed : int
    verbose : int
    checkpoint : Checkpoint
        Keeps its epochs.
    advance : callable or None
        Told of each epoch.
    """

    net: NeuralNet
    rows: TransferSet
    held: TransferSet | None
    task: Task
    seed: int
    verbose: int
    checkpoint: Checkpoint
    advance: Advance | None

    def run(self) -> NeuralNet:
        """The trained net."""
        objective = Objective([], 1.0, link=self.task.link)
        net = initialize(self.net, objective, self.rows.inputs[:2], [], self.seed, self.verbose)
        return train(
            net,
            self.rows,
            self.seed,
            n_outputs=self.task.n_outputs,
            held=self.held,
            checkpoint=self.checkpoint,
            advance=self.advance,
        )

    def run_elsewhere(self) -> Any:
        """The trained net without what its training has left, and a module of the user's own beside it.

        skorch pickles that by the name of its class, which is known here alone where it is a notebook's.
        """
        net = without_training(self.run())
        return net, None if type(net.module_) is TabularNet else vars(net).pop("module_")

    def put_together(self, encoder: Any, made: tuple[NeuralNet, nn.Module | None]) -> TrainedStudent:
        """The trained student, of what :meth:`run_elsewhere` has made, and its encoder."""
        net, module = made
        if module is not None:
            vars(net)["module_"] = module
        return TrainedStudent(encoder, net, self.task)


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
    storage : Storage
        Where the encoded rows are kept.
    checkpoint : Checkpoint, default=NOTHING_KEPT
        Keeps the training, and what the user's own steps have learnt.
    more_rows : MoreRows, default=None
        Labelled rows beyond those that are passed on, which are a sample of all. None: there are none.
    advance : callable, default=None
        Told of each epoch. None: nobody looks.
    """

    student: Student
    task: Task
    thresholds: Thresholds
    seed: int
    verbose: int = 0
    encoder: Any = None
    recipe: Recipe = WITH_TEACHER
    storage: Storage = field(default_factory=Storage)
    checkpoint: Checkpoint = NOTHING_KEPT
    more_rows: MoreRows | None = None
    advance: Advance | None = None

    def prepare(self, rows: Rows, recipe: Recipe, unlabelled: Sequence[Rows] = ()) -> tuple[Any, Any]:
        """Fit the encoder, and fill in what the data decide of the net: the encoder, and all rows as its input."""
        encoder, encoded = (self.encoder, None) if self.encoder is not None else self._fit_encoder(rows)
        if encoded is None:
            encoded = encode(encoder, [rows, *unlabelled], self.storage)
        elif unlabelled:
            encoded = concatenated([encoded, encode(encoder, unlabelled, self.storage)])
        fill_module(
            self.student,
            encoder,
            encoded[: len(rows)],
            rows.weight,
            self.task.n_outputs,
            self.thresholds,
            self.task.kind,
        )
        settle(self.student, len(rows) + (0 if self.more_rows is None else self.more_rows.n_rows), recipe)
        return encoder, as_input(encoded)

    def _fit_encoder(self, rows: Rows) -> tuple[Any, Any]:
        if self.student.encoder is None:
            return fit_encoder(self.student, rows)
        # the user's own steps may draw from any generator
        return self.checkpoint.kept("encoder", lambda: fit_encoder(self.student, rows))

    def fit_labels_only(self, rows: Rows, validation: Rows | None) -> TrainedStudent:
        """Train on labels; the epoch that is best on the validation rows is kept, or the last where there are none."""
        encoder, training = self.labels_only(rows, validation)
        return TrainedStudent(encoder, training.run(), self.task)

    def labels_only(self, rows: Rows, validation: Rows | None) -> tuple[Any, LabelsOnly]:
        """The encoder, and the training of :meth:`fit_labels_only`, which may run in another process."""
        encoder, inputs = self.prepare(rows, LABELS_ONLY)
        held = None if validation is None else encoded_rows(encoder, validation)
        transfer = self._completed(labelled_set(inputs, rows), encoder)
        net, task, kept = self.student.net, self.task, self.checkpoint
        return encoder, LabelsOnly(net, transfer, held, task, self.seed, self.verbose, kept, self.advance)

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
        encoder, inputs = self.prepare(rows, self.recipe, unlabelled)
        known = layers.of_parts(parts)
        objective = Objective(layers.losses, hard_weight, link=self.task.link)
        net = initialize(self.student.net, objective, inputs[:2], known[0], self.seed, self.verbose)
        transfer = transfer_set(inputs, parts, layers.losses, known, device_of(net.module_))
        transfer = self._completed(transfer, encoder)
        n_outputs, kept = self.task.n_outputs, self.checkpoint
        train(net, transfer, self.seed, n_outputs=n_outputs, checkpoint=kept, advance=self.advance)
        _reuse_output_layers(net, transfer, parts, layers.losses, known)
        return TrainedStudent(encoder, net, self.task)

    def _completed(self, transfer: TransferSet, encoder: Any) -> TransferSet:
        return transfer if self.more_rows is None else self.more_rows.behind(transfer, encoder)


def fit_encoder(student: Student, rows: Rows, counts: dict[int, NDArray] | None = None) -> tuple[Any, Any]:
    """The encoder, fitted on labelled rows; and what the user's own steps have made of them then, else None.

    ``counts`` are as for ``InputEncoder.fit_coded``.
    """
    rows = rows.for_student()
    if student.encoder is not None:
        return fit_steps(student.encoder, rows.X, rows.y, takes_sparse=student.tabular)
    if rows.matrix is None or rows.codec is None:
        if student.tabular:
            raise ValueError(
                f"student must be a network of your own for X of more than two dimensions, got X of shape "
                f"{np.shape(rows.X)}: TabularNet takes a table."
            )
        return FunctionTransformer(np.asarray, kw_args={"dtype": np.float32}).fit(rows.X), None
    max_levels = student.net.most_levels() if student.tabular and isinstance(student.net, TabularStudent) else 0
    encoder = InputEncoder(one_hot=not student.tabular, max_levels=max_levels)
    return encoder.fit_coded(rows.codec, rows.matrix, rows.weight, rows.numbers, counts), None


def encode(encoder: Any, parts: Sequence[Rows], storage: Storage | None = None) -> Any:
    """Lots of rows as a fitted encoder gives them, one after the other: float32, or in CSR format."""
    empty = np.empty if storage is None else storage.empty
    n, start, sparse_pieces = sum(map(len, parts)), 0, []
    made: Any = None
    for piece in (piece for part in parts for piece in part.pieces()):
        encoded = piece.encoded(encoder)
        if is_csr(encoded):
            sparse_pieces.append(encoded)
            continue
        encoded = np.asarray(encoded)
        if made is None:
            made = empty((n, *encoded.shape[1:]), np.float32)
        made[start : start + len(encoded)] = encoded
        start += len(encoded)
    return concatenated(sparse_pieces) if sparse_pieces else made


def concatenated(parts: Sequence[Any]) -> Any:
    """Arrays, or matrices in CSR format, one after the other."""
    return sparse.vstack(parts, format="csr") if is_csr(parts[0]) else np.concatenate(parts)


def transfer_set(
    inputs: Any, parts: Sequence[Rows], losses: list[tuple[str, Loss]], known: list[list[Any]], device: Any
) -> TransferSet:
    """Labelled rows and then unlabelled ones, as a network's input, with what each loss compares with."""
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
    return labelled_set(as_input(encode(encoder, [rows])), rows)


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
