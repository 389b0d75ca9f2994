"""What else ``fit`` is given for the teacher's fit and for the splits of ``cv``."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate

from sklkd import DistilledClassifier
from sklkd._splits import joined_groups

from ..problems import classes, quick

X, Y = classes(120)
GROUPS = np.repeat(np.arange(24), 5)
FAST = {"hard_weight": 0.1, "blend": 0, "augment": None, "random_state": 0}


class Told(ClassifierMixin, BaseEstimator):
    """Knows for every fit which rows it was given, and what else."""

    def __init__(self, fits=None):
        self.fits = fits

    def __sklearn_clone__(self):
        other = Told(self.fits)  # one list for all clones
        if hasattr(self, "_metadata_request"):
            other._metadata_request = self._metadata_request
        return other

    def fit(self, X, y, site=None, level=None, sample_weight=None):
        self.fits.append((np.asarray(X), site, level, sample_weight))
        self.model_ = LogisticRegression().fit(X, y)
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, X):
        return self.model_.predict_proba(X)

    def predict(self, X):
        return self.model_.predict(X)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def groups_of(rows):
    """The groups of rows, by their first column."""
    place = {value: i for i, value in enumerate(X[:, 0].tolist())}
    return GROUPS[[place[value] for value in np.asarray(rows)[:, 0].tolist()]]


@pytest.mark.parametrize("cv", [4, GroupKFold(4)], ids=["int", "splitter"])
def test_groups_stay_together_in_cross_fitting(cv):
    teacher = Told([])
    DistilledClassifier(teacher, quick(), cv=cv, **FAST).fit(X, Y, groups=GROUPS)
    folds = [set(groups_of(rows)) for rows, *_ in teacher.fits if len(rows) < len(X)]
    assert len(folds) == 4
    # a group is in a fold with all of its rows, or not at all
    assert all(len(rows) == 5 * len(set(groups_of(rows))) for rows, *_ in teacher.fits)
    assert sorted(g for seen in folds for g in set(GROUPS) - seen) == sorted(set(GROUPS))


def test_groups_reach_a_search():
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=GroupKFold(3))
    est = DistilledClassifier(search, quick(), **FAST).fit(X, Y, groups=GROUPS)
    expected = clone(search).fit(X, Y, groups=GROUPS).cv_results_["mean_test_score"]
    np.testing.assert_allclose(est.teacher_.cv_results_["mean_test_score"], expected)
    with pytest.raises(ValueError, match="groups"):
        DistilledClassifier(search, quick(), **FAST).fit(X, Y)


@pytest.mark.parametrize("fitted", [False, True])
def test_routed_metadata_goes_with_the_rows(routing, fitted):
    """Also into folds and into the clones on parts of the rows that are compared with label-only students."""
    site = X[:, 1] * 10
    teacher = Told([]).set_fit_request(site=True, level=True, sample_weight=True)
    auto = {"augment": None, "random_state": 0} if fitted else FAST | {"cv": 3}
    if fitted:
        teacher.fit(X, Y, site=site, level=7)
    weight = np.random.RandomState(0).randint(1, 3, len(X)).astype(float)
    DistilledClassifier(teacher, quick(), **auto).fit(X, Y, site=site, level=7, sample_weight=weight)
    told = teacher.fits[1:] if fitted else teacher.fits
    assert len(told) >= (1 if fitted else 4)
    for rows, sites, level, weights in told:
        np.testing.assert_array_equal(sites, rows[:, 1] * 10)
        assert level == 7 and len(weights) == len(rows)
    assert fitted == all(len(rows) < len(X) for rows, *_ in told)


def test_routing_from_outside_to_the_splitter(routing):
    teacher = Told([]).set_fit_request(site=True)
    est = DistilledClassifier(teacher, quick(), cv=GroupKFold(3), **FAST)
    cross_validate(est, X, Y, cv=GroupKFold(2), params={"site": X[:, 1] * 10, "groups": GROUPS}, error_score="raise")
    assert len(teacher.fits) == 2 * 4
    for rows, sites, *_ in teacher.fits:
        np.testing.assert_array_equal(sites, rows[:, 1] * 10)
        assert len(rows) == 5 * len(set(groups_of(rows)))


def test_what_nobody_asks_for_is_an_error(routing):
    with pytest.raises(UnsetMetadataPassedError, match="site"):
        DistilledClassifier(Told([]), quick(), **FAST).fit(X, Y, site=X[:, 1])
    with pytest.raises(TypeError, match="groups"):
        DistilledClassifier(Told([]), quick(), **FAST).fit(X, Y, groups=GROUPS)


def test_what_only_routing_hands_on():
    est = DistilledClassifier(Told([]), quick(), **FAST)
    with pytest.raises(
        TypeError, match=r"fit got level, site, which only metadata routing.*set_fit_request\(level=True"
    ):
        est.fit(X, Y, site=X[:, 1], level=3)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        est.fit(X, Y, groups=GROUPS[:-1])
    assert not hasattr(est, "student_")
    est.fit(X, Y, groups=None)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=30))
def test_joined_groups_are_the_components_of_both(pairs):
    first, second = (np.unique(one, return_inverse=True)[1] for one in np.array(pairs).T)
    joined = joined_groups(first, second)
    # the coarsest that is needed: merging until nothing changes
    expected = np.arange(len(pairs))
    for _ in pairs:
        for i in range(len(pairs)):
            same = (first == first[i]) | (second == second[i])
            expected[same] = expected[same].min()
    assert len(np.unique(np.stack([joined, expected]), axis=1).T) == len(set(joined)) == len(set(expected))
