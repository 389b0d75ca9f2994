"""Distilled estimators: a small student, and the teacher or method that it learns from, in one object."""

from sklkd.estimators.offline._account import DistillationAccount
from sklkd.estimators.offline._classifier import DistilledClassifier
from sklkd.estimators.offline._regressor import DistilledRegressor
from sklkd.estimators.online._classifier import OnlineDistilledClassifier
from sklkd.estimators.online._regressor import OnlineDistilledRegressor
from sklkd.estimators.self_distillation._classifier import SelfDistilledClassifier
from sklkd.estimators.self_distillation._regressor import SelfDistilledRegressor

__all__ = [
    "DistillationAccount",
    "DistilledClassifier",
    "DistilledRegressor",
    "OnlineDistilledClassifier",
    "OnlineDistilledRegressor",
    "SelfDistilledClassifier",
    "SelfDistilledRegressor",
]
