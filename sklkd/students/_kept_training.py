"""The epochs of a training are kept as they come, and a training that was killed goes on."""

from __future__ import annotations

import random
import time
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback, PrintLog, ProgressBar
from torch import nn

from sklkd._checkpoint import NOTHING_KEPT, Checkpoint, NotPicklableError
from sklkd._digest import digest
from sklkd._warn import warn
from sklkd.exceptions import CheckpointWarning
from sklkd.losses._objective import Objective
from sklkd.transfer import TransferSet

# Epochs are kept when the last one kept is this part of the training's time ago, or so many seconds; and so seldom that
# keeping takes no more than a twentieth of the time
PART, SECONDS, COST = 20, 5.0, 20
NAME = "training"
# What torch's modules have by themselves: tensors, which state_dict has, parts, hooks, and weak references to weights
OF_MODULES = frozenset(vars(nn.Module())) | {"_flat_weight_refs"}
FUNCTIONS = (type, types.FunctionType, types.BuiltinFunctionType, types.MethodType)
OF_NETS = frozenset({"history_", "callbacks_", "virtual_params_", "_interrupt"})


class KeptTraining:
    """One training of a net, from where a checkpoint left it.

    Whatever the training changes is kept: tensors and other attributes of the module, the losses and the callbacks, the
    state of the optimizer, the history, attributes that the net has been given, and the generators of torch, NumPy and
    Python. Functions do not change, and progress bars and logs teach nothing.

    Parameters
    ----------
    net : NeuralNet
        Ready to train.
    checkpoint : Checkpoint
    rows : TransferSet
        Another one, bit for bit, than was kept makes the training start anew.
    held : TransferSet or None
        Validation rows.
    seed : int
    """

    def __init__(self, net: Any, checkpoint: Checkpoint, rows: TransferSet, held: TransferSet | None, seed: int):
        self.net, self.checkpoint = net, checkpoint
        self.before = dict(vars(net))
        self.callbacks = [one for _, one in net.callbacks_ if not isinstance(one, (ProgressBar, PrintLog))]
        self.fixed = self._fixed(rows, held)
        self.digest = digest((rows, held, seed))
        state = checkpoint.load(NAME, self.fixed)
        self.state = state if state is not None and state["digest"] == self.digest else None
        self.epochs_before = len(net.history)
        self.begun: Any = None
        self.started = self.kept_at = self.cost = 0.0

    @property
    def n_done(self) -> int:
        """How many epochs were kept."""
        return 0 if self.state is None else len(self.state["history"]) - self.epochs_before

    def finished(self) -> bool:
        """Whether the whole training was kept; the net is then as it has left it."""
        if self.state is None or not self.state["finished"]:
            return False
        self._restore(self.state)
        return True

    @contextmanager
    def watched(self) -> Iterator[None]:
        """While it lasts, the net's epochs are kept, and follow those that were."""
        callbacks = self.net.callbacks_
        # a net's own callbacks begin and end their epochs in between
        self.net.callbacks_ = [("first", _First(self)), *callbacks, ("last", _Last(self))]
        try:
            yield
        finally:
            self.net.callbacks_ = callbacks
        self._keep(finished=True)

    def begin(self) -> None:
        """Called once callbacks have begun the training; what they have forgotten for it comes back."""
        self.started = self.kept_at = time.monotonic()
        self.begun = generators()
        if self.state is not None:
            self._restore(self.state)
            self.begun = self.state["begun"]
            set_generators(self.begun)

    def begin_epoch(self) -> None:
        """Called before anything else in an epoch happens."""
        if self.state is not None:
            set_generators(self.state["generators"])
            self.state = None

    def end_epoch(self) -> None:
        """Called when everything else in an epoch has happened."""
        now = time.monotonic()
        if now - self.kept_at >= max(COST * self.cost, min(SECONDS, (now - self.started) / PART)):
            self._keep(finished=False)
            self.kept_at = time.monotonic()
            self.cost = self.kept_at - now

    def _keep(self, *, finished: bool) -> None:
        if not self.checkpoint.keeps:
            return
        state = self._state() | {"digest": self.digest, "finished": finished, "begun": self.begun}
        try:
            self.checkpoint.keep(NAME, state, self.fixed)
        except NotPicklableError as error:
            cause = f"{type(error.__cause__).__name__}: {error.__cause__}"
            warn(
                "checkpoint keeps no epochs of this student, whose training would be repeated: what its module, "
                f"optimizer or callbacks hold cannot be pickled ({cause}).",
                CheckpointWarning,
            )
            self.checkpoint = NOTHING_KEPT

    def _modules(self) -> dict[str, nn.Module]:
        return {name: getattr(self.net, f"{name}_") for name in (*self.net._modules, *self.net._criteria)}

    def _optimizers(self) -> dict[str, Any]:
        return {name: getattr(self.net, f"{name}_") for name in self.net._optimizers}

    def _parts(self) -> dict[str, nn.Module]:
        """The modules inside modules that may hold more than tensors."""
        return {
            f"{name}.{path}": part
            for name, module in self._modules().items()
            for path, part in module.named_modules()
            # what passes through an objective is no state
            if not isinstance(part, Objective)
        }

    def _fixed(self, rows: TransferSet, held: TransferSet | None) -> dict[str, Any]:
        """What stays where it is, and is known to a state by its name."""
        fixed = {"net": self.net, "history": self.net.history, "rows": rows} | self._modules() | self._parts()
        fixed |= {f"{name} of all": one for name, one in self._optimizers().items()}
        fixed |= {f"callback {i}": one for i, one in enumerate(self.callbacks)}
        for name, module in self._modules().items():
            fixed |= {f"parameter {name}.{path}": one for path, one in module.named_parameters()}
        return fixed if held is None else fixed | {"held": held}

    def _state(self) -> dict[str, Any]:
        net = self.net
        kept = (*self._modules(), *self._optimizers())
        own = {*kept, *(f"{name}_" for name in kept)} | OF_NETS
        of_net = {name: value for name, value in vars(net).items() if name not in own}
        return {
            "history": list(net.history),
            "modules": {name: module.state_dict() for name, module in self._modules().items()},
            "parts": {name: _attributes(part, OF_MODULES) for name, part in self._parts().items()},
            "optimizers": {name: (dict(one.state), one.param_groups) for name, one in self._optimizers().items()},
            "callbacks": [_attributes(one) for one in self.callbacks],
            "net": {
                name: value for name, value in of_net.items() if name not in own and not isinstance(value, FUNCTIONS)
            },
            # such as what scales the gradients of a training in half precision
            "scalers": {name: one.state_dict() for name, one in of_net.items() if _has_state(one)},
            "generators": generators(),
        }

    def _is_new(self, name: str, value: Any) -> bool:
        return value is not self.before.get(name, self) and not isinstance(value, FUNCTIONS)

    def _restore(self, state: dict[str, Any]) -> None:
        net, modules, parts, optimizers = self.net, self._modules(), self._parts(), self._optimizers()
        net.history[:] = state["history"]
        for name, saved in state["modules"].items():
            modules[name].load_state_dict(saved)
        for name, saved in state["parts"].items():
            vars(parts[name]).update(saved)
        for name, (saved, groups) in state["optimizers"].items():
            # past load_state_dict, which casts to the parameters' dtype
            optimizers[name].state.clear()
            optimizers[name].state.update(saved)
            for group, values in zip(optimizers[name].param_groups, groups, strict=True):
                group.clear()
                group.update(values)
        for callback, saved in zip(self.callbacks, state["callbacks"], strict=True):
            vars(callback).update(saved)
        vars(net).update(state["net"])
        for name, saved in state["scalers"].items():
            getattr(net, name).load_state_dict(saved)


class _First(Callback):
    def __init__(self, training: KeptTraining):
        self.training = training

    def on_epoch_begin(self, net: Any, dataset_train: Any = None, dataset_valid: Any = None, **kwargs: Any) -> None:
        self.training.begin_epoch()


class _Last(Callback):
    def __init__(self, training: KeptTraining):
        self.training = training

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        self.training.begin()

    def on_epoch_end(self, net: Any, dataset_train: Any = None, dataset_valid: Any = None, **kwargs: Any) -> None:
        self.training.end_epoch()


def _has_state(value: Any) -> bool:
    return hasattr(value, "load_state_dict") and not isinstance(value, type)


def _attributes(holder: Any, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """What an object holds that may change, also what it leaves out of its pickles."""
    return {
        name: value for name, value in vars(holder).items() if name not in without and not isinstance(value, FUNCTIONS)
    }


def generators() -> dict[str, Any]:
    """The states of all generators from which a training may draw."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    numpy = np.random.get_state()  # noqa: NPY002 - callbacks of the user may draw from it
    return {"torch": torch.get_rng_state(), "cuda": cuda, "numpy": numpy, "python": random.getstate()}


def set_generators(states: dict[str, Any]) -> None:
    """Put all generators where they were."""
    torch.set_rng_state(states["torch"])
    if states["cuda"]:
        torch.cuda.set_rng_state_all(states["cuda"])
    np.random.set_state(states["numpy"])  # noqa: NPY002
    random.setstate(states["python"])
