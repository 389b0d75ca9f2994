"""Columns of an array that the steps drop may hold anything: files take the array as it is."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler

from sklkd import CPredictor, DistilledClassifier, OnnxPredictor, to_c, to_onnx

from .conftest import PLAIN, quick

N = 200
FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-pedantic", "-O0")


def rows(dropped):
    """Strings, gaps or both in the dropped columns of an array of objects; numbers, and letters in the last one."""
    rng = np.random.RandomState(0)
    X = np.empty((N, 6), dtype=object)
    for j in range(5):
        X[:, j] = rng.standard_normal(N)
    X[:, 5] = rng.choice(["u", "v"], N)
    for j in dropped:
        X[:, j] = rng.choice(np.array(["a", "b", None], dtype=object), N)
    y = (X[:, 1].astype(float) + (X[:, 5] == "u") > 0).astype(int)
    return X, y


def fitted(kind, X, y):
    parts = [("numbers", StandardScaler(), [1, 3])]
    if kind == "letters too":
        unseen = {"handle_unknown": "use_encoded_value", "unknown_value": -1}
        parts.append(("letters", OrdinalEncoder(**unseen), [5]))
    takes_gaps = kind == "with gaps"
    teacher = HistGradientBoostingClassifier(max_iter=5) if takes_gaps else RandomForestClassifier(5, random_state=0)
    if takes_gaps:
        X[::7, 3] = np.nan
    est = DistilledClassifier(teacher, quick(2), **PLAIN)
    return make_pipeline(ColumnTransformer(parts), est).fit(X, y)


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
@pytest.mark.parametrize("quantize", [None, "int8", "integer"])
@pytest.mark.parametrize("given", [False, True], ids=["made up", "rows"])
@pytest.mark.parametrize("kind", ["plain", "with gaps", "letters too"])
def test_c_files(tmp_path, kind, given, quantize):
    dropped = [0, 2, 4] if kind == "letters too" else [0, 2, 5]
    X, y = rows(dropped)
    model = fitted(kind, X, y)
    to_c(model, tmp_path / "model.c", X=X if given else None, quantize=quantize)
    predictor = CPredictor(tmp_path / "model.c", flags=FLAGS)
    expected = model.predict_proba(X)
    got = predictor.predict_proba(X)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5 if quantize is None else 0.05)
    np.testing.assert_allclose(predictor.predict_proba(X[:1])[0], got[0], rtol=0, atol=1e-12)
    # whatever the columns hold, a number or nothing
    for value in (1e6, None, "new"):
        other = X.copy()
        other[:, dropped] = value
        np.testing.assert_array_equal(predictor.predict_proba(other), got)


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_columns_that_are_read_must_be_numbers(tmp_path):
    X, y = rows([0])
    model = fitted("plain", X, y)
    to_c(model, tmp_path / "model.c")
    X[:, 1] = "a"
    with pytest.raises(ValueError, match="Column 1 was numeric at fit"):
        CPredictor(tmp_path / "model.c").predict(X)


@pytest.mark.parametrize("given", [False, True], ids=["made up", "rows"])
@pytest.mark.parametrize("kind", ["plain", "letters too"])
def test_graphs(tmp_path, kind, given):
    X, y = rows([0, 2])
    model = fitted(kind, X, y)
    to_onnx(model, tmp_path / "model.onnx", X=X if given else None)
    predictor = OnnxPredictor(tmp_path / "model.onnx")
    if kind == "plain":
        assert list(predictor.metadata_["dtypes"]) == ["X"]
    np.testing.assert_allclose(predictor.predict_proba(X), model.predict_proba(X), rtol=0, atol=1e-5)
