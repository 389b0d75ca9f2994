from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sklkd.losses import PinballLoss
from sklkd.teachers import Estimand

RNG = np.random.default_rng(0)
STUDENT, TEACHER, Y = RNG.normal(size=(9, 3)), RNG.normal(size=(9, 3)), RNG.normal(size=9)
WEIGHT = RNG.exponential(size=9)
LEVELS = (0.1, 0.5, 0.9)


def by_hand(targets):
    """Mean over the levels, row by row."""
    rows = []
    for s, y in zip(STUDENT, targets, strict=True):
        each = [q * (t - v) if t >= v else (1 - q) * (v - t) for q, v, t in zip(LEVELS, s, y, strict=True)]
        rows.append(np.mean(each))
    return np.array(rows)


def test_recomputed():
    student, teacher, y, weight = map(torch.from_numpy, (STUDENT, TEACHER, Y, WEIGHT))
    expected = by_hand(np.repeat(Y[:, None], 3, axis=1))
    loss = PinballLoss(levels=LEVELS)
    np.testing.assert_allclose(loss(student, teacher, y), expected.mean(), rtol=1e-12)
    np.testing.assert_allclose(loss(student, teacher, y[:, None]), expected.mean(), rtol=1e-12)
    weighted = loss(student, teacher, y, weight)
    np.testing.assert_allclose(weighted, np.average(expected, weights=WEIGHT), rtol=1e-12)


def test_rows_without_a_label_are_compared_with_the_teacher():
    targets = np.repeat(Y[:, None], 3, axis=1)
    targets[4:] = np.nan
    student, teacher, y = map(torch.from_numpy, (STUDENT, TEACHER, targets))
    expected = by_hand(np.where(np.isnan(targets), TEACHER, targets))
    np.testing.assert_allclose(PinballLoss(levels=LEVELS)(student, teacher, y), expected.mean(), rtol=1e-12)


@pytest.mark.parametrize("level", [0.1, 0.5, 0.8])
def test_its_minimum_is_the_quantile_of_the_labels(level):
    y = torch.from_numpy(RNG.exponential(size=1001))
    candidates = torch.sort(y).values
    losses = [
        PinballLoss(levels=(level,))(value.expand(1001, 1), torch.zeros(1001, 1), y).item() for value in candidates
    ]
    assert candidates[int(np.argmin(losses))] == pytest.approx(np.quantile(y, level, method="inverted_cdf"))


def test_levels_of_the_teacher():
    loss = PinballLoss()
    student, teacher, y = map(torch.from_numpy, (STUDENT, TEACHER, Y))
    torch.testing.assert_close(loss(student, teacher, y), PinballLoss(levels=(0.5,) * 3)(student, teacher, y))
    loss.learn_estimand(Estimand("quantile", "a forest", LEVELS))
    torch.testing.assert_close(loss(student, teacher, y), PinballLoss(levels=LEVELS)(student, teacher, y))
    values = RNG.normal(size=(9, 3))
    np.testing.assert_allclose(loss.target(SimpleNamespace(values=values)), values, rtol=1e-6)


def test_refusals():
    student, teacher, y = map(torch.from_numpy, (STUDENT, TEACHER, Y))
    for levels in ((0.0,), (1.0,), (0.5, 1.2)):
        with pytest.raises(ValueError, match="levels must"):
            PinballLoss(levels=levels)(student, teacher, y)
    with pytest.raises(TypeError, match="levels must be a number"):
        PinballLoss(levels=("high",))(student, teacher, y)
    with pytest.raises(ValueError, match=r"one for each of the student's 3 outputs, got \(0.1, 0.9\)"):
        PinballLoss(levels=(0.1, 0.9))(student, teacher, y)
    with pytest.raises(ValueError, match="needs labels"):
        PinballLoss()(student, teacher)
    with pytest.raises(ValueError, match="must both have shape"):
        PinballLoss()(student, teacher[:, :2], y)
