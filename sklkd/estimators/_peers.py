"""Networks that train together: from what the user passes as peers to nets trained in one loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np
import torch
from scipy.special import softmax
from sklearn.base import clone
from skorch import NeuralNet, NeuralNetClassifier

from sklkd._named import check_names
from sklkd.estimators._hard_weight import FEWEST, hold_out, log_error, log_loss
from sklkd.estimators._merge import Merged
from sklkd.estimators._teach import Task, answers, encoded_rows, fit_encoder, transfer_set
from sklkd.losses._objective import Objective
from sklkd.methods import OnlineMethod
from sklkd.methods._online import CohortObjective, build_between
from sklkd.students._cohort import Cohort, Ensemble, JoinedEncoder, join_inputs, naming
from sklkd.students._resolve import Student, as_input, check_output, fill_module, resolve_student
from sklkd.students._train import initialize, replace_module, train, with_module

ANSWERS = ("best", "smallest", "ensemble")
"""What ``deploy`` may be beside a peer's name."""

LOOP = ("optimizer", "max_epochs", "batch_size", "device")
"""Parameters of nets of which one loop has only one."""


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
        repeats, contains "__" or means something else.
    """
    if isinstance(peers, Integral) and not isinstance(peers, bool):
        peers = [(f"peer{k}", None) for k in range(int(peers))]
    elif isinstance(peers, list):
        check_names("peers", peers, reserved | set(ANSWERS))
    else:
        raise TypeError(f"peers must be an integer or a list of (name, student), got peers={peers!r}.")
    if len(peers) < 2:
        raise ValueError(f"peers must be at least 2, got {len(peers)}: a network alone has nobody to learn from.")
    return peers


def budgeted(pairs: Sequence[tuple[str, Any]]) -> bool:
    """Whether the epochs of the loop, those of the first peer, are up to us."""
    name, first = pairs[0]
    with naming(name):
        return resolve_student(first).budgeted


def make_peers(pairs: Sequence[tuple[str, Any]], task: Task, merged: Merged, seeds: Sequence[int]) -> list[Peer]:
    """Encoders and initialised nets.

    Raises
    ------
    TypeError, ValueError
        Where something is no student, or cannot be trained with the others; the message names it.
    """
    encodings: dict[Any, tuple[Any, Any, torch.Tensor]] = {}
    students = []
    for name, given in pairs:
        with naming(name):
            student = resolve_student(given)
            # the default encodings are the same for all networks of a kind
            kind = student.tabular if student.encoder is None else name
            if kind not in encodings:
                encoder, encoded = fit_encoder(student, merged)
                encodings[kind] = encoder, encoded, as_input(encoded)
            encoder, encoded, inputs = encodings[kind]
            fill_module(student, encoder, encoded, merged.weight, task.n_outputs, [], task.classification)
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
    """Raise where the nets want different loops, or callbacks of others than the first would not be called."""
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


def train_peers(
    peers: Sequence[Peer],
    method: OnlineMethod,
    task: Task,
    merged: Merged,
    seed: int,
    verbose: int,
    held: Merged | None,
    stops: bool,
) -> NeuralNet:
    """Train all in one loop, each module in place, and return the net that has run it, whose module is the cohort.

    With ``stops``, each peer keeps the epoch that is best on the rows held out.
    """
    inputs, columns = join_inputs([peer.inputs for peer in peers])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        cohort = method.join(Cohort([peer.net.module_ for peer in peers], columns), inputs[:2].to(peers[0].net.device))
    objective = CohortObjective(method, [peer.name for peer in peers], task.classification)
    if held is not None:
        objective.held = encoded_rows(JoinedEncoder([peer.encoder for peer in peers]), held)
    trainer = initialize(loop_for(peers, cohort), objective, inputs[:2], [], seed, verbose, build_between)
    rows = transfer_set(inputs, merged.y, merged.weight, method.targets(len(inputs), len(peers), task.n_outputs))
    train(trainer, rows, seed, n_outputs=task.n_outputs, held=objective.held if stops else None)
    for peer in peers:
        peer.net.history_ = trainer.history_
        if isinstance(peer.net, NeuralNetClassifier):
            peer.net.classes_inferred_ = np.arange(task.n_outputs)
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


def ensemble_of(trainer: NeuralNet, method: OnlineMethod, classification: bool) -> NeuralNet:
    """A trained net that answers for all peers together."""
    combine = partial(method.combine, classification=classification)
    return with_module(trainer, Ensemble(trainer.module_, combine))


def peer_losses(peers: Sequence[Peer], task: Task, rows: Merged) -> dict[str, float]:
    """Log loss or squared error of each trained peer on some rows."""
    losses = {}
    for peer in peers:
        told = answers(peer.encoder, peer.net, rows.X)
        if task.classification:
            losses[peer.name] = log_loss(softmax(told, axis=1), rows.y, rows.weight)
        else:
            losses[peer.name] = log_error(told, rows.y, rows.weight)
    return losses


def set_aside(merged: Merged, classification: bool, share: float, seed: int) -> tuple[Merged, Merged | None]:
    """Rows to train on, and rows that have been set aside; of fewer than 50 none are.

    Rows of a class that would have none left stay.
    """
    if len(merged) < FEWEST:
        return merged, None
    rest, held = hold_out(merged, seed, share)
    if classification:
        held = held[np.isin(merged.y[held], merged.y[rest])]
    return merged.take(np.setdiff1d(np.arange(len(merged)), held)), merged.take(held)
