from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from sklkd.losses import IRGLoss

from .oracle import array, assert_matches, entries, entry, tensor

ONLY_VERTEX = IRGLoss(vertex=1, edge=0, transformation=0)
ONLY_EDGE = IRGLoss(vertex=0, edge=1, transformation=0)
ONLY_TRANSFORMATION = IRGLoss(vertex=0, edge=0, transformation=1)


def test_reference():
    # vertices are the second layer
    assert_matches(ONLY_VERTEX, {**entry("IRG, vertex"), "on": "(fs, zs), (ft, zt)"})
    assert_matches(ONLY_EDGE, {**entry("IRG, edge", "one layer"), "on": "(fs, fs), (ft, ft)"})
    for reference in entries("IRG, transformation"):
        assert_matches(ONLY_TRANSFORMATION, reference)


def test_reference_of_three_layers():
    layers = [(tensor(s), tensor(t)) for s, t in (("gs", "gt"), ("gs2", "gt2"), ("fs", "ft"))]
    pairs = [ONLY_EDGE((a[0], b[0]), (a[1], b[1])) for a, b in itertools.combinations(layers, 2)]
    np.testing.assert_allclose(np.mean(pairs), entry("IRG, edge", "three layers")["value"], rtol=1e-9)


def test_recomputed_with_weights():
    s1, s2, t1, t2 = (array(name) for name in ("fs", "fs2", "ft", "ft2"))
    weight = np.arange(6.0)
    vertex = np.average(((s2 - t2) ** 2).mean(1), weights=weight)
    edge = 0
    for s, t in ((s1, t1), (s2, t2)):
        d = [np.array([[((a - b) ** 2).sum() for a in x] for b in x]) for x in (s, t)]
        edge += ((d[0] / d[0].max() - d[1] / d[1].max()) ** 2).mean() / 2
    moved = [((a - b) ** 2).sum(1) for a, b in ((s1, s2), (t1, t2))]
    transformation = np.average((moved[0] / moved[0].max() - moved[1] / moved[1].max()) ** 2, weights=weight)
    sides = [tuple(map(torch.from_numpy, side)) for side in ((s1, s2), (t1, t2))]
    value = IRGLoss()(*sides, sample_weight=torch.from_numpy(weight))
    np.testing.assert_allclose(value, 0.1 * vertex + 5 * edge + 5 * transformation, rtol=1e-10)


def test_widths_of_one_network_may_differ():
    s1, s2, teacher = tensor("fs"), tensor("ft_wide"), (tensor("ft"), tensor("ft2"))
    # 7 columns to 5: the windows that adaptive pooling takes
    windows = [(0, 2), (1, 3), (2, 5), (4, 6), (5, 7)]
    narrow = torch.stack([s2[:, a:b].mean(1) for a, b in windows], 1)
    expected = ONLY_TRANSFORMATION((s1, narrow), teacher)
    torch.testing.assert_close(ONLY_TRANSFORMATION((s1, s2), teacher), expected)
    torch.testing.assert_close(ONLY_TRANSFORMATION((s2, s1), teacher), expected)


def test_projector_of_the_vertices():
    torch.manual_seed(0)
    student, teacher = (tensor("fs"), tensor("fs2")), (tensor("ft"), tensor("ft_wide"))
    loss = IRGLoss()
    with pytest.raises(ValueError, match="IRGLoss needs a student as wide as the teacher"):
        loss(student, teacher)
    loss.build(((5,), (5,)), ((5,), (7,)))
    assert [tuple(p.shape) for p in loss.parameters()] == [(7, 5), (7,)]
    loss.double()(student, teacher).backward()
    assert all(parameter.grad.norm() > 0 for parameter in loss.parameters())
    without = IRGLoss(vertex=0)
    without.build(((5,), (5,)), ((5,), (7,)))
    assert list(without.parameters()) == []
    assert without(student, teacher) > 0


def test_one_row_has_no_edges():
    assert ONLY_EDGE((tensor("fs")[:1],) * 2, (tensor("ft")[:1],) * 2) == 0


def test_equal_layers_have_no_transformation():
    layer = tensor("fs").requires_grad_()
    value = ONLY_TRANSFORMATION((layer, layer), (tensor("ft"), tensor("ft2")))
    value.backward()
    assert value > 0 and layer.grad.norm() == 0


def test_kinds_and_parameters_are_checked():
    vectors, maps = tensor("fs"), tensor("gs")
    with pytest.raises(ValueError, match=r"two of vectors or two of maps.* or set transformation=0"):
        ONLY_TRANSFORMATION((vectors, maps), (vectors, maps))
    for name in ("vertex", "edge", "transformation"):
        with pytest.raises(ValueError, match=rf"{name} must be >= 0, got {name}=-1\."):
            IRGLoss(**{name: -1})((vectors, vectors), (vectors, vectors))
    with pytest.raises(ValueError, match="One of vertex, edge and transformation must be > 0"):
        IRGLoss(vertex=0, edge=0, transformation=0).check()
