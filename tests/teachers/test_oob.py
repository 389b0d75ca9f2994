"""Out-of-bag answers, against scikit-learn's own, and the proof that the rows are the right ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from sklkd.teachers import adapt

X, CODES = make_classification(150, 5, n_informative=4, n_redundant=0, n_classes=3, flip_y=0.2, random_state=0)
NAMES = np.array(["a", "b", "c"])
Y = NAMES[CODES]
XR, YR = make_regression(130, 4, n_targets=2, noise=20, random_state=0)
NOT_ITS = "not verifiably those"


@pytest.mark.parametrize("options", [{}, {"max_samples": 0.4}, {"max_samples": 30}, {"class_weight": "balanced"}])
@pytest.mark.parametrize("kind", [RandomForestClassifier, ExtraTreesClassifier])
def test_forests_of_classifiers(kind, options):
    forest = kind(60, bootstrap=True, oob_score=True, max_depth=6, random_state=0, **options).fit(X, Y)
    del forest.oob_score_
    expected = forest.__dict__.pop("oob_decision_function_")
    answer, unseen = adapt(forest, NAMES).out_of_bag(X, Y)
    assert unseen.all() and np.allclose(answer, expected)
    assert not np.allclose(answer, forest.predict_proba(X), atol=0.1)


@pytest.mark.parametrize("kind", [RandomForestRegressor, ExtraTreesRegressor])
@pytest.mark.parametrize("y", [YR[:, 0], YR])
@pytest.mark.parametrize("criterion", ["squared_error", "absolute_error"])
def test_forests_of_regressors(kind, y, criterion):
    forest = kind(40, bootstrap=True, oob_score=True, criterion=criterion, max_depth=4, random_state=0).fit(XR, y)
    answer, unseen = adapt(forest).out_of_bag(XR, y)
    assert unseen.all() and np.allclose(answer, forest.oob_prediction_.reshape(len(XR), -1))


def test_poisson_and_monotone_trees():
    y = np.abs(YR[:, 0])
    for options in ({"criterion": "poisson"}, {"monotonic_cst": [1, 0, -1, 0]}):
        forest = RandomForestRegressor(30, oob_score=True, max_depth=4, random_state=0, **options).fit(XR, y)
        assert np.allclose(adapt(forest).out_of_bag(XR, y)[0][:, 0], forest.oob_prediction_)


@pytest.mark.filterwarnings("ignore:Some inputs do not have OOB scores")
@pytest.mark.parametrize("class_weight", [None, "balanced", "balanced_subsample", {"a": 1, "b": 5, "c": 0.5}])
def test_weights(class_weight):
    weight = np.random.default_rng(0).integers(0, 4, size=len(Y)).astype(float)
    forest = RandomForestClassifier(60, class_weight=class_weight, oob_score=True, random_state=0)
    forest.fit(X, Y, sample_weight=weight)
    answer, unseen = adapt(forest, NAMES).out_of_bag(X, Y, weight)
    assert np.allclose(answer[unseen], forest.oob_decision_function_[unseen])


def test_classes_of_the_student():
    """Codes for names, another order, and a class of the teacher's that is not among the rows' classes."""
    forest = RandomForestClassifier(60, oob_score=True, random_state=0).fit(X, CODES)
    assert np.allclose(adapt(forest, NAMES).out_of_bag(X, Y)[0], forest.oob_decision_function_)
    surplus = RandomForestClassifier(60, oob_score=True, random_state=0).fit(X, np.where(CODES == 2, 1, CODES))
    assert np.allclose(adapt(surplus, [0, 1]).out_of_bag(X, np.minimum(CODES, 1))[0], surplus.oob_decision_function_)


@pytest.mark.filterwarnings("ignore:Some inputs do not have OOB scores")
def test_a_row_that_every_tree_has_seen_gets_the_ordinary_answer():
    forest = RandomForestClassifier(4, random_state=0).fit(X, Y)
    answer, unseen = adapt(forest, NAMES).out_of_bag(X, Y)
    seen_by_all = np.all([np.isin(np.arange(150), bag) for bag in forest.estimators_samples_], axis=0)
    assert seen_by_all.any() and np.array_equal(unseen, ~seen_by_all)
    assert np.allclose(answer[seen_by_all], forest.predict_proba(X[seen_by_all]))
    assert np.allclose(answer.sum(axis=1), 1)


BAGGED = [
    None,
    LogisticRegression(),
    LinearSVC(),
    KNeighborsClassifier(3),
    DecisionTreeClassifier(class_weight="balanced"),
    make_pipeline(StandardScaler(), LogisticRegression()),
]


@pytest.mark.parametrize("member", BAGGED)
@pytest.mark.parametrize("options", [{}, {"max_features": 0.6}, {"bootstrap": False, "max_samples": 0.5}])
def test_bagging_of_classifiers(member, options):
    model = BaggingClassifier(member, 30, random_state=0, **options)
    if model.bootstrap:
        model.set_params(oob_score=True)
    model.fit(X, Y)
    teacher = adapt(model, NAMES)
    if not model.bootstrap and not isinstance(model.estimators_[0], DecisionTreeClassifier):
        # members that show no rows, without a score of the ensemble's own
        assert not teacher.has_out_of_bag
        with pytest.raises(ValueError, match="do not show which rows they were fitted on: fit it with oob_score=True"):
            teacher.out_of_bag(X, Y)
        return
    answer, unseen = teacher.out_of_bag(X, Y)
    assert unseen.all() and np.allclose(answer.sum(axis=1), 1)
    if model.bootstrap:
        assert np.allclose(answer, model.oob_decision_function_)
    else:
        bags, features = model.estimators_samples_, model.estimators_features_
        row = 17
        members = [i for i, bag in enumerate(bags) if row not in bag]
        if hasattr(model.estimators_[0], "predict_proba"):
            expected = [model.estimators_[i].predict_proba(X[[row]][:, features[i]])[0] for i in members]
            assert np.allclose(answer[row], np.mean(expected, axis=0))


@pytest.mark.parametrize("member", [None, LinearRegression()])
def test_bagging_of_regressors(member):
    model = BaggingRegressor(member, 30, oob_score=True, random_state=0).fit(XR, YR[:, 0])
    answer, unseen = adapt(model).out_of_bag(XR, YR[:, 0])
    assert unseen.all() and np.allclose(answer[:, 0], model.oob_prediction_)


@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(30, random_state=0),
        BaggingClassifier(n_estimators=10, random_state=0),
        BaggingClassifier(LogisticRegression(), 30, oob_score=True, random_state=0),
    ],
)
class TestOnlyItsRows:
    def test_another_number(self, model):
        teacher = adapt(model.fit(X, Y), NAMES)
        with pytest.raises(ValueError, match=rf"{NOT_ITS}: it was fitted on 150 rows, X has 149"):
            teacher.out_of_bag(X[1:], Y[1:])

    def test_another_order(self, model):
        teacher = adapt(model.fit(X, Y), NAMES)
        order = np.random.default_rng(0).permutation(150)
        with pytest.raises(ValueError, match=rf"(?s){NOT_ITS}.*use cv='auto' or, with an unfitted teacher, cv=5"):
            teacher.out_of_bag(X[order], Y[order])

    def test_other_rows(self, model):
        teacher = adapt(model.fit(X, Y), NAMES)
        with pytest.raises(ValueError, match=NOT_ITS):
            teacher.out_of_bag(np.random.default_rng(0).normal(size=X.shape), Y)

    def test_other_labels(self, model):
        teacher = adapt(model.fit(X, Y), NAMES)
        with pytest.raises(ValueError, match=NOT_ITS):
            teacher.out_of_bag(X, Y[::-1])


@pytest.mark.parametrize("seed", range(5))
def test_two_rows_exchanged(seed):
    """Where even this is noticed, everything is; a whole forest grown to the end sees it in nearly all trees."""
    forest = RandomForestRegressor(30, random_state=seed).fit(XR, YR[:, 0])
    order = np.arange(len(XR))
    order[[3, 90]] = order[[90, 3]]
    with pytest.raises(ValueError, match=NOT_ITS):
        adapt(forest).out_of_bag(XR[order], YR[order, 0])


def test_identical_rows_with_other_labels():
    """The leaves hold as many rows, but other labels."""
    twice = np.repeat(X[:75], 2, axis=0)
    forest = RandomForestClassifier(30, random_state=0).fit(twice, Y)
    exchanged = Y.reshape(75, 2)[:, ::-1].ravel()
    assert len(adapt(forest, NAMES).out_of_bag(twice, Y)[0]) == 150
    with pytest.raises(ValueError, match=NOT_ITS):
        adapt(forest, NAMES).out_of_bag(twice, exchanged)


@pytest.mark.parametrize(
    "model",
    [
        ExtraTreesClassifier(3, random_state=0),
        RandomForestClassifier(3, bootstrap=False),
        HistGradientBoostingClassifier(max_iter=2),
        LogisticRegression(),
        BaggingClassifier(n_estimators=3, bootstrap=False),
    ],
)
def test_without_bags(model):
    teacher = adapt(model.fit(X, Y), NAMES)
    assert not teacher.has_out_of_bag
    with pytest.raises(ValueError, match=r"cv='oob' needs a bagged teacher .*; use cv=5 or cv='auto'"):
        teacher.out_of_bag(X, Y)


def test_inside_other_objects():
    forest = RandomForestClassifier(60, oob_score=True, random_state=0)
    data = pd.DataFrame(X, columns=list("vwxyz"))
    pipe = make_pipeline(StandardScaler(), forest).fit(data, Y)
    search = GridSearchCV(pipe, {"randomforestclassifier__max_depth": [2, 4]}, cv=2).fit(data, Y)
    for model, inner in [(pipe, pipe), (search, search.best_estimator_), (FrozenEstimator(pipe), pipe)]:
        teacher = adapt(model, NAMES)
        assert teacher.has_out_of_bag
        assert np.allclose(teacher.out_of_bag(data, Y)[0], inner[-1].oob_decision_function_)
