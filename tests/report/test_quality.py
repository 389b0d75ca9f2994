"""Every measure recomputed another way."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import entropy, pearsonr
from sklearn.metrics import accuracy_score, brier_score_loss, f1_score, log_loss, r2_score

from sklkd.report import _quality
from sklkd.report._intervals import Sample
from sklkd.report._quality import gain_retained, quantile_levels
from sklkd.teachers import Estimand

LABELS = np.array(["ant", "bee", "cow"])


def values_of(measures, weight=None):
    """The measures over all rows."""
    found = {}
    for name, one in measures.items():
        sample = Sample(len(one.columns), weight, 0, 0.95)
        found[name] = float(one.of_means(sample.means(one.columns)))
    return found


def quality_of_classes(proba, y, classes, weight=None, threshold=None):
    return values_of(_quality.quality_of_classes(proba, y, classes, threshold), weight)


def quality_of_values(values, y, weight=None, levels=None):
    return values_of(_quality.quality_of_values(values, y, levels), weight)


def closeness_of_classes(proba, teacher, weight=None, thresholds=(None, None)):
    return values_of(_quality.closeness_of_classes(proba, teacher, thresholds), weight)


def closeness_of_values(values, teacher, weight=None):
    return values_of(_quality.closeness_of_values(values, teacher), weight)


def calibration_error(proba, correct, weight=None):
    return values_of({"ece": _quality.calibration_error(proba.max(axis=1), correct)}, weight)["ece"]


def proba(n, k, seed):
    return np.random.default_rng(seed).dirichlet(np.ones(k), n)


def labels(n, classes, seed):
    return np.random.default_rng(seed).choice(classes, n)


def test_classification_by_hand():
    p, y = proba(50, 3, 0), labels(50, LABELS, 1)
    found = quality_of_classes(p, y, LABELS, None)
    of_label = [p[i, list(LABELS).index(y[i])] for i in range(50)]
    right = [LABELS[np.argmax(p[i])] == y[i] for i in range(50)]
    squares = [sum((p[i, k] - (LABELS[k] == y[i])) ** 2 for k in range(3)) for i in range(50)]
    assert found["score"] == pytest.approx(np.mean(right))
    assert found["log_loss"] == pytest.approx(-np.mean(np.log(of_label)))
    assert found["brier"] == pytest.approx(np.mean(squares))
    assert set(found) == {"score", "log_loss", "brier", "ece"}


def test_brier_score_of_two_classes_is_that_of_scikit_learn():
    p, y = proba(40, 2, 0), labels(40, [3, 7], 1)
    found = quality_of_classes(p, y, np.array([3, 7]), None)
    assert found["brier"] == pytest.approx(brier_score_loss(y, p[:, 1], pos_label=7))


def test_calibration_error_bin_by_bin():
    p, y = proba(300, 3, 2), labels(300, LABELS, 3)
    right = LABELS[p.argmax(1)] == y
    error, confidence = 0.0, p.max(1)
    for b in range(15):
        inside = (confidence > b / 15) & (confidence <= (b + 1) / 15)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert error > 0.05
    assert calibration_error(p, right, None) == pytest.approx(error)


def test_calibration_error_of_certainties():
    p = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    assert calibration_error(p, np.array([True, True, True, True]), None) == 0
    assert calibration_error(p, np.array([True, True, False, False]), None) == 0.5


def test_calibration_error_cancels_inside_a_bin_but_not_between_bins():
    certain, unsure = [0.9, 0.1], [0.6, 0.4]
    within = calibration_error(np.array([unsure] * 5), np.array([1, 1, 1, 0, 0], bool), None)
    between = calibration_error(
        np.array([certain] * 5 + [unsure] * 5), np.array([1] * 3 + [0] * 2 + [1] * 5, bool), None
    )
    assert within == pytest.approx(0)
    assert between == pytest.approx(0.5 * 0.3 + 0.5 * 0.4)


@pytest.mark.parametrize("classification", [True, False])
def test_a_weight_of_two_is_a_repeated_row_and_one_of_zero_is_no_row(classification):
    rng = np.random.default_rng(0)
    weight = rng.integers(0, 3, 30)
    repeated = np.repeat(np.arange(30), weight)
    values, teacher, y = rng.normal(size=(3, 30, 2))
    if classification:
        values, teacher, y = proba(30, 3, 1), proba(30, 3, 2), labels(30, LABELS, 3)

    def measured(index, weight):
        a, b, truth = values[index], teacher[index], y[index]
        if classification:
            return quality_of_classes(a, truth, LABELS, weight) | closeness_of_classes(a, b, weight)
        return quality_of_values(a, truth, weight, (0.2, 0.7)) | closeness_of_values(a, b, weight)

    weighted, plain, unweighted = measured(slice(None), weight), measured(repeated, None), measured(slice(None), None)
    assert weighted == pytest.approx(plain)
    assert all(weighted[name] != pytest.approx(unweighted[name], rel=1e-6) for name in weighted)


def test_regression_by_hand():
    y, values = np.random.default_rng(0).normal(size=(2, 40, 2)) * [1, 10]
    found = quality_of_values(values, y, None)
    assert found["score"] == pytest.approx(np.mean([r2_score(y[:, j], values[:, j]) for j in range(2)]))
    assert found["rmse"] == pytest.approx(np.mean(np.sqrt(np.mean((y - values) ** 2, axis=0))))


def test_one_target_may_come_as_a_vector():
    y, values = np.random.default_rng(0).normal(size=(2, 40))
    found = quality_of_values(values[:, None], y, None)
    rmse = np.sqrt(np.mean((y - values) ** 2))
    assert found == {"score": pytest.approx(r2_score(y, values)), "rmse": pytest.approx(rmse)}


def test_closeness_of_probabilities():
    student, teacher = proba(60, 4, 0), proba(60, 4, 1)
    found = closeness_of_classes(student, teacher, None)
    assert found["kl"] == pytest.approx(np.mean([entropy(t, s) for t, s in zip(teacher, student, strict=True)]))
    assert found["kl"] != pytest.approx(closeness_of_classes(teacher, student, None)["kl"], rel=1e-3)
    assert found["agreement"] == np.mean([t.argmax() == s.argmax() for t, s in zip(teacher, student, strict=True)])
    assert closeness_of_classes(teacher, teacher, None) == {"agreement": 1, "kl": pytest.approx(0)}


def test_certainties_have_a_finite_divergence():
    certain, wrong = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    assert closeness_of_classes(certain, certain, None)["kl"] == 0
    assert closeness_of_classes(wrong, certain, None)["kl"] == pytest.approx(-np.log(np.finfo(float).eps))


def test_closeness_of_values():
    student, teacher = np.random.default_rng(0).normal(size=(2, 50, 2))
    found = closeness_of_values(student, teacher, None)
    assert found["rmse_to_teacher"] == pytest.approx(np.mean(np.sqrt(np.mean((student - teacher) ** 2, axis=0))))
    expected = np.mean([pearsonr(student[:, j], teacher[:, j])[0] for j in range(2)])
    assert found["correlation_to_teacher"] == pytest.approx(expected)
    assert closeness_of_values(3 * teacher + 1, teacher, None)["correlation_to_teacher"] == pytest.approx(1)


def test_constant_values_have_no_correlation():
    found = closeness_of_values(np.zeros((5, 1)), np.arange(5.0)[:, None], None)
    assert np.isnan(found["correlation_to_teacher"])
    assert found["rmse_to_teacher"] == pytest.approx(np.sqrt(6))


def test_labels_are_those_of_each_models_own_rule():
    student, teacher, y = proba(60, 2, 0), proba(60, 2, 1), labels(60, [3, 7], 2)
    by_rule = np.where(student[:, 1] >= 0.2, 7, 3)
    found = quality_of_classes(student, y, np.array([3, 7]), None, 0.2)
    assert found["score"] == np.mean(by_rule == y)
    plain = quality_of_classes(student, y, np.array([3, 7]), None)
    assert plain["score"] != found["score"] and {**plain, "score": 0} == {**found, "score": 0}
    same = by_rule == np.where(teacher[:, 1] > 0.5, 7, 3)
    assert closeness_of_classes(student, teacher, None, (0.2, None))["agreement"] == np.mean(same)


@pytest.mark.parametrize("levels", [(0.9,), (0.1, 0.5, 0.9)])
def test_quantiles(levels):
    rng = np.random.default_rng(0)
    y, values = rng.normal(size=200), np.sort(rng.normal(size=(200, len(levels))), axis=1)
    found = quality_of_values(values, y, None, levels)
    losses, below = [], []
    for j, level in enumerate(levels):
        above = y - values[:, j]
        losses.append(np.mean(np.where(above >= 0, level * above, (level - 1) * above)))
        below.append(np.mean(y <= values[:, j]))
    names = ["coverage"] if len(levels) == 1 else [f"coverage {level:g}" for level in levels]
    assert found["pinball"] == pytest.approx(np.mean(losses))
    assert [found[name] for name in names] == pytest.approx(below)
    inside = ["inside 0.1 to 0.9"] if len(levels) > 1 else []
    assert set(found) == {"score", "rmse", "pinball", *names, *inside}
    for name in inside:
        assert found[name] == np.mean((values[:, 0] <= y) & (y <= values[:, -1]))
        assert quality_of_values(values[:, ::-1], y, None, levels[::-1]) == pytest.approx(found)


@pytest.mark.parametrize(
    ("kind", "levels", "columns"),
    [
        ("mean", (), set()),
        ("score", (), set()),
        ("probability", (), set()),
        ("reweighted probability", (), set()),
        ("rate", (), {"coverage"}),
        ("expectile", (0.8,), {"coverage"}),
        ("median", (), {"coverage", "pinball"}),
        ("quantile", (0.9,), {"coverage", "pinball"}),
    ],
)
def test_columns_of_an_estimand(kind, levels, columns):
    found = quality_of_values(np.zeros((3, 1)), np.arange(3.0), None, quantile_levels(Estimand(kind, "", levels)))
    assert set(found) == {"score", "rmse"} | columns


@pytest.mark.parametrize("student, gain", [(0.5, 0.0), (0.3, 1.0), (0.4, 0.5), (0.2, 1.5), (0.6, -0.5)])
def test_gain_retained(student, gain):
    losses = {"teacher": np.array([0.3]), "student": np.array([student]), "baseline": np.array([0.5])}
    assert gain_retained(losses) == pytest.approx(gain)


@pytest.mark.parametrize("teacher", [0.5, 0.7])
def test_a_teacher_that_gains_nothing_has_nothing_to_retain(teacher):
    losses = {"teacher": np.array(teacher), "student": np.array(0.4), "baseline": np.array(0.5)}
    assert np.isnan(gain_retained(losses))


@pytest.mark.parametrize("constant", [True, False])
def test_measures_of_several_labels_are_those_of_scikit_learn(constant):
    rng = np.random.default_rng(0)
    p, y, weight = rng.random((80, 3)), rng.integers(0, 2, (80, 3)), rng.uniform(size=80)
    if constant:
        p[:, 1], y[:, 1] = 0.2, 0
    found = values_of(_quality.quality_of_labels(p, y), weight)
    assert found["f1"] == pytest.approx(f1_score(y, p > 0.5, average="macro", sample_weight=weight, zero_division=0.0))
    assert found["score"] == pytest.approx(accuracy_score(y, p > 0.5, sample_weight=weight))
    each = [log_loss(y[:, j], p[:, j], sample_weight=weight, labels=[0, 1]) for j in range(3)]
    assert found["log_loss"] == pytest.approx(np.mean(each))
    squares = [brier_score_loss(y[:, j], p[:, j], sample_weight=weight, pos_label=1) for j in range(3)]
    assert found["brier"] == pytest.approx(np.mean(squares))
    pairs = np.stack([1 - p.ravel(), p.ravel()], axis=1)
    expected = calibration_error(pairs, (p.ravel() > 0.5) == y.ravel(), np.repeat(weight, 3))
    assert found["ece"] == pytest.approx(expected)


@pytest.mark.parametrize("exact", [True, False])
def test_r2_of_a_constant_target_is_that_of_scikit_learn(exact):
    y, values = np.full(20, 3.5), np.full(20, 3.5 if exact else 2.0)
    assert quality_of_values(values[:, None], y)["score"] == r2_score(y, values)


@pytest.mark.parametrize("unit", [1e-250, 1e-160, 1e160, 1e250])
def test_measures_of_values_do_not_depend_on_their_unit(unit):
    """Squares of such values are no numbers of float64."""
    rng = np.random.RandomState(0)
    y, values, teacher = (rng.standard_normal((50, 2)) for _ in range(3))
    found, expected = quality_of_values(values * unit, y * unit), quality_of_values(values, y)
    found |= closeness_of_values(values * unit, teacher * unit)
    expected |= closeness_of_values(values, teacher)
    for name, one in expected.items():
        in_units = found[name] / unit if name.startswith("rmse") else found[name]
        np.testing.assert_allclose(in_units, one, rtol=1e-9, err_msg=name)
