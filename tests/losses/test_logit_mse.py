from __future__ import annotations

import numpy as np
import torch

from sklkd.losses import LogitMSELoss

from .oracle import array, assert_matches, entry, tensor


def test_reference():
    assert_matches(LogitMSELoss(center=False), entry("LogitMSE"))
    assert_matches(LogitMSELoss(), entry("LogitMSE, centred"))


def test_recomputed_with_weights():
    student, teacher, weight = array("zs"), array("zt"), np.arange(6.0)
    for center in (True, False):
        difference = student - teacher
        if center:
            difference = difference - difference.mean(1, keepdims=True)
        expected = np.average((difference**2).mean(1), weights=weight)
        loss = LogitMSELoss(center=center)
        value = loss(torch.from_numpy(student), torch.from_numpy(teacher), sample_weight=torch.from_numpy(weight))
        np.testing.assert_allclose(value, expected, rtol=1e-12)


def test_shift_of_rows():
    student, teacher, shift = tensor("zs"), tensor("zt"), torch.arange(6)[:, None]
    torch.testing.assert_close(LogitMSELoss()(student + shift, teacher - 5), LogitMSELoss()(student, teacher))
    assert LogitMSELoss()(student, student - 5) < 1e-24
    torch.testing.assert_close(LogitMSELoss(center=False)(student, student - 5).item(), 25.0)
