"""Gibbs: cells drawn given all the others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sklkd.augment import GibbsSampler
from sklkd.augment._metric import nearest


def test_cells_change_one_by_one():
    X = np.random.default_rng(0).normal(size=(60, 5))
    for n_features in (1, 2, 5):
        Z = GibbsSampler(n_features=n_features).fit(X).sample(180, random_state=0)
        shared = (Z[:, None] == X[None]).sum(axis=2).max(axis=1)  # cells in common with the most similar real row
        assert (shared >= 5 - n_features).all()
        assert np.isin(Z, X).all() and all(np.isin(Z[:, j], X[:, j]).all() for j in range(5))
    assert (GibbsSampler().fit(X).sample(60, random_state=0)[:, None] == X[None]).all(axis=2).sum() == 0


def test_the_new_cell_is_that_of_a_row_that_is_near_in_the_other_columns():
    rng = np.random.default_rng(1)
    X = rng.uniform(size=(50, 3))
    unit = np.subtract(*np.quantile(X, [0.75, 0.25], axis=0))
    scaled = (X - np.median(X, axis=0)) / unit
    scaled /= np.sqrt(1 + (scaled / 3) ** 2)
    Z = GibbsSampler(n_neighbors=3).fit(X).sample(150, random_state=0)
    for z in Z:
        row = int((z == X).sum(axis=1).argmax())
        (j,) = np.flatnonzero(z != X[row])
        others = np.delete(scaled, j, axis=1)
        distances = ((others - others[row]) ** 2).sum(axis=1)
        distances[row] = np.inf
        (donor,) = np.flatnonzero(X[:, j] == z[j])
        assert (distances < distances[donor] - 1e-5).sum() < 3


def test_given_a_copy_of_itself_a_column_stays_where_it_is():
    """The neighbours never see the value that is replaced: what the others say of it is all that holds it."""
    rng = np.random.default_rng(0)
    a = rng.permutation(200) / 10.0
    free = GibbsSampler(n_neighbors=200).fit(np.column_stack([a, np.zeros(200)])).sample(400, random_state=0)
    held = GibbsSampler(n_neighbors=2).fit(np.column_stack([a, a])).sample(400, random_state=0)
    assert np.abs(held[:, 0] - held[:, 1]).max() <= 0.2 + 1e-9
    assert abs(np.mean(free[:, 0]) - a.mean()) < 1.0 and len(np.unique(free[:, 0])) > 150


def test_later_columns_are_drawn_given_the_new_earlier_ones():
    """With one neighbour of two columns: the first new cell is another row's, and the second follows it there."""
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.permutation(80), rng.permutation(80)]) + 0.5
    Z = GibbsSampler(n_features=None, n_neighbors=1).fit(X).sample(160, random_state=0)
    assert (Z[:, None] == X[None]).all(axis=2).any(axis=1).all()


def test_one_column_is_drawn_from_its_marginal():
    Z = GibbsSampler().fit(np.arange(10.0)[:, None]).sample(5000, random_state=0)
    assert np.bincount(Z.ravel().astype(int)).min() > 400


def test_categories_follow_the_numbers():
    a = np.r_[np.linspace(0, 1, 50), np.linspace(9, 10, 50)]
    X = pd.DataFrame({"a": a, "s": np.where(a > 5, "high", "low"), "t": np.where(a > 5, "x", None)})
    Z = GibbsSampler(n_features=None).fit(X).sample(1000, random_state=0)
    assert ((Z["a"] > 5) == (Z["s"] == "high")).mean() > 0.98
    assert ((Z["s"] == "high") == Z["t"].notna()).mean() > 0.98


@pytest.mark.parametrize("k", [1, 3, 9, 50])
def test_nearest(k):
    rng = np.random.default_rng(0)
    reference = rng.normal(size=(10, 2)).astype(np.float32)
    queries = np.r_[reference, rng.normal(size=(5, 2)).astype(np.float32)]
    own = np.r_[np.arange(10), np.full(5, -1)]
    found = nearest(reference, queries, own, k)
    assert found.shape == (15, min(k, 9))
    for i, query in enumerate(queries):
        distances = ((reference - query) ** 2).sum(axis=1)
        distances[own[i] : own[i] + 1] = np.inf if own[i] >= 0 else distances[own[i] : own[i] + 1]
        np.testing.assert_array_equal(found[i], distances.argsort()[: min(k, 9)])


def test_nearest_among_copies():
    """A row at distance 0 from many others is still never its own neighbour."""
    reference = np.zeros((8, 1), dtype=np.float32)
    found = nearest(reference, reference, np.arange(8), 3)
    assert (found != np.arange(8)[:, None]).all() and all(len(set(row)) == 3 for row in found)
