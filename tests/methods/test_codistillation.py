from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.special import expit, rel_entr, softmax
from torch import nn

from sklkd.methods import Codistillation
from sklkd.students._cohort import Cohort

from .peers import numbers, objective, outputs


def cohort(n=3):
    torch.manual_seed(0)
    return Cohort([nn.Sequential(nn.Dropout(0.5), nn.Linear(5, 4)).double() for _ in range(n)])


def training(method, n=3, task="classification", n_epochs=10):
    """An objective, a net-like object that holds a cohort, and rows with their memory."""
    made = objective(method, n, task, n_epochs=n_epochs)
    inputs = torch.randn(700, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    rows = SimpleNamespace(inputs=inputs, targets=[one.double() for one in method.targets(700, n, 4)])
    return made, SimpleNamespace(module_=cohort(n), device="cpu"), rows


@pytest.mark.parametrize("task", ["classification", "multilabel", "regression"])
def test_what_is_stored_is_the_mean_of_the_others(task):
    method = Codistillation(temperature=2.0, burn_in=0)
    made, net, rows = training(method, task=task)
    method.begin_epoch(made, net, rows)
    # no dropout in what the copies answer
    assert net.module_.training
    answers = np.stack([z.detach().numpy() for z in net.module_.eval()(rows.inputs)])
    if task == "classification":
        answers = softmax(answers / 2.0, axis=2)
    elif task == "multilabel":
        answers = expit(answers / 2.0)
    expected = np.stack([np.delete(answers, k, axis=0).mean(0) for k in range(3)], axis=1)
    np.testing.assert_allclose(rows.targets[0], expected)


def test_terms_by_hand():
    peers, y = outputs(), torch.zeros(6, dtype=torch.int64)
    target = softmax(np.random.RandomState(1).normal(size=(6, 3, 4)), axis=2)
    made = objective(Codistillation(temperature=2.0, weight=0.3), 3, targets=[torch.from_numpy(target)])
    _, losses = made.terms(peers, y)
    for k, z in enumerate(numbers(peers)):
        expected = 0.3 * 4 * rel_entr(target[:, k], softmax(z / 2, axis=1)).sum(1).mean()
        np.testing.assert_allclose(losses[k].item(), expected)


def test_regression_by_hand():
    peers, y = outputs(3, n_outputs=2), torch.zeros(6, 2, dtype=torch.float64)
    target, weight = np.random.RandomState(1).normal(size=(6, 3, 2)), torch.arange(1.0, 7.0, dtype=torch.float64)
    method = Codistillation(weight=0.3)
    _, losses = objective(method, 3, "regression", weight=weight, targets=[torch.from_numpy(target)]).terms(peers, y)
    for k, z in enumerate(numbers(peers)):
        expected = np.average(np.square(z - target[:, k]).mean(1), weights=weight)
        np.testing.assert_allclose(losses[k].item(), 0.3 * expected)


def test_burn_in_and_how_often_answers_are_renewed():
    method = Codistillation(burn_in=0.25, every=3)
    made, net, rows = training(method)
    taught, renewed = [], []
    for epoch in range(10):
        made.epoch = epoch
        before = rows.targets[0].clone()
        with torch.no_grad():
            net.module_.peers[0][1].bias += 0.1
        method.begin_epoch(made, net, rows)
        taught.append(made.distilling)
        renewed.append(not torch.equal(before, rows.targets[0]))
    # 2.5 epochs of burn-in, rounded up
    assert taught == [False] * 3 + [True] * 7
    assert np.flatnonzero(renewed).tolist() == [3, 6, 9]


def test_nothing_is_taught_in_the_burn_in():
    made = objective(Codistillation(), 2)
    made.distilling = False
    assert made.terms(outputs(2), torch.zeros(6, dtype=torch.int64))[1] == []


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"burn_in": 1.0}, "burn_in must be < 1, got burn_in=1.0"),
        ({"burn_in": -0.5}, "burn_in must be >= 0"),
        ({"every": 0}, "every must be >= 1, got every=0"),
        ({"every": 1.5}, "every must be an integer, got every=1.5"),
    ],
)
def test_errors(params, message):
    with pytest.raises((TypeError, ValueError), match=message):
        Codistillation(**params).check("classification")
