"""Networks that were trained together, each against the same network trained alone."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss

from sklkd import OnlineDistilledClassifier, OnlineDistilledRegressor, distillation_report
from sklkd.methods import GatedEnsemble, MutualLearning
from sklkd.students import TabularStudent


def peers():
    return [
        ("large", TabularStudent("tiny", max_epochs=20, module__hidden=(30,))),
        ("small", TabularStudent("tiny", max_epochs=20)),
    ]


def test_each_peer_against_the_same_network_alone(flowers):
    X, y, X_test, y_test = flowers
    est = OnlineDistilledClassifier(peers(), deploy="small", random_state=0).fit(X, y)
    alone = OnlineDistilledClassifier(peers(), method=MutualLearning(weight=0), deploy="small", random_state=0).fit(
        X, y
    )
    for name in est.peers_:
        report = distillation_report(est.with_peer(name), X_test, y_test, X_train=X, y_train=y, n_repeats=1)
        assert list(report.rows) == ["student", "baseline"]
        for row, model in (("student", est), ("baseline", alone)):
            expected = log_loss(y_test, model.with_peer(name).predict_proba(X_test))
            assert report.rows[row]["log_loss"] == pytest.approx(expected)
        assert report.rows["baseline"]["parameters"] == report.rows["student"]["parameters"]
        assert "trained alone" in str(report)


def test_what_is_shipped_is_what_is_weighed(flowers):
    X, y, X_test, y_test = flowers
    est = OnlineDistilledClassifier(peers(), deploy="small", random_state=0).fit(X, y)
    one, all_of_them = (
        distillation_report(est.with_peer(name), X_test, y_test, baseline=False, n_repeats=1).rows["student"]
        for name in ("small", "ensemble")
    )
    assert one["bytes"] < all_of_them["bytes"] and one["parameters"] < all_of_them["parameters"]


def test_without_training_rows_there_is_no_baseline(bodies):
    X, y, X_test, y_test = bodies
    same = [(name, TabularStudent("tiny", max_epochs=20)) for name in "ab"]
    est = OnlineDistilledRegressor(same, method=GatedEnsemble(), random_state=0).fit(X, y)
    report = distillation_report(est, X_test, y_test, n_repeats=1)
    assert list(report.rows) == ["student"]
    assert "pass X_train and y_train" in str(report)
    assert np.isfinite(report.rows["student"]["rmse"])
