"""Lists, voting and stacking."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import xgboost
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import (
    ExtraTreesClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeRegressor

from sklkd.teachers import adapt, layers

X, CODES = make_classification(120, 5, n_informative=4, n_redundant=0, n_classes=3, random_state=0)
NAMES = np.array(["c", "d", "e"])
Y = NAMES[CODES]
XR, YR = make_regression(80, 3, random_state=0)
forest = RandomForestClassifier(5, max_depth=3, random_state=0)
extra = ExtraTreesClassifier(5, max_depth=3, random_state=0)
linear = LogisticRegression()


@pytest.mark.parametrize("labels", [NAMES, np.array([0, 1, 2]), np.array([1, 2, 3]), np.array([-1, 0, 1])])
@pytest.mark.parametrize("voting", ["soft", "hard"])
def test_voting_is_the_mean_of_the_members_by_name(labels, voting):
    y = labels[CODES]
    model = VotingClassifier([("rf", forest), ("lr", linear), ("no", "drop")], voting=voting, weights=[1, 3, 100])
    model.fit(X, y)
    parts = [type(each)(**each.get_params()).fit(X, y).predict_proba(X) for each in (forest, linear)]
    outputs = adapt(model, labels).outputs(X)
    assert np.allclose(outputs.proba, (parts[0] + 3 * parts[1]) / 4)
    if voting == "soft":
        assert np.allclose(outputs.proba, model.predict_proba(X))
    members = adapt(model, labels).features(X)
    assert np.allclose(members, np.stack(parts, axis=1)) and members.shape == (120, 2, 3)
    assert np.allclose(adapt(model, labels[1:]).features(X, "members").sum(axis=2), 1)


def test_members_of_any_kind():
    codes = VotingClassifier([("xgb", xgboost.XGBClassifier(n_estimators=3)), ("svm", LinearSVC())]).fit(X, Y)
    alone = xgboost.XGBClassifier(n_estimators=3).fit(X, CODES).predict_proba(X)
    assert np.allclose(adapt(codes, NAMES).features(X)[:, 0], alone, atol=1e-6)


def test_frozen_members_know_names():
    kept = FrozenEstimator(RandomForestClassifier(5, max_depth=3, random_state=0).fit(X, Y))
    model = VotingClassifier([("kept", kept), ("lr", linear)], voting="soft").fit(X, Y)
    assert np.allclose(adapt(model, NAMES).outputs(X).proba, model.predict_proba(X))
    stack = StackingClassifier([("kept", kept.estimator)], cv="prefit").fit(X, Y)
    assert np.allclose(adapt(stack, NAMES).features(X)[:, 0], kept.predict_proba(X))
    assert np.allclose(adapt(stack, NAMES).outputs(X).proba, stack.predict_proba(X))


def test_list_by_name_of_class():
    backwards = LogisticRegression().fit(X, 2 - CODES)
    backwards.classes_ = np.array(["e", "d", "c"])
    boosted = xgboost.XGBClassifier(n_estimators=3).fit(X, CODES)
    net = torch.nn.Linear(5, 3)
    members = [("lr", linear.fit(X, Y)), ("back", backwards), ("xgb", boosted), ("net", net)]
    teacher = adapt(members, NAMES)
    with torch.no_grad():
        logits = net(torch.as_tensor(X, dtype=torch.float32)).softmax(dim=1).numpy()
    parts = [linear.predict_proba(X), backwards.predict_proba(X)[:, ::-1], boosted.predict_proba(X), logits]
    assert np.allclose(teacher.outputs(X).proba, np.mean(parts, axis=0), atol=1e-6)
    assert np.allclose(teacher.features(X), np.stack(parts, axis=1), atol=1e-6)
    assert "net.last_hidden" not in teacher.layers and layers(members)["xgb.leaves"] == (9,)
    with pytest.raises(ValueError, match="never seen class 'z'"):
        adapt(members, ["c", "d", "e", "z"]).outputs(X)
    with pytest.raises(TypeError, match=r"must hold \(name, teacher\) pairs, got \[LogisticRegression"):
        adapt([linear], NAMES)
    with pytest.raises(ValueError, match=r"names in a list of teachers must differ, got \['a', 'a'\]"):
        adapt([("a", linear), ("a", linear)], NAMES)


def test_a_member_without_a_class():
    two = LogisticRegression().fit(X[CODES < 2], Y[CODES < 2])
    proba = adapt([("two", two)], NAMES, missing="floor").outputs(X).proba
    assert np.allclose(proba[:, 2], 1e-4 / 1.0001) and np.allclose(proba[:, :2] * 1.0001, two.predict_proba(X))


def test_regression_mean_and_spread():
    model = VotingRegressor(
        [("lr", LinearRegression()), ("tree", DecisionTreeRegressor(max_depth=2))], weights=[1, 3]
    ).fit(XR, YR)
    outputs = adapt(model).outputs(XR, spread=True)
    parts = np.stack([each.predict(XR) for each in model.estimators_])
    mean = (parts[0] + 3 * parts[1]) / 4
    assert np.allclose(outputs.values[:, 0], mean) and np.allclose(outputs.values[:, 0], model.predict(XR))
    spread = np.sqrt(((parts[0] - mean) ** 2 + 3 * (parts[1] - mean) ** 2) / 4)
    assert np.allclose(outputs.spread[:, 0], spread)
    members = list(zip(["a", "b"], model.estimators_, strict=True))
    assert np.allclose(adapt(members).outputs(XR, spread=True).spread[:, 0], parts.std(axis=0))
    assert adapt(members).outputs(XR).spread is None


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_stacking():
    model = StackingClassifier([("rf", forest), ("mlp", MLPClassifier((6, 4), max_iter=20))], cv=2, passthrough=True)
    model.fit(X, Y)
    teacher = adapt(model, NAMES)
    assert np.allclose(teacher.outputs(X).proba, model.predict_proba(X))
    parts = [each.predict_proba(X) for each in model.estimators_]
    assert np.allclose(teacher.features(X), np.stack(parts, axis=1))
    assert np.array_equal(teacher.features(X, "rf.leaves"), model.estimators_[0].apply(X))
    assert teacher.features(X, "mlp.hidden.1").shape == (120, 4)
    assert np.allclose(teacher.features(X, "rf.members").mean(axis=1), parts[0])
    alone = adapt(model.estimators_[0], [0, 1, 2]).thresholds(X)
    assert all(np.array_equal(a, b) for (a, _), (b, _) in zip(teacher.thresholds(X), alone, strict=True))
    with pytest.raises(ValueError, match=r"has no layer 'rf.hidden'; it has 'members', 'rf.leaves'"):
        teacher.features(X, "rf.hidden")
    regressor = StackingRegressor([("tree", DecisionTreeRegressor())], cv=2).fit(XR, YR)
    assert np.allclose(adapt(regressor).outputs(XR).values[:, 0], regressor.predict(XR))
    assert np.allclose(adapt(regressor).features(XR)[:, 0, 0], YR)


def test_kinds_mix_fairly_in_thresholds():
    model = VotingClassifier([("rf", forest), ("et", extra)], weights=[1, 4]).fit(X, Y)
    parts = [adapt(each, [0, 1, 2]).thresholds(X) for each in model.estimators_]
    for j, (thresholds, weights) in enumerate(adapt(model, NAMES).thresholds(X)):
        (a, u), (b, v) = parts[0][j], parts[1][j]
        assert np.array_equal(thresholds, np.union1d(a, b))
        assert np.isclose(weights.sum(), (u.sum() + 4 * v.sum()) / 5)


def test_out_of_bag_needs_all_members():
    mixed = VotingClassifier([("rf", forest), ("et", extra)]).fit(X, Y)
    assert not adapt(mixed, NAMES).has_out_of_bag
    with pytest.raises(ValueError, match="needs a bagged teacher"):
        adapt(mixed, NAMES).out_of_bag(X, Y)
    other = RandomForestClassifier(20, random_state=1)
    both = VotingClassifier([("a", RandomForestClassifier(20, random_state=0)), ("b", other)], weights=[1, 2])
    both.fit(X, Y)
    answer, unseen = adapt(both, NAMES).out_of_bag(X, Y)
    parts = [adapt(each, [0, 1, 2]).out_of_bag(X, CODES) for each in both.estimators_]
    assert np.allclose(answer, (parts[0][0] + 2 * parts[1][0]) / 3)
    assert np.array_equal(unseen, parts[0][1] & parts[1][1])
    regressors = [(str(seed), RandomForestRegressor(20, random_state=seed).fit(XR, YR)) for seed in range(2)]
    answer, _ = adapt(regressors).out_of_bag(XR, YR)
    parts = [adapt(each).out_of_bag(XR, YR)[0] for _, each in regressors]
    assert np.allclose(answer, np.mean(parts, axis=0))
