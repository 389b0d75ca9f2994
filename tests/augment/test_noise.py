"""Gaussian noise in units of the column."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sklkd.augment import GaussianNoise


@pytest.mark.parametrize("scale", [0.1, 0.5])
def test_noise_in_interquartile_ranges(scale):
    X = np.array([[0.5, 0], [10.5, 1000], [20.5, 2000], [30.5, 3000], [-1e6, -1e6], [1e6, 1e6]])
    iqr = np.subtract(*np.quantile(X, [0.75, 0.25], axis=0))
    Z = GaussianNoise(scale=scale).fit(X).sample(30_000, random_state=0)
    # six clusters; the inner ones overlap, so compare the deviation of all of them
    inner = np.abs(Z[:, 0]) < 1e5
    expected = X[:4, 0].var() + (scale * iqr[0]) ** 2
    assert abs(Z[inner, 0].var() / expected - 1) < 0.05
    assert (Z[:, 1] == np.rint(Z[:, 1])).all()
    assert Z.min() >= -1e6 and Z.max() <= 1e6


def test_no_noise():
    X = pd.DataFrame({"a": [1.5, np.nan, 3.5], "s": ["x", None, "y"]})
    Z = GaussianNoise(scale=0, resample_probability=0).fit(X).sample(6, random_state=0)
    key = [*X]
    pd.testing.assert_frame_equal(
        Z.sort_values(key, ignore_index=True), pd.concat([X, X]).sort_values(key, ignore_index=True)
    )


def test_categories_are_drawn_anew_with_their_probability():
    """Of 100 rows one each has its own number and category; how often they part is p times the chance to differ."""
    X = pd.DataFrame({"a": np.arange(100) + 0.5, "s": [str(i) for i in range(100)], "one": [0, 1] * 50})
    for p in (0.0, 0.3, 1.0):
        Z = GaussianNoise(scale=0, resample_probability=p).fit(X).sample(10_000, random_state=0)
        parted = (Z["s"].astype(int) + 0.5) != Z["a"]
        assert abs(parted.mean() - p * 0.99) < 0.02
        parted = Z["one"] != (Z["a"] - 0.5) % 2  # two values: as a category
        assert abs(parted.mean() - p * 0.5) < 0.02


def test_missing_stays_missing():
    X = pd.DataFrame({"a": np.r_[np.arange(5.0), [np.nan] * 5], "s": ["x", None] * 5, "key": np.arange(10) + 0.25})
    Z = GaussianNoise(scale=1e-9, resample_probability=1).fit(X).sample(200, random_state=0)
    rows = np.rint(Z["key"] - 0.25).astype(int)
    np.testing.assert_array_equal(Z["a"].isna(), X["a"].isna().to_numpy()[rows])
    np.testing.assert_array_equal(Z["s"].isna(), X["s"].isna().to_numpy()[rows])
