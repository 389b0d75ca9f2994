"""Loss against the time for one row: a forest, the forest compiled, its students, and the same networks without it.

    OMP_NUM_THREADS=1 python benchmarks/latency.py [--seeds 3] [--out benchmarks/results/latency.json]

Three public sets, read as in quality.py, with up to 7,200 rows for training; categories are codes, missing numbers the
median. The forest has 300 trees; compiled it is the graph of skl2onnx in ONNX Runtime. Students have the sizes "tiny",
"small" (the default) and "base", shipped by ``to_onnx``. All answer in turn, on one thread; docs/pictures/latency.py
draws the results.
"""

import argparse
import json
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import onnxruntime
import skl2onnx
import torch
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

sys.path.insert(0, str(Path(__file__).with_name("quality")))
from common import codes, load, loss, outputs

from sklkd import DistilledClassifier, DistilledRegressor, OnnxPredictor, to_onnx

SETS = ("california_housing", "covertype", "letter")
SIZES = ("tiny", "small", "base")
ROUNDS = 15


def compiled(forest, X, labels):
    """The forest in ONNX Runtime, on one thread."""
    options = {"zipmap": False} if labels else None
    graph = skl2onnx.to_onnx(forest, X[:1], options=options).SerializeToString()
    one_thread = onnxruntime.SessionOptions()
    one_thread.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, one_thread, providers=["CPUExecutionProvider"])
    return (lambda rows: session.run(None, {"X": rows})[-1]), len(graph)


def in_turn(calls, rows):
    """Median microseconds of each call for one row; a slow one is asked once a round."""
    times = {name: [] for name in calls}
    for number in range(ROUNDS + 1):
        row = rows[number : number + 1]
        for name, call in calls.items():
            n_calls = 1 if name == "teacher" else 50
            start = time.perf_counter()
            for _ in range(n_calls):
                call(row)
            times[name].append((time.perf_counter() - start) / n_calls)
    return {name: 1e6 * float(np.median(taken[1:])) for name, taken in times.items()}


def measure(name, seed, folder):
    """For each model its loss on rows that none has seen, the time for one row, and the bytes of its file."""
    frame, y, train, test, labels = load(name, 12_000, seed)
    X = codes().fit(frame.iloc[train]).transform(frame).astype(np.float32)
    forest = (RandomForestClassifier if labels else RandomForestRegressor)(300, n_jobs=1, random_state=seed)
    forest.fit(X[train], y[train])
    classes = forest.classes_ if labels else None
    graph, n_bytes = compiled(forest, X, labels)
    answer = forest.predict_proba if labels else forest.predict
    calls = {"teacher": answer, "teacher, compiled": graph}
    sizes = {"teacher, compiled": n_bytes}
    estimator = DistilledClassifier if labels else DistilledRegressor
    losses = {"teacher": loss(y[test], outputs(forest, X[test], labels), labels, classes)}
    losses["teacher, compiled"] = loss(y[test], graph(X[test]).reshape(len(test), -1), labels, classes)
    for size in SIZES:
        options = {"student": size, "random_state": seed}
        student = estimator(forest, **options).fit(X[train], y[train])
        alone = estimator(forest, **options, hard_weight=1.0, augment=None).fit(X[train], y[train])
        path = Path(folder) / f"{size}.onnx"
        to_onnx(student, path)
        predictor = OnnxPredictor(path)
        calls[size] = predictor.predict_proba if labels else predictor.predict
        sizes[size] = path.stat().st_size
        losses[size] = loss(y[test], outputs(predictor, X[test], labels), labels, classes)
        losses[f"{size}, labels only"] = loss(y[test], outputs(alone, X[test], labels), labels, classes)
    times = in_turn(calls, X[test])
    models = {
        model: {"loss": one, "us_one_row": times.get(model), "bytes": sizes.get(model)} for model, one in losses.items()
    }
    return {"set": name, "seed": seed, "metric": "log loss" if labels else "RMSE", "rows": len(train), "models": models}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sets", nargs="*", default=SETS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for name in given.sets:
            for seed in range(given.seeds):
                results.append(measure(name, seed, folder))
                print(name, seed)
                for model, found in results[-1]["models"].items():
                    print(
                        f"    {model:20s}", {key: f"{value:,.4g}" for key, value in found.items() if value is not None}
                    )
                if given.out:
                    given.out.parent.mkdir(parents=True, exist_ok=True)
                    given.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
