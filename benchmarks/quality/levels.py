"""A column of many categories, each of which matters by itself: how closely students follow the teacher.

    OMP_NUM_THREADS=1 python benchmarks/quality/levels.py [--rows 6000] [--seeds 1] [--out levels.json]

Generated rows: five numbers, and a category whose levels each add an effect of their own to the target and decide how
a number counts; classes by its sign, with noise. The teacher, a forest and a booster on target-encoded categories, is
fitted on them; the test rows are 4,000 more. One line a number of levels, how much rarer each is than the one before
(the exponent of its rank), and a task: loss (log loss, or RMSE) of the default student, the tiny one, and the default
one on labels only, over the teacher's, minus one; then medians, mean ranks, parameters and the processor's time.
"""

import numpy as np
import pandas as pd
from common import beside, print_summary, sweep
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

CASES = {
    f"{n_levels:,}, {exponent}, {'classes' if labels else 'numbers'}": (n_levels, exponent, labels)
    for n_levels, exponent in [(30, 0.0), (300, 0.0), (1000, 0.7), (3000, 0.7)]
    for labels in (False, True)
}
STUDENTS = {"sklkd": {}, "tiny": {"student": "tiny"}, "labels only": {"hard_weight": 1.0}}
TEST = 4_000


def generated(n_levels, exponent, n, labels, seed):
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


def measure(case, n, seed):
    n_levels, exponent, labels = CASES[case]
    X, y = generated(n_levels, exponent, n + TEST, labels, seed)
    teacher = make_teacher(labels, seed).fit(X[:n], y[:n])
    make = DistilledClassifier if labels else DistilledRegressor
    students = {name: make(teacher, **params) for name, params in STUDENTS.items()}
    return beside(teacher, students, X[:n], y[:n], X[n:], y[n:], labels, seed)


if __name__ == "__main__":
    print_summary(sweep(measure, __doc__, list(CASES), rows=6_000))
