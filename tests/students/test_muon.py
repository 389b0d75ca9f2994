"""The default student's optimizer."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from sklkd.students import Muon
from sklkd.students._muon import STEPS, orthogonal


@pytest.mark.parametrize("shape", [(6, 20), (20, 6), (8, 8)])
def test_singular_values_come_near_one_and_directions_stay(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    found = u.T @ orthogonal(matrix) @ v.T
    assert found.diagonal().min() > 0.6 and found.diagonal().max() < 1.3
    torch.testing.assert_close(found - torch.diag(found.diagonal()), torch.zeros_like(found), atol=1e-4, rtol=0)


def test_singular_values_of_a_hundredth_of_the_norm_come_near_one():
    values = torch.logspace(-2, 0, 50, dtype=torch.float64)
    for value in values.tolist():
        rest = math.sqrt(1 - value**2)
        found = orthogonal(torch.diag(torch.tensor([value, rest], dtype=torch.float64))).diagonal()
        assert 0.7 < found[0] < 1.3


@pytest.mark.parametrize("shape", [(8, 60), (60, 8)])
def test_the_gram_matrix_takes_the_same_steps(shape):
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(shape, generator=generator, dtype=torch.float64)
    matrix[:4] *= 1e-3
    wide = matrix.T if shape[0] > shape[1] else matrix
    expected = wide / wide.norm()
    for a, b, c in STEPS:
        gram = expected @ expected.T
        expected = a * expected + (b * gram + c * gram @ gram) @ expected
    expected = expected.T if shape[0] > shape[1] else expected
    torch.testing.assert_close(orthogonal(matrix), expected, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(orthogonal(matrix.float()), expected.float(), rtol=1e-3, atol=1e-4)


def test_no_gradient_is_no_move():
    assert (orthogonal(torch.zeros(3, 4)) == 0).all()


def test_matrices_do_not_feel_the_scale_of_the_loss():
    moved = []
    for scale in (1.0, 1e-3):
        torch.manual_seed(0)
        layer = nn.Linear(5, 3, bias=False)
        before = layer.weight.detach().clone()
        optimizer = Muon(layer.parameters(), lr=0.1, weight_decay=0.0)
        (scale * layer(torch.eye(5)).square().sum()).backward()
        optimizer.step()
        moved.append(layer.weight.detach() - before)
    torch.testing.assert_close(moved[0], moved[1], atol=1e-4, rtol=0)
    # the norm of three orthonormal rows, times the rate and the factor
    assert moved[0].norm() == pytest.approx(0.1 * 0.2 * math.sqrt(5) * math.sqrt(3), rel=0.3)


def test_vectors_move_as_with_adamw():
    bias = nn.Parameter(torch.tensor([1.0, -2.0, 3.0]))
    other = copy.deepcopy(bias)
    ours, theirs = Muon([bias], lr=0.1, weight_decay=0.1), torch.optim.AdamW([other], lr=0.1, weight_decay=0.1)
    for _ in range(5):
        for param, optimizer in ((bias, ours), (other, theirs)):
            optimizer.zero_grad()
            param.exp().sum().backward()
            optimizer.step()
    torch.testing.assert_close(bias, other)


def test_kernels_are_flattened_and_frozen_ones_stay():
    conv = nn.Conv1d(2, 3, 2)
    conv.bias.requires_grad_(False)
    bias, weight = conv.bias.clone(), conv.weight.detach().clone()
    conv(torch.ones(1, 2, 4)).sum().backward()
    Muon(conv.parameters()).step()
    assert torch.equal(conv.bias, bias) and not torch.equal(conv.weight, weight)


def test_a_closure_is_called_with_gradients():
    param = nn.Parameter(torch.ones(2))
    optimizer = Muon([param])

    def closure():
        optimizer.zero_grad()
        loss = param.sum()
        loss.backward()
        return loss

    assert optimizer.step(closure) == 2
    assert (param < 1).all()


def test_tables_move_like_vectors_beside_a_matrix():
    torch.manual_seed(0)
    both, gradient = nn.Parameter(torch.randn(3, 6)), torch.randn(2, 3, 6)
    lookups, others = torch.tensor([1, 4]), torch.tensor([0, 2, 3, 5])
    table, matrix = nn.Parameter(both[:, lookups].detach().flatten()), nn.Parameter(both[:, others].detach())
    optimizer, alone = Muon([{"params": [both], "lookups": lookups}], lr=0.1), Muon([table, matrix], lr=0.1)
    for grad in gradient:
        both.grad, table.grad, matrix.grad = grad, grad[:, lookups].flatten(), grad[:, others]
        optimizer.step()
        alone.step()
    torch.testing.assert_close(both[:, lookups].flatten(), table)
    torch.testing.assert_close(both[:, others], matrix)


def test_numbers_without_an_axis_move_too():
    scale = nn.Parameter(torch.tensor(1.0))
    optimizer = Muon([scale], lr=0.1, weight_decay=0.0)
    (3 * scale).backward()
    optimizer.step()
    assert scale.item() == pytest.approx(0.9)
