"""Bagging of any estimator; its out-of-bag answers are in test_oob.py, its thresholds in test_thresholds.py."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import BaggingClassifier, BaggingRegressor
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from sklkd.teachers import adapt, layers

X, CODES = make_classification(150, 5, n_informative=4, n_redundant=0, n_classes=3, random_state=0)
NAMES = np.array(["a", "b", "c"])
XR, YR = make_regression(130, 4, n_targets=2, noise=20, random_state=0)


def test_bagging_members_and_spread():
    model = BaggingRegressor(Ridge(), 5, max_features=0.5, random_state=0).fit(XR, YR[:, 0])
    pairs = zip(model.estimators_, model.estimators_features_, strict=True)
    parts = np.stack([member.predict(XR[:, columns]) for member, columns in pairs], axis=1)
    teacher = adapt(model)
    assert np.allclose(teacher.features(XR)[:, :, 0], parts)
    outputs = teacher.outputs(XR, spread=True)
    assert np.allclose(outputs.spread[:, 0], parts.std(axis=1)) and np.allclose(
        outputs.values[:, 0], parts.mean(axis=1)
    )


def test_bagging_members_that_missed_a_class():
    y = np.where(np.arange(150) < 3, "a", np.where(np.arange(150) < 80, "b", "c"))
    model = BaggingClassifier(KNeighborsClassifier(), 10, max_samples=20, random_state=0).fit(X, y)
    assert any(len(member.classes_) < 3 for member in model.estimators_)
    teacher = adapt(model, NAMES)
    assert np.allclose(teacher.features(X, "members").mean(axis=1), model.predict_proba(X))
    assert np.allclose(teacher.outputs(X).proba, model.predict_proba(X))
    assert teacher.outputs(X).margins is None


def test_members_without_probabilities_vote():
    model = BaggingClassifier(LinearSVC(), 5, random_state=0).fit(X, NAMES[CODES])
    members = adapt(model, NAMES).features(X)
    votes = np.stack([np.eye(3)[member.predict(X)] for member in model.estimators_], axis=1)
    assert np.array_equal(members, votes) and layers(model) == {"members": (5, 3)}
    assert np.allclose(adapt(model, NAMES).outputs(X).proba, model.predict_proba(X))


def test_bagged_trees_have_leaves():
    model = BaggingClassifier(DecisionTreeClassifier(max_depth=3), 6, max_features=0.6, random_state=0)
    model.fit(X, NAMES[CODES])
    teacher = adapt(model, NAMES)
    assert layers(model) == {"leaves": (6,), "leaf_embedding": (32,), "members": (6, 3)}
    pairs = list(zip(model.estimators_, model.estimators_features_, strict=True))
    leaves = np.column_stack([tree.apply(X[:, columns]) for tree, columns in pairs])
    assert np.array_equal(teacher.features(X, "leaves"), leaves)
    # inner products of the embedding are near the share of trees in which rows meet
    embedding, proximity = teacher.features(X), (leaves[:, None] == leaves[None]).mean(2)
    assert np.corrcoef((embedding @ embedding.T).ravel(), proximity.ravel())[0, 1] > 0.99
    members = np.stack([tree.predict_proba(X[:, columns]) for tree, columns in pairs], axis=1)
    assert np.allclose(teacher.features(X, "members"), members)
    assert np.allclose(teacher.outputs(X).proba, model.predict_proba(X))
    assert len(teacher.thresholds(X)[0][0]) == len(adapt(model, NAMES).thresholds(X)[0][0]) > 0


def test_bagged_trees_of_a_regression():
    model = BaggingRegressor(n_estimators=4, random_state=0).fit(XR, YR)
    teacher = adapt(model)
    assert np.array_equal(teacher.features(XR, "leaves")[:, 1], model.estimators_[1].apply(XR))
    assert np.allclose(teacher.features(XR, "members").mean(axis=1), model.predict(XR))
    assert np.allclose(teacher.outputs(XR).values, model.predict(XR))
