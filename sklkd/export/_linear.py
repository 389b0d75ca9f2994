"""Linear models of any kind in one form, of which graphs and C files are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Linear:
    """Weighted sums of columns.

    Attributes
    ----------
    weight : ndarray of float64, shape (n_columns, n_outputs)
    base : ndarray of float64, shape (n_outputs,)
    link : str, default="identity"
        One of ``sklkd.export._links``, from the sums to probabilities or values.
    """

    weight: NDArray
    base: NDArray
    link: str = "identity"

    def raw(self, X: NDArray) -> NDArray[np.float64]:
        """The sums, (n, n_outputs)."""
        return np.asarray(X, np.float64) @ self.weight + self.base


def linear_of(model: Any) -> Linear | None:
    """What a fitted model with ``coef_`` and ``intercept_`` sums up; None for other models."""
    coefficients, intercept = getattr(model, "coef_", None), getattr(model, "intercept_", 0.0)
    if coefficients is None:
        return None
    if hasattr(coefficients, "toarray"):
        coefficients = coefficients.toarray()
    weight = np.atleast_2d(np.asarray(coefficients, np.float64)).T
    if weight.ndim != 2:
        return None
    return Linear(weight, np.broadcast_to(np.ravel(intercept), weight.shape[1:]).astype(np.float64))


def side_by_side(parts: Sequence[Linear]) -> Linear:
    """Models of one output each as one of several."""
    bases, weights = (np.concatenate([getattr(one, name) for one in parts], axis=-1) for name in ("base", "weight"))
    return replace(parts[0], weight=weights, base=bases)
