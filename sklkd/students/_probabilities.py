"""Modules that end in a softmax or sigmoid, as skorch's classifiers have them."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from sklkd._torch import evaluating
from sklkd.losses._objective import logits_of

SPREAD = 100.0
"""Standard deviation of the parameters with which logits leave [0, 1], where they may lie by chance."""


def gives_probabilities(module: nn.Module, sample: Tensor, kind: str = "classification") -> bool:
    """Whether a module's outputs for a few rows are probabilities.

    For the task "classification" these are rows >= 0 that sum to one; for "multilabel" numbers in [0, 1], whatever the
    module's parameters are, which only a sigmoid or the like at its end can give. No other task has them.
    """
    if kind == "classification":
        return _are_probabilities(_output(module, sample), sums_to_one=True)
    if kind != "multilabel" or not _are_probabilities(_output(module, sample), sums_to_one=False):
        return False
    other, generator = copy.deepcopy(module), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.copy_(SPREAD * torch.randn(parameter.shape, generator=generator))
    return _are_probabilities(_output(other, sample), sums_to_one=False)


def _output(module: nn.Module, rows: Tensor) -> Any:
    with torch.no_grad(), evaluating(module):
        return logits_of(module(rows))


def _are_probabilities(output: Any, *, sums_to_one: bool) -> bool:
    if not isinstance(output, Tensor) or output.ndim != 2 or output.shape[1] < 2 or not output.is_floating_point():
        return False
    total = output.sum(1)
    inside = bool((output >= 0).all() and (output <= 1 + 1e-3).all())
    return inside and (not sums_to_one or torch.allclose(total, torch.ones_like(total), atol=1e-3))


def return_logits(module: nn.Module, kind: str = "classification") -> None:
    """Let a module return the logits of its probabilities from now on and in all its copies.

    For classes these are the logarithms of the probabilities, for several labels those of the odds. It is a hook, so
    that training, predictions in float64 and exports have it without any of them asking, and layers keep their names.
    """
    hook = _logarithm if kind == "classification" else _log_odds
    if hook not in module._forward_hooks.values():
        module.register_forward_hook(hook)


def _logarithm(_module: nn.Module, _given: Any, output: Any) -> Any:
    probabilities = logits_of(output)
    # a probability may have underflowed to 0
    return _in_place_of(output, probabilities.clamp(min=torch.finfo(probabilities.dtype).tiny).log())


def _log_odds(_module: nn.Module, _given: Any, output: Any) -> Any:
    probabilities = logits_of(output)
    return _in_place_of(output, torch.logit(probabilities, eps=torch.finfo(probabilities.dtype).eps))


def _in_place_of(output: Any, logits: Tensor) -> Any:
    return (logits, *output[1:]) if isinstance(output, tuple) else logits
