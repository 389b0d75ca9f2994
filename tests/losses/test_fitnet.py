"""Hints against the reference values and a recomputation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sklkd.losses import FitNetLoss
from tests.losses import oracle


@pytest.mark.parametrize("entry", oracle.entries("FitNet"), ids=lambda entry: entry["on"])
def test_reference_values(entry):
    oracle.assert_matches(FitNetLoss(), entry)


def test_a_fitted_hint_is_the_error_of_the_projection_to_the_standardised_teacher():
    rng = np.random.default_rng(0)
    student, teacher = rng.normal(size=(30, 4)), 5 * rng.normal(size=(30, 3)) + 2
    loss = FitNetLoss()
    loss.build((4,), (3,))
    loss.double().fit_teacher(torch.from_numpy(teacher))
    value = loss(torch.from_numpy(student[:8]), torch.from_numpy(teacher[:8]))

    projected = student @ loss.projector_.weight.detach().numpy().T + loss.projector_.bias.detach().numpy()
    target = (teacher - teacher.mean(0)) / teacher.std(0)
    np.testing.assert_allclose(value.item(), np.mean((projected[:8] - target[:8]) ** 2), rtol=1e-12)


def test_the_larger_map_is_pooled():
    rng = np.random.default_rng(0)
    student, teacher = rng.normal(size=(2, 3, 4, 4)), rng.normal(size=(2, 3, 2, 2))
    pooled = student.reshape(2, 3, 2, 2, 2, 2).mean((3, 5))
    expected = np.mean((pooled - teacher) ** 2)
    for s, t in ((student, teacher), (teacher, student)):
        np.testing.assert_allclose(FitNetLoss()(torch.from_numpy(s), torch.from_numpy(t)), expected, rtol=1e-12)


def test_stages():
    together, first = FitNetLoss(), FitNetLoss(init_epochs=2)
    assert [together.ramp(epoch) for epoch in range(4)] == [1, 1, 1, 1]
    assert [together.alone(epoch) for epoch in range(4)] == [False] * 4
    assert [first.ramp(epoch) for epoch in range(4)] == [1, 1, 0, 0]
    assert [first.alone(epoch) for epoch in range(4)] == [True, True, False, False]


@pytest.mark.parametrize(("value", "error"), [(-1, ValueError), (1.5, TypeError), (True, TypeError)])
def test_init_epochs_must_be_a_count(value, error):
    with pytest.raises(error, match=f"init_epochs must be .* got init_epochs={value}"):
        FitNetLoss(init_epochs=value).check()
