"""What the partitions of a collection say of its columns, labels, targets and weights together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import assert_all_finite

from sklkd._columns import ColumnCodec, is_csr, is_missing
from sklkd.estimators._checked_targets import check_varies, label_scaling_of, usable_scale, weighted_moments
from sklkd.estimators._task import Task
from sklkd.estimators.offline._partitions import Goal, Layout, Part
from sklkd.students._encoder import category_weights
from sklkd.students._scaling import TargetScaling


@dataclass(frozen=True, eq=False)
class Statistics:
    """Of one partition, or of all.

    Attributes
    ----------
    n_rows, n_weighted : int
        Rows, and those with a weight above 0.
    codec : ColumnCodec or None
        What has been learnt of the columns; None without rows.
    counts : dict of int to ndarray
        For each column of categories the weight of the rows of each.
    weight, least : float
        The sum of the weights, and the least above 0.
    labels : list of ndarray
        For each column of y of a classifier the sorted labels of rows with a weight.
    unweighted : list of ndarray
        Those of rows without.
    center, scale : ndarray or None
        Weighted mean and standard deviation of the targets, or of several labels a row.
    """

    n_rows: int
    n_weighted: int
    codec: ColumnCodec | None
    counts: dict[int, NDArray]
    weight: float
    least: float
    labels: list[NDArray]
    unweighted: list[NDArray]
    center: NDArray | None
    scale: NDArray | None


def statistics_of_part(fixed: tuple[Layout, str], number: int, X: Any, y: Any, weight: Any) -> Statistics:
    """The statistics of one partition; ``fixed``: the layout, and "classification" or "regression"."""
    layout, kind = fixed
    part = layout.part(number, X, y, weight)
    if len(part) == 0:
        return Statistics(0, 0, None, {}, 0.0, np.inf, [], [], None, None)
    given = np.ones(len(part)) if part.weight is None else part.weight
    several = kind == "classification" and part.y.ndim == 2
    _check_y(part.y, kind)
    weighted = given > 0
    center, scale = None, None
    if (kind == "regression" or several) and weighted.any():
        center, scale = weighted_moments(part.y.reshape(len(part), -1).astype(np.float64), given)
    columns = [] if kind == "regression" else list(part.y.reshape(len(part), -1).T)
    codec, counts = _columns(part, given)
    return Statistics(
        len(part),
        int(weighted.sum()),
        codec,
        counts,
        float(given.sum()),
        float(given[weighted].min(initial=np.inf)),
        [np.unique(column[weighted]) for column in columns],
        [np.unique(column[~weighted]) for column in columns],
        center,
        scale,
    )


def _columns(part: Part, weight: NDArray) -> tuple[ColumnCodec, dict[int, NDArray]]:
    codec = ColumnCodec(invertible=False)
    Z = codec.fit_narrow(part.X)
    if is_csr(Z):
        raise ValueError("X must be dense, got a sparse table of more than 500 columns: pass it in memory.")
    known = enumerate(codec.categories_)
    return codec, {j: category_weights(Z[:, j], len(one), weight) for j, one in known if one is not None}


def _check_y(y: NDArray, kind: str) -> None:
    """Raise for labels and targets from which nothing can be learnt; what only all together show is checked later."""
    if y.dtype.kind == "O" and any(map(is_missing, y.ravel().tolist())):
        raise ValueError("y must not be missing: rows without a label can be passed as X_transfer.")
    if kind == "regression":
        y = y.astype(np.float64)
    assert_all_finite(y, input_name="y")
    if kind == "classification":
        if y.dtype.kind == "f" and (y != np.rint(y)).any():
            raise ValueError("y must hold classes, got continuous numbers: pass them to DistilledRegressor.")
        if y.ndim == 2 and not np.isin(y, (0, 1)).all():
            raise ValueError("y must have only 0 and 1 in its columns, one for each of several labels a row.")


@dataclass(frozen=True, eq=False)
class Whole:
    """The statistics of all partitions, in their order."""

    parts: Sequence[Statistics]

    @cached_property
    def n_rows(self) -> int:
        return sum(part.n_rows for part in self.parts)

    @cached_property
    def n_weighted(self) -> int:
        return sum(part.n_weighted for part in self.parts)

    def check_kinds(self, columns: list[Any] | None) -> None:
        """Raise for a column that holds strings in one partition and numbers or times in another."""
        kinds: dict[int, tuple[str, int]] = {}
        for number, part in enumerate(self.parts):
            for j, kind in enumerate([] if part.codec is None else part.codec.kinds()):
                known, first = kinds.setdefault(j, (kind, number)) if kind is not None else (None, number)
                if kind != known:
                    raise ValueError(
                        f"Column {j if columns is None else repr(columns[j])} must hold cells of one kind in all "
                        f"partitions, got {known} in partition {first} and {kind} in partition {number} (counted from "
                        "0): convert it, as by astype."
                    )

    @cached_property
    def codec(self) -> ColumnCodec:
        """What a codec would have learnt of all rows."""
        first, *others = [part.codec for part in self.parts if part.codec is not None]
        return first.united(others)

    @cached_property
    def counts(self) -> dict[int, NDArray]:
        """How often each category comes, in units of the least weight."""
        counts = {j: np.zeros(len(one)) for j, one in enumerate(self.codec.categories_) if one is not None}
        least = min(part.least for part in self.parts)
        for part in self.parts:
            for j, of_part in part.counts.items():
                known: Any = part.codec
                codes = self.codec.codes_of(j, known.categories_[j])
                counts[j][codes] += of_part / least
        return counts

    def goal(self, kind: str, y_shape: tuple[int, ...]) -> Goal:
        """The task of all rows.

        Raises
        ------
        ValueError
            If there are no rows or no weights, or labels or targets do not vary.
        """
        if self.n_rows == 0:
            raise ValueError("X must have rows, got a collection whose partitions are all empty.")
        if self.n_weighted == 0:
            raise ValueError("sample_weight must have a weight > 0, got only zeros.")
        if kind == "regression":
            center, scale = self._moments()
            check_varies(center, scale, self.n_rows)
            return Goal(Task(scaling=TargetScaling(center, usable_scale(center, scale)), y_ndim=1 + len(y_shape)))
        weighted = self._labels([part.labels for part in self.parts])
        every = self._labels([[*map(_joined, part.labels, part.unweighted)] for part in self.parts])
        if y_shape:
            if all(len(found) == 1 for found in every):
                raise ValueError("y must have a label that some rows have and others have not, got none.")
            share, _ = self._moments()
            weight = sum(part.weight for part in self.parts)
            scaling = label_scaling_of(share * weight, weight, weight / self.n_rows)
            return Goal(Task(scaling=scaling, y_ndim=2, multilabel=True), every)
        if len(weighted[0]) < 2:
            raise ValueError(
                "y must have at least 2 classes with a weight, got 1 class. There is nothing to distil; "
                "sklearn.dummy.DummyClassifier predicts a constant."
            )
        return Goal(Task(classes=every[0]), every[0])

    def _labels(self, of_parts: list[list[NDArray]]) -> list[NDArray]:
        filled = [labels for labels in of_parts if labels]
        return [np.unique(np.concatenate(columns)) for columns in zip(*filled, strict=True)]

    def _moments(self) -> tuple[NDArray, NDArray]:
        """Mean and standard deviation of all rows, from those of the partitions."""
        known = [part for part in self.parts if part.center is not None]
        weight = np.array([part.weight for part in known])
        centers, scales = np.array([part.center for part in known]), np.array([part.scale for part in known])
        center, between = weighted_moments(centers, weight)
        _, exponent = np.frexp(scales.max(axis=0))
        within = np.sqrt(np.average(np.ldexp(scales, -exponent) ** 2, axis=0, weights=weight))
        return center, np.hypot(between, np.ldexp(within, exponent))


def _joined(first: NDArray, second: NDArray) -> NDArray:
    return np.concatenate([first, second])
