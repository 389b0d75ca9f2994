"""Early exits: networks that end after one of their hidden layers."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sklkd._torch import Tap, Trace, first, replace_submodule
from sklkd.students._activations import watch
from sklkd.students._tabular_net import TabularNet

_TABULAR = re.compile(r"hidden\.(\d+)")


@dataclass(eq=False)
class Exit:
    """An early exit: its name, the layer, the head that makes an output of it, and the shape of one input row."""

    name: str
    tap: Tap
    head: nn.Module
    shape: tuple[int, ...]

    def __getstate__(self) -> dict[str, Any]:
        # skops stores arrays, and no modules
        return vars(self) | {"head": {name: value.cpu().numpy() for name, value in self.head.state_dict().items()}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        n_outputs, width = state["head"]["weight"].shape
        head = Head(width, n_outputs, device="meta")  # its first weights are not drawn
        arrays = {name: torch.as_tensor(value) for name, value in state["head"].items()}
        head.load_state_dict(arrays, assign=True)
        vars(self).update(state, head=head.eval())


class Head(nn.Linear):
    """Logits or values from a hidden layer; maps are averaged over their positions."""

    def forward(self, features: Tensor) -> Tensor:
        return super().forward(as_vectors(features))


def as_vectors(features: Tensor) -> Tensor:
    """(n, channels, height, width) averaged over positions, everything else as (n, width)."""
    return features.mean((2, 3)) if features.ndim == 4 else features.flatten(1)


def exit_layers(module: nn.Module, found: Trace, names: Any) -> dict[str, Tap]:
    """The layers of a network that can have an exit, by depth: those that the user names, or all there are.

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
            "the student has no hidden layer but the last, which leaves no place for an earlier exit: give it more, "
            f"such as TabularStudent(module__hidden=(64, 64)), or name layers; it has {', '.join(found.layers)}."
        )
    return taps


def deepest(found: Trace) -> Tap:
    """The input of the output layer."""
    return Tap(found.weighted[-1][0], True)


def tap_shape(found: Trace, tap: Tap) -> Any:
    """Shape of one row of the activation at a tap."""
    return dict(found.weighted)[tap.path] if tap.given else found.shapes[tap.path]


def cut(module: nn.Module, exit: Exit) -> nn.Module:
    """A copy of a trained network that ends at an exit, without the layers behind it."""
    tabular = _TABULAR.fullmatch(exit.tap.path)
    if type(module) is TabularNet and tabular is not None and not exit.tap.given:
        shorter: Any = copy.deepcopy(module)
        shorter.hidden, shorter.output = shorter.hidden[: int(tabular[1]) + 1], copy.deepcopy(exit.head)
        return shorter.to(next(module.parameters()).device)
    # taps are paths in the network that was trained, also where it has been cut since
    body = copy.deepcopy(module.body if isinstance(module, Shortened) else module)
    like = next(body.parameters())
    shortened = Shortened(body, exit.tap, copy.deepcopy(exit.head)).eval().to(like.device)
    return drop_unused(shortened, torch.zeros(2, *exit.shape, dtype=like.dtype, device=like.device))


class Shortened(nn.Module):
    """A module that ends where a layer has been computed, and puts a head on it.

    An exception ends the pass: of a module that stands in the place of the layer where what it is given is read, else
    of a hook. Both are there from the start, so that a pass changes nothing and threads can share the module. Torch
    does not export it.

    Parameters
    ----------
    body : Module
        Any; it is changed, and of no other use afterwards.
    tap : Tap
        A layer that is called once in a pass.
    head : Module
    """

    def __init__(self, body: nn.Module, tap: Tap, head: nn.Module):
        super().__init__()
        self.body, self.tap, self.head = body, tap, head
        if tap.given:
            replace_submodule(body, tap.path, _End())
        else:
            body.get_submodule(tap.path).register_forward_hook(_end_after)

    def forward(self, X: Tensor) -> Tensor:
        try:
            self.body(X)
        except _Reached as reached:
            return self.head(reached.features)
        raise RuntimeError(f"layer {self.tap.path!r} is not called in every pass, so that nothing can end there.")


class _Reached(BaseException):
    """A layer has been computed; no error, hence not caught by what catches errors."""

    def __init__(self, features: Tensor):
        super().__init__()
        self.features = features


class _End(nn.Module):
    """Ends a pass in the place of a layer, with what that is given."""

    def forward(self, features: Tensor, *_others: Any, **_options: Any) -> Tensor:
        raise _Reached(features)


def _end_after(_module: nn.Module, _inputs: tuple[Any, ...], output: Any) -> None:
    raise _Reached(first(output))


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
        # the layer at which the pass ends has to be there, and what contains it
        needed = needed or f"{end}.".startswith(f"{name}.")
        if name and held and not needed and not any(name.startswith(f"{one}.") for one in dropped):
            replace_submodule(module.body, name, nn.Identity())
            dropped.append(name)
    return module
