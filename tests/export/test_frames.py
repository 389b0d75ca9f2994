from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import onnxruntime
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier

from sklkd import CPredictor, DistilledClassifier, OnnxPredictor, to_c, to_onnx
from tests.frames import KINDS, WORDS, ParityClassifier, frame, objects, unseen
from tests.newer import takes_gaps_as_numbers

from .conftest import PLAIN, assert_parity, quick

N = 100_000


class WordCounter(ClassifierMixin, BaseEstimator):
    """A teacher that takes frames with strings and missing values: it sees what their values print like."""

    def __init__(self, n=10):
        self.n = n

    def fit(self, X, y):
        self.forest_ = RandomForestClassifier(self.n, random_state=0).fit(numbers(X), y)
        self.classes_ = self.forest_.classes_
        return self

    def predict_proba(self, X):
        return self.forest_.predict_proba(numbers(X))


def numbers(X):
    cells = X.to_numpy(dtype=object) if hasattr(X, "to_numpy") else np.asarray(X, dtype=object)
    return np.array([[sum(map(ord, repr(cell))) % 97 for cell in row] for row in cells], dtype=float)


@pytest.fixture(scope="module")
def est():
    X = frame(400)
    y = np.where((X["word"] == "None") | (X["label"] > 0.3) & (X["level"] == "low"), "yes", "no")
    return DistilledClassifier(WordCounter(), quick(6), **PLAIN).fit(X, y)


@pytest.fixture(scope="module")
def predictor(est, tmp_path_factory):
    path = tmp_path_factory.mktemp("frames") / "model.onnx"
    to_onnx(est, path)
    return OnnxPredictor(path)


def test_seen_and_unseen_and_missing_cells_on_100_000_rows(est, predictor):
    assert_parity(est, predictor, unseen(N, 1))


def test_every_kind_of_column(ship):
    X = frame(400, names=KINDS)
    y = np.where((X["text"] == "red").fillna(False) | (X["label"] > 0.3), "yes", "no")
    est = DistilledClassifier(WordCounter(), quick(6), **PLAIN).fit(X, y)
    assert_parity(est, ship(est)[0], unseen(2_000, 1, KINDS))


def test_words_that_look_like_missing_values_are_kept_apart(est, predictor):
    X = frame(len(WORDS) + 1).assign(word=[*WORDS, None])
    proba = predictor.predict_proba(X.assign(**{name: [X[name].iloc[0]] * len(X) for name in X if name != "word"}))
    # every category has weights of its own, and so has a missing value
    assert len(np.unique(proba[:, 0].round(7))) == len(WORDS) + 1
    assert_parity(est, predictor, X)


def test_one_row_at_a_time_and_polars(est, predictor):
    X = unseen(60, 2)
    expected = est.predict_proba(X)
    for i in range(10):
        np.testing.assert_allclose(predictor.predict_proba(X.iloc[[i]]), expected[[i]], rtol=0, atol=1e-5)
    plain = X.assign(mixed=[None] * 60)
    np.testing.assert_allclose(
        predictor.predict_proba(pl.DataFrame({name: polars_column(plain[name]) for name in plain})),
        est.predict_proba(plain),
        rtol=0,
        atol=1e-5,
    )


def polars_column(series):
    return [None if pd.isna(cell) else cell for cell in series.tolist()]


def test_what_the_graph_asks_for_is_documented(est, predictor):
    """Feeding the session by hand, as another runtime would."""
    X = frame(50, 3)
    session = onnxruntime.InferenceSession(predictor._content, providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_inputs()] == list(X.columns)
    dtype = predictor.metadata_["number_dtype"]
    feeds = {name: X[[name]].to_numpy(dtype, na_value=np.nan) for name in ("label", "flag", "count", "1")}
    text = {name: X[name].astype(object) for name in ("word", "level", "code", "mixed")}
    spelt = {
        name: [
            "\ue000"
            if pd.isna(cell)
            else ("\ue000" if name == "mixed" and not isinstance(cell, str) else "") + str(cell)
            for cell in cells
        ]
        for name, cells in text.items()
    }
    feeds |= {name: np.array(cells, dtype=object)[:, None] for name, cells in spelt.items()}
    label, proba = (session.run(None, feeds)[i] for i in (0, 1))
    np.testing.assert_allclose(proba, est.predict_proba(X), rtol=0, atol=1e-5)
    np.testing.assert_array_equal(label, est.predict(X))
    assert session.get_outputs()[0].name == "label_"
    assert "A missing string is the one character U+E000" in session.get_modelmeta().description


@pytest.mark.skipif(not takes_gaps_as_numbers(), reason="NumPy makes no numbers of gaps in columns of pandas 2.0")
def test_a_frame_whose_columns_are_fed_as_they_are(tmp_path):
    """As mlflow feeds it: each column as an array of the input's dtype, its missing strings as pandas has them."""
    names = ("label", "text", "grade", "code", "flag", "count", "maybe", "whole", "1")
    X = frame(400, names=names).assign(who=objects(np.random.RandomState(1), 400, ["ann", "bob", None]))
    y = np.where(X["text"].isna() | X["who"].isna() | (X["label"] > 0.5), "yes", "no")
    est = DistilledClassifier(WordCounter(), quick(6), **PLAIN).fit(X, y)
    to_onnx(est, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    dtypes = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(string)": object}
    asked = unseen(200, 2, names).assign(who=objects(np.random.RandomState(2), 200, ["ann", "eve", None, np.nan]))
    feeds = {one.name: np.array(asked[one.name], dtype=dtypes[one.type]).reshape(-1, 1) for one in session.get_inputs()}
    label, proba = session.run(None, feeds)
    np.testing.assert_allclose(proba, est.predict_proba(asked), rtol=0, atol=1e-5)
    np.testing.assert_array_equal(label, est.predict(asked))


def test_columns_and_names(est, predictor):
    X = frame(5)
    assert predictor.feature_names_in_.tolist() == est.feature_names_in_.tolist()
    with pytest.raises(ValueError, match=r"X must have the columns .*got a frame without \['word'\]"):
        predictor.predict(X.drop(columns="word"))
    with pytest.raises(ValueError, match="'label' was numeric at fit"):
        predictor.predict(X.assign(label="a"))


@settings(max_examples=25)
@given(
    learnt=st.lists(st.text(max_size=4) | st.sampled_from(WORDS), min_size=2, max_size=6, unique=True),
    asked=st.lists(st.none() | st.text(max_size=4) | st.sampled_from(WORDS), min_size=1, max_size=5),
    gap=st.booleans(),
)
def test_any_strings(tmp_path_factory, learnt, asked, gap):
    learnt = [word for word in learnt if not word.startswith(("\ue000", "\ue001"))] or ["a", "b"]
    cells = np.array((learnt * 20)[:20] + [None] * 4 * gap, dtype=object)[:, None]
    y = np.arange(len(cells)) % 2
    est = DistilledClassifier(WordCounter(3), quick(1), **PLAIN).fit(cells, y)
    path = tmp_path_factory.mktemp("strings") / "model.onnx"
    to_onnx(est, path)
    assert_parity(est, OnnxPredictor(path), np.array(asked, dtype=object)[:, None])


def test_rare_levels_and_categories_that_cannot_be_written(tmp_path):
    rng = np.random.RandomState(0)
    X = np.array([f"w{i}" for i in rng.geometric(0.02, 600)], dtype=object)[:, None]
    y = rng.randint(0, 2, 600)
    est = DistilledClassifier(WordCounter(3), quick(1), **PLAIN).fit(X, y)
    to_onnx(est, tmp_path / "model.onnx")
    assert_parity(est, OnnxPredictor(tmp_path / "model.onnx"), np.vstack([X, [["never"]]]).astype(object))
    X[X == "w1"] = "\ue000w"
    est.fit(X, y)
    with pytest.raises(ValueError, match=r"Column 0: categories that begin with the private-use characters"):
        to_onnx(est, tmp_path / "model.onnx")


SCALARS = [np.float32(0.1), np.float16(2), np.int8(3), np.uint64(2**64 - 1), np.bool_(True), np.str_("word"), 2**70]


@pytest.mark.parametrize("value", SCALARS, ids=repr)
@pytest.mark.parametrize("write", [to_onnx, to_c])
def test_categories_that_are_scalars_of_numpy(write, value, tmp_path):
    """They are found as the Python values that they equal."""
    X = pd.DataFrame({"a": pd.Series(["x", value, None] * 20, dtype=object)})
    est = DistilledClassifier(ParityClassifier(), quick(), **PLAIN).fit(X, np.arange(60) % 2)
    write(est, tmp_path / "file")
    predictor = (OnnxPredictor if write is to_onnx else CPredictor)(tmp_path / "file")
    np.testing.assert_allclose(predictor.predict_proba(X), est.predict_proba(X), atol=1e-5)


UNWRITTEN = {
    "categories": ["x", Decimal("0.5"), Fraction(1, 3), np.longdouble(0.5)],
    "classes": np.array(["2024-01-01", "2025-01-01"], dtype="M8[D]"),
}


@pytest.mark.parametrize("write", [to_onnx, to_c])
@pytest.mark.parametrize("where", UNWRITTEN)
def test_values_that_no_file_can_hold_are_refused(write, where, tmp_path):
    values = {"categories": [1.0], "classes": [0, 1]} | {where: UNWRITTEN[where]}
    X = pd.DataFrame({"a": pd.Series([*values["categories"]] * (60 // len(values["categories"])))})
    est = DistilledClassifier(ParityClassifier(), quick(), **PLAIN).fit(X, np.array([*values["classes"]] * 30))
    with pytest.raises(ValueError, match=f"{where} must be strings, numbers or booleans to be written down"):
        write(est, tmp_path / "file")
    assert not (tmp_path / "file").exists()


def test_labels_that_a_graph_cannot_hold_are_refused(tmp_path):
    """They came out as negative numbers."""
    y = np.array([1, 2**64 - 1], dtype=np.uint64)[np.arange(60) % 2]
    est = DistilledClassifier(ParityClassifier(), quick(), **PLAIN).fit(np.arange(60.0).reshape(-1, 1), y)
    with pytest.raises(ValueError, match=r"classes must be below 2\*\*63"):
        to_onnx(est, tmp_path / "file")
