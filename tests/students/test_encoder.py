"""The input encoder, recomputed by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklkd._weighted import weighted_quantile
from sklkd.students import InputEncoder
from sklkd.students._encoder import shared


@given(
    st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(1, 4)), min_size=1, max_size=30),
    st.lists(st.floats(0.01, 0.99), min_size=1, max_size=5),
)
def test_weighted_quantiles_are_those_of_repeated_values(pairs, q):
    x = np.array([value for value, _ in pairs])
    weight = np.array([count for _, count in pairs])
    expected = np.quantile(np.repeat(x, weight), q, method="inverted_cdf")
    np.testing.assert_array_equal(weighted_quantile(x, weight.astype(float), q), expected)


def test_numbers_are_scaled_by_median_and_quartiles():
    X = np.random.default_rng(0).normal(5, 3, size=(101, 2))
    low, center, high = np.quantile(X, [0.25, 0.5, 0.75], axis=0, method="inverted_cdf")
    encoder = InputEncoder().fit(X)
    np.testing.assert_allclose(encoder.transform(X), (X - center) / (high - low), rtol=1e-6)
    assert encoder.transform(X).dtype == np.float32
    np.testing.assert_allclose(encoder.scale_thresholds(1, np.array([5.0])), (5 - center[1]) / (high - low)[1])


def test_columns_whose_quartiles_meet():
    X = np.column_stack([np.r_[np.zeros(98), -1.0, 3.0], np.full(100, 7.0)])
    encoder = InputEncoder().fit(X)
    np.testing.assert_array_equal(encoder.scale_, [2.0, 1.0])  # half the range; a constant column is 0
    assert not encoder.transform(X)[:, 1].any()


def test_large_numbers_keep_their_digits():
    X = 1.7e9 + np.arange(100.0)[:, None]
    assert len(np.unique(InputEncoder().fit_transform(X))) == 100


FRAME = pd.DataFrame({"n": [1.0, 2.0, np.nan, 4.0], "c": ["b", None, "a", "b"]})


def test_categories_and_gaps_are_coded_for_tabular_nets():
    encoder = InputEncoder().fit(FRAME)
    out = encoder.transform(FRAME)
    np.testing.assert_array_equal(out[:, 1], [1, 2, 0, 1])  # a, b, missing
    assert encoder.cardinalities_ == [0, 3] and encoder.missing_.tolist() == [True, False]
    assert np.isnan(out[2, 0]) and not np.isnan(out[[0, 1, 3], 0]).any()
    unseen = encoder.transform(pd.DataFrame({"n": [1.0], "c": ["z"]}))
    assert unseen[0, 1] == -1


def test_rare_categories_share_a_code_with_unseen_ones():
    X = pd.DataFrame({"c": ["a"] * 5 + ["b"] * 4 + ["c"] * 2 + ["d"]})
    encoder = InputEncoder(max_categories=2).fit(X)
    assert encoder.cardinalities_ == [3]
    np.testing.assert_array_equal(encoder.transform(pd.DataFrame({"c": list("abcdz")}))[:, 0], [0, 1, 2, 2, 2])


def test_weights_decide_which_categories_are_rare():
    X = pd.DataFrame({"c": ["a", "b", "c"]})
    encoder = InputEncoder(max_categories=1).fit(X, sample_weight=np.array([1.0, 5.0, 1.0]))
    np.testing.assert_array_equal(encoder.transform(X)[:, 0], [1, 0, 1])


@given(st.lists(st.integers(1, 30), max_size=6), st.integers(0, 100))
def test_columns_share_a_limit(counts, total):
    found = shared(total, np.array(counts, int), np.ones(len(counts)))
    fits = [one for one in range(max(counts, default=0) + 1) if sum(min(count, one) for count in counts) <= total]
    np.testing.assert_array_equal(found, np.minimum(counts, fits[-1]))


@pytest.mark.parametrize("unit", [1.0, 0.02])
def test_more_levels_are_kept_where_there_is_room_and_they_are_not_single(unit):
    # the last 10 of 100 levels are seen once, the others twice; 3 levels of another column
    first = [f"l{k:03}" for k in [*range(100), *range(90)]]
    X = np.array([first, [f"m{k % 3}" for k in range(190)]], dtype=object).T
    found = [
        InputEncoder(max_levels=room).fit(X, sample_weight=np.full(190, unit)).cardinalities_ for room in (0, 83, 103)
    ]
    # and one for those that are not kept
    assert found == [[65, 3], [81, 3], [91, 3]]


def test_other_networks_get_numbers_alone():
    out = InputEncoder(one_hot=True).fit(FRAME).transform(FRAME)
    # the clipped number, its indicator, a, b, missing; the median of 1, 2, 4 is 2, the quartiles 1 and 4
    z = np.array([-1 / 3, 0, 0, 2 / 3])
    expected = np.column_stack([z / np.sqrt(1 + (z / 3) ** 2), [0, 0, 1, 0], [0, 0, 1, 0], [1, 0, 0, 1], [0, 1, 0, 0]])
    np.testing.assert_allclose(out, expected, rtol=1e-6)


@pytest.mark.parametrize("one_hot", [False, True])
def test_a_weight_of_two_and_a_repeated_row_are_the_same(one_hot):
    rng = np.random.default_rng(0)
    X, weight = rng.normal(size=(20, 3)), rng.integers(1, 4, size=20)
    weighted = InputEncoder(one_hot=one_hot).fit(X, sample_weight=weight)
    repeated = InputEncoder(one_hot=one_hot).fit(np.repeat(X, weight, axis=0))
    np.testing.assert_array_equal(weighted.transform(X), repeated.transform(X))
