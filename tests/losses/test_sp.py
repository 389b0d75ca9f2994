from __future__ import annotations

import numpy as np
import pytest
import torch

from sklkd.losses import SPLoss

from .oracle import array, assert_matches, entry, tensor


@pytest.mark.parametrize("on", ["fs, ft", "fs, ft_wide", "gs, gt_c"])
def test_reference(on):
    assert_matches(SPLoss(), entry("SP", on=on))


def test_recomputed_with_a_row_of_zeros():
    student, teacher = array("fs"), array("ft_wide")
    student[2] = 0
    similarities = []
    for x in (student, teacher):
        gram = [[np.dot(a, b) for b in x] for a in x]
        similarities.append(np.array([np.divide(row, np.linalg.norm(row) or 1) for row in gram]))
    expected = ((similarities[0] - similarities[1]) ** 2).sum() / 36
    np.testing.assert_allclose(SPLoss()(torch.from_numpy(student), torch.from_numpy(teacher)), expected, rtol=1e-12)


def test_scale_and_rotation_do_not_matter():
    student = tensor("fs")
    rotation = torch.linalg.qr(student[:5])[0]
    assert SPLoss()(student, 3 * student @ rotation) < 1e-24
    assert SPLoss()(student, student + 5) > 1e-2  # but an offset does


def test_one_row():
    assert SPLoss()(tensor("fs")[:1], tensor("ft")[:1]) < 1e-30
