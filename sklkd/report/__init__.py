"""What a distillation has kept of its teacher, and what it costs."""

from sklkd.report._agreement import AgreementDisplay
from sklkd.report._curve import CompressionCurveDisplay
from sklkd.report._reliability_display import ReliabilityDisplay
from sklkd.report._report import distillation_report
from sklkd.report._result import DistillationReport
from sklkd.report._training import TrainingCurveDisplay

__all__ = [
    "AgreementDisplay",
    "CompressionCurveDisplay",
    "DistillationReport",
    "ReliabilityDisplay",
    "TrainingCurveDisplay",
    "distillation_report",
]
