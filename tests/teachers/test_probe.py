"""One missing value."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy import sparse
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from sklkd.teachers import Precomputed, accepts_missing, adapt

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 3))
Y = (X[:, 0] > 0).astype(int)


@pytest.mark.parametrize(
    "container", [np.asarray, pd.DataFrame, lambda X: pl.DataFrame(X, schema=["a", "b", "c"]), np.ndarray.tolist]
)
@pytest.mark.parametrize("numbers", [np.asarray, lambda X: (10 * X).astype(int), lambda X: X > 0])
def test_numbers(container, numbers):
    rows = container(numbers(X))
    before = rows.copy() if hasattr(rows, "copy") else rows.clone()
    yes = adapt(HistGradientBoostingClassifier(max_iter=2).fit(rows, Y), [0, 1])
    no = adapt(LogisticRegression().fit(rows, Y), [0, 1])
    assert accepts_missing(yes, rows) is True and accepts_missing(no, rows) is False
    assert np.array_equal(np.asarray(before), np.asarray(rows))


class Watch:
    """Notes what it is asked."""

    def __init__(self):
        self.asked = []

    def predict(self, X):
        self.asked.append(X)
        return np.zeros(X.shape[0])


def test_exactly_one_value_is_missing_of_each_kind():
    data = pd.DataFrame({"s": ["a", "b"], "i": [1, 2], "t": pd.Categorical(["x", "y"]), "f": [0.5, 1.5]})
    data.columns = [0, "i", "i", 3]
    for rows in (data, pl.DataFrame({"s": ["a"], "i": [1], "t": ["x"], "f": [0.5]})):
        watch = Watch()
        assert accepts_missing(adapt(watch), rows)
        gaps = [np.asarray(pd.isna(np.asarray(asked))).ravel().tolist() for asked in watch.asked]
        assert gaps == [[False, True, False, False], [True, False, False, False]]
    watch = Watch()
    assert accepts_missing(adapt(watch), np.array([["a", 1.0], ["b", 2.0]], dtype=object))
    assert [pd.isna(asked).ravel().tolist() for asked in watch.asked] == [[False, True], [True, False]]
    watch = Watch()
    assert accepts_missing(adapt(watch), sparse.csr_array(np.eye(3)))
    assert np.isnan(watch.asked[0].toarray()).sum() == 1


def mixed(encoder):
    data = pd.DataFrame({"city": rng.choice(["Rome", "Oslo"], 60), "x": X[:, 0]})
    steps = make_column_transformer((encoder, make_column_selector(dtype_exclude=np.number)), remainder=SimpleImputer())
    return adapt(make_pipeline(steps, LogisticRegression()).fit(data, Y), [0, 1]), data


def test_both_kinds_of_column_count():
    assert accepts_missing(*mixed(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)))
    assert not accepts_missing(*mixed(OneHotEncoder(handle_unknown="error")))


def test_an_answer_that_is_no_number_is_none():
    assert not accepts_missing(adapt(torch.nn.Linear(3, 2), [0, 1]), X)

    class Through:
        def predict(self, X):
            return X[:, 0]

    assert not accepts_missing(adapt(Through()), X)


def test_nothing_is_raised():
    class Broken:
        def predict(self, X):
            raise KeyError("no")

    assert not accepts_missing(adapt(Broken()), X)
    assert not accepts_missing(adapt(Precomputed(Y.astype(float))), X)
    assert accepts_missing(adapt(HistGradientBoostingRegressor(max_iter=1).fit(X, Y)), X)
