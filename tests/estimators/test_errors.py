"""Bad input: each case says which parameter, which rule, what came, and what to do."""

from __future__ import annotations

import traceback
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklkd import DistilledClassifier, DistilledRegressor
from sklkd.exceptions import DivergedError, SampleWeightWarning, SklkdWarning, TeacherWarning
from sklkd.losses import DKDLoss, FitNetLoss, RKDDistanceLoss, SoftTargetLoss, TargetLoss
from sklkd.teachers import Precomputed, adapt

from .problems import classes, quick, targets

X, Y = classes()
XR, YR = targets()


class Answers:
    """A teacher that answers with what it is told to."""

    classes_ = np.unique(Y)

    def __init__(self, change):
        self.change = change

    def predict_proba(self, X):
        return self.change(np.full((len(X), 3), 1 / 3))


class Values:
    def __init__(self, change):
        self.change = change

    def predict(self, X):
        return self.change(np.zeros(len(X)))


def one_nan(answer):
    answer[0] = np.nan
    return answer


def negative(answer):
    answer[0] = -0.5, 0.75, 0.75
    return answer


@pytest.mark.parametrize(
    ("teacher", "error", "message"),
    [
        (Answers(one_nan), ValueError, "predict_proba of Answers returned NaN or infinity in 1 of 120 rows"),
        (Answers(negative), ValueError, "returned a negative probability in 1 of 120 rows"),
        (Answers(lambda p: p * 2), ValueError, "returned probabilities that do not sum to one in 120 of 120 rows"),
        (Answers(lambda p: p[:, :2] * 1.5), ValueError, "Answers has 3 classes_ but returns 2 columns"),
        (Answers(lambda p: p[:-1]), ValueError, r"must return one row per row of X \(120\), got 119 rows"),
        (Answers(lambda p: p[0]), ValueError, "must return one row per row of X"),
        (Answers(lambda p: None), ValueError, "predict_proba of Answers must return"),
        (object(), TypeError, "teacher must have predict_proba or decision_function or predict, got"),
        ("forest", TypeError, "teacher must have predict_proba or decision_function or predict, got 'forest'"),
        (StandardScaler().fit(X), TypeError, "teacher must have predict_proba or decision_function or predict"),
        (Ridge(), TypeError, "teacher must be a classifier here, got Ridge, which is a regressor"),
        (None, TypeError, "teacher must be .*got teacher=None; or pass teacher_outputs"),
        (
            RandomForestClassifier,
            TypeError,
            r"teacher must be an instance, got the class RandomForestClassifier: call it",
        ),
        ([], ValueError, "teacher must be one object or a list of .*empty list"),
        ([LogisticRegression()], TypeError, "teacher must be one object or a list of"),
        (
            [("a", LogisticRegression()), ("a", Ridge())],
            ValueError,
            "teacher: names must be unique.*got 'a': rename it",
        ),
        ([("student", LogisticRegression())], ValueError, "differ from the estimator's parameters.*got 'student'"),
        ([("a__b", LogisticRegression())], ValueError, "contain no '__'.*got 'a__b'"),
        ([("a", LogisticRegression)], TypeError, "teacher must be an instance, got the class LogisticRegression"),
        (Precomputed(np.full((7, 3), 1 / 3)), ValueError, "Precomputed holds outputs for 7 rows, but X has 120 rows"),
        (Precomputed(np.full((120, 2), 1 / 2)), ValueError, "returns 2 columns and has no classes_"),
        (Precomputed(np.full((120, 3), 1.0)), ValueError, "do not sum to one"),
        (
            Precomputed(np.full((120, 3), 1 / 3), classes=["ant", "bee", "dog"]),
            ValueError,
            "has never seen class 'cat'",
        ),
        (KMeans(3), (TypeError, ValueError), "KMeans|never seen|none of its classes"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else value[:30],
)
def test_teachers(teacher, error, message):
    with pytest.raises(error, match=message):
        DistilledClassifier(teacher, quick()).fit(X, Y)


@pytest.mark.parametrize(
    ("teacher", "error", "message"),
    [
        (Values(one_nan), ValueError, r"predict of Values returned a value that is not finite \(first in row 0\)"),
        (Values(lambda v: v[:-1]), ValueError, "must return one row per row of X"),
        (Values(lambda v: np.zeros((len(v), 2))), ValueError, r"the teacher gives 2 value\(s\) per row, but y has 1"),
        (
            LogisticRegression(),
            TypeError,
            "teacher must be a regressor here, got LogisticRegression, which is a classifier",
        ),
        (Precomputed(np.zeros(5)), ValueError, "Precomputed holds outputs for 5 rows, but X has 120 rows"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else value[:30],
)
def test_teachers_of_regressors(teacher, error, message):
    with pytest.raises(error, match=message):
        DistilledRegressor(teacher, quick()).fit(XR, YR)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"loss": SoftTargetLoss(temperature=0)}, ValueError, "temperature must be > 0, got temperature=0"),
        ({"loss": SoftTargetLoss(weight=-1)}, ValueError, "weight must be >= 0, got weight=-1"),
        ({"loss": TargetLoss()}, ValueError, "TargetLoss has no meaning for classification, only for regression"),
        ({"loss": "kd"}, TypeError, "loss must be a Loss of sklkd.losses or a list of .*got 'kd'"),
        ({"loss": SoftTargetLoss}, TypeError, "loss must be a Loss"),
        ({"loss": []}, ValueError, "loss must be one object or a list of .*empty list"),
        ({"loss": [SoftTargetLoss()]}, TypeError, "loss must be one object or a list of"),
        ({"loss": [("a", SoftTargetLoss()), ("a", DKDLoss())]}, ValueError, "loss: names must be unique.*got 'a'"),
        ({"loss": [("a__b", SoftTargetLoss())]}, ValueError, "contain no '__'.*got 'a__b'"),
        ({"loss": [("cv", SoftTargetLoss())]}, ValueError, "differ from the estimator's parameters.*got 'cv'"),
        (
            {"hard_weight": 1.5},
            ValueError,
            "The 'hard_weight' parameter of DistilledClassifier must be a float in the range",
        ),
        ({"hard_weight": "labels"}, ValueError, "The 'hard_weight' parameter of DistilledClassifier must be"),
        ({"cv": "out-of-bag"}, ValueError, "The 'cv' parameter of DistilledClassifier must be"),
        ({"cv": 1}, ValueError, "The 'cv' parameter of DistilledClassifier must be"),
        ({"cv": 500}, ValueError, "cv=500 needs as many distinct rows, got 120: lower cv"),
        ({"cv": "oob"}, ValueError, "cv='oob' needs a bagged teacher .*use cv=5 or cv='auto'"),
        ({"augment": "MUNGE"}, ValueError, "The 'augment' parameter of DistilledClassifier must be"),
        ({"augment": 3}, ValueError, "The 'augment' parameter of DistilledClassifier must be"),
        ({"memory": 3}, ValueError, "The 'memory' parameter of DistilledClassifier must be"),
        ({"keep_teacher": "yes"}, ValueError, "The 'keep_teacher' parameter of DistilledClassifier must be"),
        ({"n_jobs": 1.5}, ValueError, "The 'n_jobs' parameter of DistilledClassifier must be"),
        ({"random_state": "seed"}, ValueError, "The 'random_state' parameter of DistilledClassifier must be"),
        ({"verbose": -1}, ValueError, "The 'verbose' parameter of DistilledClassifier must be"),
        ({"student": "large"}, ValueError, "student must be one of the presets .*got student='large'"),
    ],
    ids=str,
)
def test_parameters(params, error, message):
    est = DistilledClassifier(LogisticRegression(), quick()).set_params(**params)
    for call in (est.fit, est.partial_fit):
        with pytest.raises(error, match=message):
            call(X, Y)


def test_names_of_teachers_and_losses_may_not_meet():
    est = DistilledClassifier([("kd", LogisticRegression())], quick(), loss=[("kd", SoftTargetLoss())])
    with pytest.raises(ValueError, match=r"teacher: names must be unique.*other names, got 'kd'"):
        est.fit(X, Y)


@pytest.mark.parametrize("loss", [FitNetLoss(), RKDDistanceLoss(student_layer="hidden.9")])
def test_losses_that_need_what_is_not_there(loss):
    """No layers in the teacher, or none of this name in the student: an error at fit, whichever comes first."""
    with pytest.raises((ValueError, TypeError)):
        DistilledClassifier(LogisticRegression(), quick(), loss=loss, augment=None).fit(X, Y)


def test_spread_of_a_teacher_without_members():
    with pytest.raises(ValueError, match=r"TargetLoss\(kind='gaussian'\) needs the spread of an ensemble's members"):
        DistilledRegressor(Ridge(), quick(), loss=TargetLoss(kind="gaussian")).fit(XR, YR)


@pytest.mark.parametrize(
    ("rows", "labels", "error", "message"),
    [
        (
            X,
            np.full(120, "ant"),
            ValueError,
            r"^y must have at least 2 classes, got 1 class\. .*DummyClassifier predicts a constant",
        ),
        (X[:1], Y[:1], ValueError, "at least 2 classes, got 1 class"),
        (X[:, :0], Y, ValueError, r"0 feature\(s\) .*minimum of 1 is required"),
        (X[:0], Y[:0], ValueError, r"0 sample\(s\) .*minimum of 1 is required"),
        (pd.DataFrame(X).iloc[:, :0], Y, ValueError, r"0 feature\(s\) .*minimum of 1 is required"),
        (pl.DataFrame(X)[:0], Y[:0], ValueError, r"0 sample\(s\)"),
        (pl.LazyFrame(X), Y, TypeError, r"X must hold its rows, got a lazy frame: pass X.collect\(\)"),
        (X, Y[:-1], ValueError, "inconsistent numbers of samples"),
        (X, None, ValueError, "requires y to be passed, but the target y is None"),
        (X[:, 0], Y, ValueError, "Expected 2D array, got 1D array instead"),
        (X, np.linspace(0, 1, 120), ValueError, "Unknown label type|continuous"),
        (X, np.where(Y == "ant", None, Y), ValueError, "Input y contains NaN, None or other objects.*X_transfer"),
        (X, np.where(Y == "ant", np.nan, 1.0), ValueError, "Input y contains NaN"),
        (
            X,
            pd.array(np.where(Y == "ant", None, "x"), dtype="string"),
            ValueError,
            "Input y contains NaN, None or other",
        ),
        (X, np.column_stack([Y, Y]), ValueError, "y must have only 0 and 1 in its columns"),
        (
            np.arange(120).reshape(-1, 1).astype("M8[D]"),
            Y,
            (ValueError, TypeError),
            "date|DTypePromotion|Timestamp",
        ),
        (X.astype(complex), Y, ValueError, "Complex data not supported"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else None,
)
def test_rows_of_classifiers(rows, labels, error, message):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        with pytest.raises(error, match=message):
            DistilledClassifier(ExtraTreesClassifier(3), quick()).fit(rows, labels)


@pytest.mark.parametrize(
    ("rows", "values", "message"),
    [
        (XR, np.full(120, 3.0), "y must vary, got 120 rows that are all the same.*DummyRegressor predicts a constant"),
        (XR[:1], YR[:1], "at least 2 rows, got 1 sample"),
        (XR, np.where(YR > 1000, np.nan, YR), "Input y contains NaN"),
        (XR, np.where(YR > 1000, np.inf, YR), "Input y contains infinity"),
        (XR, YR[:5], "inconsistent numbers of samples"),
        (XR, None, "requires y to be passed"),
        (XR, YR.reshape(60, 2, 1).repeat(2, axis=0), "y must have shape|Found array with dim 3"),
        (XR, np.array(["a"] * 120), "could not convert string to float|dtype='numeric'"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else None,
)
def test_rows_of_regressors(rows, values, message):
    with pytest.raises(ValueError, match=message):
        DistilledRegressor(Ridge(), quick()).fit(rows, values)


def test_one_constant_target_of_several():
    est = DistilledRegressor(Ridge(), quick(30), random_state=0).fit(XR, np.column_stack([YR, np.full(120, 7.0)]))
    np.testing.assert_allclose(est.predict(XR)[:, 1], 7.0, atol=0.5)


@pytest.mark.parametrize(
    ("fit_params", "message"),
    [
        ({"X_transfer": X[:, :3]}, "X_transfer must be rows like those of X: X has 3 features"),
        ({"X_transfer": np.where(X > 2, np.nan, X)}, "X_transfer must be rows like those of X: .*NaN"),
        (
            {"X_transfer": X, "teacher_outputs": LogisticRegression().fit(X, Y).predict_proba(X)},
            "X_transfer, augment and partial_fit need a teacher",
        ),
        ({"teacher_outputs": np.full((100, 3), 1 / 3)}, "Precomputed holds outputs for 100 rows, but X has 120 rows"),
        ({"teacher_outputs": np.full((120, 2), 1 / 2)}, "returns 2 columns"),
        ({"sample_weight": np.ones(5)}, r"sample_weight.shape == \(5,\)"),
    ],
)
def test_arguments_of_fit(fit_params, message):
    with pytest.raises(ValueError, match=message):
        DistilledClassifier(LogisticRegression(), quick(), hard_weight=0.1, blend=0).fit(X, Y, **fit_params)


def test_not_fitted():
    est = DistilledClassifier(LogisticRegression())
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        with pytest.raises(NotFittedError):
            getattr(est, method)(X)
    with pytest.raises(NotFittedError):
        est.without_teacher()
    with pytest.raises(NotFittedError):
        DistilledRegressor(Ridge()).predict(X)


def test_kinds_of_warnings():
    assert issubclass(TeacherWarning, SklkdWarning) and issubclass(SampleWeightWarning, SklkdWarning)
    assert issubclass(SklkdWarning, UserWarning) and issubclass(DivergedError, ValueError)


TEXTS = ["good film", "bad film", "great fun", "awful plot"] * 15


@pytest.mark.parametrize("container", [list, tuple, np.array, pd.Series, pl.Series])
def test_texts_are_refused_without_steps_that_read_them_and_not_shown(container):
    est = DistilledClassifier(LogisticRegression(), "tiny")
    with pytest.raises(ValueError, match=r"^student must have steps that read texts") as refusal:
        est.fit(container(TEXTS), Y[: len(TEXTS)])
    assert "film" not in str(refusal.value)


def test_texts_in_a_frame_are_taken_by_the_steps_of_teacher_and_student():
    frame, y = pd.DataFrame({"text": TEXTS}), np.array(["yes", "no"] * 30)

    def piped(last):
        return make_pipeline(make_column_transformer((TfidfVectorizer(), "text")), last)

    est = DistilledClassifier(piped(LogisticRegression()), piped(quick(40)), hard_weight=0.5, blend=0, random_state=0)
    assert (est.fit(frame, y).predict(frame) == y).all()


@pytest.mark.parametrize(("n", "what"), [(1, "another file or folder"), (2, "2 other files or folders")])
def test_a_folder_of_other_things_is_no_checkpoint(tmp_path, n, what):
    for i in range(n):
        (tmp_path / f"{i}.txt").write_text("notes")
    with pytest.raises(ValueError, match=f"^checkpoint must be a folder .*, which holds {what}: name another one"):
        DistilledClassifier(ExtraTreesClassifier(), checkpoint=tmp_path).fit(X, Y)


SECRET = "Ada Byron 1815"
"""What a row might hold that no log should have."""
AS_CELL = {
    "text": SECRET,
    "bytes": SECRET.encode(),
    "list": [SECRET],
    "dict": {"name": SECRET},
    "tuple": (SECRET, 1815),
    "set": {SECRET},
    "date": pd.Timestamp("1815-12-10").to_pydatetime(),
    "complex": 1815j,
    "number": 1815**90,
}


def with_cell(values, cell):
    changed = np.array(values, dtype=object)
    changed[(3,) + (0,) * (changed.ndim - 1)] = cell
    return changed


GIVEN = {
    "predict": lambda classifier, regressor, cell: classifier.predict(with_cell(X, cell)),
    "predicted values": lambda classifier, regressor, cell: regressor.predict(with_cell(XR, cell)),
    "rows": lambda classifier, regressor, cell: clone(classifier).fit(X, Y, X_transfer=with_cell(X, cell)),
    "rows of a net": lambda classifier, regressor, cell: adapt(nn.Linear(X.shape[1], 3), (0, 1, 2)).outputs(
        with_cell(X, cell)
    ),
    "labels": lambda classifier, regressor, cell: clone(classifier).fit(X, with_cell(Y, cell)),
    "more labels": lambda classifier, regressor, cell: classifier.partial_fit(X, with_cell(Y, cell)),
    "values": lambda classifier, regressor, cell: clone(regressor).fit(XR, with_cell(YR, cell)),
    "more values": lambda classifier, regressor, cell: regressor.partial_fit(XR, with_cell(YR, cell)),
    "equal values": lambda classifier, regressor, cell: clone(regressor).fit(XR, np.full(120, 1815.0)),
    "weights": lambda classifier, regressor, cell: clone(classifier).fit(
        X, Y, sample_weight=with_cell(np.ones(len(X)), cell)
    ),
    "negative weights": lambda classifier, regressor, cell: clone(classifier).fit(
        X, Y, sample_weight=np.full(len(X), -1815.0)
    ),
}


@pytest.fixture(scope="module")
def both_fitted():
    classifier = DistilledClassifier(ExtraTreesClassifier(3), quick(1), cv=2, random_state=0).fit(X, Y)
    return classifier, DistilledRegressor(ExtraTreesRegressor(3), quick(1), cv=2, random_state=0).fit(XR, YR)


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("cell", AS_CELL)
def test_no_message_shows_what_a_row_holds(given, cell, both_fitted):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            GIVEN[given](*both_fitted, AS_CELL[cell])
        except (TypeError, ValueError, OverflowError) as error:
            assert not any(part in "".join(traceback.format_exception_only(error)) for part in ("Byron", "1815"))
            assert error.__cause__ is None or "Byron" not in str(error.__cause__)
