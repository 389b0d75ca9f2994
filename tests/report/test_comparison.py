"""Differences are paired, agreement is bounded by counts, and verdicts follow from the intervals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import log_loss

from sklkd import DistilledClassifier, distillation_report
from sklkd.report._comparison import Comparison
from sklkd.report._intervals import Sample
from sklkd.report._quality import mean_of


@pytest.fixture(scope="module")
def report(classifier, flowers):
    X, y, X_test, y_test = flowers
    return distillation_report(classifier, X_test, y_test, X_train=X, y_train=y, n_repeats=1)


def test_differences_are_those_of_the_same_draws():
    """Two models whose losses differ by a constant in every row: however they vary, the difference does not."""
    losses = np.random.default_rng(0).exponential(size=50)
    measures = {"teacher": {"loss": mean_of(losses)}, "student": {"loss": mean_of(losses + 0.25)}}
    found = Comparison(measures, Sample(50, None, 500, 0.95), "loss").results()
    low, high = found.intervals["student"]["loss"]
    assert high - low > 0.3
    assert found.differences["teacher"]["loss"] == pytest.approx((0.25, 0.25, 0.25))


def test_a_difference_has_the_interval_of_the_differences_of_rows():
    rng = np.random.default_rng(0)
    a, b = rng.exponential(size=(2, 60))
    measures = {"teacher": {"loss": mean_of(a)}, "student": {"loss": mean_of(b)}}
    sample = Sample(60, rng.uniform(size=60), 500, 0.95)
    paired = Comparison(measures, sample, "loss").results().differences["teacher"]["loss"]
    alone = Comparison({"student": {"loss": mean_of(b - a)}}, sample, "loss").results()
    assert paired.value == pytest.approx(alone.rows["student"]["loss"])
    assert paired.interval == pytest.approx(alone.intervals["student"]["loss"])


def test_differences_of_the_report(classifier, flowers, report):
    X_test, y_test = flowers[2:]
    for other in ("teacher", "baseline"):
        for name, estimate in report.differences[other].items():
            assert estimate.value == pytest.approx(report.rows["student"][name] - report.rows[other][name])
            assert estimate.low <= estimate.value <= estimate.high
    difference = log_loss(y_test, classifier.predict_proba(X_test)) - log_loss(
        y_test, classifier.teacher_.predict_proba(X_test)
    )
    assert report.differences["teacher"]["log_loss"].value == pytest.approx(difference)


def test_every_measure_has_an_interval(report):
    for model, found in report.intervals.items():
        for name, (low, high) in found.items():
            assert low <= report.rows[model][name] <= high or name == "gain_retained"
    measured = {name for name, value in report.rows["student"].items() if np.isfinite(value)}
    assert set(report.intervals["student"]) == measured - {
        "parameters",
        "bytes",
        "fit_seconds",
        "us_one_row",
        "us_per_row",
    }


def test_agreement_has_an_exact_bound(classifier, flowers, report):
    X_test = flowers[2]
    k = int((classifier.predict(X_test) == classifier.teacher_.predict(X_test)).sum())
    one_sided = binomtest(k, len(X_test), alternative="greater").proportion_ci(0.95, "exact")
    assert report.agreement_at_least == pytest.approx(one_sided.low)
    two_sided = binomtest(k, len(X_test)).proportion_ci(0.95, "exact")
    assert report.intervals["student"]["agreement"] == pytest.approx((two_sided.low, two_sided.high))
    right = binomtest(int((classifier.predict(X_test) == flowers[3]).sum()), len(X_test)).proportion_ci(0.95, "exact")
    assert report.intervals["student"]["score"] == pytest.approx((right.low, right.high))
    assert f"in at least {np.floor(1000 * one_sided.low) / 10:.1f} % of such rows" in " ".join(str(report).split())


def test_confidence_is_that_of_every_interval(classifier, flowers, report):
    X_test, y_test = flowers[2:]
    narrow = distillation_report(classifier, X_test, y_test, False, n_repeats=1, confidence=0.5)
    assert narrow.confidence == 0.5 and narrow.agreement_at_least > report.agreement_at_least
    for name, (low, high) in narrow.intervals["student"].items():
        wide = report.intervals["student"][name]
        assert wide.low <= low <= high <= wide.high and high - low < wide.high - wide.low


def test_rows_that_do_not_count_the_same_have_no_exact_bounds(classifier, flowers):
    X_test, y_test = flowers[2:]
    weight = np.random.default_rng(0).uniform(size=len(y_test))
    found = distillation_report(classifier, X_test, y_test, False, n_repeats=1, sample_weight=weight)
    assert np.isnan(found.agreement_at_least)
    low, high = found.intervals["student"]["agreement"]
    assert low < found.rows["student"]["agreement"] < high
    assert any("by the bootstrap" in one for one in found.verdicts)
    same = distillation_report(classifier, X_test, y_test, False, n_repeats=1, sample_weight=np.full(len(y_test), 3.0))
    assert np.isfinite(same.agreement_at_least)


def test_one_row_varies_in_no_way_that_is_known(classifier, flowers):
    found = distillation_report(classifier, flowers[2][:1], flowers[3][:1], False, n_repeats=1)
    for name, interval in found.intervals["student"].items():
        exact = name in ("score", "agreement")
        assert np.isfinite(interval).all() == exact
        assert not exact or interval.high - interval.low == pytest.approx(0.975)
    assert not any("better" in one or "worse" in one for one in found.verdicts)
    assert str(found)


def test_no_intervals(classifier, flowers):
    found = distillation_report(classifier, *flowers[2:], False, n_repeats=1, n_bootstrap=0)
    assert found.intervals == {} and found.differences == {} and found.verdicts == []
    assert np.isnan(found.agreement_at_least)
    assert "How sure" not in str(found)


@pytest.mark.parametrize(
    "interval, word", [((0.01, 0.03), "worse"), ((-0.02, 0.05), "not distinguishable"), ((-0.3, -0.1), "better")]
)
def test_a_verdict_is_what_the_interval_says(report, interval, word):
    estimate = report.differences["teacher"]["log_loss"]._replace(
        value=np.mean(interval), low=interval[0], high=interval[1]
    )
    one = replace(report, differences={"teacher": {"log_loss": estimate}})
    verdict, _ = one.verdicts
    assert word in verdict and "the teacher" in verdict


def test_a_student_is_not_told_from_its_equal(flowers, student):
    X, y, X_test, y_test = flowers
    est = DistilledClassifier(ExtraTreesClassifier(5), student, augment=None, hard_weight=0.0, random_state=0).fit(X, y)
    found = distillation_report(est, X_test, y_test, est.without_teacher(), n_repeats=1)
    assert found.differences["baseline"]["log_loss"] == (0, 0, 0)
    assert any("not distinguishable from the same student" in one for one in found.verdicts)
