"""Sizes counted another way; times from a clock that the test turns."""

from __future__ import annotations

import pickle
from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_selection import RFE
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sklkd.report import _cost
from sklkd.report._cost import microseconds, parameters, pickled_bytes

X, y = load_iris(return_X_y=True)
TREE = DecisionTreeClassifier(max_leaf_nodes=4, random_state=0).fit(X, y)
LINEAR = LogisticRegression(max_iter=500).fit(X, y)


def numbers_of(tree, per_leaf):
    """Walk down a tree of scikit-learn."""

    def below(node):
        if tree.children_left[node] < 0:
            return per_leaf
        return 2 + below(tree.children_left[node]) + below(tree.children_right[node])

    return below(0)


def test_trees():
    assert parameters(TREE) == 3 * 2 + 4 * 3
    assert parameters(DecisionTreeRegressor(max_depth=1).fit(X, y)) == 2 + 2
    two = DecisionTreeRegressor(max_depth=1).fit(X, np.column_stack([y, X[:, 0]]))
    assert parameters(two) == 2 + 2 * 2


def test_forests_and_boosters():
    forest = RandomForestClassifier(7, random_state=0).fit(X, y)
    assert parameters(forest) == sum(numbers_of(tree.tree_, 3) for tree in forest)
    regressor = RandomForestRegressor(5, random_state=0).fit(X, y)
    assert parameters(regressor) == sum(numbers_of(tree.tree_, 1) for tree in regressor)
    boosted = GradientBoostingClassifier(n_estimators=4, random_state=0).fit(X, y)
    assert parameters(boosted) == sum(numbers_of(tree.tree_, 1) for tree in boosted.estimators_.ravel())
    stumps = HistGradientBoostingClassifier(max_iter=3, max_leaf_nodes=2).fit(X, y)
    assert parameters(stumps) == 3 * 3 * (2 + 2)


def test_linear_models_and_networks():
    assert parameters(LINEAR) == 3 * 4 + 3
    assert parameters(Ridge().fit(X, y)) == 4 + 1
    mlp = MLPClassifier((5, 6), max_iter=2000, random_state=0, tol=1e-2).fit(X, y)
    assert parameters(mlp) == sum(a * b + b for a, b in pairwise((4, 5, 6, 3)))
    assert parameters(torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.BatchNorm1d(2))) == 10 + 4


def test_what_stands_around_models_is_not_counted():
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    search = GridSearchCV(LogisticRegression(max_iter=500), {"C": [0.1]}, cv=2).fit(X, y)
    for around in (pipeline, search, FrozenEstimator(LINEAR), FrozenEstimator(pipeline)):
        assert parameters(around) == 15
    assert parameters(CalibratedClassifierCV(LINEAR, cv=3).fit(X, y)) == 3 * 15
    assert parameters(RFE(LogisticRegression(max_iter=500), n_features_to_select=2).fit(X, y)) == 3 * 2 + 3


def test_ensembles_are_the_sum_of_their_members():
    members = [
        ("tree", DecisionTreeClassifier(max_leaf_nodes=4, random_state=0)),
        ("linear", LogisticRegression(max_iter=500)),
    ]
    voting = VotingClassifier(members).fit(X, y)
    assert parameters(voting) == 18 + 15
    assert parameters([("a", TREE), ("b", LINEAR)]) == 18 + 15
    stack = StackingClassifier(members, cv=2).fit(X, y)
    assert parameters(stack) == 18 + 15 + (3 * 6 + 3)
    assert parameters(OneVsRestClassifier(LogisticRegression()).fit(X, y)) == 3 * 5
    stumps = AdaBoostClassifier(DecisionTreeClassifier(max_depth=1), n_estimators=5, random_state=0).fit(X, y)
    assert parameters(stumps) == len(stumps.estimators_) * (2 + 2 * 3)


@pytest.mark.parametrize(
    "inner", [RandomForestClassifier(3), make_pipeline(StandardScaler(), DecisionTreeClassifier())]
)
def test_members_that_have_a_length_are_not_taken_apart(inner):
    bagging = BaggingClassifier(inner, n_estimators=2, random_state=0).fit(X, y)
    assert parameters(bagging) == sum(parameters(member) for member in bagging.estimators_) > 0


def test_what_cannot_be_counted_is_unknown_also_inside_others():
    neighbours = KNeighborsClassifier().fit(X, y)
    assert np.isnan(parameters(neighbours))
    assert np.isnan(parameters([("a", TREE), ("b", neighbours)]))


def test_bytes_are_those_of_the_pickle():
    forest = RandomForestClassifier(20, random_state=0).fit(X, y)
    assert pickled_bytes(forest) == len(pickle.dumps(forest, protocol=pickle.HIGHEST_PROTOCOL))


def test_what_cannot_be_pickled_has_no_size():
    assert np.isnan(pickled_bytes(lambda: 0))
    with open(__file__) as file:
        assert np.isnan(pickled_bytes([file]))


class Clock:
    """Each call that is timed takes the next of some seconds."""

    def __init__(self, *seconds):
        self.now, self.left, self.calls = 0.0, list(seconds), 0

    def perf_counter(self):
        return self.now

    def call(self):
        self.calls += 1
        self.now += self.left.pop(0)


@pytest.mark.parametrize(
    "seconds, n_repeats, calls, median",
    [
        ([9, 0.1, 0.3, 0.2], 3, 4, 0.2),  # the first call only warms up
        ([9, 0.1], 1, 2, 0.1),
        ([9, 0.5, 0.5, 0.7, 0.1], 100, 4, 0.5),  # a second is over, three are done
        ([9, 7, 5, 6], 100, 4, 6),  # three at least
        ([9, *[0.4] * 3, 0.1], 100, 4, 0.4),
    ],
)
def test_median_of_a_second(monkeypatch, seconds, n_repeats, calls, median):
    clock = Clock(*seconds)
    monkeypatch.setattr(_cost, "time", clock)
    assert microseconds(clock.call, n_repeats) == pytest.approx(1e6 * median)
    assert clock.calls == calls
