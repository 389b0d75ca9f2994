"""LightGBM."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd.teachers._boosters import BoosterTeacher
from sklkd.teachers._fallback import falls_back
from sklkd.teachers._interpreted import InterpretedTeacher
from sklkd.teachers._thresholds import Splits


class LightGBMTeacher(BoosterTeacher):
    """``LGBMClassifier``, ``LGBMRegressor`` and their like."""

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        return hasattr(estimator, "booster_") and hasattr(estimator, "best_iteration_")

    @property
    def booster(self) -> Any:
        return self.estimator.booster_

    @property
    def gives_raw_scores(self) -> bool:
        return callable(self.estimator.objective)

    def margins(self, X: Any) -> Any:
        return self.estimator.predict(X, raw_score=True)

    def margins_after(self, X: Any, rounds: list[int]) -> Iterator[Any]:
        return (self.estimator.predict(X, raw_score=True, num_iteration=done) for done in rounds)

    @property
    def n_rounds(self) -> int:
        # with early stopping, it predicts with the rounds up to the best
        return self.estimator.best_iteration_ or self.booster.current_iteration()

    @property
    def n_trees(self) -> int:
        return self.n_rounds * self.booster.num_model_per_iteration()

    def leaves(self, X: Any) -> NDArray[np.integer]:
        leaves = np.asarray(self.estimator.predict(X, pred_leaf=True))
        return leaves.reshape(len(leaves), -1).astype(np.int32)

    @falls_back("splits", Splits.none)
    def splits(self, X: Any) -> Splits:
        """Read from the model as LightGBM writes it: a few lines per tree, each a list of numbers."""
        wanted = {"split_feature": np.intp, "threshold": np.float64, "split_gain": np.float64, "decision_type": np.intp}
        read: dict[str, list[NDArray[Any]]] = {key: [] for key in wanted}
        for line in self.booster.model_to_string().splitlines():
            key, _, numbers = line.partition("=")
            if key in wanted:
                read[key].append(np.array(numbers.split(), dtype=wanted[key]))
        if not read["threshold"]:
            return Splits.none()
        columns = {key: np.concatenate(parts) for key, parts in read.items()}
        # the lowest bit says that the split is over categories.
        keep = columns["decision_type"] & 1 == 0
        return Splits.of(columns["split_feature"][keep], columns["threshold"][keep], columns["split_gain"][keep])


class LightGBMBoosterTeacher(InterpretedTeacher, LightGBMTeacher):
    """A native ``lightgbm.Booster``, of any objective, which cannot be refitted."""

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        return hasattr(estimator, "num_model_per_iteration") and hasattr(estimator, "model_to_string")

    @property
    def booster(self) -> Any:
        return self.estimator

    @property
    def n_rounds(self) -> int:
        best = self.estimator.best_iteration
        return best if best > 0 else self.estimator.current_iteration()

    def raw(self, X: Any) -> Any:
        return self.estimator.predict(X)
