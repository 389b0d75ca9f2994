"""Modules that end in a softmax, as skorch's classifiers have them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from sklkd._torch import evaluating
from sklkd.losses._objective import logits_of


def gives_probabilities(module: nn.Module, sample: Tensor) -> bool:
    """Whether a module's outputs for a few rows are probabilities of classes: rows >= 0 that sum to one."""
    with torch.no_grad(), evaluating(module):
        output = logits_of(module(sample))
    if not isinstance(output, Tensor) or output.ndim != 2 or output.shape[1] < 2 or not output.is_floating_point():
        return False
    total = output.sum(1)
    return bool((output >= 0).all() and torch.allclose(total, torch.ones_like(total), atol=1e-3))


def return_logarithms(module: nn.Module) -> None:
    """Let a module return the logarithms of its probabilities, which are logits, from now on and in all its copies.

    It is a hook, so that training, predictions in float64 and exports have it without any of them asking, and layers
    keep their names.
    """
    if _logarithm not in module._forward_hooks.values():
        module.register_forward_hook(_logarithm)


def _logarithm(_module: nn.Module, _given: Any, output: Any) -> Any:
    probabilities = logits_of(output)
    # a probability may have underflowed to 0
    logits = probabilities.clamp(min=torch.finfo(probabilities.dtype).tiny).log()
    return (logits, *output[1:]) if isinstance(output, tuple) else logits
