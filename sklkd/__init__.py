"""Knowledge distillation for scikit-learn: compress a trained model into a small neural network."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sklkd._version import __version__ as __version__

if TYPE_CHECKING:
    from sklkd import augment as augment
    from sklkd import estimators as estimators
    from sklkd import exceptions as exceptions
    from sklkd import export as export
    from sklkd import losses as losses
    from sklkd import methods as methods
    from sklkd import report as report
    from sklkd import students as students
    from sklkd import teachers as teachers
    from sklkd.estimators import (
        DistilledClassifier,
        DistilledRegressor,
        OnlineDistilledClassifier,
        OnlineDistilledRegressor,
        SelfDistilledClassifier,
        SelfDistilledRegressor,
    )
    from sklkd.export import CPredictor, CReport, ExportReport, OnnxPredictor, to_c, to_onnx
    from sklkd.report import (
        AgreementDisplay,
        CompressionCurveDisplay,
        DistillationReport,
        ReliabilityDisplay,
        TrainingCurveDisplay,
        distillation_report,
    )

__all__ = [
    "AgreementDisplay",
    "CPredictor",
    "CReport",
    "CompressionCurveDisplay",
    "DistillationReport",
    "DistilledClassifier",
    "DistilledRegressor",
    "ExportReport",
    "OnlineDistilledClassifier",
    "OnlineDistilledRegressor",
    "OnnxPredictor",
    "ReliabilityDisplay",
    "SelfDistilledClassifier",
    "SelfDistilledRegressor",
    "TrainingCurveDisplay",
    "distillation_report",
    "to_c",
    "to_onnx",
]

# Nothing is imported before it is asked for (PEP 562): a process that serves a file needs neither torch nor
# scikit-learn, and would wait seconds for them.
_HOMES = {
    "AgreementDisplay": "sklkd.report",
    "CPredictor": "sklkd.export",
    "CReport": "sklkd.export",
    "CompressionCurveDisplay": "sklkd.report",
    "DistillationReport": "sklkd.report",
    "DistilledClassifier": "sklkd.estimators",
    "DistilledRegressor": "sklkd.estimators",
    "ExportReport": "sklkd.export",
    "OnlineDistilledClassifier": "sklkd.estimators",
    "OnlineDistilledRegressor": "sklkd.estimators",
    "OnnxPredictor": "sklkd.export",
    "ReliabilityDisplay": "sklkd.report",
    "SelfDistilledClassifier": "sklkd.estimators",
    "SelfDistilledRegressor": "sklkd.estimators",
    "TrainingCurveDisplay": "sklkd.report",
    "distillation_report": "sklkd.report",
    "to_c": "sklkd.export",
    "to_onnx": "sklkd.export",
}
_SUBPACKAGES = {"augment", "estimators", "exceptions", "export", "losses", "methods", "report", "students", "teachers"}

if not TYPE_CHECKING:  # a type checker would take any name for granted

    def __getattr__(name: str) -> Any:
        if name in _HOMES:
            value = globals()[name] = getattr(import_module(_HOMES[name]), name)
            return value
        if name in _SUBPACKAGES:
            return import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_SUBPACKAGES})
