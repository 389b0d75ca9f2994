"""How often predictions of each confidence are right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklkd._decision_rule import predicted_labels
from sklkd.report._intervals import NOWHERE, Sample, bootstrap_interval, exact_interval
from sklkd.report._quality import BINS, confidence_bins

DRAWN = ("confidence", "accuracy", "accuracy_low", "accuracy_high")


class ReliabilityBin(NamedTuple):
    """Predictions whose probability lies in a range: ``low < probability <= high``.

    ``n`` of them, with a mean probability of ``confidence``, of which ``accuracy`` are right, in the interval from
    ``accuracy_low`` to ``accuracy_high``.
    """

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float
    accuracy_low: float
    accuracy_high: float


def sure_and_right(
    proba: NDArray[np.float64], y: NDArray, classes: NDArray | None
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Of each row, or of each of its labels (``classes=None``), the predicted probability and whether it is right."""
    if classes is None:
        return np.maximum(proba, 1 - proba), predicted_labels(proba) == y
    return proba.max(axis=1), classes[proba.argmax(axis=1)] == y


def reliability_bins(
    confidence: NDArray[np.float64], correct: NDArray[np.bool_], sample: Sample
) -> list[ReliabilityBin]:
    """Those bins of the calibration error in which there are predictions.

    Parameters
    ----------
    confidence, correct : ndarray of shape (n,) or (n, n_labels)
    sample : Sample
        The rows; where they count the same, and have one label each, bounds are exact.
    """
    n = len(confidence)
    confidence, correct = confidence.reshape(n, -1), correct.reshape(n, -1)
    weight = np.ones(n) if sample.weight is None else sample.weight
    places, bins = confidence_bins(confidence), []
    for b in range(BINS):
        inside = places == b
        columns = np.column_stack([part.sum(axis=1) for part in (inside, inside * confidence, inside & correct)])
        total, sure, right = weight @ columns
        if not total > 0:
            continue
        interval = NOWHERE
        if sample.counts and confidence.shape[1] == 1:
            interval = exact_interval(columns[:, 2].sum(), int(inside.sum()), sample.confidence)
        elif sample.n_bootstrap:
            spread = sample.spread(columns[:, [0, 2]])
            drawn, without_one = (
                np.divide(part[:, 1], part[:, 0], out=np.full(len(part), np.nan), where=part[:, 0] > 0)
                for part in (spread.drawn, spread.without_one)
            )
            interval = bootstrap_interval(right / total, drawn, without_one, sample.confidence)
        shares = float(sure / total), float(right / total)
        bins.append(ReliabilityBin(b / BINS, (b + 1) / BINS, int(inside.sum()), *shares, *interval))
    return bins


def draw_bins(ax: Any, bins: Sequence[ReliabilityBin], style: dict[str, Any]) -> Any:
    """A line over the bins, with their intervals as bars; returns the line."""
    if not bins:
        return ax.plot([], [], **style)[0]
    x, y, low, high = (np.array([getattr(one, name) for one in bins]) for name in DRAWN)
    ends = np.nan_to_num([y - low, high - y])
    ax.errorbar(x, y, np.maximum(ends, 0), fmt="none", ecolor=style["color"], elinewidth=1, alpha=0.5)
    return ax.plot(x, y, **style)[0]
