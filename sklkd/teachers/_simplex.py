"""Weights >= 0 that sum to one and minimise the loss of a weighted mean of predictions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, nnls

from sklkd.teachers._outputs import FLOOR

Array = NDArray[np.float64]


def happened(predictions: Array, y: NDArray, weight: Array) -> tuple[Array, Array]:
    """The probability that each member gave to what was the case, floored, and the weights of these cases.

    Parameters
    ----------
    predictions : ndarray of shape (n, n_members, n_outputs)
        Probabilities of classes or of labels.
    y : ndarray of int, shape (n,) or (n, n_labels)
        Codes of classes, or 0 and 1 for each label.
    weight : ndarray of shape (n,)

    Returns
    -------
    chances : ndarray of shape (n, n_members) or (n * n_labels, n_members)
    each : ndarray of shape (n,) or (n * n_labels,)
    """
    if y.ndim == 1:
        chances = predictions[np.arange(len(y)), :, y]
    else:
        chances = np.where(y[:, None] == 1, predictions, 1 - predictions).transpose(0, 2, 1)
        chances, weight = chances.reshape(-1, chances.shape[2]), np.repeat(weight, y.shape[1])
    return np.maximum(chances, FLOOR), weight


def mean_log_loss(chances: Array, weight: Array, weights: Array) -> float:
    """The log loss of a weighted mean of members; ``weight`` is of the rows."""
    return float(-weight @ np.log(chances @ weights))


def log_loss_weights(chances: Array, weight: Array) -> Array:
    """The weights of least log loss, a convex problem; arguments as ``happened`` returns them."""
    n = chances.shape[1]

    def gradient(weights: Array) -> Array:
        return -((weight / (chances @ weights)) @ chances)

    found = minimize(
        lambda weights: mean_log_loss(chances, weight, weights),
        np.full(n, 1 / n),
        jac=gradient,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * n,
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-12, "maxiter": 1000},
    )
    weights = np.clip(found.x, 0.0, 1.0)
    return weights / weights.sum()


def squared_error_weights(errors: Array, weight: Array) -> Array:
    """The weights of least squared error.

    Parameters
    ----------
    errors : ndarray of shape (n, n_members, n_targets)
        Of each member alone. As weights sum to one, the error of the mean is the mean of the errors.
    weight : ndarray of shape (n,)
    """
    n = errors.shape[1]
    rows = (np.sqrt(weight)[:, None, None] * errors).transpose(0, 2, 1).reshape(-1, n)
    rows = np.linalg.qr(rows, mode="r")
    size = np.abs(rows).max()
    if size == 0:
        return np.full(n, 1 / n)
    # Of a multiple t of such weights |t R w|^2 + (t - 1)^2 is least at |R w|^2 / (1 + |R w|^2), which grows with
    # |R w|^2: without the constraint on their sum the same direction is found.
    found, _ = nnls(np.vstack([rows / size, np.ones(n)]), np.append(np.zeros(len(rows)), 1.0))
    return found / found.sum()
