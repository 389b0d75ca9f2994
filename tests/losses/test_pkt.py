from __future__ import annotations

import numpy as np
import pytest
import torch

from sklkd.losses import PKTLoss, _pkt

from .oracle import array, assert_matches, entry, tensor


@pytest.mark.parametrize("on", ["fs, ft", "fs, ft_wide"])
def test_reference(on):
    assert_matches(PKTLoss(), entry("PKT", on=on), rtol=1e-6)


def test_recomputed_with_a_row_of_zeros():
    student, teacher = array("fs"), array("ft_wide")
    student[2] = 0
    probabilities = []
    for x in (student, teacher):
        x = [row / (np.linalg.norm(row) or 1) for row in x]
        near = np.array([[(np.dot(a, b) + 1) / 2 for b in x] for a in x])
        probabilities.append(near / near.sum(1, keepdims=True))
    s, t = probabilities
    expected = np.mean(t * np.log((t + 1e-7) / (s + 1e-7)))
    np.testing.assert_allclose(PKTLoss()(torch.from_numpy(student), torch.from_numpy(teacher)), expected, rtol=1e-10)


def test_scale_and_rotation_do_not_matter():
    student = tensor("fs")
    rotation = torch.linalg.qr(student[:5])[0]
    assert PKTLoss()(student, 3 * student @ rotation).abs() < 1e-12


def test_opposite_rows_in_float32():
    # normalised rows of 31 columns come out as long as this, and their cosine as less than -1 - 2 * epsilon
    opposite = torch.tensor([[1 + 2e-7], [-1 - 2e-7]])
    other = torch.tensor([[1.0], [0.5]])
    assert PKTLoss().compare(other, opposite).isfinite()
    assert _pkt._probabilities(opposite @ opposite.T).tolist() == [[1, 0], [0, 1]]


def test_one_row():
    assert PKTLoss()(tensor("fs")[:1], tensor("ft")[:1]) == 0
