"""A shift on purpose is told from plain error."""

from __future__ import annotations

import numpy as np
import pytest
from catboost import CatBoostClassifier
from hypothesis import given, settings
from hypothesis import strategies as st
from lightgbm import LGBMClassifier
from scipy.special import expit, logit
from scipy.stats import gamma
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

from sklkd.teachers import Estimand, Outputs, adapt, confirm_estimand, natural_if_balanced, shifted_in_error

PROBABILITY = Estimand("probability", "mine", known=False)
MEAN = Estimand("mean", "mine", known=False)
SEEDS = st.integers(0, 2**31 - 1)


def two(p):
    return Outputs(proba=np.stack([1 - p, p], axis=1))


def classes(rng, n, rate):
    """Log-odds with a spread of 1.5 round a base rate, and labels drawn from them."""
    log_odds = logit(rate) + 1.5 * rng.standard_normal(n)
    return log_odds, (rng.uniform(size=n) < expit(log_odds)).astype(int)


@given(SEEDS, st.sampled_from([0.1, 0.3, 0.5]), st.floats(0.7, 1.5), st.sampled_from([100, 1_000, 10_000]))
@settings(max_examples=30)
def test_natural_probabilities_stay_natural_even_if_not_quite_calibrated(seed, rate, confidence, n):
    log_odds, y = classes(np.random.default_rng(seed), n, rate)
    centre = logit(rate)
    outputs = two(expit(centre + confidence * (log_odds - centre)))
    assert confirm_estimand(PROBABILITY, outputs, y) is PROBABILITY


@given(SEEDS, st.floats(4, 30), st.sampled_from(["up", "down"]))
@settings(max_examples=20)
def test_reweighted_classes_are_found(seed, weight, direction):
    log_odds, y = classes(np.random.default_rng(seed), 2_000, 0.15 if direction == "up" else 0.85)
    shifted = expit(log_odds + np.log(weight) * (1 if direction == "up" else -1))
    found = confirm_estimand(PROBABILITY, two(shifted), y)
    assert found.kind == "reweighted probability"
    assert not found.answered_by_labels
    # The figures are there to be checked.
    assert f"{shifted.mean():.2f}" in found.source or f"{1 - shifted.mean():.2f}" in found.source
    assert "2,000" in found.source


def test_reweighting_of_several_classes():
    rng = np.random.default_rng(0)
    logits = np.array([2.0, 0.5, -1.0]) + 1.5 * rng.standard_normal((3_000, 3))
    proba = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    y = (proba.cumsum(axis=1) < rng.uniform(size=(3_000, 1))).sum(axis=1)
    assert confirm_estimand(PROBABILITY, Outputs(proba=proba), y) is PROBABILITY
    weighted = proba * [1, 3, 12]
    weighted /= weighted.sum(axis=1, keepdims=True)
    assert confirm_estimand(PROBABILITY, Outputs(proba=weighted), y).kind == "reweighted probability"


@given(SEEDS)
@settings(max_examples=10)
def test_plain_errors_of_probabilities_are_no_purpose(seed):
    rng = np.random.default_rng(seed)
    log_odds, y = classes(rng, 1_500, 0.1)
    errors = {
        "constant": np.full(1_500, 0.5),
        "of other rows": expit(rng.permutation(log_odds) + 2),
        "noisy": expit(log_odds + 2 + 8 * rng.standard_normal(1_500)),
        "overconfident": expit(5 * (log_odds + 1)),
        "votes": (log_odds > -1).astype(float),
    }
    for name, p in errors.items():
        assert confirm_estimand(PROBABILITY, two(p), y) is PROBABILITY, name


def targets(rng, n):
    """Expected values, and positive targets with skewed noise in proportion to them."""
    expected = np.exp(0.7 * rng.standard_normal(n))
    return expected, expected * rng.gamma(2, 0.5, n)


@given(SEEDS, st.sampled_from([100, 1_000, 10_000]))
@settings(max_examples=20)
def test_a_mean_stays_a_mean(seed, n):
    rng = np.random.default_rng(seed)
    expected, y = targets(rng, n)
    for values in (expected, expected + 0.3 * rng.standard_normal(n), 0.8 * expected + 0.2 * expected.mean()):
        assert confirm_estimand(MEAN, Outputs(values=values[:, None]), y) is MEAN


@given(SEEDS, st.sampled_from([0.05, 0.1, 0.5, 0.75, 0.9, 0.95]))
@settings(max_examples=20)
def test_quantiles_are_found(seed, level):
    expected, y = targets(np.random.default_rng(seed), 3_000)
    values = expected * gamma(2, scale=0.5).ppf(level)
    found = confirm_estimand(MEAN, Outputs(values=values[:, None]), y)
    assert found.kind == "location"
    assert f"{np.mean(y <= values):.0%}" in found.source


@given(SEEDS)
@settings(max_examples=10)
def test_plain_errors_of_values_are_no_purpose(seed):
    rng = np.random.default_rng(seed)
    expected, y = targets(rng, 1_500)
    errors = {
        "constant": np.full(1_500, 3.0),
        "of other rows": 2 * rng.permutation(expected),
        "other units": 1_000 * expected,
        "other sign": -expected,
    }
    for name, values in errors.items():
        assert confirm_estimand(MEAN, Outputs(values=values[:, None]), y) is MEAN, name


def test_one_shifted_target_of_several_is_enough():
    expected, y = targets(np.random.default_rng(0), 2_000)
    values = np.stack([expected, 2 * expected], axis=1)
    both = np.stack([y, y], axis=1)
    assert confirm_estimand(MEAN, Outputs(values=values), both).kind == "location"
    assert confirm_estimand(MEAN, Outputs(values=values[:, :1].repeat(2, axis=1)), both) is MEAN


def test_weights_are_those_under_which_a_teacher_is_natural():
    log_odds, y = classes(np.random.default_rng(0), 3_000, 0.15)
    outputs = two(expit(log_odds + np.log(6)))
    assert confirm_estimand(PROBABILITY, outputs, y).kind == "reweighted probability"
    assert confirm_estimand(PROBABILITY, outputs, y, np.where(y == 1, 6.0, 1.0)) is PROBABILITY


@given(SEEDS)
@settings(max_examples=10)
def test_a_reference_tells_values_of_a_misfit_from_those_of_a_purpose(seed):
    rng = np.random.default_rng(seed)
    expected, y = targets(rng, 2_000)
    reference = Outputs(values=expected[:, None])
    misfit = Outputs(values=2.5 * (expected * np.exp(0.75 * rng.standard_normal(2_000)))[:, None])
    assert confirm_estimand(MEAN, misfit, y).kind == "location"
    assert shifted_in_error(misfit, reference, y)
    for level in (0.1, 0.5, 0.9):
        purpose = Outputs(values=(expected * gamma(2, scale=0.5).ppf(level))[:, None])
        assert not shifted_in_error(purpose, reference, y)


def test_a_quantile_explains_its_own_level_where_the_noise_differs_between_rows():
    rng = np.random.default_rng(0)
    centre, spread = rng.standard_normal(3_000), np.exp(rng.standard_normal(3_000))
    y = centre + spread * rng.exponential(size=3_000)
    quantile = centre + spread * np.log(10)
    reference = Outputs(values=(centre + spread)[:, None])
    # the 0.9 quantile follows the spread, the mean of rows with little of it their centre
    assert not shifted_in_error(Outputs(values=quantile[:, None]), reference, y)
    assert shifted_in_error(Outputs(values=quantile[rng.permutation(3_000), None]), reference, y)


@given(SEEDS, st.floats(-3, 3))
@settings(max_examples=10)
def test_a_shift_of_log_odds_does_not_count_against_a_classifier(seed, shift):
    rng = np.random.default_rng(seed)
    log_odds, y = classes(rng, 2_000, 0.15)
    noisy = log_odds + 3 * rng.standard_normal(2_000)
    reference = two(expit(log_odds))
    assert not shifted_in_error(two(expit(log_odds + shift)), reference, y)
    assert shifted_in_error(two(expit(noisy + shift)), reference, y)


@given(SEEDS)
@settings(max_examples=10)
def test_a_purpose_may_go_with_little_knowledge(seed):
    """A teacher that sees little of what labels rest on is in error only if its outputs do not mean what they say."""
    rng = np.random.default_rng(seed)
    seen, y = classes(rng, 4_000, 0.2)
    all_of_it = seen + 6 * (y - 0.5)
    good, weak, sure = two(expit(all_of_it)), two(expit(seen + 2)), two(expit(2 * seen + 2))
    assert not shifted_in_error(weak, good, y)
    assert shifted_in_error(sure, good, y)
    x, unseen = rng.standard_normal((2, 4_000))
    y = x + 3 * unseen + 0.1 * rng.standard_normal(4_000)
    good, weak, steep = (Outputs(values=v[:, None]) for v in (x + 3 * unseen, x + 4, 2 * x + 4))
    assert not shifted_in_error(weak, good, y)
    assert shifted_in_error(steep, good, y)


def test_slopes_of_several_targets_do_not_make_up_for_each_other():
    rng = np.random.default_rng(0)
    x, unseen, noise = rng.standard_normal((3, 4_000, 2))
    y = x + 3 * unseen + 0.1 * noise
    good, weak = Outputs(values=x + 3 * unseen), x + 4
    assert not shifted_in_error(Outputs(values=weak), good, y)
    assert shifted_in_error(Outputs(values=weak * [2 / 3, 2.0]), good, y)
    # a constant target says nothing
    constant = np.concatenate([y, np.ones((4_000, 1))], axis=1)
    more = [Outputs(values=np.concatenate([v, np.ones((4_000, 1))], axis=1)) for v in (weak, weak * 2, good.values)]
    assert not shifted_in_error(more[0], more[2], constant)
    assert shifted_in_error(more[1], more[2], constant)


def test_weights_count_in_what_is_explained():
    log_odds, y = classes(np.random.default_rng(0), 2_000, 0.3)
    good, noise = two(expit(log_odds)), two(expit(np.random.default_rng(1).permutation(log_odds)))
    half = np.arange(2_000) < 1_000
    mixed = Outputs(proba=np.where(half[:, None], good.proba, noise.proba))
    assert not shifted_in_error(mixed, good, y, np.where(half, 1.0, 1e-6))
    assert shifted_in_error(mixed, good, y, np.where(half, 1e-6, 1.0))


@pytest.mark.parametrize(
    ("shares", "natural"),
    [
        ([0.5, 0.5], True),
        ([0.49, 0.51], True),
        ([0.45, 0.55], False),
        ([1 / 3, 1 / 3, 1 / 3], True),
        ([0.2, 0.3, 0.5], False),
        ([0.5, 0.5, 0.0], True),
        ([0.01] + [0.99 / 32] * 32, False),
    ],
)
def test_balanced_weights_count_where_they_change_the_shares(shares, natural):
    balanced = Estimand("reweighted probability", "mine", balanced=True)
    found = natural_if_balanced(balanced, np.array(shares))
    assert found.kind == ("probability" if natural else "reweighted probability")
    assert natural or found is balanced
    for other in (PROBABILITY, Estimand("reweighted probability", "mine")):
        assert natural_if_balanced(other, np.array(shares)) is other


OF_TWO_CLASSES = [
    LGBMClassifier(is_unbalance=True, n_estimators=3, verbose=-1),
    XGBClassifier(scale_pos_weight=1, n_estimators=3),
]
OF_ANY_CLASSES = [
    HistGradientBoostingClassifier(class_weight="balanced", max_iter=3),
    RandomForestClassifier(3, class_weight="balanced_subsample"),
    LGBMClassifier(class_weight="balanced", n_estimators=3, verbose=-1),
    CatBoostClassifier(auto_class_weights="Balanced", iterations=3, verbose=0, allow_writing_files=False),
    VotingClassifier([("a", LogisticRegression(class_weight="balanced")), ("b", GaussianNB())], voting="soft"),
    make_pipeline(StandardScaler(), LogisticRegression(class_weight={0: 2, 1: 2, 2: 2})),
]


@pytest.mark.parametrize("n_classes", [2, 3])
def test_weights_that_are_equal_on_balanced_classes_leave_natural_probabilities(n_classes):
    y = np.arange(300) % n_classes
    X = np.eye(n_classes)[y] + np.random.default_rng(0).standard_normal((300, n_classes))
    for model in OF_ANY_CLASSES + (OF_TWO_CLASSES if n_classes == 2 else []):
        estimand = adapt(model.fit(X, y), range(n_classes)).estimand
        assert natural_if_balanced(estimand, np.full(n_classes, 1 / n_classes)).kind == "probability", model


@pytest.mark.parametrize("kind", ["reweighted probability", "median", "quantile", "score"])
def test_what_labels_do_not_answer_is_left(kind):
    estimand = Estimand(kind, "mine", (0.9,) if kind == "quantile" else ())
    expected, y = targets(np.random.default_rng(0), 500)
    assert confirm_estimand(estimand, Outputs(values=expected[:, None]), y) is estimand


@pytest.mark.parametrize("n", [100, 1_000])
def test_ordinary_models_raise_no_alarm_on_rows_that_they_have_not_seen(n):
    X, y = make_classification(2 * n, 10, n_informative=5, weights=[0.85], flip_y=0.05, random_state=n)
    new = slice(n, None)
    for model in (RandomForestClassifier(10), LogisticRegression(), KNeighborsClassifier(), GaussianNB()):
        outputs = Outputs(proba=model.fit(X[:n], y[:n]).predict_proba(X[new]))
        assert confirm_estimand(PROBABILITY, outputs, y[new]) is PROBABILITY, model
    X, target = make_regression(2 * n, 10, noise=20, random_state=n)
    target = np.exp(target / target.std())
    for model in (RandomForestRegressor(10), make_pipeline(StandardScaler(), Ridge()), KNeighborsRegressor()):
        outputs = Outputs(values=model.fit(X[:n], target[:n]).predict(X[new])[:, None])
        assert confirm_estimand(MEAN, outputs, target[new]) is MEAN, model


def test_models_with_a_purpose_are_found_on_rows_that_they_have_not_seen():
    X, y = make_classification(3_000, 10, n_informative=5, weights=[0.9], flip_y=0.02, random_state=0)
    for model in (
        LogisticRegression(class_weight="balanced"),
        RandomForestClassifier(15, min_samples_leaf=10, class_weight="balanced", random_state=0),
    ):
        outputs = Outputs(proba=model.fit(X[:1_500], y[:1_500]).predict_proba(X[1_500:]))
        assert confirm_estimand(PROBABILITY, outputs, y[1_500:]).kind == "reweighted probability"
    rng = np.random.default_rng(0)
    X = rng.standard_normal((3_000, 3))
    target = X[:, 0] + np.exp(0.5 * X[:, 1]) * rng.exponential(size=3_000)
    for level in (0.1, 0.9):
        model = GradientBoostingRegressor(loss="quantile", alpha=level, n_estimators=30, random_state=0)
        outputs = Outputs(values=model.fit(X[:1_500], target[:1_500]).predict(X[1_500:])[:, None])
        assert confirm_estimand(MEAN, outputs, target[1_500:]).kind == "location"


@pytest.mark.parametrize("unit", [1e-250, 1e160, 1e250])
def test_a_shift_is_found_in_any_unit(unit):
    """Squares of such values are no numbers of float64."""
    expected, y = targets(np.random.default_rng(0), 3_000)
    values = expected * gamma(2, scale=0.5).ppf(0.75)
    of_units = [confirm_estimand(MEAN, Outputs(values=values[:, None] * one), y * one) for one in (1.0, unit)]
    assert of_units[0].kind == "location" and of_units[0] == of_units[1]
