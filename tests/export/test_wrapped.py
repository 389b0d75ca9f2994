"""Models around a student: files give what the wrapper gives."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, PowerTransformer, RobustScaler, StandardScaler

from sklkd import CPredictor, DistilledClassifier, DistilledRegressor, OnnxPredictor, to_c, to_onnx
from sklkd.students import TabularStudent

from ..newer import by_temperature
from .conftest import PLAIN, net, quick

FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-pedantic", "-O0")
LABELS = np.array(["ant", "bee", "cat"])


def rows_of(n_classes):
    X, codes = make_classification(
        160, 5, n_informative=4, n_redundant=0, n_classes=n_classes, n_clusters_per_class=1, random_state=0
    )
    return X, LABELS[codes]


def student(chosen=None):
    return DistilledClassifier(RandomForestClassifier(5, random_state=0), chosen or quick(3), **PLAIN)


@pytest.fixture(scope="module")
def fitted():
    """Students by their number of classes, and one with a network of the user's own."""
    found = {n: student().fit(*rows_of(n)) for n in (2, 3)}
    linear = TabularStudent("tiny", max_epochs=2, module__hidden=())
    return found | {"net": student(net()).fit(*rows_of(2)), "linear": student(linear).fit(*rows_of(3))}


def files(model, folder, kinds):
    """The predictors of a model's files."""
    if "onnx" in kinds:
        to_onnx(model, folder / "model.onnx")
        yield OnnxPredictor(folder / "model.onnx")
    if "c" in kinds and shutil.which("cc"):
        to_c(model, folder / "model.c")
        yield CPredictor(folder / "model.c", flags=FLAGS)


def assert_same_classes(model, predictor, X):
    expected, got = model.predict_proba(X), predictor.predict_proba(X)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)
    labels = predictor.predict(X)
    assert labels.dtype == model.classes_.dtype
    # but where rounding decides
    sorted_ = np.sort(expected, axis=1)
    clear = sorted_[:, -1] - sorted_[:, -2] > 1e-4
    if predictor.threshold_ is not None:
        clear = np.abs(expected[:, 1] - predictor.threshold_) > 1e-4
    assert clear.mean() > 0.8
    np.testing.assert_array_equal(labels[clear], model.predict(X)[clear])


def frozen(est):
    return FrozenEstimator(est)


CLASSIFIERS = {
    "grid": lambda est: GridSearchCV(student(), {"hard_weight": [0, 0.5]}, cv=2),
    "random": lambda est: RandomizedSearchCV(student(), {"hard_weight": [0, 0.5]}, n_iter=1, cv=2),
    "frozen": frozen,
    "temperature": lambda est: by_temperature(frozen(est)),
    "sigmoid": lambda est: CalibratedClassifierCV(frozen(est), method="sigmoid"),
    "refitted": lambda est: by_temperature(student(), ensemble=False, cv=2),
    "low": lambda est: FixedThresholdClassifier(frozen(est), threshold=0.3),
    "of the first class": lambda est: FixedThresholdClassifier(frozen(est), threshold=0.3, pos_label="ant"),
    "of logits": lambda est: FixedThresholdClassifier(frozen(est), threshold=0.4, response_method="decision_function"),
    "of first logits": lambda est: FixedThresholdClassifier(
        frozen(est), threshold=0.4, response_method="decision_function", pos_label="ant"
    ),
    "tuned": lambda est: TunedThresholdClassifierCV(frozen(est), cv="prefit", refit=False),
    "calibrated, then a threshold": lambda est: FixedThresholdClassifier(
        frozen(CalibratedClassifierCV(frozen(est), method="sigmoid").fit(*rows_of(2))), threshold=0.6
    ),
    "a threshold, then calibrated": lambda est: by_temperature(
        frozen(FixedThresholdClassifier(frozen(est), threshold=0.9).fit(*rows_of(2)))
    ),
}


@pytest.mark.parametrize(
    ("name", "n_classes"), [*((name, 2) for name in CLASSIFIERS), ("temperature", 3), ("sigmoid", 3), ("refitted", 3)]
)
def test_classifiers(fitted, tmp_path, name, n_classes):
    X, y = rows_of(n_classes)
    model = CLASSIFIERS[name](fitted[n_classes]).fit(X, y)
    kinds = ("onnx",) if (name, n_classes) == ("sigmoid", 3) else ("onnx", "c")
    for predictor in files(model, tmp_path, kinds):
        assert_same_classes(model, predictor, np.concatenate([X, 3 * X]))


@pytest.mark.parametrize(
    "name", ["temperature", "sigmoid", "low", "of the first class", "calibrated, then a threshold"]
)
def test_networks_of_the_users_own(fitted, tmp_path, name):
    X, y = rows_of(2)
    model = CLASSIFIERS[name](fitted["net"]).fit(X, y)
    for predictor in files(model, tmp_path, ("onnx",)):
        assert_same_classes(model, predictor, X)


def test_students_without_hidden_layers(fitted, tmp_path):
    X, y = rows_of(3)
    model = CLASSIFIERS["temperature"](fitted["linear"]).fit(X, y)
    for predictor in files(model, tmp_path, ("onnx", "c")):
        assert_same_classes(model, predictor, X)


@pytest.mark.parametrize("outside", [True, False])
def test_pipelines_of_wrappers(fitted, tmp_path, outside):
    X, y = rows_of(2)
    if outside:
        model = make_pipeline(
            StandardScaler(),
            by_temperature(FrozenEstimator(make_pipeline(MinMaxScaler(), student()).fit(X, y))),
        ).fit(X, y)
    else:
        model = GridSearchCV(
            make_pipeline(StandardScaler(), student()), {"distilledclassifier__hard_weight": [0.1]}, cv=2
        ).fit(X, y)
    for predictor in files(model, tmp_path, ("onnx", "c")):
        assert_same_classes(model, predictor, X)


def targets(X):
    return 3 + X[:, 0] ** 2 + np.abs(X[:, 1])


def regressor():
    return DistilledRegressor(RandomForestRegressor(10, random_state=0), quick(5), **PLAIN)


def of_functions(func, inverse_func):
    return TransformedTargetRegressor(regressor(), func=func, inverse_func=inverse_func)


REGRESSORS = {
    "log": of_functions(np.log, np.exp),
    "log1p": of_functions(np.log1p, np.expm1),
    "sqrt": of_functions(np.sqrt, np.square),
    "square": of_functions(np.square, np.sqrt),
    "nothing": of_functions(None, None),
    "standardized": TransformedTargetRegressor(regressor(), transformer=StandardScaler()),
    "robust": TransformedTargetRegressor(regressor(), transformer=RobustScaler()),
    "in a range": TransformedTargetRegressor(regressor(), transformer=MinMaxScaler((1, -1)[::-1])),
    "function": TransformedTargetRegressor(
        regressor(), transformer=FunctionTransformer(np.log, np.exp, check_inverse=False)
    ),
    "twice": TransformedTargetRegressor(
        TransformedTargetRegressor(regressor(), transformer=StandardScaler()), func=np.log, inverse_func=np.exp
    ),
}


@pytest.mark.parametrize(
    ("name", "y_ndim"), [*((name, 1) for name in REGRESSORS), ("log1p", 2), ("in a range", 2), ("twice", 2)]
)
def test_transformed_targets(tmp_path, name, y_ndim):
    X = np.random.RandomState(0).standard_normal((160, 3))
    y = targets(X) if y_ndim == 1 else np.stack([targets(X), targets(-X[:, ::-1])], axis=1)
    model = REGRESSORS[name].fit(X, y)
    expected = model.predict(X)
    for predictor in files(model, tmp_path, ("onnx", "c")):
        got = predictor.predict(X)
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5 * y.std())


def test_steps_before_transformed_targets(tmp_path):
    X = np.random.RandomState(0).standard_normal((160, 3))
    model = TransformedTargetRegressor(make_pipeline(StandardScaler(), regressor()), func=np.log, inverse_func=np.exp)
    model.fit(X, targets(X))
    for predictor in files(model, tmp_path, ("onnx",)):
        np.testing.assert_allclose(predictor.predict(X), model.predict(X), rtol=1e-5)
        assert predictor.predict(X).shape == model.predict(X).shape == (160,)


def test_what_is_refused_says_what_to_do(fitted, tmp_path):
    X, y = rows_of(2)
    X3, y3 = rows_of(3)
    several = by_temperature(student(), cv=2).fit(X, y)
    once = CalibratedClassifierCV(frozen(fitted[2]), method="sigmoid").fit(X, y)
    again = CalibratedClassifierCV(frozen(once), method="sigmoid").fit(X, y)
    unrefitted = GridSearchCV(student(), {"hard_weight": [0]}, cv=2, refit=False).fit(X, y)
    foreign = GridSearchCV(LogisticRegression(), {"C": [1]}, cv=2).fit(X, y)
    power = TransformedTargetRegressor(regressor(), transformer=PowerTransformer()).fit(X, targets(X))
    for model, error, message in (
        (several, NotImplementedError, r"holds 2 classifiers, .* set ensemble=False"),
        (again, NotImplementedError, r"calibrate the student itself, once"),
        (unrefitted, NotImplementedError, r"refit=False: fit the estimator with its best_params_"),
        (foreign, TypeError, r"got LogisticRegression: distil it first"),
        (power, NotImplementedError, r"PowerTransformer as the way back.* use one of np\.exp"),
    ):
        for export, name in ((to_onnx, "model.onnx"), (to_c, "model.c")):
            with pytest.raises(error, match=message):
                export(model, tmp_path / name)
    sigmoids = CalibratedClassifierCV(frozen(fitted[3]), method="sigmoid").fit(X3, y3)
    with pytest.raises(TypeError, match=r"method='temperature' .* got 'sigmoid': export it with to_onnx"):
        to_c(sigmoids, tmp_path / "model.c")
    with pytest.raises(ValueError, match="not fitted"):
        to_onnx(FixedThresholdClassifier(student()), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
