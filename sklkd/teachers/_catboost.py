"""CatBoost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd.teachers._boosters import BoosterTeacher
from sklkd.teachers._fallback import falls_back
from sklkd.teachers._interpreted import InterpretedTeacher
from sklkd.teachers._thresholds import Splits

EXPONENTIAL = ("Poisson", "Tweedie")
"""Losses of which CatBoost models the logarithm of the prediction."""


class CatBoostTeacher(BoosterTeacher):
    """``CatBoostClassifier``, ``CatBoostRegressor`` and their like, with trees of any shape."""

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        return hasattr(estimator, "calc_leaf_indexes") and hasattr(estimator, "tree_count_")

    @property
    def gives_raw_scores(self) -> bool:
        # it applies the logistic function or softmax itself
        return False

    def margins(self, X: Any) -> Any:
        return self.estimator.predict(X, prediction_type="RawFormulaVal")

    def margins_after(self, X: Any, rounds: list[int]) -> Iterator[Any]:
        return (self.estimator.predict(X, prediction_type="RawFormulaVal", ntree_end=done) for done in rounds)

    @property
    def n_rounds(self) -> int:
        return self.estimator.tree_count_

    @property
    def n_trees(self) -> int:
        return self.estimator.tree_count_

    def leaves(self, X: Any) -> NDArray[np.integer]:
        return np.asarray(self.estimator.calc_leaf_indexes(X)).astype(np.int32)

    @falls_back("splits", Splits.none)
    def splits(self, X: Any) -> Splits:
        """Its splits; CatBoost stores no gains, which are taken from the leaf values and weights on the two sides."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / "model.json"
            self.estimator.save_model(str(path), format="json")
            model = json.loads(path.read_text(encoding="utf-8"))
        found: list[tuple[int, float, float]] = []
        for tree in model.get("oblivious_trees", []):
            found += _symmetric_splits(tree)
        for tree in model.get("trees", []):
            _node(tree, found)
        if not found:
            return Splits.none()
        feature, border, gain = map(np.array, zip(*found, strict=True))
        columns = [each["flat_feature_index"] for each in model["features_info"]["float_features"]]
        return Splits.of(np.array(columns)[feature.astype(int)], border, gain)


class PlainCatBoostTeacher(InterpretedTeacher, CatBoostTeacher):
    """CatBoost's plain ``CatBoost`` class, whose ``predict`` gives raw values for any loss.

    A classifier is asked for probabilities, and a model of rates for rates.
    """

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        parents = {each.__name__ for each in type(estimator).__mro__}
        return super().accepts(estimator) and not parents & {
            "CatBoostClassifier",
            "CatBoostRegressor",
            "CatBoostRanker",
        }

    @property
    def labels(self) -> Any:
        # empty for a loss of values
        return self.estimator.classes_ if len(self.estimator.classes_) else None

    def raw(self, X: Any) -> Any:
        if self.labels is not None:
            return self.estimator.predict(X, prediction_type="Probability")
        loss = str(self.estimator.get_all_params().get("loss_function")).partition(":")[0]
        return self.estimator.predict(X, prediction_type="Exponent" if loss in EXPONENTIAL else "RawFormulaVal")


def _symmetric_splits(tree: dict[str, Any]) -> list[tuple[int, float, float]]:
    """Column, border and gain of the splits of a tree that makes the same split all over a level."""
    weights = np.asarray(tree["leaf_weights"], dtype=np.float64)
    values = np.asarray(tree["leaf_values"], dtype=np.float64).reshape(len(weights), -1)
    number = np.arange(len(weights))
    found = []
    for level, split in enumerate(tree["splits"]):
        if split["split_type"] != "FloatFeature":
            continue
        left = number[(number >> level) & 1 == 0]
        right = left | (1 << level)
        gain = _gain(weights[left], weights[right], values[left], values[right])
        found.append((split["float_feature_index"], split["border"], gain))
    return found


def _node(node: dict[str, Any], found: list[tuple[int, float, float]]) -> tuple[float, NDArray[np.float64]]:
    """Weight and mean value of a node of any other tree; its splits are added to ``found``."""
    if "split" not in node:
        return float(node["weight"]), np.atleast_1d(np.asarray(node["value"], dtype=np.float64))
    (left, below), (right, above) = _node(node["left"], found), _node(node["right"], found)
    if node["split"]["split_type"] == "FloatFeature":
        split = node["split"]
        found.append((split["float_feature_index"], split["border"], _gain(left, right, below, above)))
    weight = left + right
    return weight, (left * below + right * above) / max(weight, 1e-300)


def _gain(left: Any, right: Any, below: NDArray[np.float64], above: NDArray[np.float64]) -> float:
    """How much of the variance of the leaf values lies between the two sides."""
    mass = left * right / np.maximum(left + right, 1e-300)
    return float(np.sum(mass * ((below - above) ** 2).sum(axis=-1)))
