from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from sklkd.losses import RKDAngleLoss, RKDDistanceLoss, _rkd

from .oracle import assert_matches, call, entry, tensor

BOTH = pytest.mark.parametrize("loss_class", [RKDDistanceLoss, RKDAngleLoss])


@pytest.mark.parametrize("on", ["fs, ft", "fs, ft_wide"])
def test_reference(on):
    assert_matches(RKDDistanceLoss(), entry("RKD, distance", on=on))
    assert_matches(RKDAngleLoss(), entry("RKD, angle", on=on))


def test_reference_of_the_sum():
    reference = entry("RKD")
    value, grad_norm = call(lambda s, t: 25 * RKDDistanceLoss()(s, t) + 50 * RKDAngleLoss()(s, t), reference)
    np.testing.assert_allclose(value, reference["value"], rtol=1e-9)
    np.testing.assert_allclose(grad_norm, reference["grad_norm"]["value"], rtol=1e-9)


def smooth(x):
    return np.where(np.abs(x) < 1, x**2 / 2, np.abs(x) - 0.5)


def cosine(x, i, j, k):
    a, b = x[j] - x[i], x[k] - x[i]
    norm = np.linalg.norm(a) * np.linalg.norm(b)
    return a @ b / norm if norm else 0.0


def test_recomputed():
    rng = np.random.default_rng(0)
    student, teacher = 3 * rng.normal(size=(8, 2)), rng.normal(size=(8, 3))
    relative = []
    for x in (student, teacher):
        d = np.array([[math.dist(a, b) for a in x] for b in x])
        relative.append(d / d[~np.eye(8, dtype=bool)].mean())
    value = RKDDistanceLoss()(torch.from_numpy(student), torch.from_numpy(teacher))
    np.testing.assert_allclose(value, smooth(relative[0] - relative[1]).mean(), rtol=1e-12)
    triples = itertools.product(range(8), repeat=3)
    angles = [smooth(cosine(student, *triple) - cosine(teacher, *triple)) for triple in triples]
    value = RKDAngleLoss()(torch.from_numpy(student), torch.from_numpy(teacher))
    np.testing.assert_allclose(value, np.mean(angles), rtol=1e-12)


@BOTH
def test_similar_figures_are_equal(loss_class):
    student = tensor("fs")
    rotation = torch.linalg.qr(tensor("fs")[:5])[0]
    assert loss_class()(student, 3 * student @ rotation + 7) < 1e-24
    torch.testing.assert_close(
        loss_class()(0.01 * student - 5, tensor("ft")), loss_class()(student, tensor("ft")), rtol=1e-9, atol=0
    )


@BOTH
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_rows(loss_class, dtype):
    student = tensor("fs").to(dtype)
    student[1] = student[0]
    student.requires_grad_()
    loss_class()(student, tensor("ft").to(dtype)).backward()
    assert student.grad.isfinite().all() and student.grad.norm() < 1
    # all rows equal: no relation at all
    student = torch.ones(6, 5, dtype=dtype, requires_grad=True)
    value = loss_class()(student, tensor("ft").to(dtype))
    value.backward()
    assert value.isfinite() and student.grad.norm() == 0


@BOTH
def test_near_rows_far_from_the_origin_in_float32(loss_class):
    student = 100 + 0.01 * tensor("fs")
    expected = loss_class()(student.float().double(), tensor("ft"))
    torch.testing.assert_close(loss_class()(student.float(), tensor("ft")).double(), expected, rtol=1e-5, atol=0)


@BOTH
def test_one_and_two_rows(loss_class):
    for n_rows in (1, 2):
        assert loss_class()(tensor("fs")[:n_rows], tensor("ft")[:n_rows]) < 1e-30


def test_angles_of_large_batches_are_a_part(monkeypatch):
    rng = np.random.default_rng(0)
    student, teacher = rng.normal(size=(9, 3)), rng.normal(size=(9, 4))
    monkeypatch.setattr(_rkd, "MAX_TRIPLES", 150)  # 9 vertices with 4 ends: rows 0, 2, 4, 6
    triples = [(i, j, k) for i in range(9) for j in (0, 2, 4, 6) for k in (0, 2, 4, 6) if len({i, j, k}) == 3]
    mean = np.mean([smooth(cosine(student, *triple) - cosine(teacher, *triple)) for triple in triples])
    value = RKDAngleLoss()(torch.from_numpy(student), torch.from_numpy(teacher))
    np.testing.assert_allclose(value, mean * (9 * 8 * 7) / 9**3, rtol=1e-12)
    monkeypatch.setattr(_rkd, "MAX_TRIPLES", 1)  # never fewer than two ends
    assert RKDAngleLoss()(torch.from_numpy(student), torch.from_numpy(teacher)) > 0


def test_angles_of_large_batches_are_estimated():
    rng = torch.Generator().manual_seed(0)
    student, teacher = torch.randn(200, 4, generator=rng), torch.randn(200, 6, generator=rng)
    few = RKDAngleLoss()(student[:128], teacher[:128])
    many = RKDAngleLoss()(student.requires_grad_(), teacher)
    torch.testing.assert_close(many, few, rtol=0.1, atol=0)
    many.backward()
    assert (student.grad.norm(dim=1) > 0).all()
    assert RKDAngleLoss()(student, teacher) == many
