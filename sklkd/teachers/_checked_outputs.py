"""What the numbers that a teacher returns have to be; anything else is an error that names the method."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from sklkd._sklearn import _num_samples
from sklkd.teachers._reading import two_sided

ROUNDING = 1e-3
"""How far from one the sum of a row's probabilities may be, which is the rounding of float16, say."""


def checked_numbers(returned: Any, X: Any, source: str) -> NDArray[np.float64]:
    """What a teacher returned as float64, with one row for each row of ``X``.

    Parameters
    ----------
    returned : array-like of shape (n, ...)
    X : array-like, frame or sparse matrix of n rows
    source : str
        The method and its teacher in messages: ``"predict of MyModel"``.
    """
    try:
        numbers = np.asarray(returned, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{source} must return numbers: {error}") from error
    n = _num_samples(X)
    if numbers.ndim == 0 or len(numbers) != n:
        got = "a single number" if numbers.ndim == 0 else f"{len(numbers)} rows"
        raise ValueError(f"{source} must return one row per row of X ({n}), got {got}.")
    return numbers


def checked_values(returned: Any, X: Any, source: str) -> NDArray[np.float64]:
    """Finite values as columns, (n, n_targets)."""
    values = checked_numbers(returned, X, source)
    if values.ndim not in (1, 2):
        raise ValueError(f"{source} must return shape (n_rows,) or (n_rows, n_targets), got shape {values.shape}.")
    if not np.isfinite(values).all():
        row = int(np.argwhere(~np.isfinite(values))[0][0])
        raise ValueError(f"{source} returned a value that is not finite (first in row {row}).")
    return values.reshape(len(values), -1)


def checked_probabilities(returned: Any, X: Any, source: str) -> NDArray[np.float64]:
    """Probabilities (n, n_classes), rows of which sum to one exactly."""
    proba = checked_numbers(returned, X, source)
    if proba.ndim != 2:
        raise ValueError(f"{source} must return shape (n_rows, n_classes), got shape {proba.shape}.")
    _refuse(~np.isfinite(proba).all(axis=1), "NaN or infinity", proba, source)
    _refuse((proba < -1e-6).any(axis=1), "a negative probability", proba, source)
    _refuse(np.abs(proba.sum(axis=1) - 1) > ROUNDING, "probabilities that do not sum to one", proba, source)
    proba = np.maximum(proba, 0.0)
    return proba / proba.sum(axis=1, keepdims=True)


def checked_margins(returned: Any, X: Any, source: str) -> NDArray[np.float64] | None:
    """Margins, one column per class (-m/2 and m/2 for a single m of two classes); None if not all are finite."""
    margins = checked_numbers(returned, X, source)
    return two_sided(margins) if np.isfinite(margins).all() else None


def are_logits(margins: NDArray[np.float64], proba: NDArray[np.float64]) -> bool:
    """Whether probabilities are the softmax of margins, also far from 1/2, where a wrong scale hides."""
    expected = softmax(margins, axis=1)
    if proba.shape != expected.shape or not np.allclose(proba, expected, rtol=0, atol=1e-4):
        return False
    return bool(np.all(np.abs(np.log((proba + 1e-6) / (expected + 1e-6))) < 0.1))


def _refuse(bad: Any, problem: str, proba: NDArray[np.float64], source: str) -> None:
    if not bad.any():
        return
    row = int(np.argmax(bad))
    raise ValueError(
        f"{source} returned {problem} in {int(bad.sum())} of {len(proba)} rows (first in row {row}: "
        f"{np.array2string(proba[row], precision=4, threshold=6)}); a teacher must return probabilities >= 0 that sum "
        "to one."
    )
