"""Objectives of the self mode, ready to be called on the reference inputs."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import torch
from scipy.special import log_softmax, softmax

from sklkd.methods._self import Training
from sklkd.transfer import TransferSet


def training(y, n_outputs, weight=None, inputs=None):
    """What a method's ``objective`` is given, with a network that is not there."""
    inputs = torch.zeros(len(y), 1) if inputs is None else inputs
    task = "regression" if y.is_floating_point() else "multilabel" if y.ndim == 2 else "classification"
    return Training(None, TransferSet(inputs, y, weight), task, n_outputs, 0)


def batch(objective, y, targets=(), weight=None, epoch=0, n_epochs=10):
    """Let an objective expect a batch."""
    objective.double().train()
    objective.epoch, objective.n_epochs = epoch, n_epochs
    objective.rows = TransferSet(torch.zeros(len(y), 1), y, weight, targets)
    return objective


def cross_entropy(logits, target):
    """Row by row, of codes or probabilities."""
    target = np.eye(logits.shape[1])[target] if target.ndim == 1 else target
    return -(target * log_softmax(logits, axis=1)).sum(1)


def divergence(teacher, student, temperature):
    """Row by row, KL of softened logits times the temperature squared."""
    p = softmax(teacher / temperature, axis=1)
    logs = log_softmax(teacher / temperature, axis=1) - log_softmax(student / temperature, axis=1)
    return temperature**2 * (p * logs).sum(1)


def net_of(module):
    """As much of a net as an objective looks at."""
    return SimpleNamespace(module_=module, device="cpu", history=[{}])
