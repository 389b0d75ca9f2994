from __future__ import annotations

import numpy as np
import pytest
import torch

from sklkd.losses import KDSVDLoss

from .oracle import array, assert_matches, entry, tensor


@pytest.mark.parametrize(("k", "params"), [(1, "k=1 (student k+3), gamma=8"), (2, "k=2 (student k+3), gamma=8")])
def test_reference(k, params):
    assert_matches(KDSVDLoss(k=k), entry("KD-SVD", params))


def test_reference_of_vectors():
    assert_matches(KDSVDLoss(), entry("KD-SVD on 2-d features"))


def recomputed(student, teacher, k, gamma):
    """By NumPy, row by row and layer by layer."""
    rows = []
    for i in range(len(student[0])):
        matched = []
        for s, t in zip(student, teacher, strict=True):
            _, _, vs = np.linalg.svd(s[i].reshape(len(s[i]), -1).T)
            _, values, vt = np.linalg.svd(t[i].reshape(len(t[i]), -1).T)
            values = values[:k] / np.linalg.norm(values[:k])
            for v, value in zip(vt[:k], values, strict=True):
                v = v * np.sign(v[np.abs(v).argmax()])
                cosines = vs[: k + 3] @ v
                nearest = np.abs(cosines).argmax()
                matched.append((value * vs[nearest] * np.sign(cosines[nearest]), value * v))
        total = 0
        for (s1, t1), (s2, t2) in zip(matched[:k], matched[k:], strict=True):
            kernels = [np.exp(-((b[:, None] - a[None]) ** 2) / gamma) for a, b in ((s1, s2), (t1, t2))]
            total += ((kernels[0] - kernels[1]) ** 2).sum()
        rows.append(total)
    return np.array(rows)


@pytest.mark.parametrize("k", [1, 3])
def test_recomputed_with_weights(k):
    student, teacher = (array("gs"), array("gs2")), (array("gt"), array("gt2"))
    rows = recomputed(student, teacher, k, 5.0)
    weight = np.arange(1.0, 7)
    sides = [tuple(torch.from_numpy(layer) for layer in side) for side in (student, teacher)]
    loss = KDSVDLoss(k=k, gamma=5.0)
    np.testing.assert_allclose(loss(*sides), rows.mean(), rtol=1e-9)
    weighted = loss(*sides, sample_weight=torch.from_numpy(weight))
    np.testing.assert_allclose(weighted, np.average(rows, weights=weight), rtol=1e-9)


def test_arbitrary_signs_and_scales_do_not_matter():
    student, teacher = (tensor("gs"), tensor("gs2")), (tensor("gt"), tensor("gt2"))
    value = KDSVDLoss(k=2)(student, teacher)
    for factor in (-1, 0.01, -30):
        torch.testing.assert_close(KDSVDLoss(k=2)((factor * student[0], student[1]), teacher), value)
        torch.testing.assert_close(KDSVDLoss(k=2)(student, (teacher[0], factor * teacher[1])), value)


def test_gradient_is_that_of_a_differentiated_decomposition():
    student, teacher = (tensor("gs").requires_grad_(), tensor("gs2").requires_grad_()), (tensor("gt"), tensor("gt2"))
    gradient = torch.autograd.grad(KDSVDLoss()(student, teacher), student)
    matched = []
    for s, t in zip(student, teacher, strict=True):
        v = torch.linalg.svd(t.flatten(2).mT, full_matrices=False)[2][:, 0]
        v = v * v.gather(1, v.abs().argmax(1, keepdim=True)).sign()
        candidates = torch.linalg.svd(s.flatten(2).mT, full_matrices=False)[2][:, :4]
        cosines = (candidates @ v[:, :, None])[:, :, 0]
        nearest = cosines.abs().argmax(1)
        rows = torch.arange(6)
        matched.append((candidates[rows, nearest] * cosines[rows, nearest].detach().sign()[:, None], v))
    kernels = [(-(b[:, :, None] - a[:, None]).square() / 8).exp() for a, b in zip(*matched, strict=True)]
    expected = torch.autograd.grad((kernels[0] - kernels[1]).square().sum() / 6, student)
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_degenerate_maps_have_bounded_gradients(dtype):
    teacher = (tensor("gt").to(dtype), tensor("gt2").to(dtype))
    outer = torch.einsum("bc,bh->bch", tensor("fs")[:, :3], tensor("ft"))[:, :, :, None].to(dtype)
    orthogonal = torch.eye(3, dtype=dtype).reshape(1, 3, 3, 1).repeat(6, 1, 1, 1)
    for first in (outer, orthogonal, orthogonal + 1e-6 * tensor("gs")[:, :, :3, :1].to(dtype), torch.zeros_like(outer)):
        first = first.clone().requires_grad_()
        value = KDSVDLoss()((first, tensor("gs2").to(dtype)), teacher)
        value.backward()
        assert value.isfinite() and first.grad.isfinite().all() and first.grad.norm() < 10
    # of zeros there is no vector: the gradient is exactly 0
    assert first.grad.norm() == 0
    zeros = tuple(torch.zeros_like(layer) for layer in teacher)
    assert KDSVDLoss()(zeros, zeros) == 0


def test_orthogonal_vectors_keep_their_length():
    first, student, teacher = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    expected = recomputed_of_vectors([1, 0], [1, 0], [1, 0], [0, 1])
    torch.testing.assert_close(KDSVDLoss()((first, student), (first, teacher)).item(), expected)


def recomputed_of_vectors(s1, s2, t1, t2):
    kernels = [np.exp(-(np.subtract.outer(b, a) ** 2) / 8) for a, b in ((s1, s2), (t1, t2))]
    return ((kernels[0] - kernels[1]) ** 2).sum()


def test_no_more_vectors_than_there_are():
    student, teacher = (tensor("gs"), tensor("gs2")), (tensor("gt"), tensor("gt2"))
    torch.testing.assert_close(KDSVDLoss(k=9)(student, teacher), KDSVDLoss(k=3)(student, teacher))
    vectors = (tensor("fs"), tensor("fs2")), (tensor("ft"), tensor("ft2"))
    torch.testing.assert_close(KDSVDLoss(k=2)(*vectors), KDSVDLoss()(*vectors))


def test_projectors_for_widths_that_differ():
    student, teacher = (tensor("gs"), tensor("gs2")), (tensor("gt_c"), tensor("gt_h"))
    loss = KDSVDLoss()
    with pytest.raises(ValueError, match=r"KDSVDLoss needs a student as wide .* got widths \(3, 6\) and \(5, 5\)"):
        loss(student, teacher)
    loss.build(((3, 8, 8), (6, 8, 8)), ((5, 8, 8), (5, 4, 4)))
    loss.double()(student, teacher).backward()
    assert all(parameter.grad.isfinite().all() for parameter in loss.parameters())
    assert all(projector.weight.grad.norm() > 0 for projector in loss.projectors_)


def test_parameters_are_checked():
    arguments = (tensor("fs"), tensor("fs2")), (tensor("ft"), tensor("ft2"))
    with pytest.raises(ValueError, match=r"k must be >= 1, got k=0\."):
        KDSVDLoss(k=0)(*arguments)
    with pytest.raises(ValueError, match=r"gamma must be > 0, got gamma=-8\."):
        KDSVDLoss(gamma=-8)(*arguments)
