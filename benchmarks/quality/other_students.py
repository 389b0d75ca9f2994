"""Trees, forests, boosters and linear models as students: with the teacher's soft targets, and on labels alone.

    OMP_NUM_THREADS=1 python benchmarks/quality/other_students.py [--rows 3000] [--seeds 3] [--out FILE] [name ...]

The teacher is that of quality.py: two forests and a booster, averaged. Each student is distilled with every default,
and fitted on labels alone (``hard_weight=1``, an ordinary fit of the same model). A cell is the change of the loss, log
loss or root mean squared error, by the teacher; negative is better. The last lines count sets, by the mean over seeds.
"""

import time

import numpy as np
from common import line, load, loss, make_teacher, outputs, quality, sweep
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sklkd import DistilledClassifier, DistilledRegressor

from common import scaled  # isort: skip


def students(labels):
    """Unfitted ones, by kind."""
    tree = DecisionTreeClassifier if labels else DecisionTreeRegressor
    forest = RandomForestClassifier if labels else RandomForestRegressor
    booster = HistGradientBoostingClassifier if labels else HistGradientBoostingRegressor
    linear = LogisticRegression(max_iter=500) if labels else Ridge()
    return {
        "tree, 31 leaves": tree(max_leaf_nodes=31),
        "tree, depth 10": tree(max_depth=10),
        "forest, 20 of depth 8": forest(20, max_depth=8),
        "booster, 50 of 15 leaves": booster(max_iter=50, max_leaf_nodes=15),
        "linear": make_pipeline(scaled(), linear),
    }


def measure(name, rows, seed):
    X, y, train, test, labels = load(name, rows, seed)
    teacher = make_teacher("voting", labels, seed).fit(X.iloc[train], y[train])
    classes = teacher.classes_ if labels else None
    taught = outputs(teacher, X.iloc[test], labels)
    found = {}
    for kind, student in students(labels).items():
        form = DistilledClassifier if labels else DistilledRegressor
        est = form(teacher, student, random_state=seed)
        start = time.perf_counter()
        losses, agreement = [], []
        for options in ({}, {"hard_weight": 1}):
            fitted = est.set_params(**options).fit(X.iloc[train], y[train])
            out = outputs(fitted, X.iloc[test], labels)
            losses.append(loss(y[test], out, labels, classes))
            agreement.append(float(np.mean(out.argmax(1) == taught.argmax(1))) if labels else np.nan)
            if not options:
                seconds, chosen = time.perf_counter() - start, (fitted.blend_, fitted.hard_weight_, fitted.augment_)
        found[kind] = {
            "excess": losses[0] / losses[1] - 1,
            "student": losses[0],
            "labels": losses[1],
            "teacher": loss(y[test], taught, labels, classes),
            "agreement": agreement,
            "seconds": seconds,
            "blend": chosen[0],
            "hard_weight": chosen[1],
            "synthetic": chosen[2] is not None,
        }
    return found


if __name__ == "__main__":
    results = sweep(measure, __doc__, quality.NAMES, 3_000)
    names = sorted({one["name"] for one in results})
    kinds = list(results[0]["found"])
    excess = np.array(
        [[[one["found"][kind]["excess"] for kind in kinds] for one in results if one["name"] == name] for name in names]
    )
    mean, spread = excess.mean(axis=1), excess.std(axis=1, ddof=min(1, excess.shape[1] - 1))
    print(line("median", [f"{one:+.1%}" for one in np.median(mean, axis=0)]))
    print(line("better", [f"{one} of {len(names)}" for one in (mean < 0).sum(axis=0)]))
    print(line("better by more than the spread", [f"{one}" for one in (mean < -spread).sum(axis=0)]))
    print(line("worse by more than the spread", [f"{one}" for one in (mean > spread).sum(axis=0)]))
    print(line("worst", [f"{one:+.1%}" for one in mean.max(axis=0)]))
