"""The report of whole estimators: every number recomputed from their predictions."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.stats import binomtest, entropy
from sklearn.compose import make_column_transformer
from sklearn.ensemble import ExtraTreesClassifier, RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, log_loss, r2_score, root_mean_squared_error
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from sklkd import DistilledClassifier, DistilledRegressor, distillation_report
from sklkd.report import _cost
from sklkd.teachers import Estimand, Precomputed


@pytest.fixture(scope="module")
def of_flowers(classifier, flowers):
    X, y, X_test, y_test = flowers
    return distillation_report(classifier, X_test, y_test, X_train=X, y_train=y, n_repeats=1)


def baseline_of(est, X, y):
    return type(est)(est.teacher_, est.student, hard_weight=1, augment=None, random_state=0).fit(X, y)


def test_classification(classifier, flowers, of_flowers):
    X, y, X_test, y_test = flowers
    models = {"teacher": classifier.teacher_, "student": classifier, "baseline": baseline_of(classifier, X, y)}
    of_teacher, losses = classifier.teacher_.predict_proba(X_test), {}
    assert list(of_flowers.rows) == list(models)
    for name, model in models.items():
        row, proba = of_flowers.rows[name], model.predict_proba(X_test)
        losses[name] = log_loss(y_test, proba)
        assert row["score"] == accuracy_score(y_test, model.predict(X_test))
        assert row["log_loss"] == pytest.approx(losses[name])
        if name != "teacher":
            assert row["kl"] == pytest.approx(np.mean(entropy(of_teacher, proba, axis=1)))
            assert row["agreement"] == np.mean(model.predict(X_test) == classifier.teacher_.predict(X_test))
    gain = (losses["student"] - losses["baseline"]) / (losses["teacher"] - losses["baseline"])
    assert losses["teacher"] < losses["baseline"]
    assert of_flowers.rows["student"]["gain_retained"] == pytest.approx(gain)


def test_what_does_not_apply_is_nan(of_flowers):
    unknown = {name: {key for key, value in row.items() if np.isnan(value)} for name, row in of_flowers.rows.items()}
    assert unknown == {
        "teacher": {"gain_retained", "agreement", "kl", "fit_seconds"},
        "student": set(),
        "baseline": {"gain_retained"},
    }


def test_costs(classifier, flowers, of_flowers):
    rows = of_flowers.rows
    net = classifier.student_.module_
    assert rows["student"]["parameters"] == sum(part.numel() for part in net.parameters())
    assert rows["student"]["bytes"] == len(pickle.dumps(classifier.without_teacher(), pickle.HIGHEST_PROTOCOL))
    assert rows["teacher"]["bytes"] == len(pickle.dumps(classifier.teacher_, pickle.HIGHEST_PROTOCOL))
    assert rows["student"]["fit_seconds"] == pytest.approx(sum(epoch["dur"] for epoch in classifier.history_))
    assert all(row["us_one_row"] > row["us_per_row"] > 0 for row in rows.values())
    assert (of_flowers.n_rows, of_flowers.n_batch) == (70, 70)
    assert of_flowers.names == {
        "teacher": "ExtraTreesClassifier",
        "student": "TabularNet",
        "baseline": "TabularNet",
    }


def test_one_row_and_a_limited_batch_are_timed(monkeypatch, classifier, flowers):
    sizes = []
    monkeypatch.setattr(_cost, "BATCH", 20)
    monkeypatch.setattr(_cost, "microseconds", lambda call, n_repeats: sizes.append(len(call())) or 120.0)
    report = distillation_report(classifier, *flowers[2:], baseline=False)
    assert sizes == [1, 20, 1, 20]
    assert report.rows["student"]["us_one_row"] == 120.0
    assert report.rows["student"]["us_per_row"] == 6.0
    assert (report.n_rows, report.n_batch) == (70, 20)


def test_regression_of_several_targets(regressor, bodies):
    X, y, X_test, y_test = bodies
    report = distillation_report(regressor, X_test, y_test, X_train=X, y_train=y, n_repeats=1)
    models = {"teacher": regressor.teacher_, "student": regressor, "baseline": baseline_of(regressor, X, y)}
    of_teacher, losses = regressor.teacher_.predict(X_test), {}
    for name, model in models.items():
        row, values = report.rows[name], model.predict(X_test)
        losses[name] = root_mean_squared_error(y_test, values)
        assert row["score"] == pytest.approx(r2_score(y_test, values))
        assert row["rmse"] == pytest.approx(losses[name])
        if name != "teacher":
            assert row["rmse_to_teacher"] == pytest.approx(root_mean_squared_error(of_teacher, values))
            r = [np.corrcoef(of_teacher[:, j], values[:, j])[0, 1] for j in range(3)]
            assert row["correlation_to_teacher"] == pytest.approx(np.mean(r))
    gain = (losses["student"] - losses["baseline"]) / (losses["teacher"] - losses["baseline"])
    assert report.rows["student"]["gain_retained"] == pytest.approx(gain)
    assert report.task == "regression"


def test_regression_of_one_target(student, bodies):
    X, y, X_test, y_test = bodies
    est = DistilledRegressor(Ridge(), student, augment=None, hard_weight=0.0, random_state=0).fit(X, y[:, 0])
    report = distillation_report(est, X_test, y_test[:, 0], n_repeats=1)
    assert report.rows["student"]["score"] == pytest.approx(est.score(X_test, y_test[:, 0]))
    assert report.rows["teacher"]["parameters"] == 4


def test_weights(classifier, flowers):
    X, y = flowers[2:]
    weight = np.random.default_rng(0).uniform(size=len(y))
    report = distillation_report(classifier, X, y, baseline=False, sample_weight=weight, n_repeats=1)
    row = report.rows["student"]
    proba = classifier.predict_proba(X)
    assert row["log_loss"] == pytest.approx(log_loss(y, proba, sample_weight=weight))
    assert row["score"] == pytest.approx(classifier.score(X, y, sample_weight=weight))
    kl = entropy(classifier.teacher_.predict_proba(X), proba, axis=1)
    assert row["kl"] == pytest.approx(np.average(kl, weights=weight))


def test_some_of_the_classes_are_enough(classifier, flowers):
    X, y = flowers[2:]
    kept = y != "setosa"
    report = distillation_report(classifier, X[kept], y[kept], baseline=False, n_repeats=1)
    proba = classifier.predict_proba(X[kept])[np.arange(kept.sum()), np.searchsorted(classifier.classes_, y[kept])]
    assert report.rows["student"]["log_loss"] == pytest.approx(-np.log(proba).mean())


@pytest.mark.parametrize("container", [pd.DataFrame, pl.DataFrame, list])
def test_containers(student, flowers, container):
    def contain(X):
        if container is list:
            return X.tolist()
        return container({**{f"x{j}": X[:, j] for j in range(4)}, "wide": np.where(X[:, 0] > 6, "yes", "no")})

    X, y, X_test, y_test = flowers
    teacher = ExtraTreesClassifier(5, random_state=0)
    if container is not list:
        encode = make_column_transformer((OrdinalEncoder(), ["wide"]), remainder="passthrough")
        teacher = make_pipeline(encode, teacher)
    est = DistilledClassifier(teacher, student, augment=None, hard_weight=0.0, random_state=0).fit(contain(X), y)
    report = distillation_report(est, contain(X_test), y_test, n_repeats=1)
    assert report.rows["student"]["score"] == est.score(contain(X_test), y_test)
    assert report.rows["teacher"]["score"] == est.teacher_.score(contain(X_test), y_test)
    assert np.isfinite(report.rows["baseline"]["kl"])


@pytest.mark.parametrize("light", [True, False])
def test_a_dropped_teacher(classifier, flowers, light):
    X, y, X_test, y_test = flowers
    if light:
        est = classifier.without_teacher()
    else:
        est = DistilledClassifier(**classifier.get_params(deep=False) | {"keep_teacher": False}).fit(X, y)
    report = distillation_report(est, X_test, y_test, n_repeats=1)
    assert list(report.rows) == ["student"]
    assert report.rows["student"]["score"] == est.score(X_test, y_test)
    assert [note.partition(":")[0] for note in report.notes] == ["No teacher", "No baseline"]
    linear = LogisticRegression(max_iter=500).fit(X, y)
    compared = distillation_report(est, X_test, y_test, linear, n_repeats=1)
    assert list(compared.rows) == ["student", "baseline"]
    assert np.isnan(compared.rows["student"]["gain_retained"])
    assert len(compared.notes) == 1


@pytest.mark.parametrize("to_fit", [True, False])
def test_outputs_in_place_of_a_teacher_are_not_asked_for_other_rows(student, flowers, to_fit):
    X, y, X_test, y_test = (part[:70] for part in flowers)
    outputs = ExtraTreesClassifier(5, random_state=0).fit(X, y).predict_proba(X)
    est = DistilledClassifier(None if to_fit else Precomputed(outputs), student, hard_weight=0.0, random_state=0)
    est.fit(X, y, teacher_outputs=outputs if to_fit else None)
    # as many rows as there are outputs: they must not be taken for these rows'
    report = distillation_report(est, X_test, y_test, n_repeats=1)
    assert list(report.rows) == ["student", "baseline"]
    assert np.isnan(report.rows["student"]["agreement"])
    assert report.notes[0] == "No teacher: only its outputs for the training rows are known."


def test_training_that_others_have_recorded(classifier, flowers, student):
    X, y, X_test, y_test = flowers
    search = GridSearchCV(LogisticRegression(max_iter=500), {"C": [1.0]}, cv=2).fit(X, y)
    est = DistilledClassifier(search, student, augment=None, hard_weight=0.0, random_state=0).fit(X, y)
    report = distillation_report(est, X_test, y_test, classifier, n_repeats=1)
    assert report.rows["teacher"]["fit_seconds"] == search.refit_time_
    assert report.rows["baseline"]["fit_seconds"] == sum(classifier.history_[:, "dur"])


def test_auto_parameters_are_named(student, flowers):
    X, y, X_test, y_test = flowers
    teacher = ExtraTreesClassifier(5, bootstrap=True, random_state=0)
    est = DistilledClassifier(teacher, student, hard_weight=0.5, random_state=0).fit(X, y)
    report = distillation_report(est, X_test, y_test, baseline=False, n_repeats=1)
    assert report.chosen == {"augment": str(est.augment_), "cv": est.cv_}
    assert report.chosen["cv"] == "oob"


def test_the_account_is_that_of_the_estimator(student, flowers):
    X, y, X_test, y_test = flowers
    est = DistilledClassifier(ExtraTreesClassifier(5), student, augment=None, random_state=0).fit(X, y)
    report = distillation_report(est, X_test, y_test, baseline=False, n_repeats=1)
    assert report.account is est.account_
    assert report.chosen == {"cv": est.cv_}


def test_labels_are_those_of_each_models_own_rule(student, flowers):
    X, y, X_test, y_test = flowers
    kinds = y != "setosa", y_test != "setosa"
    X, y, X_test, y_test = X[kinds[0]], y[kinds[0]], X_test[kinds[1]], y_test[kinds[1]]
    est = DistilledClassifier(ExtraTreesClassifier(5), student, augment=None, hard_weight=0.0, random_state=0).fit(X, y)
    est.threshold_ = 0.1
    row = distillation_report(est, X_test, y_test, baseline=False, n_repeats=1).rows["student"]
    assert row["score"] == est.score(X_test, y_test)
    assert row["score"] != np.mean(est.classes_[est.predict_proba(X_test).argmax(1)] == y_test)
    assert row["agreement"] == np.mean(est.predict(X_test) == est.teacher_.predict(X_test))


@pytest.mark.parametrize(("kind", "levels"), [("quantile", (0.1, 0.5, 0.9)), ("median", ()), ("rate", ())])
def test_of_other_locations_than_the_mean(student, bodies, kind, levels):
    """Of three targets, the outputs are taken for three quantiles of the first."""
    X, y, X_test, y_test = bodies
    est = DistilledRegressor(RandomForestRegressor(5), student, augment=None, hard_weight=0, blend=0, random_state=0)
    est.fit(X, y if levels else y[:, 0])
    est._deploy(replace(est._fitted, task=replace(est._fitted.task, y_ndim=1)))
    est.account_ = replace(est.account_, estimand=Estimand(kind, "made up", levels))
    report = distillation_report(est, X_test, y_test[:, 0], n_repeats=1)
    values = est.predict(X_test).reshape(len(X_test), -1)
    below = np.mean(y_test[:, :1] <= values, axis=0)
    names = [f"coverage {level:g}" for level in levels] or ["coverage"]
    for row in report.rows.values():
        assert set(names) <= set(row) and ("pinball" in row) == (kind != "rate")
    assert [report.rows["student"][name] for name in names] == pytest.approx(below)
    if len(levels) > 1:
        n, k = len(X_test), np.sum((values[:, 0] <= y_test[:, 0]) & (y_test[:, 0] <= values[:, 2]))
        assert report.rows["student"]["inside 0.1 to 0.9"] == k / n
        low, high = report.intervals["student"]["inside 0.1 to 0.9"]
        exact = binomtest(int(k), n).proportion_ci(report.confidence)
        assert (low, high) == pytest.approx((exact.low, exact.high))
        assert "targets inside 0.1 to 0.9" in str(report)
    assert sum(str(report.account.estimand) in note for note in report.notes) == (kind != "rate")
    assert str(report.account.estimand) in " ".join(str(report).split())


def test_an_unfitted_estimator_is_refused(flowers):
    with pytest.raises(NotFittedError):
        distillation_report(DistilledClassifier(ExtraTreesClassifier()), *flowers[2:])


def test_a_class_that_was_never_seen_is_refused(classifier, flowers):
    with pytest.raises(ValueError, match=r"y must have classes=\[.*'virginica'\], got 1 that are not among them"):
        distillation_report(classifier, flowers[2], np.r_[["tulip"], flowers[3][1:]])


@pytest.mark.parametrize("n_repeats", [0, 2.5, "many"])
def test_repeats_are_counted(classifier, flowers, n_repeats):
    with pytest.raises(ValueError, match="n_repeats must be an integer >= 1"):
        distillation_report(classifier, *flowers[2:], n_repeats=n_repeats)
