"""Where student and teacher differ most, in terms of the columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeRegressor

from sklkd.report._columns_of import Columns
from sklkd.report._intervals import Estimate, Sample, bootstrap_interval
from sklkd.report._quality import mean_of

FEWEST_ROWS = 200
"""Below that no regions are looked for."""
MOST_ROWS, MOST_COLUMNS = 20_000, 200
"""From which regions are found; more take seconds."""
DEPTH, MOST_REGIONS = 3, 3
LEAF = 20
"""Rows of a region at least; or a fiftieth of those that it is found from, where that is more."""
MOST_CATEGORIES = 20
"""Of a column, the most frequent ones, by which a region can be told."""

Step = tuple[int, float, bool]
"""Of a tree: feature, threshold, and whether above it."""


@dataclass(frozen=True)
class Region:
    """Rows in which student and teacher differ more than elsewhere.

    Attributes
    ----------
    conditions : tuple of str
        That all of its rows meet, such as ``"age <= 30"``, ``"city = Paris"``.
    n_rows : int
        Rows of the report in it.
    distance : Estimate
        Mean difference of the predictions, on rows that the region was not found from.
    """

    conditions: tuple[str, ...]
    n_rows: int
    distance: Estimate

    def __str__(self) -> str:
        return " and ".join(self.conditions)


@dataclass(frozen=True, eq=False)
class _Feature:
    """What a tree can ask for: a number at most so large, or one category."""

    column: int
    values: NDArray[np.float64]
    category: float | None = None
    missing: bool = False
    filled: float = np.nan  # what stands for a missing number


def find_regions(X: Any, distance: NDArray[np.float64], sample: Sample) -> list[Region]:
    """Leaves of a small tree, found on half of the rows and measured on the others, that stand out there.

    Parameters
    ----------
    X : table
        As the user has it.
    distance : ndarray of shape (n,)
        How far the student's predictions are from the teacher's.
    sample : Sample
        The rows.

    Returns
    -------
    list of Region
        Those in which the lower end of the interval lies above the mean over all rows, largest difference first.
    """
    n = sample.n
    columns = Columns.of(X) if n >= FEWEST_ROWS and sample.n_bootstrap else None
    if columns is None or columns.values.shape[1] > MOST_COLUMNS:
        return []
    order = np.random.default_rng(0).permutation(n)
    seen, unseen = order[: min(n // 2, MOST_ROWS)], order[n // 2 :]
    fewest = max(LEAF, len(seen) // 50)
    features = _features(columns, fewest)
    if not features:
        return []
    matrix = np.column_stack([one.values for one in features])
    tree = DecisionTreeRegressor(max_depth=DEPTH, min_samples_leaf=fewest, random_state=0)
    tree.fit(matrix[seen], distance[seen], sample_weight=None if sample.weight is None else sample.weight[seen])
    leaves = tree.apply(matrix)
    usual = float(sample.part(unseen).means(distance[unseen, None])[0])
    found = []
    for leaf, steps in _paths(tree.tree_):
        measured = _mean(distance, sample, unseen[leaves[unseen] == leaf])
        if measured.low > usual:
            found.append(Region(_conditions(columns, features, steps), int((leaves == leaf).sum()), measured))
    return sorted(found, key=lambda region: -region.distance.value)[:MOST_REGIONS]


def _mean(distance: NDArray[np.float64], sample: Sample, index: NDArray[np.intp]) -> Estimate:
    if len(index) < LEAF // 2:
        return Estimate(np.nan, np.nan, np.nan)
    part, column = sample.part(index), mean_of(distance[index]).columns
    value, spread = float(part.means(column)[0]), part.spread(column)
    return Estimate(value, *bootstrap_interval(value, spread.drawn[:, 0], spread.without_one[:, 0], sample.confidence))


def _features(columns: Columns, fewest: int) -> list[_Feature]:
    features = []
    for j, values in enumerate(columns.values.T):
        missing = np.isnan(values)
        if columns.categories[j] is not None:
            codes, times = np.unique(values[~missing], return_counts=True)
            common = codes[np.argsort(-times, kind="stable")][:MOST_CATEGORIES]
            features += [
                _Feature(j, (values == code).astype(np.float64), category=float(code))
                for code in np.sort(common)
                if fewest <= (values == code).sum() < len(values)
            ]
        elif not missing.all():
            filled = float(np.median(values[~missing]))
            features.append(_Feature(j, np.where(missing, filled, values), missing=bool(missing.any()), filled=filled))
        if fewest <= missing.sum() < len(values):
            features.append(_Feature(j, missing.astype(np.float64), category=np.nan))
    return features


def _paths(tree: Any) -> list[tuple[int, list[Step]]]:
    """For each leaf of a tree the steps on the way to it."""
    found: list[tuple[int, list[Step]]] = []
    open_nodes: list[tuple[int, list[Step]]] = [(0, [])]
    while open_nodes:
        node, steps = open_nodes.pop()
        if tree.children_left[node] < 0:
            found.append((node, steps))
            continue
        step = int(tree.feature[node]), float(tree.threshold[node])
        open_nodes.append((int(tree.children_left[node]), [*steps, (*step, False)]))
        open_nodes.append((int(tree.children_right[node]), [*steps, (*step, True)]))
    return found


def _conditions(columns: Columns, features: list[_Feature], steps: list[Step]) -> tuple[str, ...]:
    """The steps as conditions, those on one number as one."""
    texts: list[str] = []
    for f in dict.fromkeys(f for f, _, _ in steps):
        feature, name = features[f], columns.names[features[f].column]
        low = max((threshold for g, threshold, above in steps if g == f and above), default=-np.inf)
        high = min((threshold for g, threshold, above in steps if g == f and not above), default=np.inf)
        if feature.category is not None:
            has = low > -np.inf
            if np.isnan(feature.category):
                texts.append(f"{name} is {'' if has else 'not '}missing")
            else:
                texts.append(f"{name} {'=' if has else 'is not'} {columns.written(feature.column, feature.category)}")
            continue
        if np.isinf(high):
            text = f"{name} > {columns.written(feature.column, low)}"
        else:
            above = "" if np.isinf(low) else f"{columns.written(feature.column, low)} < "
            text = f"{above}{name} <= {columns.written(feature.column, high)}"
        or_missing = feature.missing and low < feature.filled <= high
        texts.append(f"({text} or missing)" if or_missing else text)
    return tuple(texts)
