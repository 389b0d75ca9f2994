"""Synthetic rows from walks down the trees of a forest."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from sklkd._sklearn import Interval, StrOptions
from sklkd.augment._base import Sampler


class NRFI(Sampler):
    """Rows that a forest takes for one of a drawn class, by walks down its trees [1]_.

    A class is drawn for every row, as often as the forest has seen it, and a row to start with. It walks down some
    trees, one after the other: at each split it turns left or right with the probabilities of the drawn class there.
    Where its value lies on the other side, the value is drawn anew, anywhere on that side that the splits
    above leave. So rows come to lie in leaves that hold their class, and on all sides of splits.

    Parameters
    ----------
    forest : tree or forest of scikit-learn
        Fitted, on the columns of the rows that this is fitted to, in their order; clones of the sampler have the same
        one. Of a regressor, rows turn as often as its training rows did.
    n_trees : int, default=5
        How many trees a row walks down, each drawn anew; more make it surer of its class, since it ends in a leaf of
        that class in more of them. The paper mixes numbers so that the forest is unsure and sure equally often.
    start : {"real", "uniform"}, default="real"
        Real rows, so that values that no split of a walk has changed go together, or, as in the paper, values that are
        uniform between the column's ends.

    Raises
    ------
    TypeError, ValueError
        At ``fit``: if ``forest`` is no tree or forest, is not fitted, or has been fitted to another number of columns,
        or a column holds categories, which have no thresholds.

    Notes
    -----
    The paper covers classes only, and draws values up to the column's end, which may leave the leaf. Values are
    rounded in columns of whole numbers. A missing value stays missing where the tree sends it to the chosen
    side.

    References
    ----------
    .. [1] C. Reinders, B. Rosenhahn, "Neural random forest imitation", arXiv:1911.10829, 2019.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklkd.augment import NRFI
    >>> X, y = load_iris(return_X_y=True)
    >>> forest = RandomForestClassifier(random_state=0).fit(X, y)
    >>> forest.predict(NRFI(forest).fit(X).sample(6, random_state=0)).tolist()
    [2, 1, 2, 1, 0, 0]
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_trees": [Interval(Integral, 1, None, closed="left")],
        "start": [StrOptions({"real", "uniform"})],
    }

    def __init__(self, forest: Any, *, n_trees: int = 5, start: str = "real"):
        self.forest = forest
        self.n_trees = n_trees
        self.start = start

    def __sklearn_clone__(self) -> NRFI:
        return type(self)(self.forest, n_trees=self.n_trees, start=self.start)

    def _fit_matrix(self, X: Any) -> None:
        forest: Any = self.forest
        if not (hasattr(forest, "apply") and hasattr(forest, "n_features_in_")):
            if hasattr(forest, "apply") and hasattr(forest, "fit"):
                check_is_fitted(forest)
            raise TypeError(f"forest must be a fitted tree or forest of scikit-learn, got forest={forest!r}.")
        members = [forest] if hasattr(forest, "tree_") else list(np.ravel(getattr(forest, "estimators_", [])))
        if not members or not all(hasattr(each, "tree_") for each in members):
            raise TypeError(f"forest must consist of scikit-learn's trees, got forest={forest!r}.")
        trees, classification = [each.tree_ for each in members], all(hasattr(each, "classes_") for each in members)
        if forest.n_features_in_ != self.n_features_in_:
            raise ValueError(
                f"forest must be fitted to the {self.n_features_in_} columns of X, got one of {forest.n_features_in_}: "
                "behind steps that make other columns, fit the sampler to what these give."
            )
        if self._categorical.any():
            raise ValueError(
                "X must hold numbers where a forest splits its columns as they are, got categories in column(s) "
                f"{np.flatnonzero(self._categorical).tolist()}."
            )
        masses = [_mass(tree, classification) for tree in trees]
        if len({mass.shape[1] for mass in masses}) > 1:
            raise TypeError(f"forest must consist of trees that know the same classes, got forest={forest!r}.")
        self._walks = _Walks(trees, np.concatenate(masses))

    def _sample_matrix(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        low, high = self._range
        if self.start == "real":
            Z = self._rows[self._draw_rows(n, rng)]
        else:
            Z = np.where(np.isnan(self._rows).all(axis=0), np.nan, rng.uniform(low, high, (n, len(low))))
        classes = self._walks.draw_classes(n, rng)
        for _ in range(self.n_trees):
            self._walks.walk(Z, classes, low, high, rng)
        return self._legal(Z)


class _Walks:
    """Trees laid end to end, through which many rows walk at once."""

    def __init__(self, trees: list[Any], mass: NDArray[np.float64]):
        counts = [tree.node_count for tree in trees]
        self.roots = np.concatenate([[0], np.cumsum(counts)[:-1]])
        shift = np.repeat(self.roots, counts)
        self.left = np.concatenate([tree.children_left for tree in trees]) + shift
        self.right = np.concatenate([tree.children_right for tree in trees]) + shift
        self.inner = np.concatenate([tree.children_left >= 0 for tree in trees])
        self.feature = np.concatenate([tree.feature for tree in trees])
        self.threshold = np.concatenate([tree.threshold for tree in trees])
        self.missing_left = np.concatenate([tree.missing_go_to_left for tree in trees]).astype(bool)
        self.mass = mass

    def draw_classes(self, n: int, rng: np.random.Generator) -> NDArray[np.intp]:
        """Classes as often as at the roots; 0 where there are none."""
        mass = self.mass[self.roots].sum(axis=0)
        return rng.choice(len(mass), size=n, p=mass / mass.sum())

    def walk(self, Z: NDArray, classes: NDArray, low: NDArray, high: NDArray, rng: np.random.Generator) -> None:
        """Let every row walk down one tree, and change its values in place."""
        below, above = np.tile(low, (len(Z), 1)), np.tile(high, (len(Z), 1))
        node = self.roots[rng.integers(len(self.roots), size=len(Z))]
        rows = np.flatnonzero(self.inner[node])
        while len(rows):
            at = node[rows]
            column, threshold = self.feature[at], self.threshold[at]
            mass_left, mass_right = self.mass[self.left[at], classes[rows]], self.mass[self.right[at], classes[rows]]
            to_left = rng.random(len(rows)) * (mass_left + mass_right) < mass_left
            above[rows[to_left], column[to_left]] = threshold[to_left]
            below[rows[~to_left], column[~to_left]] = threshold[~to_left]
            value = Z[rows, column]
            is_left = np.where(np.isnan(value), self.missing_left[at], value <= threshold)
            wrong = to_left != is_left
            place = rows[wrong], column[wrong]
            # a fraction in (0, 1], since a value on the threshold is on its left
            Z[place] = below[place] + (1 - rng.random(len(place[0]))) * (above[place] - below[place])
            node[rows] = np.where(to_left, self.left[at], self.right[at])
            rows = rows[self.inner[node[rows]]]


def _mass(tree: Any, classification: bool) -> NDArray[np.float64]:
    """The weight of the training rows in each node, by class."""
    weight = tree.weighted_n_node_samples[:, None]
    if not classification:
        return weight
    classes = tree.value[:, 0]
    # a tree that has not seen a class, in its sample of the rows, is walked down as by all of them
    return weight * (classes / classes.sum(axis=1, keepdims=True) + 1e-9)
