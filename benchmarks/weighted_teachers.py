"""Several teachers: their plain mean, the weighted one, and the best member.

    python benchmarks/weighted_teachers.py [names] [--rows 1500] [--seeds 2] [--out results/weighted_teachers.json]
    python benchmarks/weighted_teachers.py --table results/weighted_teachers.json

60 % of the rows of each set fit a forest, a booster and a linear model, once alone and once with a poor fourth member
(naive Bayes, or a tree of depth 2). The losses on test rows are log loss or RMSE: of the plain mean, of
``WeightedTeachers``, of the member that is best on the test rows, and of the one that is best on the unseen rows from
which the weights are found, which is what one could choose without the test rows.
"""

import argparse
import json
import sys
import warnings
from pathlib import Path

import numpy as np
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeRegressor

sys.path.insert(0, str(Path(__file__).parent / "quality"))

from common import codes, line, load, loss, outputs, scaled

from sklkd.teachers import WeightedTeachers

SETS = ["phoneme", "credit_g", "churn", "kin8nm", "wine_quality", "abalone", "concrete"]
TEST = 3000
COLUMNS = ("mean", "weighted", "best member", "chosen member")


def members(labels, seed, poor):
    """A list of teachers."""
    if labels:
        kinds = RandomForestClassifier, HistGradientBoostingClassifier, LogisticRegression(max_iter=600), GaussianNB()
    else:
        kinds = RandomForestRegressor, HistGradientBoostingRegressor, Ridge(), DecisionTreeRegressor(max_depth=2)
    forest, booster, linear, last = kinds
    found = [
        ("forest", make_pipeline(codes(), forest(60, random_state=seed))),
        ("booster", make_pipeline(codes(), booster(max_iter=60, random_state=seed))),
        ("linear", make_pipeline(scaled(), linear)),
    ]
    return [*found, ("poor", make_pipeline(scaled(), last))] if poor else found


def measure(name, rows, seed, poor):
    """Losses on the test rows, and the weights."""
    X, y, train, test, labels = load(name, rows, seed)
    X_test, y_test = X.iloc[test[:TEST]], y[test[:TEST]]
    teacher = WeightedTeachers(members(labels, seed, poor)).fit(X.iloc[train], y[train])
    classes = teacher.classes_ if labels else None

    def of(model):
        return loss(y_test, outputs(model, X_test, labels), labels, classes)

    alone = [of(model) for _, model in teacher.teachers_]
    plain = WeightedTeachers(teacher.teachers_, weights=None).fit(X.iloc[train], y[train])
    return {
        "mean": of(plain),
        "weighted": of(teacher),
        "best member": min(alone),
        "chosen member": alone[int(np.argmin(teacher.member_losses_))],
        "members": alone,
        "weights": teacher.weights_.tolist(),
    }


def table(results):
    """Losses over that of the plain mean, a line for each set: means over the seeds."""
    for poor in (False, True):
        print("with a poor fourth member" if poor else "forest, booster, linear model")
        print(line("set", ["mean", *COLUMNS[1:], "weights"]) + "\n| --- |" + " --: |" * (len(COLUMNS) + 1))
        changes = []
        for name in dict.fromkeys(one["name"] for one in results):
            runs = [one for one in results if one["name"] == name and one["poor"] == poor]
            usual = np.mean([run["mean"] for run in runs])
            change = [np.mean([run[key] / run["mean"] - 1 for run in runs]) for key in COLUMNS[1:]]
            weights = np.mean([run["weights"] for run in runs], axis=0)
            changes.append(change)
            shown = " ".join(f"{one:.2f}" for one in weights)
            print(line(name, [f"{usual:.4g}", *(f"{one:+.1%}" for one in change), shown]))
        print(line("median", ["", *(f"{one:+.1%}" for one in np.median(changes, axis=0)), ""]) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", default=SETS)
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--table", type=Path)
    args = parser.parse_args()
    if args.table:
        return table(json.loads(args.table.read_text()))
    results = []
    for name in args.names:
        for seed in range(args.seeds):
            for poor in (False, True):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    found = measure(name, args.rows, seed, poor)
                results.append({"name": name, "seed": seed, "poor": poor, "rows": args.rows, **found})
                print(name, seed, poor, *(f"{key} {found[key]:.4g}" for key in COLUMNS), flush=True)
                if args.out:
                    args.out.write_text(json.dumps(results, indent=1))
    table(results)


if __name__ == "__main__":
    main()
