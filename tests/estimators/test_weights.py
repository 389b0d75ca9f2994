"""Row weights: what they mean, who gets them, and how scikit-learn's metadata routing changes that."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import ExtraTreesClassifier, StackingClassifier, VotingClassifier
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklkd import DistilledClassifier, DistilledRegressor
from sklkd.exceptions import SampleWeightWarning
from sklkd.losses import DKDLoss, TargetLoss

from .problems import classes, quick, skorch_net, targets

TREES = ExtraTreesClassifier(5, random_state=0)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def weighted(n, seed=0):
    return np.random.RandomState(seed).randint(0, 4, size=n)


@pytest.mark.parametrize(
    "est",
    [
        DistilledClassifier(TREES, quick(10)),
        DistilledClassifier(TREES, quick(10), hard_weight=0.5, blend=0, augment=None),
        DistilledClassifier(TREES, quick(10), hard_weight=1),
        DistilledClassifier(TREES, quick(10), cv=3, hard_weight=0.2, blend=0),
        DistilledClassifier(TREES, skorch_net(), loss=DKDLoss(), augment=None),
        DistilledClassifier([("trees", TREES), ("linear", LogisticRegression(C=0.1))], quick(10)),
        DistilledClassifier(make_pipeline("passthrough", TREES), quick(10)),
        DistilledClassifier(VotingClassifier([("trees", TREES)], voting="soft"), quick(10)),
        DistilledRegressor(Ridge(alpha=3.0), quick(10)),
        DistilledRegressor(Ridge(), quick(10), cv=3, loss=TargetLoss(kind="huber")),
    ],
    ids=lambda est: f"{type(est.teacher).__name__}-{est.cv}-{est.hard_weight}",
)
def test_a_weight_of_two_and_a_repeated_row_are_the_same(est):
    X, y = targets() if isinstance(est, DistilledRegressor) else classes()
    weight = weighted(len(y))
    order = np.random.RandomState(1).permutation(np.repeat(np.arange(len(y)), weight))
    est.set_params(random_state=0)
    once = clone(est).fit(X, y, sample_weight=weight)
    often = clone(est).fit(X[order], y[order])
    answer = "predict" if isinstance(est, DistilledRegressor) else "predict_proba"
    np.testing.assert_allclose(getattr(once, answer)(X), getattr(often, answer)(X), rtol=1e-5, atol=1e-6)
    unweighted = clone(est).fit(X, y)
    assert not np.allclose(getattr(once, answer)(X), getattr(unweighted, answer)(X), rtol=1e-3, atol=1e-4)


def test_rows_of_weight_zero_are_as_if_they_were_not_there():
    X, y = classes()
    teacher = LogisticRegression().fit(X, y)
    weight = np.where(np.arange(len(y)) % 3 == 0, 0.0, 1.7)
    est = DistilledClassifier(teacher, quick(10), random_state=0)
    zeroed = (
        clone(est).set_params(teacher=teacher).fit(np.where(weight[:, None] > 0, X, X + 1), y, sample_weight=weight)
    )
    removed = est.fit(X[weight > 0], y[weight > 0])
    np.testing.assert_array_equal(zeroed.predict_proba(X), removed.predict_proba(X))


def test_the_scale_of_all_weights_does_not_matter():
    X, y = classes()
    weight = weighted(len(y)) + 1
    est = DistilledClassifier(LogisticRegression().fit(X, y), quick(10), hard_weight=0.5, blend=0, random_state=0)
    one = est.fit(X, y, sample_weight=weight).predict_proba(X)
    np.testing.assert_allclose(est.fit(X, y, sample_weight=weight * 1000.0).predict_proba(X), one, atol=1e-5)


def test_weights_move_the_student_alone_where_the_teacher_is_kept():
    X, y = classes()
    noise = np.random.RandomState(0).rand(len(y)) < 0.4
    wrong = np.where(noise, np.roll(np.unique(y), 1)[np.searchsorted(np.unique(y), y)], y)
    teacher = LogisticRegression().fit(X, y)
    est = DistilledClassifier(teacher, quick(60), hard_weight=1, random_state=0)
    plain = est.fit(X, wrong).score(X, y)
    trusting = est.fit(X, wrong, sample_weight=np.where(noise, 0.01, 1.0)).score(X, y)
    assert trusting > plain + 0.1
    np.testing.assert_array_equal(est.teacher_.coef_, teacher.coef_)


class Weighed(ClassifierMixin, BaseEstimator):
    """Remembers the weights that it was fitted with."""

    def fit(self, X, y, sample_weight=None):
        self.classes_, self.weight_ = np.unique(y), sample_weight
        self.inner_ = LogisticRegression().fit(X, y)
        return self

    def predict_proba(self, X):
        return self.inner_.predict_proba(X)

    def predict(self, X):
        return self.inner_.predict(X)


def test_the_teacher_gets_them_where_its_signature_takes_them():
    X, y = classes()
    weight = weighted(len(y)) + 0.5
    est = DistilledClassifier(Weighed(), quick()).fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(est.teacher_.weight_, weight)
    assert DistilledClassifier(Weighed(), quick()).fit(X, y).teacher_.weight_ is None
    piped = DistilledClassifier(make_pipeline(StandardScaler(), Weighed()), quick()).fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(piped.teacher_[-1].weight_, weight)
    search = GridSearchCV(make_pipeline(StandardScaler(), Weighed()), {}, cv=2)
    found = DistilledClassifier(search, quick()).fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(found.teacher_.best_estimator_[-1].weight_, weight)
    members = [("a", Weighed()), ("b", LogisticRegression())]
    for ensemble in (VotingClassifier(members, voting="soft"), StackingClassifier(members, cv=2)):
        fitted = DistilledClassifier(ensemble, quick()).fit(X, y, sample_weight=weight)
        np.testing.assert_array_equal(fitted.teacher_.estimators_[0].weight_, weight)
    listed = DistilledClassifier(members, quick()).fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(listed.teacher_[0][1].weight_, weight)


@pytest.mark.parametrize("cv", [None, 3])
def test_warning_where_the_teacher_cannot_take_them(cv):
    X, y = classes()
    est = DistilledClassifier(KNeighborsClassifier(), quick(), cv=cv, random_state=0)
    with pytest.warns(SampleWeightWarning, match="KNeighborsClassifier.fit takes no sample_weight") as caught:
        est.fit(X, y, sample_weight=weighted(len(y)) + 1)
    assert len(caught) == 1  # not once a fold
    assert not np.array_equal(est.predict_proba(X), clone(est).fit(X, y).predict_proba(X))


def test_no_warning_where_the_teacher_is_kept():
    X, y = classes()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DistilledClassifier(KNeighborsClassifier().fit(X, y), quick()).fit(X, y, sample_weight=weighted(len(y)) + 1)


def test_routing_asks_the_teacher_what_it_wants(routing):
    X, y = classes()
    weight = weighted(len(y)) + 0.5
    asking = DistilledClassifier(Weighed().set_fit_request(sample_weight=True), quick())
    np.testing.assert_array_equal(asking.fit(X, y, sample_weight=weight).teacher_.weight_, weight)
    declining = DistilledClassifier(Weighed().set_fit_request(sample_weight=False), quick(), random_state=0)
    declining.fit(X, y, sample_weight=weight)
    assert declining.teacher_.weight_ is None
    assert not np.array_equal(declining.predict_proba(X), clone(declining).fit(X, y).predict_proba(X))
    undecided = DistilledClassifier(Weighed(), quick())
    with pytest.raises(UnsetMetadataPassedError, match=r"\[sample_weight\] are passed but are not explicitly set"):
        undecided.fit(X, y, sample_weight=weight)
    assert DistilledClassifier(KNeighborsClassifier(), quick()).fit(X, y).score(X, y) >= 0


def test_routing_through_a_list_and_folds(routing):
    X, y = classes()
    weight = weighted(len(y)) + 0.5
    members = [
        ("a", Weighed().set_fit_request(sample_weight=True)),
        ("b", Weighed().set_fit_request(sample_weight=False)),
    ]
    est = DistilledClassifier(members, quick(), cv=3).fit(X, y, sample_weight=weight)
    (_, first), (_, second) = est.teacher_
    np.testing.assert_array_equal(first.weight_, weight)
    assert second.weight_ is None


def test_routing_from_outside(routing):
    X, y = classes()
    weight = weighted(len(y)) + 0.5
    teacher = Weighed().set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
    est = DistilledClassifier(teacher, quick(), random_state=0)
    est.set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
    scores = cross_val_score(est, X, y, cv=2, params={"sample_weight": weight}, error_score="raise")
    first = np.arange(len(y)) % 2  # any split shows that the weights arrive
    by_hand = clone(est).fit(X[first == 0], y[first == 0], sample_weight=weight[first == 0])
    np.testing.assert_array_equal(by_hand.teacher_.weight_, weight[first == 0])
    assert np.isfinite(scores).all()
    pipe = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), est).fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(pipe[-1].teacher_.weight_, weight)


def test_unlabelled_rows_through_a_pipeline(routing):
    X, y = classes(200)
    X = X * 50 + 7
    est = DistilledClassifier(LogisticRegression(), skorch_net(max_epochs=30), hard_weight=0, blend=0, random_state=0)
    est.set_fit_request(X_transfer=True)
    pipe = make_pipeline(StandardScaler(), est).set_params(transform_input=["X_transfer"])
    pipe.fit(X[:100], y[:100], X_transfer=X[100:])
    scaler = StandardScaler().fit(X[:100])
    scaled = clone(est).fit(scaler.transform(X[:100]), y[:100], X_transfer=scaler.transform(X[100:]))
    np.testing.assert_array_equal(pipe.predict_proba(X), scaled.predict_proba(scaler.transform(X)))


def test_bad_weights():
    X, y = classes()
    est = DistilledClassifier(LogisticRegression(), quick())
    cases = [
        (-np.ones(len(y)), "Negative values in data passed to `sample_weight`"),
        (np.zeros(len(y)), "sample_weight must have a weight > 0, got only zeros"),
        (np.ones(3), r"sample_weight.shape == \(3,\), expected \(120,\)"),
        (np.full(len(y), np.nan), "contains NaN"),
        (np.where(y == "ant", 1.0, 0.0), "at least 2 classes with a sample_weight > 0"),
    ]
    for weight, message in cases:
        with pytest.raises(ValueError, match=message):
            est.fit(X, y, sample_weight=weight)
