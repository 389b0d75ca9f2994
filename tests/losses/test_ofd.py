"""Overhaul of feature distillation against the reference values and a recomputation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import truncnorm

from sklkd.losses import OFDLoss
from tests.losses import oracle


@pytest.mark.parametrize("entry", oracle.entries("OFD"), ids=lambda entry: entry["on"])
def test_reference_values(entry):
    oracle.assert_matches(lambda s, t, margin: OFDLoss(margin=margin.tolist())(s, t), entry)


@pytest.mark.parametrize("entry", oracle.entries("OFD, empirical margin"), ids=lambda entry: entry["on"])
def test_margin_of_a_batch_and_of_a_fit(entry):
    teacher = oracle.tensor(entry["on"])
    loss = OFDLoss()
    loss.fit_teacher(teacher)
    np.testing.assert_allclose(loss.margin_, entry["value"], rtol=entry["rtol"])
    # called by itself, the batch tells: all smaller values come out as the margin
    np.testing.assert_allclose(OFDLoss().prepare(teacher), loss.prepare(teacher))
    assert not torch.equal(loss.prepare(teacher[:2]), OFDLoss().prepare(teacher[:2]))


def test_margin_from_a_batch_norm():
    entry = oracle.entry("OFD, margin from batch-norm")
    margin = OFDLoss.batch_norm_margin(oracle.array("bn_mean"), oracle.array("bn_std"))
    np.testing.assert_allclose(margin, entry["value"], rtol=entry["rtol"])


@given(st.floats(-4, 3), st.floats(0.1, 5))
def test_margin_from_a_batch_norm_is_the_mean_of_a_truncated_normal(z, std):
    (margin,) = OFDLoss.batch_norm_margin([z * std], [-std])
    expected = truncnorm.mean(-np.inf, -z, loc=z * std, scale=std)
    np.testing.assert_allclose(margin, expected, rtol=1e-6, atol=1e-9)


def test_margin_from_a_batch_norm_at_its_limits():
    assert OFDLoss.batch_norm_margin([100.0, 1e6, 2.0, -2.0], [1.0, 0.5, 0.0, 0.0]) == [-3.0, -1.5, 0.0, -2.0]


# round numbers, so that zeros, ties and values on the margin come up
@given(
    st.lists(st.tuples(st.integers(-6, 6), st.integers(-6, 6)), min_size=1, max_size=12),
    st.integers(-4, 0),
)
def test_recomputed(values, margin):
    student, teacher = (0.5 * np.array(side, dtype=float) for side in zip(*values, strict=True))
    expected = 0.0
    for s, t in zip(student, teacher, strict=True):
        t = max(t, margin / 2)
        if not s <= t <= 0:
            expected += (s - t) ** 2
    loss = OFDLoss(margin=[margin / 2] * len(values))
    np.testing.assert_allclose(loss(torch.from_numpy(student[None]), torch.from_numpy(teacher[None])), expected)


def test_empirical_margin_recomputed_on_maps():
    teacher = np.random.default_rng(0).normal(size=(4, 3, 2, 5))
    loss = OFDLoss()
    loss.fit_teacher(torch.from_numpy(teacher))
    expected = [teacher[:, c][teacher[:, c] < 0].mean() for c in range(3)]
    np.testing.assert_allclose(loss.margin_, expected, rtol=1e-12)


@pytest.mark.parametrize("margin", [[-1.0, 0.1], [-np.inf, 0.0], [np.nan, 0.0], 0.5, -1.0])
def test_margins_out_of_range(margin):
    with pytest.raises(ValueError, match="margin must be a sequence of finite numbers <= 0 or None, got margin="):
        OFDLoss(margin=margin)(torch.ones(1, 2), torch.ones(1, 2))


def test_as_many_margins_as_columns():
    with pytest.raises(ValueError, match="one value for each of the teacher's 2 columns, got 3"):
        OFDLoss(margin=[0.0, 0.0, 0.0])(torch.ones(1, 2), torch.ones(1, 2))
