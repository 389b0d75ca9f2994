"""scikit-learn's own checks of the online mode, with no expected failure."""

from __future__ import annotations

import inspect

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklkd import OnlineDistilledClassifier, OnlineDistilledRegressor
from sklkd.losses import FitNetLoss
from sklkd.methods import Codistillation, CollaborativeEnsemble, GatedEnsemble, MutualLearning

from .problems import quick

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")


def quick_peers(**params):
    # enough epochs, and steps that are long enough, for the checks that want something learnt
    return [(name, quick(10, lr=0.1, **params)) for name in ("a", "b")]


METHODS = [GatedEnsemble(), CollaborativeEnsemble(), Codistillation()]
ESTIMATORS = [OnlineDistilledClassifier, OnlineDistilledRegressor]
UNEQUAL = [*quick_peers()[:1], *quick_peers(module__hidden=(9, 9))[1:]]
FORMS = [
    OnlineDistilledClassifier(UNEQUAL, method=MutualLearning(temperature=2.0), random_state=0),
    OnlineDistilledClassifier(quick_peers(), method=MutualLearning(loss=FitNetLoss()), random_state=0),
    OnlineDistilledClassifier(quick_peers(), deploy="ensemble", random_state=0),
    OnlineDistilledRegressor(quick_peers(), deploy="smallest", random_state=0),
    OnlineDistilledRegressor(quick_peers(), method=CollaborativeEnsemble(combination="best"), random_state=0),
]


@parametrize_with_checks([estimator(quick_peers(), random_state=0) for estimator in ESTIMATORS])
def test_small_networks(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks([estimator(random_state=0) for estimator in ESTIMATORS])
def test_default_form(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(
    [OnlineDistilledClassifier(quick_peers(), method=method, random_state=0) for method in METHODS]
)
def test_one_form_of_each_method(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(
    [OnlineDistilledRegressor(quick_peers(), method=method, random_state=0) for method in METHODS] + FORMS
)
def test_other_forms(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_signature(estimator):
    parameters = inspect.signature(estimator).parameters
    assert {name: one.default for name, one in parameters.items()} == {
        "peers": 2,
        "method": None,
        "deploy": "best",
        "validation_fraction": 0.1,
        "random_state": None,
        "verbose": 0,
    }
    assert [name for name, one in parameters.items() if one.kind is not one.KEYWORD_ONLY] == ["peers"]
