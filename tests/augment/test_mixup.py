"""Mixup: points between two rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sklkd.augment import Mixup

X = np.random.default_rng(0).normal(size=(6, 3))


def weights_of(z, first, second):
    """w with z = w * first + (1 - w) * second, and how far z is from the line."""
    w = (z - second) @ (first - second) / ((first - second) @ (first - second))
    return w, np.abs(w * first + (1 - w) * second - z).max()


@pytest.mark.parametrize("alpha", [0.2, 1.0, 5.0])
def test_rows_lie_between_two_rows_with_beta_weights(alpha):
    found = []
    for z in Mixup(alpha=alpha).fit(X).sample(3000, random_state=0):
        if (np.abs(X - z).max(axis=1) < 1e-12).any():
            continue  # a row mixed with itself
        w, error = min((weights_of(z, X[i], X[j]) for i in range(6) for j in range(i)), key=lambda line: line[1])
        assert error < 1e-12
        found.append(w)
    assert len(found) > 2300
    assert -1e-9 <= min(found) and max(found) <= 1 + 1e-9
    assert abs(np.mean(found) - 0.5) < 0.03
    assert abs(np.var(found) - 1 / (4 * (2 * alpha + 1))) < 0.02  # the variance of a Beta(alpha, alpha)


def test_categories_and_gaps_follow_the_weight():
    frame = pd.DataFrame({"a": [0.0, 1.25], "s": ["first", "second"], "gap": [np.nan, 3.5], "i": [0, 100]})
    Z = Mixup().fit(frame).sample(4000, random_state=0)
    share = Z["a"] / 1.25
    near = (share > 0.8) & (share < 0.999)
    assert set(Z["s"]) == {"first", "second"}
    assert abs((Z["s"][near] == "second").mean() - share[near].mean()) < 0.05
    assert abs(Z["gap"][near].notna().mean() - share[near].mean()) < 0.05
    assert (Z["gap"].dropna() == 3.5).all()
    np.testing.assert_array_equal(Z["i"], np.rint(100 * share))
    assert Z["i"].dtype == frame["i"].dtype
