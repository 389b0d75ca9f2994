"""Which teachers are asked for few rows, by shape and name."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    AdaBoostRegressor,
    BaggingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_selection import SelectFromModel
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.impute import KNNImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor
from sklearn.neighbors import (
    KNeighborsClassifier,
    KNeighborsRegressor,
    NearestCentroid,
    RadiusNeighborsClassifier,
    RadiusNeighborsRegressor,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklkd import DistilledClassifier, DistilledRegressor
from sklkd.students import TabularStudent
from sklkd.teachers import Teacher, adapt, is_costly, is_fitted, learns_in_context

from ..context_teachers import TabPFNClassifier, TabPFNRegressor

NEIGHBOURS, LINEAR = KNeighborsClassifier(), LogisticRegression()


class MyNeighbours(KNeighborsClassifier):
    """A class of the user's own."""


class Service:
    """Something that is paid for by the row, and says so."""

    costly = True

    def predict(self, X):
        return np.zeros(len(X))


class ServiceAdapter(Teacher):
    costly = True


def of_library(name):
    return type("Model", (), {"__module__": name, "predict": Service.predict})()


ALL = [
    NEIGHBOURS,
    KNeighborsRegressor(weights="distance"),
    RadiusNeighborsClassifier(),
    RadiusNeighborsRegressor(),
    GaussianProcessClassifier(),
    GaussianProcessRegressor(),
    TabPFNClassifier(),
    TabPFNRegressor(),
    of_library("tabicl.sklearn.classifier"),
    of_library("tabdpt"),
    of_library("tabpfn_client.estimator"),
    MyNeighbours(),
    Service(),
    ServiceAdapter(Service()),
    make_pipeline(StandardScaler(), NEIGHBOURS),
    GridSearchCV(make_pipeline(StandardScaler(), NEIGHBOURS), {}),
    FrozenEstimator(NEIGHBOURS),
    CalibratedClassifierCV(NEIGHBOURS),
    CalibratedClassifierCV(FrozenEstimator(NEIGHBOURS)),
    MultiOutputRegressor(GaussianProcessRegressor()),
    MultiOutputClassifier(NEIGHBOURS),
    ClassifierChain(NEIGHBOURS),
    OneVsRestClassifier(GaussianProcessClassifier()),
    TransformedTargetRegressor(KNeighborsRegressor(), transformer=StandardScaler()),
    TunedThresholdClassifierCV(NEIGHBOURS),
    BaggingClassifier(NEIGHBOURS),
    AdaBoostRegressor(GaussianProcessRegressor()),
    VotingClassifier([("a", NEIGHBOURS), ("b", "drop"), ("c", TabPFNClassifier())]),
    [("a", NEIGHBOURS), ("b", make_pipeline(StandardScaler(), TabPFNClassifier()))],
]
SOME = [
    VotingClassifier([("a", NEIGHBOURS), ("b", LINEAR)]),
    VotingRegressor([("a", Ridge()), ("b", GaussianProcessRegressor())]),
    StackingClassifier([("a", NEIGHBOURS)], final_estimator=LINEAR),
    [("a", RandomForestClassifier()), ("b", CalibratedClassifierCV(NEIGHBOURS))],
]
NONE = [
    LINEAR,
    SVC(),
    NearestCentroid(),
    RandomForestClassifier(),
    make_pipeline(KNNImputer(), LINEAR),
    make_pipeline(SelectFromModel(NEIGHBOURS), LINEAR),
    AdaBoostRegressor(),
    [("a", LINEAR), ("b", Ridge())],
    # a student answers
    DistilledClassifier(NEIGHBOURS, TabularStudent("tiny")),
    lambda X: np.zeros(len(X)),
    of_library("tabpfn_of_mine"),
]


def ids(teacher):
    return type(teacher).__name__


@pytest.mark.parametrize("teacher", ALL, ids=ids)
def test_all_of_it_learns_in_context(teacher):
    assert is_costly(teacher) and learns_in_context(teacher)


@pytest.mark.parametrize("teacher", SOME, ids=ids)
def test_a_part_of_it_does(teacher):
    assert is_costly(teacher) and not learns_in_context(teacher)


@pytest.mark.parametrize("teacher", NONE, ids=ids)
def test_none_of_it_does(teacher):
    assert not is_costly(teacher) and not learns_in_context(teacher)


@pytest.mark.parametrize("best", [NEIGHBOURS, LINEAR], ids=ids)
def test_of_a_search_what_was_found_counts(best):
    X, y = np.arange(40.0)[:, None], np.arange(40) % 2
    pipeline = make_pipeline(StandardScaler(), LINEAR)
    assert not is_costly(GridSearchCV(pipeline, {"logisticregression": [NEIGHBOURS]}))
    search = GridSearchCV(pipeline, {"logisticregression": [best]}, cv=2).fit(X, y)
    assert is_costly(search) == adapt(search, [0, 1]).costly == (best is NEIGHBOURS)


@pytest.mark.parametrize("wrap", [lambda one: one, FrozenEstimator, lambda one: [("a", one), ("b", one)]])
@pytest.mark.parametrize("multilabel", [False, True])
def test_the_adapter_says_so(wrap, multilabel):
    X, y = np.arange(40.0)[:, None], np.arange(40) % 2
    for model, costly in ((NEIGHBOURS, True), (RandomForestClassifier(2), False)):
        fitted = model.fit(X, np.stack([y, y], axis=1) if multilabel else y)
        assert adapt(wrap(fitted), None if multilabel else [0, 1], multilabel=multilabel).costly is costly


def test_a_gaussian_process_that_answers_from_its_prior_is_not_fitted():
    X, y = np.arange(20.0)[:, None], np.arange(20.0)
    process = GaussianProcessRegressor(optimizer=None)
    pipeline = make_pipeline(StandardScaler(), process)
    assert not any(map(is_fitted, (process, pipeline, FrozenEstimator(process), [("a", process)])))
    pipeline.fit(X, y)
    assert all(map(is_fitted, (process, pipeline, FrozenEstimator(process), [("a", process)])))
    est = DistilledRegressor(clone(process), TabularStudent("tiny", max_epochs=1), random_state=0)
    assert est.fit(X, y).teacher_refitted_
