"""What the teacher is asked, and in which way it is fitted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklkd._columns import identical_rows
from sklkd._splits import group_splits
from sklkd.rows import Rows
from sklkd.teachers import seeded, weight_name

TREE, LINEAR, NEIGHBOURS = DecisionTreeClassifier(), LogisticRegression(), KNeighborsClassifier()


def two(second):
    return [("a", TREE), ("b", second)]


@pytest.mark.parametrize(
    ("teacher", "name"),
    [
        (TREE, "sample_weight"),
        (NEIGHBOURS, None),
        (make_pipeline(StandardScaler(), LINEAR), "logisticregression__sample_weight"),
        (make_pipeline(StandardScaler(), NEIGHBOURS), None),
        (
            make_pipeline(StandardScaler(), make_pipeline(StandardScaler(), LINEAR)),
            "pipeline__logisticregression__sample_weight",
        ),
        (make_pipeline(StandardScaler(), "passthrough"), None),
        (VotingClassifier(two(LINEAR)), "sample_weight"),
        (VotingClassifier([*two(LINEAR), ("c", "drop")]), "sample_weight"),
        (VotingClassifier(two(NEIGHBOURS)), None),
        (VotingClassifier(two(make_pipeline(StandardScaler(), LINEAR))), None),  # it hands on no other keyword
        (StackingClassifier(two(LINEAR)), "sample_weight"),
        (StackingClassifier(two(LINEAR), final_estimator=NEIGHBOURS), None),
        (StackingClassifier(two(NEIGHBOURS)), None),
        (GridSearchCV(TREE, {}), "sample_weight"),
        (GridSearchCV(make_pipeline(StandardScaler(), LINEAR), {}), "logisticregression__sample_weight"),
        (GridSearchCV(NEIGHBOURS, {}), None),
        (make_pipeline(StandardScaler(), GridSearchCV(TREE, {})), "gridsearchcv__sample_weight"),
        (BaggingClassifier(TREE), "sample_weight"),
        (FrozenEstimator(NEIGHBOURS), "sample_weight"),  # which it ignores
        (object(), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_weight_name(teacher, name):
    assert weight_name(teacher) == name


@pytest.mark.parametrize(
    "teacher",
    [
        TREE,
        make_pipeline(StandardScaler(), LINEAR),
        VotingClassifier(two(LINEAR)),
        StackingClassifier(two(LINEAR), cv=2),
        GridSearchCV(make_pipeline(StandardScaler(), LINEAR), {}, cv=2),
        VotingClassifier([("a", FrozenEstimator(DecisionTreeClassifier().fit([[0], [1]], [0, 1]))), ("b", LINEAR)]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_teacher_takes_its_weights_by_that_name(teacher):
    X, y, weight = np.arange(20.0)[:, None], np.arange(20) % 2, np.ones(20)
    teacher.fit(X, y, **{weight_name(teacher): weight})


def test_seeded():
    teacher = seeded(VotingClassifier([("a", ExtraTreesClassifier()), ("b", ExtraTreesClassifier(random_state=3))]), 0)
    states = [one.random_state for _, one in teacher.estimators]
    assert isinstance(states[0], int) and states[1] == 3
    nested = TransformedTargetRegressor(make_pipeline(StandardScaler(), RandomForestRegressor()))
    assert seeded(nested, 0).regressor.steps[1][1].random_state is not None
    assert seeded(RandomForestRegressor(), None).random_state is None
    assert seeded(Ridge(), 0).random_state == seeded(Ridge(), 0).random_state != seeded(Ridge(), 1).random_state


@st.composite
def repeated_rows(draw):
    """Distinct rows with labels, and how often each comes."""
    n = draw(st.integers(4, 25))
    labels = draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    counts = draw(
        st.lists(st.integers(0, 3), min_size=n, max_size=n).filter(lambda counts: np.count_nonzero(counts) >= 4)
    )
    return np.array(labels), np.array(counts), draw(st.integers(2, 4)), draw(st.randoms(use_true_random=False))


@given(repeated_rows())
def test_splits_of_groups(problem):
    labels, counts, n_splits, random = problem
    values = np.arange(len(labels)) * 0.7
    # once by weight, once by repetition, in some order
    weighted = Rows(values[:, None], labels, counts.astype(float))
    order = np.repeat(np.arange(len(labels)), counts).tolist()
    random.shuffle(order)
    repeated = Rows(values[order, None], labels[order], None)
    folds = []
    for rows in (weighted, repeated):
        group = identical_rows(np.asarray(rows.X))[1]
        splits = group_splits(n_splits, rows, group)
        assert len(splits) == n_splits
        tests = np.concatenate([test for _, test in splits])
        kept = np.flatnonzero(rows.weight) if rows.weight is not None else np.arange(len(rows.y))
        np.testing.assert_array_equal(np.sort(tests), kept)  # each row once, none without weight
        for train, test in splits:
            assert not set(train) & set(test) and len(train) + len(test) == len(kept)
            assert not set(rows.X[train, 0]) & set(rows.X[test, 0])
        folds.append([frozenset(rows.X[test, 0]) for _, test in splits])
        distinct = [np.unique(rows.X[test, 0], return_index=True)[1] for _, test in splits]
        for k in range(3):
            sizes = [int((rows.y[test][first] == k).sum()) for (_, test), first in zip(splits, distinct, strict=True)]
            assert max(sizes) - min(sizes) <= 1  # classes are spread evenly
    assert folds[0] == folds[1]


def test_splits_of_targets_cover_their_range():
    rng = np.random.RandomState(0)
    rows = Rows(rng.rand(60, 2), rng.rand(60), None)
    means = [rows.y[test].mean() for _, test in group_splits(3, rows, np.arange(60))]
    assert np.ptp(means) < 0.05
    several = Rows(rows.X, rng.rand(60, 2), None)
    assert [len(test) for _, test in group_splits(3, several, np.arange(60))] == [20, 20, 20]


def test_too_few_distinct_rows_to_split():
    with pytest.raises(ValueError, match="cv=5 needs as many distinct rows, got 2: lower cv"):
        group_splits(5, Rows(None, np.arange(9) % 2, None), np.arange(9) % 2)
