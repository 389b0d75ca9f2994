"""What a network's outputs are in each task: "classification", "multilabel" or "regression"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from sklkd.losses._base import Loss
from sklkd.losses._multilabel_target import MultilabelTargetLoss, labels_with_negative_entropy
from sklkd.losses._soft_target import SoftTargetLoss, with_negative_entropy
from sklkd.losses._target import TargetLoss


def default_loss(task: str, temperature: float = 1.0) -> Loss:
    """The distillation loss on outputs; values of regression have no temperature."""
    if task == "regression":
        return TargetLoss()
    made = MultilabelTargetLoss if task == "multilabel" else SoftTargetLoss
    return made(temperature=temperature)


def predictions_of(outputs: Tensor, task: str) -> Tensor:
    """Probabilities of classes or labels, of logits (..., n_outputs), or the values themselves."""
    if task == "regression":
        return outputs
    return outputs.sigmoid() if task == "multilabel" else outputs.softmax(-1)


def labels_as_predictions(y: Tensor, task: str, n_outputs: int) -> Tensor:
    """What would be predicted by a network that knows the labels, (n, n_outputs)."""
    if task == "regression":
        return y
    return y.float() if task == "multilabel" else F.one_hot(y, n_outputs).float()


def as_target(predictions: Tensor, task: str) -> Any:
    """Predictions as the default loss takes its targets, such as probabilities with their negative entropies."""
    if task == "regression":
        return predictions
    return labels_with_negative_entropy(predictions) if task == "multilabel" else with_negative_entropy(predictions)


def row_losses(outputs: Tensor, targets: Tensor, task: str) -> Tensor:
    """Of each row the cross-entropy of outputs with probabilities (n, n_outputs), or their squared error with values.

    Of several labels it is the mean of their binary cross-entropies.
    """
    if task == "regression":
        return (outputs - targets).square().mean(1)
    if task == "multilabel":
        return F.binary_cross_entropy_with_logits(outputs, targets, reduction="none").mean(1)
    return F.cross_entropy(outputs, targets, reduction="none")


def mean_prediction(outputs: Sequence[Tensor], task: str) -> Tensor:
    """The mean prediction of several networks, as outputs: logits of their mean probabilities, or mean values."""
    stacked = torch.stack(tuple(outputs))
    if task == "regression":
        return stacked.mean(0)
    if task == "multilabel":
        return torch.logsumexp(F.logsigmoid(stacked), 0) - torch.logsumexp(F.logsigmoid(-stacked), 0)
    return torch.logsumexp(stacked.log_softmax(2), 0)
