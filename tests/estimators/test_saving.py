"""Files that run no code when they are loaded: skops for the estimator, safetensors for the weights."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import skops.io
import torch
from safetensors.torch import load_file, save_file
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor

from sklkd import DistilledClassifier, DistilledRegressor
from sklkd.students import TabularStudent

TRUSTED = [
    "sklkd._columns._codec.ColumnCodec",
    "sklkd.estimators._fitted_student.FittedStudent",
    "sklkd.estimators._task.Task",
    "sklkd.estimators.offline._account.DistillationAccount",
    "sklkd.losses._objective.Objective",
    "sklkd.students._encoder.InputEncoder",
    "sklkd.students._tabular_student.TabularStudent",
    "sklkd.teachers._estimand.Estimand",
    "skorch.history.History",
]
CLASSIFIER = [
    "sklkd.estimators.offline._classifier.DistilledClassifier",
    "sklkd.losses._soft_target.SoftTargetLoss",
    "sklkd.students._train.logits_to_proba",
]
REGRESSOR = [
    "sklkd.estimators.offline._regressor.DistilledRegressor",
    "sklkd.losses._target.TargetLoss",
    "sklkd.students._scaling.TargetScaling",
]


@pytest.fixture(scope="module")
def problem():
    X, y = make_classification(300, 6, n_informative=5, n_redundant=0, n_classes=3, random_state=0)
    X[::7, 2] = np.nan
    return X, np.array(["ant", "bee", "cat"])[y]


def student():
    return TabularStudent("tiny", max_epochs=2)


@pytest.fixture(scope="module")
def classifier(problem):
    teacher = HistGradientBoostingClassifier(max_iter=5)
    return DistilledClassifier(teacher, student(), augment=None, random_state=0).fit(*problem)


def test_skops_stores_a_light_classifier_with_nothing_but_our_classes(classifier, problem):
    X, y = problem
    content = skops.io.dumps(classifier.without_teacher())
    assert set(skops.io.get_untrusted_types(data=content)) == {*TRUSTED, *CLASSIFIER}
    again = skops.io.loads(content, trusted=[*TRUSTED, *CLASSIFIER])
    np.testing.assert_array_equal(again.predict_proba(X), classifier.predict_proba(X))
    np.testing.assert_array_equal(again.predict(X), classifier.predict(X))
    encoded = again.encoder_.transform(X)
    np.testing.assert_array_equal(again.student_.predict_proba(encoded), classifier.student_.predict_proba(encoded))
    assert again.__sklearn_tags__().input_tags.allow_nan
    with pytest.raises(ValueError, match="teacher was dropped by without_teacher"):
        again.fit(X, y)


def test_no_pickle_hides_in_the_file(classifier):
    state = classifier.without_teacher().student_.__getstate__()
    assert not any(isinstance(value, bytes) for value in state.values())


def test_skops_stores_a_light_regressor_in_the_units_of_y(problem):
    X = np.nan_to_num(problem[0])
    y = 100 * X[:, :2] + 5000
    teacher = RandomForestRegressor(5, random_state=0)
    est = DistilledRegressor(teacher, student(), augment=None, random_state=0).fit(X, y)
    again = skops.io.loads(skops.io.dumps(est.without_teacher()), trusted=[*TRUSTED, *REGRESSOR])
    np.testing.assert_array_equal(again.predict(X), est.predict(X))
    encoded = again.encoder_.transform(X)
    np.testing.assert_allclose(again.student_.predict(encoded), est.student_.predict(encoded), rtol=1e-7)


def test_loading_draws_no_random_numbers(classifier):
    content = pickle.dumps(classifier.without_teacher())
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    pickle.loads(content)
    assert torch.equal(torch.rand(3), expected)


def test_safetensors_carries_the_weights_to_a_student_of_the_same_shape(classifier, problem, tmp_path):
    X, _ = problem
    path = tmp_path / "weights.safetensors"
    save_file(classifier.student_.module_.state_dict(), path)
    module = copy.deepcopy(classifier.student_.module_)
    for part in module.parameters():
        torch.nn.init.zeros_(part)
    module.load_state_dict(load_file(path))
    encoded = torch.from_numpy(classifier.encoder_.transform(X))
    with torch.no_grad():
        assert torch.equal(module(encoded), classifier.student_.module_(encoded))


def test_a_file_of_a_newer_version_says_so(classifier):
    state = classifier.without_teacher().__getstate__()
    state["_saved"] = {"format": state["_saved"]["format"] + 1, "sklkd": "9.0"}
    with pytest.raises(ValueError, match=r"The DistilledClassifier was saved by sklkd 9\.0, .* update sklkd\."):
        DistilledClassifier().__setstate__(state)
