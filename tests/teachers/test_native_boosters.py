"""Native boosters of XGBoost and LightGBM, CatBoost's plain class, and objectives of the user's own."""

from __future__ import annotations

import copy
import pickle

import catboost
import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from scipy import sparse
from scipy.special import expit, softmax
from sklearn.datasets import load_iris

from sklkd.teachers import adapt, can_clone, is_fitted

X, CODES = load_iris(return_X_y=True)
FRAME = pd.DataFrame(X, columns=["w", "x", "y", "z"])
NAMES = np.array(["a", "b", "c"])
BINARY = (CODES > 0).astype(int)
CAT = {"iterations": 6, "verbose": 0, "allow_writing_files": False, "thread_count": 1}


def xgb(y, rows=X, rounds=6, **params):
    return xgboost.train({"nthread": 1, **params}, xgboost.DMatrix(rows, y), rounds)


def lgb(y, rows=X, rounds=6, **params):
    return lightgbm.train({"verbose": -1, "num_threads": 1, **params}, lightgbm.Dataset(rows, y), rounds)


def cat(y, **params):
    return catboost.CatBoost({**CAT, **params}).fit(X, y)


def logistic(scores, labels):
    return expit(scores) - labels, expit(scores) * expit(-scores)


def xgb_margin(model):
    return model.predict(xgboost.DMatrix(X), output_margin=True)


# the model, its classes or None, and what it says of X
MODELS = {
    "xgboost, binary": lambda: (m := xgb(BINARY, objective="binary:logistic"), 2, expit(xgb_margin(m))),
    "xgboost, logits": lambda: (m := xgb(BINARY, objective="binary:logitraw"), 2, expit(xgb_margin(m))),
    "xgboost, classes": lambda: (
        m := xgb(CODES, objective="multi:softprob", num_class=3),
        3,
        softmax(xgb_margin(m), axis=1),
    ),
    "xgboost, labels": lambda: (
        m := xgb(CODES, objective="multi:softmax", num_class=3),
        3,
        softmax(xgb_margin(m), axis=1),
    ),
    "xgboost, dart": lambda: (
        m := xgb(BINARY, objective="binary:logistic", booster="dart", rate_drop=0.2),
        2,
        expit(xgb_margin(m)),
    ),
    "xgboost, linear": lambda: (
        m := xgb(BINARY, objective="binary:logistic", booster="gblinear"),
        2,
        expit(xgb_margin(m)),
    ),
    "xgboost, hinge": lambda: (
        m := xgb(BINARY, objective="binary:hinge"),
        2,
        m.predict(xgboost.DMatrix(X)),
    ),
    "xgboost, values": lambda: (m := xgb(X[:, 0]), None, m.predict(xgboost.DMatrix(X))),
    "xgboost, rates": lambda: (m := xgb(CODES, objective="count:poisson"), None, m.predict(xgboost.DMatrix(X))),
    "xgboost, quantiles": lambda: (
        m := xgb(X[:, 0], objective="reg:quantileerror", quantile_alpha=[0.1, 0.5, 0.9]),
        None,
        m.predict(xgboost.DMatrix(X)),
    ),
    "lightgbm, binary": lambda: (m := lgb(BINARY, objective="binary"), 2, m.predict(X)),
    "lightgbm, classes": lambda: (m := lgb(CODES, objective="multiclass", num_class=3), 3, m.predict(X)),
    "lightgbm, each": lambda: (
        m := lgb(CODES, objective="multiclassova", num_class=3),
        3,
        m.predict(X) / m.predict(X).sum(axis=1, keepdims=True),
    ),
    "lightgbm, values": lambda: (m := lgb(X[:, 0], objective="regression"), None, m.predict(X)),
    "catboost, binary": lambda: (
        m := cat(BINARY, loss_function="Logloss"),
        2,
        m.predict(X, prediction_type="Probability"),
    ),
    "catboost, classes": lambda: (
        m := cat(CODES, loss_function="MultiClass"),
        3,
        m.predict(X, prediction_type="Probability"),
    ),
    "catboost, values": lambda: (m := cat(X[:, 0], loss_function="RMSE"), None, m.predict(X)),
    "catboost, rates": lambda: (
        m := cat(CODES, loss_function="Poisson"),
        None,
        m.predict(X, prediction_type="Exponent"),
    ),
    "catboost, quantiles": lambda: (
        m := cat(X[:, 0], loss_function="MultiQuantile:alpha=0.1,0.9"),
        None,
        m.predict(X),
    ),
}


@pytest.mark.parametrize("kind", MODELS)
def test_outputs_margins_leaves_and_splits(kind):
    model, n_classes, expected = MODELS[kind]()
    coded = not kind.startswith("catboost")
    classes = None if n_classes is None else NAMES[:n_classes] if coded else np.arange(n_classes)
    teacher = adapt(model, classes).prepared(X)
    outputs = teacher.outputs(X)
    if classes is None:
        assert np.allclose(outputs.values, np.reshape(expected, (150, -1)), rtol=1e-5)
    else:
        expected = np.stack([1 - expected, expected], axis=1) if expected.ndim == 1 else expected
        assert np.allclose(outputs.proba, expected, atol=1e-6)
        assert (outputs.margins is None) == (kind in ("xgboost, hinge", "lightgbm, each"))
    if "linear" in kind:
        return
    leaves = teacher.features(X, "leaves")
    assert leaves.shape[0] == 150 and leaves.dtype.kind == "i" and teacher.layers["leaves"] == leaves.shape[1:]
    assert teacher.features(X, "margins").shape[:2] == (150, 6)
    assert sum(len(thresholds) for thresholds, _ in teacher.thresholds(X)) > 0
    assert teacher.fallbacks == []


@pytest.mark.parametrize("kind", ["xgboost, binary", "xgboost, classes", "lightgbm, classes"])
def test_a_native_booster_is_kept_as_it_is(kind):
    model, n_classes, _ = MODELS[kind]()
    assert is_fitted(model) and not can_clone(model)
    before = adapt(model, NAMES[:n_classes]).outputs(X).proba
    for same in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert np.allclose(adapt(same, NAMES[:n_classes]).outputs(X).proba, before)


CONTAINERS = [lambda X: X, lambda X: FRAME, lambda X: X.tolist(), lambda X: X.astype(object), sparse.csr_matrix]


# what else LightGBM takes, its own predict decides
@pytest.mark.parametrize(
    ("train", "rows"), [*((xgb, rows) for rows in CONTAINERS), *((lgb, rows) for rows in CONTAINERS[:2])]
)
@pytest.mark.parametrize("trained_on", [X, FRAME])
def test_containers(train, rows, trained_on):
    model = train(BINARY, trained_on, objective="reg:logistic" if train is xgb else "cross_entropy")
    margins = model.predict(xgboost.DMatrix(trained_on)) if train is xgb else model.predict(trained_on)
    assert np.allclose(adapt(model, [0, 1]).outputs(rows(X)).proba[:, 1], margins, atol=1e-6)


def test_frames_are_matched_by_name():
    model = xgb(BINARY, FRAME, objective="binary:logistic")
    other = FRAME[["z", "x", "w", "y"]].assign(v=1.0)
    assert np.allclose(adapt(model, [0, 1]).outputs(other).proba, adapt(model, [0, 1]).outputs(FRAME).proba)


def test_early_stopping():
    train, other = xgboost.DMatrix(X[::2], BINARY[::2]), xgboost.DMatrix(X[1::2], 1 - BINARY[1::2])
    params = {"objective": "binary:logistic", "nthread": 1}
    model = xgboost.train(params, train, 20, evals=[(other, "v")], early_stopping_rounds=3, verbose_eval=False)
    assert model.best_iteration < model.num_boosted_rounds() - 1
    expected = model.predict(xgboost.DMatrix(X), iteration_range=(0, model.best_iteration + 1))
    teacher = adapt(model, [0, 1])
    assert np.allclose(teacher.outputs(X).proba[:, 1], expected)
    assert teacher.features(X, "leaves").shape == (150, model.best_iteration + 1) == (150, *teacher.layers["leaves"])
    data = lightgbm.Dataset(X[::2], BINARY[::2])
    stop = lightgbm.early_stopping(3, verbose=False)
    model = lightgbm.train(
        {"objective": "binary", "verbose": -1},
        data,
        20,
        [lightgbm.Dataset(X[1::2], 1 - BINARY[1::2], reference=data)],
        callbacks=[stop],
    )
    teacher = adapt(model, [0, 1])
    assert np.allclose(teacher.outputs(X).proba[:, 1], model.predict(X))
    assert teacher.features(X, "leaves").shape == (150, model.best_iteration)


def softmax_objective(labels, scores):
    scores = scores.reshape(len(labels), -1)
    p = softmax(scores, axis=1)
    return p - np.eye(3)[labels.astype(int)], 2 * p * (1 - p)


@pytest.mark.parametrize(
    ("model", "classes"),
    [
        (lightgbm.LGBMClassifier(n_estimators=6, objective=lambda y, s: logistic(s, y), verbose=-1), 2),
        (lightgbm.LGBMClassifier(n_estimators=6, objective=softmax_objective, verbose=-1), 3),
        (xgboost.XGBClassifier(n_estimators=6, objective=lambda y, s: logistic(s, y)), 2),
        (xgboost.XGBClassifier(n_estimators=6, objective=softmax_objective), 3),
    ],
    ids=["lightgbm", "lightgbm, classes", "xgboost", "xgboost, classes"],
)
def test_raw_scores_of_an_objective_of_ones_own_are_margins(model, classes):
    model.fit(X, BINARY if classes == 2 else CODES)
    margins = model.predict(X, **({"raw_score": True} if "LGBM" in type(model).__name__ else {"output_margin": True}))
    expected = expit(margins) if classes == 2 else softmax(margins, axis=1)[:, 1]
    teacher = adapt(model, np.arange(classes))
    assert teacher.reads_as == "margins"
    outputs = teacher.outputs(X)
    assert np.allclose(outputs.proba[:, 1], expected, atol=1e-6) and outputs.margins is not None


def test_a_custom_objective_of_a_native_booster():
    model = xgboost.train(
        {"nthread": 1},
        xgboost.DMatrix(X, BINARY),
        30,
        obj=lambda scores, data: logistic(scores, data.get_label()),
    )
    teacher = adapt(model, [0, 1]).prepared(X)
    assert teacher.reads_as == "logits"
    assert np.allclose(teacher.outputs(X).proba[:, 1], expit(xgb_margin(model)), atol=1e-6)
