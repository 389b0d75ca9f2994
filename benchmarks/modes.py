"""Networks that teach each other or themselves, against the same network trained alone for as many gradient steps.

python benchmarks/modes.py quality [SET ...] [--methods NAME ...] [--rows 1500] [--seeds 5] [--student small]
    [--epochs 60] [--out FILE] [--data DIR]
python benchmarks/modes.py table FILE
python benchmarks/modes.py cost [--rows 2000] [--student small] [--peers 2 4] [--repeats 5]

``quality``: for each set and seed the test loss (log loss or RMSE), accuracy, calibration error and fit seconds of the
network alone, of each method, and of the network distilled offline from a forest; then the tables, which ``table``
makes again of FILE. "alone" is trained on labels by the recipe of the methods, for as many steps. "stopped early" marks
what the default student does with no epochs given: to hold rows out and keep the best epoch. Offline distillation
has all its defaults, and so many more rows and steps. "images" is scikit-learn's digits, 8x8 pixels and a convolutional
network; the tables are read from DIR. Every method deploys a network of the same size. ``cost``: seconds of training k
peers over those of k separate trainings. Seconds are the processor's, of this process; set OMP_NUM_THREADS=1.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder
from skorch import NeuralNetClassifier
from torch import nn

import sklkd
from sklkd import methods
from sklkd.students import TabularStudent

SETS = ["phoneme", "vehicle", "credit_g", "concrete", "images"]
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


class ConvNet(nn.Module):
    """Two strided convolutions, max pooling between them, a hidden layer, and the output."""

    def __init__(self, n_outputs, first=8, second=16):
        super().__init__()
        self.one, self.two = nn.Conv2d(1, first, 3, stride=2, padding=1), nn.Conv2d(first, second, 3, padding=1)
        self.pool = nn.MaxPool2d(2, stride=2)
        self.hidden, self.output = nn.Linear(4 * second, 2 * second), nn.Linear(2 * second, n_outputs)

    def forward(self, X):
        maps = self.pool(self.two(self.one(X).relu())).relu()
        return self.output(self.hidden(maps.flatten(1)).relu())


def network(name, student, epochs, *, larger=False):
    """The student for a set, or a larger one; with no epochs given, tables have those of the default."""
    if name != "images":
        size = {"tiny": "small", "small": "base"}[student] if larger else student
        return TabularStudent(size, max_epochs=epochs)
    widths = {"module__first": 32, "module__second": 64} if larger else {}
    options = {"optimizer": torch.optim.Adam, "lr": 2e-3, "max_epochs": 60, "batch_size": 64, "verbose": 0}
    return NeuralNetClassifier(ConvNet, train_split=None, iterator_train__shuffle=True, **options, **widths)


def online(method, *, larger=False, early=False):
    """The student and another network of the same size, or a larger one, trained together."""

    def make(name, student, epochs, task, seed):
        epochs = "auto" if early else epochs
        peers = [("student", network(name, student, epochs)), ("other", network(name, student, epochs, larger=larger))]
        return getattr(sklkd, f"OnlineDistilled{task}")(peers, method=method, deploy="student", random_state=seed)

    return make


def alike(method, *, early=False):
    """The student as its own teacher."""

    def make(name, student, epochs, task, seed):
        given = network(name, student, "auto" if early else epochs)
        return getattr(sklkd, f"SelfDistilled{task}")(given, method=method, random_state=seed)

    return make


# from a set, a student, its epochs, "Classifier" or "Regressor", and a seed to an unfitted estimator
METHODS = {
    "alone": alike(methods.EpochToEpoch(alpha=0)),
    "MutualLearning": online(methods.MutualLearning()),
    "MutualLearning, large peer": online(methods.MutualLearning(), larger=True),
    "GatedEnsemble": online(methods.GatedEnsemble()),
    "CollaborativeEnsemble": online(methods.CollaborativeEnsemble()),
    "Codistillation": online(methods.Codistillation()),
    "EpochToEpoch": alike(methods.EpochToEpoch()),
    "DeepToShallow": alike(methods.DeepToShallow()),
    "BornAgain": alike(methods.BornAgain()),
    "BornAgain, ensemble": alike(methods.BornAgain(ensemble=True)),
    "VirtualTeacher": alike(methods.VirtualTeacher()),
    "SameClassPairs": alike(methods.SameClassPairs()),
    "LastBatch": alike(methods.LastBatch()),
    "alone, stopped early": alike(methods.EpochToEpoch(alpha=0), early=True),
    "MutualLearning, stopped early": online(methods.MutualLearning(), early=True),
    "EpochToEpoch, stopped early": alike(methods.EpochToEpoch(), early=True),
    "VirtualTeacher, stopped early": alike(methods.VirtualTeacher(), early=True),
    "SameClassPairs, stopped early": alike(methods.SameClassPairs(), early=True),
    "LastBatch, stopped early": alike(methods.LastBatch(), early=True),
}
OF_CLASSES = ("VirtualTeacher", "SameClassPairs")


def offline(name, student, task, X, y, seed):
    """The network distilled from a forest with every default."""
    forest = RandomForestClassifier if task == "Classifier" else RandomForestRegressor
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1)
    encode = make_column_transformer((codes, make_column_selector(dtype_exclude=np.number)), remainder="passthrough")
    if name == "images":
        encode = FunctionTransformer(np.reshape, kw_args={"shape": (-1, 64)})
    teacher = make_pipeline(encode, forest(300, random_state=seed))
    return getattr(sklkd, f"Distilled{task}")(teacher, network(name, student, "auto"), random_state=seed).fit(X, y)


def load(folder, name, rows, seed):
    """Training and test rows (60 and 40 %), and the kind of estimator."""
    if name == "images":
        X, y = load_digits(return_X_y=True)
        order = np.random.RandomState(0).permutation(len(y))[:rows]
        X, y, labels = (X[order].reshape(-1, 1, 8, 8) / 16).astype(np.float32), y[order], True
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


def measure(folder, name, rows, seed, student, epochs, names):
    X, X_test, y, y_test, task = load(folder, name, rows, seed)
    fits = {}
    for key in ["alone", *names]:
        # epochs are only a default student's to choose, and some methods are for classes
        early, of_classes = key.endswith("stopped early"), key.startswith(OF_CLASSES)
        if not (early and name == "images") and not (of_classes and task == "Regressor"):
            fits[key] = lambda make=METHODS[key]: make(name, student, epochs, task, seed).fit(X, y)
    fits["offline"] = lambda: offline(name, student, task, X, y, seed)
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
    """Tables: the loss over that of the network alone, over all sets, and set by set; the calibration error."""
    frame = pd.DataFrame(found).set_index(["set", "seed", "method"]).unstack("method")
    keys = [key for key in [*METHODS, "offline"] if key in frame["loss"]]
    ratios = frame["loss"].div(frame["loss"]["alone"], axis=0)
    time_ratios = frame["seconds"].div(frame["seconds"]["alone"], axis=0)
    rows = []
    for key in keys:
        by_set = ratios[key].groupby("set").mean().dropna()
        better = f"{(by_set < 1).sum()} of {len(by_set)}"
        spread = ratios[key].groupby("set").std().mean()
        right, ece = (f"{frame[column][key].astype(float).mean():.3f}" for column in ("accuracy", "ece"))
        slower = f"{time_ratios[key].median():.2f}"
        rows.append([key, f"{by_set.mean():.3f}", f"{spread:.3f}", better, right, ece, slower])
    columns = ["loss over alone", "sd over seeds", "sets better", "accuracy", "calibration error", "time over alone"]
    parts = ["", *as_table("method", columns, rows)]
    for title, values, sets in (
        ("Test loss over that of the network alone: mean and standard deviation over seeds.", ratios, None),
        ("Calibration error: mean and standard deviation over seeds.", frame["ece"].astype(float), "classes"),
    ):
        grouped = values.groupby("set")
        mean, spread = grouped.mean(), grouped.std()
        names = list(mean.index if sets is None else mean["alone"].dropna().index)
        rows = []
        for key in keys:
            pairs = [(mean[key][name], spread[key][name]) for name in names]
            rows.append([key, *("" if np.isnan(one) else f"{one:.3f} ({sd:.3f})" for one, sd in pairs)])
        parts += ["", title, "", *as_table("method", names, rows)]
    return "\n".join(parts)


def as_table(first, columns, rows):
    """Lines of a Markdown table."""
    lines = [[first, *columns], ["---", *["--:"] * len(columns)], *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def cost(rows, student, epochs, counts, repeats):
    """Seconds of training k peers over those of training k networks one after the other, taken in turns."""
    X, y = load_digits(return_X_y=True)
    X, y = X[:rows], y[:rows]
    for k in counts:
        ratios = {key: [] for key in ("MutualLearning", "GatedEnsemble", "CollaborativeEnsemble", "Codistillation")}
        for repeat in range(repeats):
            start = time.process_time()
            for seed in range(k):
                METHODS["alone"]("digits", student, epochs, "Classifier", seed).fit(X, y)
            separate = time.process_time() - start
            for key, found in ratios.items():
                peers = [(f"peer{j}", network("digits", student, epochs)) for j in range(k)]
                est = sklkd.OnlineDistilledClassifier(peers, method=getattr(methods, key)(), deploy="peer0")
                start = time.process_time()
                est.set_params(random_state=repeat).fit(X, y)
                found.append((time.process_time() - start) / separate)
        print(k, "peers over as many trainings:", {key: round(float(np.median(r)), 3) for key, r in ratios.items()})


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["quality", "table", "cost"])
    parser.add_argument("sets", nargs="*", default=SETS)
    parser.add_argument(
        "--methods", nargs="+", choices=list(METHODS), default=[name for name in METHODS if name != "alone"]
    )
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--student", default="small", choices=["tiny", "small"])
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--peers", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    if args.what == "cost":
        cost(args.rows, args.student, args.epochs, args.peers, args.repeats)
        return
    if args.what == "table":
        print(summary(json.loads(Path(args.sets[0]).read_text())))
        return
    # what is done only once in a process is in no fit's time
    measure(args.data, "images", 100, 0, args.student, 1, [])
    found = []
    for seed in range(args.seeds):
        for name in args.sets:
            found += measure(args.data, name, args.rows, seed, args.student, args.epochs, args.methods)
            if args.out:
                args.out.write_text(json.dumps(found))
    print(summary(found))


if __name__ == "__main__":
    main()
