"""Single trees and forests of scikit-learn."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd._sklearn import _num_samples
from sklkd.teachers._base import Shape, Teacher
from sklkd.teachers._fallback import falls_back, or_value_error
from sklkd.teachers._leaves import LeafTeacher
from sklkd.teachers._oob import average_unseen, check_count, encoded, not_its_rows, row_weights, spaced, tree_has_seen
from sklkd.teachers._rows import CHUNK, chunks
from sklkd.teachers._thresholds import Splits

SPLITTING_TREES = 100
"""Trees of a forest whose splits are looked at: more say the same, and 600 deep ones hold millions of splits."""


class ForestTeacher(LeafTeacher):
    """A random forest, extra trees, or one decision tree.

    Besides the leaves it has the layer ``"members"`` (n, n_trees, n_outputs), the prediction of every tree.
    """

    @property
    def trees(self) -> list[Any]:
        return [self.estimator] if hasattr(self.estimator, "tree_") else list(self.estimator.estimators_)

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        if not hasattr(estimator, "apply"):
            return False
        members = getattr(estimator, "estimators_", None)
        return hasattr(estimator, "tree_") or (
            isinstance(members, list) and bool(members) and hasattr(members[0], "tree_")
        )

    @property
    def n_trees(self) -> int:
        return len(self.trees)

    def leaves(self, X: Any) -> NDArray[np.intp]:
        leaves = np.asarray(self.estimator.apply(X))
        return leaves.reshape(len(leaves), -1)

    def _values(self, t: int) -> NDArray[np.float64]:
        """What a tree predicts in each node."""
        return node_values(self.trees[t], self.labels)

    def members(self, X: Any) -> NDArray[np.float64]:
        """The prediction of every tree, (n, n_trees, n_outputs)."""
        leaves = self.leaves(X)
        predictions = np.stack([self._values(t)[leaves[:, t]] for t in range(self.n_trees)], axis=1)
        return predictions if self.classes is None else self.aligned(predictions)

    def spread(self, X: Any) -> NDArray[np.float64] | None:
        return None if self.n_trees == 1 else self.members(X).std(axis=1)

    @property
    @falls_back("layers", dict)
    def layers(self) -> dict[str, Shape]:
        n_outputs = self._values(0).shape[1] if self.classes is None else len(self.classes)
        return {**super().layers, "members": (self.n_trees, n_outputs)}

    def feature(self, X: Any, layer: str) -> np.ndarray:
        return self.members(X) if layer == "members" else super().feature(X, layer)

    @falls_back("splits", Splits.none)
    def splits(self, X: Any) -> Splits:
        return tree_splits(self.trees[:: math.ceil(self.n_trees / SPLITTING_TREES)])

    @property
    @falls_back("out-of-bag", bool)
    def has_out_of_bag(self) -> bool:
        # some libraries resample the bags, and do not say how
        return bool(getattr(self.estimator, "bootstrap", False)) and len(self.estimator.estimators_samples_) > 0

    @or_value_error
    def out_of_bag(self, X: Any, y: Any, sample_weight: Any = None) -> tuple[np.ndarray, np.ndarray]:
        if not self.has_out_of_bag:
            return super().out_of_bag(X, y, sample_weight)
        leaves = self._verified_leaves(X, y, sample_weight)
        bags = self.estimator.estimators_samples_
        return average_unseen(self, X, bags, lambda t, rows: self._values(t)[leaves[rows, t]])

    def _verified_leaves(self, X: Any, y: Any, sample_weight: Any) -> NDArray[np.int32]:
        """All leaves, (n, n_trees), of rows that the forest was verifiably fitted on; else an error."""
        check_count(self, _num_samples(X))
        bags, target = self.estimator.estimators_samples_, encoded(self, y)
        leaves = self._leaves_by_tree(X)
        for t in spaced(self.n_trees):
            weights = row_weights(self.estimator, bags[t], target, sample_weight)
            values = self._values(t)
            if not any(tree_has_seen(self.trees[t], values, leaves[:, t], target, each) for each in weights):
                raise not_its_rows(self, f"the leaves of tree {t} hold other rows")
        return leaves

    def _leaves_by_tree(self, X: Any) -> NDArray[np.int32]:
        """All leaves, a tree's together in memory, in half the bytes."""
        leaves = np.empty((_num_samples(X), self.n_trees), dtype=np.int32, order="F")
        start = 0
        for part in chunks(X, CHUNK):
            leaves[start : start + _num_samples(part)] = self.leaves(part)
            start += _num_samples(part)
        return leaves


class QuantileForestTeacher(ForestTeacher):
    """A forest that predicts quantiles of the targets in its leaves, such as those of quantile-forest.

    It is recognised by ``default_quantiles``. The layers are those of any forest: its trees know means.
    """

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        return hasattr(estimator, "default_quantiles") and super().accepts(estimator)

    def spread(self, X: Any) -> NDArray[np.float64] | None:
        # of the means, and not of quantiles
        return None

    @or_value_error
    def out_of_bag(self, X: Any, y: Any, sample_weight: Any = None) -> tuple[np.ndarray, np.ndarray]:
        if not self.has_out_of_bag:
            return Teacher.out_of_bag(self, X, y, sample_weight)
        self._verified_leaves(X, y, sample_weight)
        n = _num_samples(X)
        unseen = np.zeros(n, bool)
        for bag in self.estimator.estimators_samples_:
            unseen |= np.bincount(bag, minlength=n) == 0
        predicted = self.predictions(X)
        found = np.asarray(self.estimator.predict(X, oob_score=True), np.float64).reshape(n, -1)
        predicted[unseen] = found[unseen]
        return predicted, unseen


def node_values(tree: Any, labels: Any = None) -> NDArray[np.float64]:
    """What a tree predicts in each node.

    That are probabilities (n_nodes, n_classes), of several labels a row the probability of each, (n_nodes, n_labels),
    or values (n_nodes, n_targets). ``labels`` are the ensemble's ``classes_``, whose trees know codes of them.
    """
    value = tree.tree_.value
    if not hasattr(tree, "classes_"):
        return value[:, :, 0]
    if value.shape[1] == 1:
        return value[:, 0] / value[:, 0].sum(axis=1, keepdims=True)
    share = value / value.sum(axis=2, keepdims=True)
    return np.stack([share[:, k, : len(each)] @ np.asarray(each, float) for k, each in enumerate(labels)], axis=1)


def tree_splits(trees: Iterable[Any]) -> Splits:
    """Splits of scikit-learn trees; a split gains the decrease of the impurity that it brings, times its weight."""
    feature, threshold, gain = [], [], []
    for tree in (each.tree_ for each in trees):
        left, right = tree.children_left, tree.children_right
        inner = np.flatnonzero(left >= 0)
        mass = tree.weighted_n_node_samples * tree.impurity
        feature.append(tree.feature[inner])
        threshold.append(tree.threshold[inner])
        gain.append(mass[inner] - mass[left[inner]] - mass[right[inner]])
    return Splits.of(np.concatenate(feature), np.concatenate(threshold), np.concatenate(gain))
