"""Splits of rows into folds, which keep identical rows together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import check_cv

from sklkd._columns import ColumnCodec, has_one_dimension, identical_rows, text_codes
from sklkd.rows import Rows

Split = tuple[NDArray, NDArray]


def identical_groups(X: Any) -> NDArray:
    """For every row of the user's the number of its group of rows with identical X."""
    if has_one_dimension(X):
        matrix = text_codes(X)
    elif len(X.shape) == 2:
        matrix = ColumnCodec().fit_narrow(X, np.empty)
    else:
        matrix = np.asarray(X, dtype=np.float64).reshape(len(X), -1)
    return identical_rows(matrix)[1]


def make_splits(
    cv: Any, rows: Rows, groups: Callable[[], NDArray], split_params: dict[str, Any] | None = None
) -> list[Split]:
    """Splits as index arrays; an int never separates identical rows, nor those of one of the user's groups."""
    split_params = split_params or {}
    if isinstance(cv, (int, np.integer)):
        together = groups()
        if "groups" in split_params:
            together = joined_groups(together, np.unique(split_params["groups"], return_inverse=True)[1])
        return group_splits(int(cv), rows, together)
    n = len(rows.y)
    splits = [
        (np.arange(n)[train], np.arange(n)[test]) for train, test in check_cv(cv).split(rows.X, rows.y, **split_params)
    ]
    if max(np.bincount(np.concatenate([test for _, test in splits]))) > 1:
        raise ValueError("cv must hold out each row at most once, got splits whose test rows overlap.")
    return splits


def joined_groups(first: NDArray, second: NDArray) -> NDArray:
    """Groups of rows that share one of two groups each, directly or through others."""
    n, (n_first, n_second) = len(first), (int(first.max()) + 1, int(second.max()) + 1)
    shape = (n_first + n_second, n_first + n_second)
    # SciPy 1.11 refuses other integers
    places = (first.astype(np.int32), (n_first + second).astype(np.int32))
    edges = coo_array((np.ones(n), places), shape=shape)
    return connected_components(edges, directed=False)[1][first]


def group_splits(n_splits: int, rows: Rows, group: NDArray) -> list[Split]:
    """Splits that keep identical rows together and spread classes evenly.

    They depend on the distinct rows alone: not on their order, on how often a row comes, or on rows without weight,
    which are left out.
    """
    kept = np.arange(len(group)) if rows.weight is None else np.flatnonzero(rows.weight)
    group = np.unique(group[kept], return_inverse=True)[1]
    n_groups = int(group.max()) + 1
    if n_groups < n_splits:
        raise ValueError(f"cv={n_splits} needs as many distinct rows, got {n_groups}: lower cv, or set cv=None.")
    label = np.zeros(n_groups, dtype=int)
    if rows.y.ndim == 1:
        code = np.unique(rows.y[kept], return_inverse=True)[1]
        np.maximum.at(label, group, code)
    # neighbours in this order go to different folds: every fold has its part of all classes, or of the target's range
    order = np.lexsort((np.random.RandomState(0).permutation(n_groups), label))
    fold = np.empty(n_groups, dtype=int)
    fold[order] = np.arange(n_groups) % n_splits
    return [(kept[fold[group] != k], kept[fold[group] == k]) for k in range(n_splits)]
