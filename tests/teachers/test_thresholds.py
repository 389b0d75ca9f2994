"""Thresholds behind transformers, traced back by the data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import (
    ColumnTransformer,
    TransformedTargetRegressor,
    make_column_selector,
    make_column_transformer,
)
from sklearn.datasets import make_classification, make_regression
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.feature_selection import RFE
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor, RegressorChain
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    QuantileTransformer,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sklkd.teachers import adapt
from sklkd.teachers._thresholds import Splits, by_column, splits_before_transform

X, Y = make_classification(200, 5, n_informative=4, n_redundant=0, random_state=0)


def tree(depth=5):
    return DecisionTreeClassifier(max_depth=depth, random_state=0)


def thresholds(model, X):
    return adapt(model, np.unique(Y)).thresholds(X)


def assert_same_cells(got, X, Z, model):
    """Each threshold cuts the rows as the tree's own does in the transformed column."""
    for j, (own, _) in enumerate(got):
        cuts = {tuple(X[:, j] <= t) for t in own}
        nodes = model.tree_
        wanted = {tuple(Z[:, j] <= t) for t in nodes.threshold[nodes.feature == j]}
        flipped = {tuple(np.logical_not(cut)) for cut in wanted}
        assert len(cuts) == len(wanted) and cuts <= wanted | flipped


def test_standard_scaler_gives_back_the_bare_trees_thresholds():
    bare, piped = tree().fit(X, Y), make_pipeline(StandardScaler(), tree()).fit(X, Y)
    for (a, u), (b, v) in zip(thresholds(bare, X), thresholds(piped, X), strict=True):
        assert np.allclose(a, b, rtol=1e-5, atol=1e-6) and np.allclose(u, v)


@pytest.mark.parametrize(
    "step",
    [
        PowerTransformer(),
        QuantileTransformer(n_quantiles=100),
        FunctionTransformer(np.exp),
        FunctionTransformer(lambda Z: -(Z**3)),
        FunctionTransformer(lambda Z: Z[:, ::-1].astype(np.float32)[:, ::-1]),
        SimpleImputer(),
    ],
)
def test_monotone_steps_cut_the_same_rows(step):
    model = make_pipeline(step, tree()).fit(X, Y)
    assert_same_cells(thresholds(model, X), X, model[0].transform(X), model[-1])


def test_a_threshold_lies_between_the_rows_that_it_parts():
    model = make_pipeline(KBinsDiscretizer(4, encode="ordinal", strategy="uniform"), tree())
    model.fit(X, Y)
    Z = model[0].transform(X)
    for j, (own, _) in enumerate(thresholds(model, X)):
        assert len(own) <= 3
        for t in own:
            below, above = X[t >= X[:, j], j].max(), X[t < X[:, j], j].min()
            assert Z[X[:, j] == below, j][0] + 1 == Z[X[:, j] == above, j][0]


def test_columns_in_another_order_and_twice():
    steps = ColumnTransformer([("b", StandardScaler(), [3, 1]), ("a", "passthrough", [0, 3])])
    model = make_pipeline(steps, tree()).fit(X, Y)
    nodes = model[-1].tree_
    Z = model[0].transform(X)
    got = thresholds(model, X)
    assert [len(t) > 0 for t, _ in got] == [True, True, False, True, False]
    assert np.array_equal(got[0][0], np.unique(nodes.threshold[nodes.feature == 2]))
    cuts = {tuple(X[:, 3] <= t) for t in got[3][0]}
    assert cuts == {tuple(Z[:, c] <= t) for c in (0, 3) for t in nodes.threshold[nodes.feature == c]}


def test_components_are_left_out():
    assert [len(t) for t, _ in thresholds(make_pipeline(PCA(3), tree()).fit(X, Y), X)] == [0] * 5


def test_pipelines_in_pipelines():
    model = make_pipeline(StandardScaler(), make_pipeline(PowerTransformer(), tree())).fit(X, Y)
    Z = model[-1][0].transform(model[0].transform(X))
    assert_same_cells(thresholds(model, X), X, Z, model[-1][-1])


def frame(n=400):
    rng = np.random.default_rng(0)
    data = pd.DataFrame(
        {
            "city": rng.choice(["Rome", "Oslo", None], n),
            "age": rng.integers(18, 90, n),
            "pay": np.where(rng.random(n) < 0.2, np.nan, rng.lognormal(size=n)),
            "mood": pd.Categorical(rng.choice(["bad", "good"], n)),
            "member": rng.random(n) < 0.5,
            "flat": 1.0,
        }
    )
    y = (data["age"] > 50).to_numpy().astype(int) ^ (data["pay"].fillna(1) > 1.2).to_numpy() ^ (data["mood"] == "bad")
    return data, np.array(["no", "yes"])[y.to_numpy().astype(int)]


def ensemble():
    """The ensemble on a mixed frame that is distilled everywhere."""
    encode = make_column_transformer(
        (
            OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2),
            make_column_selector(dtype_exclude=np.number),
        ),
        remainder=SimpleImputer(strategy="median"),
    )
    members = [
        ("rf", RandomForestClassifier(10, random_state=0)),
        ("et", ExtraTreesClassifier(10, random_state=0)),
        ("hgb", HistGradientBoostingClassifier(max_iter=5)),
    ]
    return make_pipeline(encode, VotingClassifier(members, voting="soft"))


def test_mixed_frame():
    data, y = frame()
    model = ensemble().fit(data, y)
    got = adapt(model, ["no", "yes"]).thresholds(data)
    assert [len(t) > 0 for t, _ in got] == [False, True, True, False, True, False]
    # city, mood and member come first behind the encoder, then age and pay
    forest = model[-1].estimators_[0]
    ages = np.concatenate([each.tree_.threshold[each.tree_.feature == 3] for each in forest.estimators_])
    assert np.isin(np.unique(ages), got[1][0]).all()
    assert 0 < got[4][0].min() <= got[4][0].max() < 1
    assert 0.5 < sum(w.sum() for _, w in got) < 1


def test_polars_and_a_sparse_one_hot_code():
    data, y = frame()
    columns = pl.from_pandas(data.assign(pay=data["pay"].fillna(0)))
    steps = [("codes", OneHotEncoder(), [0, 3]), ("numbers", StandardScaler(), [1, 2])]
    model = make_pipeline(ColumnTransformer(steps, sparse_threshold=1.0), RandomForestClassifier(5, random_state=0))
    model.fit(columns, y)
    assert sparse.issparse(model[0].transform(columns))
    got = adapt(model, ["no", "yes"]).thresholds(columns)
    assert [len(t) > 0 for t, _ in got] == [False, True, True, False, False, False]


def test_sparse_rows():
    data = sparse.random(300, 40, 0.3, random_state=0, format="csr")
    y = (data[:, [3]].toarray().ravel() > 0.2).astype(int)
    forest = RandomForestClassifier(5, random_state=0).fit(data, y)
    got = adapt(forest, [0, 1]).thresholds(data)
    every = np.concatenate([each.tree_.threshold[each.tree_.feature == 3] for each in forest.estimators_])
    assert len(got) == 40 and np.array_equal(got[3][0], np.unique(every))


def test_what_is_inside():
    """Ensembles of other estimators: the union of what is inside."""
    models = [
        CalibratedClassifierCV(tree(3), cv=2),
        AdaBoostClassifier(DecisionTreeClassifier(max_depth=1), n_estimators=4),
        OneVsRestClassifier(tree(2)),
        FixedThresholdClassifier(tree(3)),
    ]
    for model in models:
        model.fit(X, Y)
        got = thresholds(model, X)
        assert sum(len(t) for t, _ in got) > 0 and np.isclose(sum(w.sum() for _, w in got), 1)
    fitted = [each.estimator for each in models[0].calibrated_classifiers_]
    for j, (own, _) in enumerate(thresholds(models[0], X)):
        every = [each.tree_.threshold[each.tree_.feature == j] for each in fitted]
        assert np.array_equal(own, np.unique(np.concatenate(every)))


def test_feature_elimination():
    model = RFE(tree(), n_features_to_select=2).fit(X, Y)
    got = thresholds(model, X)
    assert np.array_equal(np.flatnonzero([len(t) > 0 for t, _ in got]), np.flatnonzero(model.support_))
    kept = np.flatnonzero(model.support_)
    nodes = model.estimator_.tree_
    assert np.array_equal(got[kept[1]][0], np.unique(nodes.threshold[nodes.feature == 1]))


def test_regressors_around_regressors():
    XR, YR = make_regression(100, 3, n_targets=2, random_state=0)
    kind = DecisionTreeRegressor(max_depth=3)
    chain = RegressorChain(kind).fit(XR, YR)
    assert chain.estimators_[1].n_features_in_ == 4
    for model in (MultiOutputRegressor(kind).fit(XR, YR), chain, TransformedTargetRegressor(kind).fit(XR, YR[:, 0])):
        got = adapt(model).thresholds(XR)
        assert len(got) == 3 and sum(len(t) for t, _ in got) > 0


def test_bagging_of_some_columns():
    XR, YR = make_regression(100, 6, random_state=0)
    model = BaggingRegressor(DecisionTreeRegressor(max_depth=2), 5, max_features=0.5, random_state=0).fit(XR, YR)
    expected = [set() for _ in range(6)]
    for member, columns in zip(model.estimators_, model.estimators_features_, strict=True):
        for j, t in zip(member.tree_.feature, member.tree_.threshold, strict=True):
            if j >= 0:
                expected[columns[j]].add(t)
    assert [set(t) for t, _ in adapt(model).thresholds(XR)] == expected


def test_no_trees_no_thresholds():
    assert [len(t) for t, _ in thresholds(LogisticRegression().fit(X, Y), X)] == [0] * 5
    assert [len(t) for t, _ in thresholds(make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y), X)] == [
        0
    ] * 5


def splits(feature, threshold, gain=None):
    return Splits.of(np.array(feature), np.array(threshold, float), np.ones(len(feature)) if gain is None else gain)


def test_rows_with_gaps_do_not_hide_a_column():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 2))
    x[rng.random(x.shape) < 0.4] = np.nan
    z = np.nan_to_num(x, nan=0.0)[:, ::-1] * 3 + 1
    back = splits_before_transform(splits([0, 1], [1.9, 0.4]), z, x)
    assert back.feature.tolist() == [1, 0] and np.allclose(back.threshold, [0.3, -0.2])


def test_a_decreasing_column_and_one_beyond_the_sample():
    x = np.linspace(1, 2, 50)[:, None]
    z = 1 / x
    back = splits_before_transform(splits([0, 0], [0.75, 7.0]), z, x)
    assert len(back.threshold) == 1 and back.threshold[0] == pytest.approx(1 / 0.75, abs=1e-3)


def test_few_rows_prove_nothing():
    """A rare 0/1 column seems to follow any column that is largest in its one row."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 1))
    z = (x == x.max()).astype(float)
    assert len(splits_before_transform(splits([0], [0.5]), z, x).threshold) == 0


@settings(max_examples=50)
@given(st.integers(0, 10_000), st.sampled_from(["identity", "line", "cube", "exp", "reverse"]), st.integers(1, 6))
def test_mapped_thresholds_part_the_same_rows(seed, kind, d):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(60, d)).round(2)
    function = {
        "identity": lambda v: v,
        "line": lambda v: 5 * v - 3,
        "cube": lambda v: v**3,
        "exp": np.exp,
        "reverse": lambda v: -np.arctan(v),
    }[kind]
    order = rng.permutation(d)
    z = function(x[:, order])
    column = int(rng.integers(d))
    values = np.unique(z[:, column])
    cut = int(rng.integers(1, len(values)))
    t = (values[cut - 1] + values[cut]) / 2
    back = splits_before_transform(splits([column], [t]), z, x)
    assert back.feature.tolist() == [order[column]]
    left = x[:, order[column]] <= back.threshold[0]
    expected = z[:, column] <= t
    assert np.array_equal(left, ~expected if kind == "reverse" else expected)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-3, 3), st.floats(0.1, 5)), max_size=40))
def test_by_column_sums_gains_of_equal_thresholds(rows):
    feature = np.array([j for j, _, _ in rows], dtype=int)
    threshold = np.array([t for _, t, _ in rows], dtype=float)
    gain = np.array([g for _, _, g in rows], dtype=float)
    got = by_column(Splits(feature, threshold, gain), np.zeros((2, 4)))
    assert len(got) == 4
    for j, (own, weights) in enumerate(got):
        assert own.tolist() == sorted({t for c, t, _ in rows if c == j})
        expected = [sum(g for c, t, g in rows if (c, t) == (j, value)) for value in own]
        assert np.allclose(weights, expected)
