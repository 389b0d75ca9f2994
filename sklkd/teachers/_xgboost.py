"""XGBoost."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd.teachers._base import Shape
from sklkd.teachers._boosters import BoosterTeacher
from sklkd.teachers._fallback import falls_back
from sklkd.teachers._interpreted import InterpretedTeacher
from sklkd.teachers._thresholds import Splits


class XGBoostTeacher(BoosterTeacher):
    """``XGBClassifier``, ``XGBRegressor`` and their like, with any booster."""

    takes_codes = True

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        return hasattr(estimator, "get_booster") and hasattr(estimator, "get_xgb_params")

    @property
    def booster(self) -> Any:
        return self.estimator.get_booster()

    @property
    def gives_raw_scores(self) -> bool:
        return callable(self.estimator.objective)

    def margins(self, X: Any) -> Any:
        return self.estimator.predict(X, output_margin=True)

    def margins_after(self, X: Any, rounds: list[int]) -> Iterator[Any]:
        return (self.estimator.predict(X, output_margin=True, iteration_range=(0, done)) for done in rounds)

    @cached_property
    def trees(self) -> list[dict[str, Any]]:
        """Its trees as XGBoost writes them; none for a linear booster."""
        booster = json.loads(self.booster.save_raw("json"))["learner"]["gradient_booster"]
        # dropout keeps its trees one level further down
        return booster.get("gbtree", booster)["model"].get("trees", [])

    @property
    def n_rounds(self) -> int:
        # with early stopping, it predicts with the rounds up to the best
        best = getattr(self.estimator, "best_iteration", None)
        return self.booster.num_boosted_rounds() if best is None else best + 1

    @property
    def n_trees(self) -> int:
        return len(self.trees) * self.n_rounds // max(self.booster.num_boosted_rounds(), 1)

    @property
    @falls_back("layers", dict)
    def layers(self) -> dict[str, Shape]:
        return super().layers if self.trees else {}

    def leaves(self, X: Any) -> NDArray[np.integer]:
        leaves = np.asarray(self.estimator.apply(X))
        return leaves.reshape(len(leaves), -1).astype(np.int32)

    @falls_back("splits", Splits.none)
    def splits(self, X: Any) -> Splits:
        feature, threshold, gain = [], [], []
        for tree in self.trees:
            inner = (np.asarray(tree["left_children"]) >= 0) & (np.asarray(tree["split_type"]) == 0)
            feature.append(np.asarray(tree["split_indices"])[inner])
            threshold.append(np.asarray(tree["split_conditions"])[inner])
            gain.append(np.asarray(tree["loss_changes"])[inner])
        if not feature:
            return Splits.none()
        return Splits.of(np.concatenate(feature), np.concatenate(threshold), np.concatenate(gain))


class XGBoostBoosterTeacher(InterpretedTeacher, XGBoostTeacher):
    """A native ``xgboost.Booster``, of any objective, which cannot be refitted.

    Frames are matched by the names of its features, other rows by position. With early stopping, it predicts with the
    rounds up to the best, as the scikit-learn interface does.
    """

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        return hasattr(estimator, "num_boosted_rounds") and hasattr(estimator, "save_raw")

    @property
    def booster(self) -> Any:
        return self.estimator

    def raw(self, X: Any) -> Any:
        rows = self._matrix(X)
        outputs = self._ask(rows)
        if outputs.ndim == 1 and self.classes is not None:
            # "multi:softmax" gives only the label
            margins = self._ask(rows, output_margin=True)
            return margins if margins.ndim == 2 and margins.shape[1] > 1 else outputs
        return outputs

    def margins(self, X: Any) -> Any:
        return self._ask(self._matrix(X), output_margin=True)

    def margins_after(self, X: Any, rounds: list[int]) -> Iterator[Any]:
        matrix = self._matrix(X)
        return (self.booster.predict(matrix, output_margin=True, iteration_range=(0, done)) for done in rounds)

    def leaves(self, X: Any) -> NDArray[np.integer]:
        leaves = np.asarray(self._ask(self._matrix(X), pred_leaf=True))
        return leaves.reshape(len(leaves), -1).astype(np.int32)

    def _ask(self, matrix: Any, **options: Any) -> Any:
        # a linear booster knows no range of rounds
        rounds = {"iteration_range": (0, self.n_rounds)} if self.trees else {}
        return self.booster.predict(matrix, **options, **rounds)

    def _matrix(self, X: Any) -> Any:
        library: Any = next(
            module
            for each in type(self.booster).__mro__
            if hasattr(module := sys.modules.get(each.__module__.partition(".")[0]), "DMatrix")
        )
        names, types = self.booster.feature_names, self.booster.feature_types
        if hasattr(X, "columns"):
            if names is None or set(names) <= set(X.columns):
                return library.DMatrix(X if names is None else X[names], enable_categorical=True)
            X = X.to_numpy()
        if isinstance(X, list) or (isinstance(X, np.ndarray) and X.dtype.kind == "O"):
            X = np.asarray(X, dtype=np.float64)
        return library.DMatrix(X, feature_names=names, feature_types=types)
