"""Teachers inside other objects: pipelines, searches, frozen estimators."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from sklkd.teachers._base import Shape, Teacher
from sklkd.teachers._outputs import Outputs
from sklkd.teachers._thresholds import Splits, pull_back


class WrappedTeacher(Teacher):
    """A fitted search (its ``best_estimator_``) or a ``FrozenEstimator``: all that is asked goes to what is inside."""

    def __init__(self, estimator: Any, classes: Any = None, *, seen: Any = None, missing: str = "error"):
        super().__init__(estimator, classes, seen=seen, missing=missing)
        from sklkd.teachers._adapt import adapt

        self.inner = adapt(self.inside(estimator), classes, seen=seen, missing=missing)
        self.takes_codes = self.inner.takes_codes
        self.answers_new_rows = self.inner.answers_new_rows
        self.default_layer = self.inner.default_layer
        self.name = self.inner.name

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        return isinstance(estimator, FrozenEstimator) or hasattr(estimator, "best_estimator_")

    @staticmethod
    def inside(estimator: Any) -> Any:
        """What is asked in its place."""
        return estimator.estimator if isinstance(estimator, FrozenEstimator) else estimator.best_estimator_

    def transform(self, X: Any) -> Any:
        """Rows as what is inside sees them."""
        return X

    @property
    def labels(self) -> Any:
        return self.inner.labels

    def _has_margins(self, X: Any) -> bool:
        return self.inner._has_margins(self.transform(X))

    def _classification(self, X: Any, raw: bool) -> Outputs:
        return self.inner._classification(self.transform(X), raw)

    def _regression(self, X: Any, spread: bool) -> Outputs:
        return self.inner._regression(self.transform(X), spread)

    @property
    def layers(self) -> dict[str, Shape]:
        return self.inner.layers

    @property
    def hidden(self) -> tuple[str, ...]:
        return self.inner.hidden

    def features(self, X: Any, layer: str | None = None) -> np.ndarray:
        return self.inner.features(self.transform(X), layer)

    def splits(self, X: Any) -> Splits:
        return self.inner.splits(X)

    @property
    def has_out_of_bag(self) -> bool:
        return self.inner.has_out_of_bag

    def out_of_bag(self, X: Any, y: Any, sample_weight: Any = None) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        return self.inner.out_of_bag(self.transform(X), y, sample_weight)


class PipelineTeacher(WrappedTeacher):
    """A ``Pipeline``: its last step, asked for transformed rows."""

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        return isinstance(estimator, Pipeline)

    @staticmethod
    def inside(estimator: Any) -> Any:
        return estimator.steps[-1][1]

    def transform(self, X: Any) -> Any:
        for _, step in self.estimator.steps[:-1]:
            # Steps that only resample (imbalanced-learn) do so at fit alone.
            if step is not None and step != "passthrough" and hasattr(step, "transform"):
                X = step.transform(X)
        return X

    def splits(self, X: Any) -> Splits:
        Z = self.transform(X)
        return pull_back(self.inner.splits(Z), Z, X)
