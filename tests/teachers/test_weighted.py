"""Several teachers with weights."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
import xgboost
from scipy.optimize import minimize
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_classification, make_multilabel_classification, make_regression
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, QuantileRegressor
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sklkd import DistilledClassifier, DistilledRegressor
from sklkd.teachers import WeightedTeachers, adapt, any_fitted, can_clone, reduced_teacher, unfrozen
from sklkd.teachers._simplex import happened, log_loss_weights, squared_error_weights

X, CODES = make_classification(240, 5, n_informative=4, n_redundant=0, n_classes=3, flip_y=0.2, random_state=0)
Y = np.array(["c", "d", "e"])[CODES]
XR, YR = make_regression(160, 4, noise=20.0, random_state=0)
tree = DecisionTreeClassifier(max_depth=3, random_state=0)
linear = LogisticRegression()
MEMBERS = [("tree", tree), ("linear", linear), ("near", KNeighborsClassifier(15))]
FOLDS = KFold(4)


def softmax_optimum(loss, n):
    """The least loss over weights that are written as a softmax, from several starts."""
    starts = np.random.RandomState(0).randn(6, n)

    def of(z):
        weights = np.exp(z - z.max())
        return loss(weights / weights.sum())

    return min(minimize(of, start, method="Nelder-Mead", options={"maxiter": 4000}).fun for start in starts)


@pytest.mark.parametrize("weighted", [False, True])
def test_weights_minimise_the_log_loss_of_cross_fitted_predictions(weighted):
    weight = np.random.RandomState(0).randint(1, 4, len(X)) if weighted else None
    teacher = WeightedTeachers([("tree", tree), ("linear", linear)], cv=FOLDS).fit(X, Y, weight)
    params = {"sample_weight": weight} if weighted else {}
    parts = []
    for member in (tree, linear):
        part = np.empty((len(X), 3))
        for train, test in FOLDS.split(X):
            fit = {"sample_weight": weight[train]} if weighted else {}
            part[test] = clone(member).fit(X[train], Y[train], **fit).predict_proba(X[test])
        parts.append(np.maximum(part[np.arange(len(X)), CODES], 1e-4))
    grid = np.linspace(0, 1, 2001)
    losses = [np.average(-np.log(w * parts[0] + (1 - w) * parts[1]), weights=weight) for w in grid]
    assert teacher.weights_[0] == pytest.approx(grid[np.argmin(losses)], abs=6e-4)
    assert teacher.weighted_loss_ == pytest.approx(min(losses), abs=1e-6)
    assert teacher.member_losses_ == pytest.approx([losses[-1], losses[0]]) and teacher.unseen_.all()
    assert teacher.mean_loss_ == pytest.approx(losses[1000])
    whole = [clone(member).fit(X, Y, **params).predict_proba(X) for member in (tree, linear)]
    assert np.allclose(teacher.predict_proba(X), np.average(whole, axis=0, weights=teacher.weights_))
    assert teacher.score(X, Y) == np.mean(teacher.classes_[teacher.predict_proba(X).argmax(1)] == Y)


@pytest.mark.parametrize("seed", range(5))
def test_weights_are_the_optimum_on_the_simplex(seed):
    rng = np.random.RandomState(seed)
    n = rng.randint(2, 6)
    weight = rng.dirichlet(np.ones(80))
    chances = np.maximum(rng.rand(80, n) ** rng.uniform(0.3, 3, n), 1e-4)
    found = log_loss_weights(chances, weight)
    assert found.min() >= 0 and found.sum() == pytest.approx(1)
    best = softmax_optimum(lambda w: -weight @ np.log(chances @ w), n)
    assert -weight @ np.log(chances @ found) <= best + 1e-7
    # the condition of an optimum of a mixture: no member does better than one on average
    assert (weight / (chances @ found) @ chances).max() <= 1 + 1e-4
    errors = rng.randn(80, n, 2) * rng.uniform(0.5, 2, n)[:, None] + rng.randn(80, 1, 2)
    found = squared_error_weights(errors, weight)
    assert found.min() >= 0 and found.sum() == pytest.approx(1)

    def squared(w):
        return weight @ (np.tensordot(errors, w, (1, 0)) ** 2).sum(1)

    assert squared(found) <= softmax_optimum(squared, n) + 1e-7


def test_log_losses_of_labels():
    proba = np.random.RandomState(0).uniform(0.1, 0.9, (50, 1, 4))
    y = np.random.RandomState(1).randint(0, 2, (50, 4))
    chances, each = happened(proba, y, np.full(50, 1 / 50))
    expected = sum(log_loss(y[:, k], proba[:, 0, k]) for k in range(4))
    assert -each @ np.log(chances[:, 0]) == pytest.approx(expected)


def test_targets_count_in_their_own_units():
    many = np.column_stack([YR, 1e4 * np.random.RandomState(0).randn(len(YR))])
    members = [("linear", LinearRegression()), ("tree", DecisionTreeRegressor(max_depth=2, random_state=0))]
    teacher = WeightedTeachers(members, cv=FOLDS).fit(XR, many)
    parts = np.stack([cross_val_predict(member, XR, many, cv=FOLDS) for _, member in members])
    grid = np.linspace(0, 1, 2001)
    losses = [(((w * parts[0] + (1 - w) * parts[1] - many) / many.std(0)) ** 2).sum(1).mean() for w in grid]
    assert teacher.weights_[0] == pytest.approx(grid[np.argmin(losses)], abs=6e-4)
    assert teacher.weighted_loss_ == pytest.approx(min(losses), rel=1e-6)


def test_a_useless_member_gets_nothing_and_equal_ones_any():
    useless = WeightedTeachers([("no", DummyRegressor()), ("linear", LinearRegression())]).fit(XR, YR)
    assert useless.weights_ == pytest.approx([0, 1], abs=0.01)
    noise = WeightedTeachers([("no", DummyClassifier(strategy="uniform")), ("tree", tree)], cv=FOLDS).fit(X, Y)
    assert noise.weighted_loss_ <= min(noise.mean_loss_, noise.member_losses_.min()) + 1e-9
    for members in ([("a", tree), ("b", tree)], [("a", tree)]):
        same = WeightedTeachers(members).fit(X, Y)
        assert np.allclose(same.predict_proba(X), clone(tree).fit(X, Y).predict_proba(X))
        assert same.weights_.sum() == pytest.approx(1)


def test_plain_and_given_weights():
    plain = WeightedTeachers(MEMBERS, weights=None).fit(X, Y)
    fitted = [(name, clone(member).fit(X, Y)) for name, member in MEMBERS]
    assert np.allclose(plain.predict_proba(X), adapt(fitted, plain.classes_).outputs(X).proba)
    assert not hasattr(plain, "unseen_") and not adapt(plain, plain.classes_).has_out_of_bag
    given = WeightedTeachers(MEMBERS, weights=[0, 3, 1]).fit(X, Y)
    mean = (3 * fitted[1][1].predict_proba(X) + fitted[2][1].predict_proba(X)) / 4
    assert np.allclose(given.predict_proba(X), mean) and np.allclose(given.weights_, [0, 0.75, 0.25])
    spread = adapt(
        WeightedTeachers([("a", LinearRegression()), ("b", DecisionTreeRegressor())], weights=[1, 3]).fit(XR, YR)
    ).outputs(XR, spread=True)
    parts = np.stack([LinearRegression().fit(XR, YR).predict(XR), YR])
    assert np.allclose(spread.spread[:, 0], np.sqrt(np.average((parts - spread.values[:, 0]) ** 2, 0, [1, 3])))
    for wrong in ([1, 2], [-1, 1, 1], [0, 0, 0], [np.nan, 1, 1]):
        with pytest.raises(ValueError, match="weights must be one finite number >= 0 for each of the 3 teachers"):
            WeightedTeachers(MEMBERS, weights=wrong).fit(X, Y)


def test_members_stay_visible():
    teacher = WeightedTeachers([("forest", RandomForestClassifier(5, random_state=0)), ("linear", linear)]).fit(X, Y)
    adapter = adapt(teacher, teacher.classes_)
    parts = [member.predict_proba(X) for _, member in teacher.teachers_]
    assert np.allclose(adapter.features(X), np.stack(parts, axis=1))
    assert np.array_equal(adapter.features(X, "forest.leaves"), teacher.teachers_[0][1].apply(X))
    assert adapter.estimand.kind == "probability" and adapter.fallbacks == []


def test_identical_rows_and_groups_stay_together():
    class Remembers(ClassifierMixin, BaseEstimator):
        """Knows the rows that it has seen, and says so of them with certainty."""

        def fit(self, X, y):
            self.seen_ = {tuple(row) for row in X.tolist()}
            self.classes_ = np.unique(y)
            return self

        def predict_proba(self, X):
            return np.array([[1.0, 0.0] if tuple(row) in self.seen_ else [0.5, 0.5] for row in X.tolist()])

    base = np.random.RandomState(0).randn(30, 2)
    rows, y = np.repeat(base, 3, axis=0), np.arange(90) % 2
    order = np.random.RandomState(1).permutation(90)
    teacher = WeightedTeachers([("it", Remembers())]).fit(rows[order], y[order])
    assert (teacher.unseen_predictions_ == 0.5).all() and teacher.unseen_.all()
    groups = np.arange(90) // 9
    for cv in (5, GroupKFold(3)):
        asked = WeightedTeachers([("it", RowsOf(groups))], cv=cv).fit(np.arange(90)[:, None], y, groups=groups)
        assert (asked.unseen_predictions_[:, 0, 0] == 0).all()
    with pytest.raises(ValueError, match="hold out each row at most once"):
        WeightedTeachers(MEMBERS, cv=[(np.arange(200), np.arange(100, 240)), (np.arange(100), [239])]).fit(X, Y)


class RowsOf(ClassifierMixin, BaseEstimator):
    """Predicts class 0 where it was fitted on rows of the same group."""

    def __init__(self, groups):
        self.groups = groups

    def fit(self, X, y):
        self.seen_ = set(self.groups[X[:, 0].astype(int)].tolist())
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        known = np.isin(self.groups[X[:, 0].astype(int)], list(self.seen_))
        return np.column_stack([known, ~known]).astype(float)


def test_rows_without_weight_do_not_count():
    weight = np.r_[np.ones(200), np.zeros(40)]
    some = WeightedTeachers(MEMBERS[:2]).fit(X, Y, weight)
    alone = WeightedTeachers(MEMBERS[:2]).fit(X[:200], Y[:200])
    assert np.allclose(some.weights_, alone.weights_, atol=1e-6) and not some.unseen_[200:].any()


def test_fitted_members_are_kept():
    forests = [
        ("forest", RandomForestClassifier(30, max_depth=2, random_state=0).fit(X, Y)),
        ("extra", ExtraTreesClassifier(30, bootstrap=True, random_state=0).fit(X, Y)),
    ]
    teacher = WeightedTeachers(forests).fit(X, Y)
    assert all(kept is given for (_, kept), (_, given) in zip(teacher.teachers_, forests, strict=True))
    parts = [adapt(each, teacher.classes_).out_of_bag(X, Y)[0][np.arange(len(X)), CODES] for _, each in forests]
    grid = np.linspace(0, 1, 2001)
    floored = np.maximum(parts, 1e-4)
    losses = [-np.log(w * floored[0] + (1 - w) * floored[1]).mean() for w in grid]
    assert teacher.weights_[0] == pytest.approx(grid[np.argmin(losses)], abs=6e-4)
    seen = [("tree", clone(tree).fit(X, Y)), ("linear", linear)]
    with pytest.raises(ValueError, match=r"rows that tree has not seen, but it is fitted .* cv='prefit'"):
        WeightedTeachers(seen).fit(X, Y)
    with pytest.raises(ValueError, match="cv='prefit' needs fitted teachers, got linear"):
        WeightedTeachers(seen, cv="prefit").fit(X, Y)
    prefit = [("tree", clone(tree).fit(X[:120], Y[:120])), ("linear", clone(linear).fit(X[:120], Y[:120]))]
    late = WeightedTeachers(prefit, cv="prefit").fit(X[120:], Y[120:])
    losses = [
        log_loss(Y[120:], w * prefit[0][1].predict_proba(X[120:]) + (1 - w) * prefit[1][1].predict_proba(X[120:]))
        for w in grid
    ]
    assert late.weighted_loss_ == pytest.approx(min(losses), abs=1e-5)
    assert late.teachers_[0][1] is prefit[0][1]


def test_what_cannot_be_measured_by_squared_error():
    with pytest.raises(ValueError, match=r"does not measure the 0.9 quantile"):
        WeightedTeachers([("q", QuantileRegressor(quantile=0.9))]).fit(XR, YR)
    mean = WeightedTeachers([("q", QuantileRegressor(quantile=0.9))], weights=None).fit(XR, YR)
    assert mean.estimand.levels == (0.9,)


def test_clones_parameters_and_copies():
    teacher = WeightedTeachers(MEMBERS, random_state=0)
    assert teacher.get_params()["tree__max_depth"] == 3
    teacher = clone(teacher).set_params(tree__max_depth=5, near=KNeighborsClassifier(3))
    assert teacher.teachers[0][1].max_depth == 5 and tree.max_depth == 3 and teacher.teachers[2][1].n_neighbors == 3
    fitted = clone(teacher).fit(X, Y)
    again = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(again.predict_proba(X), fitted.predict_proba(X))
    assert not any_fitted(clone(fitted)) and any_fitted(fitted) and can_clone(fitted)
    kept = WeightedTeachers([("kept", FrozenEstimator(clone(tree).fit(X, Y))), ("linear", linear)])
    assert isinstance(clone(kept).teachers[0][1], FrozenEstimator)
    assert isinstance(unfrozen(kept).teachers[0][1], DecisionTreeClassifier)
    forest = WeightedTeachers([("forest", RandomForestClassifier(500)), ("linear", linear)])
    assert reduced_teacher(forest).teachers[0][1].n_estimators == 100
    with pytest.raises(ValueError, match="names must be unique"):
        WeightedTeachers([("a", tree), ("a", tree)]).fit(X, Y)


def test_frames_codes_and_folds_beside_each_other():
    frame = pd.DataFrame(X, columns=list("abcde"))
    members = [("boosted", xgboost.XGBClassifier(n_estimators=5)), ("linear", linear)]
    teacher = WeightedTeachers(members).fit(frame, Y)
    assert list(teacher.feature_names_in_) == list("abcde") and teacher.classes_.tolist() == ["c", "d", "e"]
    alone = xgboost.XGBClassifier(n_estimators=5).fit(frame, CODES).predict_proba(frame)
    parts = [alone, clone(linear).fit(frame, Y).predict_proba(frame)]
    assert np.allclose(teacher.predict_proba(frame), np.average(parts, axis=0, weights=teacher.weights_), atol=1e-6)
    beside = WeightedTeachers(members, n_jobs=2).fit(frame, Y)
    assert np.array_equal(beside.weights_, teacher.weights_)
    several = WeightedTeachers(members, weights=None).fit(X[CODES < 2], Y[CODES < 2])
    proba = adapt(several, teacher.classes_, missing="floor").outputs(X).proba
    assert np.allclose(proba[:, 2], 1e-4 / 1.0001)


def test_several_labels_a_row():
    rows, labels = make_multilabel_classification(200, 6, n_classes=3, random_state=0)
    members = [("forest", RandomForestClassifier(10, max_depth=4, random_state=0)), ("near", KNeighborsClassifier(9))]
    teacher = WeightedTeachers(members, cv=FOLDS).fit(rows, labels)
    parts = []
    for _, member in members:
        proba = cross_val_predict(member, rows, labels, cv=FOLDS, method="predict_proba")
        parts.append(np.column_stack([each[:, 1] for each in proba]))
    chances = np.maximum([np.where(labels, part, 1 - part) for part in parts], 1e-4)
    grid = np.linspace(0, 1, 2001)
    losses = [-np.log(w * chances[0] + (1 - w) * chances[1]).sum(1).mean() for w in grid]
    assert teacher.weights_[0] == pytest.approx(grid[np.argmin(losses)], abs=6e-4)
    assert teacher.predict(rows).shape == teacher.predict_proba(rows).shape == labels.shape
    student = DistilledClassifier(teacher, "tiny", random_state=0).fit(rows, labels)
    assert student.teacher_ is teacher and student.cv_ == "oob"


def test_students_learn_from_rows_that_no_member_has_seen():
    teacher = WeightedTeachers(MEMBERS)
    student = DistilledClassifier(teacher, "tiny", random_state=0).fit(X, Y)
    assert student.cv_ == "oob" and student.teacher_refitted_
    made = student.teacher_
    assert student.predict_proba(X).shape == (240, 3)
    mean, unseen = adapt(made, made.classes_).out_of_bag(X, Y)
    assert np.allclose(mean, np.average(made.unseen_predictions_, axis=1, weights=made.weights_)) and unseen.all()
    with pytest.raises(ValueError, match="in that order"):
        adapt(made, made.classes_).out_of_bag(X[::-1], Y[::-1])
    others = DistilledClassifier(made, "tiny", blend=0, hard_weight=0, random_state=0).fit(X[:100], Y[:100])
    assert others.cv_ == "in-sample" and others.teacher_ is made
    regression = DistilledRegressor(
        WeightedTeachers([("forest", RandomForestRegressor(10, random_state=0)), ("linear", LinearRegression())]),
        "tiny",
        random_state=0,
    ).fit(XR, YR)
    assert regression.cv_ == "oob" and regression.teacher_.weights_.shape == (2,)


def test_fitted_members_inside_an_unfitted_teacher_are_kept_in_fit():
    forest = RandomForestClassifier(20).fit(X, Y)
    before = pickle.dumps(forest)
    student = DistilledClassifier(
        WeightedTeachers([("forest", forest), ("tree", DecisionTreeClassifier(max_depth=3))]), "tiny", random_state=0
    ).fit(X, Y)
    inside = student.teacher_.teachers_
    assert inside[0][1].estimator is forest and pickle.dumps(forest) == before
    assert isinstance(inside[1][1].random_state, int)
    with pytest.raises(ValueError, match="would refit the teacher"):
        DistilledClassifier(WeightedTeachers([("forest", forest), ("tree", tree)]), "tiny", cv=3).fit(X, Y)


def test_a_search_over_the_parameter_of_a_member():
    student = DistilledClassifier(
        WeightedTeachers([("tree", tree), ("linear", linear)], cv=3), "tiny", blend=0, hard_weight=0.5, random_state=0
    )
    found = GridSearchCV(student, {"teacher__tree__max_depth": [1, 4], "teacher__weights": [None]}, cv=2).fit(X, Y)
    assert found.best_estimator_.teacher_.teachers_[0][1].max_depth in (1, 4)
    assert len(found.cv_results_["params"]) == 2
