"""Every kind of column, in every container, through models and wrappers: files and copies answer as the model does."""

from __future__ import annotations

import pickle
import shutil

import numpy as np
import pandas as pd
import polars as pl
import pytest
import skops.io
from sklearn.compose import TransformedTargetRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklkd import CPredictor, DistilledClassifier, DistilledRegressor, OnnxPredictor, to_c, to_onnx
from tests.frames import KINDS, ParityClassifier, ParityLabels, ParityRegressor, frame, unseen

from .conftest import PLAIN, quick

N = 60


def classifier():
    return DistilledClassifier(ParityClassifier(), quick(), **PLAIN)


def regressor():
    return DistilledRegressor(ParityRegressor(), quick(), **PLAIN)


MODELS = {
    "classifier": classifier,
    "regressor": regressor,
    "several labels": lambda: DistilledClassifier(ParityLabels(), quick(), **PLAIN),
    "search": lambda: GridSearchCV(classifier(), {"hard_weight": [0.1]}, cv=2),
    "pipeline": lambda: Pipeline([("student", regressor())]),
    "frozen": classifier,
    "threshold": lambda: FixedThresholdClassifier(classifier(), threshold=0.4, response_method="predict_proba"),
    "targets": lambda: TransformedTargetRegressor(regressor(), transformer=StandardScaler()),
}


def cells(column):
    """Python objects, None where one is missing."""
    return [None if pd.isna(cell) else cell for cell in column.astype(object).tolist()]


CONTAINERS = {
    "pandas": lambda X: X,
    "polars": lambda X: pl.DataFrame({name: cells(X[name]) for name in X}, strict=False),
    "objects": lambda X: np.column_stack([np.array([*cells(X[name]), None], dtype=object)[:-1] for name in X]),
}
# columns of polars have one type, and arrays of objects hold no dates
WITHOUT = {
    "pandas": (),
    "polars": ("mixed", "month", "zone"),
    "objects": ("when", "zone", "day", "month", "took"),
}
CASES = [
    pytest.param(kind, container, model, marks=[pytest.mark.slow] if (i + j + k) % 20 else [])
    for i, kind in enumerate(KINDS)
    for j, container in enumerate(CONTAINERS)
    for k, model in enumerate(MODELS)
    if kind not in WITHOUT[container]
]


def answers(model, X):
    """Labels, and probabilities where there are any."""
    proba = [model.predict_proba(X)] if hasattr(model, "classes_") else []
    return [np.asarray(model.predict(X), dtype=float), *proba]


def copies(model, folder):
    """What should answer as the model does, with how far it may be away."""
    yield pickle.loads(pickle.dumps(model)), 0.0
    content = skops.io.dumps(model)
    yield skops.io.loads(content, trusted=skops.io.get_untrusted_types(data=content)), 0.0
    to_onnx(model, folder / "model.onnx")
    yield OnnxPredictor(folder / "model.onnx"), 1e-5
    if shutil.which("cc"):
        to_c(model, folder / "model.c")
        yield CPredictor(folder / "model.c", flags=("-O0",)), 1e-5


@pytest.mark.parametrize(("kind", "container", "name"), CASES)
def test_copies_answer_as_the_model_does(kind, container, name, tmp_path):
    names = list({"label": None, kind: None})
    odd = np.arange(N) % 2
    y = {"several labels": np.column_stack([odd, 1 - odd])}.get(name, odd)
    fitted = MODELS[name]().fit(CONTAINERS[container](frame(N, 0, names)), y)
    model = FrozenEstimator(fitted) if name == "frozen" else fitted
    asked = [CONTAINERS[container](rows) for rows in (frame(N, 0, names), unseen(N, 1, names))]
    for copy, distance in copies(model, tmp_path):
        for rows in asked:
            for expected, got in zip(answers(model, rows), answers(copy, rows), strict=True):
                np.testing.assert_allclose(got, expected, rtol=0, atol=distance * max(1, np.abs(expected).max()))


def test_there_are_five_hundred():
    assert 4 * len(CASES) >= 500
    assert {case.values[0] for case in CASES} == set(KINDS)
