"""Files ask for the columns that are read, and predictors find them in any frame."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklkd import CPredictor, DistilledClassifier, OnnxPredictor, to_c, to_onnx

from .conftest import PLAIN, quick


def people(n=200, seed=0):
    rng = np.random.RandomState(seed)
    X = pd.DataFrame(
        {
            "name": [f"Mr {i}" for i in range(n)],
            "age": rng.normal(40, 12, n),
            "port": rng.choice(["C", "Q", "S"], n),
            "born": pd.Timestamp("2024-01-01") - pd.to_timedelta(rng.randint(1, 30_000, n), unit="D"),
            "fare": rng.lognormal(3, 1, n),
            "cells": [[i] for i in range(n)],
        }
    )
    return X, np.where(X["age"] + 10 * (X["port"] == "S") > 43, "yes", "no")


READ = {
    "by name": ([("num", StandardScaler(), ["age", "fare"])], "drop", ["age", "fare"]),
    "dropped": ([("num", StandardScaler(), ["fare", "age"]), ("no", "drop", ["port"])], "drop", ["age", "fare"]),
    "of two kinds": (
        [("num", StandardScaler(), ["age"]), ("cat", OneHotEncoder(handle_unknown="ignore"), ["port"])],
        "drop",
        ["age", "port"],
    ),
    "a selector": (
        [("num", StandardScaler(), make_column_selector(dtype_include="number"))],
        "drop",
        ["age", "fare"],
    ),
    "passed through": ([("no", "drop", ["name", "port", "born", "cells"])], "passthrough", ["age", "fare"]),
}


@pytest.mark.parametrize("given", [True, False], ids=["rows given", "rows made up"])
@pytest.mark.parametrize("parts", READ)
@pytest.mark.parametrize("where", ["before", "in the student"])
def test_only_what_is_read_is_asked_for(tmp_path, where, parts, given):
    transformers, rest, read = READ[parts]
    X, y = people()
    if where == "in the student":
        X = X.drop(columns="cells")  # the estimator itself looks at every column
        transformers = [
            (name, part, [one for one in columns if one != "cells"] if part == "drop" else columns)
            for name, part, columns in transformers
        ]
    steps = ColumnTransformer(transformers, remainder=rest, sparse_threshold=0)
    if where == "before":
        model = make_pipeline(steps, DistilledClassifier(ExtraTreesClassifier(10, random_state=0), quick(20), **PLAIN))
    else:
        teacher = make_pipeline(ColumnTransformer([("n", "passthrough", ["age", "fare"])]), LogisticRegression())
        model = DistilledClassifier(teacher, Pipeline([("columns", steps), ("net", quick(20))]), **PLAIN)
    model.fit(X, y)
    to_onnx(model, tmp_path / "model.onnx", X=X if given else None)
    predictor = OnnxPredictor(tmp_path / "model.onnx")
    assert sorted(predictor.feature_names_in_) == sorted(read)
    expected = model.predict_proba(X)
    for frame in (X, X[read], X[read[::-1]], X.assign(more=1)[["more", *X.columns[::-1]]]):
        np.testing.assert_allclose(predictor.predict_proba(frame), expected, rtol=0, atol=1e-5)
    polars = pl.DataFrame({name: X[name].tolist() for name in read[::-1]} | {"more": [1] * len(X)})
    np.testing.assert_allclose(predictor.predict_proba(polars), expected, rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match=rf"got a frame without \['{read[0]}'\]"):
        predictor.predict(X.drop(columns=read[0]))


def test_columns_known_by_place_are_all_asked_for(tmp_path):
    X, y = people()
    X = X[["age", "fare"]].assign(more=1.0)
    steps = ColumnTransformer([("num", StandardScaler(), [0, 1])])
    model = make_pipeline(steps, DistilledClassifier(ExtraTreesClassifier(10), quick(), **PLAIN)).fit(X, y)
    to_onnx(model, tmp_path / "model.onnx", X=X)
    predictor = OnnxPredictor(tmp_path / "model.onnx")
    assert predictor.feature_names_in_.tolist() == ["age", "fare", "more"]
    np.testing.assert_allclose(predictor.predict_proba(X), model.predict_proba(X), rtol=0, atol=1e-5)


def test_a_c_file_in_frames_of_another_order(tmp_path):
    X, y = people()
    X = X[["age", "port", "born"]]

    class Constant(LogisticRegression):
        def fit(self, X, y):
            return super().fit(np.asarray(X[["age"]]), y)

        def predict_proba(self, X):
            return super().predict_proba(np.asarray(X[["age"]]))

    est = DistilledClassifier(Constant(), quick(), **PLAIN).fit(X, y)
    to_c(est, tmp_path / "model.c")
    predictor = CPredictor(tmp_path / "model.c")
    expected = est.predict_proba(X)
    for frame in (X, X[["born", "port", "age"]], X.assign(more=1)[["more", "port", "born", "age"]]):
        np.testing.assert_allclose(predictor.predict_proba(frame), expected, rtol=0, atol=1e-5)
        np.testing.assert_allclose(predictor.predict_proba(frame.iloc[[3]]), expected[[3]], rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match=r"got a frame without \['port'\]"):
        predictor.predict(X.drop(columns="port"))
    # the estimator keeps scikit-learn's rule
    with pytest.raises(ValueError, match="feature names should match"):
        est.predict(X[["born", "port", "age"]])
