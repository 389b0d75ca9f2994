"""A student's own preprocessing steps, which must do with missing values what the default encoder does."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline

from sklkd._sklearn import _safe_indexing
from sklkd.students import InputEncoder
from sklkd.teachers._probe import rows_with_gap


def fit_steps(steps: Pipeline, X: Any, y: Any) -> tuple[Pipeline, Any]:
    """Fit the steps that stand before a Pipeline's network, and encode the rows.

    Steps such as scalers let missing values through, which no network survives: then a step ``"fill"`` is added that
    puts medians in their place.

    Parameters
    ----------
    steps : Pipeline
        Unfitted.
    X : the user's rows
    y : ndarray

    Returns
    -------
    encoder : Pipeline
    encoded : array, frame or sparse matrix
    """
    encoded = steps.fit_transform(X, y)
    if np.ndim(encoded) > 2 or takes_gaps(steps, X):
        return steps, encoded
    fill = SimpleImputer(strategy="median", keep_empty_features=True)
    filled = fill.fit_transform(encoded)
    encoder = Pipeline([*steps.steps, ("fill", fill)])
    # steps that refuse missing values go on refusing them
    return (encoder, filled) if takes_gaps(encoder, X) else (steps, encoded)


def takes_gaps(encoder: Any, X: Any) -> bool:
    """Whether a fitted encoder makes finite numbers of a row with a missing value."""
    if isinstance(encoder, InputEncoder):
        return True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return all(_is_finite(encoder.transform(row)) for row in rows_with_gap(_safe_indexing(X, [0])))
        except Exception:  # noqa: BLE001 - someone else's steps, refusing in their own way
            return False


def _is_finite(encoded: Any) -> bool:
    values = encoded.toarray() if sparse.issparse(encoded) else np.asarray(encoded)
    return bool(np.isfinite(values.astype(np.float64)).all())
