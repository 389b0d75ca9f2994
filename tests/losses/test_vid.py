"""Variational information distillation against the reference values and a recomputation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sklkd.losses import VIDLoss
from tests.losses import oracle

START = [e for e in oracle.entries("VID") if "alpha" not in e["on"]]
LEARNT = [e for e in oracle.entries("VID") if "alpha" in e["on"]]


@pytest.mark.parametrize("entry", START, ids=lambda entry: entry["on"])
def test_reference_values_at_the_start(entry):
    oracle.assert_matches(VIDLoss(), entry)


@pytest.mark.parametrize("entry", LEARNT, ids=lambda entry: entry["on"])
def test_reference_values_with_learnt_variances(entry):
    def loss(student, teacher, raw_variance):
        vid = VIDLoss()
        vid.build(student.shape[1:], teacher.shape[1:])
        vid.projector_ = None
        vid.raw_variance_ = torch.nn.Parameter(raw_variance)
        return vid(student, teacher)

    oracle.assert_matches(loss, entry)


def test_recomputed_in_a_fit():
    rng = np.random.default_rng(0)
    student, teacher = rng.normal(size=(20, 4)), 3 * rng.normal(size=(20, 2)) + 1
    loss = VIDLoss(init_variance=0.3)
    loss.build((4,), (2,))
    loss.double().fit_teacher(torch.from_numpy(teacher))
    value = loss(torch.from_numpy(student), torch.from_numpy(teacher))

    hidden = student
    for position, layer in enumerate(loss.projector_[::2]):
        hidden = hidden @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
        hidden = np.where(hidden > 0, hidden, 0.1 * hidden) if position < 2 else hidden
    target = (teacher - teacher.mean(0)) / teacher.std(0)
    expected = np.mean(0.5 * ((hidden - target) ** 2 / 0.3 + np.log(0.3)))
    np.testing.assert_allclose(value.item(), expected, rtol=1e-6)


@pytest.mark.parametrize("init_variance", [2e-5, 1e-3, 1.0, 5.0, 1000.0])
def test_learnt_variances_start_at_init_variance(init_variance):
    loss = VIDLoss(init_variance=init_variance)
    loss.build((3,), (3,))
    loss.double()
    loss.projector_ = None
    student, teacher = oracle.tensor("fs")[:, :3], oracle.tensor("ft")[:, :3]
    # the parameter was made in float32
    torch.testing.assert_close(
        loss(student, teacher), VIDLoss(init_variance=init_variance)(student, teacher), rtol=1e-5, atol=0
    )


def test_variances_learn_the_error_of_each_column():
    rng = np.random.default_rng(0)
    scales = np.array([0.2, 1.0, 3.0])
    student = torch.from_numpy(rng.normal(size=(4000, 3)))
    teacher = student + torch.from_numpy(scales * rng.normal(size=(4000, 3)))
    loss = VIDLoss()
    loss.build((3,), (3,))
    loss.double()
    loss.projector_ = None
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.1)
    for _ in range(400):
        optimizer.zero_grad()
        loss(student, teacher).backward()
        optimizer.step()
    variances = torch.nn.functional.softplus(loss.raw_variance_.detach()) + 1e-5
    np.testing.assert_allclose(variances, scales**2, rtol=0.1)


def test_large_raw_variances_do_not_overflow():
    loss = VIDLoss()
    loss.build((3,), (3,))
    torch.nn.init.constant_(loss.raw_variance_, 500.0)
    assert torch.isfinite(loss(torch.zeros(2, 3), torch.ones(2, 3)))


@pytest.mark.parametrize("init_variance", [0, -1.0, 1e-5])
def test_init_variance_must_exceed_the_floor(init_variance):
    with pytest.raises(ValueError, match=f"init_variance must be > 1e-05, got init_variance={init_variance}"):
        VIDLoss(init_variance=init_variance).build((3,), (3,))
