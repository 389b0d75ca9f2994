"""Modules that end in a softmax or sigmoid, as skorch's classifiers have them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from sklkd._torch import evaluating
from sklkd.losses._objective import logits_of

STRETCH = 1e3
"""Factor of the rows by which probabilities of labels are told from logits that happen to lie in [0, 1]."""


def gives_probabilities(module: nn.Module, sample: Tensor, kind: str = "classification") -> bool:
    """Whether a module's outputs for a few rows are probabilities.

    For the task "classification" these are rows >= 0 that sum to one; for "multilabel" numbers in [0, 1], also for rows
    far out. No other task has them.
    """
    if kind == "classification":
        return _are_probabilities(_output(module, sample), sums_to_one=True)
    if kind != "multilabel":
        return False
    far = [STRETCH * sample, -STRETCH * sample] if getattr(sample, "dtype", torch.int64).is_floating_point else []
    return all(_are_probabilities(_output(module, rows), sums_to_one=False) for rows in [sample, *far])


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
