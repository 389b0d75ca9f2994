"""Numbers far outside of what fit saw: estimator, ONNX file and C file give the same."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor

from sklkd import DistilledRegressor, OnnxPredictor, to_onnx
from sklkd.export import CPredictor, to_c
from sklkd.students import InputEncoder, TabularNet, TabularStudent

from .conftest import PLAIN

SCALES = np.array([1e-6, 1.0, 1e6])


@pytest.fixture(scope="module", params=[True, False], ids=["missing", "not missing"])
def shipped(request, tmp_path_factory):
    """A fitted estimator, and what is read from its files."""
    rng = np.random.RandomState(0)
    X = rng.normal(size=(150, 3)) * SCALES
    y = X[:, 0] / SCALES[0] + np.abs(X[:, 1])
    teacher = HistGradientBoostingRegressor(max_iter=5) if request.param else RandomForestRegressor(5, random_state=0)
    student = TabularStudent("tiny", max_epochs=2)
    est = DistilledRegressor(teacher, student, **PLAIN).fit(X, y)
    folder = tmp_path_factory.mktemp("shipped")
    to_onnx(est, folder / "student.onnx")
    read = [OnnxPredictor(folder / "student.onnx")]
    if shutil.which("cc"):
        to_c(est, folder / "student.c")
        read.append(CPredictor(folder / "student.c"))
    return est, read


# up to the end of float32, and of float64
far = st.builds(lambda digits, power: digits * 10.0**power, st.floats(-9.9, 9.9), st.integers(-6, 307))


@given(st.lists(far, min_size=3, max_size=3), st.integers(1, 3))
@settings(deadline=None, max_examples=60)
def test_estimator_and_files_agree(shipped, row, n):
    est, read = shipped
    X = np.array([row] * n)
    expected = est.predict(X)
    assert np.isfinite(expected).all()
    for one in read:
        np.testing.assert_allclose(one.predict(X), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_infinity_is_an_error_everywhere(shipped, bad):
    est, read = shipped
    X = np.zeros((2, 3))
    X[1, 2] = bad
    for one in (est, *read):
        with pytest.raises(ValueError, match="infinity"):
            one.predict(X)


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_training_sees_what_predictions_see(value):
    net = TabularNet(1, 1, hidden=(), edges=[[-1.0, 0.0, 2.0]])
    z = torch.tensor([[value]])
    np.testing.assert_allclose(
        net.encoding(z).numpy(), net.double().encoding(z.double()).numpy(), rtol=1e-6, atol=1e-30
    )


@given(st.floats(-1e308, 1e308), st.booleans())
def test_encoded_numbers_are_finite(value, one_hot):
    encoder = InputEncoder(one_hot=one_hot).fit(np.array([[0.0], [1e-3], [2e-3], [5e-3]]))
    assert np.isfinite(encoder.transform(np.array([[value]]))).all()
