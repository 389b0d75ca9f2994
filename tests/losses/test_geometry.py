from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sklkd.losses._geometry import pairwise_distances, unit_rows

MATRICES = arrays(np.float64, (5, 3), elements=st.sampled_from([0.0, 1.0, -1.0, 0.5, 3.0, 1e-3, 1e3]))


@given(MATRICES)
def test_unit_rows(x):
    norm = np.linalg.norm(x, axis=1, keepdims=True)
    expected = np.divide(x, norm, out=np.zeros_like(x), where=norm > 0)
    np.testing.assert_allclose(unit_rows(torch.from_numpy(x)), expected, rtol=1e-12)


def test_unit_rows_leaves_rows_without_direction_at_rest():
    x = torch.tensor([[0.0, 0.0], [1e-7, 0.0], [1e-3, 0.0]], requires_grad=True)
    unit = unit_rows(x)
    assert unit.tolist() == [[0, 0], [0, 0], [1, 0]]
    (unit * torch.tensor([1.0, 2.0])).sum().backward()
    assert x.grad.tolist()[:2] == [[0, 0], [0, 0]]
    assert torch.autograd.gradcheck(unit_rows, torch.randn(3, 4, dtype=torch.float64, requires_grad=True))


@given(MATRICES)
def test_pairwise_distances(x):
    expected = np.linalg.norm(x[:, None] - x[None], axis=2)
    np.testing.assert_allclose(pairwise_distances(torch.from_numpy(x)), expected, rtol=1e-12)


def test_pairwise_distances_do_not_cancel():
    x = 100 + 0.01 * torch.rand(40, 8, generator=torch.Generator().manual_seed(0))
    expected = (x[:, None].double() - x[None].double()).norm(dim=2)
    torch.testing.assert_close(pairwise_distances(x).double(), expected, rtol=1e-5, atol=0)


def test_pairwise_distances_of_equal_rows_have_no_gradient():
    x = torch.ones(3, 2, requires_grad=True)
    pairwise_distances(x).sum().backward()
    assert x.grad.abs().sum() == 0
