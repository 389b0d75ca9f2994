"""Soft targets as weighted copies of rows, and what can be a student."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC, LinearSVR

from sklkd.students import TabularStudent
from sklkd.students._estimator_student import EstimatorStudent, is_estimator_student, resolve_any, weighted_copies

MASSES = arrays(np.float64, st.tuples(st.integers(1, 8), st.integers(2, 5)), elements=st.floats(1e-3, 10))


@given(MASSES, MASSES)
def test_weighted_log_losses_of_copies_are_the_cross_entropy_against_soft_targets(masses, logits):
    n, k = min(len(masses), len(logits)), min(masses.shape[1], logits.shape[1])
    masses, logits = masses[:n, :k], logits[:n, :k]
    log_proba = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    rows, codes, weights = weighted_copies(masses, smallest=0)
    np.testing.assert_allclose(-(weights * log_proba[rows, codes]).sum(), -(masses * log_proba).sum())


@given(arrays(np.float64, st.tuples(st.integers(1, 8), st.integers(2, 5)), elements=st.floats(0, 1)), st.floats(0, 0.2))
def test_each_row_keeps_its_weight_and_each_class_is_known(masses, smallest):
    masses[masses.sum(axis=1) == 0, 0] = 1
    rows, codes, weights = weighted_copies(masses, smallest)
    np.testing.assert_allclose(np.bincount(rows, weights, len(masses)), masses.sum(axis=1), rtol=1e-6)
    assert set(codes) == set(range(masses.shape[1]))
    assert (weights > 0).all()


def test_small_shares_are_dropped():
    rows, codes, weights = weighted_copies(np.array([[0.0005, 0.9995], [0.5, 0.5]]))
    np.testing.assert_array_equal(rows, [0, 1, 1])
    np.testing.assert_array_equal(codes, [1, 0, 1])
    np.testing.assert_allclose(weights, [1, 0.5, 0.5])


def test_what_is_such_a_student():
    assert is_estimator_student(LogisticRegression())
    assert is_estimator_student(make_pipeline(StandardScaler(), Ridge()))
    for other in (None, "tiny", TabularStudent(), make_pipeline(StandardScaler(), TabularStudent()), StandardScaler()):
        assert not is_estimator_student(other)


@pytest.mark.parametrize(
    ("student", "kind", "message"),
    [
        (Ridge(), "classification", "student must be a classifier here, got Ridge"),
        (LogisticRegression(), "regression", "student must be a regressor here, got LogisticRegression"),
        (KNeighborsClassifier(), "classification", "student must take sample_weight"),
        (LinearSVC(), "classification", "student must have predict_proba, got LinearSVC"),
        (LogisticRegression(), "multilabel", "student must be a network where y has several labels a row"),
    ],
)
def test_what_cannot_be_one_is_refused(student, kind, message):
    with pytest.raises(TypeError, match=message):
        resolve_any(student, kind)


def test_a_regressor_of_one_column_is_fitted_once_for_each():
    assert isinstance(EstimatorStudent(LinearSVR()).prepared(2, 0), MultiOutputRegressor)
    assert isinstance(EstimatorStudent(LinearSVR()).prepared(1, 0), LinearSVR)
    assert isinstance(EstimatorStudent(Ridge()).prepared(2, 0), Ridge)


def test_only_open_seeds_are_set_and_the_users_object_stays():
    mine = LogisticRegression()
    student = resolve_any(mine, "classification")
    assert student.prepared(2, 7).random_state is not None
    assert mine.random_state is None
    assert resolve_any(LogisticRegression(random_state=3), "classification").prepared(2, 7).random_state == 3
