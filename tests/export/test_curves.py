"""Steps that bend every column by itself: files give what scikit-learn gives, inside and outside of what fit saw."""

from __future__ import annotations

import itertools

import numpy as np
import onnxruntime
import pytest
from scipy.stats import norm
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PowerTransformer, QuantileTransformer, SplineTransformer, StandardScaler

from sklkd import DistilledClassifier, to_onnx
from sklkd.export._graph import TENSOR, Feed, Graph
from sklkd.export._rows import rows_before
from sklkd.export._steps import write_steps

from ..newer import EXACT_POWERS, HANDLE_MISSING, NEW, skip_opset, spline_of_gaps
from .conftest import PLAIN, assert_parity, quick

N = 240


def table(seed=0, positive=False):
    """Columns with a long tail, of seconds since 1970, tiny ones, with many zeros, with few values, of one value."""
    rng = np.random.RandomState(seed)
    X = np.stack(
        [
            rng.randn(N) * 10,
            np.exp(rng.randn(N)),
            1.7e9 + 1e7 * rng.rand(N),
            1e-9 * rng.rand(N),
            np.where(rng.rand(N) < 0.4, 0.0, rng.rand(N)),
            rng.choice([1.0, 2.0, 5.0], N),
            np.full(N, 3.0),
        ],
        axis=1,
    )
    return np.abs(X[:, [0, 1, 2, 5]]) + 1e-3 if positive else X


def table_of_powers(seed=0, positive=False):
    """Without the columns of which scikit-learn itself has no digits, where it does not compute powers exactly."""
    X = table(seed, positive)
    return X if EXACT_POWERS else np.delete(X, [2] if positive else [2, 3], axis=1)


def in_and_around(X, seed=0, reach=2.0):
    """The rows, the ends of their range, and numbers within and beyond it."""
    rng = np.random.RandomState(seed)
    low, high = X.min(axis=0), X.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    around = low + span * rng.uniform(-reach, 1 + reach, X.shape)
    return np.concatenate([X, low[None], high[None], low + span * rng.rand(*X.shape), around])


def graph_of(step, width, opset=18):
    graph = Graph(opset, ["X"])
    feed = Feed(graph.input("X", "double", (width,)), "double", width)
    found = write_steps(graph, [("step", step)], [feed], "double")
    for bad in graph.refused:
        found = graph.op("Where", bad, graph.constant(np.nan, np.float64), found)
    graph.output(graph.op("Identity", found), TENSOR["double"], (len(step.get_feature_names_out()),))
    # the runtime warns of others
    assert graph.constants.keys() <= {name for node in graph.nodes for name in node.input}
    return onnxruntime.InferenceSession(graph.model({}).SerializeToString(), providers=["CPUExecutionProvider"])


def assert_same(step, X, rtol=1e-9):
    expected = step.transform(X.copy())
    expected = expected.toarray() if hasattr(expected, "toarray") else expected
    got = graph_of(step, X.shape[1]).run(None, {"X": X})[0]
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=rtol)


def with_gaps(X, seed=0):
    return np.where(np.random.RandomState(seed).rand(*X.shape) < 0.1, np.nan, X)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("standardize", [True, False])
def test_powers(standardize, seed):
    X = table_of_powers(seed)
    assert_same(PowerTransformer(standardize=standardize).fit(X), with_gaps(in_and_around(X)))
    X = table_of_powers(seed, positive=True)
    step = PowerTransformer("box-cox", standardize=standardize).fit(X)
    assert_same(step, with_gaps(np.abs(in_and_around(X)) + 1e-6))
    n = X.shape[1]
    bad = np.resize([0.0, -1.0, 1.0, 0.0], n)
    got = graph_of(step, n).run(None, {"X": np.where(np.eye(n) == 1, bad, X[:n])})[0]
    assert np.isnan(got).any(axis=1).tolist() == (bad <= 0).tolist()


@pytest.mark.parametrize("power", [0.0, 2.0, 1.0, 1e-12, 2 - 1e-12, -3.0, 4.0])
def test_powers_that_are_logarithms_or_nearly(power):
    if not EXACT_POWERS and min(abs(power), abs(power - 2)) == pytest.approx(1e-12, abs=1e-15):
        pytest.skip("scikit-learn 1.6 has no digits of powers so near to a logarithm")
    X = table()[:, [0, 3]]
    step = PowerTransformer(standardize=False).fit(X)
    step.lambdas_ = np.array([power, power])
    assert_same(step, in_and_around(X))
    box_cox = PowerTransformer("box-cox", standardize=False).fit(np.abs(X) + 1)
    box_cox.lambdas_ = step.lambdas_
    assert_same(box_cox, np.abs(in_and_around(X)) + 1)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("n_quantiles", [5, 50, N])
@pytest.mark.parametrize("output_distribution", ["uniform", "normal"])
def test_quantiles(output_distribution, n_quantiles, seed):
    X = table(seed)
    step = QuantileTransformer(n_quantiles=n_quantiles, output_distribution=output_distribution).fit(X)
    assert_same(step, with_gaps(in_and_around(X)))
    ends = np.concatenate([step.quantiles_, step.quantiles_ + 1e-8, step.quantiles_ - 1e-8])
    assert_same(step, ends)


def test_normal_quantiles_have_all_digits():
    X = np.linspace(0, 1, 1001)[:, None]
    step = QuantileTransformer(n_quantiles=2, output_distribution="normal").fit(X)
    levels = np.concatenate([np.geomspace(2e-7, 0.5, 500), 1 - np.geomspace(2e-7, 0.5, 500)])[:, None]
    got = graph_of(step, 1).run(None, {"X": levels})[0]
    np.testing.assert_allclose(got, norm.ppf(levels), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("knots", ["uniform", "quantile"])
@pytest.mark.parametrize("degree", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("extrapolation", ["constant", "linear", "continue", "periodic", "error"])
def test_splines(extrapolation, degree, knots):
    if extrapolation == "constant" and degree == 0:
        pytest.skip("scikit-learn fails beyond the knots")
    for seed, (bias, missing) in enumerate(itertools.product((True, False), HANDLE_MISSING)):
        X = table(seed)
        if extrapolation == "periodic" and not NEW:
            X = X[:, :-1]  # scikit-learn before 1.8 divides by the period of a constant column
        step = SplineTransformer(
            n_knots=6,
            degree=degree,
            knots=knots,
            extrapolation=extrapolation,
            include_bias=bias,
            **({} if missing == "error" else {"handle_missing": missing}),
        ).fit(X)
        rows = in_and_around(X, reach=0.0 if extrapolation == "error" else 2.0)
        rows = np.clip(rows, X.min(axis=0), X.max(axis=0)) if extrapolation == "error" else rows
        assert_same(step, with_gaps(rows) if missing == "zeros" else rows)


def test_splines_of_knots_of_ones_own_and_sparse_ones():
    X = table()[:, :2]
    knots = np.stack([np.linspace(-5, 5, 4), [0.1, 0.5, 2.0, 4.0]], axis=1)
    assert_same(SplineTransformer(knots=knots, extrapolation="linear").fit(X), in_and_around(X))
    assert_same(SplineTransformer(degree=2, sparse_output=True).fit(X), in_and_around(X))


def test_splines_refuse_what_scikit_learn_refuses():
    X = table()[:, :2]
    bad = np.where(np.eye(2)[[0, 1, 0]] == 1, [[1e6, -1e6]] * 2 + [[np.nan] * 2], X[:3])
    for extrapolation, expected in (("error", [True, True, True]), ("constant", [False, False, True])):
        step = SplineTransformer(extrapolation=extrapolation).fit(X)
        got = graph_of(step, 2).run(None, {"X": np.concatenate([bad, X[:5]])})[0]
        assert np.isnan(got).all(axis=1).tolist() == expected + [False] * 5


@pytest.mark.parametrize("opset", [13, 24])
def test_every_opset(opset):
    skip_opset(opset)
    X = table()
    for step in (
        PowerTransformer(),
        QuantileTransformer(n_quantiles=20, output_distribution="normal"),
        spline_of_gaps(extrapolation="periodic"),
    ):
        got = graph_of(step.fit(X), X.shape[1], opset).run(None, {"X": in_and_around(X)})[0]
        np.testing.assert_allclose(got, step.transform(in_and_around(X)), rtol=1e-9, atol=1e-9)


def fitted(steps, X, y):
    student = DistilledClassifier(HistGradientBoostingClassifier(max_iter=5), quick(1), **PLAIN)
    return make_pipeline(steps, student).fit(X, y)


STEPS = {
    "yeo-johnson": lambda: PowerTransformer(),
    "yeo-johnson, not scaled": lambda: PowerTransformer(standardize=False),
    "box-cox": lambda: PowerTransformer("box-cox"),
    "box-cox, not scaled": lambda: PowerTransformer("box-cox", standardize=False),
    "uniform": lambda: QuantileTransformer(n_quantiles=30),
    "normal": lambda: QuantileTransformer(n_quantiles=30, output_distribution="normal"),
    "splines": lambda: SplineTransformer(),
    "splines of gaps": lambda: spline_of_gaps(extrapolation="linear"),
    "splines that end": lambda: make_pipeline(
        SimpleImputer(), SplineTransformer(extrapolation="error", knots="quantile")
    ),
    "in a row": lambda: make_pipeline(PowerTransformer(), SimpleImputer(), SplineTransformer(3), StandardScaler()),
    "of columns": lambda: ColumnTransformer(
        [
            ("power", PowerTransformer("box-cox"), [1]),
            ("spline", spline_of_gaps(extrapolation="periodic"), [0, 2]),
            ("quantile", QuantileTransformer(n_quantiles=9), [3]),
        ]
    ),
}


@pytest.mark.parametrize("name", STEPS)
def test_files_of_pipelines(ship, name):
    X = table(positive=True)
    y = (X[:, 1] > 1).astype(int)
    # the powers of numbers that are large beside their spread lose their digits in scikit-learn
    few_digits = ["in a row"] if EXACT_POWERS else ["in a row", "box-cox", "box-cox, not scaled"]
    X = np.delete(X, 2, axis=1) if name in few_digits else X
    X = X if name == "splines" else with_gaps(X)
    model = fitted(STEPS[name](), X, y)
    for rows in (None, X):
        predictor, report = ship(model, X=rows)
        assert report.largest_difference < 1e-5
        assert_parity(model, predictor, X)
        if name != "splines that end":
            far = np.where(np.isnan(X), X, np.abs(3 * X) + 0.1)
            assert_parity(model, predictor, far)


def test_numbers_that_steps_refuse_are_refused(ship):
    X = table(positive=True)
    model = fitted(make_pipeline(SplineTransformer(extrapolation="error")), X, (X[:, 1] > 1).astype(int))
    predictor, _ = ship(model)
    for refusing in (model, predictor):
        with pytest.raises(ValueError, match=r"beyond the limits|out of range"):
            refusing.predict(10 * X)
        with pytest.raises(ValueError, match="NaN"):
            refusing.predict(np.where(np.arange(4) == 1, np.nan, X))


def test_a_number_that_is_rounded_beyond_what_a_step_takes(ship, caplog):
    X = np.linspace(0, 0.1, 60)[:, None]  # float32 has 0.1 as more than it is
    model = fitted(SplineTransformer(extrapolation="error"), X, (X[:, 0] > 0.05).astype(int))
    with caplog.at_level("INFO", logger="sklkd"):
        predictor, report = ship(model, X=X)
    assert report.numbers == "float64"
    assert [record.name for record in caplog.records] == ["sklkd"]
    assert_parity(model, predictor, X)


def test_made_up_rows_reach_beyond_what_was_seen():
    X = table()
    for step, gaps in (
        (PowerTransformer(), False),
        (QuantileTransformer(n_quantiles=20), False),
        (spline_of_gaps(knots="quantile"), True),
    ):
        rows = rows_before([("step", step.fit(X))], None, missing=False)
        assert np.isnan(rows).any() == gaps
        seen = X[:, :1] if isinstance(step, PowerTransformer) else X
        some = rows[:, : seen.shape[1]]
        assert (np.nanmin(some, axis=0) < seen.min(axis=0)).all()
        assert (np.nanmax(some, axis=0) > seen.max(axis=0)).all()
        if isinstance(step, QuantileTransformer):
            assert all(np.isin(step.quantiles_[:, j], rows[:, j]).all() for j in range(X.shape[1]))
    for extrapolation in ("error", "constant"):
        step = SplineTransformer(extrapolation=extrapolation).fit(X)
        rows = rows_before([("step", step)], None, missing=True)
        assert ((rows > X.max(axis=0)).any(axis=0) == (extrapolation == "constant")).all()
    positive = table(positive=True)
    rows = rows_before([("step", PowerTransformer("box-cox").fit(positive))], None, missing=False)
    assert (rows > 0).all()


def test_what_is_refused_names_the_step(tmp_path):
    X = table(positive=True)
    model = fitted(SplineTransformer(degree=0), X, (X[:, 1] > 1).astype(int))
    with pytest.raises(NotImplementedError, match=r"Step 'splinetransformer' .*extrapolation='constant' must"):
        to_onnx(model, tmp_path / "model.onnx", X=X)
