"""What rows may be: arrays, frames, sparse matrices; numbers, strings, categories, gaps."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from lightgbm import LGBMClassifier
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, RobustScaler, StandardScaler
from sklearn.utils import get_tags
from torch import nn

from sklkd import DistilledClassifier, DistilledRegressor
from sklkd.students import InputEncoder
from sklkd.teachers import Precomputed

from .problems import classes, quick, skorch_net, targets

PARAMS = {"random_state": 0}
WEIGHTS = {"hard_weight": 0.1, "blend": 0}  # where they are not decided, no label-only students are trained


def table(n=120, seed=0):
    """Numbers, whole numbers, strings, categories, booleans and gaps; the label hangs on all of them."""
    rng = np.random.RandomState(seed)
    frame = pd.DataFrame(
        {
            "size": rng.randn(n),
            "count": rng.randint(0, 9, size=n),
            "colour": rng.choice(["red", "green", "blue"], size=n),
            "grade": pd.Categorical(rng.choice(["low", "mid", "high"], size=n), ["low", "mid", "high"], ordered=True),
            "old": rng.rand(n) < 0.5,
        }
    )
    score = frame["size"] + frame["count"] / 4 + (frame["colour"] == "red") + 2 * frame["old"]
    frame.loc[rng.rand(n) < 0.1, "size"] = np.nan
    frame.loc[rng.rand(n) < 0.1, "colour"] = None
    return frame, np.where(score > score.median(), "yes", "no")


def encoding_teacher():
    encode = make_column_transformer(
        (
            OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
            make_column_selector(dtype_exclude=["number", "bool"]),
        ),
        remainder=SimpleImputer(),
    )
    return make_pipeline(encode, HistGradientBoostingClassifier(max_iter=20, min_samples_leaf=5, random_state=0))


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_frames_of_everything(kind):
    frame, y = table()
    X = frame
    teacher = encoding_teacher()
    if kind == "polars":
        X = pl.from_pandas(frame.assign(grade=frame["grade"].astype(str)))
        text = (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["colour", "grade"])
        teacher = make_pipeline(
            make_column_transformer(text, remainder=SimpleImputer()),
            HistGradientBoostingClassifier(max_iter=20, min_samples_leaf=5, random_state=0),
        )
    est = DistilledClassifier(teacher, quick(60), **PARAMS).fit(X, y)
    assert est.score(X, y) > 0.85
    assert list(est.feature_names_in_) == list(frame.columns) and est.n_features_in_ == 5
    assert est.augment_ is not None
    # an unseen category, and gaps where there were none, are answered
    odd = X[:3] if kind == "polars" else X.iloc[:3].copy()
    if kind == "polars":
        odd = odd.with_columns(pl.Series("colour", ["violet", None, "red"]), pl.Series("count", [None, 1, 2]))
    else:
        odd["colour"], odd["count"] = ["violet", None, "red"], [np.nan, 1, 2]
    proba = est.predict_proba(odd)
    assert np.isfinite(proba).all()
    # a row alone gets the answer that it gets among others
    one = X[:1] if kind == "polars" else X.iloc[:1]
    np.testing.assert_allclose(est.predict_proba(one)[0], est.predict_proba(X)[0], rtol=1e-12)


def test_each_column_counts():
    """Another value in any column moves the answer: nothing is silently dropped."""
    frame, y = table()
    est = DistilledClassifier(encoding_teacher(), quick(60), **PARAMS).fit(frame, y)
    row = frame.dropna().iloc[[0]]
    for column, value in [("size", 9.0), ("count", 8), ("old", not row["old"].iloc[0])]:
        changed = row.assign(**{column: value})
        assert not np.allclose(est.predict_proba(row), est.predict_proba(changed), atol=1e-4), column
    colours = [est.predict_proba(row.assign(colour=value))[0, 0] for value in ("red", "green")]
    assert not np.isclose(*colours, atol=1e-4)


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_frames_from_set_output(output):
    X, y = classes()
    names = list("abcde")
    frame = pd.DataFrame(X, columns=names)
    step = SimpleImputer().set_output(transform=output)  # it changes no value
    est = DistilledClassifier(LogisticRegression(), quick(), **PARAMS)
    pipe = make_pipeline(step, est).fit(frame, y)
    assert list(pipe[-1].feature_names_in_) == names
    plain = clone(est).fit(X, y)
    np.testing.assert_array_equal(pipe.predict_proba(frame), plain.predict_proba(X))


def test_feature_names():
    X, y = classes()
    frame = pd.DataFrame(X, columns=list("abcde"))
    est = DistilledClassifier(LogisticRegression(), quick(), **PARAMS).fit(frame, y)
    with pytest.raises(ValueError, match="feature names should match"):
        est.predict(frame[list("edcba")])
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        est.predict(X)
    est.fit(X, y)
    assert not hasattr(est, "feature_names_in_")
    with pytest.raises(ValueError, match="X has 4 features, but DistilledClassifier is expecting 5"):
        est.predict(X[:, :4])


def test_arrays_of_objects_and_lists():
    frame, y = table()
    teacher = make_pipeline(
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ExtraTreesClassifier(10)
    )
    X = frame[["size", "colour", "count"]].to_numpy(dtype=object)
    est = DistilledClassifier(teacher, quick(20), **PARAMS).fit(X, y)
    assert est.encoder_.cardinalities_[0] == 0 and est.encoder_.cardinalities_[1] > 0 == est.encoder_.cardinalities_[2]
    listed = DistilledClassifier(teacher, quick(20), **PARAMS).fit(X.tolist(), y.tolist())
    np.testing.assert_array_equal(est.predict_proba(X), listed.predict_proba(X.tolist()))
    # a list whose first row has no text
    late = [[1.5, 2.5], [2.5, "x"], [3.5, "y"], [0.5, "x"]]
    assert DistilledClassifier(Constant(), quick()).fit(late, list("abab")).encoder_.codec_.categories_[0] is None


class Constant(ClassifierMixin, BaseEstimator):
    """It takes everything, and says nothing."""

    def fit(self, X, y):
        self.classes_, counts = np.unique(y, return_counts=True)
        self.prior_ = counts / counts.sum()
        return self

    def predict_proba(self, X):
        return np.tile(self.prior_, (X.shape[0], 1))


@pytest.mark.parametrize("container", [sparse.csr_matrix, sparse.csc_array, sparse.csr_array])
def test_sparse(container):
    X, y = classes()
    X = np.where(np.abs(X) < 0.7, 0, X)
    est = DistilledClassifier(ExtraTreesClassifier(10, random_state=0), quick(5), **WEIGHTS, **PARAMS)
    proba = est.fit(container(X), y).predict_proba(container(X))
    np.testing.assert_allclose(est.predict_proba(X), proba)
    np.testing.assert_allclose(est.fit(X, y).predict_proba(X), proba, atol=1e-6)
    with pytest.raises(TypeError, match=r"Sparse data was passed.*dense data is required"):
        DistilledClassifier(HistGradientBoostingClassifier(), quick()).fit(container(X), y)


def test_sparse_that_indexing_does_not_know():
    X, y = classes()
    est = DistilledClassifier(ExtraTreesClassifier(5, random_state=0), quick(), cv=3, **WEIGHTS, **PARAMS)
    np.testing.assert_allclose(
        est.fit(sparse.coo_array(X), y).predict_proba(sparse.lil_array(X)), est.fit(X, y).predict_proba(X), atol=1e-6
    )


def gaps(X, seed=0):
    return np.where(np.random.RandomState(seed).rand(*X.shape) < 0.1, np.nan, X)


@pytest.mark.parametrize(
    "teacher",
    [
        HistGradientBoostingClassifier(max_iter=10, random_state=0),
        ExtraTreesClassifier(10, random_state=0),
        LGBMClassifier(n_estimators=5, min_child_samples=5, n_jobs=1, verbose=-1),
        make_pipeline(SimpleImputer(), LogisticRegression()),  # whose tags deny it
    ],
    ids=lambda teacher: type(teacher).__name__,
)
@pytest.mark.parametrize("student", ["TabularNet", "own", "scaled", "imputed"])
def test_missing_values_go_where_the_teacher_takes_them(teacher, student):
    X, y = classes()
    net = {
        "TabularNet": quick(10),
        "own": skorch_net(),
        "scaled": make_pipeline(RobustScaler(), skorch_net()),
        "imputed": make_pipeline(SimpleImputer(), RobustScaler(), skorch_net()),
    }[student]
    for rows in (X, gaps(X)):  # with gaps at fit, and without
        est = DistilledClassifier(teacher, net, **WEIGHTS, **PARAMS).fit(rows, y)
        proba = est.predict_proba(gaps(X, seed=1))
        assert np.isfinite(proba).all() and len(np.unique(proba[:, 0])) > 50
        frame = pd.DataFrame(gaps(X, seed=1))
        frame.columns = frame.columns.astype(str)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "X has feature names")
            np.testing.assert_array_equal(est.predict_proba(frame), proba)


def test_missing_values_are_refused_where_the_teacher_refuses_them():
    X, y = classes()
    frame = pd.DataFrame(X, columns=list("abcde"))
    holed = frame.mask(np.isnan(gaps(X)))
    for student in (quick(), make_pipeline(RobustScaler(), skorch_net())):
        est = DistilledClassifier(LogisticRegression(), student, **PARAMS)
        with pytest.raises(ValueError, match="contains NaN"):
            est.fit(gaps(X), y)
        with pytest.raises(ValueError, match="contains NaN"):
            est.fit(holed, y)
        est.fit(frame, y)
        for rows in (holed, pl.from_pandas(holed), pl.from_pandas(holed).fill_nan(None)):
            with pytest.raises(ValueError, match="Input X contains NaN or another missing value, which the teacher"):
                est.predict(rows)
        with pytest.raises(ValueError, match="Input X contains NaN"), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "X does not have valid feature names")
            est.predict(gaps(X))


def test_a_kept_teacher_is_asked_about_gaps_even_where_labels_alone_count():
    X, y = classes()
    teacher = LogisticRegression().fit(X, y)
    with pytest.raises(ValueError, match="contains NaN"):
        DistilledClassifier(teacher, quick(), hard_weight=1).fit(gaps(X), y)


def test_steps_that_refuse_gaps_are_heard():
    from sklearn.decomposition import PCA

    X, y = classes()
    est = DistilledClassifier(ExtraTreesClassifier(5, random_state=0), make_pipeline(PCA(2), skorch_net()))
    est.fit(X, y)
    assert not get_tags(est).input_tags.allow_nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        est.predict(gaps(X))


def test_given_outputs_answer_for_gaps_that_were_there():
    X, y = classes()
    outputs = LogisticRegression().fit(X, y).predict_proba(X)
    est = DistilledClassifier(Precomputed(outputs), quick(), **PARAMS)
    assert np.isfinite(est.fit(gaps(X), y).predict_proba(gaps(X, seed=1))).all()
    with pytest.raises(ValueError, match="contains NaN"):
        est.fit(X, y).predict(gaps(X))


@pytest.mark.parametrize("where", ["fit", "predict", "X_transfer"])
@pytest.mark.parametrize("kind", ["array", "pandas", "polars", "objects", "sparse"])
def test_infinity_is_an_error(where, kind):
    X, y = classes()
    bad = X.copy()
    bad[3, 2] = np.inf

    def container(rows):
        frame = pd.DataFrame(rows, columns=list("abcde"))
        objects = np.column_stack([rows.astype(object), np.full(len(rows), "x", dtype=object)])
        forms = {"array": rows, "pandas": frame, "polars": pl.from_pandas(frame), "objects": objects}
        return forms.get(kind, sparse.csr_array(rows))

    teacher = Constant() if kind == "objects" else ExtraTreesClassifier(5)
    est = DistilledClassifier(teacher, quick(), hard_weight=0.5, blend=0, **PARAMS)
    with pytest.raises(ValueError, match="infinity"):
        if where == "fit":
            est.fit(container(bad), y)
        elif where == "predict":
            est.fit(container(X), y).predict(container(bad))
        else:
            est.fit(container(X), y, X_transfer=container(bad))


class Convolution(nn.Module):
    def __init__(self, n_outputs=3):
        super().__init__()
        self.body = nn.Sequential(nn.Conv1d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6, n_outputs))

    def forward(self, X):
        return self.body(X)


def signals(n=90):
    rng = np.random.RandomState(0)
    codes = np.arange(n) % 3
    t = np.arange(8)
    wave = np.sin(t * (1 + codes[:, None]) * 0.7)[:, None]
    return (np.concatenate([wave, -wave], axis=1) + 0.1 * rng.randn(n, 2, 8)).astype(np.float64), np.array(list("abc"))[
        codes
    ]


class Nearest:
    """A teacher for signals."""

    def __init__(self, X, y):
        self.classes_ = np.unique(y)
        self.means = np.stack([X[y == name].mean(0) for name in self.classes_])

    def decision_function(self, X):
        return -((np.asarray(X)[:, None] - self.means) ** 2).sum((2, 3))


@pytest.mark.parametrize("student", [Convolution, skorch_net(module=Convolution, max_epochs=40)], ids=["module", "net"])
def test_arrays_of_three_dimensions(student):
    X, y = signals()
    teacher = Nearest(X, y)
    est = DistilledClassifier(teacher, student, hard_weight=0.2, blend=0, **PARAMS).fit(X, y)
    assert est.augment_ is None
    assert est.score(X, y) > 0.9
    np.testing.assert_allclose(est.student_.predict_proba(est.encoder_.transform(X)), est.predict_proba(X), atol=1e-5)
    twice = np.concatenate([X, X])
    again = DistilledClassifier(teacher, student, hard_weight=0.2, blend=0, **PARAMS).fit(twice, np.concatenate([y, y]))
    np.testing.assert_allclose(again.predict_proba(X), est.predict_proba(X), atol=1e-5)
    with pytest.raises(ValueError, match="X has"):
        est.predict(X[:, :1])
    restored = pickle.loads(pickle.dumps(est.without_teacher()))
    np.testing.assert_array_equal(restored.predict_proba(X), est.predict_proba(X))


def test_arrays_of_three_dimensions_with_folds():
    X, y = signals()

    class Learner(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            self.inner_ = Nearest(X, y)
            self.classes_ = self.inner_.classes_
            return self

        def decision_function(self, X):
            return self.inner_.decision_function(X)

    est = DistilledClassifier(Learner(), Convolution, cv=3, hard_weight=0.2, blend=0, **PARAMS).fit(X, y)
    assert est.cv_ == "cross-fit" and est.score(X, y) > 0.9


def test_three_dimensions_with_a_student_for_tables():
    X, y = signals()
    with pytest.raises(ValueError, match="student must be a network of your own for X of more than two dimensions"):
        DistilledClassifier(Nearest(X, y), quick()).fit(X, y)
    with pytest.raises(ValueError, match="contains NaN: arrays of more than two dimensions must not"):
        DistilledClassifier(Nearest(X, y), Convolution, hard_weight=1).fit(np.where(X > 1, np.nan, X), y)


def test_tags_are_the_teachers():
    cases = [
        (ExtraTreesClassifier(), True, True, False),
        (LogisticRegression(), False, True, False),
        (HistGradientBoostingClassifier(), True, False, False),
        (MultinomialNB(), False, True, True),
        (nn.Linear(2, 2), False, False, False),
        (object(), False, False, False),
        (None, False, False, False),
        ([("a", ExtraTreesClassifier()), ("b", LogisticRegression())], False, True, False),
        ([("a", HistGradientBoostingClassifier()), ("b", MultinomialNB())], False, False, True),
    ]
    for teacher, allow_nan, allow_sparse, positive_only in cases:
        tags = get_tags(DistilledClassifier(teacher))
        assert tags.input_tags.allow_nan is allow_nan, teacher
        assert tags.input_tags.sparse is allow_sparse, teacher
        assert tags.input_tags.positive_only is positive_only, teacher
        assert tags.estimator_type == "classifier" and tags.target_tags.required
    assert get_tags(DistilledRegressor(Ridge())).target_tags.multi_output
    assert not get_tags(
        DistilledRegressor([("a", Ridge()), ("b", HistGradientBoostingClassifier())])
    ).target_tags.multi_output
    dense = DistilledClassifier(ExtraTreesClassifier(), make_pipeline(StandardScaler(), skorch_net()))
    assert not get_tags(dense).input_tags.sparse
    light = DistilledClassifier(ExtraTreesClassifier(5), quick()).fit(*classes()).without_teacher()
    assert get_tags(light).input_tags.allow_nan and get_tags(light).input_tags.sparse


def test_a_pipeline_student_has_an_encoder_of_its_own():
    frame, y = table()
    steps = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["colour", "grade"]), (SimpleImputer(), ["size", "count", "old"])
    )
    est = DistilledClassifier(encoding_teacher(), make_pipeline(steps, skorch_net(max_epochs=60)), **PARAMS).fit(
        frame, y
    )
    assert not isinstance(est.encoder_, InputEncoder) and est.score(frame, y) > 0.75
    assert est.encoder_[0].transformers_[0][1].categories_[1].tolist() == ["high", "low", "mid"]
    assert np.isfinite(est.predict_proba(frame.iloc[:2].assign(colour="violet"))).all()


@pytest.mark.parametrize(
    "y", [["b", "a", "b"] * 40, np.array([True, False] * 60), pd.Series([3, 1, 3] * 40), np.arange(120) % 2 * 1.0]
)
def test_classes_keep_their_kind(y):
    X, _ = classes()
    est = DistilledClassifier(LogisticRegression(), quick(), **WEIGHTS, **PARAMS).fit(X, y)
    np.testing.assert_array_equal(est.classes_, np.unique(y))
    assert set(est.predict(X).tolist()) <= set(np.unique(y).tolist())
    assert est.predict(X).dtype == np.unique(y).dtype


@pytest.mark.parametrize("kind", ["str", "category", "nullable", "polars"])
def test_labels_of_frames(kind):
    X, y = classes()
    series = {
        "str": pd.Series(y),
        "category": pd.Series(pd.Categorical(y)),
        "nullable": pd.Series(np.searchsorted(np.unique(y), y), dtype="Int64"),
        "polars": pl.Series(y.tolist()),
    }[kind]
    imitation = {"hard_weight": 0, "blend": 0, "augment": None, **PARAMS}
    est = DistilledClassifier(LogisticRegression(), quick(20), **imitation).fit(X, series)
    assert len(est.classes_) == 3
    plain = DistilledClassifier(LogisticRegression(), quick(20), **imitation).fit(X, y)
    np.testing.assert_array_equal(est.predict_proba(X), plain.predict_proba(X))


def test_targets_of_every_kind():
    X, y = targets()
    est = DistilledRegressor(Ridge(), quick(), hard_weight=0, blend=0, augment=None, **PARAMS)
    plain = est.fit(X, y).predict(X)
    for other in (y.tolist(), pd.Series(y), pl.Series(y)):
        np.testing.assert_array_equal(est.fit(X, other).predict(X), plain)
    with pytest.warns(Warning, match="A column-vector y was passed when a 1d array was expected"):
        assert est.fit(X, y[:, None]).predict(X).shape == y.shape
    assert est.fit(X, y.astype(np.float32)).predict(X).dtype == np.float64
    assert est.fit(X, y.astype(int)).predict(X).dtype == np.float64


def test_the_users_rows_are_not_touched():
    frame, y = table()
    before, labels = frame.copy(deep=True), y.copy()
    DistilledClassifier(encoding_teacher(), quick(), cv=3, **PARAMS).fit(frame, y, sample_weight=np.ones(len(y)))
    pd.testing.assert_frame_equal(frame, before)
    np.testing.assert_array_equal(y, labels)
    X = np.random.RandomState(0).rand(len(y), 4)
    X.setflags(write=False)
    DistilledClassifier(LogisticRegression(), quick(), **PARAMS).fit(X, y).predict(X)


def test_predictions_do_not_depend_on_the_batch():
    X, y = classes(1500)
    est = DistilledClassifier(LogisticRegression(), quick(1), augment=None, **PARAMS).fit(X, y)
    proba = est.predict_proba(X)
    np.testing.assert_allclose(np.concatenate([est.predict_proba(row[None]) for row in X[:20]]), proba[:20], rtol=1e-12)
    np.testing.assert_allclose(est.predict_log_proba(X), np.log(proba), rtol=1e-9)
    logits = est.decision_function(X)
    np.testing.assert_allclose(np.exp(logits) / np.exp(logits).sum(1, keepdims=True), proba, rtol=1e-9)
    assert est.predict_proba(torch.tensor(X[:3]).numpy()).shape == (3, 3)


def test_decision_function_of_two_classes():
    X, y = classes(labels=["no", "yes"])
    est = DistilledClassifier(LogisticRegression(), quick(), **PARAMS).fit(X, y)
    margin = est.decision_function(X)
    assert margin.shape == (len(y),)
    np.testing.assert_allclose(1 / (1 + np.exp(-margin)), est.predict_proba(X)[:, 1], rtol=1e-9)
    np.testing.assert_array_equal(est.predict(X), np.where(margin > 0, "yes", "no"))
