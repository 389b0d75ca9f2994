"""Single texts are read without the vectorizer's own transform, and give what it gives."""

from __future__ import annotations

import itertools
import pickle
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from sklkd import DistilledClassifier
from sklkd.estimators._few_texts import FEW, text_reader

from .problems import quick

TEXTS = [
    "The card was charged twice, the CARD!",
    "Où est l'école? À côté du café",
    "naïve Straße ﬁn ①",
    "a",
    "",
    "   \t\n",
    "I'd like my money back -- now now now",
    "ätsch BÄTSCH, été",
    "x" * 40 + " the the the the",
]
ASKED = [*TEXTS, "never seen 12345", "the", "card ö the Café café", "\x00 the", "the\u2028card was was"]


def halves(text):
    """An analyzer of the user's own, whose features are no strings."""
    return [(len(word), word[:2].lower()) for word in text.split()]


def shout(text):
    return text.upper().replace("É", "E")


def commas(text):
    return re.split(r"[ ,]+", text)


OPTIONS = {
    "analyzer": ["word", "char", "char_wb", halves],
    "ngram_range": [(1, 1), (1, 3), (2, 2)],
    "binary": [False, True],
    "lowercase": [True, False],
    "strip_accents": [None, "ascii", "unicode"],
    "stop_words": [None, "english", ["the", "was"]],
    "tokenizer": [None, commas],
    "preprocessor": [None, shout],
    "token_pattern": [r"(?u)\b\w\w+\b", r"\b(\w)\w*"],
    "min_df": [1, 2],
    "max_features": [None, 7],
}
WEIGHTS = {
    "sublinear_tf": [False, True],
    "smooth_idf": [True, False],
    "use_idf": [True, False],
    "norm": ["l2", "l1", None],
    "dtype": [np.float64, np.float32],
}


def drawn(options, n):
    """Every value of every option at least once, then options at random."""
    rng = np.random.RandomState(0)
    single = [{name: value} for name, values in options.items() for value in values]
    return single + [{name: values[rng.randint(len(values))] for name, values in options.items()} for _ in range(n)]


def assert_rows_are_the_vectorizers(vectorizer):
    try:
        vectorizer.fit(TEXTS)
    except ValueError:  # no word is left
        return False
    reader, expected = text_reader(vectorizer), vectorizer.transform(ASKED)
    for i, text in enumerate(ASKED):
        columns, numbers = reader.row(text)
        np.testing.assert_array_equal(columns, expected[i].indices)
        assert numbers.dtype == np.float32
        np.testing.assert_allclose(numbers, expected[i].data.astype(np.float32), rtol=2e-7, atol=0)
    return expected.nnz > 0


@pytest.mark.filterwarnings("ignore:The parameter", "ignore:Your stop_words")
@pytest.mark.parametrize("kind", [CountVectorizer, TfidfVectorizer])
def test_all_options_of_the_vectorizers(kind):
    options = OPTIONS if kind is CountVectorizer else OPTIONS | WEIGHTS
    tried = [assert_rows_are_the_vectorizers(kind(**one)) for one in drawn(options, 150)]
    assert np.mean(tried) > 0.5


def test_weights_in_all_their_combinations():
    for values in itertools.product(*WEIGHTS.values()):
        assert assert_rows_are_the_vectorizers(TfidfVectorizer(**dict(zip(WEIGHTS, values, strict=True))))


def test_vocabularies_and_weights_of_the_users_own():
    given = ["the", "card", "never"]
    assert assert_rows_are_the_vectorizers(CountVectorizer(vocabulary=given, dtype=np.uint8))
    weighted = TfidfVectorizer(vocabulary=given).fit(TEXTS)
    weighted.idf_ = np.array([0.0, 2.0, 3.0])
    np.testing.assert_allclose(text_reader(weighted).row("the")[1], weighted.transform(["the"]).data)
    np.testing.assert_allclose(text_reader(weighted).row("card the")[1], weighted.transform(["card the"]).data)


class Own(TfidfVectorizer):
    """It may do anything."""


@pytest.mark.parametrize("step", [HashingVectorizer(), TfidfTransformer(), Own()])
def test_other_steps_are_left_alone(step):
    assert text_reader(step) is None


def reviews(n=160):
    """Texts of words and numbers, with more than 500 different ones, and what they say."""
    rng = np.random.RandomState(0)
    words = [[*rng.choice(["good", "bad", "plot"], 3), *(f"n{k}" for k in rng.randint(0, 900, 12))] for _ in range(n)]
    return [" ".join(text) for text in words], [text.count("good") > text.count("bad") for text in words]


def fitted(*steps):
    texts, y = reviews()
    student = Pipeline([*[(f"step{k}", step) for k, step in enumerate(steps)], ("net", quick(5))])
    teacher = make_pipeline(CountVectorizer(), LogisticRegression())
    return DistilledClassifier(teacher, student, hard_weight=0, blend=0, random_state=0).fit(texts, y)


@pytest.mark.parametrize(
    "steps",
    [
        [CountVectorizer()],
        [TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2))],
        [CountVectorizer(), TfidfTransformer()],
        [HashingVectorizer(n_features=2**10)],
        [TfidfVectorizer(max_features=40)],
        [Own()],
    ],
    ids=["counts", "tfidf", "two steps", "hashes", "dense", "own"],
)
def test_few_texts_are_answered_as_many(steps):
    est = fitted(*steps)
    asked = [*reviews()[0][:30], "", "unseen words only", "good"]
    all_at_once = est.predict_proba(asked)
    for rows in (list, np.array, pd.Series):
        one_by_one = np.vstack([est.predict_proba(rows([text])) for text in asked])
        np.testing.assert_allclose(one_by_one, all_at_once, rtol=1e-9)
    np.testing.assert_allclose(est.predict_proba(asked[:FEW]), all_at_once[:FEW], rtol=1e-9)
    np.testing.assert_array_equal([est.predict([text])[0] for text in asked], est.predict(asked))
    again = pickle.loads(pickle.dumps(est))
    np.testing.assert_array_equal(again.predict_proba(asked[:1]), est.predict_proba(asked[:1]))


def test_few_texts_do_not_need_the_vectorizers_transform(monkeypatch):
    est = fitted(TfidfVectorizer())
    text = reviews()[0][:1]
    expected = est.predict_proba(text)

    def refuse(self, rows):
        raise AssertionError

    monkeypatch.setattr(TfidfVectorizer, "transform", refuse)
    np.testing.assert_array_equal(est.predict_proba(text), expected)
    with pytest.raises(AssertionError):
        est.predict_proba(text * (FEW + 1))


def test_a_text_among_others_is_checked():
    est = fitted(TfidfVectorizer())
    for rows in (["good", None], pd.Series(["good", np.nan])):
        with pytest.raises(ValueError, match="must hold texts"):
            est.predict(rows)
