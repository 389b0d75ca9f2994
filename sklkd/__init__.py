"""Knowledge distillation for scikit-learn: compress a trained model into a small neural network."""

from sklkd.estimators import (
    DistilledClassifier,
    DistilledRegressor,
    OnlineDistilledClassifier,
    OnlineDistilledRegressor,
)
from sklkd.report import DistillationReport, distillation_report

__version__ = "0.1.0.dev0"

__all__ = [
    "DistillationReport",
    "DistilledClassifier",
    "DistilledRegressor",
    "OnlineDistilledClassifier",
    "OnlineDistilledRegressor",
    "distillation_report",
]
