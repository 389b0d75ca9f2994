"""Several labels a row: the same student with and without a teacher.

    OMP_NUM_THREADS=1 PYTHONPATH=. python benchmarks/quality/multilabel.py [--seeds 1] [--student tiny] [--modes]

With --modes networks that learn from themselves and from each other instead, beside the same on labels only.

There are no public sets of this kind at hand, so that labels are made of tables: whether a row's class, and its value
in each of up to four columns of categories, is the most frequent one; the student reads the other columns. "made" is
scikit-learn's make_multilabel_classification. Teacher: 300 trees, extra trees and a random forest, averaged. Losses are
the mean log loss of the labels on the test rows; "change" is over the better of teacher and student without a teacher.
"""

import argparse
import os
import warnings

import numpy as np
import pandas as pd
from sklearn.datasets import make_multilabel_classification
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import OrdinalEncoder

from sklkd import DistilledClassifier, OnlineDistilledClassifier, SelfDistilledClassifier
from sklkd.methods import EpochToEpoch, LastBatch, MutualLearning

NAMES = ["adult", "titanic", "credit_g", "churn", "connect_4"]
ROWS, LABELS = 6_000, 4


def load(name):
    """Rows and labels."""
    if name == "made":
        return make_multilabel_classification(4_000, 20, n_classes=8, n_labels=3, random_state=0)
    folder = os.environ.get("SKLKD_DATA", "../shared/data")
    frame = pd.read_parquet(f"{folder}/{name}.parquet").sample(frac=1, random_state=0).head(ROWS)
    kinds = [column for column in frame if frame[column].dtype.kind not in "fiu" and column != "target"]
    chosen = ["target", *sorted(kinds, key=lambda column: frame[column].value_counts(normalize=True).iloc[0])[:LABELS]]
    Y = np.column_stack([(frame[column] == frame[column].mode()[0]).to_numpy().astype(int) for column in chosen])
    X = frame.drop(columns=chosen)
    for column in X:
        if X[column].dtype.kind not in "fiu":
            X[column] = OrdinalEncoder(encoded_missing_value=-2).fit_transform(X[[column]].astype(str))
    return SimpleImputer().fit_transform(X.astype(float)), Y


def teacher(seed):
    members = RandomForestClassifier, ExtraTreesClassifier
    return [(one.__name__, one(300, n_jobs=-1, random_state=seed)) for one in members]


def log_loss(Y, proba):
    proba = np.clip(proba, 1e-7, 1 - 1e-7)
    return float(-np.where(Y == 1, np.log(proba), np.log(1 - proba)).mean())


def compare_modes(names, seeds, student):
    """Loss of each mode's default over that of the same networks on labels only."""
    print("| table | one network, labels only | LastBatch | two networks, labels only, their mean | MutualLearning |")
    print("| --- | --: | --: | --: | --: |")
    peers = 2 if student is None else [("a", student), ("b", student)]
    for name in names:
        X, Y = load(name)
        for seed in range(seeds):
            X_train, X_test, Y_train, Y_test = train_test_split(X, Y, test_size=0.4, random_state=seed)
            models = [
                *(
                    SelfDistilledClassifier(student, method=one, random_state=seed)
                    for one in (EpochToEpoch(alpha=0), LastBatch())
                ),
                *(
                    OnlineDistilledClassifier(peers, method=one, deploy="ensemble", random_state=seed)
                    for one in (MutualLearning(weight=0), MutualLearning())
                ),
            ]
            losses = [log_loss(Y_test, model.fit(X_train, Y_train).predict_proba(X_test)) for model in models]
            changes = [losses[1] / losses[0] - 1, losses[3] / losses[2] - 1]
            print(
                f"| {name} | {losses[0]:.4f} | {losses[1]:.4f} ({changes[0]:+.1%}) | {losses[2]:.4f} | "
                f"{losses[3]:.4f} ({changes[1]:+.1%}) |",
                flush=True,
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", default=["made", *NAMES])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--student")
    parser.add_argument("--modes", action="store_true", help="without a pretrained teacher")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    if args.modes:
        compare_modes(args.names, args.seeds, args.student)
        return
    print("| table | labels | teacher | without a teacher | distilled | change | agreement | blend |")
    print("| --- | --: | --: | --: | --: | --: | --: | --: |")
    for name in args.names:
        X, Y = load(name)
        for seed in range(args.seeds):
            X_train, X_test, Y_train, Y_test = train_test_split(X, Y, test_size=0.4, random_state=seed)
            members = [(key, member.fit(X_train, Y_train)) for key, member in teacher(seed)]
            soft = np.mean(
                [np.stack([each[:, 1] for each in member.predict_proba(X_test)], axis=1) for _, member in members],
                axis=0,
            )
            found = {}
            for key, options in (("without", {"hard_weight": 1, "augment": None}), ("distilled", {})):
                est = DistilledClassifier(members, args.student, random_state=seed, **options).fit(X_train, Y_train)
                found[key] = est.predict_proba(X_test)
            losses = [log_loss(Y_test, one) for one in (soft, found["without"], found["distilled"])]
            agreement = np.mean((found["distilled"] > 0.5) == (soft > 0.5))
            change = losses[2] / min(losses[:2]) - 1
            shown = " | ".join(f"{one:.4f}" for one in losses)
            print(
                f"| {name} | {Y.shape[1]} | {shown} | {change:+.1%} | {agreement:.1%} | {est.blend_:.2f} |", flush=True
            )


if __name__ == "__main__":
    main()
