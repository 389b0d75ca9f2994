"""A device that no machine has: it computes on the CPU, refuses float64, as mps does, and refuses to mix devices."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

# a name that torch knows, whose tensors no build of it can make
NAME = "lazy"
DEVICE = torch.device(NAME)
# from one device to another, or with numbers of rows from the CPU
MOVE = ("_to_copy", "copy_", "index", "index_put_")


class DeviceTensor(Tensor):
    """A tensor on the device; its numbers are in ``held``, a tensor on the CPU."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor, requires_grad: bool = False) -> DeviceTensor:
        if held.dtype == torch.float64:
            raise TypeError("the device has no float64")
        made = Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=DEVICE,
            requires_grad=requires_grad,
        )
        made.held = held
        return made

    def __repr__(self) -> str:
        return f"DeviceTensor({self.held!r})"

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        return dispatched(function, args, kwargs or {})

    def __deepcopy__(self, memo: dict) -> Any:
        made = self.detach().clone()
        if isinstance(self, torch.nn.Parameter):
            made = torch.nn.Parameter(made, self.requires_grad)
        memo[id(self)] = made
        return made


class Device(TorchDispatchMode):
    """While it lasts, there is the device.

    Attributes
    ----------
    copies : Counter
        Tensors that were copied to the device ("in") and from it ("out").
    """

    def __init__(self) -> None:
        super().__init__()
        self.copies: Counter = Counter()

    def __torch_dispatch__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        if function.overloadpacket.__name__ == "_to_copy":
            there, asked = isinstance(args[0], DeviceTensor), kwargs.get("device")
            if asked is not None and there != (asked.type == NAME):
                self.copies["out" if there else "in"] += 1
        return dispatched(function, args, kwargs)


def dispatched(function: Any, args: tuple, kwargs: dict) -> Any:
    """What an operation gives on the device, or on the CPU."""
    name, asked = function.overloadpacket.__name__, kwargs.get("device")
    tensors = [one for one in tree_flatten((args, kwargs))[0] if isinstance(one, Tensor)]
    there = [one for one in tensors if isinstance(one, DeviceTensor)]
    if there and name not in MOVE:
        # as on other devices, single numbers may be on the CPU
        strangers = [tuple(one.shape) for one in tensors if not isinstance(one, DeviceTensor) and one.ndim > 0]
        if strangers:
            raise RuntimeError(f"{name} of tensors on two devices, those of shapes {strangers} on the CPU")
    if asked is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    made = function(*tree_map(held, args), **tree_map(held, kwargs))
    on_device = bool(there) if asked is None else asked.type == NAME
    known = {id(one.held): one for one in there}

    def placed(one: Any) -> Any:
        if not isinstance(one, Tensor) or not on_device:
            return one
        return known[id(one)] if id(one) in known else DeviceTensor(one)

    return tree_map(placed, made)


def held(value: Any) -> Any:
    return value.held if isinstance(value, DeviceTensor) else value
