"""scikit-learn's own checks, with no expected failure where the teacher itself passes them."""

from __future__ import annotations

import inspect

import pytest
from catboost import CatBoostClassifier, CatBoostRegressor
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, RegressorMixin, clone
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier, SGDRegressor
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import RobustScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_sample_weight_equivalence_on_dense_data, parametrize_with_checks
from sklearn.utils.validation import validate_data
from torch import nn
from xgboost import XGBClassifier, XGBRegressor

from sklkd import DistilledClassifier, DistilledRegressor
from sklkd.losses import (
    CorrectedTargetLoss,
    DISTLoss,
    DKDLoss,
    FitNetLoss,
    FSPLoss,
    LeafEmbeddingLoss,
    LogitMSELoss,
    SimKDLoss,
    SoftTargetLoss,
    SPLoss,
    TargetLoss,
)
from sklkd.students import TabularStudent

from .problems import Net, quick, skorch_net

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")


def classifier(teacher=None, **params):
    teacher = ExtraTreesClassifier(20, random_state=0) if teacher is None else teacher
    return DistilledClassifier(teacher, **{"student": "tiny", "random_state": 0} | params)


def regressor(teacher=None, **params):
    teacher = ExtraTreesRegressor(20, random_state=0) if teacher is None else teacher
    return DistilledRegressor(teacher, **{"student": "tiny", "random_state": 0} | params)


EVERY_OTHER = [(slice(0, None, 2), slice(1, None, 2)), (slice(1, None, 2), slice(0, None, 2))]

DEFAULTS = [
    DistilledClassifier(ExtraTreesClassifier(20, random_state=0), random_state=0),
    DistilledRegressor(Ridge(), random_state=0),
]

# students that are no networks
ESTIMATORS = [
    DistilledClassifier(LogisticRegression(), DecisionTreeClassifier(max_depth=4), random_state=0),
    DistilledRegressor(Ridge(), Ridge(), random_state=0),
]
MORE_ESTIMATORS = [
    DistilledClassifier(LogisticRegression(), student, random_state=0)
    for student in (
        LogisticRegression(max_iter=500),
        GaussianNB(),
        SGDClassifier(loss="log_loss"),
        ExtraTreesClassifier(10),
        RandomForestClassifier(10),
        HistGradientBoostingClassifier(max_iter=20),
        XGBClassifier(n_estimators=10),
        LGBMClassifier(n_estimators=10, verbose=-1),
        CatBoostClassifier(iterations=10, verbose=0, allow_writing_files=False),
        make_pipeline(RobustScaler(), LogisticRegression()),
    )
] + [
    DistilledRegressor(Ridge(), student, random_state=0)
    for student in (
        DecisionTreeRegressor(max_depth=4),
        SGDRegressor(),
        ExtraTreesRegressor(10),
        HistGradientBoostingRegressor(max_iter=20),
        XGBRegressor(n_estimators=10),
        LGBMRegressor(n_estimators=10, verbose=-1),
        CatBoostRegressor(iterations=10, verbose=0, allow_writing_files=False),
    )
]

# enough epochs, and steps that are long enough, for the checks that want something learnt; between them every default
SMALL = [
    classifier(student=quick(20, lr=0.05), augment=None),
    regressor(Ridge(), student=quick(10, lr=0.05), hard_weight=0.1, blend=0),
]

SHORT = TabularStudent("tiny", max_epochs=20)
FORMS = [
    DistilledClassifier(LogisticRegression(), random_state=0),
    DistilledRegressor(ExtraTreesRegressor(20, random_state=0), random_state=0),
    classifier(cv=None, augment=None),
    classifier(cv=3),
    classifier(cv=StratifiedKFold(3)),
    classifier(cv=EVERY_OTHER),
    regressor(cv=3),
    regressor(cv=KFold(3)),
    classifier(hard_weight=0.5, blend=0),
    classifier(hard_weight=1),
    regressor(hard_weight=0.5, blend=0),
    classifier(loss=SoftTargetLoss(temperature=4.0)),
    classifier(loss=LogitMSELoss()),
    classifier(loss=DKDLoss()),
    classifier(loss=DISTLoss()),
    classifier(loss=CorrectedTargetLoss()),
    classifier(loss=[("kd", SoftTargetLoss(temperature=2.0)), ("mse", LogitMSELoss(weight=0.1))]),
    regressor(loss=TargetLoss(kind="huber")),
    regressor(loss=TargetLoss(kind="gaussian")),
    classifier(loss=FitNetLoss(), student=SHORT),
    classifier(loss=SimKDLoss(), student=SHORT),
    classifier(loss=[("kd", SoftTargetLoss()), ("sp", SPLoss(weight=100.0))], student=SHORT),
    regressor(loss=[("kd", TargetLoss()), ("leaves", LeafEmbeddingLoss())], student=SHORT),
    regressor(loss=FSPLoss(weight=0.01), student=SHORT),
    classifier(student=TabularStudent("tiny", max_epochs=20, module__hidden=(8,))),
    classifier(student=skorch_net(max_epochs=30)),
    regressor(student=skorch_net(nn.MSELoss, max_epochs=30)),
    classifier(student=make_pipeline(RobustScaler(), skorch_net(max_epochs=30))),
    regressor(student=make_pipeline(RobustScaler(), skorch_net(nn.MSELoss, max_epochs=30))),
    classifier(student=Net),
    classifier(teacher=[("et", ExtraTreesClassifier(10, random_state=0)), ("lr", LogisticRegression())]),
    classifier(teacher=classifier(LogisticRegression())),
]

# Their own fit does not honour that a weight of 2 and a repeated row are the same.
INEQUIVALENT = [
    classifier(RandomForestClassifier(20, random_state=0)),
    classifier(ExtraTreesClassifier(20, bootstrap=True, random_state=0), cv="oob"),
    classifier(HistGradientBoostingClassifier(max_iter=20, random_state=0)),
    classifier(BaggingClassifier(n_estimators=5, random_state=0)),
    regressor(RandomForestRegressor(20, random_state=0)),
    regressor(HistGradientBoostingRegressor(max_iter=20, random_state=0)),
]


@parametrize_with_checks(SMALL)
def test_small_student(estimator, check):
    check(estimator)


@parametrize_with_checks(ESTIMATORS)
def test_estimator_as_student(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(MORE_ESTIMATORS)
def test_more_estimators_as_students(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(DEFAULTS)
def test_default_student(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(FORMS)
def test_every_form(estimator, check):
    check(estimator)


class Wrapper(MetaEstimatorMixin, BaseEstimator):
    """Fits a teacher and does nothing else. An estimator with a ``cv`` gets other rows in the check."""

    def __init__(self, teacher, cv=None):
        self.teacher = teacher
        self.cv = cv

    def fit(self, X, y, sample_weight=None):
        X, y = validate_data(self, X, y)
        self.teacher_ = clone(self.teacher).fit(X, y, sample_weight=sample_weight)
        return self

    def predict(self, X):
        return self.teacher_.predict(X)


class WrappedClassifier(ClassifierMixin, Wrapper):
    def predict_proba(self, X):
        return self.teacher_.predict_proba(X)


class WrappedRegressor(RegressorMixin, Wrapper):
    pass


def wrapper_fails(teacher):
    """Whether a bare wrapper round a teacher fails the weight equivalence, too."""
    wrapper = (WrappedClassifier if get_tags(teacher).estimator_type == "classifier" else WrappedRegressor)(teacher)
    try:
        check_sample_weight_equivalence_on_dense_data("Wrapper", wrapper)
    except AssertionError:
        return True
    return False


def inequivalent(estimator):
    names = ("check_sample_weight_equivalence_on_dense_data", "check_sample_weight_equivalence_on_sparse_data")
    return {name: "the teacher's fit does not honour it" for name in names}


@pytest.mark.slow
@parametrize_with_checks(INEQUIVALENT, expected_failed_checks=inequivalent)
def test_teachers_without_weight_equivalence(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", INEQUIVALENT, ids=lambda estimator: type(estimator.teacher).__name__)
def test_a_bare_wrapper_round_these_teachers_fails_too(estimator):
    assert wrapper_fails(estimator.teacher)


def test_the_wrapper_itself_is_not_what_fails():
    assert not wrapper_fails(ExtraTreesClassifier(20, random_state=0))
    assert not wrapper_fails(Ridge())


@pytest.mark.parametrize("estimator", [DistilledClassifier, DistilledRegressor])
def test_signature(estimator):
    parameters = inspect.signature(estimator).parameters
    assert list(parameters) == [
        "teacher",
        "student",
        "loss",
        "hard_weight",
        "blend",
        "cv",
        "augment",
        "n_synthetic",
        "columns",
        "teacher_fit_params",
        "memory",
        "memory_limit",
        "checkpoint",
        "keep_teacher",
        "n_jobs",
        "random_state",
        "verbose",
    ]
    defaults = {name: one.default for name, one in parameters.items() if one.kind is one.KEYWORD_ONLY}
    assert defaults == {
        "loss": None,
        "hard_weight": "auto",
        "blend": "auto",
        "cv": "auto",
        "augment": "auto",
        "n_synthetic": "auto",
        "columns": None,
        "teacher_fit_params": None,
        "memory": None,
        "memory_limit": "auto",
        "checkpoint": None,
        "keep_teacher": True,
        "n_jobs": None,
        "random_state": None,
        "verbose": 0,
    }
