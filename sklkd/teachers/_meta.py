"""Estimators around other estimators, whose predictions are their own and whose splits are those of what is inside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from sklkd.teachers._base import Teacher
from sklkd.teachers._estimator import EstimatorTeacher
from sklkd.teachers._fallback import falls_back
from sklkd.teachers._recognise import takes_codes
from sklkd.teachers._rows import width
from sklkd.teachers._thresholds import Splits


class MetaTeacher(EstimatorTeacher):
    """``CalibratedClassifierCV``, AdaBoost, ``OneVsRestClassifier``, ``TransformedTargetRegressor`` and their like."""

    def setup(self) -> None:
        super().setup()
        self.takes_codes = takes_codes(self.estimator)

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        return next(fitted_inside(estimator), None) is not None

    @falls_back("splits", Splits.none)
    def splits(self, X: Any) -> Splits:
        if hasattr(self.estimator, "get_support"):
            # Feature elimination: what is inside sees the columns that were kept.
            kept = self.estimator.get_support(indices=True)
            return inner_splits(self, self.estimator.estimator_, self.estimator.transform(X)).renamed(kept)
        splits = Splits.union(inner_splits(self, each, X) for each in fitted_inside(self.estimator))
        # The later members of a chain also split what the earlier ones predicted, in columns behind those of X.
        return splits.within(width(X))


def fitted_inside(estimator: Any) -> Iterator[Any]:
    """The fitted estimators that take the same columns."""
    members = getattr(estimator, "estimators_", ())
    # Not for lists: ensembles have a length, and would be taken apart.
    found = list(members.ravel() if isinstance(members, np.ndarray) else members)
    found += [calibrated.estimator for calibrated in getattr(estimator, "calibrated_classifiers_", ())]
    if not found:
        found = [getattr(estimator, name) for name in ("estimator_", "regressor_") if hasattr(estimator, name)]
    return (each for each in found if hasattr(each, "predict"))


def inner_splits(teacher: Teacher, estimator: Any, X: Any) -> Splits:
    """Splits of a fitted estimator inside a teacher, whatever its classes mean."""
    return teacher.adapted(estimator, getattr(estimator, "classes_", None)).splits(X)
