"""Networks that train together: from what the user passes as peers to nets trained in one loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from skorch import NeuralNet, NeuralNetClassifier

from sklkd._device import device_of
from sklkd._named import check_names
from sklkd._progress import Advance
from sklkd._torch import seeded
from sklkd.estimators._student_fit import TrainedStudent, encode, encoded_rows, fit_encoder, labelled_set
from sklkd.estimators._task import Task
from sklkd.estimators._validation import FEWEST, validation_loss, validation_splits
from sklkd.losses._objective import Objective
from sklkd.methods import OnlineMethod
from sklkd.methods._online import CohortObjective, build_between
from sklkd.rows import Rows
from sklkd.students._cohort import Cohort, Ensemble, JoinedEncoder, join_inputs, naming
from sklkd.students._resolve import Student, as_input, check_output, fill_module, resolve_student, settle
from sklkd.students._tabular_student import WITHOUT_TEACHER
from sklkd.students._train import initialize, replace_module, train, with_module

DEPLOYED = ("best", "smallest", "ensemble")
"""What ``deploy`` may be beside a peer's name."""

LOOP = ("optimizer", "max_epochs", "batch_size", "device")
"""Parameters of nets that have to be equal where one loop trains all."""


@dataclass
class Peer:
    """A network of the cohort.

    Attributes
    ----------
    name : str
    net : NeuralNet
        Its module is trained in place, by another net's loop.
    encoder : transformer
        From the user's columns to the module's input; shared where it is the same.
    inputs : Tensor
        The encoded rows.
    """

    name: str
    net: NeuralNet
    encoder: Any
    inputs: torch.Tensor

    @property
    def n_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.net.module_.parameters())


def named_peers(peers: Any, reserved: set[str]) -> list[tuple[str, Any]]:
    """Names and students.

    Raises
    ------
    TypeError, ValueError
        Where ``peers`` is neither an integer nor a list of (name, student), there are fewer than two, or a name
        repeats, contains "__" or is reserved.
    """
    if isinstance(peers, Integral) and not isinstance(peers, bool):
        peers = [(f"peer{k}", None) for k in range(int(peers))]
    elif isinstance(peers, list):
        check_names("peers", peers, reserved | set(DEPLOYED))
    else:
        raise TypeError(f"peers must be an integer or a list of (name, student), got peers={peers!r}.")
    if len(peers) < 2:
        raise ValueError(f"peers must be at least 2, got {len(peers)}: a network alone has nobody to learn from.")
    return peers


def budgeted(pairs: Sequence[tuple[str, Any]]) -> bool:
    """Whether the epochs of the loop, those of the first peer, are not given."""
    name, first = pairs[0]
    with naming(name):
        return resolve_student(first).budgeted


def make_peers(pairs: Sequence[tuple[str, Any]], task: Task, rows: Rows, seeds: Sequence[int]) -> list[Peer]:
    """Encoders and initialised nets.

    Raises
    ------
    TypeError, ValueError
        Where a peer is no student, or cannot be trained with the others; the message names it.
    """
    encodings: dict[Any, tuple[Any, Any, torch.Tensor]] = {}
    students = []
    for name, given in pairs:
        with naming(name):
            student = resolve_student(given)
            # the default encodings are the same for all networks of a kind
            kind = student.tabular if student.encoder is None else name
            if kind not in encodings:
                encoder, encoded = fit_encoder(student, rows)
                encoded = encode(encoder, [rows]) if encoded is None else encoded
                encodings[kind] = encoder, encoded, as_input(encoded)
            encoder, encoded, inputs = encodings[kind]
            fill_module(student, encoder, encoded, rows.weight, task.n_outputs, [], task.kind)
            settle(student, len(rows), WITHOUT_TEACHER)
            students.append((name, student, encoder, inputs))
    check_loop([(name, student) for name, student, *_ in students])
    peers = []
    for (name, student, encoder, inputs), seed in zip(students, seeds, strict=True):
        with naming(name):
            net = initialize(student.net, Objective([], 1.0), inputs[:2], [], seed, 0)
            check_output(net, inputs, task.n_outputs)
        peers.append(Peer(name, net, encoder, inputs))
    return peers


def check_loop(students: Sequence[tuple[str, Student]]) -> None:
    """Raise where the nets have different loops, or others than the first have callbacks, which would not be called."""
    for option in LOOP:
        values = {name: getattr(student.net, option) for name, student in students}
        if any(value != next(iter(values.values())) for value in values.values()):
            listed = ", ".join(f"{name}: {getattr(value, '__name__', repr(value))}" for name, value in values.items())
            raise ValueError(f"peers are trained in one loop, so that {option} must be the same for all, got {listed}.")
    for name, student in students[1:]:
        if student.net.callbacks not in (None, [], "disable"):
            raise ValueError(
                f"callbacks belong to the first peer's net, which runs the loop for all; got some of {name!r}."
            )


@dataclass(frozen=True, eq=False)
class CohortTraining:
    """How networks are trained in one loop.

    Attributes
    ----------
    method : OnlineMethod
    task : Task
    seed, verbose : int
    stops : bool
        Whether each peer keeps the epoch that is best on the validation rows.
    advance : callable or None
        Told of each epoch.
    """

    method: OnlineMethod
    task: Task
    seed: int
    verbose: int
    stops: bool
    advance: Advance | None

    def run(self, peers: Sequence[Peer], rows: Rows, validation: Rows | None) -> NeuralNet:
        """Train all, each module in place, and return the net that has run the loop, whose module is the cohort."""
        inputs, columns = join_inputs([peer.inputs for peer in peers])
        with seeded(self.seed):
            cohort = Cohort([peer.net.module_ for peer in peers], columns)
            cohort = self.method.join(cohort, inputs[:2].to(device_of(cohort)))
        objective = CohortObjective(self.method, [peer.name for peer in peers], self.task.kind)
        if validation is not None:
            objective.held = encoded_rows(JoinedEncoder([peer.encoder for peer in peers]), validation)
        trainer = initialize(loop_for(peers, cohort), objective, inputs[:2], [], self.seed, self.verbose, build_between)
        n_outputs = self.task.n_outputs
        targets = self.method.targets(len(inputs), len(peers), n_outputs)
        transfer = labelled_set(inputs, rows, targets)
        held = objective.held if self.stops else None
        train(trainer, transfer, self.seed, n_outputs=n_outputs, held=held, advance=self.advance)
        for peer in peers:
            peer.net.history_ = trainer.history_
            if isinstance(peer.net, NeuralNetClassifier):
                peer.net.classes_inferred_ = np.arange(n_outputs)
        return trainer


def loop_for(peers: Sequence[Peer], cohort: Cohort) -> NeuralNet:
    """The first peer's net, unfitted, with the cohort as its module; each peer keeps its own optimizer options."""
    groups = []
    for k, peer in enumerate(peers):
        options = peer.net.get_params_for("optimizer")
        own = options.pop("param_groups", [])
        options.setdefault("lr", peer.net.lr)
        groups += [(f"peers.{k}.{pattern}", options | group) for pattern, group in own]
        groups.append((f"peers.{k}.*", options))
    net = clone(peers[0].net)
    net.set_params(optimizer__param_groups=groups)
    replace_module(net, cohort)
    return net


def ensemble_net(trainer: NeuralNet, method: OnlineMethod, task: Task) -> NeuralNet:
    """A trained net that predicts with all peers together."""
    return with_module(trainer, Ensemble(trainer.module_, partial(method.combine, task=task.kind)))


def peer_losses(peers: Sequence[Peer], task: Task, rows: Rows) -> dict[str, float]:
    """Log loss, or the logarithm of the mean squared error, of each trained peer on some rows."""
    losses = {}
    for peer in peers:
        loss = validation_loss(TrainedStudent(peer.encoder, peer.net, task).predictions(rows), rows, task)
        losses[peer.name] = 2 * float(np.log(max(loss, np.finfo(float).tiny))) if task.kind == "regression" else loss
    return losses


def hold_out(rows: Rows, task: Task, size: float, seed: int) -> tuple[Rows, Rows | None]:
    """Training rows and validation rows; of fewer than 50 rows none are held out.

    Rows of a class that would have none left stay.
    """
    if len(rows) < FEWEST:
        return rows, None
    training, held = validation_splits(rows, seed, 1, size)[0]
    if task.classification:
        held = held[np.isin(rows.y[held], rows.y[training])]
    return rows.take(np.setdiff1d(np.arange(len(rows)), held)), rows.take(held)
