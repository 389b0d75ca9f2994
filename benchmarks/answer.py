"""How long an answer takes: microseconds for one row and per row in a batch, beside the forest, on one thread.

    OMP_NUM_THREADS=1 python benchmarks/answer.py [--rows 20000] [--trees 500] [--no-forest-graph]

Data as in ``speed.py answer``: 30 numeric columns, 5 classes, float32. The forest, its own ONNX graph (skl2onnx takes
minutes for it), LogisticRegression (what an estimator costs before it computes anything), and students of two sizes:
the estimator, its ONNX graph, and its C file with 32- and 8-bit weights, through ctypes and in a loop in C.
"""

import argparse
import os
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import onnxruntime
import torch
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from sklkd import CPredictor, DistilledClassifier, OnnxPredictor, to_c, to_onnx
from sklkd.students import TabularStudent

ROUNDS, CALLS, BATCH = 9, 300, 10_000

LOOP = """
#define _POSIX_C_SOURCE 200112L
#include "student.c"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec * 1e6 + time.tv_nsec * 1e-3;
}

int main(int n_arguments, char **arguments)
{
    size_t n = 10000, read;
    int i, k;
    double *rows = malloc(n * SKLKD_FEATURES * sizeof *rows), *out = malloc(n * SKLKD_OUTPUTS * sizeof *out);
    double one = 1e9, many = 1e9, start;
    FILE *file = fopen(arguments[n_arguments - 1], "rb");
    read = fread(rows, SKLKD_FEATURES * sizeof *rows, n, file);
    for (i = 0; i < 100; i++) {
        start = now();
        for (k = 0; k < 100; k++)
            sklkd_predict_one(rows + k * SKLKD_FEATURES, out);
        one = fmin(one, (now() - start) / 100);
        start = now();
        sklkd_predict(rows, read, out);
        many = fmin(many, (now() - start) / read);
    }
    printf("%f %f", one, many);
    return 0;
}
"""


def microseconds(call, rows, calls=1):
    """Of the processor per call, the fastest of some: others share the machine."""
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(calls):
            call(rows)
        times.append((time.process_time() - start) / calls)
    return 1e6 * min(times)


def in_c(predictor, path, rows, folder):
    """One row and a row of many, without Python between them."""
    (folder / "student.c").write_text(path.read_text())
    (folder / "loop.c").write_text(LOOP)
    rows.astype(np.float64).tofile(folder / "rows")
    command = [predictor.compiler, *predictor.flags, "-o", folder / "loop", folder / "loop.c", "-lm"]
    subprocess.run(command, check=True)
    done = subprocess.run([folder / "loop", folder / "rows"], check=True, capture_output=True, text=True)
    return [float(figure) for figure in done.stdout.split()]


def forest_graph(forest, X):
    from skl2onnx import to_onnx as convert

    content = convert(forest, X[:1], options={"zipmap": False}).SerializeToString()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return (lambda rows: session.run(None, {"X": rows})), f"{len(content):,}"


def forms(X, forest, folder, graph):
    """Name, call or times, and size of everything that answers."""
    logistic = LogisticRegression().fit(X, forest.predict(X))
    yield "forest", forest.predict_proba, ""
    if graph:
        yield "forest, ONNX", *forest_graph(forest, X)
    yield "LogisticRegression", logistic.predict_proba, ""
    for size in ("tiny", "small"):
        # how well it has learnt plays no part in how long it takes
        net = TabularStudent(size, max_epochs=2)
        est = DistilledClassifier(forest, net, hard_weight=0.1, blend=0, cv=None, augment=None, random_state=0)
        est.fit(X[:4000], forest.predict(X[:4000]))
        yield size, est.predict_proba, ""
        report = to_onnx(est, folder / "student.onnx")
        yield f"{size}, ONNX", OnnxPredictor(report.path).predict_proba, f"{report.bytes:,}"
        for quantize in (None, "int8"):
            path = folder / f"{size}_{quantize}.c"
            report = to_c(est, path, quantize=quantize)
            predictor = CPredictor(path)
            name = f"{size}, C {quantize or 'float'}"
            yield name, predictor.predict_proba, f"{report.bytes:,} ({report.agreement:.2%})"
            yield f"{name}, loop in C", in_c(predictor, path, X[:BATCH], folder), ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--trees", type=int, default=500)
    parser.add_argument("--no-forest-graph", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    X, y = make_classification(options.rows, 30, n_informative=15, n_classes=5, random_state=0)
    X = X.astype(np.float32)
    forest = RandomForestClassifier(options.trees, n_jobs=1, random_state=0).fit(X, y)
    one, many = X[:1].copy(), X[:BATCH].copy()
    print("| form | one row, us | forest / it | a row of 10,000, us | forest / it | bytes (same labels) |", flush=True)
    print("| --- | --: | --: | --: | --: | --: |", flush=True)
    forest.predict_proba(many[:1000])
    with tempfile.TemporaryDirectory() as folder:
        for name, call, size in forms(X, forest, Path(folder), not options.no_forest_graph):
            # the forest beside each form: what else the machine does changes from minute to minute
            base = microseconds(forest.predict_proba, one), microseconds(forest.predict_proba, many) / len(many)
            if isinstance(call, list):
                alone, batch = call
            elif name == "forest":
                alone, batch = base
            else:
                call(many[:1000])
                alone, batch = microseconds(call, one, CALLS), microseconds(call, many) / len(many)
            ratios = base[0] / alone, base[1] / batch
            print(
                f"| {name} | {alone:,.1f} | {ratios[0]:,.0f} | {batch:.2f} | {ratios[1]:.1f} | {size} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
