"""What `make serve` runs: `write` in an environment that trains, `c` and `onnx` in one that only predicts.

The answers of the predictors are compared with the estimator's; what takes time and room is printed.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path

import numpy as np

LARGEST = 5e6
"""Bytes that the package may take on disk."""


def write(folder: Path) -> None:
    """Files of a student of numbers, with gaps, and of its answers."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.ensemble import HistGradientBoostingClassifier

    from sklkd import DistilledClassifier, to_c, to_onnx

    X, y = load_breast_cancer(return_X_y=True)
    X[np.random.RandomState(0).rand(*X.shape) < 0.05] = np.nan
    est = DistilledClassifier(HistGradientBoostingClassifier(max_iter=20), "tiny", random_state=0).fit(X, y)
    folder.mkdir(parents=True, exist_ok=True)
    to_onnx(est, folder / "student.onnx")
    to_c(est, folder / "student.c")
    np.savez(folder / "answers.npz", X=X, proba=est.predict_proba(X), labels=est.predict(X))


def read(folder: Path, name: str, suffix: str) -> None:
    """Open one file and compare its answers."""
    start = time.perf_counter()
    predictor = getattr(importlib.import_module("sklkd_serve"), name)(folder / f"student.{suffix}")
    seconds = time.perf_counter() - start
    known = np.load(folder / "answers.npz")
    np.testing.assert_allclose(predictor.predict_proba(known["X"]), known["proba"], rtol=0, atol=1e-5)
    np.testing.assert_array_equal(predictor.predict(known["X"]), known["labels"])
    unwanted = {"sklearn", "scipy", "torch", "skorch", "sklkd"} & set(sys.modules)
    assert not unwanted, unwanted
    package = Path(sys.modules["sklkd_serve"].__file__).parent
    size = sum(path.stat().st_size for path in package.rglob("*") if path.is_file())
    assert size < LARGEST, size
    print(json.dumps({"predictor": name, "import and open, s": round(seconds, 3), "MB": size / 1e6}))


if __name__ == "__main__":
    what, where = sys.argv[1], Path(sys.argv[2])
    if what == "write":
        write(where)
    else:
        read(where, *{"c": ("CPredictor", "c"), "onnx": ("OnnxPredictor", "onnx")}[what])
