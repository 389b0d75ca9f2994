"""Students that are no networks as ONNX files."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier, CatBoostRegressor
from lightgbm import LGBMClassifier, LGBMRegressor
from onnx import load_from_string
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import ElasticNet, Lasso, LogisticRegression, PoissonRegressor, Ridge, SGDClassifier
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier
from xgboost import XGBClassifier, XGBRegressor

from sklkd import DistilledClassifier, DistilledRegressor, OnnxPredictor, to_onnx

from ..newer import calibration
from .conftest import PLAIN

SILENT = {"verbose": 0, "allow_writing_files": False}
CLASSIFIERS = [
    DecisionTreeClassifier(max_leaf_nodes=12),
    ExtraTreeClassifier(),
    RandomForestClassifier(10),
    ExtraTreesClassifier(10),
    BaggingClassifier(n_estimators=5, max_features=0.7),
    GradientBoostingClassifier(n_estimators=5),
    HistGradientBoostingClassifier(max_iter=5),
    XGBClassifier(n_estimators=5),
    XGBClassifier(n_estimators=5, booster="dart", rate_drop=0.5),
    LGBMClassifier(n_estimators=5, verbose=-1),
    CatBoostClassifier(iterations=5, **SILENT),
    LogisticRegression(max_iter=5000),
    SGDClassifier(loss="log_loss"),
    GaussianNB(),
    AdaBoostClassifier(n_estimators=3),
]
REGRESSORS = [
    DecisionTreeRegressor(max_leaf_nodes=12),
    RandomForestRegressor(5),
    ExtraTreesRegressor(5),
    BaggingRegressor(n_estimators=5),
    GradientBoostingRegressor(n_estimators=5),
    HistGradientBoostingRegressor(max_iter=5),
    LGBMRegressor(n_estimators=5, verbose=-1),
    CatBoostRegressor(iterations=5, **SILENT),
    Ridge(),
    Lasso(),
    ElasticNet(),
]
# where categories, gaps and dates make a difference
FEW = (DecisionTreeClassifier, HistGradientBoostingClassifier, XGBClassifier, CatBoostClassifier, LogisticRegression)
FOREST = RandomForestClassifier(10)


def name(student):
    return type(student).__name__


def some_slow(students, fast):
    """Students as parameters, of which all but a few types are for the slow tests."""
    return [one if isinstance(one, fast) else pytest.param(one, marks=pytest.mark.slow) for one in students]


def classifier(student, teacher=None, **params):
    return DistilledClassifier(teacher or ExtraTreesClassifier(10, random_state=0), student, **(PLAIN | params))


def regressor(student, teacher=None, **params):
    return DistilledRegressor(teacher or ExtraTreesRegressor(10, random_state=0), student, **(PLAIN | params))


def table(n=300, seed=0):
    """Numbers with gaps and such as are large beside their spread, categories, dates."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "number": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
            "kind": rng.choice(np.array(["x", "y", "z", None], dtype=object), n),
            "day": pd.date_range("2024-01-01", periods=n, freq="31h"),
            "large": 1e7 + rng.normal(size=n),
        }
    )


def mixed_teacher(model):
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["kind"]), ("passthrough", ["number", "large"])
    )
    return make_pipeline(encode, model)


def assert_same(est, predictor, X, atol=1e-6):
    """Probabilities agree, and so do all labels where there is no tie."""
    expected = est.predict_proba(X)
    np.testing.assert_allclose(predictor.predict_proba(X), expected, rtol=0, atol=atol)
    top = np.sort(expected, axis=1)
    clear = top[:, -1] - top[:, -2] > 2 * atol
    np.testing.assert_array_equal(predictor.predict(X)[clear], est.predict(X)[clear])


def on_thresholds(thresholds, X, j, dtype):
    """Rows that are just on, just above and just below each threshold of a column."""
    thresholds = thresholds.astype(dtype)
    values = [thresholds, *(np.nextafter(thresholds, dtype(end)) for end in (np.inf, -np.inf))]
    rows = np.repeat(X[:1], 3 * len(thresholds), axis=0)
    rows[:, j] = np.concatenate(values)
    return rows


# --- numbers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("student", some_slow(CLASSIFIERS, (*FEW, RandomForestClassifier, LGBMClassifier)), ids=name)
def test_classifiers_of_numbers(problem, ship, student):
    X, y = problem
    est = classifier(student).fit(X, y)
    predictor, report = ship(est)
    assert report.largest_difference < 1e-5
    assert report.agreement > 0.999
    assert_same(est, predictor, X)
    more = np.random.default_rng(0).normal(size=(1000, 6)) * 3
    assert_same(est, predictor, more, atol=1e-5)
    assert_same(est, predictor, more[:1], atol=1e-5)


@pytest.mark.parametrize("n_targets", [1, 2])
@pytest.mark.parametrize(
    "student", some_slow(REGRESSORS, (DecisionTreeRegressor, RandomForestRegressor, Ridge)), ids=name
)
def test_values_keep_the_digits_of_large_means(problem, ship, student, n_targets):
    X, _ = problem
    y = 1e6 + X[:, :n_targets] + 0.1 * X[:, 2:3] ** 2
    y = y[:, 0] if n_targets == 1 else y
    est = regressor(student).fit(X, y)
    predictor, _ = ship(est)
    assert predictor.predict(X).shape == y.shape
    np.testing.assert_allclose(predictor.predict(X), est.predict(X), rtol=0, atol=2e-6)


def test_a_booster_that_predicts_in_single_precision(problem, ship):
    X, _ = problem
    est = regressor(XGBRegressor(n_estimators=5)).fit(X, X[:, 0])
    np.testing.assert_allclose(ship(est)[0].predict(X), est.predict(X), rtol=0, atol=1e-6)


@pytest.mark.parametrize("student", [PoissonRegressor(), HistGradientBoostingRegressor(loss="poisson", max_iter=5)])
def test_values_that_are_exponentials(problem, ship, student):
    X, _ = problem
    est = regressor(student).fit(X, np.exp(X[:, 0] / 3))
    np.testing.assert_allclose(ship(est)[0].predict(X), est.predict(X), rtol=1e-6)


@pytest.mark.parametrize("params", [{"init": "zero"}, {"loss": "exponential"}])
def test_gradient_boosting_of_another_kind(problem, ship, params):
    X, y = problem
    est = classifier(GradientBoostingClassifier(n_estimators=5, **params)).fit(X, y == "ant")
    assert_same(est, ship(est)[0], X)


def test_models_that_skl2onnx_converts(problem, ship):
    X, _ = problem
    est = regressor(SVR()).fit(X, X[:, 0])
    np.testing.assert_allclose(ship(est)[0].predict(X), est.predict(X), rtol=0, atol=1e-5)


# --- the sides of thresholds ----------------------------------------------------------------------------------------


def test_trees_compare_in_single_precision(problem, ship):
    X, y = problem
    est = classifier(RandomForestClassifier(5)).fit(X, y)
    predictor, report = ship(est)
    assert report.numbers == "float32"
    for tree in est.student_.estimators_:
        inner = tree.tree_.feature == 0
        rows = on_thresholds(tree.tree_.threshold[inner], X, 0, np.float32)
        assert_same(est, predictor, np.r_[rows, on_thresholds(tree.tree_.threshold[inner], X, 0, np.float64)])


@pytest.mark.parametrize("opset", [13, 18])
def test_boosters_compare_in_double_precision(problem, ship, opset):
    X, y = problem
    est = classifier(HistGradientBoostingClassifier(max_iter=5)).fit(X, y)
    predictor, report = ship(est, X=X[:5], opset=opset)
    assert report.numbers == "float64"
    nodes = np.concatenate([tree.nodes for trees in est.student_._predictors for tree in trees])
    thresholds = nodes["num_threshold"][(nodes["feature_idx"] == 0) & (nodes["is_leaf"] == 0)]
    assert len(thresholds)
    assert_same(est, predictor, on_thresholds(thresholds, X, 0, np.float64))


def test_numbers_that_lightgbm_takes_for_zero(ship):
    rng = np.random.default_rng(0)
    X = np.where(rng.random((300, 1)) < 0.3, 0.0, rng.normal(size=(300, 1)))
    y = (X[:, 0] >= 0).astype(int) + (X[:, 0] > 0)
    est = classifier(LGBMClassifier(n_estimators=5, verbose=-1)).fit(X, y)
    predictor, _ = ship(est)
    tiny = float(np.float32(1e-35))
    least = [0.0, 1e-300, tiny, np.nextafter(tiny, 1), 2 * tiny]
    rows = np.array([least, np.negative(least)]).reshape(-1, 1)
    assert len(np.unique(est.predict(rows))) == 3
    assert_same(est, predictor, rows)


def test_a_tie_of_trees_goes_to_the_first_class(ship):
    """Two pure trees of a forest that disagree, which sums of rounded halves might not see."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 3)), rng.integers(0, 2, 100)
    est = DistilledClassifier(None, RandomForestClassifier(10, random_state=0), hard_weight=1, random_state=0)
    est.fit(X, y, teacher_outputs=np.eye(2)[y])
    more = rng.normal(size=(2000, 3))
    predictor, _ = ship(est)
    assert (est.predict_proba(more)[:, 0] == 0.5).any()
    np.testing.assert_array_equal(predictor.predict(more), est.predict(more))


# --- columns of all kinds -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("student", some_slow(CLASSIFIERS, FEW), ids=name)
def test_a_frame_with_categories_gaps_and_dates(ship, student):
    X = table()
    y = np.where((X["kind"] == "x") | (X["number"] > 0.5) | (X["large"] > 1e7 + 1), "yes", "no")
    teacher = mixed_teacher(HistGradientBoostingClassifier(max_iter=10, random_state=0))
    est = classifier(student, teacher).fit(X, y)
    predictor, report = ship(est)
    assert report.numbers == "float64"
    unseen = table(200, seed=1)
    unseen.loc[:20, "kind"] = "new"
    unseen.loc[10:30, "number"] = np.nan
    for rows in (X, unseen):
        assert_same(est, predictor, rows)
    assert_same(est, ship(est, X=unseen)[0], X)


def test_values_of_a_frame(ship):
    X = table()
    y = 1e6 + np.nan_to_num(X["number"]) + (X["kind"] == "x")
    teacher = mixed_teacher(HistGradientBoostingRegressor(max_iter=10, random_state=0))
    for student in (DecisionTreeRegressor(), Ridge(), HistGradientBoostingRegressor(max_iter=5)):
        est = regressor(student, teacher).fit(X, y)
        np.testing.assert_allclose(ship(est)[0].predict(X), est.predict(X), rtol=0, atol=1e-5)


def test_missing_values_are_refused_where_the_estimator_refuses_them(problem, ship):
    X, y = problem
    est = classifier(LogisticRegression(), LogisticRegression()).fit(X, y)
    predictor, _ = ship(est)
    gap = np.where(np.arange(6) == 1, np.nan, X[:3])
    for model in (est, predictor):
        with pytest.raises(ValueError, match="contains NaN"):
            model.predict(gap)
    with pytest.raises(ValueError, match="infinity"):
        predictor.predict(np.where(np.arange(6) == 1, np.inf, X[:1]))


def test_chosen_columns(problem, ship):
    X, y = problem
    est = classifier(DecisionTreeClassifier(max_depth=3), columns=[4, 1]).fit(X, y)
    predictor, _ = ship(est)
    assert_same(est, predictor, X[:, est._fitted.columns.indices])


def test_a_wide_sparse_table(ship):
    from scipy.sparse import random

    X = random(200, 600, density=0.05, format="csr", random_state=0)
    y = (X[:, :20].sum(axis=1) > np.median(np.asarray(X[:, :20].sum(axis=1)))).astype(int)
    y = np.asarray(y).ravel()
    for student in (RandomForestClassifier(5), LogisticRegression(), LGBMClassifier(n_estimators=3, verbose=-1)):
        est = classifier(student).fit(X, y)
        predictor, _ = ship(est)
        np.testing.assert_allclose(predictor.predict_proba(X.toarray()), est.predict_proba(X), rtol=0, atol=1e-6)


# --- steps and wrappers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model", [LogisticRegression(), DecisionTreeClassifier(), HistGradientBoostingClassifier(max_iter=5)], ids=name
)
def test_own_steps_and_steps_before(problem, ship, model):
    X, y = problem
    own = classifier(make_pipeline(StandardScaler(), model)).fit(X, y)
    assert_same(own, ship(own)[0], X, atol=1e-5)
    before = make_pipeline(StandardScaler(), classifier(model)).fit(X, y)
    assert_same(before, ship(before)[0], X, atol=1e-5)
    frame = table().assign(kind=lambda frame: frame["kind"].fillna("none"))
    names = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["kind"]), ("passthrough", ["large"]))
    target = np.where(frame["kind"] == "x", "yes", "no")
    teacher = mixed_teacher(HistGradientBoostingClassifier(max_iter=5, random_state=0))
    own = classifier(make_pipeline(names, model), teacher).fit(frame, target)
    assert_same(own, ship(own)[0], frame, atol=1e-5)


@pytest.mark.parametrize(
    "student", [LogisticRegression(), DecisionTreeClassifier(max_depth=4), RandomForestClassifier(10)]
)
@pytest.mark.parametrize("method", ["sigmoid", "temperature", "isotonic"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_calibrated(problem, ship, student, method, n_classes):
    X, y = problem
    X, y = (X, y) if n_classes == 3 else (X[y != "cat"], y[y != "cat"])
    half = len(X) // 2
    est = classifier(student).fit(X[:half], y[:half])
    model = calibration(FrozenEstimator(est), method).fit(X[half:], y[half:])
    np.testing.assert_allclose(ship(model)[0].predict_proba(X), model.predict_proba(X), rtol=0, atol=1e-5)


@pytest.mark.parametrize("student", [LogisticRegression(), RandomForestClassifier(10)], ids=name)
def test_thresholds(problem, ship, student):
    X, y = problem
    est = classifier(student).fit(X, y == "ant")
    est.threshold_ = 0.3
    predictor, _ = ship(est)
    assert predictor.threshold_ == 0.3
    np.testing.assert_array_equal(predictor.predict(X), est.predict(X))
    assert (predictor.predict(X) != (predictor.predict_proba(X)[:, 1] >= 0.5)).any()
    wrapped = FixedThresholdClassifier(FrozenEstimator(est), threshold=0.7).fit(X, y == "ant")
    np.testing.assert_array_equal(ship(wrapped)[0].predict(X), wrapped.predict(X))


@pytest.mark.parametrize("transformer", [{"func": np.log, "inverse_func": np.exp}, {"transformer": StandardScaler()}])
def test_transformed_targets(problem, ship, transformer):
    X, _ = problem
    y = np.exp(X[:, 0] / 3)
    for student in (Ridge(), DecisionTreeRegressor(max_depth=4)):
        model = TransformedTargetRegressor(regressor(student), **transformer).fit(X, y)
        np.testing.assert_allclose(ship(model)[0].predict(X), model.predict(X), rtol=1e-5)


def test_the_range_of_the_teachers_values(problem, ship):
    X, _ = problem
    y = np.exp(X[:, 0] / 2)
    teacher = HistGradientBoostingRegressor(loss="poisson", max_iter=20, random_state=0).fit(X, y)
    est = regressor(Ridge(), teacher).fit(X, y)
    predictor, _ = ship(est)
    assert est.student_.predict(5 * X).min() < 0 < predictor.predict(5 * X).min()
    np.testing.assert_allclose(predictor.predict(5 * X), est.predict(5 * X), rtol=1e-6, atol=1e-6)


def test_a_search(problem, ship):
    X, y = problem
    search = GridSearchCV(classifier(DecisionTreeClassifier()), {"student__max_depth": [1, 4]}, cv=2).fit(X, y)
    assert_same(search, ship(search)[0], X)


# --- the file, and errors -------------------------------------------------------------------------------------------


def test_outputs_of_the_graph(problem, ship):
    X, y = problem
    predictor, report = ship(classifier(DecisionTreeClassifier(max_depth=3)).fit(X, y))
    model = load_from_string(predictor._content)
    assert [one.name for one in model.graph.output] == ["label", "probabilities"]
    label, proba = predictor._session.run(None, {"X": X.astype(np.float32)})
    np.testing.assert_array_equal(label, predictor.predict(X))
    np.testing.assert_array_equal(proba, predictor.predict_proba(X))
    assert report.opset == 18


def test_what_cannot_be_written_is_named(problem, tmp_path):
    X, y = problem
    symmetric = classifier(CatBoostClassifier(iterations=3, grow_policy="Lossguide", **SILENT)).fit(X, y)
    with pytest.raises(NotImplementedError, match=r"student \(CatBoostClassifier\) cannot be exported"):
        to_onnx(symmetric, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("quantize", ["int8", "float16"])
def test_quantization_is_for_networks(problem, tmp_path, quantize):
    est = classifier(DecisionTreeClassifier()).fit(*problem)
    with pytest.raises(ValueError, match=rf"quantize must be None .* got quantize='{quantize}' and a DecisionTree"):
        to_onnx(est, tmp_path / "model.onnx", quantize=quantize)


def test_a_pickled_predictor_without_its_estimator(problem, ship):
    import pickle

    X, y = problem
    est = classifier(XGBClassifier(n_estimators=3)).fit(X, y)
    predictor = pickle.loads(pickle.dumps(ship(est.without_teacher())[0]))
    assert isinstance(predictor, OnnxPredictor)
    assert_same(est, predictor, X)
