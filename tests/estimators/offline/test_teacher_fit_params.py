"""What the teacher's own fit is told, wherever the teacher is fitted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier
from lightgbm import LGBMClassifier
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

from sklkd import DistilledClassifier

from ..problems import classes, quick

X, Y = classes()
FITS: list[tuple[int, dict]] = []
PARAMS = {"augment": None, "hard_weight": 0, "blend": 0, "random_state": 0}


class Told(ClassifierMixin, BaseEstimator):
    """Notes what its fit is given."""

    def fit(self, X, y, **params):
        FITS.append((len(X), params))
        self.model_ = LogisticRegression().fit(X, y)
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, X):
        return self.model_.predict_proba(X)


WAYS = {
    "alone": (Told(), "{}"),
    "pipeline": (make_pipeline(StandardScaler(), Told()), "told__{}"),
    "list": ([("one", LogisticRegression()), ("two", Told())], "two__{}"),
}


@pytest.mark.parametrize("cv", [None, 3])
@pytest.mark.parametrize("way", WAYS)
def test_every_fit_is_given_them(way, cv):
    teacher, key = WAYS[way]
    FITS.clear()
    given = {key.format("flag"): "on", key.format("many"): [1, 2, 3]}
    DistilledClassifier(teacher, quick(), cv=cv, teacher_fit_params=given, **PARAMS).fit(X, Y)
    assert len(FITS) == (1 if cv is None else 4)
    assert all(params == {"flag": "on", "many": [1, 2, 3]} for _, params in FITS)


def test_clones_of_a_fitted_teacher_are_given_them():
    teacher = Told().fit(X, Y)
    FITS.clear()
    est = DistilledClassifier(teacher, quick(), teacher_fit_params={"flag": 1}, augment=None, random_state=0)
    assert est.fit(X, Y).teacher_ is teacher
    assert FITS and all(n < len(X) and params == {"flag": 1} for n, params in FITS)


def test_they_come_before_the_weights_of_the_rows():
    weight = np.linspace(0.5, 1, len(X))
    FITS.clear()
    given = {"sample_weight": None}
    est = DistilledClassifier(LogisticRegression(C=0.1), quick(), teacher_fit_params=given, **PARAMS)
    est.fit(X, Y, sample_weight=weight)
    plain = LogisticRegression(C=0.1).fit(X, Y)
    np.testing.assert_array_equal(est.teacher_.coef_, plain.coef_)
    assert not np.array_equal(plain.coef_, LogisticRegression(C=0.1).fit(X, Y, weight).coef_)


def boosters():
    fast = {"n_estimators": 30, "random_state": 0}
    return {
        "xgboost": (XGBClassifier(**fast, early_stopping_rounds=2, learning_rate=1.0), "eval_set"),
        "lightgbm": (LGBMClassifier(**fast, verbose=-1), "eval_set"),
        "in a pipeline": (make_pipeline(XGBClassifier(**fast, early_stopping_rounds=2)), "xgbclassifier__eval_set"),
        "in a list": ([("a", XGBClassifier(**fast, early_stopping_rounds=2))], "a__eval_set"),
    }


@pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("kind", boosters())
def test_labels_of_an_eval_set_are_the_users(kind):
    teacher, key = boosters()[kind]
    given = {key: [(X[:30], Y[:30])]}
    est = DistilledClassifier(teacher, quick(), teacher_fit_params=given, **PARAMS).fit(X[30:], Y[30:])
    model = est.teacher_[0][1] if isinstance(est.teacher_, list) else est.teacher_
    model = getattr(model, "steps", [(None, model)])[-1][1]
    losses = model.evals_result_ if kind == "lightgbm" else model.evals_result()
    (values,) = next(iter(losses.values())).values()
    codes = np.unique(Y, return_inverse=True)[1][:30]
    rounds = None if kind == "lightgbm" else (0, len(values))
    proba = model.predict_proba(X[:30]) if rounds is None else model.predict_proba(X[:30], iteration_range=rounds)
    assert values[-1] == pytest.approx(-np.log(proba[np.arange(30), codes]).mean(), rel=1e-4)


def test_categories_are_told_to_catboost_at_fit():
    rng = np.random.RandomState(0)
    frame = pd.DataFrame({"city": rng.choice(["Oslo", "Rome", "Bonn"], 200), "age": rng.rand(200)})
    y = np.where((frame["city"] == "Rome") | (frame["age"] > 0.8), "yes", "no")
    fast = {"iterations": 10, "verbose": 0, "allow_writing_files": False, "random_seed": 0}
    told = {"teacher_fit_params": {"cat_features": ["city"]}, **PARAMS}
    est = DistilledClassifier(CatBoostClassifier(**fast), quick(60), cv=3, **told)
    made = CatBoostClassifier(**fast, cat_features=["city"]).fit(frame, y)
    np.testing.assert_array_equal(clone(est).fit(frame, y).teacher_.predict_proba(frame), made.predict_proba(frame))
    assert cross_val_score(est, frame, y, cv=2, error_score="raise").mean() > 0.6


@pytest.mark.parametrize(
    ("teacher", "given", "error", "message"),
    [
        (Told(), 3, ValueError, "'teacher_fit_params' parameter .* must be"),
        ([("a", Told())], {"flag": 1}, ValueError, r"teacher_fit_params must have keys .* among \['a'\], got 'flag'"),
        ([("a", Told())], {"b__flag": 1}, ValueError, "teacher_fit_params must have keys .* got 'b__flag'"),
        (XGBClassifier(), {"eval_set": [(X, np.full(len(X), "new"))]}, ValueError, "teacher_fit_params: the labels"),
        (LogisticRegression(), {"flag": 1}, TypeError, "flag"),
    ],
)
def test_what_cannot_be_given(teacher, given, error, message):
    with pytest.raises(error, match=message):
        DistilledClassifier(teacher, quick(), teacher_fit_params=given, **PARAMS).fit(X, Y)


def test_nothing_of_them_is_shipped():
    est = DistilledClassifier(Told(), quick(), teacher_fit_params={"flag": X}, **PARAMS).fit(X, Y)
    assert est.without_teacher().teacher_fit_params is None and est.teacher_fit_params["flag"] is X
