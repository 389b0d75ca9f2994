from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from sklkd.losses import CCLoss

from .oracle import array, assert_matches, entry, tensor


@pytest.mark.parametrize("on", ["fs, ft", "fs, ft_wide"])
def test_reference(on):
    assert_matches(CCLoss(), entry("CC", on=on))


def test_reference_of_the_bilinear_kernel():
    # to first order, the kernel is the cosine up to a factor
    factor = math.exp(-2 * 0.4) * 2 * 0.4
    value = CCLoss(order=1)(tensor("fs"), tensor("ft")) / factor**2
    np.testing.assert_allclose(value, entry("CC, bilinear kernel")["value"], rtol=1e-9)


def test_tends_to_the_gaussian_kernel():
    kernels = []
    for x in (array("fs"), array("ft_wide")):
        x = x / np.linalg.norm(x, axis=1, keepdims=True)
        kernels.append(np.exp(-0.9 * ((x[:, None] - x[None]) ** 2).sum(2)))
    expected = ((kernels[0] - kernels[1]) ** 2).mean()
    value = CCLoss(gamma=0.9, order=25)(tensor("fs"), tensor("ft_wide"))
    np.testing.assert_allclose(value, expected, rtol=1e-10)


def test_row_of_zeros_is_at_right_angles():
    student, teacher = torch.tensor([[0.0, 0.0], [1.0, 0.0]]), torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    kernel_of_one = math.exp(-0.8) * (0.8 + 0.32)
    torch.testing.assert_close(CCLoss()(student, teacher).item(), kernel_of_one**2 / 4)


def test_parameters_are_checked():
    arguments = tensor("fs"), tensor("ft")
    with pytest.raises(ValueError, match=r"gamma must be > 0, got gamma=0\."):
        CCLoss(gamma=0)(*arguments)
    with pytest.raises(ValueError, match=r"order must be >= 1, got order=0\."):
        CCLoss(order=0)(*arguments)
    with pytest.raises(TypeError, match=r"order must be an integer, got order=1\.5\."):
        CCLoss(order=1.5)(*arguments)
