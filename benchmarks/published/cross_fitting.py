"""Out-of-sample probabilities: Dao, Kamath, Syrgkanis & Mackey (2021), Distillation as semiparametric inference, ICLR.

    OMP_NUM_THREADS=1 python benchmarks/published/cross_fitting.py --magic magic04.data \
        --out benchmarks/results/published_cross_fitting.json

Forests of 500 trees teach: 70 % of the rows for training, the split of seed 2357, the models' seeds vary. Students are
regression forests of 1, 5, 10 and 40 trees on labels or on the teacher's probabilities: those for its own training rows
("in-sample"; in the paper their logarithm), cross-fitted in ten folds, or out-of-bag; all of them without synthetic
rows. Forests of 1, 5 and 10 trees are the first trees of the one of 40. Then come networks of at most 5,000 parameters:
the default "tiny", the same on labels only, and with targets that the labels correct (``CorrectedTargetLoss`` on
out-of-bag probabilities).

adult is the paper's set, its categories as codes; magic is read from UCI's file magic04.data, where it is given;
phoneme, spambase and electricity are others. For regression forests the teacher is one of regression on 0 and 1, which
finds the same splits as one of classes, and looks at as many columns for each.
"""

import argparse
import os
import sys
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import pandas as pd
import torch
from runs import DATA, Runs
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

sys.path.insert(0, str(Path(__file__).parents[1] / "quality"))
from encoders import codes

from sklkd import DistilledClassifier, DistilledRegressor
from sklkd.losses import CorrectedTargetLoss

POSITIVE = {"adult": ">50K", "magic": "g", "phoneme": "1", "spambase": "1", "electricity": "UP"}
TREES = (1, 5, 10, 40)
OUTPUTS = {"in-sample": None, "cross-fitted": 10, "out-of-bag": "oob"}
NETWORKS = {
    "tiny": {},
    "tiny, labels only": {"hard_weight": 1},
    "tiny, corrected": {"loss": CorrectedTargetLoss(), "hard_weight": 0, "blend": 0, "cv": "oob"},
}


def load(name, magic):
    """Rows, and classes 0 and 1, of training and test."""
    if name == "magic":
        frame = pd.read_csv(magic, header=None).rename(columns=str).rename(columns={"10": "target"})
    else:
        frame = pd.read_parquet(DATA / f"{name}.parquet")
    y = (frame.pop("target").astype(str) == POSITIVE[name]).to_numpy(int)
    train, test = train_test_split(np.arange(len(y)), test_size=0.3, random_state=2357)
    X = codes().fit(frame.iloc[train]).transform(frame)
    return X[train], y[train], X[test], y[test]


def first_trees(forest, X, n_trees):
    """Predictions of a forest of the first of its trees."""
    return np.mean([tree.predict(X) for tree in forest.estimators_[:n_trees]], axis=0)


def forests(X, y, outputs, seed):
    """Students that are forests, fitted, by what they learn from; each a function of rows and a number of trees."""
    teacher = RandomForestRegressor(500, max_features="sqrt", random_state=seed)
    student = RandomForestRegressor(max(TREES), random_state=seed)
    fitted = clone(teacher).fit(X, y)
    alone = clone(student).fit(X, y)
    yield "labels only", lambda rows, n_trees: first_trees(alone, rows, n_trees)
    for name in outputs:
        kept = teacher if name == "cross-fitted" else fitted  # a fitted teacher cannot be cross-fitted
        options = {"cv": OUTPUTS[name], "hard_weight": 0, "blend": 0, "augment": None, "random_state": seed}
        est = DistilledRegressor(kept, student, keep_teacher=False, **options).fit(X, y)
        yield (
            name,
            lambda rows, n_trees, est=est: first_trees(est.student_, est.encoder_.transform(rows), n_trees),
        )


def measure(name, magic, outputs, seed):
    """The area under the ROC curve on test rows: of forests a list, one for each number of trees."""
    X, y, X_test, y_test = load(name, magic)
    teacher = RandomForestClassifier(500, random_state=seed).fit(X, y)
    found = {"teacher": roc_auc_score(y_test, teacher.predict_proba(X_test)[:, 1])}
    for form, options in NETWORKS.items():
        est = DistilledClassifier(teacher, "tiny", random_state=seed, **options).fit(X, y)
        found[form] = roc_auc_score(y_test, est.predict_proba(X_test)[:, 1])
    for form, predict in forests(X, y, outputs, seed):
        found[form] = [roc_auc_score(y_test, predict(X_test, n_trees)) for n_trees in TREES]
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", default=list(POSITIVE))
    parser.add_argument("--magic", type=Path, help="UCI's file magic04.data; without it that set is left out")
    parser.add_argument("--outputs", nargs="*", choices=OUTPUTS, default=list(OUTPUTS), help="what forests learn from")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    names = [name for name in given.names if name != "magic" or given.magic]
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    runs = Runs(given.out)
    for seed in range(given.seeds):
        for name in names:
            if not runs.has(set=name, seed=seed):
                runs.add(set=name, seed=seed, found=measure(name, given.magic, given.outputs, seed))


if __name__ == "__main__":
    main()
