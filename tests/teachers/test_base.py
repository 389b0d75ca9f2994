"""What every adapter checks, aligns and chunks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from scipy.special import expit, softmax

import sklkd.teachers._rows as rows
from sklkd.teachers import FLOOR, Teacher, adapt


class Says:
    """A teacher that answers what it was told, whatever it is asked."""

    def __init__(self, proba=None, values=None, margins=None, classes=None):
        if proba is not None:
            self.predict_proba = lambda X: proba
        if values is not None:
            self.predict = lambda X: values
        if margins is not None:
            self.decision_function = lambda X: np.asarray(margins)[: len(X)]
        if classes is not None:
            self.classes_ = np.asarray(classes)


X2 = np.zeros((2, 1))


@pytest.mark.parametrize(
    ("proba", "message"),
    [
        ([[np.nan, 1.0], [0.5, 0.5]], r"NaN or infinity in 1 of 2 rows \(first in row 0"),
        ([[0.5, 0.5], [-0.5, 1.5]], r"negative probability in 1 of 2 rows \(first in row 1"),
        ([[0.5, 0.5], [0.7, 0.7]], "do not sum to one in 1 of 2 rows"),
        ([[0.5, 0.5]], r"one row per row of X \(2\), got 1 rows"),
        ([0.5, 0.5], r"shape \(n_rows, n_classes\), got shape \(2,\)"),
        (0.5, "got a single number"),
        (np.full((2, 1, 2), 0.5), r"got shape \(2, 1, 2\)"),
        ([["a", "b"], ["c", "d"]], "must return numbers"),
        ([np.eye(2), np.eye(2)], "multi-output"),
    ],
)
def test_bad_probabilities(proba, message):
    with pytest.raises(ValueError, match=message):
        adapt(Says(proba=proba), [0, 1]).outputs(X2)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, np.inf], "not finite .first in row 1"),
        ([np.nan, 1.0], "not finite .first in row 0"),
        ([1.0], r"one row per row of X \(2\), got 1 rows"),
        (np.zeros((2, 1, 1)), r"got shape \(2, 1, 1\)"),
    ],
)
def test_bad_values(values, message):
    with pytest.raises(ValueError, match=message):
        adapt(Says(values=values)).outputs(X2)


def test_rounding_is_normalised():
    proba = adapt(Says(proba=np.array([[0.3, 0.6996], [1.0004, -1e-9]], np.float32)), [0, 1]).outputs(X2).proba
    assert proba.dtype == np.float64
    assert np.allclose(proba.sum(axis=1), 1, rtol=0, atol=1e-15) and proba.min() >= 0
    assert np.allclose(proba[0], [0.3 / 0.9996, 0.6996 / 0.9996])


def test_values_become_columns():
    assert adapt(Says(values=[1, 2])).outputs(X2).values.tolist() == [[1.0], [2.0]]
    assert adapt(Says(values=np.ones((2, 3)))).outputs(X2).values.shape == (2, 3)


def test_surplus_classes_are_dropped_and_rows_renormalised():
    proba = [[0.2, 0.5, 0.3], [0.0, 1.0, 0.0]]
    outputs = adapt(Says(proba=proba, classes=["a", "b", "c"]), ["a", "c"]).outputs(X2)
    assert np.allclose(outputs.proba, [[0.4, 0.6], [0.5, 0.5]])


def test_unseen_class_is_an_error_or_the_floor():
    teacher = Says(proba=[[0.2, 0.8], [1.0, 0.0]], classes=["a", "c"])
    with pytest.raises(ValueError, match="Says has never seen class 'b' of y"):
        adapt(teacher, ["a", "b", "c"]).outputs(X2)
    floored = adapt(teacher, ["a", "b", "c"], missing="floor").outputs(X2).proba
    assert np.allclose(floored, np.array([[0.2, FLOOR, 0.8], [1.0, FLOOR, 0.0]]) / (1 + FLOOR))
    assert np.allclose(adapt(teacher, ["a", "b", "c"], missing="zero").outputs(X2).proba[:, 1], 0)


def test_columns_follow_names_and_not_positions():
    proba = np.array([[0.1, 0.2, 0.7], [0.3, 0.3, 0.4]])
    outputs = adapt(Says(proba=proba, classes=["c", "a", "b"]), ["a", "b", "c"]).outputs(X2)
    assert np.allclose(outputs.proba, proba[:, [1, 2, 0]])


def test_margins_count_only_if_their_softmax_is_the_probability():
    z = np.array([[2.0, -1.0, 0.0], [0.0, 0.5, 3.0]])
    kept = adapt(Says(proba=softmax(z, axis=1), margins=z, classes=[0, 1, 2]), [0, 1, 2]).outputs(X2)
    assert np.array_equal(kept.margins, z) and np.allclose(kept.proba, softmax(z, axis=1))
    other = adapt(Says(proba=softmax(2 * z, axis=1), margins=z, classes=[0, 1, 2]), [0, 1, 2]).outputs(X2)
    assert other.margins is None and np.allclose(other.proba, softmax(2 * z, axis=1))


def test_margins_of_half_the_scale_are_found_out_where_all_rows_are_certain():
    m = np.array([12.0, -12.0])
    proba = np.stack([expit(-2 * m), expit(2 * m)], axis=1)
    assert np.allclose(proba, np.stack([expit(-m), expit(m)], axis=1), atol=1e-4)
    assert adapt(Says(proba=proba, margins=m, classes=[0, 1]), [0, 1]).outputs(X2).margins is None


def test_one_margin_of_two_classes_is_shared():
    m = np.array([3.0, -1.0])
    outputs = adapt(Says(proba=np.stack([expit(-m), expit(m)], axis=1), margins=m, classes=["n", "y"]), ["n", "y"])
    assert np.allclose(outputs.outputs(X2).margins, [[-1.5, 1.5], [0.5, -0.5]])


def test_margins_of_surplus_classes_give_the_renormalised_probability():
    z = np.array([[2.0, -1.0, 0.0], [0.0, 0.5, 3.0]])
    outputs = adapt(Says(proba=softmax(z, axis=1), margins=z, classes=[0, 1, 2]), [0, 2]).outputs(X2)
    p = softmax(z, axis=1)[:, [0, 2]]
    assert np.allclose(outputs.proba, p / p.sum(axis=1, keepdims=True))
    assert np.array_equal(outputs.margins, z[:, [0, 2]])


def test_infinite_margins_are_none():
    proba = np.array([[0.0, 1.0], [0.5, 0.5]])
    with np.errstate(divide="ignore"):
        outputs = adapt(Says(proba=proba, margins=np.log(proba), classes=[0, 1]), [0, 1]).outputs(X2)
    assert outputs.margins is None and np.allclose(outputs.proba, proba)


class Sum:
    """A regressor that can be asked for any number of rows, and notes how many it was asked for."""

    def __init__(self):
        self.asked = []

    def predict(self, X):
        self.asked.append(X.shape[0])
        X = X.toarray() if sparse.issparse(X) else np.asarray(X)
        return X.sum(axis=1)


@pytest.mark.parametrize(
    "container",
    [np.asarray, pd.DataFrame, lambda X: pl.DataFrame(X, schema=["a", "b"]), sparse.csr_array, sparse.coo_matrix],
)
def test_many_rows_are_asked_in_pieces(container, monkeypatch):
    monkeypatch.setattr(rows.chunks, "__defaults__", (4,))
    values = np.arange(22.0).reshape(11, 2)
    X = container(values)
    teacher = adapt(Sum())
    assert np.array_equal(teacher.outputs(X).values[:, 0], values.sum(axis=1))
    assert teacher.estimator.asked == [4, 4, 3]
    assert np.array_equal(teacher.predictions(X)[:, 0], values.sum(axis=1))


def test_few_rows_are_passed_as_they_are():
    X = pd.DataFrame({"a": [1.0, 2.0]})

    class Same:
        def predict(self, given):
            assert given is X
            return np.zeros(2)

    adapt(Same()).outputs(X)


def test_a_users_own_adapter():
    class Constant(Teacher):
        def predict_proba(self, X):
            return np.tile([0.25, 0.75], (len(X), 1))

    own = Constant(object())
    teacher = adapt(own, ["a", "b"])
    assert np.allclose(teacher.outputs(X2).proba, [[0.25, 0.75]] * 2)
    assert own.classes is None
    assert teacher.layers == {} and not teacher.has_out_of_bag
    assert [len(t) for t, _ in teacher.thresholds(np.zeros((3, 2)))] == [0, 0]
    with pytest.raises(ValueError, match="object has no layers"):
        teacher.features(X2, "leaves")
    with pytest.raises(ValueError, match=r"cv='oob' needs a bagged teacher .* use cv=5 or cv='auto'"):
        teacher.out_of_bag(X2, ["a", "b"])
