"""Objectives of cohorts, and plain NumPy for their terms."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import torch
from scipy.special import log_softmax, rel_entr, softmax

from sklkd.methods._online import CohortObjective


def objective(method, n_peers=2, task="classification", *, epoch=0, n_epochs=1, weight=None, targets=()):
    """The criterion of some peers in the middle of a training."""
    made = CohortObjective(method, [f"peer{k}" for k in range(n_peers)], task)
    made.epoch, made.n_epochs, made.distilling = epoch, n_epochs, True
    made.rows = SimpleNamespace(weight=weight, targets=list(targets))
    return made


def outputs(n_peers=3, n=6, n_outputs=4, seed=0):
    """Outputs of peers, in float64, that record gradients."""
    rng = np.random.RandomState(seed)
    return [torch.from_numpy(rng.normal(size=(n, n_outputs))).requires_grad_() for _ in range(n_peers)]


def divergence(target, own, temperature=1.0, weight=None):
    """T^2 KL(softmax(target / T) || softmax(own / T)), averaged over rows, by SciPy."""
    rows = rel_entr(softmax(target / temperature, axis=1), softmax(own / temperature, axis=1)).sum(1)
    return temperature**2 * np.average(rows, weights=weight)


def cross_entropy(own, y, weight=None):
    return np.average(-log_softmax(own, axis=1)[np.arange(len(y)), y], weights=weight)


def numbers(tensors):
    return [tensor.detach().numpy() for tensor in tensors]
