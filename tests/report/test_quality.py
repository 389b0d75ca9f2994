"""Every measure recomputed another way."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import entropy, pearsonr
from sklearn.metrics import brier_score_loss, r2_score

from sklkd.report._quality import calibration_error, closeness, gain_retained, quality

LABELS = np.array(["ant", "bee", "cow"])


def proba(n, k, seed):
    return np.random.default_rng(seed).dirichlet(np.ones(k), n)


def labels(n, classes, seed):
    return np.random.default_rng(seed).choice(classes, n)


def test_classification_by_hand():
    p, y = proba(50, 3, 0), labels(50, LABELS, 1)
    found = quality(p, y, LABELS, None)
    told = [p[i, list(LABELS).index(y[i])] for i in range(50)]
    right = [LABELS[np.argmax(p[i])] == y[i] for i in range(50)]
    squares = [sum((p[i, k] - (LABELS[k] == y[i])) ** 2 for k in range(3)) for i in range(50)]
    assert found["score"] == pytest.approx(np.mean(right))
    assert found["log_loss"] == pytest.approx(-np.mean(np.log(told)))
    assert found["brier"] == pytest.approx(np.mean(squares))
    assert set(found) == {"score", "log_loss", "brier", "ece"}


def test_brier_score_of_two_classes_is_that_of_scikit_learn():
    p, y = proba(40, 2, 0), labels(40, [3, 7], 1)
    assert quality(p, y, np.array([3, 7]), None)["brier"] == pytest.approx(brier_score_loss(y, p[:, 1], pos_label=7))


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
    if classification:
        answers, taught, y, classes = proba(30, 3, 1), proba(30, 3, 2), labels(30, LABELS, 3), LABELS
    else:
        answers, taught, y = rng.normal(size=(3, 30, 2))
        classes = None
    weighted = quality(answers, y, classes, weight) | closeness(answers, taught, classification, weight)
    plain = quality(answers[repeated], y[repeated], classes, None)
    plain |= closeness(answers[repeated], taught[repeated], classification, None)
    unweighted = quality(answers, y, classes, None) | closeness(answers, taught, classification, None)
    assert weighted == pytest.approx(plain)
    assert all(weighted[name] != pytest.approx(unweighted[name], rel=1e-6) for name in weighted)


def test_regression_by_hand():
    y, answers = np.random.default_rng(0).normal(size=(2, 40, 2)) * [1, 10]
    found = quality(answers, y, None, None)
    assert found["score"] == pytest.approx(np.mean([r2_score(y[:, j], answers[:, j]) for j in range(2)]))
    assert found["rmse"] == pytest.approx(np.mean(np.sqrt(np.mean((y - answers) ** 2, axis=0))))


def test_one_target_may_come_as_a_vector():
    y, answers = np.random.default_rng(0).normal(size=(2, 40))
    found = quality(answers[:, None], y, None, None)
    rmse = np.sqrt(np.mean((y - answers) ** 2))
    assert found == {"score": pytest.approx(r2_score(y, answers)), "rmse": pytest.approx(rmse)}


def test_closeness_of_probabilities():
    student, teacher = proba(60, 4, 0), proba(60, 4, 1)
    found = closeness(student, teacher, True, None)
    assert found["kl"] == pytest.approx(np.mean([entropy(t, s) for t, s in zip(teacher, student, strict=True)]))
    assert found["kl"] != pytest.approx(closeness(teacher, student, True, None)["kl"], rel=1e-3)
    assert found["agreement"] == np.mean([t.argmax() == s.argmax() for t, s in zip(teacher, student, strict=True)])
    assert closeness(teacher, teacher, True, None) == {"agreement": 1, "kl": pytest.approx(0)}


def test_certainties_have_a_finite_divergence():
    certain, wrong = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    assert closeness(certain, certain, True, None)["kl"] == 0
    assert closeness(wrong, certain, True, None)["kl"] == pytest.approx(-np.log(np.finfo(float).eps))


def test_closeness_of_values():
    student, teacher = np.random.default_rng(0).normal(size=(2, 50, 2))
    found = closeness(student, teacher, False, None)
    assert found["rmse_to_teacher"] == pytest.approx(np.mean(np.sqrt(np.mean((student - teacher) ** 2, axis=0))))
    expected = np.mean([pearsonr(student[:, j], teacher[:, j])[0] for j in range(2)])
    assert found["correlation_to_teacher"] == pytest.approx(expected)
    assert closeness(3 * teacher + 1, teacher, False, None)["correlation_to_teacher"] == pytest.approx(1)


def test_constant_values_have_no_correlation():
    found = closeness(np.zeros((5, 1)), np.arange(5.0)[:, None], False, None)
    assert np.isnan(found["correlation_to_teacher"])
    assert found["rmse_to_teacher"] == pytest.approx(np.sqrt(6))


@pytest.mark.parametrize("classification", [True, False])
def test_without_a_teacher_nothing_is_close(classification):
    assert np.isnan(list(closeness(proba(5, 2, 0), None, classification, None).values())).all()


@pytest.mark.parametrize("student, gain", [(0.5, 0.0), (0.3, 1.0), (0.4, 0.5), (0.2, 1.5), (0.6, -0.5)])
def test_gain_retained(student, gain):
    rows = {"teacher": {"rmse": 0.3}, "student": {"rmse": student}, "baseline": {"rmse": 0.5}}
    notes: list[str] = []
    assert gain_retained(rows, "rmse", notes) == pytest.approx(gain)
    assert notes == []


@pytest.mark.parametrize("teacher", [0.5, 0.7])
def test_a_teacher_that_gains_nothing_has_nothing_to_retain(teacher):
    rows = {"teacher": {"rmse": teacher}, "student": {"rmse": 0.4}, "baseline": {"rmse": 0.5}}
    notes: list[str] = []
    assert np.isnan(gain_retained(rows, "rmse", notes))
    assert "not below" in notes[0]
    assert np.isnan(gain_retained({"student": {"rmse": 1.0}}, "rmse", notes))
    assert len(notes) == 1
