"""The default student of a table with categories and missing values, as both kinds of file, on 100,000 rows."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from sklkd import CPredictor, DistilledClassifier, to_c, to_onnx

from .conftest import assert_parity

N = 100_000


@pytest.fixture(scope="module")
def adult(shared_data):
    X = pd.read_parquet(shared_data / "adult.parquet").sample(4000, random_state=0)
    y = X.pop("target").astype(str).to_numpy()
    X = X.astype({name: object for name in X if isinstance(X[name].dtype, pd.CategoricalDtype)})
    X.loc[X["workclass"] == "Local-gov", "workclass"] = "None"
    X.loc[X["race"] == "Black", "race"] = "nan"
    X.loc[X["relationship"] == "Unmarried", "relationship"] = "3.0"
    rng = np.random.RandomState(0)
    for name in X.columns[::2]:
        X[name] = X[name].mask(rng.random_sample(len(X)) < 0.05)
    coded = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = make_column_transformer((coded, make_column_selector(dtype_include=object)), remainder="passthrough")
    teacher = make_pipeline(columns, RandomForestClassifier(50, random_state=0)).fit(X, y)
    return DistilledClassifier(teacher, random_state=0).fit(X, y), X


def many(X):
    """Rows that mix the cells of others, with categories that were never seen and numbers between those seen."""
    rng = np.random.RandomState(1)
    rows = pd.DataFrame({name: pd.Series(rng.choice(X[name].to_numpy(), N), dtype=X[name].dtype) for name in X})
    for name in rows:
        if rows[name].dtype == object:
            rows[name] = rows[name].mask(rng.random_sample(N) < 0.03, "never seen")
        else:
            rows[name] = rows[name] + rng.choice([0.0, 0.5], N)
    return rows


@pytest.mark.slow
def test_the_default_student_on_100_000_rows(adult, tmp_path, ship):
    est, X = adult
    rows = many(X)
    assert rows.isna().any().sum() >= len(X.columns) // 2
    predictor, report = ship(est)
    assert report.bytes < 400_000
    assert_parity(est, predictor, rows)
    assert to_onnx(est, tmp_path / "small.onnx", quantize="int8").agreement > 0.97
    if shutil.which("cc"):
        assert to_c(est, tmp_path / "student.c").bytes < 400_000
        assert_parity(est, CPredictor(tmp_path / "student.c"), rows)
