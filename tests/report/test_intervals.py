"""Intervals: coverage on simulated data, exact bounds by binomial sums, and what is drawn."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from scipy.special import xlogy
from scipy.stats import bootstrap

from sklkd.report._comparison import Comparison
from sklkd.report._intervals import (
    Sample,
    bootstrap_interval,
    check_confidence,
    exact_interval,
    exact_lower_bound,
    paired_interval,
)
from sklkd.report._quality import (
    closeness_of_classes,
    closeness_of_values,
    mean_of,
    quality_of_classes,
    quality_of_labels,
    quality_of_values,
    share_of,
)


def at_least(k, n, p):
    """The probability of k or more of n, by the binomial sum in exact fractions."""
    p = Fraction(p)
    return float(sum(comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1)))


@pytest.mark.parametrize("k, n", [(1, 20), (19, 20), (45, 50), (50, 50), (97, 100)])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_exact_bounds_are_where_binomial_tails_say(k, n, confidence):
    outside = 1 - confidence
    assert at_least(k, n, exact_lower_bound(k, n, confidence)) == pytest.approx(outside)
    low, high = exact_interval(k, n, confidence)
    assert at_least(k, n, low) == pytest.approx(outside / 2)
    if k < n:
        assert 1 - at_least(k + 1, n, high) == pytest.approx(outside / 2)
    else:
        assert high == 1


def test_bounds_of_none():
    assert exact_lower_bound(0, 10, 0.95) == 0
    low, high = exact_interval(0, 10, 0.95)
    assert low == 0 and (1 - high) ** 10 == pytest.approx(0.025)


@pytest.mark.parametrize("more, less, n", [(0, 0, 50), (3, 0, 50), (10, 4, 60), (4, 10, 60), (30, 0, 30), (0, 30, 30)])
def test_ends_of_paired_shares_are_where_the_score_test_says(more, less, n):
    """The score test, its nuisance parameter found by maximising the likelihood on a grid."""
    low, high = paired_interval(more, less, n, 0.95)
    assert -1 <= low <= (more - less) / n <= high <= 1
    for end in (low, high):
        if abs(end) == 1:
            assert abs(more - less) == n
            continue
        second = np.linspace(max(0, -end), (1 - end) / 2, 400_001)[1:-1]
        with np.errstate(divide="ignore"):
            logs = xlogy(more, second + end) + xlogy(less, second) + xlogy(n - more - less, 1 - end - 2 * second)
        share = second[np.argmax(logs)]
        z = (more - less - n * end) / np.sqrt(n * (2 * share + end * (1 - end)))
        assert abs(z) == pytest.approx(1.96, abs=0.01)


def test_the_interval_of_a_mean_is_near_that_of_scipy():
    values = np.random.default_rng(0).lognormal(size=2000)
    spread = Sample(2000, None, 4000, 0.95).spread(values[:, None])
    found = bootstrap_interval(values.mean(), spread.drawn[:, 0], spread.without_one[:, 0], 0.95)
    expected = bootstrap((values,), np.mean, method="BCa", n_resamples=4000, random_state=1).confidence_interval
    assert found == pytest.approx(expected, abs=0.1 * (expected.high - expected.low))


def interval_of(values, weight=None, n_bootstrap=1000, seed=None):
    sample = Sample(len(values), weight, n_bootstrap, 0.95, seed)
    column = np.asarray(values, dtype=float)[:, None]
    spread = sample.spread(column)
    return bootstrap_interval(float(sample.means(column)[0]), spread.drawn[:, 0], spread.without_one[:, 0], 0.95)


def test_draws_are_seeded():
    values = np.random.default_rng(0).normal(size=100)
    assert interval_of(values) == interval_of(values)
    assert interval_of(values, seed=1) == interval_of(values, seed=1) != interval_of(values)


def test_rows_without_weight_are_not_drawn():
    values = np.random.default_rng(0).normal(size=100)
    weight = np.repeat([1.0, 0.0], 50)
    assert interval_of(values, weight) == pytest.approx(interval_of(values[:50]))


def test_a_weight_does_not_make_rows_surer():
    values = np.random.default_rng(0).normal(size=100)
    assert interval_of(values, np.full(100, 7.0)) == pytest.approx(interval_of(values))


def test_groups_of_many_rows_vary_as_rows_do():
    values = np.random.default_rng(0).exponential(size=50_003)
    low, high = interval_of(values, n_bootstrap=4000)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.15 * half)
    # rows that follow each other belong together no more than others do
    assert np.subtract(*interval_of(np.sort(values), n_bootstrap=4000)) == pytest.approx(low - high, rel=0.1)


def test_no_interval_where_there_is_nothing_to_go_by():
    drawn, without_one = np.arange(100.0), np.arange(10.0)
    assert np.isnan(bootstrap_interval(np.nan, drawn, without_one, 0.95)).all()
    assert np.isnan(bootstrap_interval(1.0, drawn, without_one[:1], 0.95)).all()
    drawn[:10] = np.nan
    assert np.isnan(bootstrap_interval(1.0, drawn, without_one, 0.95)).all()
    assert np.isfinite(bootstrap_interval(50.0, drawn, without_one, 0.8)).all()


@pytest.mark.parametrize("confidence", [0, 1, 95, "high"])
def test_bad_confidence(confidence):
    with pytest.raises(ValueError, match="confidence must be a number between 0 and 1"):
        check_confidence(confidence, 1000)


@pytest.mark.parametrize("n_bootstrap", [-1, 10, 1000.0])
def test_bad_numbers_of_replicates(n_bootstrap):
    with pytest.raises(ValueError, match="n_bootstrap must be an integer >= 100, or 0"):
        check_confidence(0.95, n_bootstrap)


def classes(rng, n):
    """A model whose probabilities are too sure, and a teacher who knows the true ones."""
    logit = rng.normal(scale=1.5, size=n)
    true = 1 / (1 + np.exp(-logit))
    y = (rng.random(n) < true).astype(int)
    own = 1 / (1 + np.exp(-1.3 * logit - 0.5 * rng.normal(size=n)))
    proba, teacher = (np.stack([1 - p, p], axis=1) for p in (own, true))
    student = quality_of_classes(proba, y, np.arange(2)) | closeness_of_classes(proba, teacher)
    return {"student": student, "teacher": quality_of_classes(teacher, y, np.arange(2))}


def values(rng, n):
    x = rng.normal(size=n)
    y, own = x + 0.5 * rng.standard_t(8, size=n), 0.9 * x + 0.2 * rng.normal(size=n)
    student = quality_of_values(own[:, None], y, (0.5,)) | closeness_of_values(own[:, None], x[:, None])
    return {"student": student, "teacher": quality_of_values(x[:, None], y, (0.5,))}


def labels(rng, n):
    p = rng.random((n, 3)) * [1, 0.6, 0.3]
    y = (rng.random((n, 3)) < p).astype(int)
    return {"student": quality_of_labels(p, y)}


def coverage(make, n, repetitions, n_bootstrap):
    """How often intervals of measures and of differences hold what they are for."""
    measures = make(np.random.default_rng(0), 1_000_000)
    truth = Comparison(measures, Sample(1_000_000, None, 0, 0.95), "").results().rows
    if make is not classes:  # these probabilities are the true ones; and the sum of sizes is never quite 0
        truth["student"] |= {"ece": 0.0} if make is labels else {}
    else:
        truth["teacher"]["ece"] = 0.0
    holds: dict[str, list[bool]] = {}
    for k in range(repetitions):
        measures = make(np.random.default_rng(k + 1), n)
        found = Comparison(measures, Sample(n, None, n_bootstrap, 0.95, k), "").results()
        for name, interval in found.intervals["student"].items():
            holds.setdefault(name, []).append(not interval.excludes(truth["student"][name]))
        for name, estimate in found.differences.get("teacher", {}).items():
            difference = truth["student"][name] - truth["teacher"][name]
            holds.setdefault(f"difference of {name}", []).append(not estimate.interval.excludes(difference))
    return {name: float(np.mean(each)) for name, each in holds.items()}


CONSERVATIVE = "ece"


def check(found, least, most):
    for name, share in found.items():
        assert share >= least, (name, found)
        assert share <= most or name.endswith(CONSERVATIVE), (name, found)


@pytest.mark.parametrize("make", [classes, values, labels])
def test_coverage(make):
    # with 400 repetitions, the share that holds varies by 1.2 %
    check(coverage(make, 200, 400, 300), 0.895, 0.99)


@pytest.mark.slow
@pytest.mark.parametrize("n", [100, 1000])
@pytest.mark.parametrize("make", [classes, values, labels])
def test_coverage_over_many_simulations(make, n):
    check(coverage(make, n, 1500, 1000), 0.915, 0.98)


@pytest.mark.slow
def test_the_lower_bound_of_agreement_holds_as_often_as_it_says():
    rng, n = np.random.default_rng(0), 200
    for p in (0.9, 0.97, 0.995):
        bounds = [exact_lower_bound(k, n, 0.95) for k in rng.binomial(n, p, size=5000)]
        assert np.mean(np.array(bounds) <= p) >= 0.945


def test_measures_are_means_or_shares():
    holds = np.array([True, False, True])
    assert share_of(holds).is_share and not mean_of(holds).is_share
    assert share_of(holds).take(np.array([0, 2])).columns.tolist() == [[1.0], [1.0]]


@pytest.mark.parametrize("unit", [1e-250, 1e-120, 1e120, 1e250])
def test_an_interval_does_not_depend_on_the_unit(unit):
    """Cubes of such values are no numbers of float64."""
    rng = np.random.RandomState(0)
    drawn, without_one = rng.gamma(2, size=400), rng.gamma(2, size=50)
    expected = bootstrap_interval(2.0, drawn, without_one, 0.95)
    found = bootstrap_interval(2.0 * unit, drawn * unit, without_one * unit, 0.95)
    np.testing.assert_allclose([found.low / unit, found.high / unit], [expected.low, expected.high], rtol=1e-9)
