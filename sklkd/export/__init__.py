"""Shipping: an estimator as one file, and what predicts from that file."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sklkd.export._c_predictor import CPredictor
    from sklkd.export._predictor import OnnxPredictor
    from sklkd.export._to_c import CReport, to_c
    from sklkd.export._to_onnx import ExportReport, to_onnx

__all__ = ["CPredictor", "CReport", "ExportReport", "OnnxPredictor", "to_c", "to_onnx"]

# not imported before it is asked for: loading a file should not import what writes it
_HOMES = {
    "CPredictor": "sklkd.export._c_predictor",
    "CReport": "sklkd.export._to_c",
    "ExportReport": "sklkd.export._to_onnx",
    "OnnxPredictor": "sklkd.export._predictor",
    "to_c": "sklkd.export._to_c",
    "to_onnx": "sklkd.export._to_onnx",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name in _HOMES:
            return getattr(import_module(_HOMES[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
