"""The rows of a collection on which a fit decides, drawn from every partition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd._sklearn import _safe_indexing
from sklkd.estimators.offline._partitions import Layout, Part, Partitions
from sklkd.estimators.offline._workers import on_workers
from sklkd.rows import Rows

SAMPLE_ROWS = 100_000
"""Rows on which a fit decides. Dask's configuration has another number under "sklkd.sample-rows" where that is set."""


def sample_rows() -> int:
    """How many rows are drawn."""
    import dask

    n = dask.config.get("sklkd.sample-rows", SAMPLE_ROWS)
    if isinstance(n, bool) or not isinstance(n, int) or n < 2:
        raise ValueError(f"Dask's configuration 'sklkd.sample-rows' must be an integer > 1, got {n!r}.")
    return n


def quotas(n_rows: Sequence[int], n_sampled: int) -> NDArray[np.intp]:
    """How many rows are drawn from each partition: in proportion, and all where there are no more."""
    sizes = np.asarray(n_rows, np.intp)
    total = int(sizes.sum())
    if total <= n_sampled:
        return sizes
    exact = sizes * (n_sampled / total)
    drawn = np.floor(exact).astype(np.intp)
    left = n_sampled - int(drawn.sum())
    drawn[np.argsort(-(exact - drawn), kind="stable")[:left]] += 1
    return np.minimum(drawn, sizes)


def drawn_rows(number: int, n_rows: int, n_drawn: int, seed: int) -> NDArray[np.intp]:
    """Which rows of a partition are in the sample: the same for the same partition and seed, wherever it is asked."""
    return np.sort(np.random.default_rng([seed, number]).choice(n_rows, n_drawn, replace=False))


def take_part(part: Part, index: NDArray) -> Part:
    """Some rows of a partition."""
    weight = None if part.weight is None else part.weight[index]
    return Part(part.number, _safe_indexing(part.X, index), part.y[index], weight)


def sample_of_part(
    fixed: tuple[Layout, NDArray, int], number: int, X: Any, y: Any, weight: Any
) -> tuple[Any, NDArray, NDArray | None]:
    """The drawn rows of one partition; ``fixed``: the layout, how many rows of each partition, and the seed."""
    layout, drawn, seed = fixed
    part = layout.part(number, X, y, weight)
    part = take_part(part, drawn_rows(number, len(part), int(drawn[number]), seed))
    return part.X, part.y, part.weight


def drawn_sample(partitions: Partitions, drawn: NDArray, seed: int) -> Rows:
    """The sample, in the order of the partitions."""
    asked = [part for part in partitions.parts if drawn[part[0]]]
    fixed = (partitions.layout, drawn, seed)
    found = dict(on_workers(sample_of_part, fixed, asked, "sampled"))
    tables, ys, weights = zip(*(found[number] for number in sorted(found)), strict=True)
    return Rows(
        _stacked(tables),
        np.concatenate(ys),
        None if weights[0] is None else np.concatenate(weights),
    )


def _stacked(tables: Sequence[Any]) -> Any:
    if isinstance(tables[0], np.ndarray):
        return np.concatenate(tables)
    from dask.dataframe.dispatch import concat  # frames of the user's own kind, categories united

    return concat(list(tables))
