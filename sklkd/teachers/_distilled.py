"""A distilled estimator as the teacher of another."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklkd.teachers._base import Shape
from sklkd.teachers._estimator import EstimatorTeacher
from sklkd.teachers._fallback import falls_back
from sklkd.teachers._thresholds import Splits


class DistilledTeacher(EstimatorTeacher):
    """A fitted ``DistilledClassifier`` or its like: a student that now teaches.

    Its layers are those of its student; its thresholds those of its own teacher, where it has kept one.
    """

    def setup(self) -> None:
        super().setup()
        self.student = self.adapted(self.estimator.student_, None if self.multilabel else self.labels)
        self.default_layer = self.student.default_layer

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        return hasattr(estimator, "student_") and hasattr(estimator, "encoder_")

    @property
    def layers(self) -> dict[str, Shape]:
        return self.student.layers

    @property
    def hidden(self) -> tuple[str, ...]:
        return self.student.hidden

    def features(self, X: Any, layer: str | None = None) -> np.ndarray:
        return self.student.features(self.estimator.encoder_.transform(X), layer)

    @falls_back("splits", Splits.none)
    def splits(self, X: Any) -> Splits:
        teacher = getattr(self.estimator, "teacher_", None)
        labels = None if self.multilabel else self.labels
        return Splits.none() if teacher is None else self.adapted(teacher, labels).splits(X)
