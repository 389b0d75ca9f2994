"""Small forests as one tree or network: Vidal & Schiffer (2020), Born-again tree ensembles, ICML.

    OMP_NUM_THREADS=1 python benchmarks/published/forests_of_ten.py --sets FOLDER \
        --out benchmarks/results/published_forests_of_ten.json

Forests of 10 trees of depth 3, half of the columns looked at for a split, ten folds. FOLDER is src/resources/datasets
of the paper's repository (github.com/vidalt/BA-Trees), with its six sets, whose columns have at most ten values, and
its folds; without it, breast_w is read from the usual place and split here. The paper finds a tree that agrees with the
forest everywhere, and prunes it where no training row is. Students are trees of at most 33 leaves, the mean of the
paper's pruned ones, or 567, the mean of its exact ones of the least depth; and "tiny", a network. Those not named
otherwise learn from the forest alone (``hard_weight=0, blend=0``), "from anywhere" with 100,000 rows of
``ThresholdSampler`` besides.

Agreement is that of labels on the fold's test rows, and on 20,000 rows each of whose values is drawn from those that
its column has. Bytes are the constants of the C file; its time for one row is measured in the first fold, through
ctypes.
"""

import argparse
import os
import tempfile
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import pandas as pd
import torch
from runs import DATA, Runs
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedKFold
from sklearn.tree import DecisionTreeClassifier

from sklkd import CPredictor, DistilledClassifier, to_c
from sklkd.augment import ThresholdSampler

SETS = ("Breast-Cancer-Wisconsin", "COMPAS-ProPublica", "FICO", "HTRU2", "Pima-Diabetes", "Seeds")
FOLDS = 10
IMITATION = {"hard_weight": 0, "blend": 0}
ANYWHERE = IMITATION | {"augment": ThresholdSampler(), "n_synthetic": 100_000}
FORMS = {
    "tree": (33, IMITATION),
    "tree, rows from anywhere": (33, ANYWHERE),
    "large tree, rows from anywhere": (567, ANYWHERE),
    "tree, default": (33, {}),
    "tree, labels alone": (33, {"hard_weight": 1}),
    "tiny": (None, IMITATION),
    "tiny, rows from anywhere": (None, ANYWHERE),
}
"""Most leaves, or a network, and the options of the estimator."""


def published_folds(folder, name):
    """Training and test rows of the paper's folds."""
    for number in range(1, FOLDS + 1):
        parts = [pd.read_csv(folder / name / f"{name}.{part}{number}.csv") for part in ("train", "test")]
        yield [(part.iloc[:, :-1].to_numpy(float), part.iloc[:, -1].to_numpy()) for part in parts]


def own_folds():
    """The same of breast_w."""
    frame = pd.read_parquet(DATA / "breast_w.parquet").dropna()
    y, X = frame.pop("target").astype(str).to_numpy(), frame.to_numpy(float)
    for parts in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(X, y):
        yield [(X[part], y[part]) for part in parts]


def anywhere(X, n, rng):
    """Rows from the whole space: every value is one of its column's, all of them equally probable."""
    return np.column_stack([rng.choice(np.unique(column), n) for column in X.T])


def microseconds(call, row):
    times = []
    for _ in range(7):
        start = time.perf_counter()
        for _ in range(200):
            call(row)
        times.append((time.perf_counter() - start) / 200)
    return 1e6 * min(times)


def in_c(est, row):
    """Bytes of the student's C file and microseconds for one row."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "student.c"
        n_bytes = to_c(est, path).bytes
        return {"bytes": n_bytes, "us_one_row": microseconds(CPredictor(path).predict, row)}


def numbers(est):
    """What a student consists of: parameters of a network; of a tree a column, a cut or a label for each node."""
    if hasattr(est.student_, "module_"):
        return {"parameters": sum(part.numel() for part in est.student_.module_.parameters())}
    leaves = int(est.student_.get_n_leaves())
    return {"leaves": leaves, "parameters": 2 * (leaves - 1) + leaves}


def fold(train, test, seed):
    """Of the forest and its students accuracy, agreement with the forest, and size."""
    (X, y), (X_test, y_test) = train, test
    forest = RandomForestClassifier(10, max_depth=3, max_features=0.5, random_state=seed).fit(X, y)
    taught = forest.predict(X_test)
    whole = anywhere(np.concatenate([X, X_test]), 20_000, np.random.default_rng(seed))
    taught_anywhere = forest.predict(whole)
    leaves = sum(int(tree.get_n_leaves()) for tree in forest.estimators_)
    found = {"forest": {"accuracy": float(np.mean(taught == y_test)), "leaves": leaves}}
    if seed == 0:
        found["forest"]["us_one_row"] = microseconds(forest.predict, X_test[:1])
    for form, (most, options) in FORMS.items():
        student = "tiny" if most is None else DecisionTreeClassifier(max_leaf_nodes=most)
        est = DistilledClassifier(forest, student, random_state=seed, **options).fit(X, y)
        predicted = est.predict(X_test)
        found[form] = {
            "accuracy": float(np.mean(predicted == y_test)),
            "agreement": float(np.mean(predicted == taught)),
            "agreement anywhere": float(np.mean(est.predict(whole) == taught_anywhere)),
            **numbers(est),
            **(in_c(est, X_test[:1]) if seed == 0 else {}),
        }
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", default=list(SETS))
    parser.add_argument("--sets", type=Path, help="folder with the sets of the paper; without it breast_w alone")
    parser.add_argument("--folds", type=int, default=FOLDS)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    runs = Runs(given.out)
    for name in given.names if given.sets else ["breast_w"]:
        folds = published_folds(given.sets, name) if given.sets else own_folds()
        for seed, (train, test) in zip(range(given.folds), folds, strict=False):
            if not runs.has(set=name, fold=seed):
                runs.add(set=name, fold=seed, found=fold(train, test, seed))


if __name__ == "__main__":
    main()
