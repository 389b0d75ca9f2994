"""AutoGluon's best predictor as a teacher, beside its own ``distill`` and ``refit_full``: an environment of its own.

    python -m venv .venv-autogluon
    .venv-autogluon/bin/pip install "autogluon.tabular[lightgbm,catboost,xgboost,fastai]==1.6.3" "torch>=2.10,<2.14"
    .venv-autogluon/bin/pip install skorch onnx onnxruntime onnxscript
    PYTHONPATH=. .venv-autogluon/bin/python benchmarks/quality/automl_predictor.py [--rows 12000] [--seconds 300]
        [--out FILE] [set ...]

The predictor is fitted with the preset "best_quality" in the given time. Then, for the same rows: our student with
every default, its ONNX file, ``refit_full`` (one model where there were folds), and the best model of ``distill`` with
every default, in as much time as the predictor had. A line gives the loss on test rows (log loss, or root mean squared
error), megabytes on disk, milliseconds for one row (the median over 100 calls, models in memory), and the seconds that
making it took.
"""

import argparse
import json
import pickle
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from autogluon.tabular import TabularPredictor
from common import line, load, loss, quality

from sklkd import DistilledClassifier, DistilledRegressor, OnnxPredictor, to_onnx


def one_row(ask, X):
    """Milliseconds, the median over calls."""
    took = []
    for i in range(100):
        row = X.iloc[[i % len(X)]]
        start = time.perf_counter()
        ask(row)
        took.append(time.perf_counter() - start)
    return 1000 * float(np.median(took))


def megabytes(folder):
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()) / 1e6


def deployed(predictor, model, folder):
    """A copy with what predictions by one model need, in memory, and its megabytes on disk."""
    copied = predictor.clone(f"{folder}/{model}", return_clone=True)
    copied.set_model_best(model, save_trainer=True)
    copied.delete_models(models_to_keep="best", dry_run=False)
    copied.save_space()
    copied.persist("best", max_memory=None)
    return copied, megabytes(f"{folder}/{model}")


def measure(name, rows, seconds, seed):
    X, y, train, test, labels = load(name, rows, seed)
    X_train, y_train, X_test, y_test = X.iloc[train], y[train], X.iloc[test], y[test]
    classes = np.unique(y_train) if labels else None
    problem = "regression" if not labels else "binary" if len(classes) == 2 else "multiclass"
    metric = "log_loss" if labels else "root_mean_squared_error"
    found = {}

    def add(what, ask, size, took):
        out = np.asarray(ask(X_test))
        out = out if labels else out.reshape(len(out), -1)
        held = {"loss": loss(y_test, out, labels, classes), "megabytes": size, "one_row_ms": one_row(ask, X_test)}
        found[what] = held | {"seconds": took}
        print(line(f"{name}, {what}", [f"{value:.4g}" for value in found[what].values()]), flush=True)

    with tempfile.TemporaryDirectory() as folder:
        predictor = TabularPredictor(
            "target", problem_type=problem, eval_metric=metric, path=f"{folder}/p", verbosity=0
        )
        start = time.perf_counter()
        predictor.fit(X_train.assign(target=y_train), presets="best_quality", time_limit=seconds, num_cpus=2)
        took, best = time.perf_counter() - start, predictor.model_best

        def asked(own):
            return lambda rows: (own.predict_proba(rows)[list(classes)] if labels else own.predict(rows)).to_numpy()

        own, size = deployed(predictor, best, folder)
        add("AutoGluon, best quality", asked(own), size, took)
        start = time.perf_counter()
        form = DistilledClassifier if labels else DistilledRegressor
        est = form(predictor, random_state=seed, keep_teacher=False).fit(X_train, y_train)
        took = time.perf_counter() - start
        size = len(pickle.dumps(est)) / 1e6
        add("sklkd", est.predict_proba if labels else est.predict, size, took)
        to_onnx(est, f"{folder}/student.onnx", X=X_train)
        served = OnnxPredictor(f"{folder}/student.onnx")
        size = Path(f"{folder}/student.onnx").stat().st_size / 1e6
        add("sklkd, ONNX file", served.predict_proba if labels else served.predict, size, took)
        found["account"] = {"source": est.cv_, "blend": est.blend_, "hard_weight": est.hard_weight_}
        start = time.perf_counter()
        full = predictor.refit_full("best", set_best_to_refit_full=False)[best]
        took = time.perf_counter() - start
        own, size = deployed(predictor, full, folder)
        add("AutoGluon, refit_full", asked(own), size, took)
        start = time.perf_counter()
        predictor.distill(time_limit=seconds, verbosity=0)
        took = time.perf_counter() - start
        board = predictor.leaderboard()
        students = board[board["model"].str.contains("DSTL")]
        own, size = deployed(predictor, students["model"].iloc[0], folder)
        add("AutoGluon, distill", asked(own), size, took)
    return {"set": name, "rows": len(train), "seed": seed, "time_limit": seconds, "found": found}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", default=["electricity"])
    parser.add_argument("--rows", type=int, default=12_000)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--out", type=Path, default=Path("automl_predictor.json"))
    args = parser.parse_args()
    assert set(args.names) <= set(quality.NAMES)
    results = json.loads(args.out.read_text()) if args.out.exists() else []
    print(line("set", ["loss", "megabytes", "one row, ms", "seconds"]) + "\n| --- |" + " --: |" * 4, flush=True)
    for name in args.names:
        if any(row["set"] == name for row in results):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results.append(measure(name, args.rows, args.seconds, 0))
        args.out.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
