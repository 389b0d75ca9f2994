"""How a file's answers compare with its estimator's."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray


def answers_of(model: Any, rows: Any) -> NDArray[np.float64]:
    """Probabilities or values, (n, n_outputs)."""
    with warnings.catch_warnings():
        # made-up rows have no column names
        warnings.filterwarnings("ignore", "X does not have valid feature names", UserWarning)
        answers = model.predict_proba(rows) if hasattr(model, "classes_") else model.predict(rows)
    return answers.reshape(len(answers), -1)


def largest_difference(est: Any, expected: NDArray, got: NDArray) -> float:
    """Of all probabilities, or of all values in units of the target's standard deviation."""
    scale = 1.0 if est._fitted.task.classes is not None else est._fitted.task.scaling.scale
    return float(np.max(np.abs(got - expected) / scale, initial=0.0))


def agreement(est: Any, expected: NDArray, got: NDArray) -> float:
    """Share of rows with the same label; of regressors, the R2 of what was got for what was expected."""
    if est._fitted.task.classes is not None:
        return float(np.mean(expected.argmax(axis=1) == got.argmax(axis=1)))
    variance = np.sum((expected - expected.mean(axis=0)) ** 2)
    return float(1 - np.sum((got - expected) ** 2) / variance) if variance > 0 else 1.0
