"""What the tests of shipping share."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from skorch import NeuralNet
from torch import nn

from sklkd import DistilledClassifier, OnnxPredictor, to_onnx
from sklkd.students import TabularStudent

# neither synthetic rows nor label-only students, which files do not show
PLAIN = {"hard_weight": 0.1, "blend": 0, "augment": None, "random_state": 0}


def quick(max_epochs=2):
    """The default student of the smallest size, hardly trained."""
    return TabularStudent("tiny", max_epochs=max_epochs)


class Net(nn.Module):
    """Somebody's own network, which also gives its features."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(n_features, 16), nn.GELU(), nn.LayerNorm(16), nn.Dropout(0.5))
        self.head = nn.Linear(16, n_outputs)

    def forward(self, X):
        features = self.body(X)
        return self.head(features), features


def net(module=Net):
    """A student of the user's own."""
    return NeuralNet(module, nn.CrossEntropyLoss, optimizer=torch.optim.Adam, max_epochs=2, train_split=None, verbose=0)


@pytest.fixture(scope="session")
def problem():
    X, codes = make_classification(400, 6, n_informative=5, n_redundant=0, n_classes=3, random_state=0)
    return X, np.array(["ant", "bee", "cat"])[codes]


@pytest.fixture(scope="session")
def fitted(problem):
    """A classifier of numbers, whose teacher takes missing values."""
    X, y = problem
    X = X.copy()
    X[::9, 1] = np.nan
    forest = RandomForestClassifier(20, random_state=0).fit(X, y)
    return DistilledClassifier(forest, quick(6), random_state=0).fit(X, y)


@pytest.fixture
def ship(tmp_path):
    """Export a model and open the file: (model, **options) -> (predictor, report)."""

    def write_and_open(model, **options):
        path = tmp_path / "model.onnx"
        report = to_onnx(model, path, **options)
        return OnnxPredictor(path), report

    return write_and_open


@pytest.fixture(scope="session")
def served(fitted, tmp_path_factory):
    """``fitted`` as a file, opened."""
    path = tmp_path_factory.mktemp("export") / "fitted.onnx"
    to_onnx(fitted, path)
    return OnnxPredictor(path)


def assert_parity(est, predictor, X):
    """Probabilities within 1e-5, and every label that of the largest one, ties within 1e-5 apart."""
    expected = est.predict_proba(X)
    np.testing.assert_allclose(predictor.predict_proba(X), expected, rtol=0, atol=1e-5)
    codes = np.searchsorted(est.classes_, predictor.predict(X))
    assert (expected[np.arange(len(codes)), codes] >= expected.max(axis=1) - 1e-5).all()
