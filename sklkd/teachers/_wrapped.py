"""Teachers inside other objects: pipelines, searches, frozen estimators."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from sklkd.teachers._base import Shape, Teacher
from sklkd.teachers._fallback import falls_back
from sklkd.teachers._outputs import Outputs
from sklkd.teachers._rows import Reference
from sklkd.teachers._thresholds import Splits, splits_before_transform


class WrappedTeacher(Teacher):
    """A fitted search (its ``best_estimator_``) or a ``FrozenEstimator``: every call goes to the estimator inside."""

    def setup(self) -> None:
        self.inner = self.adapted(self.inside(self.estimator), self.classes, seen=self.seen, missing=self.missing)
        self.takes_codes = self.inner.takes_codes
        self.answers_new_rows = self.inner.answers_new_rows
        self.default_layer = self.inner.default_layer
        self.name = self.inner.name

    @property
    def fallbacks(self) -> list[str]:
        return list(dict.fromkeys([*self._failures, *self.inner.fallbacks]))

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

    @property
    def reads_as(self) -> str | None:
        return self.inner.reads_as

    @property
    def mistake(self) -> str | None:
        return self.inner.mistake

    @property
    def interprets(self) -> bool:  # type: ignore[override]
        return self.inner.interprets

    @property
    def needs_rows(self) -> bool:  # type: ignore[override]
        return self.inner.needs_rows

    def with_reference(self, rows: Reference) -> WrappedTeacher:
        prepared = copy(self)
        prepared._reference, prepared.inner = rows, self.inner.with_reference(rows.through(self.transform))
        return prepared

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
            # steps that only resample (imbalanced-learn) do so only at fit
            if step is not None and step != "passthrough" and hasattr(step, "transform"):
                X = step.transform(X)
        return X

    @falls_back("splits", Splits.none)
    def splits(self, X: Any) -> Splits:
        Z = self.transform(X)
        return splits_before_transform(self.inner.splits(Z), Z, X)
