"""Budgets of parameters, and where the bins' edges stand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler

from sklkd import DistilledClassifier, DistilledRegressor
from sklkd.students import InputEncoder, TabularNet, TabularStudent
from sklkd.students._bin_edges import bin_edges
from sklkd.students._sizes import SIZES, NetInputs, architecture, between_presets, largest_plan, preset_plan


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


@pytest.mark.parametrize("near", [0.1 + 0.2, 0.3 + 1e-9])
def test_a_rounding_error_is_no_bin(near):
    X = np.repeat([-1.0, 0.3, near, 2.0], 10)[:, None]
    encoder, (edges,) = edges_of(X, [NONE], 10)
    np.testing.assert_allclose(edges, encoder.transform(np.array([[-1.0], [0.3], [2.0]])).ravel(), atol=1e-6)
    est = DistilledClassifier(GaussianNB(), "tiny", augment=None, random_state=0).fit(X, X.ravel() > 0.3)
    before, behind = est.predict_proba(np.array([[0.3], [near]]))
    np.testing.assert_allclose(before, behind, rtol=0, atol=1e-5)


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


tables = st.builds(
    lambda room, gaps, levels, n_outputs, regression: NetInputs(
        len(room), min(gaps, len(room)), levels, n_outputs, n_outputs if regression else 0, np.array(room, int)
    ),
    st.lists(st.integers(2, 300) | st.just(0), max_size=25),
    st.integers(0, 10),
    st.integers(0, 400),
    st.integers(1, 30),
    st.booleans(),
).filter(lambda table: table.n_inputs > 0)
PRICES = {"max_parameters": (300, 500_000), "max_bytes": (2_000, 3_000_000)}
limits_of = st.fixed_dictionaries(
    {}, optional={name: st.integers(low, high) for name, (low, high) in PRICES.items()}
).filter(bool)


def network(plan, table):
    """A network of a plan's architecture, each column given bins as far as there are some left."""
    edges, left = [], plan.n_bins
    for room in np.minimum(table.room, plan.max_bins):
        edges.append(np.linspace(-1, 1, min(room, left) + 1))
        left -= min(room, left)
    levels = [0] * table.n_numeric + [table.n_levels] * (table.n_levels > 0)
    net = TabularNet(
        len(levels),
        table.n_outputs,
        hidden=plan.hidden,
        edges=edges + [()] * (len(levels) - len(edges)),
        cardinalities=levels,
        missing=[j < table.n_missing for j in range(len(levels))],
    )
    if table.n_units:
        net.register_buffer("target_mean", torch.zeros(table.n_units, dtype=torch.float64))
        net.register_buffer("target_scale", torch.zeros(table.n_units, dtype=torch.float64))
    return net


def taken(net):
    state = net.state_dict().values()
    return sum(part.numel() for part in net.parameters()), sum(part.numel() * part.element_size() for part in state)


@given(tables, st.floats(150, 1e5))
@settings(deadline=None)
def test_costs_are_those_of_the_network(table, aim):
    plan = preset_plan(between_presets(aim), table)
    costs = plan.costs(table)
    assert (costs["max_parameters"], costs["max_bytes"]) == taken(network(plan, table))


@given(tables, limits_of, st.floats(1, 5))
@settings(deadline=None, max_examples=40)
def test_budgets_are_kept_and_larger_ones_never_give_less(table, limits, factor):
    try:
        costs = largest_plan(limits, table).costs(table)
    except ValueError:
        assume(False)
    assert all(costs[name] <= limit for name, limit in limits.items())
    more = largest_plan({name: limit * factor for name, limit in limits.items()}, table).costs(table)
    assert more["max_parameters"] >= costs["max_parameters"]
    without_one = dict(list(limits.items())[1:])
    if without_one:
        assert largest_plan(without_one, table).costs(table)["max_parameters"] >= costs["max_parameters"]


@given(tables, st.sampled_from(sorted(PRICES)))
@settings(deadline=None, max_examples=20)
def test_the_smallest_that_fits_is_named(table, name):
    with pytest.raises(ValueError, match=rf"{name} must be >= [\d_.]+ for .* got {name}=0.5: the smallest") as caught:
        largest_plan({name: 0.5}, table)
    smallest = float(str(caught.value).split(">= ")[1].split(" ")[0])
    assert largest_plan({name: smallest}, table).costs(table)[name] == pytest.approx(smallest, abs=0.1)
    with pytest.raises(ValueError, match="the smallest network does not fit"):
        largest_plan({name: smallest - 0.2}, table)


@pytest.mark.parametrize("size", SIZES)
def test_a_preset_is_the_network_of_its_budget(size):
    assert between_presets(SIZES[size].max_parameters) == SIZES[size]
    table = NetInputs(16, 0, 0, 3, 0, np.full(16, 1_000))
    found = largest_plan({"max_parameters": SIZES[size].max_parameters}, table).costs(table)["max_parameters"]
    assert found >= preset_plan(SIZES[size], table).costs(table)["max_parameters"]


def columns(n=300):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n), "c": rng.choice(list("xyz"), n), "d": 1.0})
    X.loc[::7, "b"] = np.nan
    return X, np.column_stack([X["a"] + 2 * (X["c"] == "x"), X["a"] ** 2])


@pytest.mark.parametrize("budget", [{"max_parameters": 700}, {"max_bytes": 3_000}])
def test_a_fitted_student_keeps_its_budget(budget):
    X, y = columns()
    teacher = make_pipeline(
        make_column_transformer((OrdinalEncoder(), ["c"]), remainder="passthrough"), ExtraTreesRegressor(5)
    )
    student = TabularStudent(max_epochs=1, **budget)
    module = DistilledRegressor(teacher, student, augment=None, random_state=0).fit(X, y).student_.module_
    parameters, n_bytes = taken(module)
    assert len(module.hidden) == 2
    if "max_parameters" in budget:
        assert 600 < parameters <= 700
    if "max_bytes" in budget:
        assert 2_600 < n_bytes <= 3_000


def test_a_search_over_budgets():
    X, y = load_iris(return_X_y=True)
    student = TabularStudent(max_parameters=5_000, max_epochs=3)
    est = DistilledClassifier(ExtraTreesClassifier(5), student, augment=None, hard_weight=0.1, blend=0, random_state=0)
    search = GridSearchCV(est, {"student__max_parameters": [200, 1_000]}, cv=2).fit(X, y)
    chosen = search.best_params_["student__max_parameters"]
    assert chosen / 2 < taken(search.best_estimator_.student_.module_)[0] <= chosen
    assert est.student.max_parameters == 5_000


def test_behind_steps_of_the_users_own_sizes_count_too():
    X, y = load_iris(return_X_y=True)
    for student, limit in ((TabularStudent("tiny", max_epochs=1), 5_000), (TabularStudent(max_parameters=300), 300)):
        pipeline = make_pipeline(StandardScaler(), student.set_params(max_epochs=1))
        est = DistilledClassifier(
            ExtraTreesClassifier(5), pipeline, augment=None, hard_weight=0.1, blend=0, random_state=0
        )
        module = est.fit(X, y).student_.module_
        assert taken(module)[0] <= limit and len(module.hidden) == 2 and module.encoding.n_outputs == 4


@pytest.mark.parametrize(
    ("student", "error", "message"),
    [
        (
            TabularStudent(max_parameters=20),
            ValueError,
            r"max_parameters must be >= 55 for 4 encoded columns and 3 out",
        ),
        (TabularStudent(max_bytes=0), ValueError, r"max_bytes must be a number > 0 or None, got max_bytes=0"),
        (TabularStudent(max_bytes="1"), ValueError, r"max_bytes must be a number > 0 or None, got .*'1'"),
        (TabularStudent(max_parameters=True), ValueError, r"max_parameters must be a number > 0"),
        (TabularStudent(max_parameters=500, module__hidden=(8,)), ValueError, "max_parameters decides module__hidden"),
        (TabularStudent(max_bytes=500, module=torch.nn.LazyLinear), TypeError, "max_bytes sizes a TabularNet, got"),
    ],
)
def test_budgets_that_cannot_be_kept(student, error, message):
    X, y = load_iris(return_X_y=True)
    with pytest.raises(error, match=message):
        DistilledClassifier(ExtraTreesClassifier(5), student, hard_weight=0.1, blend=0, random_state=0).fit(X, y)
