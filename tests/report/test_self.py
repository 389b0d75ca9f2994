"""Exits and generations of a network that is its own teacher, against the same network on labels only."""

from __future__ import annotations

import pytest
from sklearn.metrics import log_loss

from sklkd import SelfDistilledClassifier, SelfDistilledRegressor, distillation_report
from sklkd.methods import BornAgain, DeepToShallow, EpochToEpoch
from sklkd.students import TabularStudent


def student():
    return TabularStudent("tiny", max_epochs=20, module__hidden=(8, 12))


def test_each_exit_against_the_network_on_labels_only(flowers):
    X, y, X_test, y_test = flowers
    est = SelfDistilledClassifier(student(), method=DeepToShallow(), random_state=0).fit(X, y)
    plain = SelfDistilledClassifier(student(), method=EpochToEpoch(alpha=0), random_state=0).fit(X, y)
    whole, cut = (
        distillation_report(one, X_test, y_test, X_train=X, y_train=y, n_repeats=1).rows for one in (est, est.cut(0))
    )
    assert list(whole) == ["student", "baseline", "exit hidden.0"] and list(cut) == ["student", "baseline"]
    expected = {
        "student": est.predict_proba(X_test),
        "baseline": plain.predict_proba(X_test),
        "exit hidden.0": est.predict_proba(X_test, exit=0),
    }
    for row, proba in expected.items():
        assert whole[row]["log_loss"] == pytest.approx(log_loss(y_test, proba))
    assert cut["student"]["log_loss"] == whole["exit hidden.0"]["log_loss"]
    assert whole["exit hidden.0"]["parameters"] < whole["student"]["parameters"] == whole["baseline"]["parameters"]


def test_each_generation_and_all_together(flowers):
    X, y, X_test, y_test = flowers
    est = SelfDistilledClassifier(student(), method=BornAgain(ensemble=True), random_state=0).fit(X, y)
    found = distillation_report(est, X_test, y_test, baseline=False, n_repeats=1).rows
    assert list(found) == ["student", "generation 0", "generation 1"]
    rows = list(found.values())
    assert rows[0]["parameters"] == 2 * rows[1]["parameters"] == 2 * rows[2]["parameters"]
    assert rows[0]["bytes"] > rows[1]["bytes"]
    for row, one in zip(rows[1:], est.generations_, strict=True):
        assert row["log_loss"] == pytest.approx(log_loss(y_test, one.predict_proba(X_test)))
    # without an ensemble, the last generation is the student
    est = SelfDistilledClassifier(student(), method=BornAgain(generations=3), random_state=0).fit(X, y)
    found = distillation_report(est, X_test, y_test, baseline=False, n_repeats=1).rows
    assert list(found) == ["student", "generation 0", "generation 1"]


def test_regression_without_training_rows(bodies):
    X, y, X_test, y_test = bodies
    est = SelfDistilledRegressor(student(), random_state=0).fit(X, y)
    assert list(distillation_report(est, X_test, y_test, n_repeats=1).rows) == ["student"]
