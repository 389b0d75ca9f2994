"""Which teacher is fitted, which takes codes, which adapter it gets."""

from __future__ import annotations

import catboost
import lightgbm
import numpy as np
import pytest
import skorch
import torch
import xgboost
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import sklkd.teachers
from sklkd.teachers import adapt, is_fitted, layers, takes_codes
from sklkd.teachers._adapt import ADAPTERS

X, Y = load_iris(return_X_y=True)
X = X.astype(np.float32)
NET = skorch.NeuralNetClassifier(
    torch.nn.Linear(4, 3), criterion=torch.nn.CrossEntropyLoss, max_epochs=1, verbose=0, train_split=None
)
UNFITTED = [
    RandomForestClassifier(2),
    make_pipeline(StandardScaler(), LogisticRegression()),
    make_pipeline(StandardScaler(), NET),
    GridSearchCV(LogisticRegression(max_iter=1000), {"C": [1]}, cv=2),
    GridSearchCV(NET, {"lr": [0.1]}, cv=2),
    VotingClassifier([("lr", LogisticRegression())]),
    xgboost.XGBClassifier(n_estimators=1),
    lightgbm.LGBMClassifier(n_estimators=1, verbose=-1),
    catboost.CatBoostClassifier(iterations=1, verbose=0, allow_writing_files=False),
    NET,
]


@pytest.mark.parametrize("model", UNFITTED, ids=lambda model: type(model).__name__)
def test_is_fitted(model):
    model = clone(model)
    assert not is_fitted(model)
    assert not is_fitted([("a", LogisticRegression().fit(X, Y)), ("b", model)])
    model.fit(X, Y)
    assert is_fitted(model) and is_fitted(FrozenEstimator(model)) and is_fitted([("a", model), ("b", model)])
    assert not is_fitted(clone(model))
    assert adapt(model, [0, 1, 2]).outputs(X).proba.shape == (150, 3)


def test_what_cannot_be_unfitted():
    class Own:
        def predict_proba(self, X):
            return np.full((len(X), 2), 0.5)

    class Rule(BaseEstimator):
        def predict(self, X):
            return np.zeros(len(X))

    for teacher in (Own(), Rule(), torch.nn.Linear(2, 2), adapt(Own(), [0, 1])):
        assert is_fitted(teacher)
    with pytest.raises(TypeError):
        is_fitted([LogisticRegression()])


def test_a_frozen_last_step_does_not_vouch_for_the_others():
    last = FrozenEstimator(LogisticRegression().fit(X, Y))
    assert not is_fitted(make_pipeline(StandardScaler(), last))
    assert is_fitted(make_pipeline(StandardScaler().fit(X), last))
    assert is_fitted(make_pipeline(FunctionTransformer(), "passthrough", last))


def test_an_unfitted_teacher_says_so_itself():
    with pytest.raises(NotFittedError):
        adapt(LogisticRegression(), [0, 1]).outputs(X)


def test_takes_codes():
    boosted = xgboost.XGBClassifier()
    for teacher in (boosted, NET, make_pipeline(StandardScaler(), NET), GridSearchCV(boosted, {}, cv=2)):
        assert takes_codes(teacher)
    for teacher in (LogisticRegression(), lightgbm.LGBMClassifier(), VotingClassifier([("x", boosted)])):
        assert not takes_codes(teacher)

    class Sub(xgboost.XGBClassifier):
        pass

    assert takes_codes(Sub())


def test_adapters_are_kept():
    teacher = adapt(LogisticRegression().fit(X, Y), [0, 1, 2])
    assert adapt(teacher, [0, 1, 2]) is teacher
    assert layers(teacher) == {}


def test_every_adapter_stands_for_something():
    assert all(adapter.__doc__ and adapter.accepts is not sklkd.teachers.Teacher.accepts for adapter in ADAPTERS)
    assert all(hasattr(sklkd.teachers, name) for name in sklkd.teachers.__all__)
