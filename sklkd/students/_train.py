"""Train a resolved student on a transfer set, through skorch's own loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from skorch import NeuralNet, NeuralNetClassifier
from skorch.callbacks import Callback, PrintLog, ProgressBar
from torch import Tensor, nn

from sklkd._checkpoint import NOTHING_KEPT, Checkpoint
from sklkd._device import device_of, has_float64
from sklkd._progress import Advance
from sklkd._torch import seeded
from sklkd.losses import Loss
from sklkd.losses._objective import Objective
from sklkd.students._activations import build_losses, put_output_layer, tapped
from sklkd.students._early_stopping import EarlyStopping
from sklkd.students._kept_training import KeptTraining
from sklkd.students._probabilities import gives_probabilities, return_logits
from sklkd.students._resolve import check_output, trainable
from sklkd.students._scaling import TargetScaling
from sklkd.students._tabular_student import TabularStudent
from sklkd.transfer import TransferSet


def logits_to_proba(logits: Tensor) -> Tensor:
    """The nonlinearity of a classifier's student."""
    return torch.softmax(logits, -1)


def use_scaling(net: NeuralNet, scaling: TargetScaling) -> None:
    """Let a trained net predict in the targets' units: mean and scale as buffers, the scaling as its nonlinearity."""
    device = device_of(net.module_)
    dtype = torch.float64 if has_float64(device) else torch.float32
    for name, values in (("target_mean", scaling.center), ("target_scale", scaling.scale)):
        net.module_.register_buffer(name, torch.as_tensor(values, dtype=dtype, device=device))
    net.predict_nonlinearity = scaling


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
    rows; with them ``build`` makes what the losses learn. The net's ``gives_probabilities_`` tells whether a
    classifier's module ends in a softmax, or for several labels in a sigmoid; it then gives logits. With ``verbose``
    above 1 skorch shows each epoch and its losses.
    """
    net = trainable(net)

    def build_on(module: nn.Module) -> None:
        rows = sample.to(device_of(module))
        kind = getattr(net, "task_kind_", "regression")
        net.gives_probabilities_ = gives_probabilities(module, rows, kind)
        if net.gives_probabilities_:
            return_logits(module, kind)
        build(objective, module, rows, features)

    net.use_objective(objective, build_on)
    if verbose > 1 and net.callbacks != "disable":
        # without names: skorch then keeps them apart from the user's
        logs = [PrintLog()] if isinstance(net, TabularStudent) else []
        net.callbacks = [*(net.callbacks or []), ProgressBar(), *logs]
        net.verbose = max(net.verbose, verbose - 1)  # else skorch prints no losses
    with seeded(seed):
        return net.initialize()


class EpochsDone(Callback):
    """Tells after each epoch that one of so many is done."""

    def __init__(self, advance: Advance, n_epochs: int):
        self.advance, self.n_epochs = advance, n_epochs

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        self.advance(1 / self.n_epochs)


@contextmanager
def flushed() -> Iterator[None]:
    """While it lasts, denormal numbers are 0: a student that has memorised its labels is full of them.

    On digits, with labels only, they more than double the time of a training.
    """
    before = bool(torch.tensor(1e-310, dtype=torch.float64) * 1 == 0)
    try:
        torch.set_flush_denormal(True)
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
    labels_only: bool = False,
    checkpoint: Checkpoint = NOTHING_KEPT,
    advance: Advance | None = None,
) -> NeuralNet:
    """Run the net's own epochs over the rows, seeded, without touching torch's global generator.

    Where labelled rows are held out, the epoch that does best on them is kept. ``labels_only`` gives the default
    student as many epochs as it has for labels only, also where more is learnt. What a checkpoint has kept of the same
    training is not done again. ``advance`` is told of each epoch.
    """
    check_output(net, rows.inputs, n_outputs)
    objective = net.criterion_
    if isinstance(net, NeuralNetClassifier):
        # its scores want to know
        net.classes_inferred_ = np.arange(n_outputs)
    n_epochs, options = net.max_epochs, {}
    if isinstance(net, TabularStudent):
        labels_only = labels_only or objective.hard_weight == 1
        n_epochs = net.epochs(int(rows.labelled().sum()), len(rows), labels_only, continued=continued)
        net.n_epochs_ = options["epochs"] = n_epochs
    objective.n_epochs = len(net.history) + n_epochs
    check_stages(objective)
    callbacks = list(net.callbacks_)
    if held is not None:
        net.callbacks_.append(("early_stopping", EarlyStopping(held, n_epochs)))
    if advance is not None:
        net.callbacks_.append(("epochs_done", EpochsDone(advance, n_epochs)))
    taps = {tap for taps in objective.taps for tap in taps}
    nonlinearity, net.predict_nonlinearity = net.predict_nonlinearity, None
    with seeded(seed), flushed(), tapped(net.module_, taps, objective.features):
        _run_epochs(net, rows, held, seed, n_epochs, options, checkpoint)
    net.predict_nonlinearity = nonlinearity
    net.callbacks_ = callbacks
    objective.rows = None
    net.module_.eval()
    for name, value in net.module_.state_dict().items():
        if value.is_floating_point() and not value.isfinite().all():
            net.raise_diverged(f"parameter {name!r} is no longer finite")
    return net


def _run_epochs(
    net: NeuralNet,
    rows: TransferSet,
    held: TransferSet | None,
    seed: int,
    n_epochs: int,
    options: dict[str, Any],
    checkpoint: Checkpoint,
) -> None:
    """The epochs of a training that a checkpoint has not kept."""
    if not checkpoint.keeps:
        net.partial_fit(rows, None, **options)
        return
    training = KeptTraining(net, checkpoint, rows, held, seed)
    if training.finished():
        return
    if training.n_done:
        options = options | {"epochs": n_epochs - training.n_done}
    with training.watched():
        net.partial_fit(rows, None, **options)


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
    """Put the teacher's classifier into a trained net, where a loss has it.

    ``sample`` is a few input rows; ``features`` for each loss the teacher's layers, and ``logits`` its outputs, on all
    rows that have trained the net.
    """
    objective = net.criterion_
    for loss, taps, teacher in zip(objective.losses, objective.taps, features, strict=True):
        layer = loss.output_layer(teacher, logits) if teacher is not None else None
        if layer is not None:
            put_output_layer(net.module_, sample.to(device_of(net.module_)), taps[0], layer)


def trained_losses(net: NeuralNet) -> list[tuple[str, Loss]]:
    """The losses that a net was trained with, with what they have learnt; none where it learnt from labels only."""
    return list(zip(net.criterion_.names, net.criterion_.losses, strict=True))


def unfitted_copy(net: NeuralNet) -> NeuralNet:
    """A clone that :func:`initialize` takes for a student of the same task."""
    copied = clone(net)
    # what fill_module has left, which is no parameter
    vars(copied).update({name: vars(net)[name] for name in ("task_kind_", "validation_encoder_") if name in vars(net)})
    return copied


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
    """A copy of a trained net with another trained module."""
    other = shallow_copy(net)
    replace_module(other, type(module))
    vars(other)["module_"] = module.eval()
    return other


def without_training(net: NeuralNet) -> NeuralNet:
    """A copy of a trained net that only predicts: no optimizer state, learnt parts of losses, or callbacks."""
    light = shallow_copy(net)
    state = light.__dict__
    for name in list(state):
        if name.startswith("optimizer") and name.endswith("_"):
            state[name] = None
    state.pop("validation_encoder_", None)
    state["criterion_"] = Objective([], 1.0)
    state["callbacks_"], state["callbacks"] = [], "disable"
    return light
