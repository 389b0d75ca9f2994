"""MUNGE: cells of a row and of one of its neighbours."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklkd.augment import MUNGE
from sklkd.augment import _metric as metric


def bent(values):
    """Interquartile ranges from the median, in the smooth clip of the distance."""
    if np.isnan(values).all():
        return np.zeros(len(values))
    first, center, third = np.nanquantile(values, [0.25, 0.5, 0.75])
    unit = third - first if third > first else (np.nanmax(values) - np.nanmin(values)) / 2 or 1.0
    scaled = (values - center) / unit
    return np.where(np.isnan(scaled), 0.0, scaled / np.sqrt(1 + (scaled / 3) ** 2))


def squared_distances(X):
    """Column by column and pair by pair, from what the documentation says."""
    total = 0.0
    for name in X:
        gap = X[name].isna().to_numpy()
        if X[name].dtype.kind == "f":
            point = bent(X[name].to_numpy())
            total = total + (point[:, None] - point[None]) ** 2 + (gap[:, None] != gap[None])
        else:
            level = X[name].where(~gap, "missing").to_numpy(dtype=object)
            total = total + (level[:, None] != level[None])
    return total


@st.composite
def distinct_frames(draw):
    """Random numbers, so that no two distances are equal."""
    n, d, k = draw(st.integers(2, 24)), draw(st.integers(1, 4)), draw(st.integers(0, 2))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    X = pd.DataFrame(rng.normal(size=(n, d)) ** 3).add_prefix("n")
    if d > 1:
        X.iloc[rng.random(n) < 0.2, 1] = np.nan
    for j in range(k):
        X[f"s{j}"] = rng.choice(["a", "b", "c", None], size=n)
    return X


@given(X=distinct_frames(), k=st.integers(1, 6), p=st.sampled_from([0.3, 0.5, 1.0]))
def test_rows_come_from_a_row_and_one_of_its_neighbors(X, k, p):
    Z = MUNGE(n_neighbors=k, swap_probability=p).fit(X).sample(3 * len(X), random_state=0)
    distances = squared_distances(X)
    np.fill_diagonal(distances, np.inf)
    ranks = distances.argsort(axis=1, kind="stable").argsort(axis=1)
    tolerance = 1e-4  # float32
    same = np.array([
        [(made == real) | (pd.isna(made) & pd.isna(real)) for real in X[name].astype(object)]
        for name in X
        for made in Z[name].astype(object)
    ]).reshape(X.shape[1], len(Z), len(X))  # fmt: skip
    for i in range(len(Z)):
        possible = False
        for row in range(len(X)):
            limit = distances[row][ranks[row] < k].max() + tolerance
            partners = np.flatnonzero(distances[row] <= limit)
            needed = ~same[:, i, row]
            possible |= any((same[:, i, partner] | ~needed).all() for partner in partners)
            if p == 1.0 and any(same[:, i, partner].all() for partner in partners):
                possible = True
        assert possible, Z.iloc[i]


def test_all_from_the_neighbor_and_none():
    X = np.array([[0.0, 0.0], [1.0, 1.1], [10.0, 10.0], [11.0, 11.1]])
    own = MUNGE(swap_probability=0).fit(X).sample(8, random_state=0)
    assert sorted(own.tolist()) == sorted(X.tolist() * 2)
    swapped = MUNGE(swap_probability=1, n_neighbors=1).fit(X).sample(8, random_state=0)
    assert sorted(swapped.tolist()) == sorted(X.tolist() * 2)
    half = MUNGE(n_neighbors=1).fit(X).sample(400, random_state=0)
    assert {tuple(row) for row in half} == {(a, b) for pair in (X[:2], X[2:]) for a in pair[:, 0] for b in pair[:, 1]}


def test_swap_probability_is_the_share_of_cells():
    """Two rows without a value in common: how many cells are another's tells p."""
    X = np.arange(40.0).reshape(2, 20)
    for p in (0.1, 0.5, 0.8):
        Z = MUNGE(swap_probability=p).fit(X).sample(2000, random_state=0)
        first = (Z < 20).mean(axis=1)
        assert abs(np.where(first > 0.5, first, 1 - first).mean() - max(p, 1 - p)) < (0.12 if p == 0.5 else 0.02)


def test_every_row_is_used_equally_often():
    X = np.repeat(np.arange(7.0), [1, 1, 1, 1, 1, 1, 4])[:, None]
    Z = MUNGE(swap_probability=0).fit(X).sample(25, random_state=0).ravel()
    counts = np.bincount(Z.astype(int))
    assert (counts[:6] >= 2).all() and (counts[:6] <= 3).all() and 8 <= counts[6] <= 12


def test_neighbors_are_other_rows_than_copies():
    X = np.array([[0.0, 0.0]] * 10 + [[1.0, 1.0], [50.0, 50.0]])
    Z = MUNGE(n_neighbors=1).fit(X).sample(600, random_state=0)
    assert ((Z[:, 0] != Z[:, 1]) & (Z < 2).all(axis=1)).mean() > 0.3


def test_local_variance():
    """A value drawn for a cell of a is normal round the neighbour's b, with deviation |a - b| / s, inside the range."""
    X = np.array([[0.25], [1.25], [-1e6], [1e6]])  # the far rows keep the range wide
    for s in (0.5, 2.0):
        Z = MUNGE(swap_probability=1, n_neighbors=1, local_variance=s).fit(X).sample(40_000, random_state=0).ravel()
        near = Z[np.abs(Z) < 20]
        assert abs(near.mean() - 0.75) < 0.06
        # half of them round 0.25 and half round 1.25, all with deviation 1 / s; what is drawn for the far rows is far
        assert abs(near.var() - (1 / s**2 + 0.25)) < 0.15
        assert Z.min() >= -1e6 and Z.max() <= 1e6


def test_local_variance_keeps_whole_numbers_and_gaps():
    X = pd.DataFrame({"i": np.arange(50), "f": np.r_[np.full(10, np.nan), np.linspace(0, 1, 40)], "s": list("ab") * 25})
    Z = MUNGE(local_variance=0.5).fit(X).sample(500, random_state=0)
    assert Z["i"].dtype == X["i"].dtype and Z["i"].between(0, 49).all() and set(Z["s"]) == {"a", "b"}
    assert 0 < Z["f"].isna().mean() < 0.4
    assert (~Z["f"].dropna().isin(X["f"])).mean() > 0.2


def test_beyond_the_reference_rows(monkeypatch):
    """Neighbours are then near rows among those that were chosen, never the row itself."""
    monkeypatch.setattr(metric, "MAX_REFERENCE", 100)
    X = np.random.default_rng(0).random((1000, 1))
    sampler = MUNGE(n_neighbors=2, swap_probability=1).fit(X)
    Z = sampler.sample(5000, random_state=0)
    values = np.unique(Z)
    assert 90 <= len(values) <= 100 and np.isin(values, X).all()
    own, partners = sampler._rows[:, 0], sampler._rows[sampler._neighbors, 0]
    reference = np.unique(partners)
    for value, found in zip(own, partners, strict=True):
        gaps = np.abs(reference[reference != value] - value)
        assert found.tolist().count(value) == 0
        assert np.abs(found - value).max() <= np.sort(gaps)[1] + 0.02  # some references may be nobody's neighbour


@pytest.mark.parametrize("n_categories", [5, 200])
def test_many_categories(n_categories):
    """Levels are about 1 apart whether they are one-hot or not."""
    rows = np.arange(n_categories, dtype=float)[:, None]
    (block,) = metric.Metric(rows, [np.arange(n_categories)]).blocks(np.r_[rows, [[np.nan]]])
    distances = ((block[:, None] - block[None]) ** 2).sum(axis=2)[~np.eye(n_categories + 1, dtype=bool)]
    assert block.shape[1] <= 33
    assert abs(distances.mean() - 1) < 0.01 and distances.min() > 0.2
    if n_categories <= metric.MAX_ONE_HOT:
        np.testing.assert_allclose(distances, 1, rtol=1e-6)


def test_a_weight_of_two_and_a_repeated_row_are_the_same():
    X = np.random.default_rng(0).normal(size=(30, 3))
    weight = np.random.default_rng(1).integers(1, 4, size=30)
    weighted = MUNGE().fit(X, sample_weight=weight).sample(200, random_state=0)
    repeated = MUNGE().fit(np.repeat(X, weight, axis=0)).sample(200, random_state=0)
    np.testing.assert_array_equal(weighted, repeated)


def test_rows_are_drawn_as_often_as_they_weigh():
    X = np.arange(4.0)[:, None]
    rows = MUNGE(swap_probability=0).fit(X, sample_weight=[0.5, 1.0, 0.0, 2.5]).sample(4000, random_state=0)
    np.testing.assert_allclose(np.bincount(rows[:, 0].astype(int), minlength=4), [500, 1000, 0, 2500], atol=1)


@pytest.mark.parametrize("far", [1e200, 1e308, np.finfo(float).max])
@pytest.mark.parametrize("unit", [1.0, 5e-324])
def test_numbers_at_the_ends_of_float64_are_far_apart(far, unit):
    """No overflow, which pytest would report."""
    rows = np.array([[0.0], [unit], [2 * unit], [3 * unit], [far], [-far]])
    (points,) = metric.Metric(rows, [None]).blocks(rows)
    assert np.isfinite(points).all() and points[5] < points[:4].min() <= points[:4].max() < points[4]
