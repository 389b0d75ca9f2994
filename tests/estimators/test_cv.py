"""How the teacher's answers for the training rows come about: each recomputed by hand."""

from __future__ import annotations

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, LeaveOneOut, ShuffleSplit, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklkd import DistilledClassifier, DistilledRegressor
from sklkd.teachers import FLOOR, Precomputed

from .problems import LABELS, classes, quick, skorch_net, targets

PARAMS = {"augment": None, "hard_weight": 0.3, "blend": 0, "random_state": 0}


def distilled(teacher, cv, X, y, **fit_params):
    """A student whose training sees the teacher's answers for these rows, and nothing else of the teacher."""
    return DistilledClassifier(teacher, skorch_net(), cv=cv, **PARAMS).fit(X, y, **fit_params)


def told(outputs, X, y, **fit_params):
    return DistilledClassifier(Precomputed(outputs), skorch_net(), **PARAMS).fit(X, y, **fit_params)


def assert_learnt_from(est, outputs, X, y):
    np.testing.assert_allclose(est.predict_proba(X), told(outputs, X, y).predict_proba(X), rtol=1e-5, atol=1e-7)


def test_none_is_in_sample():
    X, y = classes()
    teacher = RandomForestClassifier(10, random_state=0)
    est = distilled(teacher, None, X, y)
    assert est.cv_ == "in-sample"
    assert_learnt_from(est, clone(teacher).fit(X, y).predict_proba(X), X, y)


@pytest.mark.parametrize("bootstrap", ["forest", "extra trees", "bagging", "pipeline", "search"])
@pytest.mark.parametrize("kept", [False, True])
def test_oob_is_scikit_learns(bootstrap, kept):
    X, y = classes()
    forest = RandomForestClassifier(30, random_state=0)
    teacher = {
        "forest": forest,
        "extra trees": ExtraTreesClassifier(30, bootstrap=True, random_state=0),
        "bagging": BaggingClassifier(DecisionTreeClassifier(), n_estimators=30, random_state=0),
        "pipeline": make_pipeline(StandardScaler(), forest),
        "search": GridSearchCV(forest, {"max_depth": [3]}, cv=2),
    }[bootstrap]
    inner = {"pipeline": "randomforestclassifier__", "search": "estimator__"}.get(bootstrap, "")
    scored = clone(teacher).set_params(**{f"{inner}oob_score": True}).fit(X, y)
    final = {"pipeline": lambda: scored[-1], "search": lambda: scored.best_estimator_}.get(bootstrap, lambda: scored)()
    assert np.isfinite(final.oob_decision_function_).all()
    est = distilled(clone(teacher).fit(X, y) if kept else teacher, "oob", X, y)
    assert est.cv_ == "oob" and est.teacher_refitted_ is not kept
    assert_learnt_from(est, final.oob_decision_function_, X, y)


def test_oob_of_a_regressor():
    X, y = targets()
    teacher = RandomForestRegressor(30, oob_score=True, random_state=0)
    est = DistilledRegressor(teacher, skorch_net(), cv="oob", **PARAMS).fit(X, y)
    answers = clone(teacher).fit(X, y).oob_prediction_
    same = DistilledRegressor(Precomputed(answers), skorch_net(), **PARAMS).fit(X, y)
    np.testing.assert_allclose(est.predict(X), same.predict(X), rtol=1e-6)


def test_rows_that_were_never_out_of_bag_get_their_in_bag_answer():
    X, y = classes()
    forest = RandomForestClassifier(2, random_state=0).fit(X, y)
    inside = np.stack([np.isin(np.arange(len(X)), bag) for bag in forest.estimators_samples_])
    answers = forest.predict_proba(X)
    for row in np.flatnonzero(~inside.all(axis=0)):
        outside = [tree for tree, seen in zip(forest.estimators_, inside[:, row], strict=True) if not seen]
        answers[row] = np.mean([tree.predict_proba(X[[row]])[0] for tree in outside], axis=0)
    assert inside.all(axis=0).any()
    assert_learnt_from(distilled(forest, "oob", X, y), answers, X, y)


def test_auto():
    X, y = classes()
    assert distilled(RandomForestClassifier(10, random_state=0), "auto", X, y).cv_ == "oob"
    assert distilled(ExtraTreesClassifier(10, random_state=0), "auto", X, y).cv_ == "in-sample"
    assert distilled(LogisticRegression(), "auto", X, y).cv_ == "in-sample"
    # fitted on other rows, or on these in another order
    other = RandomForestClassifier(10, random_state=0).fit(X[:100], y[:100])
    est = distilled(other, "auto", X, y)
    assert est.cv_ == "in-sample"
    assert_learnt_from(est, other.predict_proba(X), X, y)
    turned = RandomForestClassifier(10, random_state=0).fit(X[::-1], y[::-1])
    est = distilled(turned, "auto", X, y)
    assert est.cv_ == "in-sample"
    assert_learnt_from(est, turned.predict_proba(X), X, y)


def test_oob_is_an_error_where_it_cannot_be():
    X, y = classes()
    turned = RandomForestClassifier(10, random_state=0).fit(X[::-1], y[::-1])
    with pytest.raises(ValueError, match=r"cv='oob' needs the rows that .* was fitted on, in that order"):
        distilled(turned, "oob", X, y)
    for teacher in (
        ExtraTreesClassifier(5),
        LogisticRegression(),
        make_pipeline(StandardScaler(), LogisticRegression()),
    ):
        with pytest.raises(ValueError, match=r"cv='oob' needs a bagged teacher.*use cv=5 or cv='auto'"):
            distilled(teacher, "oob", X, y)


def cross_fitted(teacher, splits, X, y, weight=None):
    """By hand, with a class that a fold lacks at the floor."""
    names = np.unique(y)
    answers = np.full((len(y), len(names)), np.nan)
    for train, test in splits:
        fit_params = {} if weight is None else {"sample_weight": weight[train]}
        one = clone(teacher).fit(X[train], y[train], **fit_params)
        answers[test] = FLOOR
        answers[np.ix_(test, np.searchsorted(names, one.classes_))] = one.predict_proba(X[test])
    return answers / answers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("splitter", [KFold(4), StratifiedKFold(3, shuffle=True, random_state=0), "iterable"])
def test_splitters_and_iterables(splitter):
    X, y = classes()
    splits = list((KFold(3) if splitter == "iterable" else splitter).split(X, y))
    cv = splits if splitter == "iterable" else splitter
    teacher = ExtraTreesClassifier(10, random_state=0)
    est = distilled(teacher, cv, X, y)
    assert est.cv_ == "cross-fit"
    assert_learnt_from(est, cross_fitted(teacher, splits, X, y), X, y)
    # features, thresholds and predictions come from the one full fit
    np.testing.assert_array_equal(est.teacher_.predict_proba(X), clone(teacher).fit(X, y).predict_proba(X))


def test_cross_fit_of_a_regressor():
    X, y = targets()
    teacher, splits = Ridge(), list(KFold(3).split(X))
    answers = np.empty(len(y))
    for train, test in splits:
        answers[test] = clone(teacher).fit(X[train], y[train]).predict(X[test])
    est = DistilledRegressor(teacher, skorch_net(), cv=KFold(3), **PARAMS).fit(X, y)
    same = DistilledRegressor(Precomputed(answers), skorch_net(), **PARAMS).fit(X, y)
    np.testing.assert_allclose(est.predict(X), same.predict(X), rtol=1e-6)


@pytest.mark.filterwarnings("ignore:the given outputs do worse:sklkd.exceptions.TeacherWarning")
def test_a_class_that_a_fold_lacks_is_at_the_floor():
    X, y = classes()
    order = np.argsort(y, kind="stable")
    X, y = X[order], y[order]
    teacher = ExtraTreesClassifier(10, random_state=0)
    splits = list(KFold(3).split(X))  # rows are sorted by class: each fold lacks most of one
    splits = [
        (np.setdiff1d(train, np.flatnonzero(y == name)), test)
        for (train, test), name in zip(splits, LABELS, strict=True)
    ]
    assert_learnt_from(distilled(teacher, splits, X, y), cross_fitted(teacher, splits, X, y), X, y)


def test_rows_of_no_fold_get_the_full_teachers_answer():
    X, y = classes()
    teacher = ExtraTreesClassifier(10, random_state=0)
    train, test = np.arange(40, 120), np.arange(40)
    answers = clone(teacher).fit(X, y).predict_proba(X)
    answers[test] = clone(teacher).fit(X[train], y[train]).predict_proba(X[test])
    assert_learnt_from(distilled(teacher, [(train, test)], X, y), answers, X, y)


def test_masks_are_splits_too():
    X, y = classes()
    mask = np.arange(len(y)) % 2 == 0
    teacher = ExtraTreesClassifier(10, random_state=0)
    masks, numbers = [(mask, ~mask)], [(np.flatnonzero(mask), np.flatnonzero(~mask))]
    np.testing.assert_array_equal(
        distilled(teacher, masks, X, y).predict_proba(X), distilled(teacher, numbers, X, y).predict_proba(X)
    )


class Recorder(ClassifierMixin, BaseEstimator):
    """Remembers, beside what it learns, which rows it was fitted on and asked about."""

    log: list = []

    def fit(self, X, y, sample_weight=None):
        self.inner_ = LogisticRegression().fit(X, y, sample_weight)
        self.classes_ = self.inner_.classes_
        self.seen_ = {tuple(row) for row in np.asarray(X)}
        self.log.append(("fit", len(X)))
        return self

    def predict_proba(self, X):
        asked = {tuple(row) for row in np.asarray(X)}
        self.log.append(("leak" if asked & self.seen_ else "unseen", len(X)))
        return self.inner_.predict_proba(X)


def test_an_int_never_separates_identical_rows():
    X, y = classes(60)
    pick = np.random.RandomState(0).randint(60, size=200)
    Recorder.log.clear()
    DistilledClassifier(Recorder(), quick(), cv=4, augment=None, hard_weight=0.3, blend=0, random_state=0).fit(
        X[pick], y[pick]
    )
    fits = [size for kind, size in Recorder.log if kind == "fit"]
    asked = [(kind, size) for kind, size in Recorder.log if kind != "fit"]
    assert len(fits) == 5 and fits[0] == 200
    folds = [size for kind, size in asked if kind == "unseen" and size > 1]
    assert sum(folds) == 200 and len(folds) == 4
    assert not any(kind == "leak" and size > 1 for kind, size in asked)


def test_an_int_gives_the_same_whatever_the_order_of_rows():
    X, y = classes()
    order = np.random.RandomState(0).permutation(len(y))
    est = distilled(LogisticRegression(), 4, X, y)
    turned = distilled(LogisticRegression(), 4, X[order], y[order])
    np.testing.assert_allclose(est.predict_proba(X), turned.predict_proba(X), atol=1e-5)


def test_n_jobs_changes_nothing():
    X, y = classes()
    with joblib.parallel_backend("threading"):
        one, two = (
            DistilledClassifier(ExtraTreesClassifier(5), quick(), cv=3, n_jobs=n_jobs, random_state=0).fit(X, y)
            for n_jobs in (1, 2)
        )
    np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(X))


@pytest.mark.parametrize("cv", [3, KFold(3), [([0, 1], [2])]])
def test_a_kept_teacher_cannot_be_cross_fitted(cv):
    X, y = classes()
    fitted = LogisticRegression().fit(X, y)
    for teacher in (fitted, [("kept", fitted), ("bare", LogisticRegression())]):
        with pytest.raises(
            ValueError, match="would refit the teacher on parts of the rows, but a fitted teacher is kept"
        ):
            distilled(teacher, cv, X, y)


def test_bad_splits():
    X, y = classes()
    with pytest.raises(ValueError, match="cv must hold out each row at most once"):
        distilled(LogisticRegression(), ShuffleSplit(5, test_size=0.5, random_state=0), X, y)
    with pytest.raises(ValueError, match="The 'cv' parameter of DistilledClassifier must be"):
        distilled(LogisticRegression(), "loo", X, y)
    with pytest.raises(ValueError, match="The 'cv' parameter of DistilledClassifier must be"):
        distilled(LogisticRegression(), 1, X, y)
    with pytest.raises(ValueError, match="groups"):
        distilled(LogisticRegression(), GroupKFold(3), X, y)


def test_leave_one_out():
    X, y = classes(30)
    est = distilled(LogisticRegression(), LeaveOneOut(), X, y)
    assert_learnt_from(est, cross_fitted(LogisticRegression(), list(LeaveOneOut().split(X)), X, y), X, y)
