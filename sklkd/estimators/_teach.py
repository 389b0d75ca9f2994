"""Train one student on rows and what a teacher says of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.preprocessing import FunctionTransformer
from skorch import NeuralNet

from sklkd._sklearn import _safe_indexing
from sklkd.estimators._merge import Merged
from sklkd.estimators._own_steps import fit_steps
from sklkd.losses import Loss
from sklkd.losses._objective import Objective
from sklkd.students import InputEncoder, TabularStudent
from sklkd.students._resolve import Student, as_input, fill_module
from sklkd.students._train import forward, initialize, train
from sklkd.teachers import Outputs, Teacher
from sklkd.transfer import UNLABELLED, TransferSet

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
    losses: list[tuple[str, Loss]],
    hard_weight: float,
    teacher: Teacher,
    *,
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
    losses : list of (str, Loss)
        Clones of this fit's own; empty for labels alone.
    hard_weight : float
    teacher : Teacher
        Asked for thresholds and features.
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
    encoder, encoded = fit_encoder(student, merged)
    thresholds = column_thresholds(student, teacher, merged, seed)
    fill_module(student, encoder, encoded, merged.weight, task.n_outputs, thresholds, task.classification)
    objective = Objective(losses, hard_weight)
    inputs = as_input(encoded)
    if isinstance(student.net, TabularStudent):
        student.net.settle(len(merged), hard_weight == 1)
    net = initialize(student.net, objective, inputs[:2], seed, verbose)
    rows = transfer_set(inputs, merged, encoder, extra, losses)
    judges = None if held is None else transfer_set(as_input(encoder.transform(held.X)), held, encoder, [], [])
    return encoder, train(net, rows, seed, n_outputs=task.n_outputs, held=judges)


def teach_more(
    encoder: Any,
    net: NeuralNet,
    task: Task,
    merged: Merged,
    extra: list[Unlabelled],
    losses: list[tuple[str, Loss]],
    *,
    seed: int,
) -> NeuralNet:
    """Train a trained net further on new rows."""
    rows = transfer_set(as_input(encoder.transform(merged.X)), merged, encoder, extra, losses)
    return train(net, rows, seed, n_outputs=task.n_outputs, continued=True)


def transfer_set(
    inputs: torch.Tensor, merged: Merged, encoder: Any, extra: list[Unlabelled], losses: list[tuple[str, Loss]]
) -> TransferSet:
    """Labelled rows, then unlabelled ones, with what each loss needs of the teacher."""
    parts = [inputs, *(as_input(encoder.transform(part.X)) for part in extra)]
    weight = np.concatenate([merged.weight, *(part.weight for part in extra)])
    outputs: list[Any] = [merged.outputs, *(part.outputs for part in extra)]
    return TransferSet(
        torch.cat(parts),
        pad_labels(merged.y, sum(len(part) for part in parts[1:])),
        None if np.allclose(weight, weight[0]) else torch.from_numpy(weight.astype(np.float32)),
        [loss.target(Outputs.concatenate(outputs)) for _, loss in losses],
    )


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
    encoder = InputEncoder(one_hot=not student.tabular).fit_coded(merged.codec, merged.coded, merged.weight)
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
