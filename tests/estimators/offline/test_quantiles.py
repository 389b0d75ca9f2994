"""Teachers of several quantiles, and students whose quantiles do not cross."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from mapie.regression import ConformalizedQuantileRegressor, CrossConformalRegressor, SplitConformalRegressor
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.model_selection import cross_val_score
from sklearn.utils.validation import check_is_fitted
from xgboost import XGBRegressor

from sklkd import CPredictor, DistilledRegressor, OnnxPredictor, to_c, to_onnx
from sklkd.losses import PinballLoss, TargetLoss
from sklkd.students import TabularStudent
from sklkd.teachers import Estimand, adapt

LEVELS = (0.9, 0.1, 0.5)


def rows(n, seed):
    """Targets whose spread grows with the first column."""
    rng = np.random.RandomState(seed)
    X = rng.uniform(-1, 1, (n, 3))
    return X, np.sin(3 * X[:, 1]) + (1.2 + X[:, 0]) * rng.randn(n)


class Crossing(RegressorMixin, BaseEstimator):
    """Quantiles that cross on half of the rows, in an order of levels of its own."""

    estimand = Estimand("quantile", "made up", LEVELS)

    def fit(self, X, y):
        self.fitted_ = True
        return self

    def predict(self, X):
        check_is_fitted(self)
        return np.column_stack([X[:, 0], -X[:, 0], X[:, 1]])


def pinball(y, values, levels):
    above = y[:, None] - values
    return np.maximum(np.array(levels) * above, (np.array(levels) - 1) * above).mean()


def never_cross(values, levels=LEVELS):
    return (np.diff(values[:, np.argsort(levels)], axis=1) >= 0).all()


@pytest.mark.parametrize("quantize", [None, "int8", "integer"])
def test_quantiles_do_not_cross_in_any_form(tmp_path, quantize):
    X, y = rows(400, 0)
    student = TabularStudent("tiny", max_epochs=8)
    est = DistilledRegressor(Crossing().fit(X, y), student, n_synthetic=800, random_state=0).fit(X, y)
    X_test = rows(500, 1)[0]
    values = est.predict(X_test)
    assert values.shape == (500, 3) and never_cross(values) and est._fitted.task.target_scaling.order == (2, 0, 1)
    assert np.allclose(est.student_.predict(est.encoder_.transform(X_test)), values, atol=1e-5)
    assert np.array_equal(est.without_teacher().predict(X_test), values)
    # from here on the network's own outputs are in another order, far apart
    est.student_.module_.output.bias.data += 3 * est.student_.module_.output.bias.new_tensor([-1.0, 1.0, 0.0])
    est._deploy(replace(est._fitted))
    crossed = est.predict(X_test)
    assert never_cross(crossed) and np.abs(crossed - values).max() > 0.1
    to_onnx(est, tmp_path / "student.onnx", X=X)
    made = OnnxPredictor(tmp_path / "student.onnx").predict(X_test)
    assert never_cross(made) and np.allclose(made, crossed, atol=1e-4)
    to_c(est, tmp_path / "student.c", X=X, quantize=quantize)
    made = CPredictor(tmp_path / "student.c").predict(X_test)
    assert never_cross(made) and np.allclose(made, crossed, atol=0.3 if quantize else 1e-4)


def test_the_student_learns_the_sorted_quantiles():
    X, y = rows(600, 0)
    teacher = Crossing().fit(X, y)
    est = DistilledRegressor(teacher, "small", augment=None, random_state=0).fit(X, y)
    assert (est.blend_, est.hard_weight_) == (0, 0)
    sorted_ = np.sort(teacher.predict(X), axis=1)[:, [2, 0, 1]]
    assert np.abs(est.predict(X) - sorted_).mean() < 0.1
    assert np.abs(est.predict(X) - teacher.predict(X)).mean() > 0.3


@pytest.mark.slow
def test_boosters_of_several_quantiles_keep_their_coverage():
    (X, y), (X_test, y_test) = rows(2000, 0), rows(3000, 1)
    teacher = XGBRegressor(
        objective="reg:quantileerror", quantile_alpha=list(LEVELS), n_estimators=60, max_depth=3
    ).fit(X, y)
    est = DistilledRegressor(teacher, "tiny", random_state=0).fit(X, y)
    found, usual = est.predict(X_test), teacher.predict(X_test)
    assert never_cross(found)
    below = np.mean(y_test[:, None] <= found, axis=0)
    assert np.abs(below - np.mean(y_test[:, None] <= usual, axis=0)).max() < 0.03
    assert pinball(y_test, found, LEVELS) < 1.02 * pinball(y_test, usual, LEVELS)


@pytest.mark.slow
def test_labels_repair_the_quantiles_of_a_biased_teacher():
    (X, y), (X_test, y_test) = rows(500, 0), rows(3000, 1)
    student = TabularStudent("tiny", max_epochs=20)  # of more, labels are learnt by heart

    class Biased(Crossing):
        estimand = Estimand("quantile", "made up", (0.1, 0.9))

        def predict(self, X):
            return np.column_stack([np.full(len(X), -0.5), np.full(len(X), 0.5)])

    losses = {}
    for name, loss in (("teacher", TargetLoss()), ("labels", PinballLoss())):
        est = DistilledRegressor(Biased().fit(X, y), student, loss=loss, augment=None, random_state=0).fit(X, y)
        losses[name] = pinball(y_test, est.predict(X_test), (0.1, 0.9))
    truth = HistGradientBoostingRegressor(max_iter=60, loss="quantile")
    best = np.column_stack([clone(truth).set_params(quantile=q).fit(X, y).predict(X_test) for q in (0.1, 0.9)])
    assert losses["labels"] < 1.1 * pinball(y_test, best, (0.1, 0.9)) < 0.8 * losses["teacher"]


class QuantileForest(RandomForestRegressor):
    """As quantile-forest has it: quantiles of the targets in the leaves, of unseen trees or of all."""

    def __init__(self, n_estimators=30, default_quantiles=LEVELS, random_state=None, min_samples_leaf=5):
        super().__init__(n_estimators, random_state=random_state, min_samples_leaf=min_samples_leaf)
        self.default_quantiles = default_quantiles

    def fit(self, X, y, sample_weight=None):
        super().fit(X, y, sample_weight)
        self.targets_, self.leaves_ = np.asarray(y), self.apply(X)
        return self

    def predict(self, X, oob_score=False):
        leaves = self.apply(X)
        if self.default_quantiles == "mean":
            return super().predict(X)
        made = np.empty((len(leaves), np.size(self.default_quantiles)))
        bags = [np.isin(np.arange(len(self.targets_)), bag) for bag in self.estimators_samples_]
        for i, row in enumerate(leaves):
            trees = [t for t in range(len(bags)) if not (oob_score and bags[t][i])] or range(len(bags))
            near = np.concatenate([np.flatnonzero((self.leaves_[:, t] == row[t]) & bags[t]) for t in trees])
            made[i] = np.quantile(self.targets_[near], self.default_quantiles)
        return made


def test_quantile_forests_are_recognised():
    X, y = rows(150, 0)
    forest = QuantileForest(random_state=0).fit(X, y)
    teacher = adapt(forest)
    assert teacher.estimand.kind == "quantile" and teacher.estimand.levels == LEVELS
    assert np.allclose(teacher.outputs(X, spread=True).values, forest.predict(X))
    found, unseen = teacher.out_of_bag(X, y)
    assert np.allclose(found[unseen], forest.predict(X, oob_score=True)[unseen]) and unseen.mean() > 0.99
    assert not np.allclose(found, forest.predict(X))
    with pytest.raises(ValueError, match="not verifiably those"):
        teacher.out_of_bag(X[::-1], y[::-1])
    assert adapt(QuantileForest(default_quantiles=0.5, random_state=0).fit(X, y)).estimand.kind == "median"
    assert adapt(QuantileForest(default_quantiles="mean", random_state=0).fit(X, y)).estimand.kind == "mean"
    student = TabularStudent("tiny", max_epochs=5)
    est = DistilledRegressor(QuantileForest(random_state=0), student, n_synthetic=100, random_state=0)
    est.fit(pd.DataFrame(X, columns=list("abc")), y)
    assert est.cv_ == "oob" and never_cross(est.predict(pd.DataFrame(X, columns=list("abc"))))


def mapie(way, est, X, y):
    """MAPIE's intervals of level 0.8 round a student, fitted and calibrated on these rows."""
    half = len(X) // 2
    if way == "cross":
        return CrossConformalRegressor(est, confidence_level=0.8, cv=2, random_state=0).fit_conformalize(X, y)
    if way == "quantiles":
        booster = GradientBoostingRegressor(loss="quantile", n_estimators=30, random_state=0)
        levels = [clone(est).set_params(teacher=clone(booster).set_params(alpha=level)) for level in (0.1, 0.9, 0.5)]
        fitted = [one.fit(X[:half], y[:half]) for one in levels]
        made = ConformalizedQuantileRegressor(fitted, confidence_level=0.8, prefit=True)
    elif way == "fitted":
        made = SplitConformalRegressor(clone(est).fit(X[:half], y[:half]), confidence_level=0.8, prefit=True)
    else:
        made = SplitConformalRegressor(est, confidence_level=0.8, prefit=False).fit(X[:half], y[:half])
    return made.conformalize(X[half:], y[half:])


@pytest.mark.parametrize("way", ["unfitted", "fitted", "cross", "quantiles"])
def test_intervals_of_mapie_cover(way):
    (X, y), (X_test, y_test) = rows(1000, 0), rows(2000, 1)
    teacher = RandomForestRegressor(20, random_state=0)
    est = DistilledRegressor(teacher, TabularStudent("tiny", max_epochs=5), n_synthetic=300, blend=0, random_state=0)
    _, ends = mapie(way, est, X, y).predict_interval(X_test)
    # of 500 calibration rows coverage is 0.8 with a standard deviation of 0.018
    assert 0.74 < np.mean((ends[:, 0, 0] <= y_test) & (y_test <= ends[:, 1, 0])) < 0.86


class Conformal(RegressorMixin, BaseEstimator):
    """Split conformal intervals round quantiles of any regressor (Romano, Patterson and Candès, 2019)."""

    def __init__(self, estimator, alpha=0.2):
        self.estimator, self.alpha = estimator, alpha

    def fit(self, X, y):
        half = len(X) // 2
        self.estimator_ = clone(self.estimator).fit(X[:half], y[:half])
        low, high = np.sort(self.estimator_.predict(X[half:]), axis=1)[:, [0, -1]].T
        scores = np.sort(np.maximum(low - y[half:], y[half:] - high))
        self.margin_ = scores[min(len(scores) - 1, int(np.ceil((len(scores) + 1) * (1 - self.alpha))) - 1)]
        return self

    def interval(self, X):
        low, high = np.sort(self.estimator_.predict(X), axis=1)[:, [0, -1]].T
        return low - self.margin_, high + self.margin_

    def predict(self, X):
        return np.mean(self.interval(X), axis=0)


def test_a_conformal_wrapper_round_a_student_covers():
    (X, y), (X_test, y_test) = rows(1000, 0), rows(2000, 1)
    est = DistilledRegressor(Crossing(), TabularStudent("tiny", max_epochs=5), n_synthetic=500, random_state=0)
    wrapped = Conformal(est).fit(X, y)
    low, high = wrapped.interval(X_test)
    # of 500 calibration rows coverage is 0.8 with a standard deviation of 0.018
    assert 0.74 < np.mean((low <= y_test) & (y_test <= high)) < 0.86
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(cross_val_score(Conformal(est), X[:200], y[:200], cv=2)).all()
