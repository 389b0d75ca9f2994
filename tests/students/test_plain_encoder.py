"""The encoder of students that are no networks: numbers in their own units."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_array, random_array

from sklkd.students._plain_encoder import PlainEncoder


@given(arrays(np.float64, (7, 3), elements=st.floats(-1e9, 1e9)))
def test_numbers_come_out_as_they_are(X):
    np.testing.assert_array_equal(PlainEncoder().fit(X).transform(X), X)


def test_missing_numbers_are_kept_or_filled_with_the_median_and_marked():
    X = np.array([[1.0, 5.0], [np.nan, 6.0], [3.0, 7.0], [9.0, 8.0]])
    np.testing.assert_array_equal(PlainEncoder(keep_missing=True).fit(X).transform(X), X)
    filled = PlainEncoder().fit(X)
    np.testing.assert_array_equal(filled.transform(X)[:, [0, 1]], np.where(np.isnan(X), 3.0, X))
    np.testing.assert_array_equal(filled.transform(X)[:, 2], [0, 1, 0, 0])
    # in a column that has missed nothing in fit the median takes the place, too
    np.testing.assert_array_equal(filled.transform([[1.0, np.nan]]), [[1.0, 6.0, 0.0]])
    assert filled.get_feature_names_out().tolist() == ["x0", "x1", "x0 is missing"]


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_categories_become_columns_of_0_and_1(frame):
    X = frame({"kind": ["b", "a", None, "a"], "size": [4.0, 3.0, 2.0, 1.0]})
    encoder = PlainEncoder().fit(X)
    names = encoder.get_feature_names_out().tolist()
    assert names == ["size", "kind is a", "kind is b", "kind is missing"]
    expected = [[4, 0, 1, 0], [3, 1, 0, 0], [2, 0, 0, 1], [1, 1, 0, 0]]
    np.testing.assert_array_equal(encoder.transform(X), expected)
    unseen = frame({"kind": ["zebra"], "size": [0.5]})
    np.testing.assert_array_equal(encoder.transform(unseen), [[0.5, 0, 0, 0]])


def test_rare_categories_share_a_column():
    X = np.array([["a"], ["a"], ["b"], ["b"], ["c"], ["d"]], dtype=object)
    encoder = PlainEncoder(max_categories=2).fit(X)
    assert encoder.get_feature_names_out(["letter"]).tolist() == ["letter is a", "letter is b", "letter is another"]
    np.testing.assert_array_equal(encoder.transform([["c"], ["never seen"], ["b"]]), [[0, 0, 1], [0, 0, 1], [0, 1, 0]])


def test_dates_are_years_with_parts_of_the_calendar_behind():
    days = pd.date_range("2021-01-01", periods=731)
    encoder = PlainEncoder().fit(pd.DataFrame({"day": days}))
    names = encoder.get_feature_names_out().tolist()
    assert names[0] == "day: years since 2022-01-01"
    made = dict(zip(names, encoder.transform(pd.DataFrame({"day": days})).T, strict=True))
    np.testing.assert_allclose(made[names[0]], (days - pd.Timestamp("2022-01-01")).days / 365.25)
    np.testing.assert_array_equal(made["day: day of the month"], days.day)
    np.testing.assert_array_equal(made["day: day of the week"], days.day_of_week)


def test_the_time_of_day_is_in_hours():
    hours = pd.date_range("2021-01-01", periods=100, freq="h")
    encoder = PlainEncoder().fit(pd.DataFrame({"at": hours}))
    made = encoder.transform(pd.DataFrame({"at": hours}))
    np.testing.assert_array_equal(
        made[:, encoder.get_feature_names_out().tolist().index("at: time of day")], hours.hour
    )


@pytest.mark.parametrize("keep_sparse", [True, False])
def test_a_wide_sparse_table_stays_sparse_where_that_is_wanted(keep_sparse):
    X = csr_array(random_array((20, 600), density=0.02, rng=np.random.default_rng(0)))
    made = PlainEncoder(keep_sparse=keep_sparse).fit(X).transform(X)
    assert hasattr(made, "tocsr") == keep_sparse
    np.testing.assert_array_equal(made.toarray() if keep_sparse else made, X.toarray())
