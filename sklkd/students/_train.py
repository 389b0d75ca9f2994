"""Train a resolved student on a transfer set, through skorch's own loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet, NeuralNetClassifier
from skorch.callbacks import PrintLog, ProgressBar
from torch import Tensor, nn

from sklkd.losses import Loss
from sklkd.losses._objective import Objective
from sklkd.students._activations import build_losses, put_output_layer, tapped
from sklkd.students._keep_best import KeepBest
from sklkd.students._resolve import check_output, trainable
from sklkd.students._tabular_student import TabularStudent
from sklkd.transfer import TransferSet


def logits_to_proba(logits: Tensor) -> Tensor:
    """The nonlinearity of a classifier's student."""
    return torch.softmax(logits, -1)


class Unscale:
    """The nonlinearity of a regressor's student: standardised outputs to the target's units, in float64.

    Not a module, since skorch takes none there; :func:`keep_units` leaves mean and scale in the module's buffers too.
    """

    def __init__(self, mean: Any, scale: Any):
        self.mean, self.scale = np.asarray(mean), np.asarray(scale)

    def __call__(self, z: Tensor) -> Tensor:
        return z * torch.as_tensor(self.scale, device=z.device) + torch.as_tensor(self.mean, device=z.device)


def keep_units(net: NeuralNet, mean: Any, scale: Any) -> None:
    """Leave the target's mean and scale in a trained net: as buffers, and as its nonlinearity."""
    net.module_.register_buffer("target_mean", torch.as_tensor(mean))
    net.module_.register_buffer("target_scale", torch.as_tensor(scale))
    net.predict_nonlinearity = Unscale(mean, scale)


def initialize(
    net: NeuralNet,
    objective: Objective,
    sample: Tensor,
    features: Sequence[Any],
    seed: int,
    verbose: int,
    build: Callable[[Any, nn.Module, Tensor, Sequence[Any]], None] = build_losses,
) -> NeuralNet:
    """Make the module, the optimizer and the callbacks of an unfitted net, with the objective as its criterion.

    ``sample`` is a few of the student's input rows, ``features`` for each loss the teacher's layers on the training
    rows; with them ``build`` makes what the losses learn.
    """
    net = trainable(net)
    net.use_objective(objective, lambda module: build(objective, module, sample.to(net.device), features))
    if verbose and net.callbacks != "disable":
        # without names: skorch then keeps them apart from the user's
        logs = [PrintLog()] if verbose > 1 and isinstance(net, TabularStudent) else []
        net.callbacks = [*(net.callbacks or []), ProgressBar(), *logs]
        net.verbose = max(net.verbose, verbose - 1)  # else skorch prints no losses
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return net.initialize()


@contextmanager
def flushed() -> Iterator[None]:
    """While it lasts, denormal numbers are 0: a student that has learnt its labels by heart is full of them.

    Measured on digits, labels alone: they more than double the time of a training.
    """
    before = bool(torch.tensor(1e-310, dtype=torch.float64) * 1 == 0)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def train(
    net: NeuralNet,
    rows: TransferSet,
    seed: int,
    *,
    n_outputs: int,
    continued: bool = False,
    held: TransferSet | None = None,
    labels_alone: bool = False,
) -> NeuralNet:
    """Run the net's own epochs over the rows, seeded, without touching torch's global generator.

    Where labelled rows are held out, the epoch that does best on them is kept. ``labels_alone`` gives the default
    student as many epochs as it has for labels alone, also where more is learnt.
    """
    check_output(net, rows.inputs, n_outputs)
    objective = net.criterion_
    if isinstance(net, NeuralNetClassifier):
        # its scores want to know
        net.classes_inferred_ = np.arange(n_outputs)
    n_epochs, options = net.max_epochs, {}
    if isinstance(net, TabularStudent):
        labels_alone = labels_alone or objective.hard_weight == 1
        n_epochs = net.epochs(int(rows.labelled().sum()), len(rows), labels_alone, continued=continued)
        net.n_epochs_ = options["epochs"] = n_epochs
    objective.n_epochs = len(net.history) + n_epochs
    check_stages(objective)
    if held is not None:
        net.callbacks_.append(("keep_best", KeepBest(held, n_epochs)))
    taps = {tap for taps in objective.taps for tap in taps}
    nonlinearity, net.predict_nonlinearity = net.predict_nonlinearity, None
    with torch.random.fork_rng(devices=[]), flushed(), tapped(net.module_, taps, objective.features):
        torch.manual_seed(seed)
        net.partial_fit(rows, None, **options)
    net.predict_nonlinearity = nonlinearity
    if held is not None:
        net.callbacks_.pop()
    objective.rows = None
    net.module_.eval()
    for name, value in net.module_.state_dict().items():
        if value.is_floating_point() and not value.isfinite().all():
            net.raise_diverged(f"parameter {name!r} is no longer finite")
    return net


def check_stages(objective: Objective) -> None:
    """Raise where a first stage of training leaves no epoch in which the output is trained."""
    n_epochs = objective.n_epochs
    last = [loss for _, loss in objective.stage(n_epochs - 1)]
    if last and not any(loss.teaches_output for loss in last):
        raise ValueError(
            f"the first stage of {type(last[0]).__name__} (init_epochs) must leave epochs in which the output is "
            f"trained, got {n_epochs} epochs in all: lower init_epochs, or raise the student's max_epochs."
        )


def reuse_output_layers(net: NeuralNet, sample: Tensor, features: Sequence[Any], logits: Tensor) -> None:
    """Put the teacher's classifier into a trained net, where a loss says so.

    ``sample`` is a few input rows; ``features`` for each loss the teacher's layers, and ``logits`` its answers, on all
    rows that have trained the net.
    """
    objective = net.criterion_
    for loss, taps, teacher in zip(objective.losses, objective.taps, features, strict=True):
        layer = loss.output_layer(teacher, logits) if teacher is not None else None
        if layer is not None:
            put_output_layer(net.module_, sample.to(net.device), taps[0], layer)


def learnt_losses(net: NeuralNet) -> list[tuple[str, Loss]]:
    """The losses that a net was trained with, with what they have learnt; none where it learnt from labels alone."""
    return list(zip(net.criterion_.names, net.criterion_.losses, strict=True))


def shallow_copy(net: NeuralNet) -> NeuralNet:
    """A net with the same module; ``copy.copy`` would pickle that."""
    made = object.__new__(type(net))
    made.__dict__.update(net.__dict__)
    return made


def replace_module(net: NeuralNet, module: Any) -> None:
    """Let a net have another module, and none of the parameters of the one before."""
    # past skorch's own bookkeeping, which would forget that there is a module
    for name in [name for name in vars(net) if name.startswith("module__")]:
        del vars(net)[name]
    vars(net)["module"] = module


def with_module(net: NeuralNet, module: nn.Module) -> NeuralNet:
    """A copy of a trained net that answers with another trained module."""
    other = shallow_copy(net)
    replace_module(other, type(module))
    vars(other)["module_"] = module.eval()
    return other


def without_training(net: NeuralNet) -> NeuralNet:
    """A copy of a trained net that only answers: no optimizer state, learnt parts of losses, or callbacks."""
    light = shallow_copy(net)
    state = light.__dict__
    for name in list(state):
        if name.startswith("optimizer") and name.endswith("_"):
            state[name] = None
    state["criterion_"] = Objective([], 1.0)
    state["callbacks_"], state["callbacks"] = [], "disable"
    return light
