"""Stages of fits, in log records, on standard error and in scikit-learn's callbacks."""

from __future__ import annotations

import logging
import pickle
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB

from sklkd import (
    DistilledClassifier,
    DistilledRegressor,
    OnlineDistilledClassifier,
    OnlineDistilledRegressor,
    SelfDistilledClassifier,
    SelfDistilledRegressor,
)
from sklkd.methods import BornAgain

from ..test_progress import Terminal, on_terminal, percent
from .problems import classes, quick, targets

callbacks_exist = find_spec("sklearn.callback") is not None
OFFLINE = ["teacher", "labelling", "label-only students", "transfer rows", "student", "fit"]
LABELS_ONLY = ["teacher", "student", "fit"]
OTHERS = ["encoding", "training", "fit"]
ESTIMATORS = {
    "classifier": (DistilledClassifier(LogisticRegression(), quick(), random_state=0), OFFLINE),
    "cross-fitted": (DistilledClassifier(LogisticRegression(), quick(), cv=2, random_state=0), OFFLINE),
    "labels only": (DistilledClassifier(LogisticRegression(), quick(), hard_weight=1, random_state=0), LABELS_ONLY),
    "regressor": (DistilledRegressor(Ridge(), quick(), random_state=0), OFFLINE),
    "online classifier": (OnlineDistilledClassifier([("a", quick()), ("b", quick())], random_state=0), OTHERS),
    "online regressor": (OnlineDistilledRegressor([("a", quick()), ("b", quick())], random_state=0), OTHERS),
    "self classifier": (SelfDistilledClassifier(quick(), random_state=0), OTHERS),
    "self regressor": (SelfDistilledRegressor(quick(), random_state=0), OTHERS),
    "generations": (SelfDistilledClassifier(quick(), method=BornAgain(), random_state=0), OTHERS),
}
every_estimator = pytest.mark.parametrize("name", list(ESTIMATORS))


def problem(name):
    return targets() if "regressor" in name else classes()


@every_estimator
def test_records_of_the_stages_in_their_order_and_nothing_shown(name, caplog, capsys):
    est, stages = ESTIMATORS[name]
    with caplog.at_level(logging.INFO, logger="sklkd"):
        fitted = clone(est).fit(*problem(name))
    assert [record.stage for record in caplog.records] == stages
    assert all(record.levelno == logging.INFO for record in caplog.records)
    *parts, whole = (record.seconds for record in caplog.records)
    assert min(parts) >= 0 and sum(parts) <= whole
    assert capsys.readouterr() == ("", "")
    # the stages are all that takes long: the student is trained in the last of them
    assert fitted.n_iter_ > 0


def test_details_say_what_was_decided_and_name_no_values(caplog):
    X, y = classes()
    est = DistilledClassifier(GaussianNB(), quick(), hard_weight=0.3, blend=0.2, random_state=0)
    with caplog.at_level(logging.DEBUG, logger="sklkd"):
        est.fit(X + 1234.5, y)
    details = "\n".join(record.getMessage() for record in caplog.records if record.levelno == logging.DEBUG)
    assert "blend=0.2, hard_weight=0.3" in details and f"{est.n_iter_} epochs" in details and est.cv_ in details
    assert "1234" not in details and "ant" not in details.replace("constant", "")


@every_estimator
def test_one_bar_over_the_whole_fit(name, monkeypatch, capsys):
    terminal = on_terminal(monkeypatch)
    est, stages = ESTIMATORS[name]
    shown_by = clone(est).set_params(verbose=1).fit(*problem(name))
    (shown,) = terminal.lines
    found = [percent(one) for one in shown]
    assert found == sorted(found) and found[0] == 0 and found[-1] == 100
    labels = [one.split("%")[1].split(",")[0].strip() for one in shown]
    assert list(dict.fromkeys(labels)) == [*stages[:-1], "fitted"]
    # every epoch of the training that decides moves it
    trained = stages[-2]
    assert labels.count(trained) >= min(3, shown_by.n_iter_)
    assert capsys.readouterr().out == ""


@every_estimator
def test_what_is_shown_changes_nothing_that_is_learnt(name, monkeypatch):
    on_terminal(monkeypatch)
    X, y = problem(name)
    est = ESTIMATORS[name][0]
    quiet, shown = clone(est).fit(X, y), clone(est).set_params(verbose=1).fit(X, y)
    np.testing.assert_array_equal(quiet.predict(X), shown.predict(X))
    assert len(pickle.dumps(quiet)) == pytest.approx(len(pickle.dumps(shown)), abs=200)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(shown)).predict(X), quiet.predict(X))
    assert [type(one) for _, one in shown.student_.callbacks_] == [type(one) for _, one in quiet.student_.callbacks_]
    assert clone(shown).get_params()["verbose"] == 1


def test_without_a_terminal_a_line_for_each_stage(capsys):
    est, stages = ESTIMATORS["classifier"]
    clone(est).set_params(verbose=1).fit(*classes())
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.rpartition(",")[0] for line in err.splitlines()] == [f"DistilledClassifier: {one}" for one in stages]


class Failing(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        raise ValueError("no")


def test_a_fit_that_fails_ends_the_line(monkeypatch):
    terminal = on_terminal(monkeypatch)
    X, y = classes()
    with pytest.raises(ValueError, match="no"):
        DistilledClassifier(Failing(), quick(), verbose=1).fit(X, y)
    assert terminal.getvalue().endswith("\n") and len(terminal.lines) == 1
    DistilledClassifier(LogisticRegression(), quick(), verbose=1).fit(X, y)
    assert percent(terminal.lines[-1][-1]) == 100


def test_a_teacher_that_is_distilled_too_draws_no_second_bar(monkeypatch):
    terminal = on_terminal(monkeypatch)
    assistant = DistilledClassifier(LogisticRegression(), quick(), augment=None, verbose=1)
    DistilledClassifier(assistant, quick(), augment=None, verbose=1).fit(*classes())
    (shown,) = terminal.lines
    assert percent(shown[-1]) == 100


def fit_in_a_worker(est, X, y):
    sys.stderr = stream = Terminal()
    est.fit(X, y)
    return stream.getvalue()


@pytest.mark.slow
def test_workers_show_lines_and_no_bar_also_on_a_terminal():
    est, stages = ESTIMATORS["classifier"]
    est = clone(est).set_params(verbose=1)
    for shown in Parallel(n_jobs=2)(delayed(fit_in_a_worker)(est, *classes()) for _ in range(2)):
        lines = [line.rpartition(",")[0] for line in shown.splitlines()]
        assert lines == [f"DistilledClassifier: {one}" for one in stages]


@pytest.mark.slow
def test_the_bar_of_a_fit_whose_parts_run_in_workers(monkeypatch):
    terminal = on_terminal(monkeypatch)
    X, y = classes()
    est = DistilledClassifier(LogisticRegression(), quick(), cv=2, random_state=0)
    alone = clone(est).fit(X, y).predict_proba(X)
    beside = est.set_params(n_jobs=2, verbose=1).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(alone, beside)
    (shown,) = terminal.lines
    assert percent(shown[-1]) == 100


def test_importing_and_logging_print_nothing_by_themselves():
    code = "import logging, sklkd.estimators; logging.getLogger('sklkd').warning('not configured')"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (found.stdout, found.stderr) == ("", "")


class Recorded:
    """A callback of scikit-learn's that keeps what it is told."""

    def __init__(self):
        self.told, self.predicted, self.teardowns = [], [], 0

    def setup(self, estimator, context):
        self.told.clear()

    def teardown(self, estimator, context):
        self.teardowns += 1

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None):
        self.told.append(("begins", context.task_name))

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None):
        self.told.append(("ends", context.task_name))


@pytest.mark.skipif(not callbacks_exist, reason="callbacks came with scikit-learn 1.9")
@every_estimator
def test_callbacks_are_told_of_each_stage(name):
    est, stages = ESTIMATORS[name]
    X, y = problem(name)
    told = Recorded()
    shown = clone(est).set_callbacks(told).fit(X, y)
    whole, *parts = told.told
    assert whole[0] == "begins" and parts[-1] == ("ends", whole[1])
    assert parts[:-1] == [(what, stage) for stage in stages[:-1] for what in ("begins", "ends")]
    assert told.teardowns == 1
    np.testing.assert_array_equal(shown.predict(X), clone(est).fit(X, y).predict(X))
    # they are the user's, and stay where they were set
    told.told.clear()
    shown.fit(X, y)
    assert len(told.told) == 2 * len(stages)


@pytest.mark.skipif(not callbacks_exist, reason="callbacks came with scikit-learn 1.9")
def test_callbacks_are_torn_down_where_a_fit_fails():
    told = Recorded()
    with pytest.raises(ValueError, match="no"):
        DistilledClassifier(Failing(), quick()).set_callbacks(told).fit(*classes())
    assert told.teardowns == 1 and told.told[-1] == ("begins", "teacher")
