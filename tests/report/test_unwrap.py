"""What stands around a distilled estimator is seen through, and rows go through its steps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklkd import DistilledClassifier, distillation_report
from sklkd.report._unwrap import Unwrapped


@pytest.fixture(scope="module")
def pipeline(flowers, student):
    X, y, _, _ = flowers
    teacher = ExtraTreesClassifier(10, random_state=0)
    est = DistilledClassifier(teacher, student, augment=None, hard_weight=0.0, random_state=0)
    return make_pipeline(StandardScaler(), est).fit(X, y)


def quality(report):
    return {name: (row["score"], row["log_loss"]) for name, row in report.rows.items()}


def test_a_pipeline(pipeline, flowers):
    X, y, X_test, y_test = flowers
    report = distillation_report(pipeline, X_test, y_test, X_train=X, y_train=y, n_repeats=1)
    assert report.rows["student"]["score"] == pipeline.score(X_test, y_test)
    behind = pipeline[0].transform(X_test)
    teacher = pipeline[-1].teacher_.predict_proba(behind)
    assert report.rows["teacher"]["log_loss"] == pytest.approx(log_loss(y_test, teacher))
    by_hand = distillation_report(
        pipeline[-1], behind, y_test, X_train=pipeline[0].transform(X), y_train=y, n_repeats=1
    )
    assert quality(report) == quality(by_hand)
    assert any("behind the steps of the Pipeline" in note for note in report.notes)
    assert not any("behind the steps" in note for note in by_hand.notes)


def test_a_baseline_of_ones_own_gets_rows_as_they_are_given(pipeline, flowers):
    X, y, X_test, y_test = flowers
    own = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(X, y)
    report = distillation_report(pipeline, X_test, y_test, own, n_repeats=1)
    assert report.rows["baseline"]["score"] == own.score(X_test, y_test)
    assert report.rows["baseline"]["log_loss"] == pytest.approx(log_loss(y_test, own.predict_proba(X_test)))


@pytest.mark.parametrize("around", ["frozen", "search", "pipeline in a search in a pipeline", "only step"])
def test_what_may_stand_around(pipeline, flowers, around):
    X, y, X_test, y_test = flowers
    whole: object = FrozenEstimator(pipeline)
    if around == "search":
        whole = GridSearchCV(pipeline, {f"{pipeline.steps[-1][0]}__hard_weight": [0.0]}, cv=2).fit(X, y)
    elif around == "pipeline in a search in a pipeline":
        search = GridSearchCV(pipeline, {"standardscaler__with_mean": [True]}, cv=2)
        whole = make_pipeline(StandardScaler(with_mean=False), search).fit(X, y)
    elif around == "only step":
        whole = Pipeline([("whole", FrozenEstimator(pipeline))])
    report = distillation_report(whole, X_test, y_test, False, n_repeats=1)
    assert report.rows["student"]["score"] == whole.score(X_test, y_test)
    assert Unwrapped(whole).transforms
    frozen = distillation_report(FrozenEstimator(pipeline[-1]), X_test, y_test, False, n_repeats=1)
    assert frozen.notes == []


def test_groups_are_by_columns_before_the_steps(student, flowers):
    X, y, X_test, y_test = flowers
    names = [f"x{j}" for j in range(4)]
    X, X_test = pd.DataFrame(X, columns=names), pd.DataFrame(X_test, columns=names)
    X_test["x0"] = np.where(np.arange(len(X_test)) % 2, 5.0, 6.0)
    est = DistilledClassifier(LogisticRegression(max_iter=500), student, hard_weight=0.0, augment=None, random_state=0)
    whole = make_pipeline(StandardScaler(), est).fit(X, y)
    report = distillation_report(whole, X_test, y_test, False, n_repeats=1, by="x0")
    assert [group.name for group in report.groups] == ["x0 = 5", "x0 = 6"]


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda pipeline: LogisticRegression(), "got LogisticRegression"),
        (lambda pipeline: make_pipeline(StandardScaler(), LogisticRegression()), "Pipeline with a LogisticRegression"),
        (lambda pipeline: CalibratedClassifierCV(pipeline), "got CalibratedClassifierCV"),
        (lambda pipeline: GridSearchCV(pipeline, {}, refit=False), "a GridSearchCV with refit=False"),
        (lambda pipeline: "student", "got str"),
    ],
)
def test_others_are_refused(pipeline, flowers, make, message):
    with pytest.raises(TypeError, match=message):
        distillation_report(make(pipeline), *flowers[2:])


def test_what_is_not_fitted_is_refused(flowers):
    est = DistilledClassifier(ExtraTreesClassifier())
    for whole in (est, make_pipeline(StandardScaler(), est), GridSearchCV(est, {"hard_weight": [0.0]})):
        with pytest.raises(NotFittedError):
            distillation_report(whole, *flowers[2:])
