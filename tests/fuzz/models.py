"""Small teachers, students and estimators, and how many cases each test draws."""

from __future__ import annotations

import os
from functools import cache

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sklkd import (
    DistilledClassifier,
    DistilledRegressor,
    OnlineDistilledClassifier,
    OnlineDistilledRegressor,
    SelfDistilledClassifier,
    SelfDistilledRegressor,
)
from tests.estimators.problems import quick


def cases(max_examples):
    """Settings of a test with so many cases; SKLKD_FUZZ_CASES multiplies them."""
    factor = float(os.environ.get("SKLKD_FUZZ_CASES", "1"))
    return settings(max_examples=max(1, int(max_examples * factor)), suppress_health_check=list(HealthCheck))


class Anything(BaseEstimator):
    """A teacher that takes rows of any kind, and tells even from odd ones."""

    def fit(self, X, y):
        y = np.asarray(y)
        if isinstance(self, ClassifierMixin):
            self.classes_ = [np.unique(one) for one in y.T] if y.ndim == 2 else np.unique(y)
        self.shape_ = y.shape[1:]
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.sparse = True
        return tags


class AnyClassifier(ClassifierMixin, Anything):
    def predict_proba(self, X):
        n = X.shape[0] if hasattr(X, "shape") else len(X)
        if isinstance(self.classes_, list):
            return np.full((n, len(self.classes_)), 0.4)
        k = len(self.classes_)
        return 0.1 / k + 0.9 * np.eye(k)[np.arange(n) % k]


class AnyRegressor(RegressorMixin, Anything):
    def predict(self, X):
        n = X.shape[0] if hasattr(X, "shape") else len(X)
        return np.full((n, *self.shape_), 0.5) + (np.arange(n) % 2).reshape(n, *[1] * len(self.shape_))


def encoded(model):
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
    others = make_column_selector(dtype_exclude=["number", "bool"])
    return make_pipeline(make_column_transformer((codes, others), remainder="passthrough"), model)


TEACHERS = {
    "Classifier": {
        "anything": AnyClassifier(),
        "dummy": DummyClassifier(strategy="stratified", random_state=0),
        "tree": DecisionTreeClassifier(max_depth=3, random_state=0),
        "linear": LogisticRegression(max_iter=20),
        "encoded": encoded(HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=2, random_state=0)),
    },
    "Regressor": {
        "anything": AnyRegressor(),
        "dummy": DummyRegressor(),
        "tree": DecisionTreeRegressor(max_depth=3, random_state=0),
        "linear": Ridge(),
        "encoded": encoded(HistGradientBoostingRegressor(max_iter=2, min_samples_leaf=2, random_state=0)),
    },
}
STUDENTS = {
    "Classifier": {
        "net": quick(1),
        "tree": DecisionTreeClassifier(max_depth=3, random_state=0),
        "linear": LogisticRegression(max_iter=20),
    },
    "Regressor": {
        "net": quick(1),
        "tree": DecisionTreeRegressor(max_depth=3, random_state=0),
        "linear": Ridge(),
    },
}
PLAIN = {"hard_weight": 0.1, "blend": 0, "augment": None, "random_state": 0}
"""No label-only students, and no synthetic rows."""


@st.composite
def distilled(draw, kind):
    """An offline estimator, not fitted."""
    teacher = TEACHERS[kind][draw(st.sampled_from(sorted(TEACHERS[kind])))]
    student = STUDENTS[kind][draw(st.sampled_from(["net", "net", *sorted(STUDENTS[kind])]))]
    more = draw(st.sampled_from([{}, {}, {"augment": "auto"}, {"cv": 2}, {"hard_weight": 1.0}]))
    made = DistilledClassifier if kind == "Classifier" else DistilledRegressor
    return made(clone(teacher), clone(student), **PLAIN | more)


def online(kind):
    made = OnlineDistilledClassifier if kind == "Classifier" else OnlineDistilledRegressor
    return st.builds(lambda: made([("a", quick(1)), ("b", quick(1))], random_state=0))


def alone(kind):
    made = SelfDistilledClassifier if kind == "Classifier" else SelfDistilledRegressor
    return st.builds(lambda: made(quick(1), random_state=0))


@cache
def fitted_before(kind, mode):
    """An estimator that has been fitted on plain numbers."""
    rng = np.random.RandomState(0)
    X = rng.standard_normal((40, 3))
    y = (X[:, 0] > 0) * 1 if kind == "Classifier" else X[:, 0] + 5
    makers = {
        "distilled": lambda: (DistilledClassifier if kind == "Classifier" else DistilledRegressor)(
            clone(TEACHERS[kind]["tree"]), quick(1), **PLAIN
        ),
        "online": lambda: (OnlineDistilledClassifier if kind == "Classifier" else OnlineDistilledRegressor)(
            [("a", quick(1)), ("b", quick(1))], random_state=0
        ),
        "alone": lambda: (SelfDistilledClassifier if kind == "Classifier" else SelfDistilledRegressor)(
            quick(1), random_state=0
        ),
    }
    return makers[mode]().fit(X, y), X


STRATEGIES = {"distilled": distilled, "online": online, "alone": alone}
