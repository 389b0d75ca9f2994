from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from sklkd.losses import FSPLoss

from .oracle import array, assert_matches, entry, tensor


def test_reference():
    assert_matches(FSPLoss(), entry("FSP"))
    assert_matches(FSPLoss(), entry("FSP on 2-d features"))


def test_recomputed_with_weights():
    names = ("gs", "gs2", "gt", "gt2")
    s1, s2, t1, t2 = (array(name).reshape(6, -1, 64) for name in names)
    rows = [((a @ b.T - c @ d.T) ** 2).mean() / 64**2 for a, b, c, d in zip(s1, s2, t1, t2, strict=True)]
    s1, s2, t1, t2 = (tensor(name) for name in names)
    weight = torch.arange(6.0, dtype=torch.float64)
    value = FSPLoss()((s1, s2), (t1, t2), sample_weight=weight)
    np.testing.assert_allclose(value, np.average(rows, weights=np.arange(6)), rtol=1e-12)


def test_larger_map_is_pooled():
    first, second, teacher = tensor("gs"), tensor("gt_h"), (tensor("gt"), tensor("gt_h"))
    expected = FSPLoss()((F.avg_pool2d(first, 2), second), (F.avg_pool2d(teacher[0], 2), teacher[1]))
    torch.testing.assert_close(FSPLoss()((first, second), teacher), expected)


def test_maps_are_one_position_as_vectors():
    sides = [(tensor("fs"), tensor("fs2")), (tensor("ft"), tensor("ft2"))]
    maps = [tuple(layer[:, :, None, None] for layer in side) for side in sides]
    torch.testing.assert_close(FSPLoss()(*maps), FSPLoss()(*sides))


def test_projectors_for_widths_that_differ():
    torch.manual_seed(0)
    student, teacher = (tensor("fs"), tensor("fs2")), (tensor("ft_wide"), tensor("ft2"))
    loss = FSPLoss()
    with pytest.raises(ValueError, match=r"FSPLoss needs a student as wide .* got widths \(5, 5\) and \(7, 5\)"):
        loss(student, teacher)
    loss.build(((5,), (5,)), ((7,), (5,)))
    assert [tuple(p.shape) for p in loss.parameters()] == [(7, 5), (7,)]  # the second layer needs none
    loss.double()(student, teacher).backward()
    assert all(parameter.grad.norm() > 0 for parameter in loss.parameters())
    maps = FSPLoss()
    maps.build(((3, 8, 8), (6, 8, 8)), ((5, 8, 8), (5, 4, 4)))
    maps.double()((tensor("gs"), tensor("gs2")), (tensor("gt_c"), tensor("gt_h"))).backward()
    assert all(parameter.grad.norm() > 0 for parameter in maps.parameters())


def test_equal_widths_have_no_projector():
    loss = FSPLoss()
    loss.build(((5,), (5,)), ((5,), (5,)))
    assert list(loss.parameters()) == []
    assert_matches(loss, entry("FSP on 2-d features"))


def test_two_layers_are_needed():
    one, maps = tensor("fs"), tensor("gs")
    with pytest.raises(ValueError, match=r"FSPLoss needs two layers of the teacher, .* got one tensor"):
        FSPLoss()((one, one), one)
    with pytest.raises(ValueError, match=r"FSPLoss needs two layers of the student, .* got 3 layers"):
        FSPLoss()((one, one, one), (one, one))
    with pytest.raises(ValueError, match="compares layers on the same rows, got 6 and 2 rows"):
        FSPLoss()((one, one[:2]), (one, one))
    with pytest.raises(ValueError, match="two layers of vectors or two layers of maps"):
        FSPLoss()((one, maps), (one, maps))
    with pytest.raises(TypeError, match="codes such as leaf indices are not numbers"):
        FSPLoss()((one, one), (one, one.long()))
