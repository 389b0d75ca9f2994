"""Isotonic calibration of a student: files give its probabilities, plateaus, steep lines and all."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler

from sklkd import DistilledClassifier, OnnxPredictor, to_c, to_onnx

from ..newer import skip_opset
from .conftest import PLAIN, net, quick

LABELS = np.array(["ant", "bee", "cat", "dog"])
DIGITS = 1e-9


def rows_of(n_classes, n=160, seed=0):
    X, codes = make_classification(
        n, 5, n_informative=4, n_redundant=0, n_classes=n_classes, n_clusters_per_class=1, flip_y=0.2, random_state=seed
    )
    return X, LABELS[codes]


def student(chosen=None):
    return DistilledClassifier(RandomForestClassifier(5, random_state=0), chosen or quick(3), **PLAIN)


@pytest.fixture(scope="module")
def fitted():
    """Students by their number of classes."""
    return {n: student().fit(*rows_of(n)) for n in (2, 3, 4)}


def isotonic(est, **options):
    return CalibratedClassifierCV(FrozenEstimator(est), method="isotonic", **options)


def assert_same(model, predictor, X, atol=DIGITS):
    expected = model.predict_proba(X)
    got = predictor.predict_proba(X)
    np.testing.assert_allclose(got, expected, rtol=0, atol=atol)
    # several rows at once and one by one
    np.testing.assert_allclose([predictor.predict_proba(row[None])[0] for row in X[:5]], got[:5], rtol=0, atol=atol)
    # steps give some rows the same probability of two classes, of which the last digit chooses one
    runner_up, most = np.sort(expected, axis=1)[:, -2:].T
    clear = most - runner_up > 2 * atol
    np.testing.assert_array_equal(predictor.predict(X)[clear], model.predict(X)[clear])
    label = predictor._session.run([predictor._session.get_outputs()[0].name], predictor._feeds(X))[0]
    np.testing.assert_array_equal(label, predictor.predict(X))


def around(X, seed=0):
    """The rows, rows between any two of them, near and far beyond."""
    rng = np.random.RandomState(seed)
    mixed = X + rng.rand(len(X), 1) * (X[rng.permutation(len(X))] - X)
    return np.concatenate([X, mixed, 3 * X, -10 * X])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("ensemble", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3, 4])
def test_classes(fitted, ship, n_classes, ensemble, seed):
    model = isotonic(fitted[n_classes], ensemble=ensemble, cv=3).fit(*rows_of(n_classes, seed=seed))
    assert len(model.calibrated_classifiers_) == (3 if ensemble else 1)
    X = around(rows_of(n_classes, n=400, seed=seed)[0])
    predictor, report = ship(model)
    assert report.numbers == "float64" and report.largest_difference < 1e-8
    assert_same(model, predictor, X)
    # beyond the range of its calibrators, and on their plateaus
    logits = fitted[n_classes].decision_function(X).reshape(len(X), -1)
    calibrators = model.calibrated_classifiers_[0].calibrators
    assert any(logits[:, k].min() < one.X_min_ for k, one in enumerate(calibrators))
    assert any(logits[:, k].max() > one.X_max_ for k, one in enumerate(calibrators))


def test_a_student_that_was_refitted(ship):
    X, y = rows_of(3)
    model = CalibratedClassifierCV(student(), method="isotonic", ensemble=False, cv=2).fit(X, y)
    assert_same(model, ship(model)[0], around(X))


def with_calibrators(model, points):
    """A fitted calibration whose calibrators go through given points."""
    for calibrator, (x, y) in zip(model.calibrated_classifiers_[0].calibrators, points, strict=True):
        IsotonicRegression.fit(calibrator, np.asarray(x, float), np.asarray(y, float))
    return model


def test_rows_that_no_class_takes(fitted, ship):
    X, y = rows_of(3)
    model = isotonic(fitted[3]).fit(X, y)
    logits = fitted[3].decision_function(X)
    high = np.quantile(logits, 0.7, axis=0)
    model = with_calibrators(model, [([one, one + 1e-3], [0, 1]) for one in high])
    X = around(X)
    none = (fitted[3].decision_function(X) <= high).all(axis=1)
    assert 0.1 < none.mean() < 0.9
    assert (model.predict_proba(X)[none] == 1 / 3).all()
    assert_same(model, ship(model)[0], X)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_lines_as_steep_as_single_precision_does_not_tell(fitted, ship, n_classes):
    X, y = rows_of(n_classes)
    model = isotonic(fitted[n_classes]).fit(X, y)
    scores = fitted[n_classes].decision_function(X).reshape(len(X), -1)
    at = [np.sort(column)[::3] for column in scores.T]
    points = [(np.ravel([one - 1e-6, one + 1e-6], "F"), np.linspace(0, 1, 2 * len(one)) ** 2) for one in at]
    model = with_calibrators(model, points)
    predictor, _ = ship(model)
    assert_same(model, predictor, around(X))


@pytest.mark.parametrize("points", [([0.1], [0.7]), ([-1.0, 1.0], [0.3, 0.3]), ([-3, -1, -1 + 1e-9, 2], [0, 0, 1, 1])])
def test_calibrators_of_few_points(fitted, ship, points):
    X, y = rows_of(2)
    model = with_calibrators(isotonic(fitted[2]).fit(X, y), [points])
    assert_same(model, ship(model)[0], around(X), atol=1e-6)


@pytest.mark.parametrize("threshold", [0.3, 0.7, 1 / 3])
def test_thresholds_that_are_just_a_plateau(fitted, ship, threshold):
    X, y = rows_of(2)
    calibrated = with_calibrators(
        isotonic(fitted[2]).fit(X, y), [([-2, -0.2, 0.2, 2], [0.1, threshold, threshold, 0.9])]
    )
    X = around(X)
    assert (calibrated.predict_proba(X)[:, 1] == threshold).sum() > 5
    model = FixedThresholdClassifier(FrozenEstimator(calibrated), threshold=threshold).fit(X[: len(y)], y)
    predictor, _ = ship(model)
    assert predictor.threshold_ == threshold
    assert_same(model, predictor, X)


def test_pipelines(ship):
    X, y = rows_of(3)
    X[::7, 1] = np.nan
    teacher = HistGradientBoostingClassifier(max_iter=5)
    inside = make_pipeline(StandardScaler(), DistilledClassifier(teacher, quick(2), **PLAIN)).fit(X, y)
    model = make_pipeline(StandardScaler(), isotonic(inside)).fit(X, y)
    assert_same(model, ship(model)[0], around(X))


def test_frames_with_categories_and_gaps(tmp_path):
    pandas = pytest.importorskip("pandas")
    X, y = rows_of(3)
    kinds = np.array(["u", "v", None], dtype=object)[np.digitize(X[:, 0], [0, 1.5])]
    X[::7, 1] = np.nan
    frame = pandas.DataFrame(X[:, 1:], columns=list("abcd")).assign(kind=kinds)
    forest = make_pipeline(
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), HistGradientBoostingClassifier(max_iter=5)
    )
    est = DistilledClassifier(forest, quick(2), **PLAIN).fit(frame, y)
    model = isotonic(est).fit(frame, y)
    to_onnx(model, tmp_path / "model.onnx")
    predictor = OnnxPredictor(tmp_path / "model.onnx")
    for rows in (frame, frame.assign(kind="new"), frame.assign(a=np.nan)):
        np.testing.assert_allclose(predictor.predict_proba(rows), model.predict_proba(rows), rtol=0, atol=DIGITS)


def test_networks_of_the_users_own(ship):
    X, y = rows_of(2)
    est = student(net()).set_params(random_state=2).fit(X, y)
    model = isotonic(est).fit(X, y)
    rows = around(X)
    # logits are in single precision: the probability is what the calibrator makes of one that near
    lines, logits = model.calibrated_classifiers_[0].calibrators[0], est.decision_function(rows)
    low, high = lines.predict(logits - 1e-6), lines.predict(logits + 1e-6)
    got = ship(model)[0].predict_proba(rows)
    assert (low - DIGITS <= got[:, 1]).all() and (got[:, 1] <= high + DIGITS).all()
    np.testing.assert_allclose(got.sum(axis=1), 1, rtol=0, atol=DIGITS)


@pytest.mark.parametrize("quantize", ["int8", "float16"])
def test_fewer_bits(fitted, ship, quantize):
    X, y = rows_of(2)
    model = isotonic(fitted[2]).fit(X, y)
    whole, report = ship(model)
    predictor, smaller = ship(model, quantize=quantize)
    assert smaller.bytes < 0.7 * report.bytes
    apart = np.abs(predictor.predict_proba(X) - whole.predict_proba(X))
    assert np.median(apart) < 1e-2


@pytest.mark.parametrize("opset", [13, 24])
def test_every_opset(fitted, ship, opset):
    skip_opset(opset)
    X, y = rows_of(3)
    model = isotonic(fitted[3]).fit(X, y)
    assert_same(model, ship(model, opset=opset)[0], around(X))


def test_what_is_refused_says_what_to_do(fitted, tmp_path):
    X, y = rows_of(2)
    several = CalibratedClassifierCV(student(), method="isotonic", cv=2, ensemble=True).fit(X, y)
    with pytest.raises(NotImplementedError, match=r"holds 2 classifiers, .* set ensemble=False"):
        to_onnx(several, tmp_path / "model.onnx")
    once = isotonic(fitted[2]).fit(X, y)
    with pytest.raises(NotImplementedError, match="calibrate the student itself, once"):
        to_onnx(CalibratedClassifierCV(FrozenEstimator(once)).fit(X, y), tmp_path / "model.onnx")
    with pytest.raises(TypeError, match=r"method='sigmoid' or 'temperature' .* got 'isotonic': export it with to_onnx"):
        to_c(once, tmp_path / "model.c")
    assert not list(tmp_path.iterdir())
