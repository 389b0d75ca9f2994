"""What test_data_parallel.py starts on two processes: fits some estimators, and writes down what each process has."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier
from skorch.callbacks import Callback, EarlyStopping
from skorch.dataset import ValidSplit
from skorch.hf import AccelerateMixin
from torch import nn

from sklkd import DistilledClassifier, DistilledRegressor, OnlineDistilledClassifier, SelfDistilledClassifier
from sklkd.losses import FitNetLoss, SoftTargetLoss
from sklkd.methods import LastBatch
from sklkd.students import TabularStudent


class DataParallelStudent(AccelerateMixin, TabularStudent):
    """The default student on several processes."""


class Normalised(nn.Module):
    """A network whose buffers follow the rows that it is given, and which draws in each step."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(n_features, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, n_outputs)
        )

    def forward(self, X):
        return self.body(X)


class Seen(Callback):
    """Keeps which rows each batch of each epoch has."""

    epochs: list = []

    def on_epoch_begin(self, net, **kwargs):
        self.epochs.append([])

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        if training:
            self.epochs[-1].append([hash(row.numpy().tobytes()) for row in batch.rows.inputs])


def student(accelerator, **params):
    return DataParallelStudent(accelerator=accelerator, **{"size": "tiny", "max_epochs": 3} | params)


def estimators(accelerator):
    forest = RandomForestClassifier(10, random_state=0)
    net = MLPClassifier((16, 8), max_iter=10, random_state=0)
    stops = {"train_split": ValidSplit(5), "callbacks": [("stop", EarlyStopping("train_loss", threshold=0.5))]}
    quick = {"augment": None, "random_state": 0}
    losses = [("soft", SoftTargetLoss()), ("hint", FitNetLoss())]
    small = student(accelerator, max_epochs=4)
    return {
        "projector": DistilledClassifier(net, student(accelerator), loss=losses, blend=0, hard_weight=0.1, **quick),
        "buffers": DistilledClassifier(forest, student(accelerator, module=Normalised), **quick),
        "user stops": DistilledClassifier(forest, student(accelerator, max_epochs=30, **stops), blend=0, **quick),
        "labels": DistilledClassifier(forest, student(accelerator, max_epochs="auto"), hard_weight=1, **quick),
        "accumulated": DistilledClassifier(
            forest, student(Accelerator(cpu=True, gradient_accumulation_steps=2), batch_size=64), **quick
        ),
        "online": OnlineDistilledClassifier([("a", small), ("b", small)], random_state=0),
        "self": SelfDistilledClassifier(small, method=LastBatch(), random_state=0),
    }


def state(est):
    """All that a process has learnt, as one vector."""
    parts = [*est.student_.module_.state_dict().values(), *est.student_.criterion_.state_dict().values()]
    return torch.cat([part.double().flatten() for part in parts]).numpy()


def main(folder: Path) -> None:
    X, y = load_digits(return_X_y=True)
    accelerator, found = Accelerator(cpu=True), {}
    est = DistilledClassifier(
        RandomForestClassifier(30, random_state=0),
        student(accelerator, max_epochs="auto", callbacks=[("seen", Seen())]),
        random_state=0,
    )
    est.fit(X[:900], y[:900])
    found["default"] = state(est)
    found["loss"] = log_loss(y[900:], est.predict_proba(X[900:]))
    found["batch_size"], found["n_processes"] = est.student_.batch_size, accelerator.num_processes
    n = len(est.history_)
    for k, epoch in enumerate(Seen.epochs[-n:]):
        found[f"epoch {k}"] = np.array([row for batch in epoch for row in batch])
        found[f"sizes {k}"] = np.array([len(batch) for batch in epoch])
    if accelerator.is_main_process:  # the other process has no part in it
        found["proba"] = est.student_.predict_proba(est.encoder_.transform(X[900:]))
        np.testing.assert_allclose(found["proba"], est.predict_proba(X[900:]), atol=1e-5)
    for name, est in estimators(accelerator).items():
        found[name] = state(est.fit(X[:300], y[:300]))
    est = DistilledRegressor(RandomForestRegressor(10, random_state=0), student(accelerator), random_state=0)
    est.partial_fit(X[:300], y[:300].astype(float))
    found["regressor"] = state(est)
    found["further"] = state(est.partial_fit(X[:200], y[:200].astype(float)))
    try:
        est.set_params(random_state=accelerator.process_index).fit(X[:300], y[:300].astype(float))
    except ValueError as error:
        found["error"] = str(error)
    np.savez(folder / f"{accelerator.process_index}.npz", **found)


if __name__ == "__main__":
    warnings.filterwarnings("error", category=UserWarning)
    warnings.filterwarnings("ignore", category=ConvergenceWarning)
    main(Path(sys.argv[1]))
