"""A column of many categories, each of which matters by itself: how closely students follow the teacher.

    OMP_NUM_THREADS=1 python benchmarks/quality/levels.py [--rows 6000] [--seeds 1]

Generated rows: five numbers, and a category whose levels each add an effect of their own to the target and decide how
a number counts; classes by its sign, with noise. The teacher, a forest and a booster on target-encoded categories, is
fitted on them; the test rows are 4,000 more. One line a number of levels, how much rarer each is than the one before
(the exponent of its rank), and a task: loss (log loss, or RMSE) of the default student and the tiny one over the
teacher's, minus one, of the label-only student, and parameters.
"""

import argparse
import warnings

import numpy as np
import pandas as pd
from common import line, loss, outputs
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import TargetEncoder

from sklkd import DistilledClassifier, DistilledRegressor

CASES = [(30, 0.0), (300, 0.0), (1000, 0.7), (3000, 0.7)]
STUDENTS = {"sklkd": {}, "tiny": {"student": "tiny"}, "labels alone": {"hard_weight": 1.0}}


def rows(n_levels, exponent, n, labels, seed):
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, n_levels + 1) ** exponent
    level, effect = rng.choice(n_levels, n, p=share / share.sum()), rng.normal(size=n_levels)
    Z = rng.normal(size=(n, 5))
    y = 1.5 * effect[level] + Z[:, 0] * np.sign(effect[level]) + np.sin(2 * Z[:, 1]) + Z[:, 2] * Z[:, 3]
    X = pd.DataFrame(Z, columns=list("abcde")).assign(level=[f"l{one}" for one in level])
    return X, (y + rng.logistic(size=n) > 0).astype(int) if labels else y + 0.5 * rng.normal(size=n)


def make_teacher(labels, seed):
    forest = (RandomForestClassifier if labels else RandomForestRegressor)(200, min_samples_leaf=3, random_state=seed)
    booster = (HistGradientBoostingClassifier if labels else HistGradientBoostingRegressor)(random_state=seed)
    members = [("forest", forest), ("booster", booster)]
    encode = make_column_transformer((TargetEncoder(random_state=seed), ["level"]), remainder="passthrough")
    return make_pipeline(encode, VotingClassifier(members, voting="soft") if labels else VotingRegressor(members))


def measure(n_levels, exponent, n, labels, seed):
    X, y = rows(n_levels, exponent, n + 4_000, labels, seed)
    X_train, y_train, X_test, y_test = X[:n], y[:n], X[n:], y[n:]
    teacher = make_teacher(labels, seed).fit(X_train, y_train)
    usual = loss(y_test, outputs(teacher, X_test, labels), labels, [0, 1])
    cells = []
    for params in STUDENTS.values():
        make = DistilledClassifier if labels else DistilledRegressor
        est = make(teacher, random_state=seed, **params).fit(X_train, y_train)
        excess = loss(y_test, outputs(est, X_test, labels), labels, [0, 1]) / usual - 1
        size = sum(part.numel() for part in est.student_.module_.parameters())
        cells.append(f"{excess:+.1%} ({size:,})")
    return cells


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=6_000)
    parser.add_argument("--seeds", type=int, default=1)
    args = parser.parse_args()
    print(line("levels, exponent, task", STUDENTS) + "\n| --- |" + " --: |" * len(STUDENTS))
    for n_levels, exponent in CASES:
        for labels in (False, True):
            for seed in range(args.seeds):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    cells = measure(n_levels, exponent, args.rows, labels, seed)
                print(line(f"{n_levels:,}, {exponent}, {'classes' if labels else 'numbers'}", cells), flush=True)


if __name__ == "__main__":
    main()
