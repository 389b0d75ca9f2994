"""Knowledge distillation for scikit-learn: compress a trained model into a small neural network."""

from sklkd.estimators import DistilledClassifier, DistilledRegressor
from sklkd.report import CompressionCurveDisplay, DistillationReport, distillation_report

__version__ = "0.1.0.dev0"

__all__ = [
    "CompressionCurveDisplay",
    "DistillationReport",
    "DistilledClassifier",
    "DistilledRegressor",
    "distillation_report",
]
