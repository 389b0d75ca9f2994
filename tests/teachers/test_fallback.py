"""Models that an adapter cannot read: it falls back to their predictions, and says what failed."""

from __future__ import annotations

import catboost
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklkd.teachers import adapt

X, Y = make_classification(120, 5, n_informative=4, n_redundant=0, random_state=0)


class Sealed:
    """Private parts that another version, or another library's subclass, does not have."""

    missing = ("_n_samples", "estimators_samples_")

    def __getattribute__(self, name):
        if name in Sealed.missing and super().__getattribute__("__dict__").get("sealed"):
            raise AttributeError(name)
        return super().__getattribute__(name)


def sealed(kind):
    return type(kind.__name__, (Sealed, kind), {})


def broken(name, error):
    """An attribute that fails in a way of its own."""

    def fail(self, *args, **options):
        raise error

    return {name: property(fail)} if name.endswith("_") else {name: fail}


MODELS = {
    "forest": sealed(RandomForestClassifier)(5, random_state=0),
    "extra trees": sealed(ExtraTreesClassifier)(5, bootstrap=True, random_state=0),
    "bagging": sealed(BaggingClassifier)(n_estimators=5, random_state=0),
    "resampled forest": type(
        "BalancedRandomForestClassifier", (RandomForestClassifier,), broken("estimators_samples_", RuntimeError("no"))
    )(5, random_state=0),
    "odd scores": type("Odd", (GaussianNB,), broken("decision_function", RuntimeError("no")))(),
}
MODELS["in a pipeline"] = make_pipeline(StandardScaler(), MODELS["forest"])


def seal(model):
    last = model[-1] if hasattr(model, "steps") else model
    last.sealed = True
    return model


@pytest.mark.parametrize("wrap", [lambda model: model, FrozenEstimator, lambda model: [("a", model)]])
@pytest.mark.parametrize("kind", MODELS)
def test_predictions_are_left(kind, wrap):
    model = seal(MODELS[kind].fit(X, Y))
    expected = model.predict_proba(X)
    teacher = adapt(wrap(model), [0, 1])
    assert np.allclose(teacher.outputs(X).proba, expected)
    assert isinstance(teacher.layers, dict)
    assert len(teacher.thresholds(X)) == 5
    with pytest.raises(ValueError):
        teacher.out_of_bag(X, Y)
    if kind == "odd scores" and isinstance(teacher.estimator, list):
        # margins of a list's members are not asked for
        return
    assert teacher.fallbacks and all(isinstance(failed, str) for failed in teacher.fallbacks)


@pytest.mark.parametrize("error", [RuntimeError, KeyError, MemoryError, TypeError, ValueError])
def test_any_error(error):
    kind = type("Forest", (RandomForestRegressor,), {"apply": lambda self, X: (_ for _ in ()).throw(error("no"))})
    model = kind(5, random_state=0).fit(X, X[:, 0])
    teacher = adapt(model)
    assert teacher.has_out_of_bag
    with pytest.raises(ValueError):
        teacher.out_of_bag(X, X[:, 0])
    outputs = teacher.outputs(X, spread=True)
    assert np.allclose(outputs.values[:, 0], model.predict(X)) and outputs.spread is None
    assert any(failed.startswith(f"spread: {error.__name__}") for failed in teacher.fallbacks)


def test_what_fails_inside_an_ensemble_is_noted_outside():
    kind = type("Forest", (RandomForestClassifier,), broken("estimators_samples_", RuntimeError("no")))
    voting = VotingClassifier([("a", kind(5, random_state=0)), ("b", LogisticRegression())]).fit(X, Y)
    teacher = adapt(make_pipeline(StandardScaler(), voting).fit(X, Y), [0, 1])
    assert not teacher.has_out_of_bag
    assert teacher.fallbacks == ["out-of-bag: RuntimeError: no"]


def test_nothing_fails_in_what_is_known():
    for model in (
        RandomForestClassifier(5),
        HistGradientBoostingClassifier(max_iter=5),
        BaggingClassifier(n_estimators=3),
    ):
        teacher = adapt(model.fit(X, Y), [0, 1])
        teacher.outputs(X), teacher.thresholds(X), teacher.layers, teacher.has_out_of_bag
        assert teacher.fallbacks == []


def test_catboost_with_text():
    words = np.array(["red wine", "white wine", "beer", "red beer"])
    frame = pd.DataFrame({"a": X[:, 0], "text": words[np.arange(len(X)) % 4]})
    model = catboost.CatBoostClassifier(
        iterations=5, verbose=0, allow_writing_files=False, text_features=["text"], thread_count=1
    ).fit(frame, Y)
    teacher = adapt(model, [0, 1])
    assert np.allclose(teacher.outputs(frame).proba, model.predict_proba(frame))
    assert [len(thresholds) for thresholds, _ in teacher.thresholds(frame)][1] == 0
