"""How long an answer takes: microseconds for one row and per row in a batch, as ratios inside one run on one thread.

OMP_NUM_THREADS=1 python benchmarks/answer.py [--rows 20000] [--trees 500]

Data as in ``speed.py answer``: 30 numeric columns, 5 classes, float32. The forest, scikit-learn's LogisticRegression
(what an estimator costs before it computes anything), and students of two sizes: the estimator itself, its C file
through ctypes with 32- and 8-bit weights, and its ONNX graph where that can be written.
"""

import argparse
import os
import tempfile
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import torch
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from sklkd import DistilledClassifier
from sklkd.export import CPredictor, to_c
from sklkd.students import TabularStudent

REPEATS, ONE_ROW_CALLS, BATCH = 15, 300, 10_000


def fastest(call, rows, calls=1):
    """Microseconds per call: the best of some, since others share the machine."""
    call(rows)
    times = []
    for _ in range(REPEATS if calls > 1 else 5):
        start = time.perf_counter()
        for _ in range(calls):
            call(rows)
        times.append((time.perf_counter() - start) / calls)
    return 1e6 * min(times)


def students(X, y, forest, folder):
    """Name, call and size of what a distilled forest becomes."""
    for size in ("tiny", "small"):
        # how well it has learnt plays no part in how long it takes
        net = TabularStudent(size, max_epochs=2)
        est = DistilledClassifier(forest, net, hard_weight=0.1, cv=None, augment=None, random_state=0).fit(X, y)
        yield f"{size}: predict_proba", est.predict_proba, ""
        for quantize in (None, "int8"):
            path = folder / f"{size}_{quantize}.c"
            report = to_c(est, path, X=X[:BATCH], quantize=quantize)
            name = f"{size}: C, {quantize or 'float'}"
            yield name, CPredictor(path).predict_proba, f"{report.bytes:,} (agrees on {report.agreement:.2%})"
        try:
            from sklkd import OnnxPredictor, to_onnx
        except ImportError:
            continue
        path = folder / f"{size}.onnx"
        to_onnx(est, path)
        yield f"{size}: ONNX", OnnxPredictor(path).predict_proba, f"{path.stat().st_size:,}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--trees", type=int, default=500)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    X, y = make_classification(options.rows, 30, n_informative=15, n_classes=5, random_state=0)
    X = X.astype(np.float32)
    forest = RandomForestClassifier(options.trees, n_jobs=1, random_state=0).fit(X, y)
    logistic = LogisticRegression().fit(X, y)
    one, many = X[:1].copy(), X[:BATCH].copy()
    with tempfile.TemporaryDirectory() as folder:
        calls = [("forest", forest.predict_proba, ""), ("LogisticRegression", logistic.predict_proba, "")]
        calls += students(X[:4000], y[:4000], forest, Path(folder))
        # side by side: between them the machine changes less than over the whole run
        table = []
        for name, call, size in calls:
            alone = fastest(call, one, 3 if name == "forest" else ONE_ROW_CALLS)
            table.append((name, alone, fastest(call, many) / BATCH, fastest(logistic.predict_proba, one, 100), size))
    _, forest_one, forest_many, *_ = table[0]
    print(
        "| form | one row, us | times faster | over LogisticRegression | per row of 10,000, us | times faster | bytes |"
    )
    print("| --- | --: | --: | --: | --: | --: | --: |")
    for name, alone, batch, usual, size in table:
        print(
            f"| {name} | {alone:,.1f} | {forest_one / alone:,.0f} | {alone / usual:.2f} | {batch:.2f} | "
            f"{forest_many / batch:.1f} | {size} |"
        )


if __name__ == "__main__":
    main()
