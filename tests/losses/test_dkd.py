from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import rel_entr, softmax

from sklkd.losses import DKDLoss, SoftTargetLoss

from .oracle import array, assert_matches, entry, tensor


@pytest.mark.parametrize(
    ("name", "params", "alpha", "beta", "temperature"),
    [
        ("DKD", "alpha=1, beta=8, T=4", 1, 8, 4),
        ("DKD", "alpha=1, beta=1, T=1", 1, 1, 1),
        ("DKD", "alpha=1, beta=8, T=4, binary", 1, 8, 4),
        ("DKD, TCKD part", "alpha=1, beta=0, T=4", 1, 0, 4),
        ("DKD, NCKD part", "alpha=0, beta=1, T=4", 0, 1, 4),
        ("DKD, TCKD part", "alpha=1, beta=0, T=1", 1, 0, 1),
        ("DKD, NCKD part", "alpha=0, beta=1, T=1", 0, 1, 1),
    ],
)
def test_reference(name, params, alpha, beta, temperature):
    assert_matches(DKDLoss(alpha=alpha, beta=beta, temperature=temperature), entry(name, params))


def recomputed(student, teacher, y, alpha, beta, temperature):
    rows = []
    for s, t, label in zip(student, teacher, y, strict=True):
        s, t = softmax(s / temperature), softmax(t / temperature)
        binary = rel_entr([t[label], 1 - t[label]], [s[label], 1 - s[label]]).sum()
        s, t = np.delete(s, label), np.delete(t, label)
        others = rel_entr(t / t.sum(), s / s.sum()).sum()
        rows.append(temperature**2 * (alpha * binary + beta * others))
    return np.array(rows)


@pytest.mark.parametrize("n_classes", [2, 3, 6])
def test_recomputed(n_classes):
    rng = np.random.default_rng(n_classes)
    student, teacher = rng.normal(size=(2, 12, n_classes))
    y, weight = rng.integers(n_classes, size=12), rng.exponential(size=12)
    rows = recomputed(student, teacher, y, 0.7, 3, 2)
    arguments = [torch.from_numpy(a) for a in (student, teacher, y)]
    loss = DKDLoss(alpha=0.7, beta=3, temperature=2)
    np.testing.assert_allclose(loss(*arguments), rows.mean(), rtol=1e-10)
    weighted = loss(*arguments, sample_weight=torch.from_numpy(weight))
    np.testing.assert_allclose(weighted, np.average(rows, weights=weight), rtol=1e-10)


def test_two_classes_are_soft_targets():
    student, teacher, y = tensor("zs2").requires_grad_(), tensor("zt2"), tensor("y2")
    gradients = []
    for loss in (DKDLoss(temperature=3), SoftTargetLoss(temperature=3)):
        value = loss(student, teacher, y)
        gradients.append(torch.autograd.grad(value, student)[0])
        torch.testing.assert_close(value, SoftTargetLoss(temperature=3)(student, teacher))
    torch.testing.assert_close(*gradients)


def test_soft_targets_are_its_parts():
    student, teacher, y = array("zs"), array("zt"), array("y")
    for i in range(6):
        s, t, label = (torch.from_numpy(a[i : i + 1]) for a in (student, teacher, y))
        beta = 1 - softmax(teacher[i] / 4)[y[i]]
        torch.testing.assert_close(DKDLoss(beta=beta)(s, t, label), SoftTargetLoss(temperature=4)(s, t))


def test_rows_without_a_label_take_the_teachers_class():
    student, teacher, y = tensor("zs"), tensor("zt"), tensor("y")
    filled = y.clone()
    filled[2:4] = teacher[2:4].argmax(1)
    y[2:4] = -100
    assert (filled != tensor("y")).any()
    torch.testing.assert_close(DKDLoss()(student, teacher, y), DKDLoss()(student, teacher, filled))


def test_far_logits_in_float32():
    teacher = torch.tensor([[200.0, 0.0, 0.0], [0.0, 1.0, 2.0]])
    student = torch.tensor([[0.0, 0.0, 200.0], [0.0, 1.0, 2.0]], requires_grad=True)
    value = DKDLoss(temperature=1)(student, teacher, torch.tensor([0, 0]))
    # the first row: the teacher is certain of the label, to which the student gives exp(-200); of the others the
    # teacher thinks equally and the student exp(-200) to 1
    expected = (200 + 8 * (100 - np.log(2))) / 2
    assert value.item() == pytest.approx(expected, rel=1e-5)
    value.backward()
    assert student.grad.isfinite().all() and student.grad.norm() < 10


def test_parameters_are_checked():
    arguments = tensor("zs"), tensor("zt"), tensor("y")
    for name in ("alpha", "beta"):
        with pytest.raises(ValueError, match=rf"{name} must be >= 0, got {name}=-1\."):
            DKDLoss(**{name: -1})(*arguments)
    with pytest.raises(ValueError, match=r"temperature must be > 0, got temperature=0\."):
        DKDLoss(temperature=0)(*arguments)
    with pytest.raises(ValueError, match=r"DKDLoss needs at least 2 classes, got 1\."):
        DKDLoss()(torch.zeros(3, 1), torch.zeros(3, 1), torch.zeros(3, dtype=torch.long))
