"""The trees of XGBoost, LightGBM and CatBoost, as these write them down; none of them is imported."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd.export._trees import Tree, Trees, put_together

ZERO = float(np.float32(1e-35))
"""LightGBM takes numbers up to that for 0."""


def booster_trees(model: Any) -> Trees | None:
    """The trees of a fitted booster's scikit-learn interface; None for others, and where they are of another kind.

    Those are linear boosters, splits by categories or by a zero that stands for a missing value, leaves that are no
    numbers, and trees of CatBoost that are not symmetric.
    """
    if hasattr(model, "get_booster"):
        return _of_xgboost(model)
    if hasattr(model, "booster_"):
        return _of_lightgbm(model.booster_.dump_model())
    if hasattr(model, "tree_count_") and hasattr(model, "save_model"):
        with TemporaryDirectory() as folder:
            path = Path(folder) / "model.json"
            model.save_model(str(path), format="json")
            return _of_catboost(json.loads(path.read_text(encoding="utf-8")))
    return None


def _of_xgboost(model: Any) -> Trees | None:
    booster = json.loads(bytes(model.get_booster().save_raw("json")))["learner"]["gradient_booster"]
    factors = booster.get("weight_drop")  # of dart
    inside = booster.get("gbtree", booster).get("model", {})
    if "trees" not in inside:
        return None
    outputs, trees = inside["tree_info"], []
    for i, tree in enumerate(inside["trees"]):
        if any(tree["split_type"]) or int(tree["tree_param"]["size_leaf_vector"]) > 1:
            return None
        conditions = np.array(tree["split_conditions"], np.float32)
        values = np.zeros((len(conditions), max(outputs) + 1))
        values[:, outputs[i]] = conditions * (1.0 if factors is None else factors[i])
        # rows go to the left below a threshold, not on it
        with np.errstate(over="ignore"):
            below = np.nextafter(conditions, np.float32(-np.inf))
        children = tree["left_children"], tree["right_children"]
        trees.append(Tree(tree["split_indices"], below, *children, tree["default_left"], values))
    if not trees:
        return None
    found = put_together(trees, np.zeros(max(outputs) + 1), single=True)
    row = np.zeros((1, model.n_features_in_))
    # what is added to the leaves has been written down in several ways
    found.base[:] = np.ravel(model.predict(row, output_margin=True)) - found.raw(row)[0]
    return found


def _of_lightgbm(model: dict[str, Any]) -> Trees | None:
    n_outputs, trees = model["num_tree_per_iteration"], []
    for i, tree in enumerate(model["tree_info"]):
        found = _of_lightgbm_tree(tree["tree_structure"], i % n_outputs, n_outputs)
        if found is None:
            return None
        trees.append(found)
    if not trees:
        return None
    made = put_together(trees, np.zeros(n_outputs), single=False)
    made.values[:] /= len(trees) / n_outputs if model["average_output"] else 1
    return made


def _of_lightgbm_tree(root: dict[str, Any], k: int, n_outputs: int) -> Tree | None:
    nodes: list[dict[str, Any]] = []

    def number(node: dict[str, Any]) -> None:
        node["place"] = len(nodes)
        nodes.append(node)
        for side in ("left_child", "right_child"):
            if side in node:
                number(node[side])

    number(root)
    inner = ["split_feature" in node for node in nodes]
    for node, splits in zip(nodes, inner, strict=True):
        # where 0 is a missing value, or missing ones are read as 0, which goes to one side
        if splits and (node["decision_type"] != "<=" or node["missing_type"] == "Zero"):
            return None
        if splits and node["missing_type"] == "None":
            node["default_left"] = node["threshold"] >= 0
        if splits and abs(node["threshold"]) <= ZERO:
            node["threshold"] = ZERO if node["threshold"] >= 0 else float(np.nextafter(-ZERO, -np.inf))
        if "leaf_coeff" in node:
            return None
    values = np.zeros((len(nodes), n_outputs))
    values[:, k] = [0.0 if splits else node["leaf_value"] for node, splits in zip(nodes, inner, strict=True)]

    def each(name: str, otherwise: Any) -> list[Any]:
        return [node[name] if splits else otherwise for node, splits in zip(nodes, inner, strict=True)]

    left, right = (
        [-1 if child is None else child["place"] for child in each(f"{side}_child", None)] for side in ("left", "right")
    )
    return Tree(each("split_feature", 0), each("threshold", 0.0), left, right, each("default_left", False), values)


def _of_catboost(model: dict[str, Any]) -> Trees | None:
    features, trees = model["features_info"]["float_features"], []
    scale, base = model["scale_and_bias"]
    flat = [one["flat_feature_index"] for one in features]
    # without a rule a missing value is not above a border
    missing_left = np.array([one["nan_value_treatment"] != "AsTrue" for one in features])
    for tree in model.get("oblivious_trees", ()):
        splits = tree.get("splits") or []
        if any(split["split_type"] != "FloatFeature" for split in splits):
            return None
        depth, n_inner = len(splits), 2 ** len(splits) - 1
        level = np.repeat(np.arange(depth), 2 ** np.arange(depth))
        feature = np.array([split["float_feature_index"] for split in splits], int)[level]
        border = np.array([split["border"] for split in splits], float)[level]
        inner, leaves = np.arange(n_inner), np.arange(2**depth)
        # the first split is the last bit of a leaf's place, and the first step on the way there
        place = sum(((leaves >> (depth - 1 - i)) & 1) << i for i in range(depth)) + 0 * leaves
        values = np.reshape(tree["leaf_values"], (2**depth, -1))[place] * scale
        left, right = (_padded(2 * inner + side, 2**depth, -1) for side in (1, 2))
        trees.append(
            Tree(
                _padded(np.array(flat)[feature], 2**depth, 0),
                _padded(border, 2**depth, 0.0),
                left,
                right,
                _padded(missing_left[feature], 2**depth, False),
                np.concatenate([np.zeros((n_inner, values.shape[1])), values]),
            )
        )
    return put_together(trees, np.atleast_1d(base), single=True) if trees else None


def _padded(inner: NDArray, n_leaves: int, value: Any) -> NDArray:
    """What inner nodes have, and a value for the leaves behind them."""
    return np.concatenate([inner, np.full(n_leaves, value, inner.dtype)])
