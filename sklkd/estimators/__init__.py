"""Estimators: small students, and who teaches them, in one object."""

from sklkd.estimators._distilled_classifier import DistilledClassifier
from sklkd.estimators._distilled_regressor import DistilledRegressor
from sklkd.estimators._online_distilled_classifier import OnlineDistilledClassifier
from sklkd.estimators._online_distilled_regressor import OnlineDistilledRegressor
from sklkd.estimators._self_distilled_classifier import SelfDistilledClassifier
from sklkd.estimators._self_distilled_regressor import SelfDistilledRegressor

__all__ = [
    "DistilledClassifier",
    "DistilledRegressor",
    "OnlineDistilledClassifier",
    "OnlineDistilledRegressor",
    "SelfDistilledClassifier",
    "SelfDistilledRegressor",
]
