"""Trainings on labels alone end where held-out rows say so."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LinearRegression
from sklearn.metrics import log_loss

from sklkd import DistilledClassifier, DistilledRegressor
from sklkd.students import TabularStudent


def noisy(n=400):
    return make_classification(n, 6, n_informative=3, flip_y=0.4, random_state=0)


def test_noise_is_not_learnt_by_heart():
    X, y = noisy(800)
    train, test = slice(0, 400), slice(400, None)
    losses = {}
    for epochs in ("auto", 200):
        student = TabularStudent(size="tiny", max_epochs=epochs, lr=5e-3, batch_size=64)
        est = DistilledClassifier(ExtraTreesClassifier(5), student, hard_weight=1, augment=None, random_state=0)
        est.fit(X[train], y[train])
        losses[epochs] = log_loss(y[test], est.predict_proba(X[test]))
    assert losses["auto"] < 0.9 * losses[200]
    assert losses["auto"] < np.log(2)


def test_the_best_epoch_is_kept():
    X, y = noisy()
    est = DistilledClassifier(ExtraTreesClassifier(5), "tiny", hard_weight=1, augment=None, random_state=0).fit(X, y)
    held_out = [epoch["held_out_loss"] for epoch in est.history_]
    assert len(held_out) < 200
    assert min(held_out) < held_out[-1]
    assert not [name for name, _ in est.student_.callbacks_ if name == "keep_best"]


def test_regression_stops_too():
    X, y = make_regression(300, 5, noise=50.0, random_state=0)
    est = DistilledRegressor(LinearRegression(), "tiny", hard_weight=1, augment=None, random_state=0).fit(X, y)
    assert "held_out_loss" in est.history_[-1]
    assert est.score(X, y) > 0.5


@pytest.mark.parametrize("n", [40, 400])
def test_few_rows_and_students_with_epochs_of_their_own_use_every_row(n):
    X, y = noisy(n)
    student = TabularStudent(size="tiny", max_epochs="auto" if n < 50 else 3)
    est = DistilledClassifier(ExtraTreesClassifier(5), student, hard_weight=1, augment=None, random_state=0).fit(X, y)
    assert "held_out_loss" not in est.history_[-1]
