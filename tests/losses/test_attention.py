"""Attention transfer against the reference values and a recomputation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sklkd.losses import AttentionTransferLoss
from tests.losses import oracle

ON_PAIRS = [e for e in oracle.entries("AttentionTransfer") if "two pairs" not in e["params"]]


def attention_map(features: np.ndarray, p: float) -> np.ndarray:
    maps = (np.abs(features) ** p).mean(1).reshape(len(features), -1)
    return maps / np.linalg.norm(maps, axis=1, keepdims=True)


@pytest.mark.parametrize(
    "entry", [*ON_PAIRS, *oracle.entries("AttentionTransfer on 2-d features")], ids=lambda entry: entry["on"]
)
def test_reference_values(entry):
    oracle.assert_matches(AttentionTransferLoss(), entry)


def test_two_pairs_are_two_losses():
    entry = oracle.entry("AttentionTransfer", "p=2, two pairs")

    def two_losses(students, teachers):
        return sum(AttentionTransferLoss()(s, t) for s, t in zip(students, teachers, strict=True))

    oracle.assert_matches(two_losses, entry)


@pytest.mark.parametrize("p", [1, 2, 2.5, 4])
def test_recomputed(p):
    rng = np.random.default_rng(0)
    student, teacher = rng.normal(size=(4, 3, 5, 2)), rng.normal(size=(4, 6, 5, 2))
    expected = np.mean((attention_map(student, p) - attention_map(teacher, p)) ** 2)
    value = AttentionTransferLoss(p=p)(torch.from_numpy(student), torch.from_numpy(teacher))
    np.testing.assert_allclose(value, expected, rtol=1e-12)

    student, teacher = student.reshape(4, -1), teacher.reshape(4, -1)[:, :30]
    expected = np.mean((attention_map(student[:, None], p) - attention_map(teacher[:, None], p)) ** 2)
    value = AttentionTransferLoss(p=p)(torch.from_numpy(student), torch.from_numpy(teacher))
    np.testing.assert_allclose(value, expected, rtol=1e-12)


def test_odd_powers_are_blind_to_the_sign():
    student, teacher = oracle.tensor("fs"), oracle.tensor("ft")
    loss = AttentionTransferLoss(p=3)
    assert loss(-student, teacher) == loss(student, teacher)


def test_high_powers_of_small_activations_are_not_taken_for_zeros():
    student, teacher = oracle.tensor("gs").float(), oracle.tensor("gt").float()
    loss = AttentionTransferLoss(p=8)
    torch.testing.assert_close(loss(1e-4 * student, teacher), loss(student, teacher))


def test_a_dead_row_costs_one_position():
    assert AttentionTransferLoss()(torch.zeros(1, 4), torch.ones(1, 4)) == 1 / 4


def test_p_below_one_is_refused():
    with pytest.raises(ValueError, match=r"p must be >= 1, got p=0.5"):
        AttentionTransferLoss(p=0.5)(torch.ones(1, 2), torch.ones(1, 2))
