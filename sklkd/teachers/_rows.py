"""Rows of whatever container the user has."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse

from sklkd._sklearn import _num_samples, _safe_indexing

CHUNK = 20_000
"""Rows asked at once: enough to drown the cost of a call, few enough to keep what a call allocates small."""


def take(X: Any, index: Any) -> Any:
    """Rows of an array, a frame, a sparse matrix or a list, in the same container."""
    return _safe_indexing(_indexable(X), index)


def chunks(X: Any, size: int = CHUNK) -> Iterator[Any]:
    """``X`` in pieces of at most ``size`` rows; ``X`` itself where one is enough."""
    n = _num_samples(X)
    if n <= size:
        yield X
        return
    X = _indexable(X)
    for start in range(0, n, size):
        yield _safe_indexing(X, slice(start, min(start + size, n)))


def sample(X: Any, size: int) -> Any:
    """At most ``size`` rows, evenly spaced; ``X`` itself where it has no more."""
    n = _num_samples(X)
    return X if n <= size else take(X, np.linspace(0, n - 1, size).astype(np.intp))


def width(X: Any) -> int:
    """Number of columns; of what has more than two dimensions, the length of the second."""
    return X.shape[1] if hasattr(X, "shape") else len(X[0])


def _indexable(X: Any) -> Any:
    return X.tocsr() if sparse.issparse(X) else X


FEW = 256
"""Rows on which the meaning of outputs and the shapes of layers are looked at."""


class Reference:
    """Rows from which an adapter learns something once: a few that it keeps, and many that it only refers to.

    Rows inside a pipeline are transformed when they are first needed. None of them is pickled.

    Parameters
    ----------
    X : array-like, frame or sparse matrix of n rows
    """

    def __init__(self, X: Any):
        few = sample(X, FEW)
        try:
            held: Callable[[], Any] = weakref.ref(X)
        except TypeError:
            # lists cannot be referred to weakly
            held = partial(_itself, X)
        self._few: Callable[[], Any] = lambda: few
        self._many: Callable[[], Any] = lambda: None if held() is None else sample(held(), CHUNK)

    def few(self) -> Any:
        """At most 256 of the rows; None after unpickling."""
        return self._few()

    def many(self) -> Any:
        """At most 20,000 of the rows; None if the user's are gone."""
        return self._many()

    def through(self, transform: Callable[[Any], Any]) -> Reference:
        """The same rows, transformed."""

        def after(rows: Callable[[], Any]) -> Callable[[], Any]:
            def transformed() -> Any:
                given = rows()
                return None if given is None else transform(given)

            return transformed

        other = Reference.__new__(Reference)
        other._few, other._many = after(self._few), after(self._many)
        return other

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._few = self._many = _gone


def _gone() -> None:
    return None


def _itself(X: Any) -> Any:
    return X
