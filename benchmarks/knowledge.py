"""What each loss adds to soft targets: every feature and relation loss, from a forest and from a net.

    python benchmarks/knowledge.py [--data ../shared/data] [--seeds 5] [--out knowledge.json]
    python benchmarks/knowledge.py --table knowledge.json

600 rows of each set train a student of at most 5,000 parameters, with 1,200 synthetic rows that the teacher has
answered; up to 2,000 others are for testing. Every loss is added to soft targets (for regression, to the squared error
to the teacher's values), with labels left out. Its weight is chosen out of three, once for each kind of teacher, as the
best on average over the first two sets, on rows held out of the training rows of a seed of its own. The table has the
change of the test loss (log loss or RMSE) against soft targets only, same seed, same rows: its mean over the seeds,
and the standard deviation over them. Sets: three tables, and scikit-learn's digits.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklkd.losses
from sklkd import DistilledClassifier, DistilledRegressor
from sklkd.augment import MUNGE
from sklkd.losses import SoftTargetLoss, TargetLoss
from sklkd.students import TabularStudent

SETS = ["phoneme", "kin8nm", "segment", "digits"]
TRAIN, SYNTHETIC, TEST, EPOCHS, BATCH = 600, 1_200, 2_000, 16, 64
FACTORS = [0.1, 1.0, 10.0]
# the scale of a loss's value decides the scale of its weight
SCALES = {"SPLoss": 100.0, "PKTLoss": 1000.0, "CCLoss": 3.0, "AttentionTransferLoss": 10.0, "ABLoss": 0.003}
SCALES |= {"OFDLoss": 0.01, "CRDLoss": 0.01}


def load(folder, name, seed):
    """Training rows, test rows, and whether it is classification."""
    if name == "digits":
        X, y = load_digits(return_X_y=True)
        labels = True
    else:
        frame = pd.read_parquet(Path(folder) / f"{name}.parquet")
        target = frame.pop("target")
        labels = isinstance(target.dtype, pd.CategoricalDtype)
        X, y = frame.to_numpy(float), target.cat.codes.to_numpy() if labels else target.to_numpy(float)
    test = min(TEST, len(y) - TRAIN)
    options = {"train_size": TRAIN, "test_size": test, "random_state": seed, "stratify": y if labels else None}
    split = train_test_split(X, y, **options)
    X, X_test, y, y_test = split
    if not labels:
        y_test, y = ((part - y.mean()) / y.std() for part in (y_test, y))
    return X, y, X_test, y_test, labels


def make_teacher(kind, labels, seed):
    if kind == "forest":
        return (RandomForestClassifier if labels else RandomForestRegressor)(100, random_state=seed)
    net = MLPClassifier if labels else MLPRegressor
    return make_pipeline(StandardScaler(), net(hidden_layer_sizes=(128, 64), early_stopping=True, random_state=seed))


def measure(est, X, y, labels):
    if labels:
        return log_loss(y, np.clip(est.predict_proba(X), 1e-7, 1), labels=est.classes_)
    return float(np.sqrt(np.mean((est.predict(X) - y) ** 2)))


def distil(teacher, rows, synthetic, labels, loss, seed):
    """The test loss of a student."""
    X, y, X_test, y_test = rows
    kd = ("kd", SoftTargetLoss() if labels else TargetLoss())
    losses = [kd] if loss is None else [loss] if loss[1].always_alone else [kd, loss]
    student = TabularStudent("tiny", max_epochs=EPOCHS, batch_size=BATCH)
    Estimator = DistilledClassifier if labels else DistilledRegressor
    est = Estimator(teacher, student, loss=losses, hard_weight=0.0, blend=0.0, random_state=seed)
    return measure(est.fit(X, y, X_transfer=synthetic), X_test, y_test, labels)


def problems(folder, kind, names, seeds, tuning):
    """(name, seed, teacher, rows, synthetic rows, labels) of every set and seed; for tuning, the test rows are not
    touched."""
    for name in names:
        for seed in seeds:
            X, y, X_test, y_test, labels = load(folder, name, seed)
            if tuning:
                X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, random_state=seed)
            teacher = make_teacher(kind, labels, seed).fit(X, y)
            synthetic = MUNGE().fit(X).sample(SYNTHETIC, random_state=seed)
            yield name, seed, teacher, (X, y, X_test, y_test), synthetic, labels


def candidates(kind):
    """Losses on hidden layers that a kind of teacher can be asked for."""
    for name in sklkd.losses.__all__:
        loss = getattr(sklkd.losses, name)
        if loss.knowledge != "response" and not (kind == "net" and name == "LeafEmbeddingLoss"):
            yield name, loss


def run(folder, seeds, out):
    results = []
    for kind in ("forest", "net"):
        weights = tuned(folder, kind)
        for name, seed, *problem in problems(folder, kind, SETS, range(seeds), tuning=False):
            alone = distil(*problem, None, seed)
            for loss_name, loss in candidates(kind):
                value = distil(*problem, ("hidden", loss(weight=weights[loss_name])), seed)
                row = {"set": name, "seed": seed, "teacher": kind, "loss": loss_name, "weight": weights[loss_name]}
                results.append(row | {"alone": alone, "value": value})
            out.write_text(json.dumps(results, indent=1))
            print(kind, name, seed, f"soft targets alone {alone:.4f}", flush=True)


def tuned(folder, kind):
    """For every loss the weight that does best on average over two sets."""
    made = list(problems(folder, kind, SETS[:2], [1000], tuning=True))
    alone = [distil(*problem, None, seed) for _, seed, *problem in made]
    weights = {}
    for name, loss in candidates(kind):
        if loss.always_alone:
            weights[name] = 1.0
            continue
        options = [SCALES.get(name, 0.1) * factor for factor in FACTORS]
        changes = []
        for weight in options:
            values = [distil(*problem, ("hidden", loss(weight=weight)), seed) for _, seed, *problem in made]
            changes.append(np.mean(np.log(np.array(values) / alone)))
        weights[name] = options[int(np.argmin(changes))]
        print(kind, name, "weight", weights[name], np.round(changes, 3), flush=True)
    return weights


def table(path):
    """The change in percent, mean and standard deviation over the seeds, as a list table."""
    frame = pd.DataFrame(json.loads(path.read_text()))
    frame["change"] = 100 * (frame["value"] / frame["alone"] - 1)
    for kind, part in frame.groupby("teacher", sort=False):
        cells = part.groupby(["loss", "set"], sort=False)["change"].agg(["mean", "std"])
        weights, means = part.groupby("loss")["weight"].first(), part.groupby("loss")["change"].mean().sort_values()
        print(f"\nFrom a {kind}:\n\n.. list-table::\n   :header-rows: 1\n")
        rows = [["loss", "weight", *SETS, "mean of all"]]
        for loss in means.index:
            values = [f"{cells.loc[(loss, name), 'mean']:+.1f} ({cells.loc[(loss, name), 'std']:.1f})" for name in SETS]
            rows.append([loss, f"{weights[loss]:g}", *values, f"{means[loss]:+.1f}"])
        for row in rows:
            print("\n".join(f"   {'* -' if j == 0 else '  -'} {cell}" for j, cell in enumerate(row)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="../shared/data")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("knowledge.json"))
    parser.add_argument("--table", type=Path, help="print the table of an earlier run")
    args = parser.parse_args()
    if args.table:
        table(args.table)
        return
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run(args.data, args.seeds, args.out)
    table(args.out)


if __name__ == "__main__":
    main()
