"""How good predictions are, and how close to the teacher's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr
from sklearn.metrics import f1_score, log_loss, mean_pinball_loss, r2_score, root_mean_squared_error

from sklkd._decision_rule import predicted_codes, predicted_labels

NAN = float("nan")
BINS = 15
"""Of the calibration error, as in its paper."""
TINY = float(np.finfo(np.float64).eps)
"""The smallest probability of which a logarithm is taken, as in scikit-learn's log_loss."""


def quality_of_classes(
    proba: NDArray[np.float64], y: NDArray, classes: NDArray, weight: NDArray | None, threshold: float | None = None
) -> dict[str, float]:
    """Measures of probabilities against the labels.

    Parameters
    ----------
    proba : ndarray of shape (n, n_classes)
    y : ndarray of shape (n,)
    classes : ndarray of shape (n_classes,)
        Sorted.
    weight : ndarray of shape (n,) or None
    threshold : float, default=None
        Of the model's decision, see :func:`predicted_codes`.

    Returns
    -------
    dict of str to float
        ``score``, ``log_loss``, ``brier`` and ``ece``.
    """
    correct = classes[predicted_codes(proba, threshold)] == y
    squares = ((proba - (y[:, None] == classes)) ** 2).sum(axis=1)
    return {
        "score": float(np.average(correct, weights=weight)),
        "log_loss": float(log_loss(y, proba, labels=classes, sample_weight=weight)),
        # with two classes the square of one column, as scikit-learn has it
        "brier": float(np.average(squares, weights=weight)) / (2 if len(classes) == 2 else 1),
        "ece": calibration_error(proba, classes[proba.argmax(axis=1)] == y, weight),
    }


def quality_of_labels(proba: NDArray[np.float64], y: NDArray, weight: NDArray | None) -> dict[str, float]:
    """Measures of the probabilities of several labels a row against 0 and 1, both (n, n_labels).

    ``score`` is the part of the rows all of whose labels are right, as ``score`` of the estimators; the others are
    means over the labels, of which each is a question of its own.
    """
    rows = np.ones(len(y)) if weight is None else weight
    has, each, repeated = proba.ravel(), y.ravel(), np.repeat(rows, y.shape[1])
    predicted = predicted_labels(proba)
    right = predicted == y
    sure = np.clip(np.where(each == 1, has, 1 - has), TINY, 1)
    return {
        "score": float(np.average(right.all(axis=1), weights=rows)),
        "f1": float(f1_score(y, predicted, average="macro", sample_weight=weight, zero_division=0.0)),
        "log_loss": float(np.average(-np.log(sure), weights=repeated)),
        "brier": float(np.average((has - each) ** 2, weights=repeated)),
        "ece": calibration_error(np.stack([1 - has, has], axis=1), right.ravel(), repeated),
    }


def quality_of_values(
    values: NDArray[np.float64], y: NDArray, weight: NDArray | None, levels: Sequence[float] | None = None
) -> dict[str, float]:
    """Measures of values against the targets.

    Parameters
    ----------
    values : ndarray of shape (n, n_outputs)
        Several outputs of one target are compared with it one by one.
    y : ndarray of shape (n,) or (n, n_targets)
    weight : ndarray of shape (n,) or None
    levels : sequence of float, default=None
        Of the quantiles that the outputs stand for; empty for another location than the mean. None: means.

    Returns
    -------
    dict of str to float
        ``score`` and ``rmse``; with levels, ``pinball``, mean over them; for other locations than the mean also
        ``coverage``, the part of the targets at or below the values, for several levels one for each,
        ``coverage 0.1`` and so on.
    """
    targets = np.broadcast_to(y.reshape(len(y), -1), values.shape)
    found = {
        "score": float(r2_score(targets, values, sample_weight=weight)),
        "rmse": float(root_mean_squared_error(targets, values, sample_weight=weight)),
    }
    if levels is None:
        return found
    if len(levels) == values.shape[1]:
        losses = [
            mean_pinball_loss(targets[:, j], values[:, j], alpha=level, sample_weight=weight)
            for j, level in enumerate(levels)
        ]
        found["pinball"] = float(np.mean(losses))
    below = np.average(targets <= values, axis=0, weights=weight)
    if len(levels) > 1:
        return found | {f"coverage {level:g}": float(part) for level, part in zip(levels, below, strict=True)}
    return found | {"coverage": float(below.mean())}


def quantile_levels(estimand: Any) -> Sequence[float] | None:
    """Levels of the quantiles that a teacher estimates; empty for other locations; None for means, classes and scores.

    Parameters
    ----------
    estimand : Estimand or None
    """
    if estimand is None or estimand.kind in ("mean", "score", "probability", "reweighted probability"):
        return None
    return {"quantile": estimand.levels, "median": (0.5,)}.get(estimand.kind, ())


def calibration_error(proba: NDArray[np.float64], correct: NDArray[np.bool_], weight: NDArray | None) -> float:
    """Expected calibration error of the most probable class.

    Over 15 bins of equal width, the weighted mean of the difference of a bin's mean confidence and its accuracy
    (C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural networks", ICML 2017).
    """
    weight = np.ones(len(proba)) if weight is None else weight
    confidence = proba.max(axis=1)
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    differences = np.bincount(bins, weight * (confidence - correct), minlength=BINS)
    return float(np.abs(differences).sum() / weight.sum())


def closeness_of_classes(
    proba: NDArray[np.float64],
    teacher: NDArray[np.float64],
    weight: NDArray | None,
    thresholds: tuple[float | None, float | None] = (None, None),
) -> dict[str, float]:
    """Agreement of labels with the teacher's, and divergence from its probabilities.

    ``thresholds`` are those of the model's and of the teacher's own decision.
    """
    same = predicted_codes(proba, thresholds[0]) == predicted_codes(teacher, thresholds[1])
    divergence = rel_entr(teacher, np.clip(proba, TINY, 1)).sum(axis=1)
    return {
        "agreement": float(np.average(same, weights=weight)),
        "kl": float(np.average(divergence, weights=weight)),
    }


def closeness_of_labels(
    proba: NDArray[np.float64], teacher: NDArray[np.float64], weight: NDArray | None
) -> dict[str, float]:
    """Agreement of several labels with the teacher's, and divergence from its probabilities, means over the labels."""
    same = predicted_labels(proba) == predicted_labels(teacher)
    divergence = rel_entr(teacher, np.clip(proba, TINY, 1)) + rel_entr(1 - teacher, np.clip(1 - proba, TINY, 1))
    return {
        "agreement": float(np.average(same.mean(axis=1), weights=weight)),
        "kl": float(np.average(divergence.mean(axis=1), weights=weight)),
    }


def closeness_of_values(
    values: NDArray[np.float64], teacher: NDArray[np.float64], weight: NDArray | None
) -> dict[str, float]:
    """Distance from the teacher's values, and correlation with them."""
    return {
        "rmse_to_teacher": float(root_mean_squared_error(teacher, values, sample_weight=weight)),
        "correlation_to_teacher": _correlation(teacher, values, weight),
    }


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
    without, teacher = rows["baseline"][loss], rows["teacher"][loss]
    if not teacher < without:
        notes.append("No gain to retain: the teacher's loss is not below that of the student without it.")
        return NAN
    return (without - rows["student"][loss]) / (without - teacher)
