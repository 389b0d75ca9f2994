"""Neuron selectivity transfer against the reference values and a recomputation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sklkd.losses import NSTLoss
from tests.losses import oracle


@pytest.mark.parametrize(
    "entry", [*oracle.entries("NST"), *oracle.entries("NST on 2-d features")], ids=lambda entry: entry["on"]
)
def test_reference_values(entry):
    oracle.assert_matches(NSTLoss(), entry)


def test_recomputed():
    rng = np.random.default_rng(0)
    student, teacher = rng.normal(size=(4, 3, 5, 2)), rng.normal(size=(4, 6, 5, 2))

    def mean_kernel(a, b):
        a, b = a.reshape(len(a), -1), b.reshape(len(b), -1)
        a, b = a / np.linalg.norm(a, axis=1)[:, None], b / np.linalg.norm(b, axis=1)[:, None]
        return np.mean([[np.dot(x, y) ** 2 for y in b] for x in a])

    rows = [
        mean_kernel(t, t) + mean_kernel(s, s) - 2 * mean_kernel(s, t) for s, t in zip(student, teacher, strict=True)
    ]
    value = NSTLoss()(torch.from_numpy(student), torch.from_numpy(teacher))
    np.testing.assert_allclose(value, np.mean(rows), rtol=1e-12)


def test_blind_to_the_sign_of_a_channel_and_to_the_order_of_the_channels():
    student, teacher = oracle.tensor("gs"), oracle.tensor("gt_c")
    flipped = student[:, [2, 0, 1]] * torch.tensor([1.0, -1.0, 1.0])[:, None, None]
    torch.testing.assert_close(NSTLoss()(flipped, teacher), NSTLoss()(student, teacher))


def test_a_dead_vector_costs_one():
    assert NSTLoss()(torch.zeros(1, 4), torch.tensor([[0.0, 1.0, 0.0, 0.0]])) == 1
