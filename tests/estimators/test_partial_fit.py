"""Going on with a student."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, r2_score
from torch import nn
from xgboost import XGBClassifier

from sklkd import DistilledClassifier, DistilledRegressor
from sklkd.losses import SoftTargetLoss, TargetLoss

from .problems import LABELS, classes, quick, skorch_net, targets


def test_the_first_call_fits():
    X, y = classes()
    est = DistilledClassifier(LogisticRegression(), quick(), random_state=0)
    first = DistilledClassifier(LogisticRegression(), quick(), random_state=0).fit(X, y)
    np.testing.assert_array_equal(est.partial_fit(X, y).predict_proba(X), first.predict_proba(X))


def test_later_calls_only_train():
    X, y = classes(300)
    est = DistilledClassifier(LogisticRegression(), quick(1), hard_weight=0.1, blend=0, random_state=0).fit(
        X[:150], y[:150]
    )
    teacher, encoder, epochs = est.teacher_, est.encoder_, est.n_iter_
    coefficients = teacher.coef_.copy()
    told = teacher.predict_proba(X)
    before = log_loss(y, est.predict_proba(X)), np.abs(est.predict_proba(X) - told).mean()
    for _ in range(10):
        assert est.partial_fit(X[150:], y[150:]) is est
    assert est.teacher_ is teacher and est.encoder_ is encoder
    np.testing.assert_array_equal(teacher.coef_, coefficients)
    assert log_loss(y, est.predict_proba(X)) < before[0]
    assert np.abs(est.predict_proba(X) - told).mean() < before[1] / 2
    assert est.n_iter_ > epochs and len(est.history_) == est.n_iter_


def test_regression_goes_on_in_the_same_units():
    X, y = targets(300)
    est = DistilledRegressor(Ridge(), quick(2), hard_weight=0.1, blend=0, random_state=0).fit(X[:150], y[:150])
    before = r2_score(y, est.predict(X))
    for _ in range(15):
        est.partial_fit(X[150:], y[150:])
    assert r2_score(y, est.predict(X)) > max(before, 0.5)
    np.testing.assert_allclose(est.student_.predict(est.encoder_.transform(X))[:, 0], est.predict(X), rtol=1e-5)


@pytest.mark.parametrize("teacher", [ExtraTreesClassifier(5, random_state=0), XGBClassifier(n_estimators=5, n_jobs=1)])
def test_classes_that_come_later(teacher):
    X, y = classes()
    two = y != "bee"  # the middle one: the codes of the teacher are not those of the student
    est = DistilledClassifier(teacher, quick(20), hard_weight=0.9, blend=0, random_state=0)
    est.partial_fit(X[two], y[two], classes=LABELS[::-1])
    np.testing.assert_array_equal(est.classes_, LABELS)
    proba = est.predict_proba(X)
    assert proba.shape == (len(X), 3) and proba[:, 1].max() < 0.2
    assert (est.predict(X[two]) == y[two]).mean() > 0.7
    for _ in range(10):
        est.partial_fit(X, y)
    assert (est.predict(X[~two]) == "bee").mean() > 0.2  # only the labels know of bees
    assert (est.predict(X[two]) == y[two]).mean() > 0.6


def test_one_class_at_a_time():
    X, y = classes()
    est = DistilledClassifier(LogisticRegression().fit(X, y), quick(5), random_state=0)
    for label in LABELS:
        est.partial_fit(X[y == label], y[y == label], classes=LABELS)
    assert np.isfinite(est.predict_proba(X)).all()


def test_weights_and_unlabelled_rows():
    X, y = classes()
    est = DistilledClassifier(LogisticRegression(), quick(), hard_weight=0.3, blend=0, random_state=0).fit(X, y)
    weighted = DistilledClassifier(LogisticRegression(), quick(), hard_weight=0.3, blend=0, random_state=0).fit(X, y)
    est.partial_fit(X, y)
    weighted.partial_fit(X, y, sample_weight=np.arange(len(y)) + 1.0)
    assert not np.allclose(est.predict_proba(X), weighted.predict_proba(X))
    before = est.predict_proba(X)
    est.partial_fit(X[:10], y[:10], X_transfer=X[10:])
    assert not np.allclose(est.predict_proba(X), before)


def test_losses_go_on_being_the_estimators_own():
    X, y = classes()
    loss = [("kd", SoftTargetLoss(temperature=2.0))]
    est = DistilledClassifier(LogisticRegression(), quick(), loss=loss, random_state=0).fit(X, y).partial_fit(X, y)
    assert est.loss_[0][0] == "kd" and est.loss_[0][1] is not loss[0][1] and est.loss_[0][1].temperature == 2.0
    spread = TargetLoss(kind="gaussian")
    Xr, yr = targets()
    forest = DistilledRegressor(RandomForestRegressor(5), skorch_net(nn.MSELoss), loss=spread).fit(Xr, yr)
    assert np.isfinite(forest.partial_fit(Xr, yr).predict(Xr)).all()


def test_labels_alone():
    X, y = classes()
    est = DistilledClassifier(LogisticRegression(), quick(), hard_weight=1, keep_teacher=False, random_state=0).fit(
        X, y
    )
    before = log_loss(y, est.predict_proba(X))
    for _ in range(10):
        est.partial_fit(X, y)  # the teacher is not needed
    assert log_loss(y, est.predict_proba(X)) < before


def test_errors():
    X, y = classes()
    est = DistilledClassifier(LogisticRegression(), quick(), hard_weight=0.1, blend=0).fit(X, y)
    with pytest.raises(ValueError, match=r"classes=\['ant', 'bee'\] differs from the first call's"):
        est.partial_fit(X, y, classes=["ant", "bee"])
    with pytest.raises(ValueError, match=r"y must have classes=\['ant', 'bee', 'cat'\], got 1 that are not among them"):
        est.partial_fit(X, np.where(y == "ant", "dog", y))
    with pytest.raises(ValueError, match="X has 4 features, but DistilledClassifier is expecting 5"):
        est.partial_fit(X[:, :4], y)
    dropped = DistilledClassifier(LogisticRegression(), quick(), hard_weight=0.1, blend=0, keep_teacher=False).fit(X, y)
    with pytest.raises(ValueError, match="partial_fit needs the teacher, which keep_teacher=False has dropped: set"):
        dropped.partial_fit(X, y)
    outputs = DistilledClassifier(None, quick(), hard_weight=0.1, blend=0).fit(
        X, y, teacher_outputs=est.predict_proba(X)
    )
    with pytest.raises(ValueError, match="partial_fit need a teacher that can be asked about new rows"):
        outputs.partial_fit(X, y)
    Xr, yr = targets(n_targets=2)
    regressor = DistilledRegressor(Ridge(), quick()).fit(Xr, yr)
    for bad in (yr[:, 0], yr[:, [0, 1, 1]]):
        with pytest.raises(ValueError, match=r"y must have shape \(n, 2\) as in the first call"):
            regressor.partial_fit(Xr, bad)
