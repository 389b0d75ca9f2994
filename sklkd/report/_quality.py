"""How good answers are, and how close to the teacher's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr
from sklearn.metrics import log_loss, r2_score, root_mean_squared_error

NAN = float("nan")
BINS = 15
"""Of the calibration error, as in its paper."""
TINY = float(np.finfo(np.float64).eps)
"""The smallest probability of which a logarithm is taken, as in scikit-learn's log_loss."""


def quality(answers: NDArray[np.float64], y: NDArray, classes: NDArray | None, weight: NDArray | None) -> dict:
    """Measures against the labels.

    Parameters
    ----------
    answers : ndarray of shape (n, n_classes) or (n, n_targets)
    y : ndarray of shape (n,) or (n, n_targets)
    classes : ndarray of shape (n_classes,) or None
        Sorted; None for regression.
    weight : ndarray of shape (n,) or None

    Returns
    -------
    dict of str to float
        ``score``, ``log_loss``, ``brier`` and ``ece``, or ``score`` and ``rmse``.
    """
    if classes is None:
        targets = y.reshape(len(y), -1)
        return {
            "score": float(r2_score(targets, answers, sample_weight=weight)),
            "rmse": float(root_mean_squared_error(targets, answers, sample_weight=weight)),
        }
    right = classes[answers.argmax(axis=1)] == y
    squares = ((answers - (y[:, None] == classes)) ** 2).sum(axis=1)
    return {
        "score": float(np.average(right, weights=weight)),
        "log_loss": float(log_loss(y, answers, labels=classes, sample_weight=weight)),
        # with two classes the square of one column, as scikit-learn has it
        "brier": float(np.average(squares, weights=weight)) / (2 if len(classes) == 2 else 1),
        "ece": calibration_error(answers, right, weight),
    }


def calibration_error(proba: NDArray[np.float64], right: NDArray[np.bool_], weight: NDArray | None) -> float:
    """Expected calibration error of the most probable class.

    Over 15 bins of equal width, the weighted mean of the gap between a bin's mean confidence and its accuracy
    (C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural networks", ICML 2017).
    """
    weight = np.ones(len(proba)) if weight is None else weight
    confidence = proba.max(axis=1)
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    gaps = np.bincount(bins, weight * (confidence - right), minlength=BINS)
    return float(np.abs(gaps).sum() / weight.sum())


def closeness(
    answers: NDArray[np.float64], taught: NDArray[np.float64] | None, classification: bool, weight: NDArray | None
) -> dict:
    """Measures against the teacher's answers; NaN where there are none."""
    names = ("agreement", "kl") if classification else ("rmse_to_teacher", "correlation_to_teacher")
    if taught is None:
        return dict.fromkeys(names, NAN)
    if classification:
        same = answers.argmax(axis=1) == taught.argmax(axis=1)
        divergence = rel_entr(taught, np.clip(answers, TINY, 1)).sum(axis=1)
        values = np.average(same, weights=weight), np.average(divergence, weights=weight)
    else:
        values = root_mean_squared_error(taught, answers, sample_weight=weight), _correlation(taught, answers, weight)
    return dict(zip(names, map(float, values), strict=True))


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64], weight: NDArray | None) -> float:
    """Pearson's, mean over the columns; NaN where one is constant."""
    a, b = (part - np.average(part, axis=0, weights=weight) for part in (a, b))
    covariance, *variances = (np.average(part, axis=0, weights=weight) for part in (a * b, a * a, b * b))
    scale = np.sqrt(variances[0] * variances[1])
    return float(np.divide(covariance, scale, out=np.full_like(scale, NAN), where=scale > 0).mean())


def gain_retained(rows: dict[str, dict[str, float]], loss: str, notes: list[str]) -> float:
    """Which part of what the teacher's loss is below the baseline's the student's loss is below it.

    NaN where teacher or baseline are missing, or, with a note, where the teacher gains nothing over the baseline.
    """
    if not {"teacher", "baseline"} <= set(rows):
        return NAN
    without, taught = rows["baseline"][loss], rows["teacher"][loss]
    if not taught < without:
        notes.append("No gain to retain: the teacher's loss is not below that of the student without it.")
        return NAN
    return (without - rows["student"][loss]) / (without - taught)
