"""Frames with every kind of column, and teachers of such rows, for the tests of exports and of saved files."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state

WORDS = ["None", "nan", "NaN", "3.0", "3", "<NA>", "", "True", "ä\u200b", "None ", "\ue002"]
"""Strings that look like missing values, or like others."""

MIXED = [1, "1", 2.5, "2.5", None, 7]


def objects(rng, n, values):
    """Cells that are drawn from some values, as Python objects."""
    return np.array([values[k] for k in rng.randint(len(values), size=n)] + [None], dtype=object)[:-1]


def gaps(rng, column):
    """A column of objects with one cell in five missing."""
    return np.where(rng.random_sample(len(column)) < 0.2, None, column)


def dates(rng, n):
    """Hours of three years, one in five missing."""
    hours = pd.DatetimeIndex(np.datetime64("2022-01-01T00", "us") + rng.randint(0, 3 * 365 * 24, n).astype("m8[h]"))
    return hours.where(rng.random_sample(n) >= 0.2)


# name of the column: its cells from (rng, n), and a category that they do not have (None: it is not of categories)
KINDS = {
    "label": (lambda rng, n: rng.standard_normal(n), None),  # also what an output is called
    "word": (lambda rng, n: objects(rng, n, [*WORDS, None]), "never"),
    "level": (lambda rng, n: pd.Categorical(objects(rng, n, ["low", "mid", "high"]), ["low", "mid", "high"]), "new"),
    "mixed": (lambda rng, n: objects(rng, n, MIXED), 99),
    "code": (lambda rng, n: pd.Categorical(rng.randint(0, 5, n)), 77),
    "flag": (lambda rng, n: rng.random_sample(n) > 0.5, None),
    "count": (lambda rng, n: pd.array(gaps(rng, rng.randint(0, 30, n)), dtype="Int64"), None),
    "1": (lambda rng, n: gaps(rng, rng.standard_normal(n)).astype(float), None),
    "single": (lambda rng, n: rng.standard_normal(n).astype(np.float32), None),
    "whole": (lambda rng, n: rng.randint(-5, 5, n), None),
    "text": (lambda rng, n: pd.array(objects(rng, n, ["red", "blue", None]), dtype="string"), "green"),
    "grade": (lambda rng, n: pd.Categorical(objects(rng, n, [0.5, 1.5, None]), [0.5, 1.5], ordered=True), 2.5),
    "perhaps": (lambda rng, n: pd.array(gaps(rng, rng.random_sample(n) > 0.5), dtype="boolean"), None),
    "maybe": (lambda rng, n: gaps(rng, rng.random_sample(n) > 0.5), None),
    "empty": (lambda rng, n: np.full(n, np.nan), None),
    "nothing": (lambda rng, n: np.full(n, None), None),
    "when": (lambda rng, n: dates(rng, n), None),
    "zone": (
        lambda rng, n: dates(rng, n).tz_localize("Europe/Rome", ambiguous="NaT", nonexistent="NaT"),
        None,
    ),
    "day": (lambda rng, n: np.where(rng.random_sample(n) < 0.2, None, dates(rng, n).date), None),
    "month": (lambda rng, n: dates(rng, n).to_period("M"), None),
    "took": (lambda rng, n: pd.to_timedelta(gaps(rng, rng.randint(0, 90_000, n)), unit="min"), None),
}


FEW = ("label", "word", "level", "mixed", "code", "flag", "count", "1")
"""Those in which most can go wrong."""


def frame(n, seed=0, names=FEW):
    """Rows with the columns of these names."""
    rng = check_random_state(seed)
    return pd.DataFrame({name: KINDS[name][0](rng, n) for name in names})


def unseen(n, seed, names=FEW):
    """Rows with new categories in every column of categories."""
    X = frame(n, seed, names)
    rng = check_random_state(seed)
    for name in names:
        other = KINDS[name][1]
        if other is not None:
            column = X[name].astype(object).where(rng.random_sample(n) < 0.8, other)
            X[name] = column.astype("category") if isinstance(X[name].dtype, pd.CategoricalDtype) else column
    return X


class Parity(BaseEstimator):
    """A teacher of rows of any kind, which tells even from odd ones."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self


class ParityClassifier(ClassifierMixin, Parity):
    def predict_proba(self, X):
        return 0.1 + 0.8 * np.eye(2)[np.arange(len(X)) % 2]


class ParityRegressor(RegressorMixin, Parity):
    def predict(self, X):
        return np.arange(len(X)) % 2 * 3.0


class ParityLabels(ParityClassifier):
    """Of two labels a row, each of which has one of the two."""

    def fit(self, X, y):
        self.classes_ = [np.unique(column) for column in y.T]
        return self
