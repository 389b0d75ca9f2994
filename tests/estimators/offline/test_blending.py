"""What label-only students and labels weigh beside the teacher."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.datasets import make_classification, make_regression
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    GradientBoostingRegressor,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNet
from torch import nn

from sklkd import DistilledClassifier, DistilledRegressor
from sklkd.estimators._task import Task
from sklkd.estimators._validation import validation_loss, validation_splits
from sklkd.estimators.offline._account import DistillationAccount
from sklkd.estimators.offline._blending import LABELS, UNKNOWN, Blending
from sklkd.estimators.offline._mixture import best_weight, compare
from sklkd.estimators.offline._transfer_rows import similar_next_to_each_other
from sklkd.rows import Rows
from sklkd.students import TabularStudent
from sklkd.students._scaling import TargetScaling
from sklkd.teachers import Estimand, Outputs, Precomputed, confirm_estimand


def quick(epochs=20):
    return TabularStudent(size="tiny", max_epochs=epochs)


def quicker():
    """As much is learnt in fewer epochs, by larger steps of a smaller network."""
    return TabularStudent(size="tiny", max_epochs=25, lr=0.05, batch_size=64, module__hidden=(24,))


def test_the_best_weight_is_the_least_squares_solution():
    rng = np.random.default_rng(0)
    y = rng.normal(size=(500, 1))
    predicted, taught = y + 0.5 * rng.normal(size=y.shape), y + 0.3 * rng.normal(size=y.shape)
    difference = predicted - taught
    expected = float((difference * (y - taught)).sum() / (difference**2).sum())
    found = best_weight(predicted, taught, lambda mixed: float(((mixed - y) ** 2).mean()))
    assert found == pytest.approx(expected, abs=0.01)


def test_the_best_weight_reaches_both_ends():
    y, noise = np.arange(10.0)[:, None], np.ones((10, 1))

    def squared(mixed):
        return float(((mixed - y) ** 2).mean())

    assert best_weight(y, y + noise, squared) == 1
    assert best_weight(y + noise, y, squared) == 0


def test_few_rows_move_the_weight_little_from_the_prior():
    predicted, taught = np.zeros((1, 1)), np.ones((1, 1))
    losses = [lambda mixed, n=n: n * float(mixed.mean()) for n in (0.0, 1.0, 100.0)]
    weights = [best_weight(predicted, taught, loss, prior=(0.25, 0.3)) for loss in losses]
    # the loss falls with the weight, n at most: 0.25 + n * 0.3**2
    assert weights == pytest.approx([0.25, 0.34, 1.0], abs=0.01)


class Predicts:
    """Stands for a label-only student."""

    def __init__(self, value):
        self.value = value

    def predictions(self, rows):
        return np.full((len(rows), np.size(self.value)), self.value)


def blending(weight, *values):
    account = DistillationAccount(Estimand("probability", "a test"), weight, 0.1, "given")
    return Blending(account, tuple(map(Predicts, values)))


def test_targets_are_a_mixture():
    outputs = Outputs(proba=np.array([[0.2, 0.8]]), margins=np.log([[0.2, 0.8]]))
    rows = Rows(np.zeros((1, 1)), outputs=outputs)
    mixed = blending(0.25, [0.4, 0.6], [0.6, 0.4]).targets(rows).outputs
    np.testing.assert_allclose(mixed.proba, [[0.25 * 0.5 + 0.75 * 0.2, 0.25 * 0.5 + 0.75 * 0.8]])
    np.testing.assert_allclose(np.exp(mixed.logits), mixed.proba)
    values = Rows(np.zeros((1, 1)), outputs=Outputs(values=np.array([[2.0]]), spread=np.array([[0.5]])))
    mixed = blending(0.25, 6.0).targets(values).outputs
    assert (mixed.values.item(), mixed.spread.item()) == (3.0, 0.5)
    assert blending(0.0).targets(rows) is rows


BINARY = Task(classes=np.array([0, 1]))
REAL = Task(scaling=TargetScaling(np.zeros(2), np.ones(2)), y_ndim=2)


def rows_of(n, out_of_sample, y=None, weight=None):
    return Rows(
        np.zeros((n, 1)),
        np.zeros(n, int) if y is None else np.asarray(y),
        np.ones(n) if weight is None else np.asarray(weight),
        out_of_sample=out_of_sample,
    )


def test_losses_are_weighted():
    rows = rows_of(2, None, y=[0, 1], weight=[3.0, 1.0])
    proba = np.array([[0.9, 0.1], [0.4, 0.6]])
    assert validation_loss(proba, rows, BINARY) == pytest.approx(-(3 * np.log(0.9) + np.log(0.6)) / 4)
    rows = rows_of(2, None, y=[[0.0, 0.0], [1.0, 1.0]], weight=[3.0, 1.0])
    values = np.array([[0.0, 2.0], [1.0, 3.0]])
    assert validation_loss(values, rows, REAL) == pytest.approx(np.sqrt((3 * 2 + 2) / 4))


def test_rows_are_held_out_in_turn():
    splits = validation_splits(rows_of(41, np.zeros(41, bool)), seed=0, n_splits=4, size=0.25)
    for seen, held in splits:
        assert len(held) == 10
        np.testing.assert_array_equal(np.sort(np.r_[seen, held]), np.arange(41))
    assert len(np.unique(np.concatenate([held for _, held in splits]))) == 40


@pytest.mark.parametrize(("n_unseen", "only_unseen"), [(19, False), (20, True), (40, True)])
def test_rows_that_the_teacher_has_not_seen_are_held_out_first(n_unseen, only_unseen):
    unseen = np.arange(40) < n_unseen
    ((_, held),) = validation_splits(rows_of(40, unseen), seed=0, n_splits=1, size=0.25)
    assert unseen[held].all() == only_unseen


def test_what_the_mixture_explains_of_the_labels():
    rows = rows_of(4, None, y=[0, 0, 1, 1])
    knows, half = np.eye(2)[rows.y] * 0.8 + 0.1, np.full((4, 2), 0.5)
    found = compare(knows, half, rows, BINARY, "a teacher")
    mixed = found.weight * 0.9 + (1 - found.weight) * 0.5
    assert 0.25 < found.weight < 1
    assert found.explained == pytest.approx(1 - np.log(mixed) / np.log(0.5), abs=1e-6)
    expected = {"teacher": np.log(2), "label-only students": -np.log(0.9), "mixture": -np.log(mixed)}
    assert found.losses == pytest.approx(expected, abs=1e-6)
    assert compare(half, half, rows, BINARY, "a teacher").explained == pytest.approx(0, abs=1e-6)
    assert compare(knows, half, rows_of(4, None, y=np.zeros((4, 2))), REAL, "a teacher").explained == 1


def test_a_teacher_that_knows_nothing_is_not_imitated():
    X, y = make_classification(300, 5, n_informative=4, n_redundant=0, class_sep=2.0, random_state=0)
    est = DistilledClassifier(DummyClassifier(), quicker(), augment=None, random_state=0).fit(X, y)
    assert est.blend_ > 0.9
    assert est.score(X, y) > 0.85


def test_labels_count_for_themselves_where_they_are_clean():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    clean, noisy = X[:, 0] > 0, X[:, 0] + 2 * rng.normal(size=300) > 0
    weights = [
        DistilledClassifier(DummyClassifier(), quicker(), augment=None, random_state=0).fit(X, y).hard_weight_
        for y in (clean, noisy)
    ]
    assert LABELS >= weights[0] > 0.5 * LABELS and weights[1] < 0.1 * LABELS


class Moved(RegressorMixin, BaseEstimator):
    """A class whose parameters say nothing: a regressor that is asked about other columns, and a constant."""

    def __init__(self, inside, columns=None, constant=0.0):
        self.inside = inside
        self.columns = columns
        self.constant = constant

    def fit(self, X, y):
        self.inside_ = clone(self.inside).fit(X, y)
        return self

    def predict(self, X):
        return self.inside_.predict(X if self.columns is None else X[:, self.columns]) + self.constant


WORSE_THAN_THE_MEAN = pytest.mark.filterwarnings("ignore::sklkd.exceptions.TeacherWarning")


@WORSE_THAN_THE_MEAN
@pytest.mark.parametrize("kept", [False, True])
def test_a_shift_by_error_is_no_purpose(kept):
    """A regressor that is asked about other columns than it was fitted on is mended by labels, not imitated."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 3))
    y = 1000 + 10 * (X @ [4.0, 1.0, 1.0] + 0.3 * rng.normal(size=400))
    teacher = Moved(LinearRegression(), [1, 2, 0], 50.0)
    predicted = clone(teacher).fit(X, y).predict(X)
    assert confirm_estimand(Estimand("mean", "", known=False), Outputs(values=predicted[:, None]), y).kind == "location"
    teacher = teacher.fit(X, y) if kept else teacher
    est = DistilledRegressor(teacher, quicker(), augment=None, random_state=0).fit(X, y)
    assert est.account_.estimand.kind == "mean"
    assert est.blend_ > 0.8
    assert np.mean((est.predict(X) - y) ** 2) < 0.2 * np.mean((predicted - y) ** 2)
    imitating = DistilledRegressor(teacher, quick(1), hard_weight=0, blend=0, augment=None, random_state=0).fit(X, y)
    # nobody has to know with both numbers given, and no label-only student is trained
    assert imitating.account_.estimand.kind == "location"


@pytest.mark.parametrize("level", [0.1, 0.9])
def test_a_shift_on_purpose_is_imitated(level):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(800, 3))
    y = 1000 + 10 * (X[:, 0] + np.exp(0.5 * X[:, 1]) * rng.exponential(size=800))
    inside = GradientBoostingRegressor(loss="quantile", alpha=level, n_estimators=50, random_state=0)
    est = DistilledRegressor(Moved(inside), quick(30), augment=None, random_state=0).fit(X, y)
    assert (est.account_.estimand.kind, est.blend_, est.hard_weight_) == ("location", 0, 0)


class WeightedAtFit(LogisticRegression):
    """Weights that no parameter tells."""

    def fit(self, X, y):
        return super().fit(X, y, sample_weight=np.where(y == 1, 8.0, 1.0))


def test_weights_on_purpose_that_no_parameter_tells_are_imitated():
    X, y = make_classification(800, 5, n_informative=4, n_redundant=0, weights=[0.85], random_state=0)
    est = DistilledClassifier(WeightedAtFit(), quick(30), augment=None, random_state=0).fit(X, y)
    assert (est.account_.estimand.kind, est.blend_) == ("reweighted probability", 0)


def test_a_purpose_that_a_network_knows_more_than_is_imitated():
    """A weighted linear model of what is not linear explains little of it, and what it says is no error."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1_000, 3))
    y = (2 * X[:, 0] + 4 * X[:, 1] * X[:, 2] + rng.logistic(size=1_000) > 4).astype(int)
    est = DistilledClassifier(WeightedAtFit(), quicker(), augment=None, random_state=0).fit(X, y)
    assert (est.account_.estimand.kind, est.blend_) == ("reweighted probability", 0)


@WORSE_THAN_THE_MEAN
def test_a_classifier_that_is_asked_about_other_columns_is_not_imitated():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1_000, 3))
    y = (X @ [4.0, 2.0, 1.0] + rng.logistic(size=1_000) > 4).astype(int)
    teacher = LogisticRegression().fit(X[:, [1, 2, 0]], y)
    teacher.coef_, teacher.intercept_ = 0.65 * teacher.coef_, 0.65 * teacher.intercept_ + 2
    outputs = Outputs(proba=teacher.predict_proba(X))
    assert confirm_estimand(Estimand("probability", ""), outputs, y).kind == "reweighted probability"
    est = DistilledClassifier(teacher, quicker(), augment=None, random_state=0).fit(X, y)
    assert est.account_.estimand.kind == "probability"
    # its clones are fitted on the right columns, and say nothing of it
    assert est.blend_ > 0.8
    assert log_loss(y, est.predict_proba(X)) < 0.5 * log_loss(y, outputs.proba)


@WORSE_THAN_THE_MEAN
def test_given_outputs_that_are_shifted_by_error_are_not_imitated():
    """They may come from rows that the teacher has seen: it is no better than they are."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 3))
    y = X @ [4.0, 1.0, 1.0] + 0.3 * rng.normal(size=400)
    est = DistilledRegressor(Precomputed(X @ [1.0, 4.0, 1.0] + 5), quicker(), random_state=0).fit(X, y)
    assert est.account_.estimand.kind == "mean"
    assert est.blend_ > 0.8 and est.score(X, y) > 0.9


@pytest.mark.parametrize("n_classes", [2, 3])
def test_balanced_weights_of_balanced_classes_leave_the_blending(n_classes):
    X, y = rows_with_classes([1 / n_classes] * n_classes)
    teacher = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
    account = DistilledClassifier(teacher, quicker(), augment=None, random_state=0).fit(X, y).account_
    assert account.estimand.kind == "probability"
    assert account.blend > 0.8 and account.losses["label-only students"] < 0.8 * account.losses["teacher"]


def rows_with_classes(shares):
    """300 rows of classes with these shares, at a distance from the middle that no linear teacher sees."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(len(shares)), np.round(300 * np.asarray(shares)).astype(int))
    X = rng.normal(size=(len(y), 3))
    X[:, :2] *= ((1 + 2 * y) / np.linalg.norm(X[:, :2], axis=1))[:, None] + 0.2 * rng.normal(size=(len(y), 1))
    return X, y


def test_a_perfect_teacher_is_imitated():
    X, y = make_regression(200, 3, noise=0.0, random_state=0)
    est = DistilledRegressor(LinearRegression(), quick(), random_state=0).fit(X, y)
    assert (est.hard_weight_, est.blend_, est.label_students_) == (0.0, 0.0, [])


def test_a_frozen_teacher_is_compared_through_a_clone_and_stays_as_it_is():
    X, y = make_classification(200, 5, flip_y=0.2, random_state=0)
    forest = RandomForestClassifier(20, random_state=0).fit(X, y)
    before = forest.predict_proba(X)
    frozen = DistilledClassifier(FrozenEstimator(forest), quick(), cv=None, augment=None, random_state=0).fit(X, y)
    bare = DistilledClassifier(forest, quick(), cv=None, augment=None, random_state=0).fit(X, y)
    assert (frozen.blend_, frozen.hard_weight_) == (bare.blend_, bare.hard_weight_)
    np.testing.assert_array_equal(forest.predict_proba(X), before)


@pytest.mark.parametrize("n", [40, 200])
def test_where_it_cannot_be_found_out_it_is_the_constant(n):
    X, y = make_classification(n, 5, random_state=0)
    outputs = np.eye(2)[y] * 0.8 + 0.1
    est = DistilledClassifier(Precomputed(outputs), quick(5), random_state=0).fit(X, y)
    assert (est.hard_weight_, est.blend_, est.account_.losses) == (UNKNOWN, 0.0, {})


class ForeignError(Exception):
    """Of somebody else's library."""


class FitsAllOrNothing(LogisticRegression):
    """Cannot be fitted on fewer than 100 rows."""

    def __init__(self, error=ValueError):
        super().__init__()
        self.error = error

    def fit(self, X, y, sample_weight=None):
        if len(y) < 100:
            raise self.error("100 rows are needed")
        return super().fit(X, y, sample_weight)


@pytest.mark.parametrize("error", [ValueError, RuntimeError, KeyError, ForeignError])
def test_a_clone_that_cannot_be_fitted_does_not_end_the_fit(error):
    X, y = make_classification(120, 5, random_state=0)
    est = DistilledClassifier(FitsAllOrNothing(error), quick(5), augment=None, random_state=0).fit(X, y)
    assert (est.hard_weight_, est.blend_) == (UNKNOWN, 0.0)
    assert error.__name__ in est.account_.reason


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
        proba = self.model_.predict_proba(X)
        return np.full_like(proba, 0.5) if self.fails_ else proba

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(1)]


def test_where_a_reduced_clone_fails_a_whole_one_is_compared():
    X, y = make_classification(200, 5, class_sep=2.0, random_state=0)
    reduced, plain = (
        DistilledClassifier(teacher, quick(30), augment=None, random_state=0).fit(X, y).account_
        for teacher in (NeedsTrees(), LogisticRegression())
    )
    assert reduced.losses == pytest.approx(plain.losses)
    assert reduced.blend == plain.blend < 0.9


class ForgetsTheRareClass(NeedsTrees):
    """With fewer than 300 "trees" it is sure that no row is of the second class."""

    def predict_proba(self, X):
        proba = self.model_.predict_proba(X)
        return np.eye(2)[np.zeros(len(proba), int)] if self.fails_ else proba


@pytest.mark.parametrize("n_members", [1, 2, 3])
def test_where_one_reduced_member_fails_a_whole_clone_is_compared(n_members):
    X, y = make_classification(300, 5, class_sep=2.0, flip_y=0.05, weights=[0.8], random_state=0)

    def account(member):
        others = [(f"m{k}", LogisticRegression(C=10.0**-k)) for k in range(n_members - 1)]
        voting = VotingClassifier([*others, ("last", member)], voting="soft")
        return DistilledClassifier(voting, quick(30), augment=None, random_state=0).fit(X, y).account_

    forgetful, plain = account(ForgetsTheRareClass()), account(LogisticRegression())
    assert forgetful.losses == pytest.approx(plain.losses)


def test_where_a_clone_fails_too_nothing_is_blended_in():
    X, y = make_classification(200, 5, class_sep=2.0, random_state=0)
    est = DistilledClassifier(NeedsTrees(needs=200), quick(5), augment=None, random_state=0).fit(X, y)
    assert (est.hard_weight_, est.blend_, est.account_.losses) == (UNKNOWN, 0.0, {})


def test_synthetic_rows_that_go_together_follow_each_other():
    rng = np.random.RandomState(0)
    X = np.column_stack([rng.permutation(1000) % 4, rng.randn(1000), np.repeat([0, 1], 500)])
    cuts = [(np.array([1.5]), np.array([0.2])), (np.array([0.0]), np.array([0.7])), (np.empty(0), np.empty(0))]
    ordered = X[similar_next_to_each_other(X, cuts)]
    assert_array_equal(np.unique(ordered, axis=0), np.unique(X, axis=0))
    # the column that is split most comes first, in sixteen steps; the next one inside each
    group = np.searchsorted(np.sort(X[:, 1]), ordered[:, 1]) * 16 // 1000
    assert np.all(np.diff(group) >= 0) and len(np.unique(group)) == 16
    assert all(np.all(np.diff(ordered[group == one, 0]) >= 0) for one in range(16))
    assert_array_equal(X[similar_next_to_each_other(X, [])], X)


@pytest.mark.parametrize(("n", "n_students"), [(2_100, 2), (200, 4)])
def test_all_label_only_students_are_kept_where_they_are_blended_in(n, n_students):
    X, y = make_regression(n, 3, random_state=0)
    est = DistilledRegressor(DummyRegressor(), quick(3), augment=None, random_state=0).fit(X, y)
    assert est.blend_ > 0.2 and len(est.label_students_) == n_students
    assert len({id(student.encoder) for student in est.label_students_}) == 1


@pytest.mark.parametrize("hard_weight", [0.0, 0.3])
def test_given_weights_are_obeyed(hard_weight):
    X, y = make_regression(200, 3, noise=20.0, random_state=0)
    est = DistilledRegressor(
        LinearRegression(), quick(3), hard_weight=hard_weight, blend=0.4, augment=None, random_state=0
    ).fit(X, y)
    assert (est.blend_, est.hard_weight_, est.account_.reason) == (0.4, hard_weight, "given")
    assert len(est.label_students_) == 4 and est.account_.losses == {}


def test_the_account_gives_the_losses_that_decided():
    X, y = make_classification(400, 5, flip_y=0.3, random_state=0)
    account = DistilledClassifier(LogisticRegression(), quick(30), augment=None, random_state=0).fit(X, y).account_
    assert account.n_validation == 200
    assert set(account.losses) == {"teacher", "label-only students", "mixture"}
    assert account.losses["mixture"] <= account.losses["teacher"] + 0.05
    assert all(f"{loss:.4g}" in str(account) for loss in account.losses.values())


@pytest.mark.parametrize("Estimator", [DistilledClassifier, DistilledRegressor])
def test_partial_fit_keeps_what_was_decided(Estimator):
    """A worthless teacher stays unused in later calls, so that the student keeps what it has learnt."""
    if Estimator is DistilledClassifier:
        X, y = make_classification(300, 5, n_informative=4, n_redundant=0, class_sep=2.0, random_state=0)
        teacher = DummyClassifier()
    else:
        X, y = make_regression(300, 3, random_state=0)
        teacher = DummyRegressor()
    est = Estimator(teacher, quicker(), augment=None, random_state=0).fit(X, y)
    decided, score = (est.blend_, est.hard_weight_), est.score(X, y)
    for _ in range(3):
        est.partial_fit(X, y)
    assert (est.blend_, est.hard_weight_) == decided and est.blend_ > 0.9
    assert est.score(X, y) > score - 0.05


class Moody(nn.Module):
    """A network that learns nothing where its first random number is small."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.factor = float(torch.rand(1) > 0.4)
        self.linear = nn.Linear(n_features, n_outputs)

    def forward(self, X):
        return self.factor * self.linear(X)


def test_label_students_that_fail_are_left_out():
    X, y = make_classification(300, 5, class_sep=3.0, random_state=0)
    numbers = []
    for seed in range(4):
        student = NeuralNet(Moody, nn.CrossEntropyLoss, lr=0.5, max_epochs=15, verbose=0)
        est = DistilledClassifier(DummyClassifier(), student, augment=None, random_state=seed).fit(X, y)
        of = [one.net.module_.factor for one in est.label_students_]
        assert len(set(of)) <= 1
        numbers += [len(of)] if of else []
    assert min(numbers) < max(numbers) <= 4
