"""Estimators: fitted teachers and small students, in one object."""

from sklkd.estimators._distilled_classifier import DistilledClassifier
from sklkd.estimators._distilled_regressor import DistilledRegressor

__all__ = ["DistilledClassifier", "DistilledRegressor"]
