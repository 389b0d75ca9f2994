"""Clones that are fitted only to measure a teacher: cheaper ones, and ones without frozen parts."""

from __future__ import annotations

import catboost
import lightgbm
import numpy as np
import pytest
import skorch
import xgboost
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_selection import SelectFromModel
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, TargetEncoder
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from sklkd.teachers import has_frozen_part, is_fitted, reduced_teacher, unfrozen

X, Y = load_iris(return_X_y=True)
TREE = DecisionTreeClassifier(random_state=0).fit(X, Y)
FROZEN = FrozenEstimator(TREE)
LINEAR = LogisticRegression(max_iter=1000)


def rounds_and_rate(teacher):
    """Of the booster at the end."""
    params = teacher.get_params()
    rounds = next(value for name in ("n_estimators", "max_iter", "iterations") if (value := params.get(name)))
    return rounds, params.get("learning_rate")


@pytest.mark.parametrize(
    ("teacher", "rounds", "rate"),
    [
        # at their default rates, as given, as None and as not given
        (GradientBoostingClassifier(), 33, 0.3),
        (HistGradientBoostingClassifier(), 33, 0.3),
        (lightgbm.LGBMClassifier(), 33, 0.3),
        (lightgbm.LGBMClassifier(n_estimators=None, learning_rate=None), 33, 0.3),
        (xgboost.XGBClassifier(learning_rate=0.1), 33, 0.3),
        (xgboost.XGBClassifier(n_estimators=np.int64(300), learning_rate=0.05), 100, 0.15),
        (catboost.CatBoostClassifier(), 333, None),
        (catboost.CatBoostClassifier(learning_rate=0.06), 333, 0.18),
        (catboost.CatBoostClassifier(iterations=300, learning_rate=0.1), 100, 0.3),
        (catboost.CatBoostClassifier(n_estimators=300), 100, None),
        # bagged ensembles
        (RandomForestClassifier(500), 100, None),
        (BaggingClassifier(n_estimators=200), 100, None),
    ],
)
def test_a_third_of_the_rounds_at_three_times_the_rate(teacher, rounds, rate):
    before = teacher.get_params()
    reduced = reduced_teacher(teacher)
    got = rounds_and_rate(reduced)
    assert got[0] == rounds and (got[1] == pytest.approx(rate) if rate is not None else got[1] is None)
    assert type(reduced) is type(teacher) and teacher.get_params() == before


@pytest.mark.parametrize(
    "teacher",
    [
        # too fast, or few already
        xgboost.XGBClassifier(),
        xgboost.XGBClassifier(n_estimators=1000),
        lightgbm.LGBMClassifier(n_estimators=80),
        catboost.CatBoostClassifier(iterations=50),
        GradientBoostingClassifier(learning_rate=0.11),
        RandomForestClassifier(),
        LINEAR,
        FrozenEstimator(RandomForestClassifier(500)),
        make_pipeline(StandardScaler(), FrozenEstimator(GradientBoostingClassifier())),
    ],
)
def test_nothing_to_reduce(teacher):
    assert reduced_teacher(teacher) is teacher


def test_at_any_depth():
    voting = VotingClassifier([("a", ExtraTreesClassifier(300)), ("b", GridSearchCV(lightgbm.LGBMClassifier(), {}))])
    (_, reduced), (_, same) = reduced_teacher([("v", make_pipeline(StandardScaler(), voting)), ("l", LINEAR)])
    members = dict(reduced[-1].estimators)
    assert rounds_and_rate(members["a"]) == (100, None)
    assert rounds_and_rate(members["b"].estimator) == (33, pytest.approx(0.3)) and same is LINEAR


def frozen_parts(teacher):
    return [part for part in teacher.get_params().values() if isinstance(part, FrozenEstimator)]


HOLD_FROZEN = {
    "itself": FROZEN,
    "calibrated": CalibratedClassifierCV(FROZEN, cv=2),
    "last step": make_pipeline(StandardScaler(), FROZEN),
    "voting": VotingClassifier([("a", FROZEN), ("b", LINEAR)]),
    "stacking": StackingClassifier([("a", FROZEN), ("b", LINEAR)], cv=2),
    "prefit": StackingClassifier([("a", TREE)], cv="prefit"),
    "threshold": TunedThresholdClassifierCV(LINEAR, cv="prefit", refit=False),
    "selection": make_pipeline(SelectFromModel(TREE, prefit=True), LINEAR),
    "deep": make_pipeline(StandardScaler(), VotingClassifier([("a", CalibratedClassifierCV(FROZEN, cv=2))])),
    "frozen pipeline": FrozenEstimator(make_pipeline(StandardScaler(), FROZEN).fit(X, Y)),
    "supervised transformer": make_pipeline(
        make_column_transformer((FrozenEstimator(TargetEncoder().fit(X, Y)), [0, 1, 2, 3])), LINEAR
    ),
    "search": GridSearchCV(CalibratedClassifierCV(FROZEN), {"cv": [2]}, cv=2),
}


@pytest.mark.parametrize("kind", HOLD_FROZEN)
def test_frozen_parts_at_any_depth(kind):
    teacher = HOLD_FROZEN[kind]
    before = repr(teacher)
    assert has_frozen_part(teacher) and has_frozen_part([("a", LINEAR), ("b", teacher)])
    free = unfrozen(teacher)
    assert not has_frozen_part(free) and not frozen_parts(free) and not is_fitted(free)
    free.fit(X[:100], Y[:100])
    # it knows nothing of the class that it was not given
    assert set(free.classes_) == {0, 1} and repr(teacher) == before
    assert is_fitted(TREE) and set(TREE.classes_) == {0, 1, 2}


@pytest.mark.parametrize(
    "teacher", [TREE, LINEAR, make_pipeline(FrozenEstimator(StandardScaler().fit(X)), LINEAR), object()]
)
def test_no_frozen_part(teacher):
    """A frozen transformer that has seen no labels leaves predictions out of sample."""
    assert not has_frozen_part(teacher)


def test_a_net_of_a_module_that_it_has_trained_itself():
    net = skorch.NeuralNetClassifier(nn.Linear(4, 3), max_epochs=1, verbose=0, train_split=None)
    assert not has_frozen_part(net)
    net.fit(X.astype(np.float32), Y)
    assert has_frozen_part(net)
    by_class = skorch.NeuralNetClassifier(
        nn.Linear, module__in_features=4, module__out_features=3, max_epochs=1, verbose=0, train_split=None
    )
    assert not has_frozen_part(by_class.fit(X.astype(np.float32), Y)) and not is_fitted(clone(by_class))
