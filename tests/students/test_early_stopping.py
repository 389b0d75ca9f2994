"""Trainings on labels alone end where held-out rows say so."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LinearRegression
from sklearn.metrics import log_loss
from torch import nn

from sklkd import (
    DistilledClassifier,
    DistilledRegressor,
    OnlineDistilledClassifier,
    OnlineDistilledRegressor,
    SelfDistilledClassifier,
)
from sklkd.losses._objective import Objective
from sklkd.methods import BornAgain, DeepToShallow, EpochToEpoch, GatedEnsemble, LastBatch, MutualLearning
from sklkd.students import TabularStudent
from sklkd.students._early_stopping import EarlyStopping
from sklkd.transfer import TransferSet


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
    assert not [name for name, _ in est.student_.callbacks_ if name == "early_stopping"]


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


def test_what_the_criterion_has_learnt_goes_back_to_the_same_epoch():
    criterion = Objective([], 1.0)
    criterion.head = nn.Linear(2, 2)
    net = SimpleNamespace(module_=nn.Linear(1, 2), criterion_=criterion, device="cpu")
    net.history = SimpleNamespace(record=lambda *args: None)
    keep = EarlyStopping(TransferSet(torch.ones(4, 1), torch.tensor([0, 0, 1, 0])), 10)
    keep.on_train_begin(net)
    for value in (0.3, 1.1, 9.0):  # with three of four, the best log odds are log(3), nearly 1.1
        with torch.no_grad():
            net.module_.weight.copy_(torch.tensor([[value], [0.0]]))
            net.module_.bias.zero_()
            criterion.head.weight.fill_(value)
        keep.on_epoch_end(net)
    keep.on_train_end(net)
    assert net.module_.weight[0].item() == pytest.approx(1.1)
    assert criterion.head.weight[0, 0].item() == pytest.approx(1.1)


METHODS = [None, EpochToEpoch(), DeepToShallow(), LastBatch()]


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_networks_that_teach_themselves_stop_too(method):
    X, y = noisy(800)
    train, test = slice(0, 400), slice(400, None)
    student = TabularStudent(module__hidden=(16, 16))
    est = SelfDistilledClassifier(student, method=method, random_state=0).fit(X[train], y[train])
    held_out = [epoch["held_out_loss"] for epoch in est.history_]
    assert min(held_out) < held_out[-1] and len(held_out) < 200
    for exit in est.exits_:
        assert log_loss(y[test], est.predict_proba(X[test], exit=exit)) < 0.68


def test_every_generation_stops():
    X, y = noisy()
    est = SelfDistilledClassifier("tiny", method=BornAgain(), random_state=0).fit(X, y)
    assert all("held_out_loss" in one.history_[-1] for one in est.generations_)
    # later ones have no more epochs than the first, though they learn more than labels
    student = TabularStudent("tiny", lr=1e-4)
    slow = SelfDistilledClassifier(student, method=BornAgain(), random_state=1).fit(*noisy(1000))
    assert [one.n_iter_ for one in slow.generations_] == [125, 125]


def test_branches_stop_where_all_together_are_best():
    X, y = noisy()
    peers = [("a", "tiny"), ("b", "tiny")]
    est = OnlineDistilledClassifier(peers, method=GatedEnsemble(), random_state=0).fit(X, y)
    held_out = [epoch["held_out_loss"] for epoch in est.history_]
    assert min(held_out) < held_out[-1] and len(held_out) < 200
    assert sum(est.peer_losses_.values()) == pytest.approx(min(held_out), rel=1e-4)


def test_a_peer_stops_as_it_would_in_any_other_company():
    X, y = noisy()
    others = [("b", "tiny"), ("b", TabularStudent("tiny", lr=0.1)), ("b", TabularStudent("tiny", lr=1e-5))]
    fits = [
        OnlineDistilledClassifier([("a", "tiny"), other], method=MutualLearning(weight=0), deploy="a", random_state=1)
        for other in others
    ]
    told = [est.fit(X, y).predict_proba(X) for est in fits]
    # a peer that goes on for longer does not move those that have ended
    assert fits[2].n_iter_ > fits[0].n_iter_
    for proba in told[1:]:
        np.testing.assert_allclose(proba, told[0], atol=1e-6)


def test_peers_stop_whoever_is_deployed_but_not_where_epochs_are_given():
    X, y = make_regression(120, 5, noise=50.0, random_state=0)
    for epochs, stops in (("auto", True), (3, False)):
        peers = [(name, TabularStudent("tiny", max_epochs=epochs)) for name in "ab"]
        est = OnlineDistilledRegressor(peers, deploy="a", random_state=0).fit(X, y)
        assert ("held_out_loss" in est.history_[-1]) is stops and est.peer_losses_ == {}
