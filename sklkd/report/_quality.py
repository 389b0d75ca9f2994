"""How good predictions are, and how close to the teacher's: functions of means over rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr

from sklkd._decision_rule import predicted_codes, predicted_labels

NAN = float("nan")
BINS = 15
"""Of the calibration error, as in its paper."""
TINY = float(np.finfo(np.float64).eps)
"""The smallest probability of which a logarithm is taken, as in scikit-learn's log_loss."""
CONSTANT = 1e-12
"""Variance, relative to the mean square, below which values are taken to be constant."""


def _itself(means: NDArray[np.float64]) -> NDArray[np.float64]:
    return means[..., 0]


@dataclass(frozen=True, eq=False)
class Measure:
    """A function of weighted means over rows, of which replicates for intervals can be made by matrix products.

    Attributes
    ----------
    columns : ndarray of shape (n, k)
        What is averaged, of each row.
    of_means : callable
        From means of shape (..., k) to the measure of shape (...).
    is_share : bool, default=False
        Whether it is the share of the rows of which something holds, so that exact bounds are known.
    is_norm : bool, default=False
        Whether it is the sum of the sizes of the means, which is too large on few rows and larger in replicates.
    """

    columns: NDArray[np.float64]
    of_means: Callable[[NDArray[np.float64]], NDArray[np.float64]] = _itself
    is_share: bool = False
    is_norm: bool = False

    def take(self, index: NDArray) -> Measure:
        """The same for some of the rows."""
        return replace(self, columns=self.columns[index])


def mean_of(values: NDArray) -> Measure:
    """The mean of one value a row."""
    return Measure(np.asarray(values, dtype=np.float64)[:, None])


def share_of(holds: NDArray[np.bool_]) -> Measure:
    """The share of the rows of which something holds."""
    return Measure(holds.astype(np.float64)[:, None], is_share=True)


def quality_of_classes(
    proba: NDArray[np.float64], y: NDArray, classes: NDArray, threshold: float | None = None
) -> dict[str, Measure]:
    """Measures of probabilities against the labels.

    Parameters
    ----------
    proba : ndarray of shape (n, n_classes)
    y : ndarray of shape (n,)
    classes : ndarray of shape (n_classes,)
        Sorted.
    threshold : float, default=None
        Of the model's decision, see :func:`predicted_codes`.

    Returns
    -------
    dict of str to Measure
        ``score``, ``log_loss``, ``brier`` and ``ece``.
    """
    of_label = proba[np.arange(len(y)), np.searchsorted(classes, y)]
    squares = ((proba - (y[:, None] == classes)) ** 2).sum(axis=1)
    return {
        "score": share_of(classes[predicted_codes(proba, threshold)] == y),
        "log_loss": mean_of(-np.log(np.clip(of_label, TINY, 1))),
        # with two classes the square of one column, as scikit-learn has it
        "brier": mean_of(squares / (2 if len(classes) == 2 else 1)),
        "ece": calibration_error(proba.max(axis=1), classes[proba.argmax(axis=1)] == y),
    }


def quality_of_labels(proba: NDArray[np.float64], y: NDArray) -> dict[str, Measure]:
    """Measures of the probabilities of several labels a row against 0 and 1, both (n, n_labels).

    ``score`` is the share of the rows all of whose labels are right, as ``score`` of the estimators; the others are
    means over the labels, of which each is a question of its own.
    """
    predicted = predicted_labels(proba)
    right = predicted == y
    sure = np.clip(np.where(y == 1, proba, 1 - proba), TINY, 1)
    return {
        "score": share_of(right.all(axis=1)),
        "f1": Measure(np.hstack([predicted * y, predicted + y]).astype(np.float64), _macro_f1),
        "log_loss": mean_of(-np.log(sure).mean(axis=1)),
        "brier": mean_of(((proba - y) ** 2).mean(axis=1)),
        "ece": calibration_error(np.maximum(proba, 1 - proba), right),
    }


def _macro_f1(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of labels that were predicted rightly, and of all that were predicted or there; 0 for a label of neither."""
    right, all_of_them = np.split(means, 2, axis=-1)
    return np.divide(2 * right, all_of_them, out=np.zeros_like(right), where=all_of_them > 0).mean(axis=-1)


def quality_of_values(
    values: NDArray[np.float64], y: NDArray, levels: Sequence[float] | None = None
) -> dict[str, Measure]:
    """Measures of values against the targets.

    Parameters
    ----------
    values : ndarray of shape (n, n_outputs)
        Several outputs of one target are compared with it one by one.
    y : ndarray of shape (n,) or (n, n_targets)
    levels : sequence of float, default=None
        Of the quantiles that the outputs stand for; empty for another location than the mean. None: means.

    Returns
    -------
    dict of str to Measure
        ``score`` and ``rmse``; with levels, ``pinball``, mean over them; for other locations than the mean also
        ``coverage``, the share of the targets at or below the values, for several levels one for each,
        ``coverage 0.1`` and so on, and ``inside 0.1 to 0.9``, the share from the least quantile to the largest.
    """
    targets = np.broadcast_to(y.reshape(len(y), -1), values.shape).astype(np.float64)
    # in units of a power of two, which loses no digits, so that the squares of huge or tiny targets are in range
    _, exponent = np.frexp(np.maximum(np.abs(targets).max(axis=0), np.abs(values).max(axis=0)))
    scaled = np.ldexp(targets, -exponent)
    squares, centered = (scaled - np.ldexp(values, -exponent)) ** 2, scaled - scaled.mean(axis=0)
    found = {
        "score": Measure(np.hstack([squares, centered, centered**2]), _r2),
        "rmse": Measure(squares, partial(_rmse, exponent)),
    }
    if levels is None:
        return found
    if len(levels) == values.shape[1]:
        above, level = targets - values, np.asarray(levels)
        found["pinball"] = mean_of(np.maximum(level * above, (level - 1) * above).mean(axis=1))
    below = targets <= values
    if len(levels) > 1:
        found |= {f"coverage {level:g}": share_of(part) for level, part in zip(levels, below.T, strict=True)}
        first, last = int(np.argmin(levels)), int(np.argmax(levels))
        inside = (targets[:, first] >= values[:, first]) & below[:, last]
        return found | {f"inside {levels[first]:g} to {levels[last]:g}": share_of(inside)}
    return found | {"coverage": share_of(below[:, 0]) if below.shape[1] == 1 else mean_of(below.mean(axis=1))}


def _rmse(exponent: NDArray[np.intc], means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of mean squares in units of powers of two."""
    return np.ldexp(np.sqrt(means), exponent).mean(axis=-1)


def _distance(differences: NDArray[np.float64]) -> Measure:
    """The root mean square of differences (n, n_outputs)."""
    scaled, exponent = _in_range(differences)
    return Measure(scaled**2, partial(_rmse, exponent))


def _in_range(columns: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.intc]]:
    """Columns in units of powers of two, which loses no digits, so that squares are in range, and the exponents."""
    _, exponent = np.frexp(np.abs(columns).max(axis=0))
    return np.ldexp(columns, -exponent), exponent


def _r2(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the targets; of a constant one 1 or 0, as in scikit-learn."""
    error, mean, square = np.split(means, 3, axis=-1)
    variance = _variance(mean, square)
    exact = np.where(error == 0, 0.0, 1.0)
    return (1 - np.divide(error, variance, out=exact, where=variance > 0)).mean(axis=-1)


def _variance(mean: NDArray[np.float64], square: NDArray[np.float64]) -> NDArray[np.float64]:
    variance = square - mean**2
    return np.where(variance > CONSTANT * square, variance, 0.0)


def quantile_levels(estimand: Any) -> Sequence[float] | None:
    """Levels of the quantiles that a teacher estimates; empty for other locations; None for means, classes and scores.

    Parameters
    ----------
    estimand : Estimand or None
    """
    if estimand is None or estimand.kind in ("mean", "score", "probability", "reweighted probability"):
        return None
    return {"quantile": estimand.levels, "median": (0.5,)}.get(estimand.kind, ())


def confidence_bins(confidence: NDArray[np.float64]) -> NDArray[np.intp]:
    """The bin of the calibration error in which each probability of the predicted class lies."""
    return np.clip(np.ceil(confidence * BINS).astype(np.intp) - 1, 0, BINS - 1)


def calibration_error(confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> Measure:
    """Expected calibration error of the most probable class, or of each of several labels: (n,) or (n, n_labels).

    Over 15 bins of equal width, the weighted mean of the difference of a bin's mean confidence and its accuracy
    (C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural networks", ICML 2017).
    """
    n = len(confidence)
    confidence, correct = confidence.reshape(n, -1), correct.reshape(n, -1)
    places = BINS * np.arange(n)[:, None] + confidence_bins(confidence)
    differences = np.bincount(places.ravel(), (confidence - correct).ravel(), minlength=BINS * n)
    return Measure(differences.reshape(n, BINS) / confidence.shape[1], _sum_of_sizes, is_norm=True)


def _sum_of_sizes(means: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.abs(means).sum(axis=-1)


def closeness_of_classes(
    proba: NDArray[np.float64],
    teacher: NDArray[np.float64],
    thresholds: tuple[float | None, float | None] = (None, None),
) -> dict[str, Measure]:
    """Agreement of labels with the teacher's, and divergence from its probabilities.

    ``thresholds`` are those of the model's and of the teacher's own decision.
    """
    return {
        "agreement": share_of(predicted_codes(proba, thresholds[0]) == predicted_codes(teacher, thresholds[1])),
        "kl": mean_of(rel_entr(teacher, np.clip(proba, TINY, 1)).sum(axis=1)),
    }


def closeness_of_labels(proba: NDArray[np.float64], teacher: NDArray[np.float64]) -> dict[str, Measure]:
    """Agreement of several labels with the teacher's, and divergence from its probabilities, means over the labels."""
    same = predicted_labels(proba) == predicted_labels(teacher)
    divergence = rel_entr(teacher, np.clip(proba, TINY, 1)) + rel_entr(1 - teacher, np.clip(1 - proba, TINY, 1))
    return {"agreement": mean_of(same.mean(axis=1)), "kl": mean_of(divergence.mean(axis=1))}


def closeness_of_values(values: NDArray[np.float64], teacher: NDArray[np.float64]) -> dict[str, Measure]:
    """Distance from the teacher's values, and correlation with them."""
    a, b = (_in_range(part - part.mean(axis=0))[0] for part in (teacher, values))
    return {
        "rmse_to_teacher": _distance(teacher - values),
        "correlation_to_teacher": Measure(np.hstack([a * b, a, a * a, b, b * b]), _correlation),
    }


def _correlation(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pearson's, mean over the targets; NaN where one is constant."""
    product, a, aa, b, bb = np.split(means, 5, axis=-1)
    scale = np.sqrt(_variance(a, aa) * _variance(b, bb))
    return np.divide(product - a * b, scale, out=np.full_like(scale, NAN), where=scale > 0).mean(axis=-1)


def distance_from_teacher(found: NDArray[np.float64], teacher: NDArray[np.float64], task: str) -> NDArray[np.float64]:
    """Of each row how far the student's predictions are from the teacher's.

    Of classes half the sum of the absolute differences of their probabilities, which is the probability that two draws
    from them differ at least; of several labels the mean absolute difference; of values the same, where there are
    several each in units of the standard deviation of the teacher's.
    """
    difference = np.abs(found - teacher)
    if task == "classification":
        return difference.sum(axis=1) / 2
    if task == "regression" and difference.shape[1] > 1:
        scale = teacher.std(axis=0)
        difference = difference / np.where(scale > 0, scale, 1.0)
    return difference.mean(axis=1)


def loss_among(columns: Iterable[str], task: str) -> str:
    """The column with the loss: "log_loss", "rmse", or "pinball" where the teacher estimates quantiles."""
    if "pinball" in columns:
        return "pinball"
    return "rmse" if task == "regression" else "log_loss"


def gain_retained(losses: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Which part of what the teacher's loss is below the baseline's the student's loss is below it.

    NaN where the teacher gains nothing over the baseline.

    Parameters
    ----------
    losses : dict of str to ndarray
        Of "teacher", "student" and "baseline", all of one shape, which is that of the answer.
    """
    gained = losses["baseline"] - losses["teacher"]
    kept = losses["baseline"] - losses["student"]
    return np.divide(kept, gained, out=np.full_like(gained, NAN, dtype=np.float64), where=gained > 0)
