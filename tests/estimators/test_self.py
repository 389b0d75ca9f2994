"""What the self-distilled estimators promise beside scikit-learn's checks."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklkd import SelfDistilledClassifier, SelfDistilledRegressor
from sklkd.methods import (
    BornAgain,
    DeepToShallow,
    EpochToEpoch,
    LastBatch,
    MutualLearning,
    SameClassPairs,
    SelfMethod,
    SelfObjective,
    VirtualTeacher,
)
from sklkd.students import TabularNet, TabularStudent

from .problems import Net, classes, quick, skorch_net, targets

BOTH = [EpochToEpoch(), DeepToShallow(), BornAgain(), BornAgain(ensemble=True), LastBatch()]
METHODS = [*BOTH, VirtualTeacher(), SameClassPairs()]
every_method = pytest.mark.parametrize("method", METHODS, ids=str)


def student(**params):
    return quick(**{"max_epochs": 4, "lr": 0.02, "batch_size": 32, "module__hidden": (8, 9, 7)} | params)


def fitted(method=None, student=student, n=90, **params):
    X, y = classes(n)
    return SelfDistilledClassifier(student(), method=method, random_state=0, **params).fit(X, y), X


@every_method
def test_the_same_seed_gives_the_same_network_and_pickling_keeps_it(method):
    est, X = fitted(method)
    again, _ = fitted(method)
    told = est.predict_proba(X)
    np.testing.assert_array_equal(again.predict_proba(X), told)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(est)).predict_proba(X), told)
    direct = est.student_.predict_proba(est.encoder_.transform(X))
    np.testing.assert_allclose(direct, told, atol=1e-5)
    np.testing.assert_allclose(told.sum(1), 1)


@every_method
def test_a_clone_has_the_parameters_and_a_fit_leaves_them_alone(method):
    est, _ = fitted(method)
    assert est.method is method and est.method_ is not method
    assert repr(est.method_) == repr(method) == repr(clone(est).method)
    assert not [name for name in vars(clone(est)) if name.endswith("_")]


@every_method
def test_a_weight_of_2_is_a_repeated_row(method):
    X, y = classes(60)
    weight = np.random.default_rng(0).integers(0, 3, size=60)
    make = SelfDistilledClassifier(student(batch_size=16), method=method, random_state=0)
    weighted = clone(make).fit(X, y, sample_weight=weight)
    order = np.random.default_rng(1).permutation(weight.sum())
    repeated = clone(make).fit(np.repeat(X, weight, axis=0)[order], np.repeat(y, weight)[order])
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize("method", BOTH, ids=str)
def test_regression_with_several_targets_in_units_of_y(method):
    X, y = targets(150, n_targets=2)
    est = SelfDistilledRegressor(student(max_epochs=60), method=method, random_state=0).fit(X, y)
    assert est.predict(X).shape == (150, 2)
    assert est.score(X, y) > 0.8
    direct = est.student_.predict(est.encoder_.transform(X))
    np.testing.assert_allclose(direct, est.predict(X), rtol=1e-4, atol=1e-5 * y.std())


@every_method
def test_frames_with_categories_and_missing_values(method):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"number": rng.normal(size=80), "kind": rng.choice(["a", "b", "c"], 80)})
    y = np.where((frame["number"] > 0) ^ (frame["kind"] == "a"), "yes", "no")
    frame.loc[::9, "number"] = np.nan
    frame.loc[::11, "kind"] = None
    est = SelfDistilledClassifier(student(max_epochs=80), method=method, random_state=0).fit(frame, y)
    assert est.score(frame, y) > 0.7
    new = pd.DataFrame({"number": [np.nan, 0.3], "kind": ["never seen", "a"]})
    assert np.isfinite(est.predict_proba(new)).all()


@pytest.mark.parametrize(
    ("method", "grid"),
    [
        (LastBatch(), {"method__temperature": [1.0, 4.0]}),
        (DeepToShallow(), {"method__temperature": [1.0, 4.0], "method__alpha": [0.5]}),
        (EpochToEpoch(), {"method__alpha": [0.0, 0.9], "student__lr": [1e-2]}),
        (BornAgain(), {"method__generations": [1, 2]}),
        (None, {"method": [EpochToEpoch(), VirtualTeacher(temperature=1)]}),
    ],
)
def test_grids_reach_the_method(method, grid):
    X, y = classes(80)
    est = make_pipeline(StandardScaler(), SelfDistilledClassifier(student(), method=method, random_state=0))
    step = {f"selfdistilledclassifier__{name}": values for name, values in grid.items()}
    search = GridSearchCV(est, step, cv=2, scoring="neg_log_loss").fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert len(set(scores)) == len(scores) > 1


@every_method
def test_users_own_networks(method):
    X, y = classes(80)

    class Deep(Net):
        def __init__(self, n_features, n_outputs):
            super().__init__(n_features, n_outputs)
            self.body = nn.Sequential(
                nn.Linear(n_features, 8),
                nn.BatchNorm1d(8),
                nn.ReLU(),
                nn.Linear(8, 6),
                nn.Tanh(),
                nn.Linear(6, n_outputs),
            )

    for given in (skorch_net(module=Deep), make_pipeline(StandardScaler(), skorch_net(module=Deep)), Deep):
        if isinstance(given, type):
            given = TabularStudent(module=given, max_epochs=3)
        est = SelfDistilledClassifier(given, method=method, random_state=0).fit(X, y)
        assert np.isfinite(est.predict_proba(X)).all()


def test_exits_by_name_and_place_and_what_is_cut():
    est, X = fitted(DeepToShallow())
    assert list(est.exits_) == ["hidden.0", "hidden.1", "output"]
    module, codes = est.student_.module_.double(), torch.from_numpy(est.encoder_.transform(X)).double()
    with torch.no_grad():
        first = module.hidden[0](module.encoding(codes))
        second = module.hidden[1](first)
        expected = [
            est.exits_[name].head.double()(layer).softmax(1).numpy()
            for name, layer in [("hidden.0", first), ("hidden.1", second)]
        ]
    for place, told in enumerate(expected):
        for exit in (place, place - 3, f"hidden.{place}"):
            np.testing.assert_allclose(est.predict_proba(X, exit=exit), told, atol=1e-9)
        np.testing.assert_array_equal(est.predict(X, exit=place), est.classes_[told.argmax(1)])
    for exit in (None, 2, -1, "output"):
        np.testing.assert_array_equal(est.predict_proba(X, exit=exit), est.predict_proba(X))


def test_a_cut_network_is_a_shorter_one_and_can_be_cut_again_and_pickled():
    est, X = fitted(DeepToShallow())
    light = est.cut("hidden.1")
    assert type(light.student_.module_) is TabularNet and len(light.student_.module_.hidden) == 2
    assert list(light.exits_) == ["hidden.0", "hidden.1"]
    np.testing.assert_array_equal(light.predict_proba(X), est.predict_proba(X, exit=1))
    np.testing.assert_array_equal(light.predict_proba(X, exit=0), est.predict_proba(X, exit=0))
    np.testing.assert_array_equal(light.cut(0).predict(X), est.predict(X, exit=0))
    back = pickle.loads(pickle.dumps(light))
    np.testing.assert_array_equal(back.predict_proba(X), light.predict_proba(X))
    np.testing.assert_allclose(
        light.student_.predict_proba(light.encoder_.transform(X)), light.predict_proba(X), atol=1e-5
    )
    # the one that was cut is as it was
    assert len(est.student_.module_.hidden) == 3 and est.n_iter_ == light.n_iter_ == 4
    light.fit(X, classes(90)[1])
    assert list(light.exits_) == ["hidden.0", "hidden.1", "output"]


def test_exits_are_in_the_order_of_the_network():
    est, X = fitted(DeepToShallow(layers=["hidden.1", "last_hidden", "hidden.0"]))
    assert list(est.exits_) == ["hidden.0", "hidden.1", "last_hidden", "output"]
    assert list(est.cut("hidden.1").exits_) == ["hidden.0", "hidden.1"]
    np.testing.assert_array_equal(est.cut("hidden.1").predict_proba(X, exit=0), est.predict_proba(X, exit="hidden.0"))


class Maps(nn.Module):
    """Somebody's own network of maps, whose activations are functions."""

    def __init__(self, n_outputs):
        super().__init__()
        self.one, self.two = nn.Conv2d(1, 3, 3), nn.Conv2d(3, 4, 3)
        self.tail = nn.ModuleDict({"wide": nn.Linear(4, 50), "out": nn.Linear(50, n_outputs)})

    def forward(self, X):
        X = self.two(self.one(X).relu()).relu().mean((2, 3))
        return self.tail["out"](self.tail["wide"](X).relu())


@pytest.mark.parametrize("layers", [None, ["one", "two"]])
def test_exits_of_any_network(layers):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 1, 8, 8)).astype(np.float32), rng.integers(3, size=60)
    net = skorch_net(module=Maps, max_epochs=2)
    est = SelfDistilledClassifier(net, method=DeepToShallow(layers=layers), random_state=0).fit(X, y)
    assert list(est.exits_) == [*(layers or ["two", "tail.wide"]), "output"]
    module, inputs = est.student_.module_, torch.from_numpy(X)
    with torch.no_grad():
        maps = module.one(inputs) if layers else module.one(inputs).relu()
        expected = next(iter(est.exits_.values())).head(maps.mean((2, 3))).softmax(1)
    np.testing.assert_allclose(est.predict_proba(X, exit=0), expected, atol=1e-6)
    light = est.cut(0)
    # nothing behind the exit is left
    kept = {name for name, _ in light.student_.module_.named_parameters()}
    assert kept == {"body.one.weight", "body.one.bias", "head.weight", "head.bias"}
    assert len(pickle.dumps(light)) < len(pickle.dumps(est))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(light)).predict(X), est.predict(X, exit=0))


def test_any_network_can_be_cut_again():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 1, 8, 8)).astype(np.float32), rng.integers(3, size=60)
    net = skorch_net(module=Maps, max_epochs=2)
    est = SelfDistilledClassifier(net, method=DeepToShallow(layers=["one", "two"]), random_state=0).fit(X, y)
    light = est.cut("two")
    np.testing.assert_array_equal(light.predict_proba(X), est.predict_proba(X, exit="two"))
    np.testing.assert_array_equal(light.predict_proba(X, exit="one"), est.predict_proba(X, exit="one"))
    kept = {name for name, _ in light.cut("one").student_.module_.named_parameters()}
    assert kept == {"body.one.weight", "body.one.bias", "head.weight", "head.bias"}


class Counted(nn.Module):
    """Somebody's own network, which counts its copies."""

    n_copies = 0

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(n_features, 9), nn.ReLU(), nn.Linear(9, 8), nn.ReLU())
        self.out = nn.Linear(8, n_outputs)

    def __deepcopy__(self, memo):
        Counted.n_copies += 1
        made = object.__new__(Counted)
        memo[id(self)] = made
        made.__dict__ = copy.deepcopy(self.__dict__, memo)
        return made

    def forward(self, X):
        return self.out(self.body(X))


def test_a_network_is_cut_once_for_many_predictions_from_an_exit():
    X, y = classes(60)
    net = TabularStudent(module=Counted, max_epochs=2)
    est = SelfDistilledClassifier(net, method=DeepToShallow(), random_state=0).fit(X, y)
    size, n_uncut = len(pickle.dumps(est)), Counted.n_copies
    told = est.predict_proba(X, exit=0)
    n_copies = Counted.n_copies
    assert n_copies > n_uncut
    for exit in (0, -2, next(iter(est.exits_))):
        np.testing.assert_array_equal(est.predict_proba(X, exit=exit), told)
    np.testing.assert_array_equal(est.cut(0).predict_proba(X), told)
    assert Counted.n_copies == n_copies
    # it is no part of what is saved
    assert len(pickle.dumps(est)) == size


@pytest.mark.parametrize("module", [None, Counted])
def test_another_fit_and_copies_have_exits_of_their_own(module):
    X, y = classes(60)
    net = student(max_epochs=2) if module is None else TabularStudent(module=module, max_epochs=2)
    est = SelfDistilledClassifier(net, method=DeepToShallow(), random_state=0).fit(X, y)
    told = [est.predict_proba(X, exit=exit) for exit in est.exits_]
    for same in (copy.copy(est), copy.deepcopy(est), pickle.loads(pickle.dumps(est))):
        for exit, expected in zip(est.exits_, told, strict=True):
            np.testing.assert_array_equal(same.predict_proba(X, exit=exit), expected)
    shared, others = copy.copy(est), y[::-1]
    fresh = clone(est).fit(X, others)
    est.fit(X, others)
    for exit, before in zip(est.exits_, told, strict=True):
        np.testing.assert_array_equal(est.predict_proba(X, exit=exit), fresh.predict_proba(X, exit=exit))
        assert not np.allclose(est.predict_proba(X, exit=exit), before)
        np.testing.assert_array_equal(shared.predict_proba(X, exit=exit), before)


def test_exits_of_a_regressor_are_in_units_of_y():
    X, y = targets(150)
    est = SelfDistilledRegressor(student(max_epochs=100), method=DeepToShallow(), random_state=0).fit(X, y)
    for exit in est.exits_:
        assert est.cut(exit).score(X, y) > 0.8
        np.testing.assert_array_equal(est.cut(exit).predict(X), est.predict(X, exit=exit))
        light = est.cut(exit)
        np.testing.assert_allclose(
            light.student_.predict(light.encoder_.transform(X)).ravel(), light.predict(X), rtol=1e-4
        )


def test_shallow_exits_have_learnt():
    X, y = classes(200)
    est = SelfDistilledClassifier(student(max_epochs=60), method=DeepToShallow(), random_state=0).fit(X, y)
    assert min(accuracy_score(y, est.predict(X, exit=exit)) for exit in est.exits_) > 0.8


@pytest.mark.parametrize("exit", ["hidden.7", 3, -4, 1.0, True])
def test_an_exit_that_is_not_there(exit):
    est, X = fitted(DeepToShallow())
    with pytest.raises(ValueError, match=r"exit must be one of \['hidden.0', 'hidden.1', 'output'\], or its place"):
        est.predict(X, exit=exit)


def test_other_methods_have_the_output_alone():
    est, X = fitted()
    assert list(est.exits_) == ["output"] and est.generations_ == []
    np.testing.assert_array_equal(est.predict(X, exit=0), est.predict(X))
    with pytest.raises(ValueError, match=r"come from method=DeepToShallow\(\)"):
        est.cut("hidden.0")


@pytest.mark.parametrize("method", [MutualLearning(), "epochs", EpochToEpoch])
def test_what_is_no_method_of_this_mode(method):
    X, y = classes(30)
    with pytest.raises(
        TypeError, match=r"method must be None or a method of sklkd.methods for SelfDistilledClassifier"
    ):
        SelfDistilledClassifier(quick(), method=method).fit(X, y)


def test_a_fit_that_fails_leaves_the_estimator_as_it_was():
    est, X = fitted()
    told = est.predict_proba(X)
    est.set_params(method=EpochToEpoch(alpha=3))
    with pytest.raises(ValueError, match="alpha"):
        est.fit(X, classes(90)[1])
    np.testing.assert_array_equal(est.predict_proba(X), told)


def test_a_diverged_training_says_so():
    X, y = classes(60)
    with pytest.raises(ValueError, match="the student's training diverged in epoch"):
        SelfDistilledClassifier(skorch_net(lr=1e30, max_epochs=20), random_state=0).fit(X, y)


class TowardsUniform(SelfMethod):
    """A method of somebody's own: the entropy is kept high."""

    def __init__(self, weight=1.0):
        self.weight = weight

    def objective(self, training):
        return KeptUncertain(self, training.task)


class KeptUncertain(SelfObjective):
    def training_loss(self, y_pred, y):
        entropy = -(y_pred.softmax(1) * y_pred.log_softmax(1)).sum(1).mean()
        return nn.functional.cross_entropy(y_pred, y) - self.method.weight * entropy


def test_a_method_of_ones_own():
    sure, X = fitted(TowardsUniform(0.0), student=lambda: student(max_epochs=50))
    unsure, _ = fitted(TowardsUniform(1.0), student=lambda: student(max_epochs=50))
    assert unsure.predict_proba(X).max(1).mean() < sure.predict_proba(X).max(1).mean() - 0.05
