"""Whether rows bear out what a teacher is taken to estimate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, logit, softmax
from scipy.stats import spearmanr

from sklkd._weighted import weighted_quantile
from sklkd.teachers._estimand import Estimand
from sklkd.teachers._outputs import FLOOR, Outputs

MIN_ROWS = 40
"""Fewer rows tell no purpose from chance."""
Z = 4.0
"""Standard errors from which a shift counts. The teacher's own rows were a sample too, which doubles the variance."""
ODDS = 1.5
"""Ratio of odds from which a shift of base rates is material."""
SHARE = 0.02
"""Total variation between mean probabilities and shares of classes from which it is material."""
SLOPES = (0.5, 3.0)
"""Recalibration slopes of a teacher that is right but for the shift; overconfident and noisy ones lie below."""
INFORMATION = 0.05
"""The part of the classes' entropy that a teacher must explain once the shift is removed."""

SHIFT = 0.35
"""Mean error over mean absolute error from which a shift of a mean is material."""
MEDIAN_SHIFT = 0.12
"""The same where half of the rows lie below, as of a median, which few plain errors imitate."""
OFF_CENTRE = 0.12
"""How far from one half the part of the rows below must be for another quantile."""
EXTREME = 0.005
"""The least part of the rows on either side of a quantile."""
CORRELATION = 0.4
"""The least rank correlation of an informative teacher with the targets."""
REFERENCE = 0.5
"""The part of what a model trained on labels explains that a teacher with a purpose explains, whatever its slope."""
CALIBRATED = (0.8, 1.25)
"""Recalibration slopes of a teacher with a purpose that explains less (benchmarks/README.md, "Purpose or error")."""


def confirm_estimand(estimand: Estimand, outputs: Outputs, y: Any, weight: Any = None) -> Estimand:
    """What a teacher estimates, after a look at its outputs for rows with labels.

    Class probabilities, a mean and a rate, which labels tell as well, are compared with the labels. If the outputs
    are shifted as a whole, significantly and materially, and the teacher is informative once the shift is removed, the
    shift is taken as a purpose: class weights, a median, a quantile. Plain error, such as that of a constant, a badly
    fitted, overconfident or noisy teacher, leaves the estimand as it is.

    Parameters
    ----------
    estimand : Estimand
        As the adapter says it. Any other kind is returned as it is.
    outputs : Outputs
        For n rows, best of all rows that the teacher has not been fitted on: on others an overfitted teacher agrees
        with the labels whatever its purpose is, and a shift goes unnoticed.
    y : array-like of shape (n,) or (n, n_targets)
        Codes of classes, in the order of the columns of ``outputs.proba``, or targets in the units of
        ``outputs.values``.
    weight : array-like of shape (n,), default=None
        Weights of the rows.

    Returns
    -------
    Estimand
        ``estimand`` itself, or one of kind ``"reweighted probability"`` or ``"location"``, whose source gives the
        figures.

    Examples
    --------
    >>> import numpy as np
    >>> from sklkd.teachers import Estimand, Outputs, confirm_estimand
    >>> rng = np.random.default_rng(0)
    >>> expected = rng.uniform(1, 9, 500)
    >>> y = expected * rng.gamma(2, 0.5, size=500)
    >>> assumed = Estimand("mean", "MyModel", known=False)
    >>> confirm_estimand(assumed, Outputs(values=expected[:, None]), y).kind
    'mean'
    >>> confirm_estimand(assumed, Outputs(values=1.9 * expected[:, None]), y).kind
    'location'
    """
    if not estimand.answered_by_labels or len(outputs) < MIN_ROWS:
        return estimand
    weight = np.ones(len(outputs)) if weight is None else np.asarray(weight, dtype=np.float64)
    if outputs.proba is not None:
        figures = _shift_of_rates(outputs.proba, np.asarray(y).astype(np.intp), weight)
        kind = "reweighted probability"
    else:
        assert outputs.values is not None
        figures = _shift_of_values(outputs.values, np.asarray(y, dtype=np.float64).reshape(len(outputs), -1), weight)
        kind = "location"
    if figures is None:
        return estimand
    return replace(estimand, kind=kind, source=f"{estimand.source}: {figures}", known=True)


def natural_if_balanced(estimand: Estimand, share: NDArray[np.float64]) -> Estimand:
    """Natural probabilities where a teacher's weights balance classes that are balanced; else the estimand as it is.

    Parameters
    ----------
    estimand : Estimand
    share : ndarray of shape (n_classes,)
        The part of the rows that is of each class.
    """
    share = share[share > 0]
    even = np.full(len(share), 1 / len(share))
    # what is known is no estimate: either figure tells
    material = (_log_odds(even, share) > np.log(ODDS)).any() or np.abs(even - share).sum() / 2 >= SHARE
    if not estimand.balanced or material:
        return estimand
    return replace(estimand, kind="probability", source=f"{estimand.source}, of balanced classes", balanced=False)


def shifted_in_error(outputs: Outputs, reference: Outputs, y: Any, weight: Any = None) -> bool:
    """Whether a teacher with a shift is in error, as one that was fitted on other columns, rather than of a purpose.

    In error it explains much less than a model that was trained on labels, and is not calibrated even once the shift is
    removed. A purpose may go with little knowledge, as in a linear model, but its outputs then mean what they say. For
    values this is seen at the quantile of the targets at which they lie, and each target must be calibrated.

    Parameters
    ----------
    outputs : Outputs
        Of the teacher.
    reference : Outputs
        Of a model that was trained on the labels of other rows, for the same rows.
    y, weight
        As for :func:`confirm_estimand`.
    """
    weight = np.ones(len(outputs)) if weight is None else np.asarray(weight, dtype=np.float64)
    if outputs.proba is not None:
        codes = np.asarray(y).astype(np.intp)
        share = np.bincount(codes, weight) / weight.sum()
        usual = -np.sum(share[share > 0] * np.log(share[share > 0]))
        (own, (slopes, *_)), (other, _) = (
            _recalibrated(np.log(np.maximum(proba, FLOOR)), codes, weight, shift=True)
            for proba in (outputs.proba, np.asarray(reference.proba))
        )
        own, other = usual - own, usual - other
    else:
        targets = np.asarray(y, dtype=np.float64).reshape(len(outputs), -1)
        assert outputs.values is not None and reference.values is not None
        of_targets = zip(outputs.values.T, reference.values.T, targets.T, strict=True)
        each = np.array([_of_quantile(*target, weight) for target in of_targets if np.ptp(target[2]) > 0])
        own, other, slopes = each[:, 0].mean(), each[:, 1].mean(), each[:, 2]
    calibrated = (slopes >= CALIBRATED[0]) & (slopes <= CALIBRATED[1])
    return bool(own < REFERENCE * other and not np.all(calibrated))


def _of_quantile(
    value: NDArray[np.float64], reference: NDArray[np.float64], y: NDArray[np.float64], weight: NDArray[np.float64]
) -> list[float]:
    """Parts of a constant's pinball loss that two models save, at the level of the first, and its best slope."""
    level = float(np.clip(np.average(value >= y, weights=weight), EXTREME, 1 - EXTREME))

    def loss(values: Any) -> float:
        residual = y - values
        residual = residual - weighted_quantile(residual, weight, level)
        return float(np.average(np.maximum(level * residual, (level - 1) * residual), weights=weight))

    usual = loss(0.0)
    slope = minimize_scalar(lambda slope: loss(slope * value), bounds=(0, SLOPES[1]), method="bounded").x
    return [1 - loss(value) / usual, 1 - loss(reference) / usual, float(slope)]


def _shift_of_rates(proba: NDArray[np.float64], y: NDArray[np.intp], weight: NDArray[np.float64]) -> str | None:
    """The figures of a shift of base rates, or None if there is none, or none on purpose."""
    labels = np.eye(proba.shape[1])[y]
    mean, share = np.average(proba, axis=0, weights=weight), np.average(labels, axis=0, weights=weight)
    present = (share > 0) & (share < 1)
    # Some variance is left where a teacher has memorised its training rows.
    residual = np.average((proba - labels) ** 2, axis=0, weights=weight)
    error = _standard_error(np.maximum(residual, 0.02 * share * (1 - share)), weight)
    shifted = (np.abs(mean - share) > Z * error) & (_log_odds(mean, share) > np.log(ODDS))
    if not shifted.any() or np.abs(mean - share).sum() / 2 < SHARE:
        return None
    logits = np.log(np.maximum(proba, FLOOR))
    scaled, (slope, *_) = _recalibrated(logits, y, weight, shift=False)
    moved, (slope, *_) = _recalibrated(logits, y, weight, shift=True)
    entropy = -np.sum(share[present] * np.log(share[present]))
    plausible = SLOPES[0] <= slope <= SLOPES[1] and entropy - moved >= INFORMATION * entropy
    n = weight.sum() ** 2 / (weight**2).sum()
    # What a single factor on the logits mends as well is confidence, not a shift.
    needed = (scaled - moved) * n > Z**2 / 2 * (proba.shape[1] - 1) and scaled - moved > 0.01 * entropy
    if not (plausible and needed):
        return None
    worst = int(np.argmax(np.where(shifted, np.abs(mean - share), 0.0)))
    return f"its mean probability of class {worst} is {mean[worst]:.2f} where {share[worst]:.2f} of {len(y):,} rows are"


def _log_odds(mean: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.float64]:
    """By how much the log-odds of two base rates of each class differ; 0 where no or every row is of a class."""
    present = (share > 0) & (share < 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(present, np.abs(logit(mean) - logit(share)), 0.0)


def _shift_of_values(values: NDArray[np.float64], y: NDArray[np.float64], weight: NDArray[np.float64]) -> str | None:
    """The figures of a shift of the mean of some target, or None if there is none, or none on purpose."""
    if values.shape != y.shape:
        return None
    for j in range(y.shape[1]):
        seen = np.isfinite(y[:, j])
        value, target = values[seen, j], y[seen, j]
        figures = _shift_of_target(value, target, weight[seen])
        if figures is not None and _correlation(value, target) >= CORRELATION:
            return figures
    return None


def _shift_of_target(value: NDArray[np.float64], y: NDArray[np.float64], weight: NDArray[np.float64]) -> str | None:
    """The figures of a shift of one target's mean, if it is significant and as large as that of a purpose."""
    if len(y) < MIN_ROWS:
        return None
    residual = y - value
    # in units of a power of two, which loses no digits, so that the squares of huge ones are in range
    residual = np.ldexp(residual, -np.frexp(np.abs(residual).max())[1])
    bias = np.abs(np.average(residual, weights=weight))
    if bias <= Z * _standard_error(np.average((residual - residual.mean()) ** 2, weights=weight), weight):
        return None
    # Between 0 and 1, the latter if all rows lie on one side, which is an error of units rather than a level.
    ratio = bias / np.average(np.abs(residual), weights=weight)
    below = np.average(value >= y, weights=weight)
    off = np.abs(below - 0.5)
    median = off <= 0.02 + 2 * _standard_error(0.25, weight) and ratio >= MEDIAN_SHIFT
    quantile = OFF_CENTRE <= off <= 0.5 - EXTREME and ratio >= SHIFT
    if not (median or quantile):
        return None
    return f"{below:.0%} of {len(y):,} rows lie below it, and their mean is off by {ratio:.2f} mean absolute errors"


def _correlation(value: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """The rank correlation, which neither a shift nor a stretch nor outliers change; 0 for a constant."""
    return 0.0 if np.ptp(value) == 0 or np.ptp(y) == 0 else float(spearmanr(value, y).statistic)


def _recalibrated(
    logits: NDArray[np.float64], y: NDArray[np.intp], weight: NDArray[np.float64], *, shift: bool
) -> tuple[float, NDArray[np.float64]]:
    """Log loss of the best ``softmax(slope * logits [+ shift of each class])``, and its parameters, the slope first.

    Shifts have a small penalty, which keeps them finite where a class never occurs.
    """
    n_classes = logits.shape[1]
    share = weight / weight.sum()
    penalty = 1e-4
    labels = np.eye(n_classes)[y]

    def objective(p: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = p[0] * logits + p[1:]
        loss = -share @ np.take_along_axis(log_softmax(z, axis=1), y[:, None], axis=1)[:, 0]
        slope = (softmax(z, axis=1) - labels) * share[:, None]
        gradient = np.concatenate([[(slope * logits).sum()], slope.sum(axis=0) + 2 * penalty * p[1:]])
        if not shift:
            gradient[1:] = 0.0
        return float(loss + penalty * (p[1:] ** 2).sum()), gradient

    best = minimize(objective, np.concatenate([[1.0], np.zeros(n_classes)]), jac=True, method="L-BFGS-B")
    return float(best.fun - penalty * (best.x[1:] ** 2).sum()), best.x


def _standard_error(variance: Any, weight: NDArray[np.float64]) -> Any:
    """Of the difference of two means of as many rows, one of which the teacher has learnt from."""
    return np.sqrt(2 * variance * (weight**2).sum()) / weight.sum()
