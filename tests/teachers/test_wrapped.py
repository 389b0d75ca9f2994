"""Pipelines, searches, frozen and distilled estimators."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import skorch
import torch
import xgboost
from sklearn.base import BaseEstimator
from sklearn.datasets import load_iris, make_regression
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklkd.teachers import Precomputed, adapt, layers

X, CODES = load_iris(return_X_y=True)
NAMES = np.array(["x", "y", "z"])
Y = NAMES[CODES]


def test_margins_come_through_a_pipeline():
    model = make_pipeline(StandardScaler(), xgboost.XGBClassifier(n_estimators=3, max_depth=2)).fit(X, CODES)
    outputs = adapt(model, NAMES).outputs(X)
    assert np.allclose(outputs.margins, model[-1].predict(model[0].transform(X), output_margin=True))
    assert np.allclose(outputs.proba, model.predict_proba(X), atol=1e-6)


def test_steps_that_do_nothing_or_only_resample():
    class Resampler(BaseEstimator):
        def fit_resample(self, X, y):
            return X, y

    model = Pipeline([("no", "passthrough"), ("none", None), ("scale", StandardScaler()), ("lr", LogisticRegression())])
    model.fit(X, Y)
    expected = model.predict_proba(X)
    assert np.allclose(adapt(model, NAMES).outputs(X).proba, expected)
    model.steps.insert(3, ("resample", Resampler()))
    assert np.allclose(adapt(model, NAMES).outputs(X).proba, expected)


def test_the_pipeline_gets_the_frame_and_its_last_step_what_the_others_made():
    data = pd.DataFrame({"kind": Y, "width": X[:, 0]})
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), RandomForestClassifier(5, random_state=0))
    model.fit(data, Y)
    teacher = adapt(model, NAMES)
    assert np.allclose(teacher.outputs(data).proba, model.predict_proba(data))
    assert np.array_equal(teacher.features(data, "leaves"), model[-1].apply(model[0].transform(data)))
    assert teacher.layers == layers(model) == {"leaves": (5,), "leaf_embedding": (32,), "members": (5, 3)}
    with pytest.raises(ValueError, match="RandomForestClassifier has no layer 'hidden'"):
        teacher.features(data, "hidden")


def test_search_and_frozen():
    search = GridSearchCV(LogisticRegression(max_iter=1000), {"C": [0.1, 1]}, cv=2).fit(X, Y)
    for model in (search, FrozenEstimator(search), FrozenEstimator(make_pipeline(FrozenEstimator(search)))):
        outputs = adapt(model, NAMES).outputs(X)
        assert np.allclose(outputs.margins, search.decision_function(X))
        assert np.allclose(outputs.proba, search.predict_proba(X))
    assert np.allclose(adapt(search, NAMES[1:]).outputs(X).proba.sum(axis=1), 1)


def test_frozen_of_anything():
    net = torch.nn.Linear(4, 3)
    assert adapt(FrozenEstimator(net), NAMES).outputs(X).margins is not None
    held = adapt(FrozenEstimator(Precomputed(np.full((150, 3), 1 / 3))), NAMES)
    assert not held.answers_new_rows and len(held.outputs(X)) == 150


def test_spread_through_a_pipeline():
    XR, YR = make_regression(60, 3, random_state=0)
    model = make_pipeline(StandardScaler(), RandomForestRegressor(5, random_state=0)).fit(XR, YR)
    trees = np.stack([tree.predict(model[0].transform(XR)) for tree in model[-1].estimators_])
    outputs = adapt(model).outputs(XR, spread=True)
    assert np.allclose(outputs.spread[:, 0], trees.std(axis=0)) and np.allclose(
        outputs.values[:, 0], trees.mean(axis=0)
    )


def test_a_pipeline_around_a_net():
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Tanh(), torch.nn.Linear(6, 3))
    net = skorch.NeuralNetClassifier(
        module, criterion=torch.nn.CrossEntropyLoss, max_epochs=1, verbose=0, train_split=None
    )
    to_float = StandardScaler().fit(X)
    net.fit(to_float.transform(X).astype(np.float32), CODES)
    teacher = adapt(Pipeline([("scale", to_float), ("net", net)]), NAMES)
    hidden = net.module_[:2](torch.as_tensor(to_float.transform(X)).float()).detach().numpy()
    assert np.allclose(teacher.features(X), hidden, atol=1e-6)
    assert np.allclose(teacher.outputs(X).proba.sum(axis=1), 1)


class Distilled(BaseEstimator):
    """What makes a distilled estimator: an encoder, a student, classes."""

    def fit(self, X, y):
        torch.manual_seed(0)
        self.encoder_ = StandardScaler().fit(X)
        self.classes_, codes = np.unique(y, return_inverse=True)
        module = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Tanh(), torch.nn.Linear(6, 3))
        self.student_ = skorch.NeuralNetClassifier(
            module, criterion=torch.nn.CrossEntropyLoss, max_epochs=1, verbose=0, train_split=None
        )
        self.student_.fit(self._encoded(X), codes)
        return self

    def _encoded(self, X):
        return self.encoder_.transform(X).astype(np.float32)

    def predict_proba(self, X):
        return self.student_.predict_proba(self._encoded(X))

    def decision_function(self, X):
        return self.student_.forward(self._encoded(X)).numpy()


def test_a_distilled_estimator_teaches():
    model = Distilled().fit(X, Y)
    teacher = adapt(model, NAMES)
    outputs = teacher.outputs(X)
    assert np.allclose(outputs.proba, model.predict_proba(X), atol=1e-6)
    assert np.allclose(outputs.margins, model.decision_function(X))
    hidden = model.student_.module_[:2](torch.as_tensor(model._encoded(X))).detach().numpy()
    assert np.allclose(teacher.features(X), hidden, atol=1e-6)
    assert teacher.layers["1"] == (6,)
    assert [len(t) for t, _ in teacher.thresholds(X)] == [0] * 4
    model.teacher_ = RandomForestClassifier(5, random_state=0).fit(X, Y)
    expected = adapt(model.teacher_, NAMES).thresholds(X)
    for (a, u), (b, v) in zip(adapt(model, NAMES).thresholds(X), expected, strict=True):
        assert np.array_equal(a, b) and np.array_equal(u, v)
