"""Pairs of a class against the reference values, by hand, and how partners are drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from sklkd import SelfDistilledClassifier, SelfDistilledRegressor
from sklkd.methods import EpochToEpoch, SameClassPairs
from sklkd.methods._same_class_pairs import Partners
from sklkd.transfer import TransferSet
from tests.estimators.problems import classes, quick, targets
from tests.losses import oracle

from . import own


def test_reference_values():
    y, target = oracle.tensor("y"), oracle.tensor("zu").requires_grad_()
    made = own.batch(SameClassPairs().objective(own.training(y, 4)), y, (torch.arange(6),))
    made.partners = lambda index: target
    for entry, value in [("CS-KD, pair part", lambda z: made.pairs(z, target)), ("CS-KD, total", lambda z: made(z, y))]:
        entry, logits = oracle.entry(entry), oracle.tensor("zs").requires_grad_()
        found = value(logits)
        np.testing.assert_allclose(found.item(), entry["value"], rtol=entry["rtol"])
        found.backward()
        np.testing.assert_allclose(logits.grad.norm(), entry["grad_norm"]["value"], rtol=entry["rtol"])
    assert target.grad is None


def test_weighted_rows_by_hand():
    y, logits, target = oracle.tensor("y"), oracle.tensor("zs"), oracle.tensor("zu")
    weight = torch.arange(1, 7).double()
    method = SameClassPairs(temperature=2, weight=0.5)
    made = own.batch(method.objective(own.training(y, 4)), y, (torch.arange(6),), weight)
    made.partners = lambda index: target
    rows = own.cross_entropy(logits.numpy(), y.numpy()) + 0.5 * own.divergence(target.numpy(), logits.numpy(), 2)
    np.testing.assert_allclose(made(logits, y), np.average(rows, weights=weight), rtol=1e-12)


def test_partners_are_other_rows_of_the_class_as_often_as_they_weigh():
    y = torch.tensor([2, 0, 2, 1, 0, 2])
    weight = torch.tensor([1.0, 5.0, 3.0, 1.0, 1.0, 6.0])
    partners = Partners(y, weight)
    torch.manual_seed(0)
    drawn = partners.draw(torch.arange(6).repeat(20_000)).view(-1, 6)
    shares = np.stack([np.bincount(column, minlength=6) / len(drawn) for column in drawn.T.numpy()])
    y, weight = y.numpy(), weight.numpy()
    expected = np.where((y[:, None] == y) & ~np.eye(6, dtype=bool), weight, 0)
    expected[3, 3] = 1  # alone in its class
    np.testing.assert_allclose(shares, expected / expected.sum(1, keepdims=True), atol=0.015)


def test_partners_are_what_the_network_says_of_rows_among_those_that_train():
    module = nn.Linear(1, 3)
    inputs = torch.arange(5.0)[:, None]
    # numbers 7, 3, ... of all rows: the others have been set aside
    rows = TransferSet(inputs, torch.tensor([0, 1, 0, 1, 2]), None, (torch.tensor([7, 3, 0, 9, 5]),))
    made = SameClassPairs().objective(own.training(rows.y, 3))
    made.begin_epoch(own.net_of(module), rows)
    target = made.partners(torch.tensor([7, 9, 5]))
    torch.testing.assert_close(target, module(inputs[[2, 1, 4]]).detach())
    assert not target.requires_grad


def test_weight_0_is_the_network_that_learns_from_labels():
    X, y = classes(60)
    methods = SameClassPairs(weight=0), EpochToEpoch(alpha=0), SameClassPairs()
    a, b, c = (
        SelfDistilledClassifier(quick(), method=method, random_state=0).fit(X, y).predict_proba(X) for method in methods
    )
    np.testing.assert_allclose(a, b, atol=1e-6)
    assert not np.allclose(a, c, atol=1e-4)


def test_no_meaning_for_regression():
    X, y = targets(30)
    with pytest.raises(ValueError, match="method: SameClassPairs has no meaning for regression"):
        SelfDistilledRegressor(quick(), method=SameClassPairs()).fit(X, y)
