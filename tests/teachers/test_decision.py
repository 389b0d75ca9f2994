"""Thresholds of teachers: at the threshold's probabilities, labels are those of the teacher's own predict."""

from __future__ import annotations

import catboost
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    BaggingClassifier,
    GradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV, TunedThresholdClassifierCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from sklkd.teachers import Precomputed, adapt, decision_threshold

NAMES = np.array(["no", "yes"])
X, CODES = make_classification(1200, 8, n_informative=5, weights=[0.8], flip_y=0.05, random_state=0)
Y = NAMES[CODES]
SEEN, FRESH = slice(0, 700), slice(700, None)


def fixed(inner, **params):
    return FixedThresholdClassifier(inner, **params)


def forest():
    return RandomForestClassifier(15, min_samples_leaf=3, random_state=0)


class Cautious(ClassifierMixin, BaseEstimator):
    """A user's own class: yes from a probability of .15 on."""

    def fit(self, X, y):
        self.inner_ = LogisticRegression().fit(X, y)
        self.classes_ = self.inner_.classes_
        return self

    def predict_proba(self, X):
        return self.inner_.predict_proba(X)

    def predict(self, X):
        return self.classes_[(self.predict_proba(X)[:, 1] >= 0.15).astype(int)]


STATED = {
    "probability": fixed(forest(), threshold=0.1),
    "first class": fixed(GaussianNB(), threshold=0.1, pos_label="no"),
    "auto": fixed(forest()),
    "margin": fixed(LogisticRegression(), threshold=-1.0, response_method="decision_function"),
    "margin, first class": fixed(
        LogisticRegression(), threshold=-1.0, pos_label="no", response_method="decision_function"
    ),
    "margin of trees": fixed(
        GradientBoostingClassifier(n_estimators=5), threshold=-1.0, response_method="decision_function"
    ),
    "no probabilities": fixed(LinearSVC(), threshold=-0.3),
    "tuned": TunedThresholdClassifierCV(GaussianNB(), scoring="balanced_accuracy", cv=2, thresholds=15),
    "tuned, first class": TunedThresholdClassifierCV(
        GaussianNB(), scoring=make_scorer(f1_score, pos_label="no"), cv=2, thresholds=15
    ),
    "deep": make_pipeline(StandardScaler(), GridSearchCV(fixed(forest(), threshold=0.3), {}, cv=2)),
    "user": Cautious(),
    "frozen user": FrozenEstimator(Cautious().fit(X[SEEN], Y[SEEN])),
    "stack": StackingClassifier([("a", GaussianNB())], fixed(LogisticRegression(), threshold=0.2), cv=2),
}


def labels_at(threshold, proba):
    chosen = proba.argmax(axis=1) if threshold is None else (proba[:, 1] >= threshold).astype(int)
    return NAMES[chosen]


@pytest.mark.parametrize("name", STATED)
def test_labels_on_fresh_rows_are_those_of_predict(name):
    model = STATED[name].fit(X[SEEN], Y[SEEN])
    teacher = adapt(model, NAMES)
    threshold = decision_threshold(teacher, X[SEEN])
    assert threshold is not None
    assert np.array_equal(labels_at(threshold, teacher.predictions(X[FRESH])), model.predict(X[FRESH]))


@given(st.floats(0.01, 0.99), st.sampled_from(["no", "yes"]))
def test_a_stated_threshold_is_exact_at_the_probabilities_themselves(threshold, pos_label):
    class Stored(ClassifierMixin, BaseEstimator):
        classes_ = NAMES

        def fit(self, X, y):
            return self

        def __sklearn_is_fitted__(self):
            return True

        def predict_proba(self, X):
            return np.stack([1 - X[:, 0], X[:, 0]], axis=1)

    grid = np.array([0.0, 1.0, threshold, 1 - threshold])
    grid = np.unique(np.clip(np.concatenate([grid, np.nextafter(grid, 0), np.nextafter(grid, 1)]), 0, 1))[:, None]
    labels = NAMES[np.arange(len(grid)) % 2]
    model = fixed(Stored(), threshold=threshold, pos_label=pos_label).fit(grid, labels)
    teacher = adapt(model, NAMES)
    found = decision_threshold(teacher, grid)
    assert found is not None
    assert np.array_equal(labels_at(found, teacher.predictions(grid)), model.predict(grid))


def test_codes_instead_of_names():
    model = fixed(LogisticRegression(), threshold=0.2).fit(X, CODES)
    assert decision_threshold(adapt(model, NAMES), X) == 0.2


def test_a_threshold_of_catboost():
    model = catboost.CatBoostClassifier(iterations=10, verbose=0, allow_writing_files=False).fit(X[SEEN], Y[SEEN])
    assert decision_threshold(adapt(model, NAMES), X) is None
    model.set_probability_threshold(0.2)
    teacher = adapt(model, NAMES)
    assert np.array_equal(
        labels_at(decision_threshold(teacher, X[SEEN]), teacher.predictions(X[FRESH])), model.predict(X[FRESH])
    )


def test_ordinary_classifiers_are_not_asked_for_labels(monkeypatch):
    def refuse(self, X):
        raise AssertionError("predict was called")

    for model in (forest(), LogisticRegression(), GaussianNB()):
        model.fit(X, Y)
        monkeypatch.setattr(type(model), "predict", refuse)
        assert decision_threshold(adapt(model, NAMES), X) is None


def test_votes_and_ensembles_that_no_threshold_reproduces():
    members = [("a", forest()), ("b", GaussianNB()), ("c", LogisticRegression())]
    votes = VotingClassifier(members).fit(X, Y)
    soft = VotingClassifier(members, voting="soft").fit(X, Y)
    bagged = BaggingClassifier(fixed(forest(), threshold=0.1), 2, random_state=0).fit(X, Y)
    for model in (votes, soft, bagged):
        assert decision_threshold(adapt(model, NAMES), X) is None
    # The premise: votes are not the largest mean probability.
    assert not np.array_equal(votes.predict(X), NAMES[adapt(votes, NAMES).predictions(X).argmax(axis=1)])


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_platt_scaling_agrees_with_predict_at_the_threshold_or_has_none():
    model = SVC(probability=True, random_state=0).fit(X[SEEN], Y[SEEN])
    teacher = adapt(model, NAMES)
    found = decision_threshold(teacher, X[SEEN])
    if found is not None:
        labels = labels_at(found, teacher.predictions(X[SEEN]))
        assert np.array_equal(labels, model.predict(X[SEEN]))


class Broken(Cautious):
    def predict(self, X):
        raise RuntimeError("not today")


class Scores(Cautious):
    def predict(self, X):
        return self.predict_proba(X)


def test_what_gives_no_labels_has_no_threshold():
    for kind in (Broken, Scores):
        assert decision_threshold(adapt(kind().fit(X, Y), NAMES), X) is None
    assert decision_threshold(adapt(torch.nn.Linear(8, 2), NAMES), X) is None
    assert decision_threshold(adapt(Precomputed(np.full((len(X), 2), 0.5)), NAMES), X) is None
    three = LogisticRegression().fit(X, np.arange(len(X)) % 3)
    assert decision_threshold(adapt(three, [0, 1, 2]), X) is None
    assert decision_threshold(adapt([("a", forest().fit(X, Y))], NAMES), X) is None
