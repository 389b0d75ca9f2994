"""What the comparisons share: rows, teachers, and the loss. It needs no sklkd, so that other environments can use it.

The data sets are read from the folder SKLKD_DATA, by default ../shared/data beside the repository, and loaded, split
and scored by the common quality.py, in the folder "bench" beside it.
"""

import argparse
import json
import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from encoders import codes, scaled
from scipy.stats import rankdata
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

DATA = Path(os.environ.get("SKLKD_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
sys.path.insert(0, str(DATA.resolve().parent / "bench"))

import quality  # noqa: E402

KINDS = ("forest", "booster", "voting", "stack", "net")


def load(name, rows, seed):
    """Frame, targets, row numbers for training and test, and whether the targets are labels."""
    return quality.load(DATA, name, rows, seed)


def outputs(model, X, labels):
    return quality.outputs(model, X, labels)


def loss(y, out, labels, classes):
    """Log loss, or root mean squared error."""
    return float(quality.loss(y, out, labels, classes))


def mlp(labels, seed, **params):
    """scikit-learn's own network, its targets standardised too."""
    if labels:
        return make_pipeline(scaled(), MLPClassifier(random_state=seed, **params))
    regressor = MLPRegressor(random_state=seed, **params)
    return make_pipeline(scaled(), TransformedTargetRegressor(regressor, transformer=StandardScaler()))


def make_teacher(kind, labels, seed):
    """An unfitted teacher of a kind."""
    forest = RandomForestClassifier if labels else RandomForestRegressor
    booster = HistGradientBoostingClassifier if labels else HistGradientBoostingRegressor
    boosted = booster(max_iter=300, learning_rate=0.05, random_state=seed)
    if kind == "forest":
        return make_pipeline(codes(), forest(300, n_jobs=-1, random_state=seed))
    if kind == "booster":
        return make_pipeline(codes(), boosted)
    if kind == "voting":
        return quality.make_teacher(labels, seed)
    if kind == "stack":
        members = [("forest", forest(100, n_jobs=-1, random_state=seed)), ("booster", boosted)]
        return make_pipeline(codes(), (StackingClassifier if labels else StackingRegressor)(members, cv=3))
    if kind == "net":
        return mlp(labels, seed, hidden_layer_sizes=(256, 256), early_stopping=True)
    raise ValueError(f"teacher must be one of {KINDS}, got {kind!r}.")


def sweep(measure, description, names, rows):
    """Call ``measure(name, rows, seed)`` for the sets and seeds of the command line, and print a line of a table each.

    It gives, by contestant, its ``excess`` and what else is to be kept. The results, one for each set and seed.
    """
    parser = argparse.ArgumentParser(description=description.split("\n")[0])
    parser.add_argument("names", nargs="*", default=names)
    parser.add_argument("--rows", type=int, default=rows)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    results = []
    for name in args.names:
        for seed in range(args.seeds):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = measure(name, args.rows, seed)
            if not results:
                print(line("set", found) + "\n| --- |" + " --: |" * len(found))
            results.append({"name": name, "seed": seed, "found": found})
            print(line(name, [f"{one['excess']:+.1%}" for one in found.values()]), flush=True)
            if args.out:
                args.out.write_text(json.dumps(results, indent=1))
    return results


def against_teacher(students, name, rows, seed):
    """Fit students of the teacher of quality.py: of each the excess over it, seconds of the processor and parameters.

    ``students(teacher, X, y, labels)`` gives unfitted ones by name.
    """
    X, y, train, test, labels = load(name, rows, seed)
    X_train, y_train = X.iloc[train], y[train]
    teacher = make_teacher("voting", labels, seed).fit(X_train, y_train)
    found = students(teacher, X_train, y_train, labels)
    return beside(teacher, found, X_train, y_train, X.iloc[test], y[test], labels, seed)


def beside(teacher, students, X_train, y_train, X_test, y_test, labels, seed):
    """The same for given rows, a fitted teacher and unfitted students by name."""

    def of(model):
        return loss(y_test, outputs(model, X_test, labels), labels, teacher.classes_ if labels else None)

    usual, found = of(teacher), {}
    for form, student in students.items():
        start = time.process_time()
        est = student.set_params(random_state=seed).fit(X_train, y_train)
        seconds = time.process_time() - start
        size = sum(part.numel() for part in est.student_.module_.parameters())
        found[form] = {"excess": of(est) / usual - 1, "seconds": seconds, "parameters": size}
    return found


def print_summary(results):
    """Last lines of a table of ``against_teacher``: medians, mean ranks, and what it costs beside the first."""
    excess, seconds = column(results, "excess"), column(results, "seconds")
    print(line("median", [f"{one:+.1%}" for one in np.median(excess, axis=0)]))
    print(line("mean rank", [f"{one:.1f}" for one in rankdata(excess, axis=1).mean(axis=0)]))
    print(line("parameters", [f"{one:,.0f}" for one in np.median(column(results, "parameters"), axis=0)]))
    print(line("time over the first's", [f"{one:.2f}" for one in np.median(seconds / seconds[:, :1], axis=0)]))


def line(head, cells):
    """A line of a Markdown table."""
    return " | ".join([f"| {head}", *cells]) + " |"


def column(results, key):
    """Of what ``sweep`` gives, one number of each contestant: an array, a row for each set and seed."""
    return np.array([[one[key] for one in each["found"].values()] for each in results])
