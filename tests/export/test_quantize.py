from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from sklkd import DistilledClassifier
from sklkd.export import _tabular
from sklkd.export._quantize import eight_bits
from sklkd.students import TabularStudent

from .conftest import PLAIN, net
from .test_students import FOREST


@example(np.full((1, 1), 1e-45, np.float32))
@given(arrays(np.float32, array_shapes(min_dims=2, max_dims=4), elements=st.floats(-1e3, 1e3, width=32)))
def test_eight_bits_are_at_most_half_a_step_away(weight):
    codes, scale = eight_bits(weight)
    assert codes.dtype == np.int8 and scale.dtype == np.float32
    assert scale.size in (weight.shape[0], weight.shape[-1])
    assert (np.abs(codes * scale - weight) <= scale * 0.5001 + 1e-30).all()


@pytest.mark.parametrize(("how", "size", "difference"), [("int8", 0.4, 0.1), ("float16", 0.62, 5e-3)])
def test_a_smaller_file_with_the_loss_reported(problem, ship, how, size, difference):
    X, y = problem
    student = TabularStudent("tiny", max_epochs=20, module__hidden=(128, 128))
    est = DistilledClassifier(FOREST, student, **PLAIN).fit(X, y)
    _, exact = ship(est)
    predictor, report = ship(est, quantize=how)
    assert report.quantize == how
    assert report.bytes < size * exact.bytes
    assert 1e-6 < report.largest_difference < difference
    assert report.agreement > 0.95
    # what is reported is what the file does
    got = np.abs(predictor.predict_proba(X) - est.predict_proba(X)).max()
    assert 0 < got < difference
    assert how in str(report)
    stored = {one.data_type for one in onnx.load_from_string(predictor._content).graph.initializer}
    assert {"int8": onnx.TensorProto.INT8, "float16": onnx.TensorProto.FLOAT16}[how] in stored


def sixteen_bits(predictor):
    graph = onnx.load_from_string(predictor._content).graph
    return sum(one.data_type == onnx.TensorProto.INT16 for one in graph.initializer)


def test_edges_of_bins_are_whole_numbers_unless_a_bin_is_narrow(problem, ship, monkeypatch):
    X, y = problem
    est = DistilledClassifier(FOREST, TabularStudent("tiny", max_epochs=6), **PLAIN).fit(X, y)
    predictor, report = ship(est, quantize="int8")
    assert sixteen_bits(predictor) == 2 and report.largest_difference < 0.05
    monkeypatch.setattr(_tabular, "LEAST_STEPS", 2**20)
    floats, larger = ship(est, quantize="int8")
    assert sixteen_bits(floats) == 0 and larger.bytes > report.bytes + 100
    apart = np.abs(predictor.predict_proba(X) - floats.predict_proba(X)).max()
    assert 0 < apart < 1e-3
    monkeypatch.undo()
    far = X.copy()
    far[:4, 0] *= 1e4  # bins of the others are narrow beside this
    est = DistilledClassifier(FOREST, TabularStudent("tiny", max_epochs=6), **PLAIN).fit(far, y)
    narrow, _ = ship(est, quantize="int8")
    assert sixteen_bits(narrow) == 0
    assert np.abs(narrow.predict_proba(far) - est.predict_proba(far)).max() < 0.05


def test_networks_of_the_users_own_too(problem, ship):
    X, y = problem
    est = DistilledClassifier(FOREST, net(), **PLAIN).fit(X, y)
    predictor, report = ship(est, quantize="int8")
    assert report.largest_difference < 0.02
    assert np.abs(predictor.predict_proba(X) - est.predict_proba(X)).max() < 0.02
