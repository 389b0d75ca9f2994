"""The range of values and the decision rule of an estimator, in every kind of file."""

from __future__ import annotations

import copy
import ctypes
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch
from sklearn.datasets import make_classification
from sklearn.linear_model import LinearRegression, LogisticRegression

from sklkd import CPredictor, DistilledClassifier, DistilledRegressor, OnnxPredictor, to_c, to_onnx
from sklkd.students import TabularStudent
from sklkd.students._scaling import TargetScaling

from .conftest import net

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O2")
FILES = [("onnx", None), ("onnx", "int8"), ("onnx", "float16")]
if shutil.which("cc"):
    FILES += [("c", None), ("c", "int8")]
files = pytest.mark.parametrize(("kind", "quantize"), FILES)
LABELS = {"codes": [0, 1], "integers": [3, 7], "words": ["no", "yes"], "booleans": [False, True], "floats": [1.0, 2.0]}


def opened(est, folder, kind, quantize=None):
    if kind == "onnx":
        to_onnx(est, folder / "model.onnx", quantize=quantize)
        return OnnxPredictor(folder / "model.onnx")
    to_c(est, folder / "model.c", quantize=quantize)
    return CPredictor(folder / "model.c", flags=STRICT)


def one_by_one(predict, X):
    return np.concatenate([predict(X[i : i + 1]) for i in range(len(X))])


@pytest.fixture(scope="module")
def rows():
    """Rows like those of training, then rows far outside."""
    rng = np.random.RandomState(1)
    return np.concatenate([2 * rng.standard_normal((300, 4)), rng.choice([-1e30, -1e4, 1e4, 1e30], (60, 4))])


@pytest.fixture(scope="module")
def regressor():
    """Of three targets."""
    X = np.random.RandomState(0).standard_normal((300, 4))
    student = TabularStudent("tiny", max_epochs=3)
    est = DistilledRegressor(LinearRegression(), student, hard_weight=0, blend=0, augment=None, random_state=0)
    return est.fit(X, X[:, :3])


def of_range(est, support, n, y_ndim, weight=5.0, bias=-9.0):
    """The same hidden layers, with outputs far from their mean in some range."""
    center, scale = {
        "real": ([50.0, -3.0, 0.0], [2.0, 1.0, 4.0]),
        "positive": ([50.0, 0.01, 1e-20], [100.0, 5.0, 1e-20]),
        "unit": ([0.3, 0.999, 0.0], [0.2, 0.01, 1e-3]),
    }[support]
    est = copy.deepcopy(est)
    module = est.student_.module_
    with torch.no_grad():
        module.output = torch.nn.Linear(module.output.in_features, n)
        module.output.weight.normal_(0, weight, generator=torch.Generator().manual_seed(0))
        module.output.bias.fill_(bias)
    scaling = TargetScaling(np.array(center[:n]), np.array(scale[:n]), support)
    est._deploy(replace(est._fitted, task=replace(est._fitted.task, scaling=scaling, y_ndim=y_ndim)))
    return est


@files
@pytest.mark.parametrize(
    ("support", "n", "y_ndim"),
    [("real", 3, 1), ("positive", 1, 1), ("positive", 3, 1), ("positive", 3, 2), ("unit", 1, 2), ("unit", 3, 1)],
)
def test_values_stay_in_their_range(regressor, rows, tmp_path, support, n, y_ndim, kind, quantize):
    est = of_range(regressor, support, n, y_ndim)
    predictor = opened(est, tmp_path, kind, quantize)
    expected, got = est.predict(rows), predictor.predict(rows)
    assert got.shape == expected.shape == ((len(rows),) if n == y_ndim == 1 else (len(rows), n))
    scaling = est._fitted.task.scaling
    scale = np.maximum(scaling.scale, np.abs(expected.reshape(len(rows), n) - scaling.center)).reshape(got.shape)
    if quantize is None:
        np.testing.assert_allclose(got / scale, expected / scale, rtol=0, atol=2e-5)
    single = one_by_one(predictor.predict, rows[250:])
    np.testing.assert_allclose(single / scale[250:], got[250:] / scale[250:], rtol=0, atol=2e-5)
    if support == "positive":
        assert (expected.min(axis=0) < 1e-3 * scaling.center).all()
        assert (got > 0).all() and (got.astype(np.float32) > 0).all()
    if support == "unit":
        assert expected.min() < 0.01
        assert (got >= 0).all() and (got <= 1).all()


@pytest.mark.parametrize(("kind", "quantize"), [one for one in FILES if one[1] is None])
@pytest.mark.parametrize("bias", [-1e4, 1e4])
@pytest.mark.parametrize("support", ["positive", "unit"])
def test_outputs_without_end_stay_in_their_range(regressor, rows, tmp_path, support, bias, kind, quantize):
    est = of_range(regressor, support, 3, 2, 0.0, bias)
    expected, got = est.predict(rows[:5]), opened(est, tmp_path, kind).predict(rows[:5])
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-30)
    assert np.isfinite(got).all() and ((got > 0) if support == "positive" else (got >= 0) & (got <= 1)).all()


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler called cc")
@pytest.mark.parametrize("support", ["positive", "unit"])
def test_values_stay_in_their_range_without_doubles(regressor, rows, tmp_path, support):
    est = of_range(regressor, support, 3, 2)
    to_c(est, tmp_path / "s.c")
    command = [
        "cc",
        *STRICT,
        "-DSKLKD_REAL=float",
        "-shared",
        "-fPIC",
        "-o",
        tmp_path / "s.so",
        tmp_path / "s.c",
        "-lm",
    ]
    subprocess.run(command, check=True)
    predict = ctypes.CDLL(str(tmp_path / "s.so")).sklkd_predict
    given, out = rows.astype(np.float32), np.empty((len(rows), 3), np.float32)
    predict(ctypes.c_void_p(given.ctypes.data), ctypes.c_size_t(len(rows)), ctypes.c_void_p(out.ctypes.data))
    assert (out > 0).all() if support == "positive" else ((out >= 0) & (out <= 1)).all()
    np.testing.assert_allclose(out[:300], est.predict(rows[:300]), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(("kind", "quantize"), [one for one in FILES if one[1] is None])
@pytest.mark.parametrize("support", ["positive", "unit"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_a_range_makes_of_unwelcome_numbers_is_an_error(regressor, tmp_path, kind, quantize, support, bad):
    est = of_range(regressor, support, 1, 1)
    predictor = opened(est, tmp_path, kind, quantize)
    for n in (1, 40):
        X = np.zeros((n, 4))
        X[-1, 2] = bad
        with pytest.raises(ValueError, match="contains"):
            predictor.predict(X)


@pytest.fixture(scope="module")
def classifiers():
    """For each kind of labels one of the default student, and one of a network of the user's own."""
    X, codes = make_classification(400, 4, n_informative=4, n_redundant=0, random_state=0)

    def fit(student, labels):
        est = DistilledClassifier(LogisticRegression(), student, hard_weight=0, blend=0, augment=None, random_state=0)
        return est.fit(X, np.array(labels)[codes])

    made = {(name, False): fit(TabularStudent("tiny", max_epochs=5), labels) for name, labels in LABELS.items()}
    return made | {("words", True): fit(net(), LABELS["words"])}


def labels_in_file(predictor, X):
    """What the file itself gives as labels, and its probabilities."""
    if isinstance(predictor, CPredictor):
        proba = predictor.predict_proba(X)
        label = predictor._library.sklkd_label
        codes = [label(ctypes.c_void_p(row.ctypes.data)) for row in proba]
        return predictor.classes_[codes], proba
    session = onnxruntime.InferenceSession(predictor._content, providers=["CPUExecutionProvider"])
    return session.run(["label", "probabilities"], {"X": X.astype(predictor.metadata_["number_dtype"])})


@files
@pytest.mark.parametrize(
    ("labels", "own", "threshold"),
    [
        *(("codes", False, threshold) for threshold in (None, 0.0, 0.2, 1.0)),
        *(("words", own, threshold) for own in (False, True) for threshold in (None, 0.9)),
        *((name, False, 0.2) for name in ("integers", "booleans", "floats")),
    ],
)
def test_labels_follow_the_rule(classifiers, rows, tmp_path, labels, own, threshold, kind, quantize):
    if own and kind == "c":
        pytest.skip("networks of one's own cannot be C")
    est = copy.copy(classifiers[labels, own])
    est.threshold_ = threshold
    predictor = opened(est, tmp_path, kind, quantize)
    assert predictor.threshold_ == threshold
    proba = predictor.predict_proba(rows)
    # ties: the first class without a threshold, the second at the threshold
    codes = proba.argmax(1) if threshold is None else (proba[:, 1] >= threshold).astype(int)
    expected = est.classes_[codes]
    for got in (predictor.predict(rows), one_by_one(predictor.predict, rows)):
        np.testing.assert_array_equal(got, expected)
        assert got.dtype == est.classes_.dtype
    found, proba = labels_in_file(predictor, rows)
    np.testing.assert_array_equal(found, expected)
    if quantize is None:
        distance = np.abs(est.predict_proba(rows)[:, 1] - (0.5 if threshold is None else threshold))
        np.testing.assert_array_equal(expected[distance > 1e-5], est.predict(rows)[distance > 1e-5])


@pytest.mark.parametrize("quantize", [None, "int8"])
def test_a_threshold_at_a_probability_of_the_file(classifiers, rows, tmp_path, quantize):
    """A graph compares floats, a predictor doubles: both give the same labels, also where a float is near."""
    est = copy.copy(classifiers["words", False])
    near = float(np.sort(opened(est, tmp_path, "onnx", quantize).predict_proba(rows)[:, 1])[100])
    for threshold in (near, np.nextafter(near, 0), np.nextafter(near, 1)):
        est.threshold_ = float(threshold)
        predictor = opened(est, tmp_path, "onnx", quantize)
        found, proba = labels_in_file(predictor, rows)
        np.testing.assert_array_equal(found == "yes", proba[:, 1].astype(float) >= est.threshold_)
        np.testing.assert_array_equal(found, predictor.predict(rows))
