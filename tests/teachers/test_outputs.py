"""Outputs: logits, slices and joins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax

from sklkd.teachers import FLOOR, Outputs


@given(st.integers(0, 10_000), st.integers(2, 6))
def test_logits_are_log_probabilities_down_to_the_floor(seed, k):
    rng = np.random.default_rng(seed)
    proba = softmax(rng.normal(scale=8, size=(7, k)), axis=1)
    logits = Outputs(proba=proba).logits
    assert np.allclose(softmax(logits, axis=1).sum(axis=1), 1)
    assert np.allclose(np.exp(logits).sum(axis=1), 1)
    clear = proba.min(axis=1) > FLOOR
    assert np.allclose(logits[clear], np.log(proba[clear]))
    assert logits.min() >= np.log(FLOOR / (1 + k * FLOOR)) - 1e-12


def test_zero_has_a_finite_logit():
    logits = Outputs(proba=np.array([[0.0, 1.0]])).logits
    assert np.allclose(logits, np.log([[1e-4 / 1.0001, 1 / 1.0001]]))


def test_margins_are_the_logits_as_they_are():
    margins = np.array([[3.0, 1.0, -20.0]])
    assert np.array_equal(Outputs(proba=softmax(margins, axis=1), margins=margins).logits, margins)
    assert not np.allclose(log_softmax(margins, axis=1), margins)


def test_regression_has_no_logits():
    with pytest.raises(ValueError, match="no logits"):
        _ = Outputs(values=np.zeros((2, 1))).logits


def test_take_and_concatenate_undo_each_other():
    rng = np.random.default_rng(0)
    whole = Outputs(values=rng.normal(size=(9, 2)), spread=rng.uniform(size=(9, 2)))
    joined = Outputs.concatenate([whole.take(slice(0, 4)), whole.take(np.arange(4, 9))])
    assert len(joined) == 9 and len(whole.take(np.arange(9) % 2 == 0)) == 5
    assert np.array_equal(joined.values, whole.values) and np.array_equal(joined.spread, whole.spread)
    assert joined.proba is None and joined.margins is None


def test_margins_that_one_fold_lacks_are_left_out():
    margins = np.array([[1.0, -1.0]])
    proba = softmax(margins, axis=1)
    joined = Outputs.concatenate([Outputs(proba=proba, margins=margins), Outputs(proba=proba)])
    assert joined.margins is None and joined.proba.shape == (2, 2)
