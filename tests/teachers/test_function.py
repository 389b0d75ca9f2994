"""Functions and models with predict alone: what their numbers are taken for."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from scipy.special import expit, log_softmax, softmax
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklkd.teachers import adapt, is_fitted

X, Y = make_classification(120, 5, n_informative=4, n_redundant=0, n_classes=3, random_state=0)
W = np.random.default_rng(0).normal(size=(5, 3))
LOGIT = X @ W[:, 0]
NAMES = np.array(["a", "b", "c"])


def rows_of(X):
    return np.asarray(X, dtype=float) @ W


# what is returned, the classes, what it is read as, and the probabilities
OUTPUTS = {
    "softmax": (lambda X: softmax(rows_of(X), axis=1), NAMES, "probabilities", softmax(X @ W, axis=1)),
    "logits": (rows_of, NAMES, "logits", softmax(X @ W, axis=1)),
    "log-softmax": (lambda X: log_softmax(rows_of(X), axis=1), NAMES, "log-probabilities", softmax(X @ W, axis=1)),
    "sigmoids": (
        lambda X: expit(rows_of(X)),
        NAMES,
        "one-vs-rest probabilities",
        expit(X @ W) / expit(X @ W).sum(axis=1, keepdims=True),
    ),
    "sigmoid, a column": (
        lambda X: expit(rows_of(X)[:, :1]).astype(np.float32),
        NAMES[:2],
        "probabilities",
        np.stack([expit(-LOGIT), expit(LOGIT)], axis=1),
    ),
    "sigmoid": (
        lambda X: expit(rows_of(X)[:, 0]),
        NAMES[:2],
        "probabilities",
        np.stack([expit(-LOGIT), expit(LOGIT)], axis=1),
    ),
    "labels": (lambda X: NAMES[rows_of(X).argmax(axis=1)], NAMES, "labels", np.eye(3)[(X @ W).argmax(axis=1)]),
    "codes as floats": (
        lambda X: rows_of(X).argmax(axis=1) + 2.0,
        np.array([2, 3, 4]),
        "labels",
        np.eye(3)[(X @ W).argmax(axis=1)],
    ),
}


class Predicts:
    """As a Keras model: predict gives probabilities, and there are no classes_."""

    def __init__(self, function):
        self.function = function

    def fit(self, X, y):
        raise AssertionError("a model that cannot be cloned is kept as it is")

    def predict(self, X):
        return self.function(X)


class Called:
    def __init__(self, function):
        self.function = function

    def __call__(self, X):
        return self.function(X)


def in_a_pipeline(function):
    return make_pipeline(StandardScaler(with_mean=False, with_std=False).fit(X), Predicts(function))


def shifted(function, scale, X):
    return function(scale * X)


WAYS = {
    "predict": Predicts,
    "function": lambda function: function,
    "__call__": Called,
    "partial": lambda function: partial(shifted, function, 1.0),
    "pipeline": in_a_pipeline,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", OUTPUTS)
def test_outputs_are_read_by_what_they_look_like(kind, way):
    function, classes, reading, expected = OUTPUTS[kind]
    model = WAYS[way](function)
    teacher = adapt(model, classes).prepared(X)
    assert teacher.reads_as == reading
    outputs = teacher.outputs(X)
    assert np.allclose(outputs.proba, expected, atol=1e-6)
    assert (outputs.margins is not None) == (reading in ("logits", "log-probabilities"))
    # a single row is read as the many were
    assert np.allclose(teacher.outputs(X[:1]).proba, expected[:1], atol=1e-6)
    if way != "pipeline":
        assert is_fitted(model)


def test_an_adapter_that_is_prepared_again_reads_outputs_as_before():
    def logit_or_probability(X):
        return np.asarray(X)[:, 0]

    unsure, sure = np.full((50, 1), 0.5), np.full((50, 1), 3.0)
    first = adapt(logit_or_probability, NAMES[:2]).prepared(sure)
    assert first.reads_as == "logits" and first.prepared(unsure).reads_as == "logits"
    assert adapt(logit_or_probability, NAMES[:2]).prepared(unsure).reads_as == "probabilities"


@pytest.mark.parametrize("way", WAYS)
def test_values(way):
    teacher = adapt(WAYS[way](lambda X: np.asarray(X)[:, :2])).prepared(X)
    assert teacher.reads_as == "values" and np.array_equal(teacher.outputs(X).values, X[:, :2])


def test_a_function_may_return_one_logit_and_a_model_may_not():
    def logit(X):
        return rows_of(X)[:, 0]

    assert np.allclose(adapt(logit, NAMES[:2]).outputs(X).proba[:, 1], expit(LOGIT))
    with pytest.raises(ValueError, match="which is none of the classes"):
        adapt(Predicts(logit), NAMES[:2]).outputs(X)


def test_a_tensor_with_a_gradient():
    weight = torch.tensor(W, requires_grad=True)
    teacher = adapt(lambda X: torch.as_tensor(X) @ weight, NAMES)
    assert np.allclose(teacher.outputs(X).margins, X @ W)


def test_columns_of_a_method_follow_the_classes_of_its_object():
    forest = RandomForestClassifier(5, random_state=0).fit(X, NAMES[Y])
    p = forest.predict_proba(X)[:, [0, 2]]
    mass = p.sum(axis=1, keepdims=True)
    expected = np.divide(p, mass, out=np.full_like(p, 0.5), where=mass > 0)
    assert np.allclose(adapt(forest.predict_proba, ["a", "c"]).outputs(X).proba, expected)


def test_a_class_is_no_function():
    with pytest.raises(TypeError, match="teacher must have"):
        adapt(Called, NAMES)
