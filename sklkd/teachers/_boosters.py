"""What all gradient boosting has in common; and scikit-learn's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from sklkd._sklearn import binned_rows, hist_trees, is_hist_boosting, numbered_leaves
from sklkd.teachers._base import Shape
from sklkd.teachers._fallback import falls_back
from sklkd.teachers._leaves import LeafTeacher
from sklkd.teachers._meta import MetaTeacher
from sklkd.teachers._reading import two_sided
from sklkd.teachers._thresholds import Splits
from sklkd.teachers._trees import tree_splits

STAGES = 8
"""At most so many stages are features: their number times that of classes is the width of the layer."""


class BoosterTeacher(LeafTeacher):
    """Base of the adapters of boosters: an adapter says ``n_rounds`` and ``margins_after`` some of them.

    Besides the leaves it has the layer ``"margins"`` (n, n_stages, n_outputs): the margin, or the value, after up to
    eight evenly spaced numbers of rounds, the last of them all.
    """

    @property
    def n_rounds(self) -> int:
        raise NotImplementedError

    def margins_after(self, X: Any, rounds: list[int]) -> Iterator[Any]:
        """Raw margins, or values, after each of these numbers of rounds (ascending)."""
        raise NotImplementedError

    @property
    def gives_raw_scores(self) -> bool:
        """Whether it was trained with an objective of the user's own, for which its library gives margins alone."""
        return False

    @property
    def reads_as(self) -> str | None:
        return "margins" if self.classes is not None and self.gives_raw_scores else super().reads_as

    def predict_proba(self, X: Any) -> Any:
        if self.gives_raw_scores:
            return softmax(self.margins_by_class(X), axis=1)
        proba = np.asarray(super().predict_proba(X))
        # one-vs-rest objectives do not normalise
        return proba / proba.sum(axis=1, keepdims=True) if proba.ndim == 2 else proba

    @property
    def stages(self) -> list[int]:
        return np.unique(np.linspace(1, self.n_rounds, STAGES).round().astype(int)).tolist()

    @property
    @falls_back("layers", dict)
    def layers(self) -> dict[str, Shape]:
        n_outputs = None if self.classes is None else len(self.classes)
        return {**super().layers, "margins": (len(self.stages), n_outputs)}

    def feature(self, X: Any, layer: str) -> np.ndarray:
        if layer != "margins":
            return super().feature(X, layer)
        return np.stack([self._stage(margins) for margins in self.margins_after(X, self.stages)], axis=1)

    def _stage(self, margins: Any) -> NDArray[np.float64]:
        margins = np.asarray(margins, dtype=np.float64)
        margins = margins.reshape(len(margins), -1)
        if self.classes is None:
            return margins
        if margins.shape[1] == 1:
            margins = two_sided(margins)
        return margins[:, self.columns(margins.shape[1])]


class StagedTeacher(BoosterTeacher):
    """Base of scikit-learn's boosters, which go through all stages in order."""

    def margins_after(self, X: Any, rounds: list[int]) -> Iterator[Any]:
        staged = self.estimator.staged_predict if self.classes is None else self.estimator.staged_decision_function
        wanted = set(rounds)
        # Some yield the same array again and again.
        return (np.array(margins) for done, margins in enumerate(staged(X), start=1) if done in wanted)


class GradientBoostingTeacher(StagedTeacher):
    """``GradientBoostingClassifier`` and ``GradientBoostingRegressor``."""

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        return isinstance(getattr(estimator, "estimators_", None), np.ndarray) and hasattr(estimator, "apply")

    @property
    def n_rounds(self) -> int:
        return len(self.estimator.estimators_)

    @property
    def n_trees(self) -> int:
        return self.estimator.estimators_.size

    def leaves(self, X: Any) -> NDArray[np.integer]:
        leaves = self.estimator.apply(X)
        return leaves.reshape(len(leaves), -1).astype(np.intp)

    @falls_back("splits", Splits.none)
    def splits(self, X: Any) -> Splits:
        return tree_splits(self.estimator.estimators_.ravel())


class AdaBoostTeacher(StagedTeacher, MetaTeacher):
    """``AdaBoostClassifier`` and ``AdaBoostRegressor`` of decision trees."""

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        boosted = hasattr(estimator, "estimator_weights_") and hasattr(estimator, "staged_predict")
        return boosted and all(hasattr(each, "tree_") for each in estimator.estimators_)

    @property
    def n_rounds(self) -> int:
        return len(self.estimator.estimators_)

    @property
    def n_trees(self) -> int:
        return self.n_rounds

    def leaves(self, X: Any) -> NDArray[np.integer]:
        return np.stack([tree.apply(X) for tree in self.estimator.estimators_], axis=1)


class HistGradientBoostingTeacher(StagedTeacher):
    """``HistGradientBoostingClassifier`` and ``HistGradientBoostingRegressor``."""

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        return is_hist_boosting(estimator)

    @property
    def n_rounds(self) -> int:
        return len(hist_trees(self.estimator))

    @property
    def n_trees(self) -> int:
        return len(self._trees())

    def _trees(self) -> list[Any]:
        return [tree for trees in hist_trees(self.estimator) for tree in trees]

    def leaves(self, X: Any) -> NDArray[np.integer]:
        return numbered_leaves(self.estimator, binned_rows(self.estimator, X))

    @falls_back("splits", Splits.none)
    def splits(self, X: Any) -> Splits:
        nodes = np.concatenate([tree.nodes for tree in self._trees()])
        nodes = nodes[(nodes["is_leaf"] == 0) & (nodes["is_categorical"] == 0)]
        splits = Splits.of(nodes["feature_idx"], nodes["num_threshold"], nodes["gain"])
        categorical = self.estimator.is_categorical_
        if categorical is None:
            return splits
        # It puts columns with categories first.
        return splits.renamed(np.concatenate([np.flatnonzero(categorical), np.flatnonzero(~categorical)]))
