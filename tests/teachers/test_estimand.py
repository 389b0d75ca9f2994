"""What teachers estimate, by objective, library and wrapper."""

from __future__ import annotations

import functools
from itertools import product
from types import SimpleNamespace

import catboost
import lightgbm
import numpy as np
import pytest
import skorch
import torch
import xgboost
from imblearn.ensemble import BalancedBaggingClassifier, BalancedRandomForestClassifier, EasyEnsembleClassifier
from imblearn.pipeline import make_pipeline as make_sampling_pipeline
from imblearn.under_sampling import RandomUnderSampler
from scipy.special import expit, logit
from sklearn import linear_model
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import make_classification
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, PowerTransformer, StandardScaler
from sklearn.svm import SVR, LinearSVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sklkd.teachers import Estimand, Precomputed, Teacher, adapt

from ..newer import by_temperature

rng = np.random.RandomState(0)
X, CODES = make_classification(160, 5, weights=[0.8], random_state=0)
Y = np.exp(X[:, 0] + 0.3 * rng.randn(len(X)))
U = expit(X[:, 0])
NAMES = [0, 1]

hist = functools.partial(HistGradientBoostingRegressor, max_iter=3)
gb = functools.partial(GradientBoostingRegressor, n_estimators=3)
xgb = functools.partial(xgboost.XGBRegressor, n_estimators=3)
lgbm = functools.partial(lightgbm.LGBMRegressor, n_estimators=3, verbose=-1)
cat = functools.partial(catboost.CatBoostRegressor, iterations=3, verbose=0, allow_writing_files=False)
forest = functools.partial(RandomForestRegressor, n_estimators=3)

REGRESSORS = [
    (linear_model.Ridge(), "mean", (), "real"),
    (KNeighborsRegressor(), "mean", (), "real"),
    (linear_model.QuantileRegressor(quantile=0.8), "quantile", (0.8,), "real"),
    (linear_model.HuberRegressor(), "robust location", (), "real"),
    (linear_model.RANSACRegressor(), "robust location", (), "real"),
    (linear_model.SGDRegressor(loss="epsilon_insensitive"), "robust location", (), "real"),
    (linear_model.SGDRegressor(), "mean", (), "real"),
    (SVR(), "robust location", (), "real"),
    (LinearSVR(), "robust location", (), "real"),
    (linear_model.PoissonRegressor(), "rate", (), "positive"),
    (linear_model.TweedieRegressor(power=1.5), "rate", (), "positive"),
    (linear_model.TweedieRegressor(power=1.5, link="identity", max_iter=1000), "rate", (), "real"),
    (linear_model.TweedieRegressor(), "mean", (), "real"),
    (DecisionTreeRegressor(criterion="poisson"), "rate", (), "positive"),
    (forest(criterion="absolute_error"), "median", (), "real"),
    (forest(), "mean", (), "real"),
    (ExtraTreesRegressor(3, criterion="absolute_error"), "median", (), "real"),
    (AdaBoostRegressor(n_estimators=3), "robust location", (), "real"),
    (MLPRegressor(max_iter=5), "mean", (), "real"),
    (DummyRegressor(strategy="quantile", quantile=0.3), "quantile", (0.3,), "real"),
    (IsolationForest(n_estimators=3), "score", (), "real"),
    (gb(loss="quantile", alpha=0.9), "quantile", (0.9,), "real"),
    (gb(loss="quantile", alpha=0.5), "median", (), "real"),
    (gb(loss="huber"), "robust location", (), "real"),
    (hist(loss="quantile", quantile=0.1), "quantile", (0.1,), "real"),
    (hist(loss="gamma"), "rate", (), "positive"),
    (hist(loss="absolute_error"), "median", (), "real"),
    (xgb(), "mean", (), "real"),
    (xgb(objective="reg:quantileerror", quantile_alpha=0.7), "quantile", (0.7,), "real"),
    (xgb(objective="reg:quantileerror", quantile_alpha=[0.1, 0.9]), "quantile", (0.1, 0.9), "real"),
    (xgb(objective="reg:absoluteerror"), "median", (), "real"),
    (xgb(objective="reg:pseudohubererror"), "robust location", (), "real"),
    (xgb(objective="count:poisson"), "rate", (), "positive"),
    (xgb(objective="reg:tweedie"), "rate", (), "positive"),
    (xgb(objective="reg:squaredlogerror"), "location", (), "real"),
    (xgb(objective="survival:cox"), "score", (), "positive"),
    (lgbm(objective="mae"), "median", (), "real"),
    (lgbm(objective="rmse"), "mean", (), "real"),
    (lgbm(objective="quantile", alpha=0.8), "quantile", (0.8,), "real"),
    (lgbm(objective="quantile"), "quantile", (0.9,), "real"),
    (lgbm(objective="mape"), "robust location", (), "real"),
    (lgbm(objective="tweedie"), "rate", (), "positive"),
    (lgbm(reg_sqrt=True), "location", (), "real"),
    (cat(), "mean", (), "real"),
    (cat(loss_function="Quantile:alpha=0.9"), "quantile", (0.9,), "real"),
    (cat(objective="MultiQuantile:alpha=0.1,0.5,0.9"), "quantile", (0.1, 0.5, 0.9), "real"),
    (cat(loss_function="Expectile:alpha=0.8"), "expectile", (0.8,), "real"),
    (cat(loss_function="Huber:delta=1"), "robust location", (), "real"),
    (cat(loss_function="Tweedie:variance_power=1.5"), "rate", (), "positive"),
    (cat(loss_function="Lq:q=3"), "location", (), "real"),
]

BOUNDED = [
    (xgb(objective="reg:logistic"), "mean", (), "unit"),
    (lgbm(objective="xentropy"), "mean", (), "unit"),
]


def asked(estimand: Estimand) -> tuple[str, tuple[float, ...], str]:
    return estimand.kind, estimand.levels, estimand.support


def estimand_of(model, *, y=Y, classes=None, fit=True) -> Estimand:
    return adapt(model.fit(X, y) if fit else model, classes).estimand


FITTED: dict[int, FrozenEstimator] = {}


def once(model, y):
    """A model, fitted once for all its wrappers: frozen, they take it as it is."""
    if id(model) not in FITTED:
        FITTED[id(model)] = FrozenEstimator(model.fit(X, y))
    return FITTED[id(model)]


@pytest.mark.parametrize(("model", "kind", "levels", "support"), REGRESSORS, ids=lambda value: str(value)[:60])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_regressors_say_what_they_estimate(model, kind, levels, support):
    # Outlier detectors are no regressors, and have no adapter of their own here.
    estimand = Teacher(model.fit(X, Y)).estimand
    assert asked(estimand) == (kind, levels, support)
    assert estimand.known
    assert type(model).__name__ in estimand.source


@pytest.mark.parametrize(("model", "kind", "levels", "support"), BOUNDED, ids=lambda value: str(value)[:60])
def test_targets_between_0_and_1(model, kind, levels, support):
    assert asked(estimand_of(model, y=U)) == (kind, levels, support)


WRAPPERS = {
    "none": lambda model: model,
    "pipeline": lambda model: make_pipeline(StandardScaler(), model),
    "search": lambda model: GridSearchCV(make_pipeline("passthrough", model), {}, cv=2),
    "bagging": lambda model: BaggingRegressor(model, n_estimators=2),
    "voting": lambda model: VotingRegressor([("a", model), ("b", model)]),
    "scaled target": lambda model: TransformedTargetRegressor(model, transformer=MinMaxScaler()),
    "nested": lambda model: GridSearchCV(make_pipeline(StandardScaler(), BaggingRegressor(model, 2)), {}, cv=2),
}
OBJECTIVES = [
    (hist(loss="quantile", quantile=0.9), "quantile", (0.9,)),
    (xgb(objective="reg:quantileerror", quantile_alpha=0.2), "quantile", (0.2,)),
    (lgbm(objective="l1"), "median", ()),
    (cat(loss_function="Expectile:alpha=0.8"), "expectile", (0.8,)),
    (linear_model.HuberRegressor(), "robust location", ()),
    (forest(), "mean", ()),
]


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize(("model", "kind", "levels"), OBJECTIVES, ids=lambda value: str(value)[:40])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_wrappers_keep_what_a_regressor_estimates(wrapper, model, kind, levels):
    estimand = estimand_of(WRAPPERS[wrapper](once(model, Y)))
    assert (estimand.kind, estimand.levels, estimand.known) == (kind, levels, True)


def test_several_targets():
    model = MultiOutputRegressor(gb(loss="quantile", alpha=0.9)).fit(X, np.stack([Y, U], axis=1))
    assert asked(adapt(model).estimand) == ("quantile", (0.9,), "real")


@pytest.mark.parametrize(
    ("func", "inverse", "y", "support", "mirrored"),
    [
        (np.log, np.exp, Y, "positive", False),
        (np.log1p, np.expm1, Y, "real", False),
        (logit, expit, U, "unit", False),
        (lambda y: np.log10(y), lambda z: 10.0**z, Y, "positive", False),
        (np.sqrt, np.square, Y, "positive", False),
        (np.reciprocal, np.reciprocal, Y, "real", True),
        (np.negative, np.negative, Y, "real", True),
        (lambda y: -np.log(y), lambda z: np.exp(-z), Y, "positive", True),
    ],
)
def test_transformed_targets(func, inverse, y, support, mirrored):
    def wrapped(regressor):
        return estimand_of(TransformedTargetRegressor(regressor, func=func, inverse_func=inverse), y=y)

    linear = func is np.negative
    quantile = wrapped(gb(loss="quantile", alpha=0.9))
    assert asked(quantile) == ("quantile", (0.1,) if mirrored else (0.9,), support)
    assert asked(wrapped(gb(loss="absolute_error"))) == ("median", (), support)
    assert asked(wrapped(gb())) == ("mean" if linear else "location", (), support)


def test_a_mirrored_quantile_covers_what_its_level_says():
    model = TransformedTargetRegressor(
        GradientBoostingRegressor(loss="quantile", alpha=0.9), func=np.negative, inverse_func=np.negative
    )
    (level,) = estimand_of(model).levels
    assert abs((Y <= model.predict(X)).mean() - level) < 0.05


def test_fitted_transformers_of_targets():
    power = TransformedTargetRegressor(gb(loss="quantile", alpha=0.9), transformer=PowerTransformer("box-cox"))
    assert estimand_of(power).levels == (0.9,)
    assert estimand_of(TransformedTargetRegressor(gb(), transformer=PowerTransformer())).kind == "location"
    # Poisson rates, divided by a constant and back, are rates above 0.
    scaled = TransformedTargetRegressor(
        linear_model.PoissonRegressor(), func=lambda y: y / 7, inverse_func=lambda z: z * 7
    )
    assert asked(estimand_of(scaled)) == ("rate", (), "positive")


tree = functools.partial(DecisionTreeClassifier, max_depth=2)
logistic = linear_model.LogisticRegression
xgbc = functools.partial(xgboost.XGBClassifier, n_estimators=3)
lgbmc = functools.partial(lightgbm.LGBMClassifier, n_estimators=3, verbose=-1)
catc = functools.partial(catboost.CatBoostClassifier, iterations=3, verbose=0, allow_writing_files=False)

NATURAL = [
    logistic(),
    logistic(class_weight={0: 2, 1: 2}),
    RandomForestClassifier(3),
    GaussianNB(),
    GaussianNB(priors=np.bincount(CODES) / len(CODES)),
    LinearDiscriminantAnalysis(),
    AdaBoostClassifier(n_estimators=2),
    xgbc(),
    xgbc(scale_pos_weight=1),
    lgbmc(),
    catc(),
    StackingClassifier([("a", logistic(class_weight="balanced"))], cv=2),
]
REWEIGHTED = [
    logistic(class_weight="balanced"),
    logistic(class_weight={1: 5}),
    RandomForestClassifier(3, class_weight="balanced_subsample"),
    GaussianNB(priors=[0.5, 0.5]),
    LinearDiscriminantAnalysis(priors=[0.5, 0.5]),
    AdaBoostClassifier(tree(class_weight="balanced"), n_estimators=2),
    OneVsRestClassifier(logistic(class_weight="balanced")),
    xgbc(scale_pos_weight=4),
    lgbmc(is_unbalance=True),
    lgbmc(class_weight="balanced"),
    lgbmc(scale_pos_weight=4),
    catc(auto_class_weights="Balanced"),
    catc(class_weights=[1, 4]),
    catc(class_weights={0: 1, 1: 4}),
    catc(scale_pos_weight=4),
    BalancedRandomForestClassifier(3),
    EasyEnsembleClassifier(2),
    BalancedBaggingClassifier(n_estimators=2),
    make_sampling_pipeline(StandardScaler(), RandomUnderSampler(), logistic()),
    StackingClassifier([("a", logistic())], logistic(class_weight="balanced"), cv=2),
]
CLASSIFIER_WRAPPERS = {
    "none": lambda model: model,
    "pipeline": lambda model: make_pipeline(StandardScaler(), model),
    "search": lambda model: GridSearchCV(make_pipeline("passthrough", model), {}, cv=2),
    "bagging": lambda model: BaggingClassifier(model, n_estimators=2),
    "voting": lambda model: VotingClassifier([("a", model), ("b", model)], voting="soft"),
    "threshold": lambda model: FixedThresholdClassifier(model, threshold=0.2),
}


@pytest.mark.parametrize("reweighted", [False, True])
@pytest.mark.parametrize("wrapper", CLASSIFIER_WRAPPERS)
def test_classifiers_say_whether_classes_are_weighted(wrapper, reweighted):
    for model in REWEIGHTED if reweighted else NATURAL:
        estimand = estimand_of(CLASSIFIER_WRAPPERS[wrapper](once(model, CODES)), y=CODES, classes=NAMES)
        assert estimand.kind == ("reweighted probability" if reweighted else "probability"), model
        assert estimand.known


def test_weights_of_balanced_classes_change_nothing():
    y = np.arange(len(X)) % 2
    assert estimand_of(catc(auto_class_weights="Balanced"), y=y, classes=NAMES).kind == "probability"


def test_wrappers_keep_whether_classes_weigh_the_same():
    balanced, other = logistic(class_weight="balanced"), logistic(class_weight={1: 5})
    kept = [
        BaggingClassifier(balanced, 2),
        VotingClassifier([("a", balanced), ("b", tree())], voting="soft"),
        StackingClassifier([("a", logistic())], balanced, cv=2),
        FixedThresholdClassifier(balanced),
        GaussianNB(priors=[0.5, 0.5]),
    ]
    lost = [
        VotingClassifier([("a", balanced), ("b", other)], voting="soft"),
        GaussianNB(priors=[0.7, 0.3]),
        VotingClassifier([("a", logistic()), ("b", tree())], voting="soft"),
    ]
    assert [estimand_of(model, y=CODES, classes=NAMES).balanced for model in kept] == [True] * len(kept)
    assert [estimand_of(model, y=CODES, classes=NAMES).balanced for model in lost] == [False] * len(lost)


def test_one_classifier_for_each_class_does_not_balance_them():
    y = np.arange(len(X)) % 3
    model = OneVsRestClassifier(logistic(class_weight="balanced"))
    assert not estimand_of(model, y=y, classes=[0, 1, 2]).balanced
    assert estimand_of(model, y=CODES, classes=NAMES).balanced


@pytest.mark.parametrize(("method", "natural"), [("sigmoid", True), ("isotonic", True), ("temperature", False)])
def test_calibration_takes_weights_back_unless_it_only_scales(method, natural):
    inner = make_sampling_pipeline(RandomUnderSampler(), logistic())
    model = (
        by_temperature(inner, cv=2) if method == "temperature" else CalibratedClassifierCV(inner, method=method, cv=2)
    )
    estimand = estimand_of(model, y=CODES, classes=NAMES)
    assert (estimand.kind == "probability") == natural


def test_native_boosters_say_the_same_as_estimators():
    pairs = [
        ({"objective": "reg:quantileerror", "quantile_alpha": 0.9}, {"objective": "quantile", "alpha": 0.9}),
        ({"objective": "reg:absoluteerror"}, {"application": "mae"}),
        ({"objective": "count:poisson"}, {"objective": "poisson"}),
    ]
    for (of_xgboost, of_lightgbm), (kind, levels) in zip(
        pairs, [("quantile", (0.9,)), ("median", ()), ("rate", ())], strict=True
    ):
        booster = xgboost.train(of_xgboost, xgboost.DMatrix(X, Y), 2)
        light = lightgbm.train({**of_lightgbm, "verbose": -1}, lightgbm.Dataset(X, Y), 2)
        for native in (booster, light, lightgbm.Booster(model_str=light.model_to_string())):
            estimand = Teacher(native).estimand
            assert (estimand.kind, estimand.levels, estimand.known) == (kind, levels, True)
    weighted = {"objective": "binary", "is_unbalance": True, "verbose": -1}
    natives = [
        xgboost.train({"objective": "binary:logistic", "scale_pos_weight": 4}, xgboost.DMatrix(X, CODES), 2),
        lightgbm.train(weighted, lightgbm.Dataset(X, CODES), 2),
    ]
    assert [Teacher(native, NAMES).estimand.kind for native in natives] == ["reweighted probability"] * 2


def test_objectives_of_the_users_own_are_assumed():
    def squared(y, p):
        return p - y, np.ones_like(p)

    for model in (xgb(objective=squared), lgbm(objective=squared)):
        estimand = estimand_of(model)
        assert (estimand.kind, estimand.known) == ("mean", False)


class Opaque(RegressorMixin, BaseEstimator):
    def fit(self, X, y):
        self.fitted_ = True
        return self

    def predict(self, X):
        return np.asarray(X)[:, 0]


class OwnForest(RandomForestClassifier):
    pass


def test_what_says_nothing_is_assumed():
    for model in (Opaque().fit(X, Y), Precomputed(Y), torch.nn.Linear(5, 1), make_pipeline(Opaque()).fit(X, Y)):
        estimand = adapt(model).estimand
        assert (estimand.kind, estimand.known) == ("mean", False)
    # Read as far as it goes, but a subclass may do anything.
    own = estimand_of(OwnForest(3, class_weight="balanced"), y=CODES, classes=NAMES)
    assert (own.kind, own.known) == ("reweighted probability", False)


def test_nets_by_their_criterion():
    for criterion, kind in ((torch.nn.MSELoss, "mean"), (torch.nn.L1Loss, "median")):
        net = skorch.NeuralNetRegressor(torch.nn.Linear, module__in_features=5, module__out_features=1, verbose=0)
        net.set_params(criterion=criterion, max_epochs=1)
        net.fit(X.astype(np.float32), Y.astype(np.float32).reshape(-1, 1))
        assert adapt(net).estimand.kind == kind
        assert adapt(net).estimand.known == (kind != "mean")


def test_lists():
    fitted = {name: model.fit(X, Y) for name, model in [("q", gb(loss="quantile", alpha=0.9)), ("m", gb())]}
    assert adapt([("a", fitted["q"]), ("b", fitted["q"])]).estimand.levels == (0.9,)
    mixed = adapt(list(fitted.items())).estimand
    assert mixed.kind == "location"
    assert "quantile" in mixed.source
    classifiers = [("a", logistic().fit(X, CODES)), ("b", logistic(class_weight="balanced").fit(X, CODES))]
    assert adapt(classifiers, NAMES).estimand.kind == "reweighted probability"


def test_a_stack_estimates_what_its_final_estimator_does():
    members = [("a", gb(loss="quantile", alpha=0.9))]
    assert estimand_of(StackingRegressor(members, cv=2)).kind == "mean"
    final = hist(loss="quantile", quantile=0.9)
    assert estimand_of(StackingRegressor(members, final, cv=2, passthrough=True)).levels == (0.9,)


def test_a_student_as_teacher_estimates_what_its_own_teacher_did():
    known = Estimand("median", "LGBMRegressor(objective='mae')")
    student = SimpleNamespace(student_=None, encoder_=None, account_=SimpleNamespace(estimand=known))
    assert Teacher(student).estimand == known
    del student.account_
    assert not Teacher(student).estimand.known


@pytest.mark.parametrize(("name", "value"), [("kind", "mode"), ("support", "negative")])
def test_a_wrong_kind_or_support_is_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} must be one of .*got {name}='{value}'"):
        Estimand(**{"kind": "mean", "source": "mine", name: value})


def test_as_text_it_holds_levels_and_source():
    for kind, levels in product(["quantile", "expectile"], [(0.9,), (0.1, 0.5, 0.9)]):
        text = str(Estimand(kind, "mine", levels))
        assert kind in text and "(mine)" in text
        assert all(str(level) in text for level in levels)
    for kind in ("probability", "mean", "median", "location"):
        assert "mine" in str(Estimand(kind, "mine")) and "{" not in str(Estimand(kind, "mine"))
