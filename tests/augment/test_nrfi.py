"""Walks down trees."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sklkd import DistilledClassifier
from sklkd.augment import NRFI
from sklkd.students import TabularStudent

# fractions that are no whole numbers, which would be rounded
X, Y = load_iris(return_X_y=True)
X = X + np.random.default_rng(0).uniform(0, 0.01, X.shape)


@pytest.mark.parametrize("start", ["real", "uniform"])
def test_leaves_are_reached_as_often_as_by_training_rows(start):
    tree = DecisionTreeClassifier(max_depth=4, random_state=0).fit(X, Y)
    made = NRFI(tree, n_trees=1, start=start).fit(X).sample(20_000, random_state=0)
    share = np.bincount(tree.apply(made), minlength=tree.tree_.node_count) / 20_000
    expected = np.bincount(tree.apply(X), minlength=tree.tree_.node_count) / len(X)
    np.testing.assert_allclose(share, expected, atol=0.015)


def test_a_class_turns_where_its_rows_are():
    # one split: 3 of 4 rows of class 0 on its left, 1 of 6 of class 1
    column = np.r_[np.full(4, 0.25), np.full(6, 1.25)][:, None]
    labels = np.array([0, 0, 0, 1, 0, 1, 1, 1, 1, 1])
    tree = DecisionTreeClassifier(max_depth=1).fit(column, labels)
    sampler = NRFI(tree, n_trees=1, start="uniform").fit(column)
    low, high = np.array([0.25]), np.array([1.25])
    for kind, expected in ((0, 3 / 4), (1, 1 / 6)):
        rng = np.random.default_rng(kind)
        Z = rng.uniform(0.25, 1.25, (20_000, 1))
        sampler._walks.walk(Z, np.full(20_000, kind), low, high, rng)
        assert np.mean(Z <= 0.75) == pytest.approx(expected, abs=0.01)
        # anywhere on its side
        for side, bounds in ((Z[Z <= 0.75], (0.25, 0.75)), (Z[Z > 0.75], (0.75, 1.25))):
            np.testing.assert_allclose(np.histogram(side, 4, bounds)[0] / len(side), 0.25, atol=0.03)


def test_more_trees_are_surer():
    forest = RandomForestClassifier(30, random_state=0).fit(X, Y)
    sure = [
        forest.predict_proba(NRFI(forest, n_trees=n).fit(X).sample(2_000, random_state=0)).max(axis=1).mean()
        for n in (1, 3, 10)
    ]
    assert sure[0] + 0.03 < sure[1] < sure[2] - 0.03


def test_cells_without_splits_stay_together():
    rng = np.random.default_rng(0)
    pair = rng.normal(size=len(X))
    table = np.column_stack([X, pair, 2 * pair])
    forest = RandomForestClassifier(10, random_state=0).fit(np.column_stack([X, np.zeros((len(X), 2))]), Y)
    made = NRFI(forest).fit(table).sample(500, random_state=0)
    np.testing.assert_array_equal(made[:, 5], 2 * made[:, 4])
    assert set(made[:, 4]) <= set(pair) and len(set(made[:, 4])) > 100
    free = NRFI(forest, start="uniform").fit(table).sample(500, random_state=0)
    assert abs(np.corrcoef(free[:, 4:].T)[0, 1]) < 0.2


def test_regressors_and_boosters():
    table, target = load_diabetes(return_X_y=True)
    for model in (DecisionTreeRegressor(max_depth=3), GradientBoostingRegressor(n_estimators=3, random_state=0)):
        model.fit(table, target)
        made = NRFI(model, n_trees=1).fit(table).sample(4_000, random_state=0)
        assert np.mean(model.predict(made)) == pytest.approx(np.mean(model.predict(table)), rel=0.05)


def test_gaps_stay_where_the_tree_sends_them():
    column = np.r_[np.full(20, np.nan), np.linspace(0, 1, 20) + 0.001, np.linspace(2, 3, 20) + 0.001][:, None]
    labels = np.repeat([0, 0, 1], 20)
    tree = DecisionTreeClassifier(random_state=0).fit(column, labels)
    made = NRFI(tree, n_trees=1).fit(column).sample(3_000, random_state=0)
    gap = np.isnan(made[:, 0])
    # a third starts with a gap, of which a third gets class 1, whose side gaps do not take
    assert gap.mean() == pytest.approx(2 / 9, abs=0.02)
    assert (tree.predict(made[gap]) == 0).all()


def test_frames_and_seeds():
    frame = pd.DataFrame(X, columns=list("abcd"))
    forest = RandomForestClassifier(5, random_state=0).fit(frame, Y)
    sampler = NRFI(forest).fit(frame)
    made = sampler.sample(50, random_state=3)
    assert list(made.columns) == list("abcd")
    pd.testing.assert_frame_equal(made, sampler.sample(50, random_state=3))
    assert ((made >= frame.min()) & (made <= frame.max())).all(axis=None)


def test_a_student_is_taught_by_its_rows():
    forest = RandomForestClassifier(20, random_state=0).fit(X, Y)
    student = TabularStudent("tiny", max_epochs=3)
    est = DistilledClassifier(forest, student, augment=NRFI(forest), n_synthetic=1500)
    est.set_params(hard_weight=0, blend=0, random_state=0).fit(X, Y)
    assert np.mean(est.predict(X) == forest.predict(X)) > 0.95


def test_errors():
    forest = RandomForestClassifier(5, random_state=0).fit(X, Y)
    with pytest.raises(TypeError, match="forest must be a fitted tree or forest of scikit-learn, got forest=Logistic"):
        NRFI(LogisticRegression()).fit(X)
    with pytest.raises(NotFittedError):
        NRFI(RandomForestClassifier()).fit(X)
    with pytest.raises(ValueError, match=r"fitted to the 3 columns of X, got one of 4"):
        NRFI(forest).fit(X[:, :3])
    frame = pd.DataFrame(X).assign(**{"3": list("abc") * 50}).drop(columns=[3])
    with pytest.raises(ValueError, match=r"got categories in column\(s\) \[3\]"):
        NRFI(forest).fit(frame.rename(columns=str))
    with pytest.raises(ValueError, match="n_trees"):
        NRFI(forest, n_trees=0).fit(X)
    with pytest.raises(ValueError, match="start"):
        NRFI(forest, start="zeros").fit(X)
