"""Small distilled estimators; each fit takes a fraction of a second."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_iris, load_linnerud
from sklearn.ensemble import ExtraTreesClassifier, RandomForestRegressor

from sklkd import DistilledClassifier, DistilledRegressor
from sklkd.students import Muon, TabularStudent

KINDS = np.array(["setosa", "versicolor", "virginica"])


@pytest.fixture(scope="session")
def student():
    return TabularStudent(size="tiny", optimizer=Muon, max_epochs=15, lr=0.005, batch_size=16)


@pytest.fixture(scope="session")
def flowers():
    """X, y of training and of the report: labels are strings, and there is more noise than iris has."""
    X, y = load_iris(return_X_y=True)
    X = X + np.random.default_rng(0).normal(scale=0.7, size=X.shape)
    order = np.random.default_rng(1).permutation(150)
    train, test = order[:80], order[80:]
    return X[train], KINDS[y[train]], X[test], KINDS[y[test]]


@pytest.fixture(scope="session")
def classifier(flowers, student):
    X, y, _, _ = flowers
    teacher = ExtraTreesClassifier(20, min_samples_leaf=2, random_state=0).fit(X, y)
    return DistilledClassifier(teacher, student, augment=None, hard_weight=0.25, random_state=0).fit(X, y)


@pytest.fixture(scope="session")
def bodies():
    X, y = load_linnerud(return_X_y=True)
    return X[:14], y[:14], X[6:], y[6:]


@pytest.fixture(scope="session")
def regressor(bodies, student):
    X, y, _, _ = bodies
    teacher = RandomForestRegressor(10, random_state=0)
    return DistilledRegressor(teacher, student, augment=None, hard_weight=0.25, random_state=0).fit(X, y)
