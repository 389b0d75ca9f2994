from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax

from sklkd.losses import DISTLoss

from .oracle import assert_matches, entry, tensor


@pytest.mark.parametrize(
    ("name", "params", "beta", "gamma", "temperature"),
    [
        ("DIST", "beta=1, gamma=1, tau=1", 1, 1, 1),
        ("DIST", "beta=1, gamma=1, tau=4", 1, 1, 4),
        ("DIST", "beta=1, gamma=1, tau=1, binary", 1, 1, 1),
        ("DIST, inter (rows) part", "tau=1", 1, 0, 1),
        ("DIST, inter (rows) part", "tau=4", 1, 0, 4),
        ("DIST, intra (columns) part", "tau=1", 0, 1, 1),
        ("DIST, intra (columns) part", "tau=4", 0, 1, 4),
    ],
)
def test_reference(name, params, beta, gamma, temperature):
    assert_matches(DISTLoss(beta=beta, gamma=gamma, temperature=temperature), entry(name, params))


@pytest.mark.parametrize("n_classes", [2, 5])
def test_recomputed(n_classes):
    rng = np.random.default_rng(0)
    student, teacher = 2 * rng.normal(size=(2, 30, n_classes))
    s, t = softmax(student / 3, axis=1), softmax(teacher / 3, axis=1)
    rows = np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(s, t, strict=True)])
    columns = np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(s.T, t.T, strict=True)])
    value = DISTLoss(beta=2, gamma=0.5, temperature=3)(torch.from_numpy(student), torch.from_numpy(teacher))
    np.testing.assert_allclose(value, 9 * (2 * (1 - rows) + 0.5 * (1 - columns)), rtol=1e-10)


def test_only_columns_have_a_gradient_with_two_classes():
    student = tensor("zs2").requires_grad_()
    DISTLoss(gamma=0)(student, tensor("zt2")).backward()
    assert student.grad.norm() < 1e-6


def test_constant_teacher_asks_for_nothing():
    student, teacher = tensor("zs").requires_grad_(), torch.zeros(6, 4, dtype=torch.float64)
    value = DISTLoss()(student, teacher)
    value.backward()
    assert value == 0 and student.grad.norm() == 0
    # a class that the teacher never gives, in this batch: one column of four counts as 0
    teacher = torch.log(torch.tensor([[0.7, 0.3, 0.0, 0.0], [0.2, 0.6, 0.2, 0.0], [0.3, 0.2, 0.5, 0.0]]))
    student = tensor("zs")[:3].float()
    s, t = (side.softmax(1).numpy() for side in (student, teacher))
    expected = np.mean([1 - np.corrcoef(a, b)[0, 1] for a, b in zip(s.T[:3], t.T[:3], strict=True)]) * 3 / 4
    np.testing.assert_allclose(DISTLoss(beta=0)(student, teacher), expected, rtol=1e-5)


def test_one_row_has_no_columns():
    assert DISTLoss(beta=0)(tensor("zs")[:1], tensor("zt")[:1]) == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("noise", [0, 1e-9])
def test_constant_student_has_bounded_gradient(dtype, noise):
    student = torch.full((6, 4), 0.1, dtype=dtype) + noise * tensor("zu").to(dtype)
    student.requires_grad_()
    value = DISTLoss()(student, tensor("zt").to(dtype))
    value.backward()
    assert value.item() == pytest.approx(2) and student.grad.norm() < 1e-6


def test_parameters_are_checked():
    for name, rule in (("beta", ">= 0"), ("gamma", ">= 0"), ("temperature", "> 0")):
        with pytest.raises(ValueError, match=rf"{name} must be {rule}, got {name}=-1\."):
            DISTLoss(**{name: -1})(tensor("zs"), tensor("zt"))
