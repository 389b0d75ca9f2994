"""What a distillation has kept of its teacher, and what it costs."""

from sklkd.report._curve import CompressionCurveDisplay
from sklkd.report._report import distillation_report
from sklkd.report._result import DistillationReport

__all__ = ["CompressionCurveDisplay", "DistillationReport", "distillation_report"]
