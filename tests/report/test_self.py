"""Exits and generations of a network that taught itself, against the same network on labels alone."""

from __future__ import annotations

import pytest
from sklearn.metrics import log_loss

from sklkd import SelfDistilledClassifier, SelfDistilledRegressor, distillation_report
from sklkd.methods import BornAgain, DeepToShallow, EpochToEpoch
from sklkd.students import TabularStudent


def student():
    return TabularStudent("tiny", max_epochs=20, module__hidden=(8, 12))


def test_each_exit_against_the_network_on_labels_alone(flowers):
    X, y, X_test, y_test = flowers
    est = SelfDistilledClassifier(student(), method=DeepToShallow(), random_state=0).fit(X, y)
    alone = SelfDistilledClassifier(student(), method=EpochToEpoch(alpha=0), random_state=0).fit(X, y)
    sizes = []
    for exit in est.exits_:
        report = distillation_report(est.cut(exit), X_test, y_test, X_train=X, y_train=y, n_repeats=1)
        assert list(report.rows) == ["student", "baseline"]
        told = est.predict_proba(X_test, exit=exit), alone.predict_proba(X_test)
        for row, proba in zip(("student", "baseline"), told, strict=True):
            assert report.rows[row]["log_loss"] == pytest.approx(log_loss(y_test, proba))
        sizes.append(report.rows["student"]["parameters"])
    assert sizes[0] < sizes[1] == report.rows["baseline"]["parameters"]


def test_each_generation_and_all_together(flowers):
    X, y, X_test, y_test = flowers
    est = SelfDistilledClassifier(student(), method=BornAgain(ensemble=True), random_state=0).fit(X, y)
    rows = [
        distillation_report(one, X_test, y_test, baseline=False, n_repeats=1).rows["student"]
        for one in (est, *est.generations_)
    ]
    assert rows[0]["parameters"] == 2 * rows[1]["parameters"] == 2 * rows[2]["parameters"]
    assert rows[0]["bytes"] > rows[1]["bytes"]


def test_regression_without_training_rows(bodies):
    X, y, X_test, y_test = bodies
    est = SelfDistilledRegressor(student(), random_state=0).fit(X, y)
    assert list(distillation_report(est, X_test, y_test, n_repeats=1).rows) == ["student"]
