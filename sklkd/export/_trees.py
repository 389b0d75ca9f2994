"""Trees of any ensemble in one form, of which graphs and C files are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor

from sklkd._sklearn import gradient_baseline, hist_baseline, hist_trees, is_hist_boosting

SINGLE = (DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor)
FORESTS = (RandomForestClassifier, RandomForestRegressor, ExtraTreesClassifier, ExtraTreesRegressor)
BOOSTED = (GradientBoostingClassifier, GradientBoostingRegressor)
FARTHEST = 1e30


@dataclass(frozen=True, eq=False)
class Trees:
    """Trees whose leaves add up: nodes of all trees, one behind the other.

    Attributes
    ----------
    roots : ndarray of int, shape (n_trees,)
    feature, left, right : ndarray of int, shape (n_nodes,)
        Left and right are other nodes, -1 of leaves.
    threshold : ndarray of float64, shape (n_nodes,)
        Rows go to the left up to it. Where ``single``, it is one of single precision.
    missing_left : ndarray of bool, shape (n_nodes,)
        Whether missing values go there, too.
    values : ndarray of float64, shape (n_nodes, n_outputs)
        Of leaves.
    base : ndarray of float64, shape (n_outputs,)
        What is added then.
    single : bool
        Whether numbers are rounded to single precision before they are compared.
    divisor : float, default=1.0
        By which the sums of leaves are divided.
    link : str, default="identity"
        One of ``sklkd.export._links``, from the sums to probabilities or values.
    """

    roots: NDArray
    feature: NDArray
    threshold: NDArray
    left: NDArray
    right: NDArray
    missing_left: NDArray
    values: NDArray
    base: NDArray
    single: bool
    divisor: float = 1.0
    link: str = "identity"

    def raw(self, X: NDArray) -> NDArray[np.float64]:
        """The sums, (n, n_outputs)."""
        with np.errstate(over="ignore"):
            X = np.asarray(X, np.float32 if self.single else np.float64)
        total = np.zeros((len(X), len(self.base)))
        rows = np.arange(len(X))
        for root in self.roots:
            at = np.full(len(X), root)
            while (inner := self.left[at] >= 0).any():
                number = X[rows, self.feature[at]]
                goes_left = (number <= self.threshold[at]) | (np.isnan(number) & self.missing_left[at])
                at = np.where(inner, np.where(goes_left, self.left[at], self.right[at]), at)
            total += self.values[at]
        return total / self.divisor + self.base

    def centred(self) -> Trees:
        """The same with leaves about 0, which are rounded less in single precision."""
        values, base = self.values.copy(), self.base.copy()
        for start, end in zip(self.roots, [*self.roots[1:], len(values)], strict=True):
            leaf = np.flatnonzero(self.left[start:end] < 0) + start
            middle = values[leaf].mean(axis=0)
            values[leaf] -= middle
            base += middle / self.divisor
        return replace(self, values=values, base=base)

    def thresholds(self) -> dict[int, NDArray[np.float64]]:
        """Sorted, by feature, without those that only missing values or infinity reach."""
        inner = (self.left >= 0) & (np.abs(self.threshold) < FARTHEST)
        return {int(j): np.unique(self.threshold[inner & (self.feature == j)]) for j in np.unique(self.feature[inner])}


@dataclass
class Tree:
    """One tree, with places inside it; ``values`` is (n_nodes, n_outputs)."""

    feature: ArrayLike
    threshold: ArrayLike
    left: ArrayLike
    right: ArrayLike
    missing_left: ArrayLike
    values: ArrayLike


def put_together(trees: Sequence[Tree], base: ArrayLike, *, single: bool) -> Trees:
    """Trees one behind the other; thresholds, which may have more digits, are rounded down where ``single``."""
    starts = np.concatenate([[0], np.cumsum([np.size(tree.left) for tree in trees])]).astype(int)

    def whole(name: str, dtype: Any) -> NDArray:
        return np.concatenate([np.asarray(getattr(tree, name), dtype) for tree in trees])

    offset = np.repeat(starts[:-1], np.diff(starts))
    left, right = (whole(name, np.int64) for name in ("left", "right"))
    leaf = left < 0
    threshold = whole("threshold", np.float64)
    return Trees(
        roots=starts[:-1],
        feature=np.where(leaf, 0, whole("feature", np.int64)),
        threshold=np.where(leaf, 0.0, rounded_down(threshold) if single else threshold),
        left=np.where(leaf, -1, left + offset),
        right=np.where(leaf, -1, right + offset),
        missing_left=whole("missing_left", bool) & ~leaf,
        values=np.where(leaf[:, None], whole("values", np.float64), 0.0),
        base=np.asarray(base, np.float64),
        single=single,
    )


def rounded_down(threshold: NDArray) -> NDArray[np.float64]:
    """The largest numbers of single precision up to these, which the same numbers of single precision reach."""
    with np.errstate(over="ignore"):
        rounded = threshold.astype(np.float32)
        lower = np.nextafter(rounded, np.float32(-np.inf))
    return np.where(rounded > threshold, lower, rounded).astype(np.float64)


def side_by_side(parts: Sequence[Trees]) -> Trees:
    """Models of one output each as one of several."""
    widths = [len(part.base) for part in parts]
    starts = np.cumsum([0, *widths])
    padded = [
        np.pad(part.values / part.divisor, ((0, 0), (start, starts[-1] - start - width)))
        for part, start, width in zip(parts, starts, widths, strict=False)
    ]
    base = np.concatenate([part.base for part in parts])
    return _one_behind_the_other(parts, values=np.concatenate(padded), base=base, divisor=1.0)


def mean_of(parts: Sequence[Trees], columns: Sequence[NDArray]) -> Trees:
    """The mean of several models, each of which reads some columns."""
    return _one_behind_the_other(
        parts,
        feature=np.concatenate([mine[part.feature] for part, mine in zip(parts, columns, strict=True)]),
        values=np.concatenate([part.values / part.divisor for part in parts]),
        base=np.mean([part.base for part in parts], axis=0),
        divisor=float(len(parts)),
    )


def _one_behind_the_other(parts: Sequence[Trees], **others: Any) -> Trees:
    shift = np.cumsum([0, *(len(part.left) for part in parts)])

    def moved(name: str) -> NDArray:
        arrays = [getattr(part, name) for part in parts]
        return np.concatenate([np.where(one < 0, -1, one + by) for one, by in zip(arrays, shift, strict=False)])

    kept = ("feature", "threshold", "missing_left")
    whole = {name: np.concatenate([getattr(part, name) for part in parts]) for name in kept}
    places = {name: moved(name) for name in ("roots", "left", "right")}
    return replace(parts[0], **(whole | places | others))


def sklearn_trees(model: Any) -> Trees | None:
    """The trees of a fitted model of scikit-learn; None for other models, and for trees that split by categories."""
    if isinstance(model, SINGLE + FORESTS):
        members = model.estimators_ if isinstance(model, FORESTS) else [model]
        trees = [_of_tree(member.tree_) for member in members]
        found = put_together(trees, np.zeros(np.shape(trees[0].values)[1]), single=True)
        return replace(found, divisor=float(len(members)))
    if isinstance(model, BOOSTED) and (model.init is None or model.init == "zero"):
        n_outputs = model.estimators_.shape[1]
        # the exponential loss is one of half the logit
        half = 2.0 if model.loss == "exponential" else 1.0
        rounds = [
            _of_output(one.tree_, k, n_outputs, half * model.learning_rate)
            for stage in model.estimators_
            for k, one in enumerate(stage)
        ]
        return put_together(rounds, half * gradient_baseline(model), single=True)
    if is_hist_boosting(model) and model.is_categorical_ is None:
        base = hist_baseline(model)
        rounds = [_of_nodes(one.nodes, k, len(base)) for stage in hist_trees(model) for k, one in enumerate(stage)]
        return put_together(rounds, base, single=False)
    return None


def _of_tree(tree: Any) -> Tree:
    values = tree.value
    # probabilities of classes, or values of targets
    values = values[:, 0, :] if tree.max_n_classes > 1 or values.shape[1] == 1 else values[:, :, 0]
    missing_left = getattr(tree, "missing_go_to_left", np.zeros(tree.node_count, bool))
    children = tree.children_left, tree.children_right
    return Tree(tree.feature, tree.threshold, *children, missing_left, values)


def _of_output(tree: Any, k: int, n_outputs: int, factor: float) -> Tree:
    """Of a tree that adds to one of several outputs."""
    found = _of_tree(tree)
    values = np.zeros((tree.node_count, n_outputs))
    values[:, k] = np.ravel(found.values) * factor
    return replace(found, values=values)


def _of_nodes(nodes: NDArray, k: int, n_outputs: int) -> Tree:
    leaf = nodes["is_leaf"].astype(bool)
    left, right = (np.where(leaf, -1, nodes[name].astype(np.int64)) for name in ("left", "right"))
    values = np.zeros((len(nodes), n_outputs))
    values[:, k] = nodes["value"]
    return Tree(nodes["feature_idx"], nodes["num_threshold"], left, right, nodes["missing_go_to_left"], values)
