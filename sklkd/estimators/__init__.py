"""Estimators, one file a mode."""

from sklkd.estimators._offline import DistilledClassifier, DistilledRegressor

__all__ = ["DistilledClassifier", "DistilledRegressor"]
