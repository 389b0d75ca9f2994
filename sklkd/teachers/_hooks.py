"""What the layers of a torch module compute, read through forward hooks that are removed afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor, nn

from sklkd.teachers._base import Shape

LAST_HIDDEN = "last_hidden"
"""Name of what the last layer with weights is given; with activations written as functions no module returns it."""


@dataclass
class Trace:
    """The layers of a module: per-row shapes by name in the order of calling, and which one comes last."""

    shapes: dict[str, Shape] = field(default_factory=dict)
    last: str | None = None
    hidden: Shape | None = None

    @property
    def layers(self) -> dict[str, Shape]:
        if self.hidden is None or LAST_HIDDEN in self.shapes:
            return self.shapes
        return {**self.shapes, LAST_HIDDEN: self.hidden}


def trace(module: nn.Module, run: Callable[[], Any]) -> Trace:
    """Watch a module answer a few rows."""
    found = Trace()
    weighted: list[tuple[str, Shape | None]] = []

    def note(name: str, part: nn.Module, given: tuple, answer: Any) -> None:
        answer = first(answer)
        if not isinstance(answer, Tensor):
            return
        found.shapes.pop(name, None)
        found.shapes[name] = tuple(answer.shape[1:])
        if next(part.parameters(recurse=False), None) is not None:
            hidden = tuple(given[0].shape[1:]) if given and isinstance(given[0], Tensor) else None
            weighted.append((name, hidden))

    with hooked(module, note):
        run()
    if len(weighted) > 1:
        found.last, found.hidden = weighted[-1]
    return found


def declared(module: nn.Module) -> Trace:
    """The layers of a module that cannot be watched: shapes are what its parts say, None where they do not."""
    parts = {name: part for name, part in module.named_modules() if name}
    found = Trace({name: (getattr(part, "out_features", None),) for name, part in parts.items()})
    weighted = [name for name, part in parts.items() if next(part.parameters(recurse=False), None) is not None]
    if len(weighted) > 1:
        found.last, found.hidden = weighted[-1], (getattr(parts[weighted[-1]], "in_features", None),)
    return found


def collect(module: nn.Module, layer: str, last: str | None, run: Callable[[], Any]) -> np.ndarray:
    """What one layer computes while the module answers in batches, all rows together, in float32.

    A layer that is called several times in one pass counts with its last call.
    """
    is_input = layer == LAST_HIDDEN and layer not in dict(module.named_modules())
    path = last if is_input else layer
    batches: list[np.ndarray] = []
    latest: list[Tensor] = []

    def note(name: str, part: nn.Module, given: tuple, answer: Any) -> None:
        if name == path:
            latest[:] = [given[0] if is_input else first(answer)]
        elif name == "":
            batches.extend(one.detach().float().cpu().numpy() for one in latest)
            latest.clear()

    with hooked(module, note, root=True):
        run()
    if not batches:
        raise ValueError(f"layer {layer!r} is never called when the module answers.")
    return np.concatenate(batches)


@contextmanager
def hooked(module: nn.Module, note: Callable[[str, nn.Module, tuple, Any], None], root: bool = False) -> Iterator[None]:
    """Call ``note(name, part, inputs, answer)`` after every part of a module has run; the root's name is ""."""
    handles = [
        part.register_forward_hook(lambda part, given, answer, name=name: note(name, part, given, answer))
        for name, part in module.named_modules()
        if name or root
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def first(answer: Any) -> Any:
    """What a module returned, or the first of several things."""
    return answer[0] if isinstance(answer, (tuple, list)) else answer
