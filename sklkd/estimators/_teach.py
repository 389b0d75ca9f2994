"""Train one student on rows and what a teacher says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.preprocessing import FunctionTransformer
from skorch import NeuralNet

from sklkd._sklearn import _safe_indexing
from sklkd.estimators._layers import TeacherLayers, joined
from sklkd.estimators._merge import Merged
from sklkd.estimators._own_steps import fit_steps
from sklkd.losses import Loss
from sklkd.losses._objective import Objective
from sklkd.students import InputEncoder
from sklkd.students._forward import forward
from sklkd.students._resolve import Student, as_input, fill_module
from sklkd.students._tabular_student import LABELS_ALONE, TAUGHT, UNAIDED, Recipe, TabularStudent
from sklkd.students._train import initialize, reuse_output_layers, train
from sklkd.teachers import Outputs, Teacher
from sklkd.transfer import UNLABELLED, TransferSet, map_tensors

THRESHOLD_ROWS = 2_000  # rows on which a teacher's thresholds are mapped back to the user's columns


@dataclass(frozen=True)
class Unlabelled:
    """Rows of which only the teacher's answers are known; weights are in units of the labelled rows' mean weight."""

    X: Any
    outputs: Outputs
    weight: NDArray


@dataclass(frozen=True)
class Task:
    """What the student has to give: logits of ``n_outputs`` classes, or so many standardised targets."""

    classification: bool
    n_outputs: int


def teach(
    student: Student,
    task: Task,
    merged: Merged,
    extra: list[Unlabelled],
    layers: TeacherLayers,
    hard_weight: float,
    *,
    thresholds: list[tuple[NDArray, NDArray]],
    seed: int,
    verbose: int = 0,
    held: Merged | None = None,
) -> tuple[Any, NeuralNet]:
    """Fit the encoder and train the net.

    Parameters
    ----------
    student : Student
        Unfitted; used up.
    task : Task
    merged : Merged
        The labelled rows.
    extra : list of Unlabelled
        Unlabelled and synthetic rows.
    layers : TeacherLayers
        The losses, clones of this fit's own or none for labels alone, and the teacher, asked for what they compare.
    hard_weight : float
    thresholds : list of (ndarray, ndarray)
        See :func:`column_thresholds`.
    seed : int
    verbose : int
    held : Merged, default=None
        Labelled rows that decide which epoch is kept. None: the last.

    Returns
    -------
    encoder : transformer
        From the user's columns to the student's input.
    net : NeuralNet
        Trained; its ``criterion_`` is the objective.
    """
    encoder, inputs = prepare(student, task, merged, thresholds, recipe=LABELS_ALONE if hard_weight == 1 else TAUGHT)
    known = layers.of_parts([merged, *extra])
    net = initialize(student.net, Objective(layers.losses, hard_weight), inputs[:2], known[0], seed, verbose)
    judges = None if held is None else encoded_rows(encoder, held)
    return encoder, train_on(net, task, encoder, inputs, merged, extra, layers, known, seed=seed, held=judges)


def prepare(
    student: Student,
    task: Task,
    merged: Merged,
    thresholds: list[tuple[NDArray, NDArray]] | None = None,
    *,
    recipe: Recipe = UNAIDED,
) -> tuple[Any, torch.Tensor]:
    """Fit the encoder, and fill in what the data decide of the net: the encoder, and the rows as the net takes them."""
    encoder, encoded = fit_encoder(student, merged)
    fill_module(
        student,
        encoder,
        encoded,
        merged.weight,
        task.n_outputs,
        thresholds or [],
        task.classification,
        recipe=recipe,
    )
    return encoder, as_input(encoded)


def teach_more(
    encoder: Any,
    net: NeuralNet,
    task: Task,
    merged: Merged,
    extra: list[Unlabelled],
    layers: TeacherLayers,
    *,
    seed: int,
) -> NeuralNet:
    """Train a trained net further on new rows."""
    inputs, known = as_input(encoder.transform(merged.X)), layers.of_parts([merged, *extra])
    return train_on(net, task, encoder, inputs, merged, extra, layers, known, seed=seed, continued=True)


def train_on(
    net: NeuralNet,
    task: Task,
    encoder: Any,
    inputs: torch.Tensor,
    merged: Merged,
    extra: list[Unlabelled],
    layers: TeacherLayers,
    known: list[list[Any]],
    *,
    seed: int,
    continued: bool = False,
    held: TransferSet | None = None,
) -> NeuralNet:
    """Train an initialised net on labelled rows, then unlabelled ones, with what each loss needs of the teacher."""
    parts = [inputs, *(as_input(encoder.transform(part.X)) for part in extra)]
    weight = np.concatenate([merged.weight, *(part.weight for part in extra)])
    told: list[Any] = [merged.outputs, *(part.outputs for part in extra)]
    outputs: Any = Outputs.concatenate(told) if layers.losses else None
    features = joined(known)
    targets = [
        loss.target(outputs) if loss.n_layers == 0 else prepared(loss, layer, net.device)
        for (_, loss), layer in zip(layers.losses, features, strict=True)
    ]
    rows = transfer_set(torch.cat(parts), merged.y, weight, targets)
    train(net, rows, seed, n_outputs=task.n_outputs, continued=continued, held=held)
    if any(loss.always_alone for _, loss in layers.losses):
        reuse_output_layers(net, inputs[:2], features, linear_answers(outputs))
    return net


def transfer_set(inputs: torch.Tensor, y: NDArray, weight: NDArray, targets: Sequence[Any] = ()) -> TransferSet:
    """Encoded rows, of which the first have labels, with their weights."""
    equal = np.allclose(weight, weight[0])
    return TransferSet(
        inputs,
        pad_labels(y, len(inputs) - len(y)),
        None if equal else torch.from_numpy(weight.astype(np.float32)),
        targets,
    )


def encoded_rows(encoder: Any, merged: Merged) -> TransferSet:
    """Labelled rows as a fitted encoder gives them."""
    return transfer_set(as_input(encoder.transform(merged.X)), merged.y, merged.weight)


def linear_answers(outputs: Outputs) -> torch.Tensor:
    """Values, or logits with a mean of 0: those of log-probabilities too are linear in the layer before a softmax."""
    if outputs.values is not None:
        return torch.from_numpy(outputs.values)
    return torch.from_numpy(outputs.logits - outputs.logits.mean(axis=1, keepdims=True))


def prepared(loss: Loss, features: Any, device: Any) -> Any:
    """What a loss makes of the teacher's layers, once for all rows; its learnt parts are where the student is."""
    with torch.no_grad():
        made = loss.prepare(map_tensors(lambda layer: layer.to(device), features))
    return map_tensors(lambda layer: layer.cpu(), made)


def fit_encoder(student: Student, merged: Merged) -> tuple[Any, Any]:
    """The encoder, fitted on the labelled rows, and these rows encoded."""
    if student.encoder is not None:
        return fit_steps(student.encoder, merged.X, merged.y)
    if merged.coded is None or merged.codec is None:
        if student.tabular:
            raise ValueError(
                f"student must be a network of your own for X of more than two dimensions, got X of shape "
                f"{np.shape(merged.X)}: TabularNet takes a table."
            )
        encoder = FunctionTransformer(np.asarray, kw_args={"dtype": np.float32}).fit(merged.X)
        return encoder, encoder.transform(merged.X)
    max_levels = student.net.most_levels() if student.tabular and isinstance(student.net, TabularStudent) else 0
    encoder = InputEncoder(one_hot=not student.tabular, max_levels=max_levels)
    encoder.fit_coded(merged.codec, merged.coded, merged.weight)
    return encoder, encoder.transform_coded(merged.coded)


def column_thresholds(student: Student, teacher: Teacher, merged: Merged, seed: int) -> list[tuple[NDArray, NDArray]]:
    """The teacher's split thresholds in each column, for students that encode by them."""
    if not student.tabular or student.encoder is not None:
        return []
    pick = np.random.RandomState(seed).permutation(len(merged))[:THRESHOLD_ROWS]
    return teacher.thresholds(_safe_indexing(merged.X, np.sort(pick)))


def pad_labels(y: NDArray, n_extra: int) -> torch.Tensor:
    """Labels or standardised targets, and what says that a row has none."""
    if y.ndim == 1:
        return torch.from_numpy(np.concatenate([y.astype(np.int64), np.full(n_extra, UNLABELLED)]))
    return torch.from_numpy(np.concatenate([y, np.full((n_extra, y.shape[1]), np.nan)]).astype(np.float32))


def answers(encoder: Any, net: NeuralNet, X: Any) -> NDArray[np.float64]:
    """A trained student's logits or standardised targets."""
    return forward(net.module_, as_input(encoder.transform(X)), net.device).numpy().astype(float)
