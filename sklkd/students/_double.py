"""The copy of a trained module that predicts: in float64 where the module can."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from sklkd._device import device_of, has_float64
from sklkd.losses._objective import logits_of


class InFloat32(nn.Module):
    """A module that computes in float32, between inputs and outputs in float64.

    Parameters
    ----------
    module : Module
        One whose ``forward`` casts to float32, or makes constants of that type.
    """

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module

    def forward(self, X: Tensor) -> Tensor:
        return logits_of(self.module(X.float())).double()


def predicts_in_float64(module: nn.Module, sample: Tensor) -> bool:
    """Whether a trained module also runs in float64, with the same outputs.

    Parameters
    ----------
    module : Module
    sample : Tensor of shape (n, ...)
        A few rows of its input.
    """
    single, double = _for_float64(module), _for_float64(module).double()
    sample = sample.to(device_of(single))
    with torch.inference_mode():
        expected = logits_of(single(sample.float()))
        try:
            found = logits_of(double(sample.double()))
        except Exception:  # noqa: BLE001 - a forward of the user's own may raise anything where types do not match
            return False
    if found.dtype != torch.float64 or found.shape != expected.shape or not found.isfinite().all():
        return False
    slack = 1e-3 * max(1.0, float(expected.abs().max())) if expected.numel() else 0.0
    return bool(torch.allclose(found, expected.double(), rtol=0, atol=slack))


def double_copy(module: nn.Module, sample: Tensor | None = None, *, float64: bool = True) -> nn.Module:
    """A copy of a trained module, in evaluation mode, from float64 inputs to float64 outputs.

    It computes in float64, so that a row's prediction does not depend on the rows beside it, where
    :func:`predicts_in_float64` finds for ``sample`` that it can; without rows to try, ``float64`` is what was found
    before. Else it computes in float32. Devices that have no float64, as mps, are left for the CPU.
    """
    if sample is not None:
        float64 = predicts_in_float64(module, sample)
    made = _for_float64(module)
    return made.double() if float64 else InFloat32(made)


def _for_float64(module: nn.Module) -> Any:
    """A copy where float64 exists."""
    made = copy.deepcopy(module).eval()
    return made if has_float64(device_of(module)) else made.cpu()
