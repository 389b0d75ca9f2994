"""Mean and standard deviation of targets do not depend on their unit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsRegressor

from sklkd import DistilledRegressor
from sklkd.estimators._checked_targets import check_scale
from sklkd.students import TabularStudent

Y = np.random.RandomState(0).normal(size=(30, 2)) + np.array([0, 5])
WEIGHT = np.random.RandomState(1).rand(30)


@given(st.floats(-300, 305), st.sampled_from([None, WEIGHT]))
def test_any_unit(power, weight):
    unit = 10.0**power
    center, scale = check_scale(Y * unit, weight)
    expected = np.average(Y, axis=0, weights=weight)
    np.testing.assert_allclose(center / unit, expected, rtol=1e-9)
    spread = np.sqrt(np.average((Y - expected) ** 2, axis=0, weights=weight))
    np.testing.assert_allclose(scale / unit, spread, rtol=1e-9)


@pytest.mark.parametrize("value", [0.0, 0.1, -1e300, 1e-300])
def test_constant_in_any_unit(value):
    with pytest.raises(ValueError, match="y must vary"):
        check_scale(np.full((7, 1), value), None)
    _, scale = check_scale(np.column_stack([np.full(30, value), Y[:, 0]]), None)
    assert scale[0] == 1


def test_too_little_for_float64():
    with pytest.raises(ValueError, match="y must vary by more than float64 resolves"):
        check_scale(Y * 1e-322, None)


@pytest.mark.parametrize("y", [Y * 1e307, np.where(Y > 0, 1.7e308, -1.7e308)])
def test_too_much_for_float64(y):
    """No overflow, which pytest would report."""
    with pytest.raises(ValueError, match="y must leave room for predictions in float64"):
        check_scale(y, None)


@pytest.mark.parametrize("unit", [1e-200, 1e-14, 1e200, 1e300])
def test_a_student_of_targets_in_any_unit(unit):
    X = np.random.RandomState(0).normal(size=(80, 2))
    y = X[:, 0] - X[:, 1]
    student = TabularStudent("tiny", max_epochs=3)
    est = DistilledRegressor(KNeighborsRegressor(), student, hard_weight=0.1, augment=None, random_state=0)
    expected = est.fit(X, y).predict(X)
    np.testing.assert_allclose(est.fit(X, y * unit).predict(X) / unit, expected, rtol=1e-4, atol=1e-5)
