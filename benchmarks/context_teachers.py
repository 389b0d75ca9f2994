"""Teachers that learn in context: students of Gaussian processes and nearest neighbours, and what they are asked.

    SKLKD_DATA=../shared/data python benchmarks/context_teachers.py [--seeds 3] [--sets concrete vehicle]
    python benchmarks/context_teachers.py --table

Up to 1,500 rows of each set, 60 % of them for training. The loss on the others (log loss or RMSE) of the teacher; of
the same network trained on labels only; of a student with all defaults, whose teacher is cross-fitted; of one that
learns from in-sample outputs (``cv=None``); and of one with the teacher's questions cut to one and a half for each
training row, half a synthetic row for each real one. A question is a row of which the teacher, or a clone of it, was
asked; they are counted. Teachers are a Gaussian process (for regression its kernel is fitted, for classes it has the
square root of the number of columns as its length), 15 distance-weighted neighbours, and ten kernel ridges (a class of
one's own with ``costly = True``), behind an encoding of categories and standardisation. Results that are there already
are not computed again.
"""

from __future__ import annotations

import argparse
import json
import os
import warnings
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.impute import SimpleImputer
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils import check_random_state

from sklkd import DistilledClassifier, DistilledRegressor

RESULTS = Path(__file__).with_name("results") / "context_teachers.json"
SETS = ["concrete", "vehicle", "phoneme", "kin8nm", "credit_g", "wine_quality"]
ROWS, TRAIN = 1_500, 0.6
QUESTIONS = [0]


def counted(kind):
    """A subclass of the same name that counts the rows of which it is asked."""

    class Counted(kind):
        def predict_proba(self, X):
            QUESTIONS[0] += len(X)
            return super().predict_proba(X)

        def predict(self, X, **options):
            # a classifier's labels are made from its probabilities, or cost as much
            QUESTIONS[0] += len(X)
            return super().predict(X, **options)

    Counted.__name__ = Counted.__qualname__ = kind.__name__
    return Counted


class KernelRidges(BaseEstimator):
    """The mean of ten kernel ridges, each of half of the rows; it says of itself that to ask it is dear."""

    costly = True

    def __init__(self, random_state=None):
        self.random_state = random_state

    def _fit(self, X, columns):
        self.centre_, self.scale_ = columns.mean(axis=0), columns.std(axis=0)
        rng = check_random_state(self.random_state)
        halves = [rng.permutation(len(X))[: len(X) // 2] for _ in range(10)]
        model = KernelRidge(alpha=0.1, kernel="rbf", gamma=0.5 / X.shape[1])
        scaled = (columns - self.centre_) / self.scale_
        self.members_ = [clone(model).fit(X[half], scaled[half]) for half in halves]
        return self

    def _mean(self, X):
        return self.centre_ + self.scale_ * np.mean([one.predict(X) for one in self.members_], axis=0)


class KernelRidgesRegressor(RegressorMixin, KernelRidges):
    def fit(self, X, y):
        return self._fit(X, y[:, None])

    def predict(self, X):
        return self._mean(X)[:, 0]


class KernelRidgesClassifier(ClassifierMixin, KernelRidges):
    def fit(self, X, y):
        self.classes_, codes = np.unique(y, return_inverse=True)
        return self._fit(X, np.eye(len(self.classes_))[codes])

    def predict_proba(self, X):
        shares = np.clip(self._mean(X), 0.01, None)
        return shares / shares.sum(axis=1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


MADE = {
    kind.__name__: counted(kind)
    for kind in (
        KNeighborsClassifier,
        KNeighborsRegressor,
        GaussianProcessClassifier,
        GaussianProcessRegressor,
        KernelRidgesClassifier,
        KernelRidgesRegressor,
    )
}


def load(name, seed):
    """Training rows, test rows, and whether there are classes."""
    frame = pd.read_parquet(Path(os.environ.get("SKLKD_DATA", "../shared/data")) / f"{name}.parquet")
    labels = isinstance(frame["target"].dtype, pd.CategoricalDtype)
    if len(frame) > ROWS:
        stratify = frame["target"] if labels else None
        frame = train_test_split(frame, train_size=ROWS, random_state=seed, stratify=stratify)[0]
    target = frame.pop("target")
    y = target.cat.codes.to_numpy() if labels else target.to_numpy(float)
    options = {"train_size": TRAIN, "random_state": seed, "stratify": y if labels else None}
    X, X_test, y, y_test = train_test_split(frame, y, **options)
    return X, y, X_test, y_test, labels


def make_teacher(kind, labels, X):
    encoding = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), make_column_selector(dtype_exclude="number")),
        remainder=make_pipeline(SimpleImputer(), StandardScaler()),
    )
    if kind == "neighbours":
        model = MADE["KNeighborsClassifier" if labels else "KNeighborsRegressor"](15, weights="distance")
    elif kind == "ridges":
        model = MADE["KernelRidgesClassifier" if labels else "KernelRidgesRegressor"](random_state=0)
    elif labels:
        model = MADE["GaussianProcessClassifier"](RBF(np.sqrt(X.shape[1])), optimizer=None)
    else:
        kernel = ConstantKernel(1.0) * RBF(np.sqrt(X.shape[1])) + WhiteKernel(0.1)
        model = MADE["GaussianProcessRegressor"](kernel, normalize_y=True, random_state=0)
    return make_pipeline(encoding, model)


def loss(est, X, y, labels):
    if labels:
        return float(log_loss(y, np.clip(est.predict_proba(X), 1e-7, 1), labels=est.classes_))
    return float(np.sqrt(np.mean((est.predict(X) - y) ** 2)))


def one(name, kind, seed):
    """What is measured of a set, a kind of teacher and a seed."""
    X, y, X_test, y_test, labels = load(name, seed)
    teacher = make_teacher(kind, labels, X)
    row = {"set": name, "teacher_kind": kind, "seed": seed, "labels": labels, "rows": len(X)}
    row["teacher"] = loss(make_teacher(kind, labels, X).fit(X, y), X_test, y_test, labels)
    ways = {
        "label_only": {"hard_weight": 1.0},
        "default": {},
        "in_sample": {"cv": None},
        "fewer": {"n_synthetic": len(X) // 2},
    }
    Estimator = DistilledClassifier if labels else DistilledRegressor
    for way, options in ways.items():
        QUESTIONS[0], began = 0, perf_counter()
        est = Estimator(teacher, random_state=seed, **options).fit(X, y)
        row[f"{way}_questions"], row[f"{way}_seconds"] = QUESTIONS[0] / len(X), perf_counter() - began
        row[way] = loss(est, X_test, y_test, labels)
        row[f"{way}_blend"] = None if way == "label_only" else est.blend_
    return row


def table(rows):
    """The changes of loss in percent, means over the seeds."""
    frame = pd.DataFrame(rows)
    for way in ("default", "in_sample", "fewer"):
        frame[way + " / teacher"] = 100 * (frame[way] / frame["teacher"] - 1)
    frame["default / label-only"] = 100 * (frame["default"] / frame["label_only"] - 1)
    frame["in-sample / default"] = 100 * (frame["in_sample"] / frame["default"] - 1)
    frame["fewer / default"] = 100 * (frame["fewer"] / frame["default"] - 1)
    changes = [name for name in frame.columns if " / " in name]
    asked = [name for name in frame.columns if name.endswith("_questions") and "label" not in name]
    print(frame.groupby(["teacher_kind", "set"], sort=False)[changes + asked].mean().round(1).to_string())
    print(frame.groupby("teacher_kind", sort=False)[changes].median().round(1).to_string())
    print("at most", frame[asked].max().round(2).to_dict())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--kinds", nargs="+", default=["neighbours", "process", "ridges"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true", help="print the table of what is there")
    args = parser.parse_args()
    rows = json.loads(args.out.read_text()) if args.out.exists() else []
    if args.table:
        table(rows)
        return
    torch.set_num_threads(1)
    there = {(row["set"], row["teacher_kind"], row["seed"]) for row in rows}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in range(args.seeds):
            for name in args.sets:
                for kind in args.kinds:
                    if (name, kind, seed) not in there:
                        rows.append(one(name, kind, seed))
                        args.out.write_text(json.dumps(rows, indent=1) + "\n")
                        print(name, kind, seed, json.dumps(rows[-1]), flush=True)
    table(rows)


if __name__ == "__main__":
    main()
