"""What only newer releases of scikit-learn, pandas and ONNX have, for tests that need it."""

from __future__ import annotations

from inspect import signature
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
import sklearn
from sklearn.calibration import CalibratedClassifierCV
from sklearn.preprocessing import PowerTransformer, SplineTransformer
from sklearn.utils.fixes import parse_version

NEW = parse_version(sklearn.__version__) >= parse_version("1.8")
HANDLE_MISSING = ("error", "zeros") if "handle_missing" in signature(SplineTransformer).parameters else ("error",)

EXACT_POWERS = not hasattr(PowerTransformer, "_yeo_johnson_transform")
"""Powers with all digits: scikit-learn 1.6 loses those of tiny numbers, and of ones that are large beside their spread,
for which its fit, or that of SciPy 1.11, also overflows."""


def takes_gaps_as_numbers() -> bool:
    """Whether NumPy makes an array of floats of a nullable column with gaps, which it cannot with pandas 2.0."""
    try:
        np.array(pd.Series([1, None], dtype="Int64"), dtype=np.float32)
    except ValueError:
        return False
    return True


def spline_of_gaps(**params: Any) -> SplineTransformer:
    """A ``SplineTransformer`` that makes zeros of missing values; the test is skipped where there is none."""
    if "zeros" not in HANDLE_MISSING:
        pytest.skip("SplineTransformer takes missing values from scikit-learn 1.8 on")
    return SplineTransformer(handle_missing="zeros", **params)


def calibration(model: Any, method: str, **params: Any) -> CalibratedClassifierCV:
    """Calibration by a method; the test is skipped where there is none by temperature."""
    if method == "temperature" and not NEW:
        pytest.skip("CalibratedClassifierCV has temperatures from scikit-learn 1.8 on")
    return CalibratedClassifierCV(model, method=method, **params)


def by_temperature(model: Any, **params: Any) -> CalibratedClassifierCV:
    """Calibration by temperature."""
    return calibration(model, "temperature", **params)


def skip_opset(opset: int) -> None:
    """Skip a test of an operator set that the installed onnx does not know."""
    if opset > onnx.defs.onnx_opset_version():
        pytest.skip(f"onnx {onnx.__version__} does not know opset {opset}")
