"""Activation boundaries against the reference values and a recomputation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklkd.losses import ABLoss
from tests.losses import oracle

ON_PAIRS = [e for e in oracle.entries("AB") if "two pairs" not in e["params"]]


@pytest.mark.parametrize("entry", ON_PAIRS, ids=lambda entry: f"{entry['params']} {entry['on']}")
def test_reference_values(entry):
    oracle.assert_matches(ABLoss(margin=float(entry["params"].removeprefix("margin="))), entry)


def test_two_pairs_are_two_losses_of_which_the_first_weighs_half():
    def two_losses(students, teachers):
        return sum(w * ABLoss()(s, t) for w, s, t in zip((0.5, 1), students, teachers, strict=True))

    oracle.assert_matches(two_losses, oracle.entry("AB", "margin=1, two pairs"))


# round numbers, so that zeros and values on the margin come up
@given(st.lists(st.tuples(st.integers(-6, 6), st.integers(-2, 2)), min_size=1, max_size=12), st.integers(1, 4))
def test_recomputed(values, margin):
    student, teacher = (0.5 * np.array(side, dtype=float) for side in zip(*values, strict=True))
    margin = margin / 2
    expected = 0.0
    for s, t in zip(student, teacher, strict=True):
        if t <= 0 and s > -margin:
            expected += (s + margin) ** 2
        if t > 0 and s <= margin:
            expected += (s - margin) ** 2
    value = ABLoss(margin=margin)(torch.from_numpy(student[None]), torch.from_numpy(teacher[None]))
    np.testing.assert_allclose(value, expected, rtol=1e-12)


def test_zero_beyond_the_margin_on_the_teachers_side():
    student = torch.tensor([[1.0, -1.0, 7.0, -7.0]], requires_grad=True)
    value = ABLoss()(student, torch.tensor([[0.1, -0.1, 3.0, 0.0]]))
    value.backward()
    assert value == 0 and student.grad.abs().max() == 0


def test_margin_must_be_positive():
    with pytest.raises(ValueError, match=r"margin must be > 0, got margin=0"):
        ABLoss(margin=0)(torch.ones(1, 2), torch.ones(1, 2))


def test_stages():
    assert [ABLoss(init_epochs=1).ramp(epoch) for epoch in range(3)] == [1, 0, 0]
    assert [ABLoss(init_epochs=1).alone(epoch) for epoch in range(3)] == [True, False, False]
