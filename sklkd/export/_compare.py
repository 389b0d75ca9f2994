"""How a file's predictions compare with its estimator's."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd._decision_rule import predicted_codes


def outputs_of(model: Any, rows: Any) -> NDArray[np.float64]:
    """Probabilities or values, (n, n_outputs)."""
    with warnings.catch_warnings():
        # made-up rows have no column names
        warnings.filterwarnings("ignore", "X does not have valid feature names", UserWarning)
        outputs = model.predict_proba(rows) if hasattr(model, "classes_") else model.predict(rows)
    return outputs.reshape(len(outputs), -1)


def largest_difference(est: Any, expected: NDArray, got: NDArray) -> float:
    """Of all probabilities, or of all values in units of the target's standard deviation.

    Values that are farther from the mean than that are compared in units of this distance: floats have no more digits.
    """
    scaling = est._fitted.task.scaling
    scale = 1.0 if scaling is None else np.maximum(scaling.scale, np.abs(expected - scaling.center))
    return float(np.max(np.abs(got - expected) / scale, initial=0.0))


def agreement(est: Any, expected: NDArray, got: NDArray) -> float:
    """Part of the rows with the same label; of regressors, the R2 of what was got for what was expected."""
    if est._fitted.task.classification:
        threshold = est._fitted.threshold
        return float(np.mean(predicted_codes(expected, threshold) == predicted_codes(got, threshold)))
    variance = np.sum((expected - expected.mean(axis=0)) ** 2)
    return float(1 - np.sum((got - expected) ** 2) / variance) if variance > 0 else 1.0
