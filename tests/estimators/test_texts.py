"""Rows that are texts, in one dimension, where teacher and student have steps that read them."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline

from sklkd import (
    DistilledClassifier,
    DistilledRegressor,
    OnlineDistilledClassifier,
    SelfDistilledClassifier,
    distillation_report,
    to_onnx,
)
from sklkd.augment import MUNGE

from .problems import quick

GOOD, BAD, OTHER = ["good", "great", "fun"], ["bad", "awful", "dull"], ["plot", "film", "actor", "scene", "end"]
CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "objects": lambda texts: np.array(texts, dtype=object),
    "strings": np.array,
    "Series": lambda texts: pd.Series(texts, index=range(7, 7 + len(texts))),
    "string dtype": lambda texts: pd.Series(texts, dtype="string"),
    "polars": pl.Series,
}


def reviews(n=150, seed=0):
    """Texts of six words, what they say, and how strongly."""
    rng = np.random.RandomState(seed)
    words = [rng.choice([*GOOD, *BAD, *OTHER], 6).tolist() for _ in range(n)]
    score = np.array([sum(w in GOOD for w in text) - sum(w in BAD for w in text) for text in words], dtype=float)
    return [" ".join(text) for text in words], np.where(score > 0, "like", "dislike"), score


def reader(epochs=15, vectorizer=None):
    """A student that reads texts."""
    return Pipeline([("words", vectorizer or CountVectorizer()), ("net", quick(epochs, batch_size=16, lr=0.04))])


def teacher():
    return make_pipeline(TfidfVectorizer(), LogisticRegression(C=10))


@pytest.fixture(scope="module")
def fitted():
    texts, y, _ = reviews()
    return DistilledClassifier(teacher(), reader(), hard_weight=0.1, blend=0, random_state=0).fit(texts, y)


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
def test_every_container_of_texts_gives_the_same(container, fitted):
    texts, y, _ = reviews()
    rows = container(texts)
    est = clone(fitted).fit(rows, y)
    np.testing.assert_array_equal(est.predict_proba(rows), fitted.predict_proba(texts))
    assert est.score(rows, y) > 0.9
    # no columns, as in scikit-learn's own vectorizers
    assert not hasattr(est, "n_features_in_")


def test_repeated_texts_are_weights(fitted):
    texts, y, _ = reviews()
    weight = np.random.RandomState(0).randint(0, 3, len(texts))
    repeated = np.repeat(np.arange(len(texts)), weight)
    # of a teacher that is the same for both, whose outputs are known
    outputs = fitted.predict_proba(texts)
    est = DistilledClassifier(student=reader(), random_state=0)
    weighted = clone(est).fit(texts, y, sample_weight=weight, teacher_outputs=outputs)
    rows = [texts[i] for i in repeated]
    again = clone(est).fit(rows, y[repeated], teacher_outputs=outputs[repeated])
    np.testing.assert_allclose(weighted.predict_proba(texts), again.predict_proba(texts), atol=1e-6)


def test_all_that_a_fit_takes(fitted):
    texts, y, score = reviews()
    more, _, _ = reviews(seed=1)
    assert cross_val_score(fitted, texts, y, cv=3).min() > 0.7
    assert GridSearchCV(fitted, {"hard_weight": [0, 1]}, cv=2).fit(texts, y).best_score_ > 0.7
    assert clone(fitted).set_params(cv=3).fit(texts, y).cv_ == "cross-fit"
    kept = teacher().fit(texts, y)
    unlabelled = clone(fitted).set_params(hard_weight=0, teacher=kept)
    unlabelled.fit(texts, y, X_transfer=more)
    assert unlabelled.teacher_ is kept and np.mean(unlabelled.predict(more) == kept.predict(more)) > 0.9
    assert fitted.augment_ is None
    decided = clone(fitted).set_params(hard_weight="auto", blend="auto").fit(texts, y)
    assert decided.account_.n_validation > 0
    regressor = DistilledRegressor(make_pipeline(TfidfVectorizer(), Ridge()), reader(), blend=0, random_state=0)
    assert regressor.fit(texts, score).score(texts, score) > 0.8
    hashed = reader(vectorizer=HashingVectorizer(n_features=128))
    assert clone(fitted).set_params(student=hashed).fit(texts, y).score(texts, y) > 0.85
    before = fitted.predict_proba(texts)
    assert not np.array_equal(pickle.loads(pickle.dumps(fitted)).partial_fit(texts, y).predict_proba(texts), before)


@pytest.mark.parametrize(
    "est",
    [SelfDistilledClassifier(reader()), OnlineDistilledClassifier([("a", reader()), ("b", reader())])],
    ids=["self", "online"],
)
def test_modes_without_a_teacher(est):
    texts, y, _ = reviews()
    est = clone(est).set_params(random_state=0).fit(texts, y)
    assert est.score(texts, y) > 0.85


def test_what_is_made_of_it(fitted, tmp_path):
    texts, y, _ = reviews()
    light = pickle.loads(pickle.dumps(fitted.without_teacher()))
    np.testing.assert_array_equal(light.predict_proba(texts), fitted.predict_proba(texts))
    report = distillation_report(fitted, texts, y)
    assert report.to_frame().loc["student", "score"] == fitted.score(texts, y)
    for X in (None, texts):
        with pytest.raises(NotImplementedError, match=r"est reads texts.*pickle"):
            to_onnx(fitted, tmp_path / "texts.onnx", X=X)


@pytest.mark.parametrize(
    ("X", "y", "match"),
    [
        (["one", None, "two"], [0, 1, 0], r"must hold texts, got NoneType in row 1: put ''"),
        (pd.Series(["one", "two", np.nan]), [0, 1, 0], r"must hold texts, got float in row 2"),
        (np.array([1.0, 2.0, 3.0]), [0, 1, 0], "Expected 2D array, got 1D array instead"),
    ],
)
def test_what_is_no_text_is_refused(X, y, match):
    with pytest.raises(ValueError, match=match):
        DistilledClassifier(teacher(), reader()).fit(X, y)


@pytest.mark.parametrize("student", [None, "tiny", quick(), Pipeline([("net", quick())])])
def test_a_student_without_steps_reads_no_texts(student):
    texts, y, _ = reviews()
    with pytest.raises(ValueError, match=r"^student must have steps that read texts"):
        DistilledClassifier(teacher(), student).fit(texts, y)


def test_rows_must_be_of_the_same_kind_as_in_fit(fitted):
    for X in (np.zeros((3, 2)), pd.DataFrame({"text": ["a film", "a plot"]}), []):
        with pytest.raises(ValueError, match=r"^X must be texts in one dimension"):
            fitted.predict(X)
    table = DistilledClassifier(LogisticRegression(), quick()).fit(np.eye(6), [0, 1] * 3)
    with pytest.raises(ValueError, match="Expected 2D array"):
        table.predict(["a film"])


def test_samplers_change_columns():
    texts, y, _ = reviews()
    with pytest.raises(ValueError, match=r"^augment must be 'auto' or None where X holds texts, got MUNGE"):
        DistilledClassifier(teacher(), reader(), augment=MUNGE()).fit(texts, y)
