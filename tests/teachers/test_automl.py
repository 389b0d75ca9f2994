"""Predictors of AutoML libraries as teachers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklkd import DistilledClassifier, DistilledRegressor
from sklkd.teachers import adapt, can_clone, is_fitted

from ..automl import FlamlAutoML, MljarAutoML, TabularPredictor
from ..estimators.problems import quick

RNG = np.random.default_rng(0)
N = 120
X = pd.DataFrame({"a": RNG.normal(size=N), "b": RNG.normal(size=N), "c": RNG.choice(["u", "v"], N)})
SCORE = X["a"] + X["b"] ** 2 + (X["c"] == "u") + 0.3 * RNG.normal(size=N)
NAMES = {"two": ["no", "yes"], "three": ["p", "q", "r"], "numbers": [3, 7], "booleans": [False, True]}


def labels(names):
    return pd.Series(np.array(names)[pd.qcut(SCORE, len(names), labels=False)])


def predictor(y, folds=3, **params):
    kind = "regression" if y.dtype.kind == "f" else "binary" if y.nunique() == 2 else "multiclass"
    return TabularPredictor("y", **{"problem_type": kind} | params).fit(X.assign(y=y), num_bag_folds=folds)


def by_name(proba, names):
    return np.stack([proba.loc[:, [str(each) == str(name) for each in proba.columns]].iloc[:, 0] for name in names], 1)


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_columns_are_told_by_name_of_class(names):
    y = labels(names)
    teacher = predictor(y)
    asked = adapt(teacher, np.unique(y)).predictions(X)
    np.testing.assert_allclose(asked, by_name(teacher.predict_proba(X), names), atol=1e-12)


@pytest.mark.parametrize("names", [*NAMES.values(), None], ids=[*NAMES, "values"])
def test_out_of_fold_outputs_are_those_of_the_predictor(names):
    y = SCORE if names is None else labels(names)
    teacher = predictor(y)
    found, unseen = adapt(teacher, None if names is None else np.unique(y)).out_of_bag(X, y.to_numpy())
    own = teacher.predict_oof()
    expected = own.to_numpy()[:, None] if names is None else by_name(own, names)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert unseen.all()


def test_index_of_the_frame_does_not_matter():
    y = labels(["no", "yes"])
    moved = X.set_axis(RNG.permutation(N) + 7)
    teacher = adapt(predictor(y), ["no", "yes"])
    np.testing.assert_array_equal(teacher.predictions(moved), teacher.predictions(X))
    np.testing.assert_array_equal(teacher.out_of_bag(moved, y.to_numpy())[0], teacher.out_of_bag(X, y.to_numpy())[0])


OTHERS = {
    "order": (X[::-1], slice(None, None, -1), "other features"),
    "number": (X[:-1], slice(None, -1), "it was fitted on 120 rows, X has 119"),
    "a value": (X.assign(a=X["a"].where(X.index != 5, 0.25)), slice(None), "other features"),
    "a category": (X.assign(c=X["c"].where(X.index != 5, "w")), slice(None), "other features"),
}


@pytest.mark.parametrize(("rows", "at", "why"), OTHERS.values(), ids=OTHERS)
def test_other_rows_have_no_out_of_fold_outputs(rows, at, why):
    y = labels(["no", "yes"])
    with pytest.raises(ValueError, match=why):
        adapt(predictor(y), ["no", "yes"]).out_of_bag(rows, y.to_numpy()[at])


def test_other_labels_have_no_out_of_fold_outputs():
    y = labels(["no", "yes"])
    changed = y.to_numpy().copy()
    changed[5] = "yes" if changed[5] == "no" else "no"
    with pytest.raises(ValueError, match="other labels"):
        adapt(predictor(y), ["no", "yes"]).out_of_bag(X, changed)


@pytest.mark.parametrize(("folds", "source"), [(3, "oob"), (0, "in-sample")])
def test_auto_takes_out_of_fold_outputs(folds, source):
    y = labels(["no", "yes"])
    est = DistilledClassifier(predictor(y, folds), quick(2), random_state=0).fit(X, y)
    assert est.cv_ == source
    assert set(est.predict(X)) <= {"no", "yes"}
    assert (est.account_.n_validation > 0) is (folds > 0)


def test_a_decision_threshold_is_kept():
    y = labels(["no", "yes"])
    teacher = predictor(y)
    teacher.decision_threshold = 0.7
    est = DistilledClassifier(teacher, quick(2), n_synthetic=0, random_state=0).fit(X, y)
    assert np.mean(teacher.predict(X) == "yes") < np.mean(y == "yes") - 0.05
    np.testing.assert_array_equal(est.predict(X), np.where(est.predict_proba(X)[:, 1] >= est.threshold_, "yes", "no"))
    own = teacher.predict_proba(X)["yes"]
    np.testing.assert_array_equal(own >= est.threshold_, own >= 0.7)


def test_rows_must_be_a_frame():
    with pytest.raises(TypeError, match=r"X must be a frame with the columns .* got ndarray"):
        adapt(predictor(labels(["no", "yes"])), ["no", "yes"]).predictions(X.to_numpy())


def test_the_label_must_not_be_among_the_columns():
    y = labels(["no", "yes"])
    with pytest.raises(ValueError, match=r"X must not hold the column 'y'.*drop\(columns='y'\)"):
        DistilledClassifier(predictor(y), quick(2)).fit(X.assign(y=y), y)


ESTIMANDS = {
    "mean": ({}, "mean"),
    "median": ({"eval_metric": "mean_absolute_error"}, "median"),
    "quantiles": ({"problem_type": "quantile", "quantile_levels": [0.1, 0.9]}, "quantile"),
}


@pytest.mark.parametrize(("params", "kind"), ESTIMANDS.values(), ids=ESTIMANDS)
def test_what_a_predictor_of_values_estimates(params, kind):
    teacher = predictor(SCORE, **params)
    assert adapt(teacher).estimand.kind == kind
    est = DistilledRegressor(teacher, quick(2), n_synthetic=0, random_state=0).fit(X, SCORE)
    assert est.predict(X).shape == ((N, 2) if kind == "quantile" else (N,))
    assert (est.blend_, est.hard_weight_) == (0, 0) or kind == "mean"


@pytest.mark.parametrize("given", [None, "balance_weight", "auto_weight", "column"])
def test_balanced_weights_are_read(given):
    y = labels(["no", "yes"])
    weighed = given in ("balance_weight", "auto_weight")
    kind = adapt(predictor(y, sample_weight=given), ["no", "yes"]).estimand.kind
    assert kind == ("reweighted probability" if weighed else "probability")


def test_a_predictor_must_be_fitted_and_of_the_kind():
    with pytest.raises(NotFittedError, match=r"must be fitted, by its own fit\(train_data\)"):
        DistilledClassifier(TabularPredictor("y", "binary"), quick(2)).fit(X, labels(["no", "yes"]))
    with pytest.raises(TypeError, match="problem_type 'binary' or 'multiclass' here, got 'regression'"):
        DistilledClassifier(predictor(SCORE), quick(2)).fit(X, labels(["no", "yes"]))


NUMBERS = X[["a", "b"]]


AROUND = {
    "alone": lambda model: model,
    "in a pipeline": lambda model: make_pipeline(FunctionTransformer(), model),
    "in a list": lambda model: [("one", model), ("other", LogisticRegression())],
}


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
@pytest.mark.parametrize("fitted", [False, True])
def test_a_search_is_not_run_to_find_out(fitted, around):
    y, searches = labels(["no", "yes"]), []
    model = FlamlAutoML(searches, None if fitted else 3)
    if fitted:
        model.fit(NUMBERS, y, time_budget=3)
    assert is_fitted(model) is fitted
    teacher = around(model)
    assert not can_clone(teacher)
    est = DistilledClassifier(teacher, quick(2), n_synthetic=0, random_state=0).fit(NUMBERS, y)
    assert searches == [3]
    assert "cannot be cloned" in est.account_.reason


def test_a_search_is_cross_fitted_where_that_is_asked_for():
    searches = []
    est = DistilledClassifier(FlamlAutoML(searches, 3), quick(2), cv=3, n_synthetic=0, random_state=0)
    est.fit(NUMBERS, labels(["no", "yes"]))
    assert searches == [3] * 4
    assert est.account_.n_validation > 0


class SaysIt(MljarAutoML):
    def __sklearn_is_fitted__(self):
        return True


def test_attributes_that_are_none_are_not_learnt():
    assert not is_fitted(MljarAutoML())
    assert is_fitted(MljarAutoML().fit(NUMBERS, labels(["no", "yes"])))
    assert is_fitted(SaysIt())


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
@pytest.mark.parametrize("cv", ["auto", 3])
def test_no_earlier_run_is_taken_for_a_fit(cv, around, tmp_path):
    teacher, y = around(MljarAutoML(str(tmp_path / "run"))), labels(["no", "yes"])
    est = DistilledClassifier(teacher, quick(2), cv=cv, n_synthetic=0, random_state=0).fit(NUMBERS, y)
    assert (tmp_path / "run" / "model").exists()
    with pytest.raises(ValueError, match="an empty folder or None as results_path"):
        est.fit(NUMBERS, y)
