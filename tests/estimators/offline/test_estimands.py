"""A student answers the question that its teacher answers, with all defaults and in every shipped form."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from catboost import CatBoostClassifier, CatBoostRegressor
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    BaggingRegressor,
    ExtraTreesClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import (
    GammaRegressor,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    QuantileRegressor,
    TweedieRegressor,
)
from sklearn.metrics import recall_score
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV, TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier, XGBRegressor

from sklkd import CPredictor, DistilledClassifier, DistilledRegressor, OnnxPredictor, to_c, to_onnx

pytestmark = pytest.mark.slow

N, N_TEST = 1500, 3000


def skewed(n, seed):
    """Rows whose targets are > 0, with a mean far above the median."""
    rng = np.random.RandomState(seed)
    X = rng.uniform(-2, 2, (n, 3))
    signal = np.exp(0.5 * np.sin(2 * X[:, 0]) + 0.5 * X[:, 1])
    return X, signal * rng.exponential(1.0, n) + 1e-3, signal


def counts(n, seed):
    X, _, signal = skewed(n, seed)
    return X, np.random.RandomState(seed + 1).poisson(0.5 * signal).astype(float)


def rare(n, seed):
    X, y = make_classification(
        N + N_TEST, 8, n_informative=5, weights=[0.92], flip_y=0.02, class_sep=0.8, random_state=1
    )
    return (X[:N], y[:N]) if seed == 0 else (X[N:], y[N:])


def shipped(est, X, folder):
    """The estimator and its two files, which predict alike."""
    to_onnx(est, folder / "student.onnx", X=X[:200])
    to_c(est, folder / "student.c", X=X[:200])
    return {"estimator": est, "onnx": OnnxPredictor(folder / "student.onnx"), "c": CPredictor(folder / "student.c")}


def fitted(Estimator, teacher, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        teacher.fit(X, y)
        return teacher, Estimator(teacher, "tiny", random_state=0).fit(X, y)


class Opaque(RegressorMixin, BaseEstimator):
    """A class whose parameters say nothing of what it estimates."""

    def __init__(self, inside=None):
        self.inside = inside

    def fit(self, X, y):
        self.fitted_ = self.inside.fit(X, y)
        return self

    def predict(self, X):
        return self.fitted_.predict(X)


HGB_90 = HistGradientBoostingRegressor(loss="quantile", quantile=0.9, max_iter=60)
QUANTILES = {
    "gbr .9": (GradientBoostingRegressor(loss="quantile", alpha=0.9, random_state=0), 0.9),
    "gbr .1": (GradientBoostingRegressor(loss="quantile", alpha=0.1, random_state=0), 0.1),
    "hgb .9": (HGB_90, 0.9),
    "linear .8": (QuantileRegressor(quantile=0.8, alpha=0.0), 0.8),
    "xgb .9": (XGBRegressor(objective="reg:quantileerror", quantile_alpha=0.9, n_estimators=60, max_depth=3), 0.9),
    "lgbm .9": (LGBMRegressor(objective="quantile", alpha=0.9, n_estimators=60, verbose=-1), 0.9),
    "catboost .9": (CatBoostRegressor(loss_function="Quantile:alpha=0.9", iterations=150, verbose=0), 0.9),
    "pipeline": (make_pipeline(StandardScaler(), HGB_90), 0.9),
    "search": (GridSearchCV(HGB_90, {"max_depth": [3]}, cv=2), 0.9),
    "voting": (VotingRegressor([("a", HGB_90), ("b", GradientBoostingRegressor(loss="quantile", alpha=0.9))]), 0.9),
    "bagging": (BaggingRegressor(HGB_90, 5, random_state=0), 0.9),
    "stacking": (StackingRegressor([("a", LinearRegression())], QuantileRegressor(quantile=0.9, alpha=0.0)), 0.9),
    "log target": (TransformedTargetRegressor(HGB_90, func=np.log, inverse_func=np.exp), 0.9),
    "frozen": (FrozenEstimator(HGB_90), 0.9),
    "a class of one's own": (Opaque(HGB_90), 0.9),
}


@pytest.mark.parametrize("name", QUANTILES)
def test_quantiles_keep_their_coverage(name, tmp_path):
    (X, y, _), (X_test, y_test, _) = skewed(N, 0), skewed(N_TEST, 5)
    teacher, _ = QUANTILES[name]
    if name == "frozen":
        teacher = FrozenEstimator(HGB_90.fit(X, y))
    teacher, est = fitted(DistilledRegressor, teacher, X, y)
    assert (est.blend_, est.hard_weight_) == (0, 0)
    wanted = np.mean(y_test <= teacher.predict(X_test))
    for form, model in shipped(est, X, tmp_path).items():
        assert abs(np.mean(y_test <= model.predict(X_test)) - wanted) < 0.03, form


MEDIANS = {
    "forest": RandomForestRegressor(30, criterion="absolute_error", min_samples_leaf=10, random_state=0),
    "hgb": HistGradientBoostingRegressor(loss="absolute_error", max_iter=60),
    "gbr huber": GradientBoostingRegressor(loss="huber", alpha=0.7, random_state=0),
    "xgb": XGBRegressor(objective="reg:absoluteerror", n_estimators=60, max_depth=3),
    "lgbm": LGBMRegressor(objective="l1", n_estimators=60, verbose=-1),
    "catboost": CatBoostRegressor(loss_function="MAE", iterations=150, verbose=0),
    "a mean of logarithms": TransformedTargetRegressor(
        HistGradientBoostingRegressor(max_iter=60), func=np.log, inverse_func=np.exp
    ),
}


@pytest.mark.parametrize("name", MEDIANS)
def test_robust_locations_stay_as_near_to_the_truth_as_the_teacher(name, tmp_path):
    (X, y, _), (X_test, y_test, signal) = skewed(N, 0), skewed(N_TEST, 5)
    teacher, est = fitted(DistilledRegressor, MEDIANS[name], X, y)
    below = np.mean(y_test <= teacher.predict(X_test))
    truth = signal * np.log(2)
    far = np.mean(np.abs(teacher.predict(X_test) - truth))
    for form, model in shipped(est, X, tmp_path).items():
        predicted = model.predict(X_test)
        assert np.mean(np.abs(predicted - truth)) < 1.1 * far, form
        assert abs(np.mean(y_test <= predicted) - below) < 0.03, form


RATES = {
    "linear": PoissonRegressor(),
    "gamma": GammaRegressor(),
    "tweedie": TweedieRegressor(power=1.5, link="log"),
    "hgb": HistGradientBoostingRegressor(loss="poisson", max_iter=60),
    "forest": RandomForestRegressor(30, criterion="poisson", min_samples_leaf=5, random_state=0),
    "xgb": XGBRegressor(objective="count:poisson", n_estimators=60, max_depth=3),
    "lgbm": LGBMRegressor(objective="poisson", n_estimators=60, verbose=-1),
    "catboost": CatBoostRegressor(loss_function="Poisson", iterations=150, verbose=0),
    "pipeline": make_pipeline(StandardScaler(), HistGradientBoostingRegressor(loss="poisson", max_iter=60)),
}


@pytest.mark.parametrize("name", RATES)
def test_rates_stay_above_0(name, tmp_path):
    X, y = counts(N, 0)
    y = y + 0.01 if name == "gamma" else y
    X_test, _ = counts(N_TEST, 5)
    X_test[: N_TEST // 2] *= 10  # far out, too
    teacher, est = fitted(DistilledRegressor, RATES[name], X, y)
    expected = teacher.predict(X_test[N_TEST // 2 :])
    for form, model in shipped(est, X, tmp_path).items():
        predicted = model.predict(X_test)
        assert (predicted > 0).all() and np.isfinite(predicted).all(), form
        assert np.corrcoef(predicted[N_TEST // 2 :], expected)[0, 1] > 0.8, form


BALANCED = {
    "logistic": LogisticRegression(class_weight="balanced"),
    "forest": RandomForestClassifier(60, class_weight="balanced", min_samples_leaf=8, random_state=0),
    "subsample": RandomForestClassifier(60, class_weight="balanced_subsample", min_samples_leaf=8, random_state=0),
    "trees": ExtraTreesClassifier(60, class_weight={0: 1, 1: 10}, min_samples_leaf=8, random_state=0),
    "hgb": HistGradientBoostingClassifier(class_weight="balanced", max_iter=40, max_depth=3),
    "xgb": XGBClassifier(scale_pos_weight=11, n_estimators=40, max_depth=3),
    "lgbm": LGBMClassifier(class_weight="balanced", n_estimators=40, max_depth=3, verbose=-1),
    "unbalance": LGBMClassifier(is_unbalance=True, n_estimators=40, max_depth=3, verbose=-1),
    "catboost": CatBoostClassifier(auto_class_weights="Balanced", iterations=80, depth=4, verbose=0),
    "pipeline": make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced")),
    "voting": VotingClassifier(
        [
            ("a", LogisticRegression(class_weight="balanced")),
            ("b", HistGradientBoostingClassifier(class_weight="balanced", max_iter=40, max_depth=3)),
        ],
        voting="soft",
    ),
}


class Weighted(LogisticRegression):
    """Fitted with weights that no parameter tells."""

    def fit(self, X, y):
        return super().fit(X, y, sample_weight=np.where(y == 1, 11.0, 1.0))


@pytest.mark.parametrize("name", [*BALANCED, "weights at fit"])
def test_reweighted_classifiers_keep_probabilities_and_recall(name, tmp_path):
    (X, y), (X_test, y_test) = rare(N, 0), rare(N_TEST, 5)
    teacher, est = fitted(DistilledClassifier, BALANCED.get(name, Weighted()), X, y)
    assert (est.blend_, est.hard_weight_) == (0, 0)
    for form, model in shipped(est, X, tmp_path).items():
        gap = model.predict_proba(X_test)[:, 1].mean() - teacher.predict_proba(X_test)[:, 1].mean()
        assert abs(gap) < 0.03, form
        missed = recall_score(y_test, model.predict(X_test)) - recall_score(y_test, teacher.predict(X_test).ravel())
        assert abs(missed) < 0.05, form


FOREST = RandomForestClassifier(60, min_samples_leaf=4, random_state=0)
THRESHOLDS = {
    "fixed": FixedThresholdClassifier(FOREST, threshold=0.15),
    "of the other class": FixedThresholdClassifier(FOREST, threshold=0.85, pos_label=0),
    "of a margin": FixedThresholdClassifier(LogisticRegression(), threshold=-2.0, response_method="decision_function"),
    "tuned": TunedThresholdClassifierCV(FOREST, scoring="balanced_accuracy", cv=3),
    "pipeline": make_pipeline(StandardScaler(), FixedThresholdClassifier(FOREST, threshold=0.15)),
}


@pytest.mark.parametrize("name", THRESHOLDS)
def test_labels_follow_the_teachers_rule(name, tmp_path):
    (X, y), (X_test, y_test) = rare(N, 0), rare(N_TEST, 5)
    teacher, est = fitted(DistilledClassifier, THRESHOLDS[name], X, y)
    threshold = est.threshold_
    assert threshold is not None and 0 < threshold < 0.5
    expected = (teacher.predict_proba(X_test)[:, 1] >= threshold).astype(int)
    np.testing.assert_array_equal(teacher.predict(X_test), expected)
    for form, model in shipped(est, X, tmp_path).items():
        rule = (model.predict_proba(X_test)[:, 1] >= threshold).astype(int)
        # single precision may lie on the other side of the threshold
        assert np.mean(model.predict(X_test) != rule) <= (0 if form == "estimator" else 1e-3), form
        difference = recall_score(y_test, model.predict(X_test)) - recall_score(y_test, teacher.predict(X_test))
        assert abs(difference) < 0.05, form
    est.threshold_ = None
    np.testing.assert_array_equal(est.predict(X_test), est.classes_[est.predict_proba(X_test).argmax(1)])


def test_calibrated_probabilities_are_natural_again():
    X, y = rare(N, 0)
    teacher = CalibratedClassifierCV(LogisticRegression(class_weight="balanced"), cv=3)
    _, est = fitted(DistilledClassifier, teacher, X, y)
    assert est.account_.estimand.answered_by_labels
