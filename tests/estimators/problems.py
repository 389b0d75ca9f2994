"""Small problems, networks and students for the tests of the estimators."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.datasets import make_classification, make_regression
from skorch import NeuralNet
from torch import nn

from sklkd.students import TabularStudent

LABELS = np.array(["ant", "bee", "cat"])


def classes(n=120, n_features=5, labels=LABELS, seed=0):
    """Rows and labels of a problem that is easy, but not trivial."""
    X, codes = make_classification(
        n, n_features, n_informative=4, n_redundant=0, n_classes=len(labels), flip_y=0.05, random_state=seed
    )
    return X, np.asarray(labels)[codes]


def targets(n=120, n_features=5, n_targets=1, seed=0):
    """Rows and targets far from 0, with a scale far from 1."""
    X, y = make_regression(n, n_features, n_targets=n_targets, noise=5.0, random_state=seed)
    return X, y * 3 + 1000


def quick(max_epochs=3, **params):
    """The default student, hardly trained: for tests in which its quality is not the point."""
    shape = {} if "module" in params else {"module__hidden": (24,)}
    return TabularStudent("tiny", max_epochs=max_epochs, **shape | params)


class Net(nn.Module):
    """Somebody's own network."""

    def __init__(self, n_features, n_outputs, width=16):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(n_features, width), nn.ReLU(), nn.Linear(width, n_outputs))

    def forward(self, X):
        return self.body(X)


def skorch_net(criterion=nn.CrossEntropyLoss, **params):
    """Somebody's own skorch net."""
    params = {"optimizer": torch.optim.Adam, "lr": 0.01, "max_epochs": 5, "train_split": None, "verbose": 0} | params
    return NeuralNet(params.pop("module", Net), criterion, **params)
