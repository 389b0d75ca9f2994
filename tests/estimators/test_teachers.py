"""Every kind of teacher, through the estimator."""

from __future__ import annotations

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from catboost import CatBoostClassifier, CatBoostRegressor
from lightgbm import LGBMClassifier, LGBMRegressor
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier
from skorch import NeuralNet, NeuralNetBinaryClassifier, NeuralNetClassifier, NeuralNetRegressor
from torch import nn
from xgboost import XGBClassifier, XGBRegressor

from sklkd import DistilledClassifier, DistilledRegressor
from sklkd.exceptions import TeacherWarning
from sklkd.teachers import Precomputed, Teacher

from .problems import LABELS, Net, classes, quick, skorch_net, targets


def forest(**params):
    return RandomForestClassifier(10, random_state=0, **params)


TRAINING = {"optimizer": torch.optim.Adam, "lr": 0.05, "train_split": None, "verbose": 0}

CLASSIFIERS = {
    "tree": DecisionTreeClassifier(max_depth=4, random_state=0),
    "forest": forest(),
    "boosting": GradientBoostingClassifier(n_estimators=10, random_state=0),
    "histogram boosting": HistGradientBoostingClassifier(max_iter=10, random_state=0),
    "adaboost": AdaBoostClassifier(DecisionTreeClassifier(max_depth=3), n_estimators=10, random_state=0),
    "linear": LogisticRegression(),
    "naive Bayes": GaussianNB(),
    "neighbours": KNeighborsClassifier(),
    "SVC": SVC(),
    "LinearSVC": LinearSVC(),
    "perceptron": MLPClassifier((16,), solver="lbfgs", max_iter=1000, random_state=0),
    "one against the rest": OneVsRestClassifier(LogisticRegression()),
    "pipeline": make_pipeline(StandardScaler(), forest()),
    "search": GridSearchCV(forest(), {"max_depth": [2, None]}, cv=2),
    "search in a pipeline": make_pipeline(StandardScaler(), GridSearchCV(forest(), {"max_depth": [2, None]}, cv=2)),
    "soft voting": VotingClassifier([("a", forest()), ("b", LogisticRegression())], voting="soft"),
    "hard voting": VotingClassifier([("a", forest()), ("b", LogisticRegression())], voting="hard"),
    "stacking": StackingClassifier([("a", forest()), ("b", LogisticRegression())], cv=2),
    "bagging": BaggingClassifier(DecisionTreeClassifier(max_depth=4), n_estimators=5, random_state=0),
    "bagged SVC": BaggingClassifier(SVC(), n_estimators=3, random_state=0),
    "calibrated": CalibratedClassifierCV(forest(), cv=2),
    "XGBoost": XGBClassifier(n_estimators=10, n_jobs=1, max_depth=3),
    "LightGBM": LGBMClassifier(n_estimators=10, min_child_samples=5, n_jobs=1, verbose=-1),
    "CatBoost": CatBoostClassifier(iterations=10, depth=3, thread_count=1, verbose=False, allow_writing_files=False),
    "XGBoost in a pipeline": make_pipeline(StandardScaler(), XGBClassifier(n_estimators=10, n_jobs=1, max_depth=3)),
    "XGBoost in a search": GridSearchCV(XGBClassifier(n_estimators=10, n_jobs=1), {"max_depth": [1, 3]}, cv=2),
    "XGBoost, calibrated": CalibratedClassifierCV(XGBClassifier(n_estimators=10, n_jobs=1, max_depth=3), cv=2),
    "skorch": NeuralNetClassifier(
        Net, criterion=nn.CrossEntropyLoss, module__n_features=5, module__n_outputs=3, **TRAINING, max_epochs=40
    ),
    "list": [("forest", forest()), ("linear", LogisticRegression())],
    "list with XGBoost": [
        ("xgb", XGBClassifier(n_estimators=10, n_jobs=1, max_depth=3)),
        ("linear", LogisticRegression()),
    ],
    "distilled": DistilledClassifier(forest(), quick(40), augment=None, random_state=0),
}
CLASSIFIERS["skorch in a pipeline"] = make_pipeline(StandardScaler(), clone(CLASSIFIERS["skorch"]))

REGRESSORS = {
    "forest": RandomForestRegressor(10, random_state=0),
    "histogram boosting": HistGradientBoostingRegressor(max_iter=30, random_state=0),
    "linear": Ridge(),
    "neighbours": KNeighborsRegressor(),
    "pipeline": make_pipeline(StandardScaler(), Ridge()),
    "search": GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=2),
    "voting": VotingRegressor([("a", RandomForestRegressor(10, random_state=0)), ("b", Ridge())]),
    "stacking": StackingRegressor([("a", RandomForestRegressor(10, random_state=0)), ("b", Ridge())], cv=2),
    "bagging": BaggingRegressor(Ridge(), n_estimators=3, random_state=0),
    "transformed target": TransformedTargetRegressor(Ridge(), transformer=StandardScaler()),
    "XGBoost": XGBRegressor(n_estimators=30, n_jobs=1, max_depth=3),
    "LightGBM": LGBMRegressor(n_estimators=30, min_child_samples=5, n_jobs=1, verbose=-1),
    "CatBoost": CatBoostRegressor(iterations=30, depth=3, thread_count=1, verbose=False, allow_writing_files=False),
    "list": [("forest", RandomForestRegressor(10, random_state=0)), ("linear", Ridge())],
    "distilled": DistilledRegressor(Ridge(), quick(60), augment=None, random_state=0),
}


@pytest.mark.parametrize("labels", [LABELS, [1, 2, 3], [2.0, 5.0, 7.0]], ids=["strings", "integers from 1", "floats"])
@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_classifiers(kind, labels):
    X, y = classes(labels=labels)
    teacher = CLASSIFIERS[kind]
    before = repr(teacher)
    est = DistilledClassifier(teacher, quick(30), augment=None, hard_weight=0, blend=0, cv=None, random_state=0).fit(
        X, y
    )
    np.testing.assert_array_equal(est.classes_, labels)
    assert est.predict(X).dtype == est.classes_.dtype
    assert est.teacher_refitted_ and est.teacher_ is not teacher and repr(teacher) == before
    proba = est.predict_proba(X)
    assert proba.dtype == np.float64 and proba.shape == (len(X), 3)
    np.testing.assert_allclose(proba.sum(1), 1)
    # labels had no part in it: only a teacher whose columns were read right makes a student that knows them
    assert accuracy_score(y, est.predict(X)) > 0.6


@pytest.mark.parametrize("kind", REGRESSORS)
def test_regressors(kind):
    X, y = targets()
    teacher = REGRESSORS[kind]
    est = DistilledRegressor(teacher, quick(60), augment=None, hard_weight=0, blend=0, cv=None, random_state=0).fit(
        X, y
    )
    assert est.teacher_refitted_ and est.predict(X).dtype == np.float64 and est.predict(X).shape == y.shape
    assert r2_score(y, est.predict(X)) > 0.5


@pytest.mark.parametrize(
    "teacher", [RandomForestRegressor(5, random_state=0), LinearRegression(), KNeighborsRegressor()]
)
def test_several_targets(teacher):
    X, y = targets(n_targets=3)
    est = DistilledRegressor(teacher, quick(40), augment=None, hard_weight=0, blend=0, random_state=0).fit(X, y)
    assert est.predict(X).shape == y.shape
    assert (r2_score(y, est.predict(X), multioutput="raw_values") > 0.4).all()


def test_several_targets_of_a_skorch_net():
    X, y = targets(n_targets=2)
    scaled = (y - y.mean(0)) / y.std(0)
    net = NeuralNetRegressor(Net, module__n_features=5, module__n_outputs=2, lr=0.05, max_epochs=20, verbose=0)
    est = DistilledRegressor(net, quick(40), augment=None, hard_weight=0, blend=0, random_state=0).fit(X, scaled)
    assert r2_score(scaled, est.predict(X)) > 0.4
    assert not net.__sklearn_is_fitted__() if hasattr(net, "__sklearn_is_fitted__") else not net.initialized_


@pytest.mark.parametrize(
    "kind", ["forest", "pipeline", "hard voting", "XGBoost", "LightGBM", "CatBoost", "skorch", "SVC"]
)
def test_a_fitted_teacher_is_used_as_it_stands(kind):
    X, y = classes()
    codes = np.searchsorted(LABELS, y)
    teacher = clone(CLASSIFIERS[kind])
    torch.manual_seed(0)
    rows = X.astype(np.float32) if kind == "skorch" else X
    teacher.fit(rows, codes if kind in ("XGBoost", "skorch") else y)
    method = "predict_proba" if hasattr(teacher, "predict_proba") else "predict"
    before = getattr(teacher, method)(rows).copy()
    attributes = set(vars(teacher))
    est = DistilledClassifier(teacher, quick(30), augment=None, hard_weight=0, blend=0, random_state=0).fit(X, y)
    assert est.teacher_ is teacher and not est.teacher_refitted_
    assert est.get_params()["teacher"] is teacher
    np.testing.assert_array_equal(getattr(teacher, method)(rows), before)
    assert set(vars(teacher)) == attributes
    assert accuracy_score(y, est.predict(X)) > 0.6


def test_a_bare_fitted_teacher_is_refitted_after_clone_and_a_frozen_one_is_not():
    X, y = classes()
    fitted = forest().fit(X, y)
    est = clone(DistilledClassifier(fitted, quick())).fit(X[:60], y[:60])
    assert est.teacher_refitted_ and est.teacher_ is not fitted
    assert est.teacher_.estimators_[0].tree_.n_node_samples[0] < 60
    frozen = FrozenEstimator(fitted)
    est = clone(DistilledClassifier(frozen, quick())).fit(X[:60], y[:60])
    assert not est.teacher_refitted_ and est.teacher_.estimator is fitted
    straight = DistilledClassifier(frozen, quick()).fit(X, y)
    assert straight.teacher_ is frozen


def test_nothing_leaks_in_cross_validation():
    """A teacher that has learnt every row by heart would score 1 on rows that are noise."""
    rng = np.random.RandomState(0)
    X, y = rng.rand(120, 5), rng.randint(2, size=120)
    teacher = DecisionTreeClassifier(random_state=0).fit(X, y)
    params = {"augment": None, "hard_weight": 0.0, "blend": 0, "random_state": 0}
    bare = cross_val_score(DistilledClassifier(teacher, quick(60), **params), X, y, cv=3)
    frozen = cross_val_score(DistilledClassifier(FrozenEstimator(teacher), quick(60), **params), X, y, cv=3)
    assert bare.mean() < 0.62
    assert frozen.mean() < 0.75  # the rows it has learnt by heart are not asked about


class WithProba:
    """A class of the user's own, without get_params."""

    def __init__(self, weights):
        self.weights = weights

    def predict_proba(self, X):
        return softmax(np.asarray(X) @ self.weights, axis=1)


class WithMargins(WithProba):
    predict_proba = None

    def __getattribute__(self, name):
        if name == "predict_proba":
            raise AttributeError(name)
        return super().__getattribute__(name)

    def decision_function(self, X):
        return np.asarray(X) @ self.weights


class WithLabels(WithMargins):
    def __getattribute__(self, name):
        if name == "decision_function":
            raise AttributeError(name)
        return super().__getattribute__(name)

    def predict(self, X):
        return LABELS[(np.asarray(X) @ self.weights).argmax(1)]


class NoFit(BaseEstimator):
    """It has parameters, but nothing to fit."""

    def __init__(self, scale=1.0):
        self.scale = scale

    def predict_proba(self, X):
        return softmax(self.scale * np.asarray(X)[:, :3], axis=1)


WEIGHTS = np.random.RandomState(0).randn(5, 3)


@pytest.mark.parametrize("teacher", [WithProba(WEIGHTS), WithMargins(WEIGHTS), WithLabels(WEIGHTS), NoFit(3.0)])
def test_objects_of_the_user(teacher):
    X, _ = classes(300)
    weights = np.eye(5, 3) if isinstance(teacher, NoFit) else WEIGHTS
    y = LABELS[(X @ weights).argmax(1)]
    est = DistilledClassifier(teacher, quick(40), augment=None, hard_weight=0, blend=0, random_state=0)
    for one in (est, clone(est)):
        one.fit(X, y)
        assert not one.teacher_refitted_
        assert accuracy_score(y, one.predict(X)) > 0.8
    assert est.teacher_ is teacher
    assert type(pickle.loads(pickle.dumps(est)).teacher_) is type(teacher)


class Memoriser(ClassifierMixin, BaseEstimator):
    """A user's estimator that is fitted, by scikit-learn's conventions."""

    def fit(self, X, y):
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.means_ = np.stack([np.asarray(X)[codes == k].mean(0) for k in range(len(self.classes_))])
        return self

    def decision_function(self, X):
        return -((np.asarray(X)[:, None] - self.means_) ** 2).sum(2)

    def predict(self, X):
        return self.classes_[self.decision_function(X).argmax(1)]


def test_an_estimator_of_the_user():
    X, y = classes()
    est = DistilledClassifier(Memoriser(), quick(30), augment=None, hard_weight=0, blend=0, random_state=0).fit(X, y)
    assert est.teacher_refitted_ and accuracy_score(est.teacher_.predict(X), est.predict(X)) > 0.8
    fitted = Memoriser().fit(X, y)
    assert DistilledClassifier(fitted, quick(), augment=None).fit(X, y).teacher_ is fitted


class Scaled(Net):
    """Sure of what it says, though it has learnt nothing."""

    def forward(self, X):
        return 10 * super().forward(X)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_torch_module(dtype):
    X, y = classes()
    torch.manual_seed(0)
    module = Scaled(5, 3).to(dtype).train()
    y = LABELS[module(torch.tensor(X, dtype=dtype)).argmax(1).numpy()]
    state = copy.deepcopy(module.state_dict())
    est = DistilledClassifier(module, quick(60), augment=None, hard_weight=0, blend=0, random_state=0)
    for one in (est, clone(est)):  # it survives clone as it is
        one.fit(X, y)
        assert not one.teacher_refitted_ and accuracy_score(y, one.predict(X)) > 0.8
    assert est.teacher_ is module and module.training
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())


def test_torch_module_for_regression():
    X, _ = targets()
    module = nn.Linear(5, 1)
    y = module(torch.tensor(X, dtype=torch.float32)).detach().numpy()[:, 0]
    est = DistilledRegressor(module, quick(60), augment=None, hard_weight=0, blend=0, random_state=0).fit(X, y)
    assert r2_score(y, est.predict(X)) > 0.9


def test_binary_skorch_net():
    X, y = classes(labels=["no", "yes"])
    net = NeuralNetBinaryClassifier(Net, module__n_features=5, module__n_outputs=1, **TRAINING, max_epochs=40)
    est = DistilledClassifier(net, quick(40), augment=None, hard_weight=0, blend=0, random_state=0).fit(X, y)
    assert accuracy_score(y, est.predict(X)) > 0.75


def test_skorch_net_of_another_dtype():
    class Double(Net):
        def __init__(self, n_features, n_outputs):
            super().__init__(n_features, n_outputs)
            self.double()

    X, y = targets()
    net = NeuralNetRegressor(Double, module__n_features=5, module__n_outputs=1, lr=0.01, max_epochs=5, verbose=0)
    est = DistilledRegressor(net, quick(), random_state=0).fit(X, (y - y.mean()) / y.std())
    assert next(est.teacher_.module_.parameters()).dtype == torch.float64


def test_skorch_teachers_are_seeded_and_leave_the_global_generator_alone():
    X, y = classes()
    state = torch.random.get_rng_state()
    for kind in ("skorch", "skorch in a pipeline"):
        fits = [DistilledClassifier(CLASSIFIERS[kind], quick(), random_state=0).fit(X, y) for _ in range(2)]
        np.testing.assert_array_equal(*(fit.predict_proba(X) for fit in fits))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_precomputed():
    X, y = classes()
    outputs = forest().fit(X, y).predict_proba(X)
    est = DistilledClassifier(Precomputed(outputs), quick(30), random_state=0).fit(X, y)
    assert est.augment_ is None and not est.teacher_refitted_
    # columns in another order, named
    turned = DistilledClassifier(Precomputed(outputs[:, ::-1], classes=LABELS[::-1]), quick(30), random_state=0).fit(
        X, y
    )
    np.testing.assert_array_equal(est.predict_proba(X), turned.predict_proba(X))
    given = DistilledClassifier(None, quick(30), random_state=0).fit(X, y, teacher_outputs=outputs)
    np.testing.assert_array_equal(est.predict_proba(X), given.predict_proba(X))


def test_precomputed_values():
    X, y = targets(n_targets=2)
    est = DistilledRegressor(None, quick(40), hard_weight=0, blend=0, random_state=0).fit(X, y, teacher_outputs=y + 1)
    same = DistilledRegressor(Precomputed(y + 1), quick(40), hard_weight=0, blend=0, random_state=0).fit(X, y)
    np.testing.assert_array_equal(est.predict(X), same.predict(X))
    assert r2_score(y, est.predict(X)) > 0.5


def test_teacher_outputs_are_sliced_by_cross_validation():
    X, y = classes()
    outputs = forest().fit(X, y).predict_proba(X)
    est = DistilledClassifier(None, quick(60), hard_weight=0, blend=0, random_state=0)
    assert cross_val_score(est, X, y, cv=3, params={"teacher_outputs": outputs}, error_score="raise").mean() > 0.6
    search = GridSearchCV(est, {"loss": [None]}, cv=3, error_score="raise").fit(X, y, teacher_outputs=outputs)
    assert search.best_score_ > 0.6
    precomputed = DistilledClassifier(Precomputed(outputs), quick())
    with pytest.raises(ValueError, match=r"Precomputed holds outputs for 120 rows, but X has 80 rows.*teacher_outputs"):
        cross_val_score(precomputed, X, y, cv=3, error_score="raise")


def test_list_of_teachers_is_their_mean_by_name_of_class():
    X, y = classes()
    first, second = forest().fit(X, y), LogisticRegression().fit(X, y)
    other = Renamed(second, LABELS[::-1])
    params = {"student": skorch_net(), "augment": None, "hard_weight": 0, "blend": 0, "random_state": 0}
    est = DistilledClassifier([("a", first), ("b", other)], cv=None, **params).fit(X, y)
    mean = (first.predict_proba(X) + second.predict_proba(X)) / 2
    same = DistilledClassifier(Precomputed(mean), **params).fit(X, y)
    np.testing.assert_allclose(est.predict_proba(X), same.predict_proba(X), rtol=1e-6)
    assert not est.teacher_refitted_ and est.teacher_[0][1] is first


class Renamed:
    """The same model, with the columns of its answer in another order."""

    def __init__(self, model, classes):
        self.model, self.classes_ = model, classes

    def predict_proba(self, X):
        columns = np.searchsorted(self.model.classes_, self.classes_)
        return self.model.predict_proba(X)[:, columns]


def test_fitted_members_of_a_list_are_kept_and_others_fitted():
    X, y = classes()
    kept = forest().fit(X[:80], y[:80])
    bare = LogisticRegression()
    est = DistilledClassifier([("kept", kept), ("bare", bare)], quick(), random_state=0).fit(X, y)
    names, (first, second) = zip(*est.teacher_, strict=True)
    assert names == ("kept", "bare") and first is kept and second is not bare
    assert hasattr(second, "coef_") and not hasattr(bare, "coef_")
    assert est.teacher_refitted_


def test_members_of_a_list_get_seeds_of_their_own():
    X, y = classes()
    twins = [("a", ExtraTreesClassifier(3)), ("b", ExtraTreesClassifier(3))]
    est = DistilledClassifier(twins, quick(), random_state=0).fit(X, y)
    first, second = (member for _, member in est.teacher_)
    assert not np.array_equal(first.feature_importances_, second.feature_importances_)
    again = DistilledClassifier(twins, quick(), random_state=0).fit(X, y)
    np.testing.assert_array_equal(first.predict_proba(X), again.teacher_[0][1].predict_proba(X))


def test_only_open_random_states_are_seeded_and_only_with_a_seed():
    X, y = classes()
    teacher = VotingClassifier([("a", RandomForestClassifier(2)), ("b", RandomForestClassifier(2, random_state=7))])
    est = DistilledClassifier(teacher, quick(), random_state=0).fit(X, y)
    states = [one.random_state for _, one in est.teacher_.estimators]
    assert isinstance(states[0], int) and states[1] == 7
    assert teacher.estimators[0][1].random_state is None
    unseeded = DistilledClassifier(teacher, quick()).fit(X, y)
    assert [one.random_state for _, one in unseeded.teacher_.estimators] == [None, 7]


def test_surplus_classes_of_a_kept_teacher_are_dropped():
    X, y = classes(200)
    teacher = LogisticRegression().fit(X, y)
    two = y != "bee"
    est = DistilledClassifier(teacher, quick(40), augment=None, hard_weight=0, blend=0, random_state=0).fit(
        X[two], y[two]
    )
    told = teacher.predict_proba(X[two])[:, [0, 2]]
    same = DistilledClassifier(
        Precomputed(told / told.sum(1, keepdims=True)), quick(40), hard_weight=0, blend=0, random_state=0
    )
    np.testing.assert_array_equal(est.predict(X), same.fit(X[two], y[two]).predict(X))
    assert list(est.classes_) == ["ant", "cat"]


def test_a_class_that_a_kept_teacher_has_never_seen_is_an_error():
    X, y = classes()
    teacher = forest().fit(X[y != "bee"], y[y != "bee"])
    with pytest.raises(ValueError, match="has never seen class 'bee' of y"):
        DistilledClassifier(teacher, quick()).fit(X, y)
    with pytest.raises(ValueError, match="has never seen class 'bee' of y"):
        DistilledClassifier([("a", teacher), ("b", LogisticRegression())], quick()).fit(X, y)


def test_a_class_that_a_fold_lacks_gets_the_floor():
    X, y = classes()
    rare = np.flatnonzero(y == "bee")[0]
    keep = [*np.flatnonzero(y != "bee").tolist(), rare]
    X, y = X[keep], y[keep]
    splits = [(np.arange(len(y) - 1), [len(y) - 1])]  # the only bee is held out
    for teacher in (forest(), CLASSIFIERS["XGBoost"]):
        est = DistilledClassifier(teacher, quick(), cv=splits, random_state=0).fit(X, y)
        assert list(est.classes_) == ["ant", "bee", "cat"]
        assert np.isfinite(est.predict_proba(X)).all()


def test_chain_of_assistants():
    X, y = classes(200)
    assistant = DistilledClassifier(forest(), quick(40), augment=None, random_state=0)
    chain = DistilledClassifier(assistant, quick(40), augment=None, random_state=0).fit(X, y)
    assert isinstance(chain.teacher_, DistilledClassifier) and isinstance(
        chain.teacher_.teacher_, RandomForestClassifier
    )
    assert chain.score(X, y) > 0.7
    fitted = assistant.fit(X, y)
    kept = DistilledClassifier(fitted, quick(40), augment=None, random_state=0).fit(X, y)
    assert kept.teacher_ is fitted
    light = DistilledClassifier(fitted.without_teacher(), quick(40), augment=None, random_state=0).fit(X, y)
    assert light.score(X, y) > 0.7 and light.teacher_.teacher_ is None


def test_teacher_gets_the_rows_as_they_are():
    frame = pd.DataFrame({"size": [1.0, 2.0, 3.0, 4.0] * 10, "colour": ["red", "blue"] * 20})
    y = np.array(["a", "b", "b", "a"] * 10)

    class Picky(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            assert isinstance(X, pd.DataFrame) and len(X) == 40
            pd.testing.assert_frame_equal(X, frame)
            assert y.tolist() == ["a", "b", "b", "a"] * 10
            self.classes_ = np.unique(y)
            return self

        def predict_proba(self, X):
            assert isinstance(X, pd.DataFrame) and list(X.columns) == ["size", "colour"]
            assert X.dtypes.tolist() == frame.dtypes.tolist()
            return np.full((len(X), 2), 0.5)

    DistilledClassifier(Picky(), quick(), hard_weight=0.5, blend=0).fit(frame, y)


@pytest.mark.parametrize(
    ("kind", "end", "kept", "cause"),
    [
        (NeuralNetClassifier, (), True, "worse on .* returns logits under NLLLoss.* end the module in a softmax,"),
        (NeuralNetClassifier, (), False, "returns logits under NLLLoss.* end the module in a softmax,"),
        (NeuralNetClassifier, (nn.LogSoftmax(1),), False, "returns log-probabilities under NLLLoss"),
        (NeuralNetClassifier, (nn.Softmax(1),), False, None),
        (NeuralNet, (), False, "returns logits under NLLLoss.* end the module in a log-softmax,"),
        (NeuralNet, (nn.LogSoftmax(1),), False, None),
    ],
)
def test_a_net_whose_module_returns_what_its_criterion_does_not_take(kind, end, kept, cause):
    X, y = load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X).astype(np.float32)
    torch.manual_seed(0)
    net = kind(
        nn.Sequential(nn.Linear(4, 3), *end), criterion=nn.NLLLoss, max_epochs=20, lr=0.1, train_split=None, verbose=0
    )
    est = DistilledClassifier(net.fit(X, y) if kept else net, quick(), hard_weight=0.1, blend=0, augment=None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if cause is None:
            est.fit(X, y)
            return
        with pytest.warns(TeacherWarning, match=cause):
            est.fit(X, y)


def test_a_net_of_logits_that_was_trained_elsewhere_is_no_mistake():
    X, y = load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X).astype(np.float32)
    torch.manual_seed(0)
    trained = NeuralNetClassifier(
        nn.Linear(4, 3), criterion=nn.CrossEntropyLoss, max_epochs=20, lr=0.1, train_split=None, verbose=0
    ).fit(X, y)
    net = NeuralNetClassifier(trained.module_).initialize()
    net.classes = [0, 1, 2]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert DistilledClassifier(net, quick(), hard_weight=0.1, blend=0, augment=None).fit(X, y).teacher_ is net


def test_warning_where_a_kept_teacher_is_given_other_columns():
    X, y = classes()
    X = X * [1, 1000, 1, 1, 1] + 50
    teacher = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    scaled = StandardScaler().fit_transform(X)
    with pytest.warns(
        TeacherWarning, match=r"worse on the given rows than the class prior.*behind a Pipeline's scaler"
    ):
        DistilledClassifier(teacher, quick()).fit(scaled, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DistilledClassifier(teacher, quick()).fit(X, y)
    with pytest.warns(TeacherWarning, match="the given outputs do worse.*in another order than the rows of X"):
        outputs = teacher.predict_proba(X)
        DistilledClassifier(None, quick()).fit(X, y, teacher_outputs=outputs[np.argsort(y)[::-1]])
    Xr, yr = targets()
    with pytest.warns(TeacherWarning, match="than the mean alone"):
        DistilledRegressor(Ridge().fit(Xr, yr), quick()).fit(Xr * 100, yr)


@pytest.mark.filterwarnings("error")
def test_no_such_warning_for_hard_labels_or_the_prior_itself():
    from sklearn.dummy import DummyClassifier, DummyRegressor

    X, y = classes()
    DistilledClassifier(DummyClassifier().fit(X, y), quick()).fit(X, y)
    DistilledClassifier(LinearSVC().fit(X, y), quick()).fit(X, y)
    Xr, yr = targets()
    DistilledRegressor(DummyRegressor().fit(Xr, yr), quick()).fit(Xr, yr)


def test_an_adapter_of_the_users_own():
    class Shifted(Teacher):
        @classmethod
        def accepts(cls, estimator):
            return True

        def predict_proba(self, X):
            return self.estimator.predict_proba(np.asarray(X) - 1)

    X, y = classes()
    inner = LogisticRegression().fit(X, y)
    est = DistilledClassifier(
        Shifted(inner, np.unique(y)), quick(40), augment=None, hard_weight=0, blend=0, random_state=0
    )
    est.fit(X + 1, y)
    assert est.score(X + 1, y) > 0.6


def test_teacher_ignoring_columns_of_a_frame():
    frame = pd.DataFrame({"size": np.arange(40.0), "colour": ["red", "blue"] * 20})
    y = np.array(["b", "a"] * 20)
    teacher = make_pipeline(make_column_transformer((OrdinalEncoder(), ["colour"])), DecisionTreeClassifier())
    est = DistilledClassifier(teacher, quick(60), augment=None, random_state=0).fit(frame, y)
    assert est.score(frame, y) == 1


def test_keep_teacher():
    X, y = classes()
    est = DistilledClassifier(forest(), quick(), keep_teacher=False, random_state=0).fit(X, y)
    assert est.teacher_ is None and est.teacher_refitted_
    kept = DistilledClassifier(forest(), quick(), random_state=0).fit(X, y)
    np.testing.assert_array_equal(est.predict_proba(X), kept.predict_proba(X))
    assert len(pickle.dumps(est)) < len(pickle.dumps(kept))


def test_student_net_as_a_teacher():
    X, y = classes()
    net = skorch_net(module__n_features=5, module__n_outputs=3, max_epochs=20)
    net.fit(X.astype(np.float32), np.searchsorted(LABELS, y))
    est = DistilledClassifier(net, quick(40), augment=None, hard_weight=0, blend=0, random_state=0).fit(X, y)
    assert est.teacher_ is net
    assert accuracy_score(LABELS[net.predict(X.astype(np.float32)).argmax(1)], est.predict(X)) > 0.8
