"""Budgets of parameters, and where the bins' edges stand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklkd.students import InputEncoder, TabularNet
from sklkd.students._sizes import SIZES, architecture, bin_edges


@given(st.sampled_from(sorted(SIZES)), st.integers(1, 120), st.integers(1, 60))
def test_the_budget_is_kept(size, n_inputs, n_outputs):
    hidden, n_bins = architecture(SIZES[size], n_inputs, n_outputs)
    net = TabularNet(1, n_outputs, hidden=hidden)
    first = net.hidden[0][0]
    grown = (n_inputs + n_bins - first.in_features) * first.out_features
    parameters = sum(part.numel() for part in net.parameters()) + grown
    assert parameters <= SIZES[size].max_parameters
    # and used: another bin would not fit
    assert parameters + first.out_features > SIZES[size].max_parameters


def edges_of(X, thresholds, n_bins, max_bins=48, weight=None):
    weight = np.ones(len(X)) if weight is None else weight
    encoder = InputEncoder().fit(X, sample_weight=weight)
    encoded = encoder.transform(X)
    return encoder, bin_edges(encoded, weight, encoder, thresholds, n_bins, max_bins)


NONE = (np.empty(0), np.empty(0))


def test_a_column_of_few_values_has_an_edge_at_each():
    X = np.repeat([1.0, 2.0, 5.0], 20)[:, None]
    encoder, (edges,) = edges_of(X, [NONE], 10)
    np.testing.assert_allclose(edges, np.unique(encoder.transform(X)))


def test_two_values_need_no_bins():
    assert edges_of(np.repeat([0.0, 1.0], 20)[:, None], [NONE], 10)[1] == [[]]


def test_edges_stand_at_the_thresholds_that_gained_most():
    X = np.random.default_rng(0).uniform(size=(500, 1))
    cuts = np.array([0.2, 0.4, 0.6, 0.8])
    encoder, (edges,) = edges_of(X, [(cuts, np.array([100.0, 1e-9, 1e-9, 100.0]))], 3)
    expected = np.r_[X.min(), 0.2, 0.8, X.max()]
    np.testing.assert_allclose(edges, encoder.scale_thresholds(0, expected), atol=1e-5)


def test_without_thresholds_edges_are_quantiles():
    X = np.random.default_rng(0).exponential(size=(1000, 1))
    encoder, (edges,) = edges_of(X, [NONE], 4)
    expected = np.quantile(X[:, 0], [0, 1 / 6, 1 / 2, 5 / 6, 1])
    np.testing.assert_allclose(edges, encoder.scale_thresholds(0, expected), atol=0.02)


def test_columns_that_gained_more_get_more_bins():
    X = np.random.default_rng(0).normal(size=(500, 3))
    cuts = np.linspace(-2, 2, 101)
    thresholds = [(cuts, np.full(101, gain)) for gain in (0.81, 0.09, 0.1)]
    bins = [len(edges) - 1 for edges in edges_of(X, thresholds, 30)[1]]
    assert bins[0] > 2 * bins[1] and sum(bins) <= 30


@pytest.mark.parametrize("n_bins", [0, 1, 7, 1000])
def test_bins_are_never_more_than_allowed(n_bins):
    X = np.random.default_rng(0).normal(size=(200, 5))
    edges = edges_of(X, [NONE] * 5, n_bins, max_bins=16)[1]
    bins = [max(len(edge) - 1, 0) for edge in edges]
    assert sum(bins) <= n_bins and max(bins) <= 16
    assert all(np.all(np.diff(edge) > 0) for edge in edges if edge)


def test_a_weight_of_two_and_a_repeated_row_are_the_same():
    rng = np.random.default_rng(0)
    X, weight = rng.normal(size=(60, 2)), rng.integers(1, 4, size=60)
    weighted = edges_of(X, [NONE, NONE], 8, weight=weight.astype(float))[1]
    assert weighted == edges_of(np.repeat(X, weight, axis=0), [NONE, NONE], 8)[1]
