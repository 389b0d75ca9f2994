"""Leave a network after one of its hidden layers."""

from __future__ import annotations

import copy
import re
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from sklkd.students._tabular_net import TabularNet
from sklkd.students._taps import watch
from sklkd.teachers._hooks import Tap, Trace, first

_TABULAR = re.compile(r"hidden\.(\d+)")


class Exit(NamedTuple):
    """Where a network may be left: a name, the layer, the head behind it, and the shape of one input row."""

    name: str
    tap: Tap
    head: nn.Module
    shape: tuple[int, ...]


class Head(nn.Linear):
    """Logits or values from a hidden layer; maps are averaged over their positions."""

    def forward(self, features: Tensor) -> Tensor:
        return super().forward(as_vectors(features))


def as_vectors(features: Tensor) -> Tensor:
    """(n, channels, height, width) averaged over positions, everything else as (n, width)."""
    return features.mean((2, 3)) if features.ndim == 4 else features.flatten(1)


def exit_layers(module: nn.Module, found: Trace, names: Any) -> dict[str, Tap]:
    """Where a network can be left before its output, by depth: the layers that the user names, or all there are.

    These are the hidden layers of a :class:`TabularNet` but the last; of any other module, what each linear or
    convolutional layer between the first and the last is given, under that layer's name.

    Raises
    ------
    ValueError
        If there is no such layer, or none at all, or it is the output; the message lists those that there are.
    """
    if names is not None:
        unknown = [name for name in names if name not in found.layers]
        if unknown:
            listed = ", ".join(map(repr, found.layers))
            raise ValueError(f"layers must name layers of the student, which are {listed}; got {unknown}.")
        places = {path: place for place, path in enumerate(found.shapes)}
        # what a layer is given is there just before it
        depth = {name: places[tap.path] - tap.given / 2 for name, tap in ((name, found.tap(name)) for name in names)}
        output = found.weighted[-1][0]
        late = [name for name in names if depth[name] >= places[output]]
        if late:
            raise ValueError(f"layers must lie before the output layer {output!r}, an exit anyhow; got {late}.")
        return {name: found.tap(name) for name in sorted(names, key=depth.__getitem__)}
    if isinstance(module, TabularNet):
        taps = {f"hidden.{k}": Tap(f"hidden.{k}", False) for k in range(len(module.hidden) - 1)}
    else:
        taps = {path: Tap(path, True) for path, _ in found.weighted[1:-1]}
    if not taps:
        raise ValueError(
            "the student has no hidden layer but the last, so that there is nowhere to leave it earlier: give it more, "
            f"such as TabularStudent(module__hidden=(64, 64)), or name layers; it has {', '.join(found.layers)}."
        )
    return taps


def deepest(found: Trace) -> Tap:
    """What the output layer is given."""
    return Tap(found.weighted[-1][0], True)


def tap_shape(found: Trace, tap: Tap) -> Any:
    """Shape of one row of what is read at a tap."""
    return dict(found.weighted)[tap.path] if tap.given else found.shapes[tap.path]


def cut(module: nn.Module, exit: Exit) -> nn.Module:
    """A copy of a trained network that ends at an exit, without what lies behind it."""
    tabular = _TABULAR.fullmatch(exit.tap.path)
    module = copy.deepcopy(module)
    if type(module) is TabularNet and tabular is not None and not exit.tap.given:
        shorter: Any = module
        shorter.hidden, shorter.output = module.hidden[: int(tabular[1]) + 1], copy.deepcopy(exit.head)
        return shorter
    shortened = Shortened(module, exit.tap, copy.deepcopy(exit.head)).eval()
    like = next(shortened.parameters())
    return drop_unused(shortened, torch.zeros(2, *exit.shape, dtype=like.dtype, device=like.device))


class Shortened(nn.Module):
    """A module that is left where a layer has been computed, and whose outputs are those of a head.

    Parameters
    ----------
    body : Module
        Any; a pass through it is ended by an exception, which is not something that torch exports.
    tap : Tap
        A layer that is called once in a pass.
    head : Module
    """

    def __init__(self, body: nn.Module, tap: Tap, head: nn.Module):
        super().__init__()
        self.body, self.tap, self.head = body, tap, head

    def forward(self, X: Tensor) -> Tensor:
        layer = self.body.get_submodule(self.tap.path)

        def leave(_module: nn.Module, given: Any, output: Any = None) -> None:
            raise _Reached(given[0] if self.tap.given else first(output))

        register = layer.register_forward_pre_hook if self.tap.given else layer.register_forward_hook
        handle = register(leave)
        try:
            self.body(X)
        except _Reached as reached:
            return self.head(reached.features)
        finally:
            handle.remove()
        raise RuntimeError(f"layer {self.tap.path!r} is not called in every pass, so that nothing can end there.")


class _Reached(BaseException):
    """A layer has been computed; no error, hence not caught by what catches errors."""

    def __init__(self, features: Tensor):
        super().__init__()
        self.features = features


def drop_unused(module: Shortened, sample: Tensor) -> Shortened:
    """Put an Identity in the place of every layer of the body that a pass does not need, in place."""
    parameters = list(module.body.parameters())
    with torch.enable_grad():
        grads = torch.autograd.grad(module(sample).sum(), parameters, allow_unused=True)
    used = {id(parameter) for parameter, grad in zip(parameters, grads, strict=True) if grad is not None}
    called = set(watch(module, sample).shapes)
    end = module.tap.path
    dropped: list[str] = []
    for name, part in list(module.body.named_modules()):
        held = list(part.parameters())
        needed = any(id(parameter) in used for parameter in held) or f"body.{name}" in called
        # what contains the layer at which the pass ends has to be there, and that one too if it is run
        needed = needed or (f"{end}.".startswith(f"{name}.") and not (name == end and module.tap.given))
        if name and held and not needed and not any(name.startswith(f"{one}.") for one in dropped):
            module.body.set_submodule(name, nn.Identity())
            dropped.append(name)
    return module
