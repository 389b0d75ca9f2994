"""The teacher's outputs for the real rows: in-sample, out-of-bag or cross-fitted.

    OMP_NUM_THREADS=1 python benchmarks/quality/targets.py [--rows 3000] [--seeds 1] [--out targets.json] [name ...]

One line a data set and teacher: the default student's loss (log loss, or RMSE) on the 40 % of the rows that are held
out, over the teacher's, minus one; then medians by kind of teacher. "in-sample" is ``cv=None``, "out-of-bag"
``cv="oob"`` (forests), "cross-fitted" ``cv=5``, "corrected" the same with `CorrectedTargetLoss` (classes). "teacher
only" is ``cv=None`` with ``hard_weight=0, blend=0``, pure imitation. What is in the file of ``--out``
is not measured again.
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
from common import codes, line, load, loss, make_teacher, outputs
from sklearn.base import clone
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.pipeline import make_pipeline

from sklkd import DistilledClassifier, DistilledRegressor
from sklkd.losses import CorrectedTargetLoss

NAMES = ["phoneme", "vehicle", "credit_g", "segment", "kin8nm", "concrete"]
KINDS = ("deep forest", "shallow forest", "booster", "overfit booster", "stack", "net")
TARGETS = ("in-sample", "out-of-bag", "cross-fitted", "corrected", "teacher only")


def teacher_of(kind, labels, seed):
    """An unfitted teacher."""
    forest = RandomForestClassifier if labels else RandomForestRegressor
    booster = HistGradientBoostingClassifier if labels else HistGradientBoostingRegressor
    if kind == "shallow forest":
        return make_pipeline(codes(), forest(300, max_depth=6, n_jobs=-1, random_state=seed))
    if kind == "overfit booster":
        params = {"max_iter": 300, "learning_rate": 0.3, "min_samples_leaf": 2, "random_state": seed}
        return make_pipeline(codes(), booster(**params))
    return make_teacher(kind.removeprefix("deep "), labels, seed)


def options(kind, labels):
    """Parameters by target."""
    found = {
        "in-sample": {"cv": None},
        "cross-fitted": {"cv": 5},
        "teacher only": {"cv": None, "hard_weight": 0.0, "blend": 0.0},
    }
    if kind.endswith("forest"):
        found["out-of-bag"] = {"cv": "oob"}
    if labels:
        found["corrected"] = {"cv": 5, "loss": CorrectedTargetLoss()}
    return found


def measure(name, kind, rows, seed):
    X, y, train, test, labels = load(name, rows, seed)
    unfitted = teacher_of(kind, labels, seed)
    teacher = clone(unfitted).fit(X.iloc[train], y[train])

    def of(model):
        return loss(y[test], outputs(model, X.iloc[test], labels), labels, teacher.classes_ if labels else None)

    usual, found = of(teacher), {}
    for target, params in options(kind, labels).items():
        start = time.process_time()
        # a fitted teacher answers as it is, an unfitted one can be fitted on folds
        given = unfitted if params["cv"] == 5 else teacher
        est = (DistilledClassifier if labels else DistilledRegressor)(given, random_state=seed, **params)
        est.fit(X.iloc[train], y[train])
        found[target] = {"excess": of(est) / usual - 1, "seconds": time.process_time() - start}
    return {"name": name, "teacher": kind, "seed": seed, "max_rows": rows, "found": found}


def by_target(cells):
    """Cells in the order of the table, of which some may lack."""
    return [cells.get(target, "") for target in TARGETS]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("targets.json"))
    args = parser.parse_args()
    results = json.loads(args.out.read_text()) if args.out.exists() else []
    done = {(one["name"], one["teacher"], one["seed"], one["max_rows"]) for one in results}
    print(line("set, teacher", TARGETS) + "\n| --- |" + " --: |" * len(TARGETS))
    for seed in range(args.seeds):
        for name in args.names:
            for kind in KINDS:
                if (name, kind, seed, args.rows) in done:
                    continue
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    results.append(measure(name, kind, args.rows, seed))
                args.out.write_text(json.dumps(results, indent=1))
                cells = {target: f"{one['excess']:+.1%}" for target, one in results[-1]["found"].items()}
                print(line(f"{name}, {kind}", by_target(cells)), flush=True)
    for kind in (*KINDS, "all"):
        runs = [one["found"] for one in results if kind in ("all", one["teacher"])]
        if runs:
            excess = {target: [run[target]["excess"] for run in runs if target in run] for target in TARGETS}
            cells = {target: f"{np.median(of):+.1%}" for target, of in excess.items() if of}
            print(line(f"median: {kind}", by_target(cells)))


if __name__ == "__main__":
    main()
