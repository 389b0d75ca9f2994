"""Trees and forests: members, spread, leaves, thresholds of single trees."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sklkd.teachers import adapt, layers

X, CODES = make_classification(120, 5, n_informative=4, n_redundant=0, n_classes=3, random_state=0)
NAMES = np.array(["a", "b", "c"])
Y = NAMES[CODES]
XR, YR = make_regression(100, 4, n_targets=2, random_state=0)


def test_leaves_and_members():
    forest = RandomForestClassifier(7, max_depth=3, random_state=0).fit(X, Y)
    teacher = adapt(forest, NAMES)
    assert np.array_equal(teacher.features(X, "leaves"), forest.apply(X))
    members = teacher.features(X, "members")
    assert np.allclose(members, np.stack([tree.predict_proba(X) for tree in forest.estimators_], axis=1))
    assert np.allclose(members.mean(axis=1), teacher.outputs(X).proba)
    assert layers(forest) == {"leaves": (7,), "leaf_embedding": (32,), "members": (7, 3)}
    with pytest.raises(ValueError, match=r"no layer 'hidden'; it has 'leaves', 'leaf_embedding', 'members'"):
        teacher.features(X, "hidden")


def test_members_follow_the_students_classes():
    forest = RandomForestClassifier(4, max_depth=3, random_state=0).fit(X, Y)
    own = np.stack([tree.predict_proba(X)[:, [0, 2]] for tree in forest.estimators_], axis=1)
    mass = own.sum(axis=2, keepdims=True)
    expected = np.where(mass > 0, own / np.where(mass > 0, mass, 1), 0.5)
    assert np.allclose(adapt(forest, ["a", "c"]).features(X, "members"), expected)


@pytest.mark.parametrize("kind", [RandomForestRegressor, ExtraTreesRegressor])
@pytest.mark.parametrize("y", [YR[:, 0], YR])
def test_spread_is_that_of_the_trees(kind, y):
    forest = kind(9, max_depth=4, random_state=0).fit(XR, y)
    outputs = adapt(forest).outputs(XR, spread=True)
    trees = np.stack([tree.predict(XR).reshape(len(XR), -1) for tree in forest.estimators_])
    assert np.allclose(outputs.spread, trees.std(axis=0)) and np.allclose(outputs.values, trees.mean(axis=0))
    assert adapt(forest).outputs(XR).spread is None


def test_one_tree():
    tree = DecisionTreeRegressor(max_depth=3).fit(XR, YR)
    teacher = adapt(tree)
    assert np.array_equal(teacher.features(XR, "leaves")[:, 0], tree.apply(XR))
    assert np.allclose(teacher.features(XR, "members")[:, 0], tree.predict(XR))
    assert teacher.outputs(XR, spread=True).spread is None
    assert not teacher.has_out_of_bag


def gains_by_hand(tree, X, codes):
    """Column, threshold and decrease of the summed Gini impurity of every split, by sending the rows down."""
    found = []

    def gini(rows):
        share = np.bincount(codes[rows], minlength=3) / max(rows.sum(), 1)
        return rows.sum() * (1 - (share**2).sum())

    def down(node, rows):
        if tree.children_left[node] < 0:
            return
        left = rows & (X[:, tree.feature[node]].astype(np.float32) <= tree.threshold[node])
        right = rows & ~left
        found.append((tree.feature[node], tree.threshold[node], gini(rows) - gini(left) - gini(right)))
        down(tree.children_left[node], left)
        down(tree.children_right[node], right)

    down(0, np.ones(len(X), bool))
    return found


def test_thresholds_and_gains_of_a_tree():
    tree = DecisionTreeClassifier(max_depth=5, random_state=0).fit(X, Y)
    found = gains_by_hand(tree.tree_, X, CODES)
    whole = sum(gain for _, _, gain in found)
    got = adapt(tree, NAMES).thresholds(X)
    assert len(got) == 5
    for j, (thresholds, weights) in enumerate(got):
        expected = sorted((t, gain / whole) for column, t, gain in found if column == j)
        assert np.array_equal(thresholds, [t for t, _ in expected])
        assert np.allclose(weights, [gain for _, gain in expected], atol=1e-6) and (weights > 0).all()


def test_equal_thresholds_add_up():
    forest = RandomForestClassifier(30, max_depth=3, random_state=0).fit(X.round(), Y)
    got = adapt(forest, NAMES).thresholds(X.round())
    every = np.concatenate([tree.tree_.threshold[tree.tree_.feature == 2] for tree in forest.estimators_])
    assert np.array_equal(got[2][0], np.unique(every)) and len(every) > len(got[2][0])
    assert np.isclose(sum(weights.sum() for _, weights in got), 1)


def test_of_many_trees_some_are_looked_at():
    forest = RandomForestClassifier(250, max_depth=2, random_state=0).fit(X, Y)
    got = adapt(forest, NAMES).thresholds(X)
    looked_at = forest.estimators_[::3]
    assert len(looked_at) == 84
    for j, (thresholds, _) in enumerate(got):
        expected = np.concatenate([tree.tree_.threshold[tree.tree_.feature == j] for tree in looked_at])
        np.testing.assert_array_equal(thresholds, np.unique(expected))


def test_a_split_that_gains_nothing_counts():
    corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    tree = DecisionTreeClassifier(random_state=0).fit(corners, [0, 1, 1, 0])
    got = adapt(tree, [0, 1]).thresholds(corners)
    assert [t.tolist() for t, _ in got] == [[0.5], [0.5]] and all((w > 0).all() for _, w in got)


def test_splits_of_missing_values_are_left_out():
    gaps = X.copy()
    gaps[::2, 0] = np.nan
    y = np.where(np.isnan(gaps[:, 0]), "a", "b")
    tree = DecisionTreeClassifier().fit(gaps, y)
    assert not np.isfinite(tree.tree_.threshold[0])
    assert [len(t) for t, _ in adapt(tree, ["a", "b"]).thresholds(gaps)] == [0] * 5


def test_a_stump_of_one_class():
    tree = DecisionTreeClassifier().fit(X, np.full(len(X), "a"))
    assert [len(t) for t, _ in adapt(tree, ["a"]).thresholds(X)] == [0] * 5
    assert adapt(tree, ["a"]).outputs(X).proba.tolist() == [[1.0]] * len(X)


def test_multi_output_classifier_is_refused():
    forest = RandomForestClassifier(2, max_depth=2).fit(X, np.stack([CODES, CODES], axis=1))
    with pytest.raises(ValueError, match="multi-output"):
        adapt(forest, [0, 1, 2]).outputs(X)
