"""AutoGluon's distill, with the same teachers on the same rows: an optional job in an environment of its own.

    python -m venv .venv-autogluon
    .venv-autogluon/bin/pip install autogluon.tabular==1.6.3 "torch>=2.10,<2.14"
    .venv-autogluon/bin/python benchmarks/quality/autogluon_distil.py [--rows 12000] [--seeds 3] [--out FILE] [set ...]

The teacher is wrapped as a model of AutoGluon and fitted on all training rows, those that AutoGluon holds out for the
student included; the student is its NN_TORCH with every default of ``distill``. What is in FILE already is not measured
again. ``summary.py compare.json FILE`` puts the two side by side.
"""

import argparse
import json
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from autogluon.core.models import AbstractModel
from autogluon.tabular import TabularPredictor
from common import KINDS, load, loss, make_teacher, quality


class Teacher(AbstractModel):
    """A teacher of :mod:`common` as a model of AutoGluon's."""

    ag_key = "TEACHER"

    def _fit(self, X, y, X_val=None, y_val=None, **kwargs):
        X, y = (part if held is None else pd.concat([part, held]) for part, held in ((X, X_val), (y, y_val)))
        params = self._get_model_params()
        self.model = make_teacher(params["kind"], self.problem_type != "regression", params["seed"])
        self.model.fit(self.preprocess(X), y)


def measure(name, kind, rows, seed):
    X, y, train, test, labels = load(name, rows, seed)
    frame = X.assign(target=y)
    problem = "regression" if not labels else "binary" if len(np.unique(y)) == 2 else "multiclass"
    metric = "log_loss" if labels else "root_mean_squared_error"
    with tempfile.TemporaryDirectory() as folder:
        predictor = TabularPredictor("target", problem_type=problem, eval_metric=metric, path=folder, verbosity=0)
        hyperparameters = {Teacher: {"kind": kind, "seed": seed}}
        predictor.fit(frame.iloc[train], hyperparameters=hyperparameters, fit_weighted_ensemble=False)
        start = time.perf_counter()
        # the students come back by name; its default adds a weighted ensemble of them, which is not the network
        names = [one for one in predictor.distill(hyperparameters={"NN_TORCH": {}}) if "Ensemble" not in one]
        seconds = time.perf_counter() - start
        parts = [predictor.model_names()[0], names[0]]
        ask = predictor.predict_proba if labels else predictor.predict
        taught, out = (ask(frame.iloc[test].drop(columns="target"), model=one) for one in parts)
    classes = np.unique(y[train]) if labels else None
    columns = slice(None) if labels else np.newaxis
    taught, out = (part[classes].to_numpy() if labels else part.to_numpy()[:, columns] for part in (taught, out))
    agreement = float(np.mean(out.argmax(1) == taught.argmax(1))) if labels else None
    found = {"set": name, "teacher": kind, "seed": seed, "max_rows": rows, "rows": len(train), "parameters": None}
    found |= {"contestant": "AutoGluon", "loss": loss(y[test], out, labels, classes), "fit_s": seconds}
    return found | {"agreement": agreement, "its_teacher": loss(y[test], taught, labels, classes)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", default=quality.NAMES)
    parser.add_argument("--rows", type=int, default=12_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--teachers", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--out", type=Path, default=Path("autogluon.json"))
    args = parser.parse_args()
    results = json.loads(args.out.read_text()) if args.out.exists() else []
    done = {(row["set"], row["teacher"], row["seed"], row["max_rows"]) for row in results}
    for seed in range(args.seeds):
        for name in args.names:
            for kind in args.teachers:
                if (name, kind, seed, args.rows) in done:
                    continue
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    found = measure(name, kind, args.rows, seed)
                results.append(found)
                args.out.write_text(json.dumps(results, indent=1))
                print(
                    f"{name} {kind} {seed}: teacher {found['its_teacher']:.4g}, student {found['loss']:.4g}", flush=True
                )


if __name__ == "__main__":
    main()
