"""Steps before the estimator: files give what the Pipeline gives, on real rows and on made-up ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_selection import VarianceThreshold
from sklearn.impute import KNNImputer, MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

from sklkd import DistilledClassifier, OnnxPredictor, to_onnx
from sklkd.export import _steps
from sklkd.export._rows import rows_before

from .conftest import assert_parity, quick

pytestmark = pytest.mark.filterwarnings("ignore:Found unknown categories:UserWarning")

N = 240


def people():
    """Strings, numbers, a column with few values, seconds since 1970; gaps in the first three."""
    rng = np.random.RandomState(0)
    jobs = rng.choice(list("abcdef"), N, p=[0.3, 0.3, 0.2, 0.1, 0.07, 0.03]).astype(object)
    X = pd.DataFrame({"job": jobs, "age": 50 * rng.rand(N), "size": rng.choice([1.0, 2.0, 5.0], N)})
    X["born"] = 1.7e9 + 1e7 * rng.rand(N)
    X["pay"] = np.exp(rng.randn(N))
    y = (X["age"] + 10 * (X["job"] < "c") > 30).astype(int)
    X.loc[::7, "job"], X.loc[::5, "age"], X.loc[::6, "size"] = np.nan, np.nan, np.nan
    return X, y


def fitted(steps, X, y):
    student = DistilledClassifier(
        HistGradientBoostingClassifier(max_iter=5), quick(1), hard_weight=0.1, blend=0, augment=None, random_state=0
    )
    return make_pipeline(steps, student).fit(X, y)


def of_columns(encoder):
    """Codes of strings and of numbers, beside numbers."""
    return make_column_transformer((encoder, ["job", "size"]), (StandardScaler(), ["age", "born"]), sparse_threshold=0)


LENIENT = {"handle_unknown": "use_encoded_value", "unknown_value": -1}
ENCODERS = [
    OneHotEncoder(),
    OneHotEncoder(handle_unknown="ignore"),
    OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=15),
    OneHotEncoder(handle_unknown="warn", max_categories=3),
    OneHotEncoder(drop="first"),
    OneHotEncoder(drop="if_binary", handle_unknown="ignore"),
    OrdinalEncoder(),
    OrdinalEncoder(encoded_missing_value=-2),
    OrdinalEncoder(**LENIENT),
    OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan),
    OrdinalEncoder(min_frequency=15, **LENIENT),
    TargetEncoder(),
]


@pytest.mark.parametrize("encoder", ENCODERS, ids=str)
def test_encoders_of_gaps_and_unseen_categories(ship, encoder):
    X, y = people()
    model = fitted(of_columns(encoder), X, y)
    errors = getattr(encoder, "handle_unknown", "ignore") == "error"
    for rows in (None, X):
        predictor, report = ship(model, X=rows)
        assert report.largest_difference < 1e-5
        assert_parity(model, predictor, X)
        for column, value in (("job", "never"), ("size", 3.0)):
            unseen = X.assign(**{column: value})
            if not errors:
                assert_parity(model, predictor, unseen)
                continue
            for refusing in (model, predictor):
                with pytest.raises(ValueError, match=r"not there at fit|unknown categories"):
                    refusing.predict(unseen)


def test_made_up_rows_hold_what_encoders_and_imputers_have_learnt_to_treat():
    X, _ = people()
    columns = make_column_transformer(
        (OrdinalEncoder(**LENIENT), ["job"]),
        (OneHotEncoder(sparse_output=False), ["size"]),
        (make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), ["age"]),
        ("passthrough", ["pay"]),
        (StandardScaler(), ["born"]),
        (MissingIndicator(features="all"), ["born"]),
    ).fit(X)
    rows = rows_before([("columns", columns)], None, missing=False)
    jobs, ages, sizes, born, pays = (pd.Series(column) for column in rows.T)
    assert born.isna().any() and born.astype(float).mean() > 1e9
    assert {*"abcdef"} < set(jobs.dropna()) and jobs.dropna().nunique() == 7
    assert set(sizes.dropna()) == {1.0, 2.0, 5.0}
    assert [one.isna().any() for one in (jobs, sizes, ages, pays)] == [True, True, True, False]


SCALERS = [
    StandardScaler(),
    StandardScaler(with_mean=False),
    StandardScaler(with_std=False),
    MinMaxScaler(clip=True),
    MinMaxScaler((-1, 3)),
    MaxAbsScaler(),
    RobustScaler(),
    make_pipeline(StandardScaler(), PCA(2)),
]


@pytest.mark.parametrize("scaler", SCALERS, ids=str)
def test_frames_keep_the_digits_of_arrays(ship, scaler):
    X, y = people()
    X = X[["born", "pay"]]
    numbers = {}
    for rows in (X, X.to_numpy()):
        model = fitted(scaler, rows, y)
        for given in (None, rows):
            predictor, report = ship(model, X=given)
            assert_parity(model, predictor, rows)
            numbers[type(rows), given is None] = report.numbers
    assert numbers[pd.DataFrame, True] == numbers[np.ndarray, True]
    assert numbers[pd.DataFrame, False] == numbers[np.ndarray, False]


STEPS = {
    "neighbours": KNNImputer(n_neighbors=3),
    "near neighbours": KNNImputer(weights="distance", add_indicator=True),
    "indicator": SimpleImputer(add_indicator=True),
    "indicators, scaled": make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler()),
    "components": make_pipeline(SimpleImputer(), PCA(2)),
    "nested": make_pipeline(SimpleImputer(), make_pipeline("passthrough", make_pipeline(StandardScaler()))),
    "union": make_union(make_pipeline(SimpleImputer(), StandardScaler()), MissingIndicator(error_on_new=False)),
    "selected": make_pipeline(SimpleImputer(), StandardScaler(), VarianceThreshold()),
    "functions": make_pipeline(FunctionTransformer(np.log1p), StandardScaler()),
}


@pytest.mark.parametrize("name", STEPS)
def test_steps_of_numbers(ship, name):
    X, y = people()
    X = X[["age", "pay", "born"]].assign(born=(X["born"] - 1.7e9) / 1e6)
    X.loc[::9, "pay"] = np.nan
    X = X if name in ("union", "neighbours") else X.to_numpy()
    model = fitted(STEPS[name], X, y)
    # made-up rows may be next to training rows, whose weights then have no exact digits
    for rows in (X,) if name == "near neighbours" else (None, X):
        assert_parity(model, ship(model, X=rows)[0], X)


NESTED = {
    "strings imputed": (
        make_pipeline(SimpleImputer(strategy="most_frequent"), OrdinalEncoder(**LENIENT)),
        SimpleImputer(add_indicator=True),
    ),
    "strings filled": (
        make_pipeline(SimpleImputer(strategy="constant", fill_value="?"), OneHotEncoder(handle_unknown="ignore")),
        make_pipeline(make_pipeline(SimpleImputer(), StandardScaler()), PCA(2)),
    ),
    "columns in columns": (
        make_column_transformer((OrdinalEncoder(), ["job"])),
        make_column_transformer((SimpleImputer(), [0]), (make_pipeline(SimpleImputer(), MinMaxScaler()), [1])),
    ),
}


@pytest.mark.parametrize("name", NESTED)
def test_steps_in_steps(ship, name):
    texts, numbers = NESTED[name]
    X, y = people()
    columns = ColumnTransformer(
        [
            ("nothing", StandardScaler(), []),
            ("none of this kind", OneHotEncoder(), make_column_selector(dtype_include="bool")),
            ("texts", texts, ["job"]),
            ("numbers", numbers, ["age", "size"]),
            ("pay", "passthrough", ["pay"]),
        ],
        transformer_weights={"pay": 0.5},
        sparse_threshold=0,
    )
    model = fitted(make_pipeline(columns, make_pipeline(StandardScaler())), X, y)
    for rows in (None, X):
        assert_parity(model, ship(model, X=rows)[0], X)


def test_a_column_of_strings_is_one_where_the_given_rows_hold_none(ship):
    X, y = people()
    model = fitted(of_columns(OrdinalEncoder()), X, y)
    predictor, _ = ship(model, X=X.iloc[::7])
    assert predictor.metadata_["dtypes"]["job"] == "string"
    assert_parity(model, predictor, X)


class Unknown(StandardScaler):
    """What nobody knows how to write."""


def test_errors_name_the_step(tmp_path, monkeypatch):
    X, y = people()
    steps = make_column_transformer((make_pipeline(SimpleImputer(), FunctionTransformer(np.cbrt)), ["age", "born"]))
    with pytest.raises(NotImplementedError, match=r"Step 'columntransformer__pipeline__functiontransformer' .* leave"):
        to_onnx(fitted(steps, X, y), tmp_path / "model.onnx", X=X)
    with pytest.raises(NotImplementedError, match=r"Step 'unknown' \(Unknown\) cannot be exported: skl2onnx says"):
        to_onnx(fitted(Unknown(), X[["age"]], y), tmp_path / "model.onnx")
    both = X.assign(job=pd.Series(np.where(np.arange(N) % 3 == 0, None, X["job"].astype(object)), dtype=object))
    model = fitted(of_columns(OneHotEncoder(handle_unknown="ignore")), both, y)
    with pytest.raises(NotImplementedError, match=r"column 'job' has both None and NaN as categories"):
        to_onnx(model, tmp_path / "model.onnx")
    # a converter that is wrong
    monkeypatch.setattr(_steps, "writer_of", lambda step: lambda graph, step, feeds, kind: feeds)
    steps = make_column_transformer((StandardScaler(), ["born", "pay"]), (MinMaxScaler(), ["age"]))
    with pytest.raises(ValueError, match=r"differ by .*: step 'columntransformer' .*, part 'standardscaler' .*'born'"):
        to_onnx(fitted(steps, X, y), tmp_path / "model.onnx", X=X)
    assert not list(tmp_path.iterdir())


def test_neighbours_that_are_equally_near_are_not_written(tmp_path):
    rng = np.random.RandomState(0)
    X = rng.choice([1.0, 2.0, 3.0], (N, 3))
    X[rng.rand(N, 3) < 0.1] = np.nan
    model = fitted(KNNImputer(n_neighbors=3), X, rng.randint(0, 2, N))
    try:
        to_onnx(model, tmp_path / "model.onnx", X=X)
    except ValueError as error:
        assert "step 'knnimputer' (KNNImputer) gives other numbers there" in str(error)
    else:
        assert_parity(model, OnnxPredictor(tmp_path / "model.onnx"), X)
