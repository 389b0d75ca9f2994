"""Where the bins of each column's piecewise-linear encoding end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sklkd._weighted import weighted_quantile
from sklkd.students._encoder import InputEncoder, shared
from sklkd.students._sizes import room_for_bins


def bin_edges(
    Z: NDArray,
    weight: NDArray,
    encoder: InputEncoder,
    thresholds: list[tuple[NDArray, NDArray]],
    n_bins: int,
    max_bins: int,
) -> list[list[float]]:
    """Edges of the piecewise-linear encoding of each column, in encoded units.

    A column with few values gets an edge at each, but for values that differ by a rounding error. Otherwise edges
    stand at the gain-weighted quantiles of the teacher's split thresholds in that column, filled up by quantiles of
    the data. Columns share ``n_bins`` by the square root of what their splits gained.

    Parameters
    ----------
    Z : ndarray of shape (n, n_features)
        Encoded rows.
    weight : ndarray of shape (n,)
    encoder : InputEncoder
    thresholds : list of (ndarray, ndarray)
        Split thresholds of each column, in the user's units, and what they gained; empty arrays for none.
    n_bins : int
        Bins in all.
    max_bins : int
        The most of one column.
    """
    n_features = Z.shape[1]
    room = np.minimum(room_for_bins(Z, encoder), max_bins).astype(float)
    gains = np.array([gain.sum() for _, gain in thresholds])
    share = shared(n_bins, room, np.sqrt(gains / gains.sum()) if gains.sum() > 0 else np.ones(n_features))
    edges: list[list[float]] = []
    for j in range(n_features):
        if share[j] < 1:
            edges.append([])
            continue
        values, counts = _seen(Z[:, j], weight)
        if len(values) - 1 <= share[j]:
            edges.append(_apart(values))
        else:
            cuts = encoder.scale_thresholds(j, thresholds[j][0])
            edges.append(_edges(values, counts, cuts, thresholds[j][1], int(share[j])))
    return edges


def _seen(column: NDArray, weight: NDArray) -> tuple[NDArray, NDArray]:
    """The distinct values of a column that are not missing, and their weights."""
    kept = ~np.isnan(column)
    values, inverse = np.unique(column[kept].astype(float), return_inverse=True)
    return values, np.bincount(inverse, weight[kept], minlength=len(values))


def _edges(values: NDArray, counts: NDArray, cuts: NDArray, gain: NDArray, n_bins: int) -> list[float]:
    inside = (cuts > values[0]) & (cuts < values[-1])
    inner = np.empty(0)
    grid = (np.arange(n_bins - 1) + 0.5) / (n_bins - 1)
    if inside.any():
        inner = np.unique(weighted_quantile(cuts[inside], gain[inside], grid))
    missing = n_bins - 1 - len(inner)
    if missing > 0:
        fill = weighted_quantile(values, counts, (np.arange(missing) + 0.5) / missing)
        inner = np.union1d(inner, fill[(fill > values[0]) & (fill < values[-1])])
    return _apart(np.unique(np.concatenate([values[:1], inner, values[-1:]])))


def _apart(edges: NDArray) -> list[float]:
    """Without edges closer than float32 can tell apart, which would make of a rounding error a step."""
    keep = np.concatenate([[True], np.diff(edges) > 1e-6 * (1 + np.abs(edges[1:]))])
    return [float(edge) for edge in edges[keep]]
