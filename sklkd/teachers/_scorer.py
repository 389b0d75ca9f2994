"""Outlier detectors, density estimators and other models that score rows."""

from __future__ import annotations

from typing import Any

from sklkd.teachers._bagging import bagged_splits
from sklkd.teachers._estimator import EstimatorTeacher, kind_of
from sklkd.teachers._fallback import falls_back
from sklkd.teachers._thresholds import Splits

SCORERS = ("outlier_detector", "density_estimator")


class ScorerTeacher(EstimatorTeacher):
    """A model that scores rows, as the teacher of a regressor: ``score_samples``, else ``decision_function``.

    Such are ``IsolationForest``, ``OneClassSVM``, ``LocalOutlierFactor(novelty=True)``, ``KernelDensity``,
    ``GaussianMixture`` and ``PCA``. As the teacher of a classifier it is asked as any other model.
    """

    asked_for_values = ("score_samples", "decision_function")

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        if not any(hasattr(estimator, method) for method in cls.asked_for_values):
            return False
        predicts = any(hasattr(estimator, other) for other in ("predict", "predict_proba", "classes_"))
        return kind_of(estimator) in SCORERS or not predicts

    @property
    def reads_as(self) -> str | None:
        return "scores" if self.classes is None else super().reads_as

    def predict(self, X: Any) -> Any:
        method = next(method for method in self.asked_for_values if hasattr(self.estimator, method))
        return getattr(self.estimator, method)(X)

    def margins(self, X: Any) -> Any:
        # how far a row is inside or outside is no logit of anything
        return None if kind_of(self.estimator) in SCORERS else super().margins(X)

    @falls_back("splits", Splits.none)
    def splits(self, X: Any) -> Splits:
        return bagged_splits(self, X) if hasattr(self.estimator, "estimators_features_") else Splits.none()
