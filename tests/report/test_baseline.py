"""The same student without a teacher: fitted as by hand, and nothing else is touched."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, StratifiedKFold

from sklkd import DistilledClassifier, DistilledRegressor, distillation_report
from sklkd.losses import SoftTargetLoss
from sklkd.report._baseline import fit_on_labels, make_baselines
from sklkd.rows import Rows


def make_baseline(est, rows, training=None, random_state=None, notes=None):
    """The student's."""
    return make_baselines(est, rows, True, training, random_state, [] if notes is None else notes)["student"]


def by_hand(est, X, y, sample_weight=None):
    made = type(est)(est.teacher_, est.student, hard_weight=1, augment=None, random_state=0)
    return made.fit(X, y, sample_weight=sample_weight)


def test_it_is_trained_on_the_training_rows(classifier, flowers):
    X, y, X_test, _ = flowers
    notes: list[str] = []
    found = make_baseline(classifier, Rows(X_test), Rows(X, y), None, notes)
    assert np.array_equal(found.predictions(X_test), by_hand(classifier, X, y).predict_proba(X_test))
    assert not np.allclose(found.predictions(X_test), classifier.predict_proba(X_test), atol=0.01)
    assert len(notes) == 1


def test_training_weights_reach_it(classifier, flowers):
    X, y, X_test, _ = flowers
    weight = np.where(y == "setosa", 5.0, 1.0)
    found = make_baseline(classifier, Rows(X_test), Rows(X, y, weight))
    assert np.array_equal(found.predictions(X_test), by_hand(classifier, X, y, weight).predict_proba(X_test))


def test_it_has_the_size_of_the_student(classifier, flowers):
    report = distillation_report(classifier, *flowers[2:], X_train=flowers[0], y_train=flowers[1], n_repeats=1)
    assert report.rows["baseline"]["parameters"] == report.rows["student"]["parameters"] > 0


def test_cross_fitted_rows_are_predicted_by_students_that_lack_them(classifier, flowers):
    _, _, X, y = flowers
    weight = np.linspace(1, 2, len(y))
    found = make_baseline(classifier, Rows(X, y, weight), None, 5, notes := [])
    expected = np.empty((len(y), 3))
    for train, test in StratifiedKFold(3, shuffle=True, random_state=5).split(X, y):
        expected[test] = by_hand(classifier, X[train], y[train], weight[train]).predict_proba(X[test])
    assert np.array_equal(found.predictions(X), expected)
    assert "47 at a" in notes[0]


def test_cross_fitting_changes_with_the_random_state_only(regressor, bodies):
    _, _, X, y = bodies
    one, same, other = (make_baseline(regressor, Rows(X, y), None, seed).predictions(X) for seed in (0, 0, 1))
    assert np.array_equal(one, same)
    assert not np.allclose(one, other)
    train, test = next(KFold(3, shuffle=True, random_state=0).split(X))
    assert np.array_equal(one[test], by_hand(regressor, X[train], y[train]).predict(X[test]))


def test_a_class_that_a_fold_lacks_keeps_its_column(classifier, flowers):
    _, _, X, y = flowers
    rare = np.flatnonzero(y == "virginica")[0]
    rows = np.r_[np.flatnonzero(y != "virginica"), rare]
    proba = make_baseline(classifier, Rows(X[rows], y[rows]), None, 0).predictions(X[rows])
    assert proba.shape == (len(rows), 3)
    assert np.allclose(proba.sum(1), 1)


def test_estimator_and_teacher_stay_as_they_are(flowers, student):
    X, y, X_test, y_test = flowers
    loss, generator = SoftTargetLoss(temperature=3), np.random.RandomState(0)
    teacher = ExtraTreesClassifier(5, random_state=0).fit(X, y)
    est = DistilledClassifier(teacher, student, loss=loss, augment=None, random_state=generator).fit(X, y)
    params, state, proba = est.get_params(deep=False), generator.get_state()[1].copy(), est.predict_proba(X_test)
    distillation_report(est, X_test, y_test, n_repeats=1)
    assert est.get_params(deep=False) == params
    assert est.teacher_ is teacher and est.random_state is generator
    assert np.array_equal(generator.get_state()[1], state)
    assert np.array_equal(est.predict_proba(X_test), proba)


def test_the_teacher_is_not_fitted_again(monkeypatch, classifier, regressor, flowers, bodies):
    def refuse(*args, **kwargs):
        raise AssertionError("fitted again")

    monkeypatch.setattr(ExtraTreesClassifier, "fit", refuse)
    monkeypatch.setattr(RandomForestRegressor, "fit", refuse)
    assert fit_on_labels(classifier, Rows(*flowers[:2])).hard_weight_ == 1
    assert fit_on_labels(regressor, Rows(*bodies[:2])).hard_weight_ == 1


def test_missing_values_reach_it_where_the_teacher_takes_them(flowers, student):
    X, y, X_test, y_test = (part.copy() for part in flowers)
    X[::5, 0] = X_test[::7, 1] = np.nan
    teacher = ExtraTreesClassifier(5, random_state=0)
    est = DistilledClassifier(teacher, student, augment=None, hard_weight=0.0, random_state=0).fit(X, y)
    report = distillation_report(est, X_test, y_test, n_repeats=1)
    assert np.isfinite(report.rows["baseline"]["log_loss"])


def test_a_fitted_estimator_is_measured_as_it_stands(classifier, flowers):
    X, y, X_test, y_test = flowers
    linear = LogisticRegression(max_iter=500).fit(X, y)
    report = distillation_report(classifier, X_test, y_test, linear, n_repeats=1)
    assert report.names["baseline"] == "LogisticRegression"
    assert report.rows["baseline"]["score"] == linear.score(X_test, y_test)
    assert report.notes == [] or "not below" in report.notes[0]


def test_columns_of_a_fitted_estimator_are_found_by_name(classifier, flowers):
    X, y, X_test, y_test = flowers
    kept = y != "versicolor"
    linear = LogisticRegression(max_iter=500).fit(X[kept], y[kept])
    report = distillation_report(classifier, X_test, y_test, linear, n_repeats=1)
    assert report.rows["baseline"]["score"] == linear.score(X_test, y_test) > 0.5


def test_no_baseline(classifier, flowers):
    report = distillation_report(classifier, *flowers[2:], baseline=False, n_repeats=1)
    assert list(report.rows) == ["teacher", "student"]
    assert np.isnan(report.rows["student"]["gain_retained"])
    assert report.notes == []


@pytest.mark.parametrize(
    "baseline, training, error, message",
    [
        ("yes", {}, TypeError, "baseline must be True, False or a fitted estimator, got 'yes'"),
        (LogisticRegression(), {}, ValueError, r"baseline must be fitted, got LogisticRegression\(\)"),
        (True, {"X_train": [[0.0] * 4]}, ValueError, "X_train and y_train belong together"),
        (True, {"y_train": ["setosa"]}, ValueError, "X_train and y_train belong together"),
        (True, {"sample_weight_train": [1.0]}, ValueError, "sample_weight_train weights X_train"),
        (False, {"X_train": [[0.0] * 4], "y_train": ["setosa"]}, ValueError, "leave them out"),
    ],
)
def test_bad_baselines(classifier, flowers, baseline, training, error, message):
    with pytest.raises(error, match=message):
        distillation_report(classifier, *flowers[2:], baseline, **training)


def test_too_few_rows_to_cross_fit(classifier, flowers):
    with pytest.raises(ValueError, match="takes 6 rows at least, got 5: pass X_train and y_train, or baseline=False"):
        distillation_report(classifier, flowers[2][:5], flowers[3][:5])


def test_parameters_that_concern_the_teacher_are_left_out(flowers, student):
    X, y, X_test, _ = flowers
    est = DistilledClassifier(
        ExtraTreesClassifier(5, random_state=0),
        student,
        loss=[("kd", SoftTargetLoss(temperature=3))],
        cv=3,
        augment=None,
        hard_weight=0.0,
        random_state=0,
    ).fit(X, y)
    made = fit_on_labels(est, Rows(X, y))
    assert made.augment_ is None
    assert np.array_equal(made.predict_proba(X_test), by_hand(est, X, y).predict_proba(X_test))


def test_regressor_of_several_targets(regressor, bodies):
    X, y, X_test, _ = bodies
    assert isinstance(clone(regressor), DistilledRegressor)
    found = make_baseline(regressor, Rows(X_test), Rows(X, y))
    assert np.array_equal(found.predictions(X_test), by_hand(regressor, X, y).predict(X_test))


def test_it_leaves_the_checkpoint_of_the_student_alone(tmp_path, flowers):
    X, y, X_test, y_test = flowers
    est = DistilledClassifier(ExtraTreesClassifier(random_state=0), "tiny", checkpoint=tmp_path, random_state=0)
    est.fit(X, y)
    kept = sorted(path.name for path in tmp_path.rglob("*"))
    distillation_report(est, X_test, y_test)
    distillation_report(est, X_test, y_test, X_train=X, y_train=y)
    assert sorted(path.name for path in tmp_path.rglob("*")) == kept
