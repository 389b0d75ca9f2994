"""XGBoost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd.teachers._base import Shape
from sklkd.teachers._boosters import BoosterTeacher
from sklkd.teachers._thresholds import Splits


class XGBoostTeacher(BoosterTeacher):
    """``XGBClassifier``, ``XGBRegressor`` and their like, with any booster."""

    takes_codes = True

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        return hasattr(estimator, "get_booster") and hasattr(estimator, "get_xgb_params")

    def margins(self, X: Any) -> Any:
        return self.estimator.predict(X, output_margin=True)

    def margins_after(self, X: Any, rounds: list[int]) -> Iterator[Any]:
        return (self.estimator.predict(X, output_margin=True, iteration_range=(0, done)) for done in rounds)

    @cached_property
    def trees(self) -> list[dict[str, Any]]:
        """Its trees as XGBoost writes them; none for a linear booster."""
        booster = json.loads(self.estimator.get_booster().save_raw("json"))["learner"]["gradient_booster"]
        # Dropout keeps its trees one level further down.
        return booster.get("gbtree", booster)["model"].get("trees", [])

    @property
    def n_rounds(self) -> int:
        # With early stopping, it answers with the rounds up to the best.
        best = getattr(self.estimator, "best_iteration", None)
        return self.estimator.get_booster().num_boosted_rounds() if best is None else best + 1

    @property
    def n_trees(self) -> int:
        return len(self.trees) * self.n_rounds // self.estimator.get_booster().num_boosted_rounds()

    @property
    def layers(self) -> dict[str, Shape]:
        return super().layers if self.trees else {}

    def leaves(self, X: Any) -> NDArray[np.integer]:
        leaves = np.asarray(self.estimator.apply(X))
        return leaves.reshape(len(leaves), -1).astype(np.int32)

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
