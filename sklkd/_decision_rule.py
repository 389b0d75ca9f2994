"""From probabilities to the predicted class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LIKELY = 0.5
"""Above this probability a row has one of several labels."""


def predicted_labels(proba: NDArray) -> NDArray[np.int_]:
    """1 for each of several labels that a row has by its probability, else 0; both of shape (n, n_labels)."""
    return (proba > LIKELY).astype(int)


def predicted_codes(proba: NDArray, threshold: float | None = None) -> NDArray[np.intp]:
    """The place of the predicted class among the sorted ones, for each row.

    Parameters
    ----------
    proba : ndarray of shape (n, n_classes)
        Probabilities of the classes.
    threshold : float, default=None
        For two classes, the probability of the second at and above which it is predicted. None: the most probable
        class, the first of those that tie.

    Returns
    -------
    ndarray of int, shape (n,)

    Examples
    --------
    >>> import numpy as np
    >>> from sklkd._decision_rule import predicted_codes
    >>> proba = np.array([[0.5, 0.5], [0.8, 0.2]])
    >>> predicted_codes(proba).tolist(), predicted_codes(proba, threshold=0.2).tolist()
    ([0, 0], [1, 1])
    """
    if threshold is None:
        return proba.argmax(axis=1)
    # not as a Python float, which would be rounded to the type of the probabilities
    return (proba[:, 1] >= np.float64(threshold)).astype(np.intp)
