"""Bins of the calibration error, with bounds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.multioutput import MultiOutputClassifier
from sklearn.tree import DecisionTreeClassifier

from sklkd import DistilledClassifier, distillation_report
from sklkd.report._intervals import Sample
from sklkd.report._reliability import reliability_bins, sure_and_right


def of(bins, name):
    return np.array([getattr(one, name) for one in bins])


def test_bins_by_hand(classifier, flowers):
    X_test, y_test = flowers[2:]
    report = distillation_report(classifier, X_test, y_test, False, n_repeats=1)
    assert list(report.reliability) == ["teacher", "student"]
    proba = classifier.predict_proba(X_test)
    right = classifier.classes_[proba.argmax(1)] == y_test
    for one in report.reliability["student"]:
        inside = (proba.max(1) > one.low) & (proba.max(1) <= one.high)
        assert one.n == inside.sum() > 0
        assert one.confidence == pytest.approx(proba.max(1)[inside].mean())
        assert one.accuracy == pytest.approx(right[inside].mean())
        exact = binomtest(int(right[inside].sum()), int(inside.sum())).proportion_ci(0.95, "exact")
        assert (one.accuracy_low, one.accuracy_high) == pytest.approx((exact.low, exact.high))
    assert of(report.reliability["student"], "n").sum() == len(y_test)


def test_the_calibration_error_is_that_of_the_bins(classifier, flowers):
    X_test, y_test = flowers[2:]
    report = distillation_report(classifier, X_test, y_test, False, n_repeats=1)
    for model, bins in report.reliability.items():
        gaps = np.abs(of(bins, "confidence") - of(bins, "accuracy"))
        assert np.average(gaps, weights=of(bins, "n")) == pytest.approx(report.rows[model]["ece"])


def test_weights_move_bins_and_their_bounds():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 300)
    right, weight = rng.random(300) < confidence, rng.uniform(size=300)
    bins = reliability_bins(confidence, right, Sample(300, weight, 500, 0.95))
    for one in bins:
        inside = (confidence > one.low) & (confidence <= one.high)
        assert one.accuracy == pytest.approx(np.average(right[inside], weights=weight[inside]))
        assert one.accuracy_low <= one.accuracy <= one.accuracy_high
    without = reliability_bins(confidence, right, Sample(300, weight, 0, 0.95))
    assert np.isnan(of(without, "accuracy_low")).all()


def test_rows_without_weight_are_in_no_bin():
    confidence, right = np.array([0.55, 0.95]), np.array([True, False])
    bins = reliability_bins(confidence, right, Sample(2, np.array([1.0, 0.0]), 0, 0.95))
    assert [(one.n, one.accuracy) for one in bins] == [(1, 1.0)]


def test_several_labels(student):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 3))
    Y = (X[:, :2] + rng.normal(size=(120, 2)) > 0).astype(int)
    teacher = MultiOutputClassifier(DecisionTreeClassifier(max_depth=2))
    est = DistilledClassifier(teacher, student, augment=None, hard_weight=0.0, random_state=0).fit(X, Y)
    report = distillation_report(est, X, Y, False, n_repeats=1)
    proba = est.predict_proba(X)
    sure = np.maximum(proba, 1 - proba)
    bins = report.reliability["student"]
    assert of(bins, "n").sum() == 240
    top = bins[-1]
    inside = (sure > top.low) & (sure <= top.high)
    assert top.accuracy == pytest.approx((est.predict(X) == Y)[inside].mean())
    assert np.isnan(report.agreement_at_least)
    assert any("mean over labels and rows" in one for one in report.verdicts)


def test_regression_has_none(regressor, bodies):
    assert distillation_report(regressor, *bodies[2:], False, n_repeats=1).reliability == {}


def test_the_predicted_label_is_what_is_sure():
    proba = np.array([[0.2, 0.8], [0.6, 0.4]])
    confidence, right = sure_and_right(proba, np.array(["b", "b"]), np.array(["a", "b"]))
    assert confidence.tolist() == [0.8, 0.6] and right.tolist() == [True, False]
