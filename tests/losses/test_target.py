from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from sklkd.losses import TargetLoss

RNG = np.random.default_rng(0)
STUDENT, MEAN = RNG.normal(size=(9, 2)), 2 * RNG.normal(size=(9, 2))
SPREAD, WEIGHT = RNG.exponential(size=(9, 2)), RNG.exponential(size=9)


def tensors(*arrays):
    return tuple(torch.from_numpy(array) for array in arrays)


@pytest.mark.parametrize("delta", [0.5, 1.0, 2.0])
def test_recomputed(delta):
    difference = np.abs(STUDENT - MEAN)
    rows = {
        "squared": (difference**2).mean(1),
        "huber": np.where(difference <= delta, difference**2, 2 * delta * difference - delta**2).mean(1),
        "gaussian": (difference**2 * delta**2 / (delta**2 + SPREAD**2)).mean(1),
    }
    assert len({row.mean() for row in rows.values()}) == 3
    student, mean, spread, weight = tensors(STUDENT, MEAN, SPREAD, WEIGHT)
    for kind, expected in rows.items():
        loss = TargetLoss(kind=kind, delta=delta)
        teacher = (mean, spread) if kind == "gaussian" else mean
        np.testing.assert_allclose(loss(student, teacher), expected.mean(), rtol=1e-12)
        weighted = loss(student, teacher, sample_weight=weight)
        np.testing.assert_allclose(weighted, np.average(expected, weights=WEIGHT), rtol=1e-12)


def test_gaussian_is_a_divergence_of_normals():
    student, mean, spread = tensors(STUDENT, MEAN, SPREAD)
    delta = 0.7
    scale = (delta**2 + spread**2).sqrt()
    expected = 2 * delta**2 * kl_divergence(Normal(mean, scale), Normal(student, scale)).mean()
    torch.testing.assert_close(TargetLoss(kind="gaussian", delta=delta)(student, (mean, spread)), expected)


def test_kinds_agree_where_differences_and_spread_are_small():
    student, mean, spread = tensors(STUDENT, MEAN, SPREAD)
    squared = TargetLoss()(student, mean)
    torch.testing.assert_close(TargetLoss(kind="huber", delta=100)(student, mean), squared)
    torch.testing.assert_close(TargetLoss(kind="gaussian")(student, (mean, 0 * spread)), squared)


def test_far_rows_pull_with_bounded_force():
    student = torch.tensor([[0.0], [0.0]], requires_grad=True)
    TargetLoss(kind="huber", delta=2)(student, torch.tensor([[1e6], [1.0]])).backward()
    assert student.grad.flatten().tolist() == [-2.0, -1.0]


def test_gaussian_target_of_outputs():
    loss = TargetLoss(kind="gaussian", delta=0.5)
    assert loss.needs_spread and not TargetLoss(kind="huber").needs_spread
    target = loss.target(SimpleNamespace(values=MEAN, spread=SPREAD))
    assert [part.dtype for part in target] == [torch.float32, torch.float32]
    student, mean, spread = tensors(STUDENT, MEAN, SPREAD)
    value = loss.compare(student.float(), target)
    torch.testing.assert_close(value.double(), loss(student, (mean, spread)), rtol=1e-5, atol=0)
    with pytest.raises(ValueError, match=r"needs the spread of an ensemble's members.* Use kind='squared'"):
        loss.target(SimpleNamespace(values=MEAN, spread=None))


def test_gaussian_gradient():
    student, mean, spread = tensors(STUDENT, MEAN, SPREAD)
    student.requires_grad_()
    spread.requires_grad_()
    assert torch.autograd.gradcheck(lambda s: TargetLoss(kind="gaussian")(s, (mean, spread)), student)
    TargetLoss(kind="gaussian")(student, (mean, spread)).backward()
    assert spread.grad is None


def test_parameters_are_checked():
    (student, mean) = tensors(STUDENT, MEAN)
    with pytest.raises(ValueError, match=r"kind must be one of 'squared', 'huber', 'gaussian', got kind='l1'\."):
        TargetLoss(kind="l1")(student, mean)
    with pytest.raises(ValueError, match=r"delta must be > 0, got delta=0\."):
        TargetLoss(delta=0)(student, mean)
    with pytest.raises(ValueError, match="must both have shape"):
        TargetLoss()(student, mean[:, :1])
    with pytest.raises(ValueError, match="must both have shape"):
        TargetLoss(kind="gaussian")(student, (mean, mean[:, :1]))
