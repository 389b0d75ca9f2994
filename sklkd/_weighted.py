"""Statistics of rows that have weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def weighted_quantile(x: NDArray, weight: NDArray, q: NDArray | list[float] | float) -> NDArray:
    """Inverted-CDF quantiles, so that a weight of 2 and a repeated value are the same."""
    order = np.argsort(x, kind="stable")
    cumulative = np.cumsum(weight[order])
    # midpoint rule would break the equivalence; the tiny slack keeps sums of equal weights from rounding past a step
    position = np.searchsorted(cumulative, np.asarray(q) * cumulative[-1] * (1 - 1e-12), side="left")
    return x[order][np.minimum(position, len(x) - 1)]
