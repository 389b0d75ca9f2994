"""Files that run no code when they are loaded: skops for the estimator, safetensors for the weights."""

from __future__ import annotations

import copy
import os
import pickle

import numpy as np
import polars as pl
import pytest
import skops.io
import torch
from safetensors.torch import load_file, save_file
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sklkd import (
    DistilledClassifier,
    DistilledRegressor,
    OnlineDistilledClassifier,
    OnlineDistilledRegressor,
    SelfDistilledClassifier,
    SelfDistilledRegressor,
)
from sklkd.methods import DeepToShallow
from sklkd.students import TabularStudent
from tests.estimators.problems import Net, classes
from tests.frames import KINDS, ParityClassifier, ParityRegressor, frame, unseen

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


SHARED = {
    "sklkd._columns._codec.ColumnCodec",
    "sklkd.estimators._fitted_student.FittedStudent",
    "sklkd.estimators._task.Task",
    "sklkd.students._encoder.InputEncoder",
    "sklkd.students._tabular_student.TabularStudent",
    "skorch.history.History",
}
N = 60

OFFLINE = {"augment": None, "hard_weight": 0.5, "blend": 0, "random_state": 0}
# each with the call that gives its light form
ESTIMATORS = {
    "DistilledClassifier": lambda: (DistilledClassifier(ParityClassifier(), student(), **OFFLINE), "without_teacher"),
    "DistilledRegressor": lambda: (DistilledRegressor(ParityRegressor(), student(), **OFFLINE), "without_teacher"),
    "OnlineDistilledClassifier": lambda: (OnlineDistilledClassifier(peers(), random_state=0), "without_peers"),
    "OnlineDistilledRegressor": lambda: (OnlineDistilledRegressor(peers(), random_state=0), "without_peers"),
    "SelfDistilledClassifier": lambda: (SelfDistilledClassifier(student(), random_state=0), None),
    "SelfDistilledRegressor": lambda: (SelfDistilledRegressor(student(), random_state=0), None),
}


def peers():
    return [("a", student()), ("b", student())]


def fitted(name, X):
    """A light estimator, and the method of it that says most."""
    est, lighten = ESTIMATORS[name]()
    odd = np.arange(len(X)) % 2
    est.fit(X, odd if name.endswith("Classifier") else 3.0 * odd)
    return est if lighten is None else getattr(est, lighten)(), getattr(est, "predict_proba", est.predict)


def through_skops(est):
    """The estimator after it was stored and loaded, with the types that are asked for trusted."""
    content = skops.io.dumps(est)
    return skops.io.loads(content, trusted=skops.io.get_untrusted_types(data=content))


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


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_skops_stores_every_estimator_with_every_kind_of_column(name, kind):
    names = list({"label": None, kind: None})
    X, rows = frame(N, 0, names), unseen(N, 1, names)
    light, predict = fitted(name, X)
    content = skops.io.dumps(light)
    types = set(skops.io.get_untrusted_types(data=content))
    assert types >= SHARED
    assert {one.split(".")[0] for one in types - SHARED} == {"sklkd"}
    again = skops.io.loads(content, trusted=list(types))
    for one in (X, rows):
        np.testing.assert_array_equal(getattr(again, predict.__name__)(one), predict(one))


@pytest.mark.parametrize("container", ["object array", "strings", "list", "polars"])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_skops_stores_what_was_fitted_on_other_containers(name, container):
    columns = ["word", "level"] if container == "strings" else ["label", "word"]
    X = frame(N, 0, columns).fillna({"word": "gap"})
    cells = X.astype(object).to_numpy()
    given = {
        "object array": cells,
        "strings": cells.astype(str),
        "list": cells.tolist(),
        "polars": pl.DataFrame({column: X[column].tolist() for column in X}),
    }[container]
    light, predict = fitted(name, given)
    np.testing.assert_array_equal(getattr(through_skops(light), predict.__name__)(given), predict(given))


def test_skops_stores_categories_that_only_the_students_own_steps_read():
    X = frame(N, 0, ["label", "word"])
    steps = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["word"]), remainder="passthrough")
    est = DistilledClassifier(ParityClassifier(), make_pipeline(steps, student()), **OFFLINE)
    light = est.fit(X, np.arange(N) % 2).without_teacher()
    rows = unseen(N, 1, ["label", "word"])
    np.testing.assert_array_equal(through_skops(light).predict_proba(rows), est.predict_proba(rows))


def test_skops_stores_exits():
    X = frame(N, 0, ["label", "word"])
    net = TabularStudent(max_epochs=2, module__hidden=(8, 8, 8))
    est = SelfDistilledClassifier(net, method=DeepToShallow(), random_state=0).fit(X, np.arange(N) % 2)
    again = through_skops(est)
    assert list(again.exits_) == list(est.exits_) == ["hidden.0", "hidden.1", "output"]
    for exit in est.exits_:
        np.testing.assert_array_equal(again.predict_proba(X, exit=exit), est.predict_proba(X, exit=exit))
    shorter = est.cut("hidden.1")
    np.testing.assert_array_equal(through_skops(shorter).predict_proba(X, exit=0), est.predict_proba(X, exit=0))


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


class MakesFolder:
    """Its pickle makes a folder when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def forged(state):
    """A file that says of itself to hold a default student."""

    class Forged(TabularStudent):
        def __getstate__(self):
            return state

    Forged.__module__ = TabularStudent.__module__
    Forged.__name__ = Forged.__qualname__ = TabularStudent.__qualname__
    return skops.io.dumps(Forged())


def test_no_pickle_is_read_from_a_file_whose_types_are_the_estimators_own(tmp_path):
    """skorch would read the bytes in such a state."""
    content = pickle.dumps(MakesFolder(tmp_path / "made"))
    file = forged({"device": "cpu", "__cuda_dependent_attributes__": content})
    assert set(skops.io.get_untrusted_types(data=file)) <= set(TRUSTED)
    with pytest.raises(ValueError, match="holds a pickle that does not say so"):
        skops.io.loads(file, trusted=TRUSTED)
    assert not (tmp_path / "made").exists()


def test_a_student_whose_state_is_a_pickle_says_so():
    X, y = classes(60)
    est = SelfDistilledClassifier(TabularStudent(module=Net, max_epochs=1), random_state=0).fit(X, y)
    content = skops.io.dumps(est.student_)
    assert "sklkd.students._plain_state.Pickle" in skops.io.get_untrusted_types(data=content)
    again = skops.io.loads(content, trusted=skops.io.get_untrusted_types(data=content))
    np.testing.assert_array_equal(again.predict_proba(X.astype(np.float32)), est.student_.predict_proba(X.astype("f4")))
