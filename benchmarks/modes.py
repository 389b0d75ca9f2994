"""Networks that teach each other or themselves, against the same network trained alone for as many gradient steps.

python benchmarks/modes.py quality [SET ...] [--methods NAME ...] [--rows 1500] [--seeds 5] [--student tiny]
    [--out FILE] [--data DIR]
python benchmarks/modes.py cost [--rows 2000] [--student tiny] [--peers 2 4] [--repeats 5]

``quality``: for each set and seed the test loss (log loss or RMSE), accuracy, calibration error and fit seconds of the
network alone, of each method, and of the network distilled offline from a forest; then for each method the ratio of
losses to the network alone. "digits" comes with scikit-learn, "mnist" and the tables are read from DIR. Every method
deploys a network of the same size, trained on the same rows for the same number of steps. ``cost``: seconds of training
k peers over those of k separate trainings. Seconds are the processor's, of this process; set OMP_NUM_THREADS=1.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

import sklkd
from sklkd import methods

SETS = ["phoneme", "vehicle", "credit_g", "concrete", "digits"]
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def online(method, student, task, seed, other=None):
    """The student and another network of the same size, or of the size that is given, trained together."""
    estimator = getattr(sklkd, f"OnlineDistilled{task}")
    peers = [("student", student), ("other", other or student)]
    return estimator(peers, method=method, deploy="student", random_state=seed)


def alike(method):
    """The student as its own teacher."""
    return lambda student, task, seed: getattr(sklkd, f"SelfDistilled{task}")(student, method=method, random_state=seed)


# from a student, "Classifier" or "Regressor", and a seed to an unfitted estimator
METHODS = {
    "MutualLearning": lambda *args: online(methods.MutualLearning(), *args),
    "MutualLearning, large peer": lambda *args: online(methods.MutualLearning(), *args, other="small"),
    "GatedEnsemble": lambda *args: online(methods.GatedEnsemble(), *args),
    "CollaborativeEnsemble": lambda *args: online(methods.CollaborativeEnsemble(), *args),
    "Codistillation": lambda *args: online(methods.Codistillation(), *args),
    "EpochToEpoch": alike(methods.EpochToEpoch()),
    "DeepToShallow": alike(methods.DeepToShallow()),
    "BornAgain": alike(methods.BornAgain()),
    "BornAgain, ensemble": alike(methods.BornAgain(ensemble=True)),
    "VirtualTeacher": alike(methods.VirtualTeacher()),
    "SameClassPairs": alike(methods.SameClassPairs()),
    "LastBatch": alike(methods.LastBatch()),
}
OF_CLASSES = ("VirtualTeacher", "SameClassPairs")


def alone(student, task, X, y, seed):
    """The network trained on labels alone, by the recipe of the others."""
    model = getattr(sklkd, f"Distilled{task}")(None, student, hard_weight=1, augment=None, random_state=seed)
    told = np.full((len(y), len(np.unique(y))), 1 / len(np.unique(y))) if task == "Classifier" else y
    return model.fit(X, y, teacher_outputs=told)


def offline(student, task, X, y, seed):
    """The network distilled from a forest with every default."""
    forest = RandomForestClassifier if task == "Classifier" else RandomForestRegressor
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1)
    encode = make_column_transformer((codes, make_column_selector(dtype_exclude=np.number)), remainder="passthrough")
    teacher = make_pipeline(encode if hasattr(X, "columns") else "passthrough", forest(300, random_state=seed))
    return getattr(sklkd, f"Distilled{task}")(teacher, student, random_state=seed).fit(X, y)


def load(folder, name, rows, seed):
    """Training and test rows (60 and 40 %), and the kind of estimator."""
    if name in ("digits", "mnist"):
        if name == "digits":
            X, y = load_digits(return_X_y=True)
        else:
            held = np.load(folder / "mnist.npz")
            X, y = held["x_train"].reshape(-1, 784) / 255.0, held["y_train"]
        order = np.random.RandomState(0).permutation(len(y))[:rows]
        X, y, labels = X[order], y[order], True
    else:
        X = pd.read_parquet(folder / f"{name}.parquet").sample(frac=1, random_state=0).head(rows)
        y = X.pop("target")
        labels = isinstance(y.dtype, pd.CategoricalDtype)
        y = y.astype(str).to_numpy() if labels else y.to_numpy(float)
    parts = train_test_split(X, y, test_size=0.4, random_state=seed, stratify=y if labels else None)
    return *parts, "Classifier" if labels else "Regressor"


def calibration_error(y, proba, classes, bins=15):
    """Expected calibration error: confidence and accuracy in bins of equal width."""
    confidence, right = proba.max(1), classes[proba.argmax(1)] == y
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs(confidence[which == b].sum() - right[which == b].sum()) for b in range(bins)]
    return float(sum(gaps) / len(y))


def scores(model, X, y, task):
    if task == "Regressor":
        return {"loss": float(np.sqrt(np.mean((model.predict(X) - y) ** 2))), "ece": None, "accuracy": None}
    proba = np.clip(model.predict_proba(X), 1e-7, 1)
    loss = log_loss(y, proba / proba.sum(1, keepdims=True), labels=model.classes_)
    accuracy = float(np.mean(model.classes_[proba.argmax(1)] == y))
    return {"loss": loss, "ece": calibration_error(y, proba, model.classes_), "accuracy": accuracy}


def measure(folder, name, rows, seed, student, names):
    X, X_test, y, y_test, task = load(folder, name, rows, seed)
    fits = {"alone": lambda: alone(student, task, X, y, seed), "offline": lambda: offline(student, task, X, y, seed)}
    for key in names:
        if task == "Classifier" or key not in OF_CLASSES:
            fits[key] = lambda make=METHODS[key]: make(student, task, seed).fit(X, y)
    found = []
    for key, fit in fits.items():
        start = time.process_time()
        model = fit()
        seconds = time.process_time() - start
        found.append(
            {"set": name, "seed": seed, "method": key, "seconds": seconds} | scores(model, X_test, y_test, task)
        )
        print(*(f"{value:.4g}" if isinstance(value, float) else value for value in found[-1].values()), flush=True)
    return found


def summary(found):
    """For each method the ratio of losses to the network alone: over sets, the mean over seeds, then mean and range."""
    frame = pd.DataFrame(found).set_index(["set", "seed", "method"]).unstack("method")
    ratios = frame["loss"].div(frame["loss"]["alone"], axis=0)
    time_ratios = frame["seconds"].div(frame["seconds"]["alone"], axis=0)
    columns = (
        "loss over alone: mean",
        "sd over seeds",
        "sets better",
        "accuracy",
        "calibration error",
        "time over alone",
    )
    lines = [f"| method | {' | '.join(columns)} |"]
    lines += ["| --- | --: | --: | --: | --: | --: | --: |"]
    for key in ratios.columns:
        by_set = ratios[key].groupby("set").mean()
        spread = ratios[key].groupby("set").std().mean()
        better = f"{(by_set < 1).sum()} of {len(by_set)}"
        right, ece = (f"{frame[column][key].astype(float).mean():.3f}" for column in ("accuracy", "ece"))
        slower = time_ratios[key].median()
        lines.append(f"| {key} | {by_set.mean():.3f} | {spread:.3f} | {better} | {right} | {ece} | {slower:.2f} |")
    lines += ["", "| set | " + " | ".join(ratios.columns) + " |", "| --- |" + " --: |" * len(ratios.columns)]
    for name, row in ratios.groupby("set").mean().iterrows():
        lines.append(f"| {name} | " + " | ".join(f"{value:.3f}" for value in row) + " |")
    return "\n".join(lines)


def cost(rows, student, counts, repeats):
    """Seconds of training k peers over those of training k networks one after the other, taken in turns."""
    X, y = load_digits(return_X_y=True)
    X, y = X[:rows], y[:rows]
    for k in counts:
        ratios = {key: [] for key in ("MutualLearning", "GatedEnsemble", "CollaborativeEnsemble", "Codistillation")}
        for repeat in range(repeats):
            start = time.process_time()
            for seed in range(k):
                alone(student, "Classifier", X, y, seed)
            separate = time.process_time() - start
            for key, found in ratios.items():
                peers = [(f"peer{j}", student) for j in range(k)]
                est = sklkd.OnlineDistilledClassifier(peers, method=getattr(methods, key)(), deploy="peer0")
                start = time.process_time()
                est.set_params(random_state=repeat).fit(X, y)
                found.append((time.process_time() - start) / separate)
        print(k, "peers over as many trainings:", {key: round(float(np.median(r)), 3) for key, r in ratios.items()})


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["quality", "cost"])
    parser.add_argument("sets", nargs="*", default=SETS)
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--student", default="tiny")
    parser.add_argument("--peers", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    if args.what == "cost":
        cost(args.rows, args.student, args.peers, args.repeats)
        return
    found = []
    for seed in range(args.seeds):
        for name in args.sets:
            found += measure(args.data, name, args.rows, seed, args.student, args.methods)
            if args.out:
                args.out.write_text(json.dumps(found))
    print(summary(found))


if __name__ == "__main__":
    main()
