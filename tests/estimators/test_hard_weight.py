"""How far the labels are trusted against the teacher."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_classification, make_regression
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklkd import DistilledClassifier, DistilledRegressor
from sklkd._columns import ColumnCodec
from sklkd.estimators import _hard_weight
from sklkd.estimators._distil import like_after_like
from sklkd.estimators._hard_weight import LABELS, UNKNOWN, Trust, best_share, hold_outs, log_loss, weighed
from sklkd.estimators._merge import Merged
from sklkd.estimators._sketch import sketch
from sklkd.estimators._teach import teach
from sklkd.students import TabularStudent
from sklkd.teachers import Outputs, Precomputed


def quick(epochs=20):
    return TabularStudent(size="tiny", max_epochs=epochs)


def test_best_share_is_the_least_squares_solution():
    rng = np.random.default_rng(0)
    y = rng.normal(size=(500, 1))
    own, told = y + 0.5 * rng.normal(size=y.shape), y + 0.3 * rng.normal(size=y.shape)
    difference = own - told
    expected = float((difference * (y - told)).sum() / (difference**2).sum())
    assert best_share(own, told, lambda mixed: float(((mixed - y) ** 2).mean())) == pytest.approx(expected, abs=0.01)


def test_best_share_reaches_both_ends():
    y, noise = np.arange(10.0)[:, None], np.ones((10, 1))

    def squared(mixed):
        return float(((mixed - y) ** 2).mean())

    assert best_share(y, y + noise, squared) == 1
    assert best_share(y + noise, y, squared) == 0


def test_few_rows_move_the_share_little_from_what_was_thought_before():
    own, told = np.zeros((1, 1)), np.ones((1, 1))
    losses = [lambda mixed, n=n: n * float(mixed.mean()) for n in (0.0, 1.0, 100.0)]
    shares = [best_share(own, told, loss, prior=(0.25, 0.3)) for loss in losses]
    # the loss falls with the share, n at most: 0.25 + n * 0.3**2
    assert shares == pytest.approx([0.25, 0.34, 1.0], abs=0.01)


def test_what_a_student_is_told_is_a_mixture():
    outputs = Outputs(proba=np.array([[0.2, 0.8]]), margins=np.log([[0.2, 0.8]]))
    trust = Trust(0.1, "", 0.25, lambda X: np.full((len(X), 2), 0.5))
    told = trust.tell(outputs, [[0]])
    np.testing.assert_allclose(told.proba, [[0.25 * 0.5 + 0.75 * 0.2, 0.25 * 0.5 + 0.75 * 0.8]])
    np.testing.assert_allclose(np.exp(told.logits), told.proba)
    values = Outputs(values=np.array([[2.0]]), spread=np.array([[0.5]]))
    told = Trust(0.1, "", 0.25, lambda X: np.full((len(X), 1), 6.0)).tell(values, [[0]])
    assert (told.values.item(), told.spread.item()) == (3.0, 0.5)
    assert Trust(0.1, "").tell(outputs, [[0]]) is outputs


def test_a_sketch_has_fewer_trees_and_leaves_the_teacher_alone():
    teacher = make_pipeline(
        StandardScaler(),
        VotingClassifier(
            [
                ("rf", RandomForestClassifier(300, max_depth=3)),
                ("few", RandomForestClassifier(20)),
                ("hgb", HistGradientBoostingClassifier(max_iter=300, learning_rate=0.05)),
                ("fast", HistGradientBoostingClassifier(max_iter=300, learning_rate=0.5)),
                ("net", MLPClassifier(max_iter=300)),
            ]
        ),
    )
    before = str(teacher.get_params())
    members = dict(sketch(teacher)[-1].estimators)
    assert members["rf"].n_estimators == 100 and members["rf"].max_depth == 3
    assert members["few"].n_estimators == 20
    assert (members["hgb"].max_iter, members["hgb"].learning_rate) == (100, pytest.approx(0.15))
    assert (members["fast"].max_iter, members["fast"].learning_rate) == (300, 0.5)
    assert members["net"].max_iter == 300
    assert str(teacher.get_params()) == before
    plain = LogisticRegression(max_iter=500)
    assert sketch(plain) is plain


def test_log_loss_is_weighted():
    proba = np.array([[0.9, 0.1], [0.4, 0.6]])
    expected = -(3 * np.log(0.9) + np.log(0.6)) / 4
    assert log_loss(proba, np.array([0, 1]), np.array([3.0, 1.0])) == pytest.approx(expected)


def rows_of(n, unseen):
    return Merged(np.zeros((n, 1)), None, None, np.zeros(n, int), np.ones(n), None, unseen)


def test_rows_are_held_out_in_turn():
    parts = hold_outs(rows_of(41, np.zeros(41, bool)), seed=0, n_parts=4)
    for rest, held in parts:
        assert len(held) == 10
        np.testing.assert_array_equal(np.sort(np.r_[rest, held]), np.arange(41))
    assert len(np.unique(np.concatenate([held for _, held in parts]))) == 40


@pytest.mark.parametrize(("n_unseen", "only_unseen"), [(19, False), (20, True), (40, True)])
def test_rows_that_the_teacher_has_not_seen_are_held_out_first(n_unseen, only_unseen):
    unseen = np.arange(40) < n_unseen
    ((_, held),) = hold_outs(rows_of(40, unseen), seed=0, n_parts=1)
    assert unseen[held].all() == only_unseen


def test_what_the_mixture_explains_of_the_labels():
    rows = rows_of(4, np.zeros(4, bool))
    rows.y[:] = [0, 0, 1, 1]
    knows, half = np.eye(2)[rows.y] * 0.8 + 0.1, np.full((4, 2), 0.5)
    share, explained = weighed(knows, half, rows, True)
    mixed = share * 0.9 + (1 - share) * 0.5
    assert 0.25 < share < 1
    assert explained == pytest.approx(1 - np.log(mixed) / np.log(0.5), abs=1e-6)
    assert weighed(half, half, rows, True)[1] == pytest.approx(0, abs=1e-6)
    assert weighed(knows, half, replace(rows, y=np.zeros((4, 2))), False)[1] == 1


def test_a_teacher_that_knows_nothing_is_not_believed():
    X, y = make_classification(300, 5, n_informative=4, n_redundant=0, class_sep=2.0, random_state=0)
    est = DistilledClassifier(DummyClassifier(), quick(100), augment=None, random_state=0).fit(X, y)
    assert int(re.search(r"(\d+)% of the targets", est.hard_weight_reason_)[1]) > 90
    assert est.score(X, y) > 0.85


def test_labels_count_for_themselves_where_they_are_clean():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    clean, noisy = X[:, 0] > 0, X[:, 0] + 2 * rng.normal(size=300) > 0
    student = TabularStudent(size="tiny", max_epochs=100, lr=0.02)
    weights = [
        DistilledClassifier(DummyClassifier(), student, augment=None, random_state=0).fit(X, y).hard_weight_
        for y in (clean, noisy)
    ]
    assert LABELS >= weights[0] > 0.5 * LABELS and weights[1] < 0.1 * LABELS


def test_a_perfect_teacher_is_believed():
    X, y = make_regression(200, 3, noise=0.0, random_state=0)
    est = DistilledRegressor(LinearRegression(), quick(), random_state=0).fit(X, y)
    assert est.hard_weight_ < 0.1


def test_a_frozen_teacher_is_asked_through_a_clone_and_stays_as_it_is():
    X, y = make_classification(200, 5, flip_y=0.2, random_state=0)
    forest = RandomForestClassifier(20, random_state=0).fit(X, y)
    before = forest.predict_proba(X)
    frozen = DistilledClassifier(FrozenEstimator(forest), quick(), cv=None, augment=None, random_state=0).fit(X, y)
    bare = DistilledClassifier(forest, quick(), cv=None, augment=None, random_state=0).fit(X, y)
    assert frozen.hard_weight_ == bare.hard_weight_
    np.testing.assert_array_equal(forest.predict_proba(X), before)


@pytest.mark.parametrize("n", [40, 200])
def test_where_it_cannot_be_found_out_it_is_the_constant(n):
    X, y = make_classification(n, 5, random_state=0)
    outputs = np.eye(2)[y] * 0.8 + 0.1
    est = DistilledClassifier(Precomputed(outputs), quick(5), random_state=0).fit(X, y)
    assert est.hard_weight_ == UNKNOWN
    assert est.hard_weight_reason_.startswith("constant: ")


class FitsAllOrNothing(LogisticRegression):
    """Cannot be fitted on fewer than 100 rows."""

    def fit(self, X, y, sample_weight=None):
        if len(y) < 100:
            raise ValueError("100 rows are needed")
        return super().fit(X, y, sample_weight)


def test_a_clone_that_cannot_be_fitted_says_so():
    X, y = make_classification(120, 5, random_state=0)
    est = DistilledClassifier(FitsAllOrNothing(), quick(5), augment=None, random_state=0).fit(X, y)
    assert est.hard_weight_ == UNKNOWN
    assert "100 rows are needed" in est.hard_weight_reason_
    given = DistilledClassifier(FitsAllOrNothing(), quick(5), hard_weight=0.3, augment=None, random_state=0).fit(X, y)
    assert (given.hard_weight_, given.hard_weight_reason_) == (0.3, "given")


class NeedsTrees(ClassifierMixin, BaseEstimator):
    """Knows nothing with fewer than 300 "trees", or when it is fitted on fewer rows than it needs."""

    def __init__(self, n_estimators=300, needs=0):
        self.n_estimators = n_estimators
        self.needs = needs

    def fit(self, X, y):
        self.model_ = LogisticRegression().fit(X, y)
        self.classes_, self.fails_ = self.model_.classes_, self.n_estimators < 300 or len(y) < self.needs
        return self

    def predict_proba(self, X):
        told = self.model_.predict_proba(X)
        return np.full_like(told, 0.5) if self.fails_ else told

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(1)]


def test_where_a_sketch_fails_a_whole_clone_is_judged():
    X, y = make_classification(200, 5, class_sep=2.0, random_state=0)
    sketched, plain = (
        DistilledClassifier(teacher, quick(30), augment=None, random_state=0).fit(X, y)
        for teacher in (NeedsTrees(), LogisticRegression())
    )
    assert sketched.hard_weight_reason_ == plain.hard_weight_reason_
    assert int(re.search(r"(\d+)% of the targets", plain.hard_weight_reason_)[1]) < 90


def test_where_a_clone_fails_too_the_teacher_is_believed():
    X, y = make_classification(200, 5, class_sep=2.0, random_state=0)
    est = DistilledClassifier(NeedsTrees(needs=200), quick(5), augment=None, random_state=0).fit(X, y)
    assert est.hard_weight_ == UNKNOWN
    assert "is far worse than it" in est.hard_weight_reason_


def test_synthetic_rows_that_go_together_follow_each_other():
    rng = np.random.RandomState(0)
    X = np.column_stack([rng.permutation(1000) % 4, rng.randn(1000), np.repeat([0, 1], 500)])
    codec = ColumnCodec(invertible=False).fit(X)
    cuts = [(np.array([1.5]), np.array([0.2])), (np.array([0.0]), np.array([0.7])), (np.empty(0), np.empty(0))]
    ordered = like_after_like(X, codec, cuts)
    assert_array_equal(np.unique(ordered, axis=0), np.unique(X, axis=0))
    # the column that is split most comes first, in sixteen steps; the next one inside each
    level = np.searchsorted(np.sort(X[:, 1]), ordered[:, 1]) * 16 // 1000
    assert np.all(np.diff(level) >= 0) and len(np.unique(level)) == 16
    assert all(np.all(np.diff(ordered[level == one, 0]) >= 0) for one in range(16))
    assert like_after_like(X, codec, []) is X


@pytest.mark.parametrize(("share", "heard"), [(0.0, 0), (0.2, 0), (0.21, 21)])
def test_networks_of_a_small_share_are_not_heard(share, heard, monkeypatch):
    X, y = make_regression(200, 3, noise=20.0, random_state=0)
    monkeypatch.setattr(_hard_weight, "weighed", lambda *args: (share, 1.0))
    est = DistilledRegressor(LinearRegression(), quick(3), augment=None, random_state=0).fit(X, y)
    assert est.hard_weight_reason_.endswith(f"whose answers are {heard}% of the targets")
    taught = clone(est).set_params(hard_weight=0.0).fit(X, y)
    assert np.array_equal(est.predict(X), taught.predict(X)) == (heard == 0)


@pytest.mark.parametrize(
    ("n", "teacher", "n_rivals"),
    [
        (2_100, DummyRegressor(), 2),
        (2_100, LinearRegression(), 1),
        (200, DummyRegressor(), 4),
        (200, LinearRegression(), 2),
    ],
)
def test_half_of_the_rivals_are_trained_only_where_they_have_a_share(n, teacher, n_rivals, monkeypatch):
    X, y = make_regression(n, 3, random_state=0)
    trained = []
    monkeypatch.setattr(_hard_weight, "teach", lambda *args, **params: trained.append(1) or teach(*args, **params))
    DistilledRegressor(teacher, quick(3), augment=None, random_state=0).fit(X, y)
    assert len(trained) == n_rivals
