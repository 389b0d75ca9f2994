"""scikit-learn's own multi-layer perceptrons."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import expit

from sklkd.teachers._base import Shape
from sklkd.teachers._estimator import EstimatorTeacher

ACTIVATIONS = {
    "identity": lambda z: z,
    "logistic": expit,
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0.0),
}


class MLPTeacher(EstimatorTeacher):
    """``MLPClassifier`` and ``MLPRegressor``; layers ``"hidden.0"``, ``"hidden.1"``, ... after their activation."""

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        return hasattr(estimator, "coefs_") and hasattr(estimator, "intercepts_")

    @property
    def layers(self) -> dict[str, Shape]:
        return {f"hidden.{i}": (len(bias),) for i, bias in enumerate(self.estimator.intercepts_[:-1])}

    @property
    def default_layer(self) -> str | None:  # type: ignore[override]
        return next(reversed(self.layers), None)

    @property
    def hidden(self) -> tuple[str, ...]:
        return tuple(self.layers)

    def margins(self, X: Any) -> NDArray[np.float64]:
        last = self._hidden(X, len(self.estimator.coefs_) - 1)
        return last @ self.estimator.coefs_[-1] + self.estimator.intercepts_[-1]

    def feature(self, X: Any, layer: str) -> np.ndarray:
        return self._hidden(X, list(self.layers).index(layer) + 1)

    def _hidden(self, X: Any, depth: int) -> NDArray[np.float64]:
        values = X if sparse.issparse(X) else np.asarray(X, dtype=np.float64)
        for weights, bias in zip(self.estimator.coefs_[:depth], self.estimator.intercepts_[:depth], strict=True):
            values = ACTIVATIONS[self.estimator.activation](values @ weights + bias)
        return values
