"""Predictions from files that sklkd has exported, without torch, scikit-learn or sklkd itself."""

from sklkd_serve._version import __version__ as __version__
from sklkd_serve.export._c_predictor import CPredictor
from sklkd_serve.export._predictor import OnnxPredictor

__all__ = ["CPredictor", "OnnxPredictor"]
