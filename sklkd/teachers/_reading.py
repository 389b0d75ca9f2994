"""What numbers that a model returns mean: probabilities or logits, of one class or of all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

PROBABILITIES, ONE_VS_REST = "probabilities", "one-vs-rest probabilities"
LOG_PROBABILITIES, LOGITS, LABELS = "log-probabilities", "logits", "labels"

ROUNDING = 1e-6
"""How far outside of [0, 1] a probability may lie."""
SUM = 1e-3
"""How far from one the sum of a row may lie: float16."""
TINY = 1e-12
SEVERAL = 10
"""Rows from which on numbers in [0, 1] that do not sum to one are probabilities of each class against the rest."""


def reading_of(values: NDArray[np.float64]) -> str:
    """What the outputs of a classifier mean, from those for some rows.

    Parameters
    ----------
    values : ndarray of shape (n,), (n, 1) or (n, n_classes)

    Returns
    -------
    {"probabilities", "one-vs-rest probabilities", "log-probabilities", "logits"}
        One column is the second of two classes.
    """
    if not len(values) or not np.isfinite(values).all():
        return LOGITS
    unit = within_unit(values)
    if values.ndim == 1 or values.shape[1] == 1:
        return PROBABILITIES if unit else LOGITS
    if unit and np.abs(values.sum(axis=1) - 1).max() <= SUM:
        return PROBABILITIES
    if values.max() <= ROUNDING and np.abs(np.exp(values).sum(axis=1) - 1).max() <= SUM:
        return LOG_PROBABILITIES
    if unit and len(values) >= SEVERAL:
        return ONE_VS_REST
    return LOGITS


def within_unit(values: NDArray[np.float64]) -> bool:
    """Whether all numbers lie in [0, 1]."""
    return bool(values.min() >= -ROUNDING and values.max() <= 1 + ROUNDING)


def two_columns(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities of the second class (n,) or (n, 1) as those of both; (n, n_classes) as they are."""
    if values.ndim == 2 and values.shape[1] > 1:
        return values
    second = values.reshape(len(values))
    return np.stack([1 - second, second], axis=1)


def two_sided(margins: NDArray[np.float64]) -> NDArray[np.float64]:
    """One margin m of two classes, (n,) or (n, 1), as -m/2 and m/2; margins of several classes as they are."""
    if margins.ndim == 2 and margins.shape[1] > 1:
        return margins
    half = margins.reshape(len(margins)) / 2
    return np.stack([-half, half], axis=1)


def to_probabilities(values: NDArray[np.float64], reading: str) -> NDArray[np.float64]:
    """Probabilities (n, n_classes) from outputs that are read in one of these ways."""
    if reading == PROBABILITIES:
        return two_columns(values)
    if reading == ONE_VS_REST:
        # a row without any mass is uniform
        values = np.maximum(values, TINY)
        return values / values.sum(axis=1, keepdims=True)
    return softmax(two_sided(values), axis=1)
