"""C files of Pipelines: scalers, imputers and encoders become part of the student."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)

from sklkd import CPredictor, DistilledClassifier, to_c

from .conftest import quick
from .test_steps import fitted, people

NUMBERS = ["age", "pay", "born"]
STEPS = {
    "imputed": SimpleImputer(),
    "indicators": make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler()),
    "imputed last": make_pipeline(MinMaxScaler((-1, 2)), "passthrough", make_pipeline(SimpleImputer())),
    "gaps go on": make_pipeline(StandardScaler(with_mean=False), RobustScaler(), MaxAbsScaler()),
    "columns": make_column_transformer(
        (StandardScaler(with_std=False), ["born"]),
        (make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), ["age"]),
        (OneHotEncoder(), []),
    ),
}


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler called cc")
@pytest.mark.parametrize("as_frame", [True, False], ids=["frame", "array"])
@pytest.mark.parametrize("name", STEPS)
def test_pipelines(tmp_path, name, as_frame):
    X, y = people()
    X.loc[::9, "pay"] = np.nan
    X = X if name == "columns" else X[NUMBERS] if as_frame else X[NUMBERS].to_numpy()
    model = fitted(STEPS[name], X, y)
    for rows in (None, X):
        report = to_c(model, tmp_path / "model.c", X=rows)
        assert report.largest_difference < 1e-5
    predictor = CPredictor(report.path, flags=("-O0",))
    expected = model.predict_proba(X)
    np.testing.assert_allclose(predictor.predict_proba(X), expected, rtol=0, atol=1e-5)
    for i in range(20):
        row = X.iloc[[i]] if hasattr(X, "iloc") else X[[i]]
        np.testing.assert_allclose(predictor.predict_proba(row), expected[[i]], rtol=0, atol=1e-5)
    assert to_c(model, tmp_path / "model.c", X=X, quantize="int8").agreement > 0.95
    if name == "columns":
        assert predictor.feature_names_in_.tolist() == ["age", "born"]


LENIENT = {"handle_unknown": "use_encoded_value", "unknown_value": -1}
FILLED = make_pipeline(SimpleImputer(), StandardScaler())
ENCODERS = {
    "one-hot": OneHotEncoder(handle_unknown="ignore"),
    "infrequent": OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=20, drop="first"),
    "codes": OrdinalEncoder(**LENIENT, encoded_missing_value=-2),
    "gaps": OrdinalEncoder(**LENIENT),
    "unseen are gaps": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan),
    "most frequent": make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")),
    "scaled": make_pipeline(OrdinalEncoder(**LENIENT), SimpleImputer(add_indicator=True), StandardScaler()),
    "both": make_union(OneHotEncoder(handle_unknown="ignore"), OrdinalEncoder(**LENIENT, encoded_missing_value=9)),
}


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler called cc")
@pytest.mark.filterwarnings("ignore:Found unknown categories:UserWarning")
@pytest.mark.parametrize(
    ("name", "takes_gaps"),
    [(name, True) for name in ENCODERS]
    + [pytest.param(name, False, marks=pytest.mark.slow) for name in ENCODERS if "gaps" not in name],
)
def test_encoders_become_tables(tmp_path, name, takes_gaps):
    teacher = HistGradientBoostingClassifier(max_iter=10) if takes_gaps else LogisticRegression()
    X, y = people()
    steps = make_column_transformer((ENCODERS[name], ["job", "size"]), (FILLED, ["age"]), sparse_threshold=0)
    student = DistilledClassifier(teacher, quick(30), hard_weight=0.5, blend=0, augment=None, random_state=0)
    model = make_pipeline(steps, student)
    model.fit(X, y)
    asked = X.assign(job=np.where(np.arange(len(X)) % 5 == 0, "never", X["job"]))
    expected = model.predict_proba(asked)
    assert expected[:, 1].std() > 0.1
    for rows in (None, X, asked):
        report = to_c(model, tmp_path / "model.c", X=rows)
        assert report.largest_difference < 1e-5
    predictor = CPredictor(report.path, flags=("-O0",))
    assert predictor.feature_names_in_.tolist() == ["job", "age", "size"]
    np.testing.assert_allclose(predictor.predict_proba(asked), expected, rtol=0, atol=1e-5)
    for i in range(10):
        np.testing.assert_allclose(predictor.predict_proba(asked.iloc[[i]]), expected[[i]], rtol=0, atol=1e-5)
    for quantize in ("int8", "integer"):
        assert to_c(model, tmp_path / "model.c", X=asked, quantize=quantize).agreement > 0.95
        np.testing.assert_allclose(
            CPredictor(report.path, flags=("-O0",)).predict_proba(asked), expected, rtol=0, atol=0.1
        )


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (OneHotEncoder(), r"handle_unknown='ignore'"),
        (OrdinalEncoder(), r"handle_unknown='use_encoded_value'"),
        (
            make_pipeline(StandardScaler(), OneHotEncoder(handle_unknown="ignore")),
            r"step '.*onehotencoder' \(OneHotEncoder\) must get columns as they are",
        ),
        (make_union(OneHotEncoder(handle_unknown="ignore"), StandardScaler()), "its steps use one twice"),
    ],
)
def test_encoders_that_are_refused(tmp_path, steps, message):
    X, y = people()
    model = fitted(make_column_transformer((steps, ["size"]), sparse_threshold=0), X.fillna({"size": 1.0}), y)
    with pytest.raises(TypeError, match=message):
        to_c(model, tmp_path / "model.c")


def test_gaps_that_are_refused_stay_so(tmp_path):
    X, y = people()
    X = X[["pay", "born"]]
    student = DistilledClassifier(LogisticRegression(), quick(1), hard_weight=0.1, blend=0, augment=None)
    to_c(make_pipeline(StandardScaler(), student).fit(X, y), tmp_path / "model.c")
    if shutil.which("cc"):
        with pytest.raises(ValueError, match="contains NaN or another missing value"):
            CPredictor(tmp_path / "model.c", flags=("-O0",)).predict(X.assign(pay=np.nan))
    some = make_column_transformer((SimpleImputer(), ["pay"]), ("passthrough", ["born"]))
    with pytest.raises(TypeError, match="imputes some columns and refuses gaps in others"):
        to_c(make_pipeline(some, student).fit(X, y), tmp_path / "model.c")


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (make_pipeline(SimpleImputer(), PCA(2)), r"step 'pipeline__pca' \(PCA\): pass the last step"),
        (make_pipeline(MinMaxScaler(clip=True)), r"step 'pipeline__minmaxscaler' \(MinMaxScaler\)"),
        (make_union(StandardScaler(), RobustScaler()), "its steps use one twice"),
    ],
)
def test_other_steps_are_refused(tmp_path, steps, message):
    X, y = people()
    with pytest.raises(TypeError, match=message):
        to_c(fitted(steps, X[NUMBERS], y), tmp_path / "model.c")
    assert not list(tmp_path.iterdir())
