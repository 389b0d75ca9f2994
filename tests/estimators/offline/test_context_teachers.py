"""Teachers that learn in context: how many rows they are asked for, and what the student learns of them."""

from __future__ import annotations

import sys
from functools import partial

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process.kernels import RBF
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklkd import DistilledClassifier, DistilledRegressor
from sklkd.augment import GaussianNoise
from sklkd.exceptions import TeacherWarning

from ...context_teachers import (
    CALLS,
    PACKAGE,
    CountedNeighbours,
    CountedNeighboursRegressor,
    CountedProcess,
    CountedProcessRegressor,
    TabPFNClassifier,
    TabPFNRegressor,
)
from ..problems import classes, quick, targets

WEIGHTED = CountedNeighbours(weights="distance")


@pytest.fixture(autouse=True)
def package(monkeypatch):
    """The module of the package's classes, and no calls."""
    for name, module in PACKAGE.items():
        monkeypatch.setitem(sys.modules, name, module)
    CALLS.clear()


TEACHERS = {
    "in-context": (TabPFNClassifier(), TabPFNRegressor()),
    "neighbours": (WEIGHTED, CountedNeighboursRegressor(weights="distance")),
    "process": (
        CountedProcess(optimizer=None),
        CountedProcessRegressor(RBF(2.0), alpha=0.1, optimizer=None, normalize_y=True),
    ),
    "pipeline": (
        make_pipeline(StandardScaler(), TabPFNClassifier()),
        make_pipeline(StandardScaler(), TabPFNRegressor()),
    ),
}


def problem(teacher, n=100, n_classes=2, seed=0):
    """Rows, labels or targets, and the estimator for them."""
    labels = ["ant", "bee", "cat"][:n_classes]
    regression = "Regressor" in repr(teacher)
    X, y = targets(n, seed=seed) if regression else classes(n, labels=labels, seed=seed)
    return X, y, (DistilledRegressor if regression else DistilledClassifier)


@pytest.mark.parametrize("teacher", [one for pair in TEACHERS.values() for one in pair], ids=repr)
def test_an_unfitted_one_is_cross_fitted_in_one_call_a_fold(teacher):
    X, y, Estimator = problem(teacher)
    est = Estimator(teacher, quick(), random_state=0).fit(X, y)
    assert est.cv_ == "cross-fit"
    assert CALLS.count(20) >= 5 and sum(CALLS) <= 5 * len(X)
    # five folds, labels of some rows, a row with a missing value, and three synthetic rows for each real one
    assert CALLS[:5] == [20] * 5 and CALLS[-1] == 300 and len(CALLS) <= 10


def test_what_it_learns_is_what_clones_say_of_rows_they_have_not_seen():
    X, y, _ = problem(WEIGHTED)
    seen = {}
    for cv in ("auto", 5, None):
        est = DistilledClassifier(WEIGHTED, quick(), cv=cv, blend=0.0, hard_weight=0.0, augment=None, random_state=0)
        seen[cv] = est.fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(seen["auto"], seen[5])
    assert np.abs(seen["auto"] - seen[None]).max() > 1e-3


@pytest.mark.slow
@settings(max_examples=25)
@given(
    n=st.integers(50, 130),
    kind=st.sampled_from(sorted(TEACHERS)),
    regression=st.booleans(),
    way=st.sampled_from(["unfitted", "fitted", "frozen", "list", "mixed", "wrapped"]),
    n_classes=st.integers(2, 3),
    weight=st.sampled_from(["auto", 0.0]),
)
def test_it_is_asked_at_most_five_times_a_training_row(n, kind, regression, way, n_classes, weight):
    teacher = TEACHERS[kind][int(regression)]
    X, y, Estimator = problem(teacher, n, n_classes)
    other = CountedNeighboursRegressor() if regression else CountedNeighbours()
    members = 1
    if way in ("fitted", "frozen"):
        teacher = clone(teacher).fit(X, y)
    if way == "frozen":
        teacher = FrozenEstimator(teacher)
    elif way == "list":
        teacher, members = [("a", teacher), ("b", other)], 2
    elif way == "mixed":
        # its reduced clones may fail, and the whole ones are asked too
        teacher = [("a", teacher), ("b", RandomForestRegressor(120) if regression else RandomForestClassifier(120))]
    elif way == "wrapped":
        teacher = make_pipeline(StandardScaler(), teacher)
    CALLS.clear()
    Estimator(teacher, quick(1), blend=weight, hard_weight=weight, random_state=0).fit(X, y)
    assert sum(CALLS) <= members * 5 * n


@pytest.mark.parametrize(("fitted", "synthetic"), [(False, 3), (True, 2)])
@pytest.mark.parametrize("weight", ["auto", 0.0])
def test_synthetic_rows(fitted, synthetic, weight):
    """Not 40,000 either where the teacher alone is imitated."""
    X, y, _ = problem(WEIGHTED)
    teacher = clone(WEIGHTED).fit(X, y) if fitted else WEIGHTED
    CALLS.clear()
    est = DistilledClassifier(teacher, quick(), blend=weight, hard_weight=weight, random_state=0).fit(X, y)
    assert CALLS[-1] == synthetic * len(X) and est.cv_ == ("in-sample" if fitted else "cross-fit")


@pytest.mark.parametrize("n_synthetic", [0, 7, 1234])
def test_a_number_of_synthetic_rows_is_obeyed(n_synthetic):
    X, y, _ = problem(WEIGHTED)
    DistilledClassifier(WEIGHTED, quick(), n_synthetic=n_synthetic, random_state=0).fit(X, y)
    assert CALLS[-1] == n_synthetic or n_synthetic == 0
    # the real rows, labels of one in 16 of them, and a missing value
    assert sum(CALLS) <= len(X) + 2 * 6 + 1 + n_synthetic


@pytest.mark.parametrize("n_unlabelled", [40, 250, 700])
def test_unlabelled_rows_come_first(n_unlabelled):
    X, y, _ = problem(WEIGHTED)
    more = np.random.RandomState(1).normal(size=(n_unlabelled, X.shape[1]))
    est = DistilledClassifier(WEIGHTED, quick(), augment=GaussianNoise(), random_state=0)
    est.fit(X, y, X_transfer=more)
    labelled = [calls for calls in CALLS[5:] if calls > 6]
    # unlabelled rows are all asked, and synthetic ones as far as questions are left
    assert labelled == [n for n in (n_unlabelled, 3 * len(X) - n_unlabelled) if n > 0]


def test_other_teachers_are_asked_as_before():
    X, y, _ = problem(WEIGHTED)
    asked = []

    class Counted(DecisionTreeClassifier):
        def predict_proba(self, X):
            asked.append(len(X))
            return super().predict_proba(X)

    est = DistilledClassifier(Counted(), quick(), blend=0.0, hard_weight=0.1, random_state=0).fit(X, y)
    assert est.cv_ == "in-sample" and max(asked) == 1000


def test_rows_are_labelled_in_pieces():
    X, y, _ = problem(WEIGHTED)
    DistilledClassifier(WEIGHTED, quick(1), n_synthetic=4500, random_state=0).fit(X, y)
    assert CALLS[-3:] == [2000, 2000, 500]


def test_bags_have_out_of_bag_outputs_where_these_are_free():
    X, y, _ = problem(WEIGHTED)
    for oob_score, source in ((True, "oob"), (False, "cross-fit")):
        # only with a score of its own it shows which rows it was fitted on
        bag = BaggingClassifier(KNeighborsClassifier(weights="distance"), 20, oob_score=oob_score, random_state=0)
        assert DistilledClassifier(bag, quick(1), random_state=0).fit(X, y).cv_ == source


def test_what_is_mixed_with_other_kinds_stays_in_sample():
    X, y, _ = problem(WEIGHTED)
    est = DistilledClassifier([("a", WEIGHTED), ("b", LogisticRegression())], quick(), random_state=0).fit(X, y)
    assert est.cv_ == "in-sample" and CALLS[-1] == 200


@pytest.mark.parametrize("n", [12, 49])
def test_few_rows_stay_in_sample(n):
    X, y, _ = problem(WEIGHTED, n)
    assert DistilledClassifier(WEIGHTED, quick(), random_state=0).fit(X, y).cv_ == "in-sample"


def test_where_it_cannot_be_fitted_on_a_part_of_the_rows_a_warning_says_so():
    X, y, _ = problem(WEIGHTED, 60)
    teacher = KNeighborsClassifier(n_neighbors=55)
    with pytest.warns(TeacherWarning, match="could not be cross-fitted"):
        est = DistilledClassifier(teacher, quick(), hard_weight=0.1, blend=0.0, random_state=0).fit(X, y)
    assert est.cv_ == "in-sample"


def test_groups_stay_together():
    X, y, _ = problem(WEIGHTED)
    group = np.repeat(np.arange(10), 10)
    found = []

    class Recording(KNeighborsClassifier):
        def fit(self, X, y):
            found.append({tuple(row) for row in X})
            return super().fit(X, y)

    DistilledClassifier(Recording(), quick(), random_state=0).fit(X, y, groups=group)
    assert len(found) == 6
    for part in found[1:]:
        inside = np.array([tuple(row) in part for row in X])
        assert all(len(set(inside[group == one])) == 1 for one in range(10))


@pytest.mark.parametrize(
    ("make", "teacher"),
    [
        (str, TEACHERS["in-context"][0]),
        (partial(joblib.Memory, verbose=0), [("a", TabPFNClassifier()), ("b", WEIGHTED)]),
    ],
    ids=["path", "memory"],
)
def test_a_search_over_students_asks_once_a_fold(tmp_path, make, teacher):
    X, y, _ = problem(WEIGHTED, 120)
    asked, scores = {}, {}
    for name, memory in (("without", None), ("with", make(tmp_path)), ("again", make(tmp_path))):
        CALLS.clear()
        est = DistilledClassifier(teacher, quick(1), blend=0.0, hard_weight=0.1, memory=memory, random_state=0)
        grid = {"student__lr": [0.01, 0.02, 0.03]}
        search = GridSearchCV(est, grid, cv=2, error_score="raise").fit(X, y)
        asked[name] = sum(calls for calls in CALLS if calls > 10)
        scores[name] = search.cv_results_["mean_test_score"]
    # three candidates on two folds of 60 rows, and the best on all 120
    each = 4 * (2 if isinstance(teacher, list) else 1)
    assert asked == {"without": each * (3 * 2 * 60 + 120), "with": each * (2 * 60 + 120), "again": 0}
    np.testing.assert_array_equal(scores["without"], scores["with"])
    np.testing.assert_array_equal(scores["without"], scores["again"])


@pytest.mark.slow
def test_answers_are_told_apart_by_teacher_rows_labels_weights_and_seed(tmp_path):
    X, y, _ = problem(WEIGHTED)
    est = DistilledClassifier(WEIGHTED, quick(1), memory=str(tmp_path), hard_weight=0.1, blend=0.0, random_state=0)
    for changed in ({}, {"teacher__n_neighbors": 3}, {"random_state": 1}):
        for y_changed in (y, np.roll(y, 1)):
            alone = clone(est).set_params(memory=None, **changed).fit(X, y_changed)
            for _ in range(2):
                again = clone(est).set_params(**changed).fit(X, y_changed)
                np.testing.assert_array_equal(alone.predict_proba(X), again.predict_proba(X))


def test_a_kept_teacher_is_asked_anew(tmp_path):
    X, y, _ = problem(WEIGHTED)
    teacher = clone(WEIGHTED).fit(X, y)
    for frozen in (teacher, FrozenEstimator(teacher)):
        est = DistilledClassifier(frozen, quick(1), memory=str(tmp_path), hard_weight=0.1, blend=0.0, random_state=0)
        asked = []
        for _ in range(2):
            CALLS.clear()
            est.fit(X, y)
            asked.append(sum(CALLS))
        assert asked[0] == asked[1] >= 3 * len(X)


@pytest.mark.parametrize("n_jobs", [None, pytest.param(2, marks=pytest.mark.slow)])
def test_folds_side_by_side_are_the_same(n_jobs):
    X, y, _ = problem(WEIGHTED)
    teacher = KNeighborsClassifier(weights="distance")
    est = DistilledClassifier(teacher, quick(1), hard_weight=0.1, blend=0.0, random_state=0)
    alone, many = est.fit(X, y).predict_proba(X), clone(est).set_params(n_jobs=n_jobs, verbose=0).fit(X, y)
    np.testing.assert_array_equal(alone, many.predict_proba(X))
