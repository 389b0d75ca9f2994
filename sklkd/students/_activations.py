"""Activations of a student's hidden layers: which there are, how losses are built for them, how they are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from sklkd._torch import Tap, Trace, evaluating, first, trace
from sklkd.losses import Loss
from sklkd.losses._objective import Objective


def build_losses(objective: Objective, module: nn.Module, sample: Tensor, features: Sequence[Any]) -> None:
    """Make the trainable parts of the losses of an objective, for a student.

    Parameters
    ----------
    objective : Objective
        Its ``taps`` are set here.
    module : Module
        The student.
    sample : Tensor
        A few of its input rows.
    features : sequence
        For each loss the teacher's layers on the training rows, as it compares them; None for losses on outputs.

    Raises
    ------
    ValueError
        If the student has no such layer; the message lists those that it has.
    """
    found = watch(module, sample) if any(loss.n_layers for loss in objective.losses) else Trace()
    losses: Any = objective.losses
    for k, (loss, teacher) in enumerate(zip(losses, features, strict=True)):
        if loss.n_layers == 0:
            continue
        names = layers_of(loss, found)
        objective.taps[k] = tuple(found.tap(name) for name in names)
        shapes = [found.layers[name] for name in names]
        loss.build(loss.side(shapes), loss.side(row_shapes(teacher)))
        loss.fit_teacher(teacher)


def watch(module: nn.Module, sample: Tensor) -> Trace:
    """The layers of a student, by a forward pass of a few rows."""
    with torch.no_grad(), evaluating(module):
        return trace(module, lambda: module(sample))


def layers_of(loss: Loss, found: Trace, parameter: str = "student_layer") -> tuple[str, ...]:
    """Names of a network's layers that a loss compares; ``parameter`` is the side's, for errors."""
    given: Any = getattr(loss, parameter)
    kind, network = type(loss).__name__, parameter.removesuffix("_layer")
    if given is None:
        # one layer must be a hidden one; of two, the second may be the output
        hidden = tuple(found.given)[-1:] if loss.n_layers == 1 else found.hidden
        if len(hidden) < loss.n_layers:
            raise ValueError(
                f"{kind} compares hidden layers, but the {network} has too few: use another one, or name layers as "
                f"{parameter}; it has {', '.join(map(repr, found.layers))}."
            )
        return hidden
    names = (given,) if isinstance(given, str) else tuple(given)
    for name in names:
        if name not in found.layers:
            listed = ", ".join(map(repr, found.layers))
            raise ValueError(f"{parameter} of {kind}: the {network} has no layer {name!r}; it has {listed}.")
    return names


def row_shapes(teacher: Any) -> list[tuple[int, ...]]:
    """Shapes of one row of the teacher's layers."""
    return [tuple(layer.shape[1:]) for layer in ((teacher,) if isinstance(teacher, Tensor) else teacher)]


# never changed in place: each recording sets a dictionary of its own
_RECORDINGS: ContextVar[Mapping[Recorder, list[Tensor]]] = ContextVar("recordings", default=MappingProxyType({}))


class Recorder:
    """A forward pre-hook that hands what a layer is given to the pass that asks for it.

    It is registered once, when the network is put together. A pass changes neither the network nor the hook: what is
    recorded belongs to the thread, so that passes in other threads record their own.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> net, recorder = nn.Sequential(nn.ReLU(), nn.Linear(2, 1)), Recorder()
    >>> _ = net[1].register_forward_pre_hook(recorder)
    >>> with recorder.recording() as inputs:
    ...     _ = net(torch.tensor([[-1.0, 3.0]]))
    >>> inputs
    [tensor([[0., 3.]])]
    """

    def __call__(self, _module: nn.Module, inputs: tuple[Any, ...]) -> None:
        store = _RECORDINGS.get().get(self)
        if store is not None:
            store.append(inputs[0])

    @contextmanager
    def recording(self) -> Iterator[list[Tensor]]:
        """While it lasts, each call of the layer in this thread appends what it is given."""
        store: list[Tensor] = []
        token = _RECORDINGS.set({**_RECORDINGS.get(), self: store})
        try:
            yield store
        finally:
            _RECORDINGS.reset(token)


@contextmanager
def tapped(module: nn.Module, taps: set[Tap], store: dict[Any, Tensor]) -> Iterator[None]:
    """While it lasts, each forward pass of ``module`` stores what is read at the taps."""
    modules = dict(module.named_modules())

    def keeper(tap: Tap) -> Any:
        def keep(_module: nn.Module, given: Any, output: Any) -> None:
            store[tap] = given[0] if tap.given else first(output)

        return keep

    handles = [modules[tap.path].register_forward_hook(keeper(tap)) for tap in taps]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        store.clear()


def put_output_layer(module: nn.Module, sample: Tensor, tap: Tap, layer: nn.Linear) -> None:
    """Copy a layer over the student's last one, in place.

    Raises
    ------
    ValueError
        If the student does not end in a Linear layer of that size, on what is read at the tap.
    """
    found = watch(module, sample)
    path = found.weighted[-1][0]
    last, reads = dict(module.named_modules())[path], Tap(path, True)
    store: dict[Any, Tensor] = {}
    fits = isinstance(last, nn.Linear) and last.bias is not None and last.weight.shape == layer.weight.shape
    if fits:
        with torch.no_grad(), evaluating(module), tapped(module, {tap, reads}, store):
            module(sample)
            hidden = store[tap].mean((2, 3)) if store[tap].ndim == 4 else store[tap]
            fits = hidden.shape == store[reads].shape and bool(torch.allclose(hidden, store[reads], atol=1e-4))
    if not fits:
        raise ValueError(
            "the teacher's classifier can only replace a Linear layer with a bias that ends the student, and that is "
            f"given what student_layer names (of maps, the mean over their positions); got {last} at {path!r}. Let "
            "student_layer be the layer before the output."
        )
    with torch.no_grad():
        last.load_state_dict(layer.state_dict())
