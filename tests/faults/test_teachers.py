"""Teachers that fail in the middle of a fit: an error that says so, or the account; the old state is kept."""

from __future__ import annotations

import copy
import re

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sklkd import DistilledClassifier, DistilledRegressor
from tests.estimators.problems import quick

from .faults import (
    ANSWERS,
    ERRORS,
    Faulty,
    FaultyClassifier,
    FaultyRegressor,
    answers,
    files_of_at_most,
    is_that_of,
    rows_for,
    state_of,
)

MOST = 12
"""No fit here asks more often."""
FITS = {
    "kept-classifier": lambda: DistilledClassifier(FaultyClassifier().fit(*rows_for("kept-classifier")), quick(1)),
    "crossed-classifier": lambda: DistilledClassifier(FaultyClassifier(), quick(1), cv=2),
    "tree-classifier": lambda: DistilledClassifier(FaultyClassifier(), DecisionTreeClassifier(max_depth=3)),
    "kept-regressor": lambda: DistilledRegressor(FaultyRegressor().fit(*rows_for("kept-regressor")), quick(1)),
    "crossed-regressor": lambda: DistilledRegressor(FaultyRegressor(), quick(1), cv=2),
    "tree-regressor": lambda: DistilledRegressor(FaultyRegressor(), DecisionTreeRegressor(max_depth=3)),
}
FAULTS = {
    **{name: (error, "the teacher has failed") for name, error in ERRORS.items()},
    **dict.fromkeys(
        ANSWERS, (ValueError, "of Faulty(Classifier|Regressor) (must return|returned)|the teacher (gives|must give)")
    ),
}


@pytest.fixture(scope="module")
def whole():
    """Of each fit without a fault the number of its questions, what it predicts, and the estimator."""
    made = {}

    def fitted(name):
        if name not in made:
            X, y = rows_for(name)
            est = FITS[name]().set_params(random_state=0)
            Faulty.set(None)
            made[name] = est.fit(X, y), Faulty.n, answers(est, X), X, y
        return made[name]

    yield fitted
    Faulty.set(None)


def check(fitted, fault, at):
    """Whether a fit ends in the error that a fault is, and else what its account says differs from that without it."""
    est, n_questions, expected, X, y = fitted
    assert 4 <= n_questions <= MOST
    before, (error, message) = state_of(est), FAULTS[fault]
    Faulty.set(fault, at)
    again = copy.deepcopy(est)
    try:
        again.fit(X, y)
    except error as found:
        assert re.search(message, str(found))
        Faulty.set(fault, at)
        with pytest.raises(error, match=re.escape(str(found))):
            est.fit(X, y)
        assert is_that_of(before, est)
        np.testing.assert_array_equal(answers(est, X), expected)
        return True
    # one of its clones has failed, which leads to constants or ends a trial, or a question to which "no" is an answer
    if str(again.account_) != str(est.account_):
        assert "because a clone of the teacher could not be fitted" in again.account_.reason
    else:
        np.testing.assert_array_equal(answers(again, X), expected)
    return False


@pytest.mark.parametrize(
    ("name", "fault"), [("kept-classifier", "MemoryError"), ("crossed-regressor", "a column too many")]
)
def test_a_fault_at_any_question_is_told(name, fault, whole):
    fitted = whole(name)
    assert sum(check(fitted, fault, at) for at in range(1, fitted[1] + 1)) >= 2


@pytest.mark.slow
@pytest.mark.parametrize("name", FITS)
@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_at_every_question_is_told(name, fault, whole):
    fitted = whole(name)
    assert sum(check(fitted, fault, at) for at in range(1, fitted[1] + 1)) >= 2


@pytest.mark.parametrize("name", ["tree-regressor", pytest.param("crossed-classifier", marks=pytest.mark.slow)])
def test_a_fit_whose_teacher_failed_goes_on_from_its_checkpoint(name, whole, tmp_path):
    est, n_questions, expected, X, y = whole(name)
    failed = 0
    for at in range(1, n_questions + 1):
        again = type(est)(**est.get_params(deep=False)).set_params(checkpoint=tmp_path / str(at))
        Faulty.set("RuntimeError", at)
        try:
            again.fit(X, y)
        except RuntimeError:
            failed += 1
            np.testing.assert_array_equal(answers(again.fit(X, y), X), expected)
    assert failed >= 2


def test_a_full_disk_is_no_fault_of_the_teachers(tmp_path):
    """Teachers that learn in context are cross-fitted where that succeeds."""
    X, y = rows_for("classifier")
    est = DistilledClassifier(KNeighborsClassifier(), quick(1), checkpoint=tmp_path, random_state=0)
    expected = est.fit(X, y).predict_proba(X)
    n_found = 0
    for n_bytes in range(0, 6_000, 800):
        folder = tmp_path.parent / f"kept-{n_bytes}"
        est = est.set_params(checkpoint=folder)
        with files_of_at_most(n_bytes):
            try:
                est.fit(X, y)
            except OSError:
                n_found += 1
        np.testing.assert_array_equal(est.fit(X, y).predict_proba(X), expected)
    assert n_found > 2


def test_out_of_memory_is_no_refusal_of_missing_values(whole):
    est, n_questions, _, X, y = whole("kept-classifier")
    for at in range(1, n_questions + 1):
        Faulty.set("MemoryError", at)
        try:
            again = type(est)(**est.get_params(deep=False)).fit(X, y)
        except MemoryError:
            continue
        rows = np.where(np.arange(X.size).reshape(X.shape) == 0, np.nan, X)
        assert again.predict(rows).shape == est.predict(rows).shape
