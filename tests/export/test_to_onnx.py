from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import make_classification
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

import sklkd.export._to_onnx as to_onnx_module
from sklkd import DistilledClassifier, DistilledRegressor, to_onnx
from sklkd.students import TabularStudent

from ..newer import skip_opset
from .conftest import PLAIN, assert_parity, quick

N = 100_000


def test_numbers_on_100_000_rows(fitted, ship, problem):
    rng = np.random.RandomState(1)
    X = rng.standard_normal((N, 6)) * problem[0].std(axis=0) * 1.5
    X[rng.random(X.shape) < 0.05] = np.nan
    predictor, report = ship(fitted)
    assert_parity(fitted, predictor, X)
    assert report.largest_difference <= 1e-5
    assert report.n_rows > 1000


def test_one_column_on_100_000_rows(problem, ship):
    X, y = problem
    est = DistilledClassifier(RandomForestClassifier(10, random_state=0), quick(), random_state=0).fit(X[:, :1], y)
    assert_parity(est, ship(est)[0], np.random.RandomState(0).standard_normal((N, 1)) * 3)


def test_300_columns_on_100_000_rows(ship):
    rng = np.random.RandomState(0)
    X = rng.standard_normal((200, 300))
    y = (X[:, 0] + X[:, 1] > 0).astype(int)
    est = DistilledClassifier(LogisticRegression(), quick(), **PLAIN).fit(X, y)
    predictor, _ = ship(est)
    assert_parity(est, predictor, rng.standard_normal((N, 300)).astype(np.float32))


@pytest.mark.parametrize(
    "labels",
    [
        np.array([0, 1, 2]),
        np.array([3, 5, 9], dtype=np.int8),
        np.array([0.0, 1.0, 4.0]),
        np.array(["x", "yy", "zzz"]),
        np.array(["x", "yy", "zzz"], dtype=object),
        np.array([False, True, True]),
    ],
    ids=["range", "int8", "float", "str", "object", "bool"],
)
def test_labels_of_any_kind(problem, ship, labels):
    X, y = problem
    y = labels[np.searchsorted(["ant", "bee", "cat"], y)]
    est = DistilledClassifier(RandomForestClassifier(5, random_state=0), quick(), **PLAIN)
    est.fit(X, y)
    predictor, _ = ship(est)
    expected = est.predict(X)
    assert predictor.predict(X).dtype == expected.dtype
    np.testing.assert_array_equal(predictor.predict(X), expected)
    np.testing.assert_array_equal(predictor.classes_, est.classes_)
    # the graph's own labels, as another runtime sees them
    session = onnxruntime.InferenceSession(predictor._content, providers=["CPUExecutionProvider"])
    got, proba = session.run(["label", "probabilities"], {"X": X.astype(predictor.metadata_["number_dtype"])})
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("n_targets", [1, 2])
def test_values_keep_the_digits_of_large_means(ship, n_targets):
    rng = np.random.RandomState(0)
    X = rng.standard_normal((300, 4))
    y = 1e6 + X[:, :n_targets] + 0.1 * rng.standard_normal((300, n_targets))
    y = y[:, 0] if n_targets == 1 else y
    est = DistilledRegressor(ExtraTreesRegressor(10, random_state=0), quick(), random_state=0).fit(X, y)
    predictor, report = ship(est)
    assert predictor.predict(X).shape == y.shape
    # float32 is 0.06 apart at a million
    np.testing.assert_allclose(predictor.predict(X), est.predict(X), rtol=0, atol=2e-5)
    assert report.agreement > 0.999999
    with pytest.raises(AttributeError, match="predict_proba is for classifiers"):
        predictor.predict_proba(X)


def test_numbers_far_from_zero_are_read_in_double_precision(ship):
    rng = np.random.RandomState(0)
    X = rng.standard_normal((300, 3)) + 1.7e9
    y = (X[:, 0] > 1.7e9).astype(int)
    est = DistilledClassifier(RandomForestClassifier(10, random_state=0), quick(), random_state=0).fit(X, y)
    predictor, report = ship(est)
    assert report.numbers == "float64"
    assert_parity(est, predictor, rng.standard_normal((5000, 3)) + 1.7e9)


def test_narrow_bins_do_not_cost_parity(ship):
    rng = np.random.RandomState(0)
    # two clouds of values, closer than single precision resolves beside the distance of the others
    X = np.concatenate([rng.standard_normal((300, 2)), 3 + 1e-5 * rng.standard_normal((300, 2))])
    y = (X[:, 0] + X[:, 1] > np.median(X.sum(axis=1))).astype(int)
    est = DistilledClassifier(RandomForestClassifier(20, random_state=0), quick(4), random_state=0).fit(X, y)
    assert_parity(est, ship(est)[0], np.concatenate([X, 3 + 1e-5 * rng.standard_normal((5000, 2))]))


@settings(max_examples=15)
@given(data=st.data())
def test_any_numbers(fitted, served, data):
    cell = st.one_of(
        st.floats(allow_nan=True, allow_infinity=False), st.floats(-5, 5), st.sampled_from([0.0, -0.0, 1e-320, 1e30])
    )
    X = np.array(data.draw(st.lists(st.lists(cell, min_size=6, max_size=6), min_size=1, max_size=3)))
    assert_parity(fitted, served, X)


@pytest.mark.parametrize("opset", [13, 15, 17, 21, 24])
def test_every_opset_passes_the_checker_and_agrees(fitted, ship, problem, opset):
    skip_opset(opset)
    predictor, report = ship(fitted, opset=opset)
    model = onnx.load_from_string(predictor._content)
    assert next(one.version for one in model.opset_import if not one.domain) == opset == report.opset
    assert_parity(fitted, predictor, problem[0])


def test_a_student_without_hidden_layers_or_bins(ship):
    rng = np.random.RandomState(0)
    X = rng.standard_normal((200, 3))
    student = TabularStudent(max_epochs=2, module__hidden=(), module__edges=[[], [], []])
    est = DistilledClassifier(LogisticRegression(), student, **PLAIN).fit(X, X[:, 0] > 0)
    predictor, _ = ship(est)
    assert_parity(est, predictor, X)
    est.fit(X, (X[:, 0] > 0).astype(int) + (X[:, 1] > 0))
    predictor, _ = ship(est)
    assert_parity(est, predictor, X)
    for cell in (np.inf, np.nan):
        with pytest.raises(ValueError, match="contains"):
            predictor.predict(np.where(np.arange(3) == 1, cell, X[:1]))


def test_metadata_say_what_the_file_is(fitted, ship):
    predictor, report = ship(fitted)
    model = onnx.load_from_string(predictor._content)
    metadata = json.loads({one.key: one.value for one in model.metadata_props}["sklkd"])
    assert metadata["classes"] == ["ant", "bee", "cat"]
    assert metadata["dtypes"] == {"X": report.numbers}
    assert metadata["opset"] == 18
    assert set(metadata["versions"]) == {"sklkd", "onnx", "onnxruntime", "python"}
    assert [value.name for value in model.graph.output] == ["label", "probabilities"]
    assert (model.producer_name, model.producer_version) == ("sklkd", metadata["versions"]["sklkd"])
    assert "takes 'X', rows of 6 numbers in the order of fit, and gives 'label' and 'prob" in model.doc_string
    assert "A missing number is NaN." in model.doc_string and "string" not in model.doc_string


def test_inputs_that_change_nothing_are_left_out(fitted, ship, problem):
    import copy

    import torch

    est = copy.deepcopy(fitted)
    module = est.student_.module_
    n_numeric, n_bins = len(module.encoding.numeric), len(module.encoding.column)
    _, before = ship(est)
    with torch.no_grad():
        module.hidden[0][0].weight[:, n_numeric : n_numeric + n_bins // 2] = 0
    est = copy.deepcopy(est)  # a copy folds anew
    predictor, after = ship(est)
    assert after.bytes < before.bytes - 24 * 4 * (n_bins // 2)
    assert_parity(est, predictor, problem[0])


def test_a_student_that_takes_no_missing_values_says_so(problem, ship):
    X, y = problem
    est = DistilledClassifier(LogisticRegression(), quick(), **PLAIN).fit(X, y)
    predictor, _ = ship(est)
    assert_parity(est, predictor, X)
    for n in (1, 3):
        gap = X[:n].copy()
        gap[0, 0] = np.nan
        with pytest.raises(ValueError, match="contains NaN or another missing value"):
            predictor.predict(gap)


def test_given_rows_are_the_ones_compared(fitted, ship, problem):
    assert ship(fitted, X=problem[0][:17])[1].n_rows == 17


def test_a_difference_is_an_error_and_leaves_no_file(fitted, tmp_path, monkeypatch):
    monkeypatch.setattr(to_onnx_module, "TOLERANCE", 1e-12)
    with pytest.raises(ValueError, match=r"differ by .* from the estimator's on 3,000 rows"):
        to_onnx(fitted, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"opset": 12}, r"opset must be a whole number from 13 to 2[0-9], or None, got opset=12\."),
        ({"opset": "18"}, r"opset must be .* got opset='18'\."),
        ({"quantize": "int4"}, r"quantize must be None, 'int8' or 'float16', got quantize='int4'\."),
    ],
)
def test_parameters_out_of_range(fitted, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        to_onnx(fitted, tmp_path / "model.onnx", **options)


def test_other_estimators_and_unfitted_ones_are_refused(problem, tmp_path):
    with pytest.raises(TypeError, match=r"est must be a distilled estimator, .* got LogisticRegression"):
        to_onnx(LogisticRegression().fit(*problem), tmp_path / "model.onnx")
    with pytest.raises(ValueError, match="not fitted"):
        to_onnx(DistilledClassifier(HistGradientBoostingClassifier()), tmp_path / "model.onnx")


def test_sizes(ship):
    X, y = make_classification(1000, 30, n_informative=15, n_classes=5, random_state=0)
    forest = RandomForestClassifier(20, random_state=0).fit(X, y)

    def size(preset, quantize=None):
        net = TabularStudent(preset, max_epochs=1)
        est = DistilledClassifier(forest, net, cv=None, **PLAIN).fit(X, y)
        return ship(est, quantize=quantize)[1].bytes

    assert size("tiny") < 25_000
    assert size("tiny", "int8") < 8_000
    assert size("small") < 400_000


def test_neither_c_files_nor_the_import_need_onnx():
    code = """
import sys
for name in ("onnx", "onnxruntime", "skl2onnx"):
    sys.modules[name] = None
import sklkd.export._to_c
from sklkd import to_onnx
try:
    to_onnx(None, "model.onnx")
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "to_onnx needs onnx: pip install 'sklkd[onnx]'.\n"
