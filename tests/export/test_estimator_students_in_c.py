"""Trees and linear models as C files, compiled by the system's compiler, against their estimators."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
from catboost import CatBoostClassifier
from lightgbm import LGBMClassifier
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    SGDClassifier,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor
from xgboost import XGBClassifier

from sklkd.export import CPredictor, to_c

from ..newer import calibration
from .test_estimator_students import (
    assert_same,
    classifier,
    mixed_teacher,
    name,
    on_thresholds,
    regressor,
    some_slow,
    table,
)

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler called cc")

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-pedantic", "-O1")
CLASSIFIERS = [
    DecisionTreeClassifier(max_leaf_nodes=12),
    ExtraTreeClassifier(),
    LogisticRegression(max_iter=5000),
    SGDClassifier(loss="log_loss"),
    RandomForestClassifier(5),
    HistGradientBoostingClassifier(max_iter=5),
    XGBClassifier(n_estimators=5),
    LGBMClassifier(n_estimators=5, verbose=-1),
    CatBoostClassifier(iterations=5, verbose=0, allow_writing_files=False),
]
REGRESSORS = [
    DecisionTreeRegressor(max_leaf_nodes=12),
    ExtraTreeRegressor(),
    LinearRegression(),
    Ridge(),
    Lasso(),
    ElasticNet(),
    GradientBoostingRegressor(n_estimators=5),
]
FEW = (DecisionTreeClassifier, LogisticRegression, HistGradientBoostingClassifier)


@pytest.fixture
def compiled(tmp_path):
    """Write a C file and compile it: (model, **options) -> (predictor, report)."""

    def write_and_compile(model, **options):
        report = to_c(model, tmp_path / "student.c", **options)
        return CPredictor(report.path, flags=STRICT), report

    return write_and_compile


@pytest.mark.parametrize("student", some_slow(CLASSIFIERS, FEW), ids=name)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_classifiers_of_numbers(problem, compiled, student, n_classes):
    X, y = problem
    X, y = (X, y) if n_classes == 3 else (X[y != "cat"], y[y != "cat"])
    est = classifier(student).fit(X, y)
    predictor, report = compiled(est)
    assert report.largest_difference < 1e-6
    assert report.agreement > 0.999
    more = np.random.default_rng(0).normal(size=(1000, 6)) * 3
    for rows in (X, more, more[:1]):
        assert_same(est, predictor, rows)
    assert predictor.predict(X).dtype == est.predict(X).dtype


@pytest.mark.parametrize("n_targets", [1, 2])
@pytest.mark.parametrize("student", some_slow(REGRESSORS, (DecisionTreeRegressor, Ridge)), ids=name)
def test_values(problem, compiled, student, n_targets):
    X, _ = problem
    y = 1e6 + X[:, :n_targets] + 0.1 * X[:, 2:3] ** 2
    est = regressor(student).fit(X, y[:, 0] if n_targets == 1 else y)
    predictor, report = compiled(est)
    np.testing.assert_allclose(predictor.predict(X), est.predict(X), rtol=0, atol=1e-8)
    assert report.largest_difference < 1e-8


@pytest.mark.parametrize("student", some_slow(CLASSIFIERS, FEW), ids=name)
def test_a_frame_with_categories_gaps_and_dates(compiled, student):
    X = table()
    y = np.where((X["kind"] == "x") | (X["number"] > 0.5) | (X["large"] > 1e7 + 1), "yes", "no")
    teacher = mixed_teacher(HistGradientBoostingClassifier(max_iter=10, random_state=0))
    est = classifier(student, teacher).fit(X, y)
    predictor, _ = compiled(est)
    unseen = table(200, seed=1)
    unseen.loc[:20, "kind"] = "new"
    unseen.loc[10:30, "number"] = np.nan
    for rows in (X, unseen):
        assert_same(est, predictor, rows)
    with pytest.raises(ValueError, match="infinity"):
        predictor.predict(X.head(3).assign(number=np.inf))


@pytest.mark.parametrize("student", [DecisionTreeClassifier(), HistGradientBoostingClassifier(max_iter=5)], ids=name)
def test_the_sides_of_thresholds(problem, compiled, student):
    X, y = problem
    est = classifier(student).fit(X, y)
    predictor, _ = compiled(est)
    if isinstance(student, DecisionTreeClassifier):
        thresholds, single = est.student_.tree_.threshold[est.student_.tree_.feature == 0], True
    else:
        nodes = np.concatenate([tree.nodes for trees in est.student_._predictors for tree in trees])
        thresholds, single = nodes["num_threshold"][(nodes["feature_idx"] == 0) & (nodes["is_leaf"] == 0)], False
    assert_same(est, predictor, on_thresholds(thresholds, X, 0, np.float32 if single else np.float64))


def test_missing_values_are_refused_where_the_estimator_refuses_them(problem, compiled):
    X, y = problem
    est = classifier(LogisticRegression(), LogisticRegression()).fit(X, y)
    predictor, _ = compiled(est)
    gap = np.where(np.arange(6) == 1, np.nan, X[:3])
    for rows in (gap, gap[:1]):
        with pytest.raises(ValueError, match="contains NaN"):
            predictor.predict(rows)


@pytest.mark.parametrize(("method", "n_classes"), [("sigmoid", 2), ("temperature", 2), ("temperature", 3)])
def test_calibrated(problem, compiled, method, n_classes):
    X, y = problem
    X, y = (X, y) if n_classes == 3 else (X[y != "cat"], y[y != "cat"])
    half = len(X) // 2
    est = classifier(DecisionTreeClassifier(max_depth=4)).fit(X[:half], y[:half])
    model = calibration(FrozenEstimator(est), method).fit(X[half:], y[half:])
    np.testing.assert_allclose(compiled(model)[0].predict_proba(X), model.predict_proba(X), rtol=0, atol=1e-6)


def test_a_threshold(problem, compiled):
    X, y = problem
    est = classifier(LogisticRegression()).fit(X, y == "ant")
    est.threshold_ = 0.3
    predictor, _ = compiled(est)
    np.testing.assert_array_equal(predictor.predict(X), est.predict(X))
    codes = [predictor._library.sklkd_label(row.ctypes.data_as(_pointer())) for row in predictor.predict_proba(X)]
    np.testing.assert_array_equal(est.classes_[codes], est.predict(X))


def _pointer():
    import ctypes

    return ctypes.POINTER(ctypes.c_double)


@pytest.mark.parametrize("transformer", [{"func": np.log, "inverse_func": np.exp}, {"transformer": StandardScaler()}])
def test_transformed_targets(problem, compiled, transformer):
    X, _ = problem
    for student in (Ridge(), DecisionTreeRegressor(max_depth=4)):
        model = TransformedTargetRegressor(regressor(student), **transformer).fit(X, np.exp(X[:, 0] / 3))
        np.testing.assert_allclose(compiled(model)[0].predict(X), model.predict(X), rtol=1e-9)


def test_ranges_and_exponentials(problem, compiled):
    X, _ = problem
    y = np.exp(X[:, 0] / 2)
    teacher = HistGradientBoostingRegressor(loss="poisson", max_iter=20, random_state=0).fit(X, y)
    for student in (Ridge(), PoissonRegressor()):
        est = regressor(student, teacher).fit(X, y)
        np.testing.assert_allclose(compiled(est)[0].predict(5 * X), est.predict(5 * X), rtol=1e-9, atol=1e-12)


def test_a_tree_of_one_leaf_and_cplusplus(problem, compiled, tmp_path):
    X, y = problem
    est = classifier(DecisionTreeClassifier(max_depth=3, min_samples_leaf=399)).fit(X, y)
    predictor, report = compiled(est, header=tmp_path / "student.h")
    assert_same(est, predictor, X)
    assert report.bytes < 100
    if shutil.which("c++"):
        done = ["c++", "-std=c++11", "-x", "c++", *STRICT[1:], "-c", report.path, "-o", str(tmp_path / "student.o")]
        subprocess.run(done, check=True)


def test_floats(problem, tmp_path):
    X, y = problem
    est = classifier(DecisionTreeClassifier(max_leaf_nodes=12)).fit(X, y)
    report = to_c(est, tmp_path / "student.c")
    flags = ["-DSKLKD_REAL=float", *STRICT, "-c", report.path, "-o", str(tmp_path / "student.o")]
    subprocess.run(["cc", *flags], check=True)
    assert report.bytes < 1000


def test_what_cannot_be_written_is_named(problem, tmp_path):
    X, y = problem
    with pytest.raises(NotImplementedError, match=r"student \(GaussianNB\) cannot become C code"):
        to_c(classifier(GaussianNB()).fit(X, y), tmp_path / "student.c")
    steps = classifier(make_pipeline(StandardScaler(), DecisionTreeClassifier())).fit(X, y)
    with pytest.raises(NotImplementedError, match="est must have no steps before a student that is no network"):
        to_c(steps, tmp_path / "student.c")
    with pytest.raises(ValueError, match=r"quantize must be None .* got quantize='int8' and a DecisionTree"):
        to_c(classifier(DecisionTreeClassifier()).fit(X, y), tmp_path / "student.c", quantize="int8")
    assert not list(tmp_path.iterdir())
