"""Boosters of scikit-learn, XGBoost, LightGBM and CatBoost: margins, leaves, stages, thresholds."""

from __future__ import annotations

import json
from functools import cache

import catboost
import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from scipy.special import expit, softmax
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from sklkd.teachers import adapt, layers

X, CODES = make_classification(150, 5, n_informative=4, n_redundant=0, n_classes=3, random_state=0)
NAMES = np.array(["a", "b", "c"])
XR, YR = make_regression(120, 4, noise=5, random_state=0)
CAT = {"verbose": 0, "allow_writing_files": False}
CLASSIFIERS = {
    "hgb": lambda: HistGradientBoostingClassifier(max_iter=12, max_leaf_nodes=6),
    "gb": lambda: GradientBoostingClassifier(n_estimators=12, max_depth=2),
    "xgb": lambda: xgboost.XGBClassifier(n_estimators=12, max_depth=2),
    "lgb": lambda: lightgbm.LGBMClassifier(n_estimators=12, num_leaves=5, verbose=-1),
    "cat": lambda: catboost.CatBoostClassifier(iterations=12, depth=3, **CAT),
}
REGRESSORS = {
    "hgb": lambda: HistGradientBoostingRegressor(max_iter=12, max_leaf_nodes=6),
    "gb": lambda: GradientBoostingRegressor(n_estimators=12, max_depth=2),
    "xgb": lambda: xgboost.XGBRegressor(n_estimators=12, max_depth=2),
    "lgb": lambda: lightgbm.LGBMRegressor(n_estimators=12, num_leaves=5, verbose=-1),
    "cat": lambda: catboost.CatBoostRegressor(iterations=12, depth=3, **CAT),
}


@cache
def fitted(kind, n_classes=3):
    if n_classes == 0:
        return REGRESSORS[kind]().fit(XR, YR)
    codes = CODES % n_classes
    return CLASSIFIERS[kind]().fit(X, codes if kind == "xgb" else NAMES[codes])


@pytest.mark.parametrize("kind", CLASSIFIERS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_margins(kind, n_classes):
    model = fitted(kind, n_classes)
    outputs = adapt(model, NAMES[:n_classes]).outputs(X)
    assert np.allclose(outputs.proba, model.predict_proba(X), atol=1e-5)
    assert np.allclose(softmax(outputs.margins, axis=1), model.predict_proba(X), atol=1e-5)
    own = {
        "hgb": lambda: model.decision_function(X),
        "gb": lambda: model.decision_function(X),
        "xgb": lambda: model.predict(X, output_margin=True),
        "lgb": lambda: model.predict(X, raw_score=True),
        "cat": lambda: model.predict(X, prediction_type="RawFormulaVal"),
    }[kind]()
    if n_classes == 2:
        assert np.allclose(outputs.margins[:, 1] - outputs.margins[:, 0], own)
    else:
        assert np.allclose(outputs.margins, own)


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_codes_and_names(kind):
    """The teacher was fitted on codes; the student's classes are names."""
    model = CLASSIFIERS[kind]().fit(X, CODES)
    outputs = adapt(model, NAMES).outputs(X)
    assert np.allclose(outputs.proba, model.predict_proba(X), atol=1e-5)


def test_xgboost_on_the_classes_of_a_fold():
    rows = CODES != 1
    model = CLASSIFIERS["xgb"]().fit(X[rows], np.unique(CODES[rows], return_inverse=True)[1])
    proba = adapt(model, NAMES, seen=NAMES[[0, 2]], missing="floor").outputs(X).proba
    assert np.allclose(proba[:, [0, 2]] * 1.0001, model.predict_proba(X), atol=1e-5)
    assert np.allclose(proba[:, 1], 1e-4 / 1.0001)


@pytest.mark.parametrize("classes", [[False, True], [1, 2], [-1, 7]])
@pytest.mark.parametrize("kind", ["hgb", "lgb", "cat"])
def test_label_types(kind, classes):
    y = np.asarray(classes)[CODES % 2]
    model = CLASSIFIERS[kind]().fit(X, y)
    outputs = adapt(model, np.asarray(classes)).outputs(X)
    assert np.mean(outputs.proba.argmax(axis=1) == CODES % 2) > 0.7
    assert np.allclose(outputs.proba, model.predict_proba(X), atol=1e-5)


def test_exponential_loss_has_no_margins():
    model = GradientBoostingClassifier(n_estimators=60, loss="exponential").fit(X, CODES % 2)
    outputs = adapt(model, [0, 1]).outputs(X)
    assert outputs.margins is None and np.allclose(outputs.proba, model.predict_proba(X))
    assert np.allclose(outputs.proba[:, 1], expit(2 * model.decision_function(X)))


@pytest.mark.parametrize(
    "model",
    [
        lightgbm.LGBMClassifier(n_estimators=5, objective="multiclassova", verbose=-1),
        catboost.CatBoostClassifier(iterations=5, loss_function="MultiClassOneVsAll", **CAT),
    ],
)
def test_one_against_all_is_normalised(model):
    outputs, p = adapt(model.fit(X, CODES), [0, 1, 2]).outputs(X), model.predict_proba(X)
    assert np.abs(p.sum(axis=1) - 1).min() > 1e-3 and outputs.margins is None
    assert np.allclose(outputs.proba, p / p.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("kind", REGRESSORS)
def test_regressors(kind):
    model = fitted(kind, 0)
    teacher = adapt(model)
    assert np.allclose(teacher.outputs(XR).values[:, 0], model.predict(XR))
    stages = teacher.features(XR, "margins")
    assert stages.shape == (120, 8, 1) and np.allclose(stages[:, -1, 0], model.predict(XR), rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("kind", CLASSIFIERS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_stages_end_with_the_margins(kind, n_classes):
    teacher = adapt(fitted(kind, n_classes), NAMES[:n_classes])
    stages = teacher.features(X, "margins")
    assert stages.shape == (150, 8, n_classes) and teacher.layers["margins"] == (8, n_classes)
    assert np.allclose(stages[:, -1], teacher.outputs(X).margins, atol=1e-5)
    # rounds 1, 3, 4, 6, 7, 9, 10, 12 of 12
    assert teacher.stages == [1, 3, 4, 6, 7, 9, 10, 12]
    surprise = [-np.log(softmax(stages[:, s], axis=1)[np.arange(150), CODES % n_classes]).mean() for s in range(8)]
    assert np.all(np.diff(surprise) < 0)


@pytest.mark.parametrize("kind", CLASSIFIERS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_leaves(kind, n_classes):
    model = fitted(kind, n_classes)
    leaves = adapt(model, NAMES[:n_classes]).features(X, "leaves")
    assert leaves.shape == (150, *layers(model)["leaves"]) and leaves.dtype.kind == "i"
    # rows that share all leaves have the same margins, and there are few leaves a tree
    assert all(len(np.unique(column)) <= 8 for column in leaves.T)
    _, group = np.unique(leaves, axis=0, return_inverse=True)
    proba = model.predict_proba(X)
    for g in np.unique(group):
        assert np.allclose(proba[group == g], proba[group == g][0], atol=1e-6)


def test_leaves_of_hist_gradient_boosting_hold_its_values():
    """The values of the leaves, summed up, are the prediction; with missing values and categories."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(XR, columns=list("wxyz")).mask(rng.random(XR.shape) < 0.1)
    frame.insert(2, "kind", pd.Categorical(rng.choice(["p", "q", "r"], len(XR))))
    y = YR + 100 * (frame["kind"] == "q")
    model = HistGradientBoostingRegressor(max_iter=10, categorical_features="from_dtype").fit(frame, y)
    leaves = adapt(model).features(frame, "leaves")
    trees = [tree for (tree,) in model._predictors]
    summed = sum(tree.nodes["value"][leaves[:, t]] for t, tree in enumerate(trees)) + model._baseline_prediction
    assert np.allclose(np.ravel(summed), model.predict(frame))
    # and its columns, which it has moved: categories first
    got = adapt(model).thresholds(frame)
    assert len(got[2][0]) == 0
    for j, name in [(0, "w"), (1, "x"), (3, "y"), (4, "z")]:
        assert len(got[j][0]) and got[j][0].min() >= frame[name].min() and got[j][0].max() <= frame[name].max()
    position = ["kind", "w", "x", "y", "z"].index("y")
    nodes = np.concatenate([tree.nodes for tree in trees])
    mine = (nodes["is_leaf"] == 0) & (nodes["feature_idx"] == position)
    assert np.array_equal(got[3][0], np.unique(nodes["num_threshold"][mine]))


def test_thresholds_of_gradient_boosting():
    model = fitted("gb")
    every = np.concatenate([t.tree_.threshold[t.tree_.feature == 1] for t in model.estimators_.ravel()])
    assert np.array_equal(adapt(model, NAMES).thresholds(X)[1][0], np.unique(every))


def test_thresholds_of_xgboost():
    model = fitted("xgb")
    frame = model.get_booster().trees_to_dataframe()
    frame = frame[frame["Feature"] != "Leaf"]
    for j, (thresholds, weights) in enumerate(adapt(model, NAMES).thresholds(X)):
        mine = frame[frame["Feature"] == f"f{j}"].groupby("Split")["Gain"].sum()
        assert np.allclose(thresholds, mine.index, rtol=1e-5, atol=1e-6)
        assert np.allclose(weights, mine / frame["Gain"].sum(), rtol=1e-4)


def test_xgboost_with_dropout_forests_and_a_linear_booster():
    dart = xgboost.XGBClassifier(n_estimators=4, booster="dart", max_depth=2).fit(X, CODES)
    assert sum(len(t) for t, _ in adapt(dart, NAMES).thresholds(X)) > 0
    forest = xgboost.XGBRFClassifier(n_estimators=5, max_depth=2).fit(X, CODES)
    assert adapt(forest, NAMES).features(X, "leaves").shape == (150, *layers(forest)["leaves"]) == (150, 15)
    linear = xgboost.XGBRegressor(n_estimators=4, booster="gblinear", updater="coord_descent").fit(XR, YR)
    assert layers(linear) == {} and sum(len(t) for t, _ in adapt(linear).thresholds(XR)) == 0
    assert np.allclose(adapt(linear).outputs(XR).values[:, 0], linear.predict(XR))


@pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")
@pytest.mark.parametrize("kind", ["xgb", "lgb"])
def test_early_stopping_answers_with_the_best_rounds(kind):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 3, size=150)
    if kind == "xgb":
        model = xgboost.XGBClassifier(n_estimators=200, early_stopping_rounds=3)
        model.fit(X, CODES, eval_set=[(X, noise)], verbose=False)
        best = model.best_iteration + 1
    else:
        model = lightgbm.LGBMClassifier(n_estimators=200, verbose=-1)
        model.fit(X, CODES, eval_set=[(X, noise)], callbacks=[lightgbm.early_stopping(3, verbose=False)])
        best = model.best_iteration_
    teacher = adapt(model, NAMES)
    assert teacher.stages[-1] == best
    assert np.allclose(teacher.features(X, "margins")[:, -1], teacher.outputs(X).margins, atol=1e-5)
    assert teacher.features(X, "leaves").shape[1] == teacher.layers["leaves"][0] == 3 * best


def test_thresholds_of_lightgbm():
    model = fitted("lgb")
    frame = model.booster_.trees_to_dataframe().dropna(subset=["split_gain"])
    for j, (thresholds, weights) in enumerate(adapt(model, NAMES).thresholds(X)):
        mine = frame[frame["split_feature"] == f"Column_{j}"].groupby("threshold")["split_gain"].sum()
        assert np.allclose(thresholds, mine.index)
        assert np.allclose(weights, mine / frame["split_gain"].sum(), rtol=1e-4)


def test_lightgbm_leaves_out_categories():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": X[:, 0], "kind": pd.Categorical(rng.choice(["p", "q", "r"], 150))})
    y = (frame["kind"] == "q") | (frame["x"] > 0.3)
    model = lightgbm.LGBMClassifier(n_estimators=5, min_data_per_group=5, cat_smooth=1, verbose=-1).fit(frame, y)
    assert {"<=", "=="} <= set(model.booster_.trees_to_dataframe()["decision_type"])
    numbers, categories = adapt(model, [False, True]).thresholds(frame)
    assert len(numbers[0]) and len(categories[0]) == 0


@pytest.mark.parametrize("policy", ["SymmetricTree", "Depthwise", "Lossguide"])
def test_thresholds_and_gains_of_catboost(policy, tmp_path):
    """The gains of a tree of depth one, and of all trees their borders, which CatBoost also tells."""
    stump = catboost.CatBoostRegressor(iterations=1, depth=1, grow_policy=policy, **CAT).fit(XR, YR)
    got = adapt(stump).thresholds(XR)
    (j,) = [j for j, (t, _) in enumerate(got) if len(t)]
    assert got[j][1].tolist() == [1.0]
    model = catboost.CatBoostRegressor(iterations=6, depth=2, grow_policy=policy, **CAT).fit(XR, YR)
    model.save_model(str(tmp_path / "model.json"), format="json")
    text = json.loads((tmp_path / "model.json").read_text())
    used = set()

    def walk(part):
        if isinstance(part, dict):
            if "border" in part:
                used.add((part["float_feature_index"], part["border"]))
            part = list(part.values())
        if isinstance(part, list):
            for each in part:
                walk(each)

    walk(text.get("oblivious_trees", text.get("trees")))
    got = adapt(model).thresholds(XR)
    assert {(j, t) for j, (thresholds, _) in enumerate(got) for t in thresholds.tolist()} == used
    assert np.isclose(sum(w.sum() for _, w in got), 1)


def test_gains_of_a_symmetric_tree_by_hand():
    """Two levels, values that differ along the first alone."""
    from sklkd.teachers._catboost import _symmetric_splits

    split = {"split_type": "FloatFeature", "float_feature_index": 0}
    tree = {
        "leaf_weights": [10, 30, 20, 40],
        "leaf_values": [0.0, 1.0, 0.0, 1.0],
        "splits": [{**split, "border": 0.5}, {**split, "border": 1.5}],
    }
    (_, _, first), (_, _, second) = _symmetric_splits(tree)
    assert np.isclose(first, 10 * 30 / 40 + 20 * 40 / 60) and second == 0


@pytest.mark.parametrize("n_classes", [0, 2, 3])
def test_adaboost_of_trees(n_classes):
    if n_classes == 0:
        rows, classes = XR, None
        model = AdaBoostRegressor(n_estimators=9, random_state=0).fit(XR, YR)
        stages = list(model.staged_predict(XR))
    else:
        rows, classes = X, NAMES[:n_classes]
        tree = DecisionTreeClassifier(max_depth=2)
        model = AdaBoostClassifier(tree, n_estimators=9, random_state=0).fit(X, NAMES[CODES % n_classes])
        stages = [np.array(stage) for stage in model.staged_decision_function(X)]
    teacher = adapt(model, classes)
    n_trees = len(model.estimators_)
    leaves = np.column_stack([tree.apply(rows) for tree in model.estimators_])
    assert np.array_equal(teacher.features(rows, "leaves"), leaves)
    assert teacher.layers["leaves"] == (n_trees,) and teacher.layers["leaf_embedding"] == (32,)
    margins = teacher.features(rows, "margins")
    assert margins.shape == (len(rows), len(teacher.stages), max(n_classes, 1))
    told = margins[:, :, 1] - margins[:, :, 0] if n_classes == 2 else margins[:, :, -1]
    expected = [stages[done - 1] if stages[0].ndim == 1 else stages[done - 1][:, -1] for done in teacher.stages]
    assert np.allclose(told, np.column_stack(expected))
    if n_classes:
        assert np.allclose(teacher.outputs(X).proba, model.predict_proba(X))
    else:
        assert np.allclose(teacher.outputs(XR).values[:, 0], model.predict(XR))
    assert any(len(thresholds) for thresholds, _ in teacher.thresholds(rows))


def test_adaboost_of_other_estimators_has_no_leaves():
    model = AdaBoostClassifier(LogisticRegression(), n_estimators=3, random_state=0).fit(X, CODES)
    assert layers(model) == {}
