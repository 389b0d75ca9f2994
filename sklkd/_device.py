"""Devices: where a module is, what a device can hold, and whether it has float64."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

# Of a device's free memory, what training rows may take; the rest is for the training itself
SHARE = 0.8


def device_of(module: nn.Module) -> torch.device:
    """Where a module's parameters are, or its buffers where it has none; the CPU where it has neither."""
    part: Any = next(module.parameters(), None)
    if part is None:
        part = next(module.buffers(), None)
    return torch.device("cpu") if part is None else part.device


def has_float64(device: torch.device) -> bool:
    """Whether a device has numbers of 64 bits, which mps has not."""
    if device.type in ("cpu", "cuda"):
        return True
    try:
        torch.zeros((), dtype=torch.float64, device=device)
    except (TypeError, RuntimeError):
        return False
    return True


def fits(device: torch.device, n_bytes: int) -> bool:
    """Whether a device other than the CPU has room for so many bytes, twice: in one order and in another.

    Where a device does not say what is free there, nothing fits.
    """
    if device.type == "cuda":
        free = torch.cuda.mem_get_info(device)[0]
    elif device.type == "mps":
        free = torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    else:
        return False
    return 2 * n_bytes <= SHARE * free
