"""Rows of whatever container the user has."""

from __future__ import annotations

from collections.abc import Iterator
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
