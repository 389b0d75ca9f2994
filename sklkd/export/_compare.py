"""How a file's predictions compare with its estimator's."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd._decision_rule import predicted_codes, predicted_labels
from sklkd._sklearn import _safe_indexing
from sklkd.export._wrapped import Unwrapped


@contextmanager
def about_rows_ignored() -> Iterator[None]:
    """No warnings about rows: made-up ones have no column names, and categories and gaps that are not the user's."""
    with warnings.catch_warnings():
        for text in ("X does not have valid feature names", "Found unknown categories", "Skipping features without"):
            warnings.filterwarnings("ignore", text, UserWarning)
        yield


def outputs_of(model: Any, rows: Any) -> NDArray[np.float64]:
    """Probabilities or values, (n, n_outputs)."""
    with about_rows_ignored():
        outputs = model.predict_proba(rows) if hasattr(model, "classes_") else model.predict(rows)
    return outputs.reshape(len(outputs), -1)


def rows_to_compare(model: Any, rows: Any, *, made_up: bool) -> tuple[Any, NDArray[np.float64]]:
    """The rows, and what the model makes of them; without made-up ones for which a function of targets has no value."""
    expected = outputs_of(model, rows)
    if not made_up:
        return rows, expected
    finite = np.flatnonzero(np.isfinite(expected).all(axis=1))
    return _safe_indexing(rows, finite), expected[finite]


def largest_difference(unwrapped: Unwrapped, expected: NDArray, got: NDArray) -> float:
    """Of all probabilities, or of all values in units of the target's standard deviation.

    Values that are farther from the mean than that are compared in units of this distance: floats have no more digits.
    """
    scaling, scale = unwrapped.est._fitted.task.scaling, np.ones(1)
    if scaling is not None and not unwrapped.est._fitted.task.multilabel:
        least, center, most = (unwrapped.of_values(scaling.center + far * scaling.scale) for far in (-0.5, 0.0, 0.5))
        scale = np.fmax(np.abs(most - least), np.abs(expected - center))
    return float(np.max(np.abs(got - expected) / scale, initial=0.0))


def agreement(unwrapped: Unwrapped, expected: NDArray, got: NDArray) -> float:
    """Part of the rows with the same label or labels; of regressors, the R2 of what was got for what was expected."""
    fitted = unwrapped.est._fitted
    if fitted.task.multilabel:
        return float(np.mean((predicted_labels(expected) == predicted_labels(got)).all(axis=1)))
    if fitted.task.classification:
        threshold = fitted.threshold
        return float(np.mean(predicted_codes(expected, threshold) == predicted_codes(got, threshold)))
    variance = np.sum((expected - expected.mean(axis=0)) ** 2)
    return float(1 - np.sum((got - expected) ** 2) / variance) if variance > 0 else 1.0
