from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from catboost import CatBoost, CatBoostClassifier
from sklearn import config_context
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

from sklkd import DistilledClassifier
from sklkd.students import TabularStudent
from sklkd.teachers import clone_teacher, reduced_teacher, unfrozen

SILENT = {"iterations": 20, "verbose": 0, "allow_writing_files": False, "thread_count": 1, "random_seed": 0}
ALTERNATIVES = [["city"], [0], ("city",)]


@pytest.fixture(scope="module")
def problem():
    rng = np.random.RandomState(0)
    X = pd.DataFrame({"city": rng.choice(["Oslo", "Rome", "Bonn"], 150), "age": rng.random_sample(150)})
    return X, np.where((X["city"] == "Rome") | (X["age"] > 0.8), "yes", "no")


def distilled(teacher, **params):
    student = TabularStudent("tiny", max_epochs=2)
    return DistilledClassifier(teacher, student, augment=None, random_state=0, **params)


@pytest.mark.parametrize("columns", ALTERNATIVES, ids=str)
def test_a_clone_is_unfitted_and_predicts_the_same_after_its_fit(problem, columns):
    teacher = CatBoostClassifier(cat_features=columns, **SILENT).fit(*problem)
    made = clone_teacher(teacher)
    assert teacher.is_fitted() and not made.is_fitted()
    assert made.get_params() == teacher.get_params()
    np.testing.assert_array_equal(made.fit(*problem).predict_proba(problem[0]), teacher.predict_proba(problem[0]))


def test_a_clone_knows_the_columns_that_only_fit_was_told(problem):
    X = problem[0].assign(words=["red blue", "green", "blue green"] * 50)
    teacher = CatBoostClassifier(**SILENT).fit(X, problem[1], cat_features=["city"], text_features=["words"])
    made = clone_teacher(teacher)
    assert made.get_params() == teacher.get_params() | {"cat_features": [0], "text_features": [2]}
    np.testing.assert_array_equal(made.fit(X, problem[1]).predict_proba(X), teacher.predict_proba(X))


def test_the_plain_class_is_cloned_with_its_parameters():
    teacher = CatBoost({"loss_function": "Logloss", "cat_features": [0], **SILENT})
    assert clone_teacher(teacher).get_params() == teacher.get_params()


def test_lists_and_pipelines_are_cloned_member_by_member():
    booster, step = CatBoostClassifier(cat_features=["city"], **SILENT), FunctionTransformer()
    piped = make_pipeline(step, booster)
    (_, tree), (_, made) = clone_teacher([("tree", DecisionTreeClassifier(max_depth=3)), ("piped", piped)])
    assert tree.max_depth == 3
    assert [name for name, _ in made.steps] == [name for name, _ in piped.steps]
    assert made[0] is not step and made[-1] is not booster
    assert made[-1].get_params() == booster.get_params()
    assert piped[0] is step and piped[-1] is booster


def test_reduced_and_unfrozen_clones_keep_the_columns():
    teacher = CatBoostClassifier(cat_features=["city"], **SILENT | {"iterations": 300})
    assert unfrozen(teacher).get_params() == teacher.get_params()
    assert reduced_teacher(teacher).get_params() == teacher.get_params() | {"iterations": 100}


@pytest.mark.parametrize("cv", [None, 3])
def test_an_unfitted_teacher_is_fitted_as_it_is_alone(problem, cv):
    X, y = problem
    teacher = CatBoostClassifier(cat_features=["city"], **SILENT)
    est = distilled(teacher, cv=cv, hard_weight=0.1, blend=0).fit(X, y)
    assert not teacher.is_fitted() and est.teacher_refitted_
    alone = CatBoostClassifier(cat_features=["city"], **SILENT).fit(X, y)
    np.testing.assert_array_equal(est.teacher_.predict_proba(X), alone.predict_proba(X))


@pytest.mark.parametrize("at_fit", [False, True])
def test_a_fitted_teacher_is_compared_with_labels_on_clones(problem, at_fit):
    columns = {"cat_features": ["city"]}
    teacher = CatBoostClassifier(**SILENT, **({} if at_fit else columns)).fit(*problem, **(columns if at_fit else {}))
    est = distilled(teacher).fit(*problem)
    assert est.teacher_ is teacher
    assert set(est.account_.losses) >= {"teacher", "label-only students"}


def test_distilled_estimators_are_cloned_with_such_a_teacher():
    teacher = CatBoostClassifier(cat_features=["city"], **SILENT)
    with config_context(enable_metadata_routing=True):
        est = clone(distilled(teacher, hard_weight=0.2).set_fit_request(sample_weight=True))
        assert est.get_metadata_routing().consumes("fit", ["sample_weight"]) == {"sample_weight"}
    assert est.teacher is not teacher and est.teacher.get_params() == teacher.get_params()
    assert est.hard_weight == 0.2 and est.student.max_epochs == 2
    named = clone(distilled([("a", teacher), ("b", DecisionTreeClassifier())]))
    assert [name for name, _ in named.teacher] == ["a", "b"] and named.teacher[0][1] is not teacher
