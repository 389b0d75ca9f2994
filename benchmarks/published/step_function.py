"""A step function: the synthetic target of Gorishniy et al. (2022), On embeddings for numerical features, NeurIPS.

    OMP_NUM_THREADS=1 python benchmarks/published/step_function.py --out benchmarks/results/published_step_function.json

One oblivious tree of depth 6 on 8 standard normal columns, without noise: 10,000 rows for training, 2,000 for the
teacher's early stopping, 3,000 for testing. Seed 0 gives the data of the paper, which states means of five fits to
them; here every seed has data and fits of its own. The paper's CatBoost (2,000 trees of depth 10) cuts a column at no
more than 254 places, between which the true cut lies somewhere; XGBoost (1,000 trees of depth 6) with the exact method
looks at each value. Students are the default one; one that learns from the teacher alone (``hard_weight=0, blend=0``);
the same of a teacher that keeps its cuts to itself, so that the student's bins end at quantiles; and the default
network trained on labels only.
"""

import argparse
import math
import os
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import torch
from catboost import CatBoostRegressor
from runs import Runs
from sklearn.base import BaseEstimator, RegressorMixin
from xgboost import XGBRegressor

from sklkd import DistilledRegressor

N_FEATURES, N_TREES, DEPTH = 8, 16, 6
ROWS = 10_000
PARTS = (1.0, 0.2, 0.3)
"""Rows for training, early stopping and testing, over ``ROWS``."""

IMITATION = {"hard_weight": 0, "blend": 0}
SETTINGS = {"default": {}, "imitation": IMITATION, "labels only": {"hard_weight": 1}}


def oblivious_tree(lowest, highest, rng):
    """Columns, cuts and leaf values, (2,) * DEPTH, of a tree that asks one question a level.

    The published target is meant to be the mean of 16 trees that share the columns evenly, and is the last of them.
    """
    n_splits = N_TREES * DEPTH
    columns = rng.permutation((list(range(N_FEATURES)) * math.ceil(n_splits / N_FEATURES))[:n_splits])
    for of_tree in columns.reshape(N_TREES, DEPTH):
        cuts = []
        for column in of_tree:
            cut = rng.standard_normal()
            while not lowest[column] < cut < highest[column]:
                cut = rng.standard_normal()
            cuts.append(cut)
        leaves = rng.standard_normal((2,) * DEPTH, dtype=np.float32)
    return of_tree, np.array(cuts), leaves


def answers(X, tree):
    """The tree's value for each row: the bit of a level says whether the value is below the cut."""
    columns, cuts, leaves = tree
    return leaves[tuple((X[:, columns] < cuts).astype(int).T)]


def data(seed, rows=ROWS):
    """Rows and targets of the three parts."""
    rng = np.random.default_rng(seed)
    parts = [rng.standard_normal((int(part * rows), N_FEATURES), dtype=np.float32) for part in PARTS]
    every = np.concatenate(parts)
    tree = oblivious_tree(every.min(0), every.max(0), np.random.default_rng(seed))
    return [(X, answers(X, tree)) for X in parts]


class WithoutCuts(RegressorMixin, BaseEstimator):
    """A regressor of which nothing is known but its predictions."""

    def __init__(self, model):
        self.model = model

    def fit(self, X, y):
        self.model_ = self.model.fit(X, y)
        return self

    def predict(self, X):
        return self.model_.predict(X)


def teachers(train, stop, seed):
    """The fitted boosters."""
    catboost = CatBoostRegressor(
        iterations=2000,
        depth=10,
        early_stopping_rounds=50,
        od_pval=0.001,
        thread_count=1,
        random_seed=seed,
        logging_level="Silent",
        allow_writing_files=False,
    )
    xgboost = XGBRegressor(
        n_estimators=1000, learning_rate=0.05, max_depth=DEPTH, tree_method="exact", n_jobs=1, random_state=seed
    )
    return {"CatBoost": catboost.fit(*train, eval_set=stop), "XGBoost": xgboost.fit(*train)}


def rmse(model, X, y):
    return float(np.sqrt(np.mean((model.predict(X) - y) ** 2)))


def measure(seed, rows=ROWS):
    """By teacher: the RMSE on test rows of it and of its students."""
    train, stop, test = data(seed, rows)
    found = {}
    for name, teacher in teachers(train, stop, seed).items():
        found[name] = {"teacher": rmse(teacher, *test)}
        for setting, options in SETTINGS.items():
            found[name][setting] = rmse(DistilledRegressor(teacher, random_state=seed, **options).fit(*train), *test)
        unknown = WithoutCuts(teacher)
        unknown.model_ = teacher
        student = DistilledRegressor(unknown, random_state=seed, **IMITATION).fit(*train)
        found[name]["imitation, bins at quantiles"] = rmse(student, *test)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    runs = Runs(given.out)
    for seed in range(given.seeds):
        if not runs.has(seed=seed):
            runs.add(seed=seed, found=measure(seed))


if __name__ == "__main__":
    main()
