"""Helpers for torch modules: rows as tensors, evaluation mode, seeds, and layers read through forward hooks.

Hooks are removed after each use, and a module is left in the mode in which it was.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from inspect import signature
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from sklkd._sparse_rows import SparseRows

RowShape = tuple[int | None, ...]
"""Shape of one row of a layer; None where it is not known before the module has run."""

LAST_HIDDEN, PREVIOUS_HIDDEN = "last_hidden", "previous_hidden"
"""Names of what the last linear or convolutional layer is given, and the one before it; with activations written as
functions no module returns these."""


class Tap(NamedTuple):
    """Where a layer's values are read: what the module at ``path`` is given, or what it returns."""

    path: str
    given: bool


@dataclass
class Trace:
    """The layers of a module: per-row shapes by name in the order of calling, and what its weighted ones are given."""

    shapes: dict[str, RowShape] = field(default_factory=dict)
    weighted: list[tuple[str, RowShape]] = field(default_factory=list)

    @property
    def given(self) -> dict[str, tuple[str, RowShape]]:
        """The hidden layers that are an input: path of the module that takes it, and its shape."""
        found = {}
        if len(self.weighted) > 2:
            found[PREVIOUS_HIDDEN] = self.weighted[-2]
        if len(self.weighted) > 1:
            found[LAST_HIDDEN] = self.weighted[-1]
        return {name: place for name, place in found.items() if name not in self.shapes}

    @property
    def layers(self) -> dict[str, RowShape]:
        return self.shapes | {name: shape for name, (_, shape) in self.given.items()}

    @property
    def hidden(self) -> tuple[str, ...]:
        """Names of the last layers in the order of the forward pass: hidden ones, and the output where they are few."""
        return (*self.given, *([self.weighted[-1][0]] if 0 < len(self.weighted) < 3 else []))

    def tap(self, layer: str) -> Tap:
        """Where one of ``layers`` is read."""
        return Tap(self.given[layer][0], True) if layer in self.given else Tap(layer, False)


def trace(module: nn.Module, run: Callable[[], Any]) -> Trace:
    """Watch a forward pass of a few rows."""
    found = Trace()

    def note(name: str, part: nn.Module, given: tuple, output: Any) -> None:
        output = first(output)
        if not isinstance(output, Tensor):
            return
        found.shapes.pop(name, None)
        found.shapes[name] = tuple(output.shape[1:])
        if is_weighted(part) and given and isinstance(given[0], (Tensor, SparseRows)):
            found.weighted.append((name, tuple(given[0].shape[1:])))

    with hooked(module, note):
        run()
    return found


def is_weighted(part: nn.Module) -> bool:
    """Whether a module multiplies by a matrix or kernels of its own, as normalisations do not."""
    return any(parameter.ndim > 1 for parameter in part.parameters(recurse=False))


def declared(module: nn.Module) -> Trace:
    """The layers of a module that cannot be watched: shapes are what its parts say, None where they do not."""
    parts = {name: part for name, part in module.named_modules() if name}
    weighted: list[tuple[str, RowShape]] = [
        (name, (getattr(part, "in_features", None),)) for name, part in parts.items() if is_weighted(part)
    ]
    return Trace({name: (getattr(part, "out_features", None),) for name, part in parts.items()}, weighted)


def collect(module: nn.Module, layer: str, tap: Tap, run: Callable[[], Any]) -> np.ndarray:
    """What one layer computes in forward passes of batches, all rows together, in float32.

    A layer that is called several times in one pass counts with its last call.
    """
    batches: list[np.ndarray] = []
    latest: list[Tensor] = []

    def note(name: str, part: nn.Module, given: tuple, output: Any) -> None:
        if name == tap.path:
            latest[:] = [given[0] if tap.given else first(output)]
        elif name == "":
            batches.extend(one.detach().float().cpu().numpy() for one in latest)
            latest.clear()

    with hooked(module, note, root=True):
        run()
    if not batches:
        raise ValueError(f"layer {layer!r} is not called in a forward pass.")
    return np.concatenate(batches)


@contextmanager
def hooked(module: nn.Module, note: Callable[[str, nn.Module, tuple, Any], None], root: bool = False) -> Iterator[None]:
    """Call ``note(name, part, inputs, output)`` after every part of a module has run; the root's name is ""."""
    handles = []
    try:
        for name, part in module.named_modules():
            if name or root:
                handles.append(part.register_forward_hook(partial(note, name)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def first(output: Any) -> Any:
    """What a module returned, or the first of several things."""
    return output[0] if isinstance(output, (tuple, list)) else output


def as_tensor(X: Any, module: nn.Module, device: Any = None) -> Tensor:
    """Rows as a tensor in the dtype and on the device of the module's parameters."""
    if isinstance(X, Tensor):
        values = X
    else:
        array = X.toarray() if sparse.issparse(X) else np.asarray(X)
        if array.dtype.kind not in "biuf":
            try:
                array = array.astype(np.float64)
            except (TypeError, ValueError):
                raise ValueError(
                    f"a torch teacher takes numbers, got cells of dtype {array.dtype} that are none: encode them first."
                ) from None
        values = torch.as_tensor(np.require(array, requirements=["C", "W"]))
    dtype = float_dtype(module)
    if not values.is_floating_point() and any(isinstance(part, nn.Embedding) for part in module.modules()):
        dtype = torch.int64
    if device is None:
        first_held = next((one for one in (*module.parameters(), *module.buffers())), None)
        device = "cpu" if first_held is None else first_held.device
    return values.to(device=device, dtype=dtype)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode; afterwards every submodule is back in the mode in which it was."""
    modes = [(part, part.training) for part in module.modules()]
    try:
        module.eval()
        yield
    finally:
        for part, training in modes:
            part.training = training


# torch's global generator, from which modules take their first weights and dropout, is one for all threads; a section
# may lie inside another one of the same thread
GENERATOR_LOCK = threading.RLock()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from torch's global generator as seeded, and leave it as it was.

    Only one thread at a time is in such a section, so that threads draw what they would draw one after the other.
    """
    with GENERATOR_LOCK, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


@contextmanager
def generator_kept() -> Iterator[None]:
    """Leave torch's global generators as they are, whatever draws from them inside.

    Threads run side by side in here; the lock is taken where a state is read or put back, never in the middle of
    another thread's seeded section. What the first of them has found, the last one puts back.
    """
    section = _Section()
    try:
        with GENERATOR_LOCK:
            section.enter()
        yield
    finally:
        with GENERATOR_LOCK:
            section.leave()


class _Section:
    """One section that keeps torch's generators. One that an interruption has cut off is forgotten with its frame."""

    def enter(self) -> None:
        cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
        _FOUND[self] = _Generators(torch.get_rng_state(), cuda)

    def leave(self) -> None:
        if self not in _FOUND:
            return
        first = next(iter(_FOUND)) is self
        found = _FOUND.pop(self)
        after = next(iter(_FOUND), None)
        if first and after is not None:
            _FOUND[after] = found
        torch.set_rng_state(found.cpu)
        if found.cuda:
            torch.cuda.set_rng_state_all(found.cuda)


class _Generators(NamedTuple):
    cpu: Tensor
    cuda: list[Tensor]


_FOUND: WeakKeyDictionary[_Section, _Generators] = WeakKeyDictionary()
"""The states that the open sections of all threads put back, in the order in which they began."""


@contextmanager
def torch_seed(seed: int | None) -> Iterator[None]:
    """As :func:`seeded`, for what may take long and seldom draws; None: nothing is seeded.

    The lock is taken where a state is read or put back, as in :func:`generator_kept`.
    """
    if seed is None:
        yield
        return
    with GENERATOR_LOCK:
        before = torch.get_rng_state()
    try:
        with GENERATOR_LOCK:
            torch.manual_seed(seed)
        yield
    finally:
        with GENERATOR_LOCK:
            torch.set_rng_state(before)


@contextmanager
def torch_threads(n: int) -> Iterator[None]:
    """Run torch in n threads where this thread calls it; other threads keep what they have."""
    before = torch.get_num_threads()
    try:
        _set_threads(n, before)
        yield
    finally:
        _set_threads(before, before)


def _set_threads(n: int, of_others: int) -> None:
    if torch.get_num_threads() != n:
        torch.set_num_threads(n)
        # it also sets what threads start with that have not called torch yet
        other = threading.Thread(target=torch.set_num_threads, args=(of_others,))
        other.start()
        other.join()


if hasattr(os, "register_at_fork"):
    # the threads of GNU OpenMP, which scikit-learn uses as well, are not there in a forked child, where a loop that
    # counts on them would wait for ever; with one thread there is none to wait for
    os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))


def float_dtype(module: nn.Module) -> torch.dtype:
    """The dtype of a module's first real parameter or buffer, torch's default where it has none."""
    held = (*module.parameters(), *module.buffers())
    return next((one.dtype for one in held if one.is_floating_point()), torch.get_default_dtype())


def replace_submodule(module: nn.Module, path: str, other: nn.Module) -> None:
    """``Module.set_submodule``, which torch has from 2.5 on."""
    parent, _, name = path.rpartition(".")
    setattr(module.get_submodule(parent), name, other)


def fuses(device: torch.device) -> bool:
    """Whether torch's Adam has one kernel for all of a step on this device; on a CPU from 2.4 on."""
    version = tuple(int(part) for part in torch.__version__.split(".")[:2])
    return device.type == "cuda" or (device.type == "cpu" and version >= (2, 4))


def without_dynamo() -> dict[str, Any]:
    """The argument by which ``torch.onnx.export`` traces; torch before 2.5 does nothing else, and does not have it."""
    return {"dynamo": False} if "dynamo" in signature(torch.onnx.export).parameters else {}


def newest_opset() -> int:
    """The newest that ``torch.onnx.export`` writes where it traces: 17 in torch 2.2, 20 in newer ones."""
    return getattr(getattr(torch.onnx, "_constants", None), "ONNX_TORCHSCRIPT_EXPORTER_MAX_OPSET", 20)
