"""scikit-learn's own checks of the self mode, with no expected failure."""

from __future__ import annotations

import inspect

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklkd import SelfDistilledClassifier, SelfDistilledRegressor
from sklkd.losses import FitNetLoss
from sklkd.methods import BornAgain, DeepToShallow, EpochToEpoch, LastBatch, SameClassPairs, VirtualTeacher

from .problems import quick

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")

ESTIMATORS = [SelfDistilledClassifier, SelfDistilledRegressor]


def student():
    # enough epochs, and steps that are long enough, for the checks that want something learnt; a layer to leave early
    return quick(10, lr=0.1, batch_size=64, module__hidden=(12, 12))


FORMS = [
    SelfDistilledClassifier(student(), method=method, random_state=0)
    for method in (
        EpochToEpoch(alpha=0.5),
        DeepToShallow(temperature=2.0),
        BornAgain(),
        VirtualTeacher(),
        SameClassPairs(),
    )
]
OTHERS = [
    SelfDistilledRegressor(student(), method=method, random_state=0)
    for method in (EpochToEpoch(alpha=0.5), DeepToShallow(loss=FitNetLoss()), BornAgain(ensemble=True))
] + [SelfDistilledClassifier(student(), method=BornAgain(generations=3, ensemble=True), random_state=0)]


@parametrize_with_checks([estimator(student(), method=LastBatch(), random_state=0) for estimator in ESTIMATORS])
def test_small_networks(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks([estimator(random_state=0) for estimator in ESTIMATORS])
def test_default_form(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(FORMS)
def test_one_form_of_each_method(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(OTHERS)
def test_other_forms(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_signature(estimator):
    parameters = inspect.signature(estimator).parameters
    assert {name: one.default for name, one in parameters.items()} == {
        "student": None,
        "method": None,
        "random_state": None,
        "verbose": 0,
    }
    assert [name for name, one in parameters.items() if one.kind is not one.KEYWORD_ONLY] == ["student"]
