"""The default student as plain arrays, for predictions without torch.

A column's bins and the first layer's weights for them are, together, one piecewise-linear function from the column's
value to the layer's units. Its values at the bins' edges say all of it: a prediction needs the two beside its value.
Compiled code looks these up; NumPy takes less time for the matrix product, even for one row.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd._columns import is_csr
from sklkd.students._encoder import InputEncoder, scaled
from sklkd.students._tabular_net import TabularNet

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

# Rows at a time: few enough for the cache
PIECE = 256


@dataclass(frozen=True)
class Folded:
    """A default student's arrays, to which w is the width of the first layer (the output where none is hidden).

    Attributes
    ----------
    numeric : ndarray of int, shape (m,)
        Numeric columns.
    center, scale : ndarray, shape (m,)
        ``z = float32((x - center) / scale)`` is a column's scaled value; 0 where it is missing.
    clip : ndarray, shape (m, w)
        Weights of ``z / sqrt(1 + (z / 3)**2)``, which is not piecewise linear.
    binned : ndarray of int, shape (b,)
        Numeric columns that have bins, counted among ``numeric``.
    starts : ndarray of int, shape (b + 1,)
        Where each one's edges start in ``edges``.
    edges : ndarray, shape (e,)
        Edges in units of z, float32 numbers that increase within a column.
    values : ndarray, shape (e, w)
        What the column's bins give at an edge; linear in between, constant outside.
    with_missing : ndarray of int, shape (k,)
        Numeric columns whose missing values add something, counted among ``numeric``.
    missing_weights : ndarray, shape (k, w)
        What these add.
    categorical : ndarray of int, shape (c,)
        Columns of categories.
    level_starts : ndarray of int, shape (c + 1,)
        Where each one's categories start in ``levels``.
    levels : ndarray of int, shape (n_categories + 2 * c,)
        Row of ``level_values`` for every category that the codec knows, then for missing ones, then for unseen ones.
    level_values : ndarray, shape (n_levels, w)
        What a level gives; only those that something reads.
    bias : ndarray, shape (w,)
    layers : tuple of (ndarray, ndarray)
        Weights of shape (inputs, outputs) and bias of the layers after the first, each of which follows a SiLU.
    """

    numeric: Ints
    center: Floats
    scale: Floats
    clip: Floats
    binned: Ints
    starts: Ints
    edges: Floats
    values: Floats
    with_missing: Ints
    missing_weights: Floats
    categorical: Ints
    level_starts: Ints
    levels: Ints
    level_values: Floats
    bias: Floats
    layers: tuple[tuple[Floats, Floats], ...]

    def outputs(self, Z: Any) -> Floats:
        """Logits or standardised targets, (n, n_outputs), of coded rows with the parts of their dates behind them."""
        n = Z.shape[0]
        if n <= PIECE:
            return self._forward(Z)
        return np.concatenate([self._forward(Z[start : start + PIECE]) for start in range(0, n, PIECE)])

    def outputs_of_rows(self, rows: list[tuple[Ints, NDArray[np.float32]]]) -> Floats:
        """The same of few sparse rows without gaps, each as the columns that are not 0 and their scaled numbers."""
        h = np.empty((len(rows), len(self.bias)))
        for (columns, z), units in zip(rows, h, strict=True):
            np.matmul(_smooth_clip(z.astype(np.float64)), self.clip.take(columns, axis=0), out=units)
        h += self.bias
        return self._behind_first(h)

    def _forward(self, Z: Any) -> Floats:
        return self._behind_first(self._of_entries(Z) if is_csr(Z) else self._first(Z))

    def _behind_first(self, h: Floats) -> Floats:
        """From the first layer's units to the outputs."""
        for weight, bias in self.layers:
            h = _silu(h) @ weight
            h += bias
        return h

    def _first(self, Z: Floats) -> Floats:
        """The first layer's units, (n, w)."""
        # a row per column: what belongs to a column is then next to each other
        X = np.ascontiguousarray(Z.T) if len(self.numeric) == Z.shape[1] else Z.T[self.numeric]
        z = scaled(X, self.center[:, None], self.scale[:, None]).astype(np.float32).astype(np.float64)
        missing = np.isnan(z)
        any_missing = missing.any()
        if any_missing:
            z[missing] = 0.0
        out = self._of_numbers(z)
        out += self.bias
        if any_missing:
            out += missing[self.with_missing].T.astype(np.float64) @ self.missing_weights
        if len(self.categorical):
            out += self._of_categories(Z)
        return out

    def _of_entries(self, Z: Any) -> Floats:
        """The first layer's units of rows in CSR format, whose columns are numbers without bins."""
        z = scaled(Z.data, 0.0, self.scale[Z.indices]).astype(np.float32).astype(np.float64)
        missing = np.isnan(z)
        z[missing] = 0.0
        out = type(Z)((_smooth_clip(z), Z.indices, Z.indptr), shape=Z.shape) @ self.clip
        out += self.bias
        if missing.any():
            absent = type(Z)((missing.astype(np.float64), Z.indices, Z.indptr), shape=Z.shape)
            out += absent[:, self.with_missing] @ self.missing_weights
        return out

    def _of_numbers(self, z: Floats) -> Floats:
        """What the scaled numbers (m, n) give the first layer, (n, w)."""
        column, left, slope, weight = self.bins
        encoded = np.empty((len(weight), z.shape[1]))
        encoded[: len(z)] = _smooth_clip(z)
        ramps = encoded[len(z) :]
        np.take(z, column, axis=0, out=ramps, mode="clip")
        ramps -= left
        ramps *= slope
        np.clip(ramps, 0.0, 1.0, out=ramps)
        return encoded.T @ weight

    def _of_categories(self, Z: Floats) -> Floats:
        """What the categories of coded rows give the first layer, (n, w)."""
        codes = Z[:, self.categorical]
        n_codes = np.diff(self.level_starts)
        position = np.where(np.isnan(codes), n_codes - 2, np.where(codes < 0, n_codes - 1, codes))
        rows = self.levels[self.level_starts[:-1] + position.astype(np.intp)]
        if rows.size <= len(self.level_values):
            return self.level_values[rows].sum(1)
        # many rows read each level often: the matrix product reads it once
        one_hot = np.zeros((len(Z), len(self.level_values)))
        one_hot[np.arange(len(Z))[:, None], rows] = 1.0
        return one_hot @ self.level_values

    @cached_property
    def bins(self) -> tuple[Ints, Floats, Floats, Floats]:
        """Column, left edge and slope of each bin, and the weights of clipped values and bins."""
        first = np.delete(np.arange(len(self.edges)), self.starts[1:] - 1)
        column = np.repeat(self.binned, np.diff(self.starts) - 1)
        slope = 1 / (self.edges[first + 1] - self.edges[first])
        weight = np.concatenate([self.clip, self.values[first + 1] - self.values[first]])
        return column, self.edges[first, None], slope[:, None], weight


def fold(encoder: Any, module: Any) -> Folded | None:
    """The arrays of a fitted encoder and a trained network; None where they are not the default student's.

    Parameters
    ----------
    encoder : InputEncoder
    module : TabularNet
    """
    if type(encoder) is not InputEncoder or encoder.one_hot or type(module) is not TabularNet:
        return None
    encoding = module.encoding
    numeric = _array(encoding.numeric).astype(np.intp)
    cardinalities = np.array(encoder.cardinalities_)
    if not np.array_equal(numeric, np.flatnonzero(cardinalities == 0)):
        return None  # somebody's own module__cardinalities
    (weight, bias), *layers = _weights(module)
    n_bins, with_missing = len(encoding.column), _array(encoding.with_missing).astype(np.intp)
    clip, bins, missing_weights, level_values = np.split(weight, np.cumsum([len(numeric), n_bins, len(with_missing)]))
    binned, starts, edges, values = _ramps(encoding, bins)
    categorical, level_starts, levels, level_values = _levels(encoder, encoding, level_values)
    return Folded(
        numeric=numeric,
        center=encoder.center_[numeric],
        scale=encoder.scale_[numeric],
        clip=clip,
        binned=binned,
        starts=starts,
        edges=edges,
        values=values,
        with_missing=with_missing,
        missing_weights=missing_weights,
        categorical=categorical,
        level_starts=level_starts,
        levels=levels,
        level_values=level_values,
        bias=bias,
        layers=tuple(layers),
    )


def fold_entries(module: Any) -> Folded | None:
    """The arrays of a network that reads the sparse rows which a student's own steps make; None for others."""
    if type(module) is not TabularNet or not module.sparse:
        return None
    encoding = module.encoding
    if len(encoding.column) or not encoding.all_numeric:
        return None
    (weight, bias), *layers = _weights(module)
    numeric, with_missing = (_array(part).astype(np.intp) for part in (encoding.numeric, encoding.with_missing))
    none, no_weights = np.empty(0, np.intp), np.empty((0, weight.shape[1]))
    return Folded(
        numeric=numeric,
        center=np.zeros(len(numeric)),
        scale=np.ones(len(numeric)),
        clip=weight[: len(numeric)],
        binned=none,
        starts=np.zeros(1, np.intp),
        edges=np.empty(0),
        values=no_weights,
        with_missing=with_missing,
        missing_weights=weight[len(numeric) :],
        categorical=none,
        level_starts=np.zeros(1, np.intp),
        levels=none,
        level_values=no_weights,
        bias=bias,
        layers=tuple(layers),
    )


def _weights(module: TabularNet) -> list[tuple[Floats, Floats]]:
    """Weights of shape (inputs, outputs) and bias of every layer."""
    hidden: list[Any] = list(module.hidden)
    linear = [*(layer[0] for layer in hidden), module.output]
    return [(_array(one.weight).T.copy(), _array(one.bias)) for one in linear]


def _ramps(encoding: Any, weight: Floats) -> tuple[Ints, Ints, Floats, Floats]:
    """Binned columns, where their edges start, the edges, and what the first layer gets there."""
    left = _array(encoding.left)
    right = (left + 1 / _array(encoding.slope)).astype(np.float32).astype(np.float64)
    binned, first = np.unique(_array(encoding.column).astype(np.intp), return_index=True)
    edges, values = [np.empty(0)], [np.empty((0, weight.shape[1]))]
    for a, b in itertools.pairwise([*first.tolist(), len(left)]):
        edges += [left[a:b], right[b - 1 : b]]
        values += [np.zeros((1, weight.shape[1])), np.cumsum(weight[a:b], axis=0)]
    # every column has an edge more than it has bins
    starts = np.append(first, len(left)) + np.arange(len(first) + 1)
    return binned, starts, np.concatenate(edges), np.concatenate(values)


def _levels(encoder: InputEncoder, encoding: Any, weight: Floats) -> tuple[Ints, Ints, Ints, Floats]:
    """Columns of categories, where their categories start, each one's row among the levels that are read, and these."""
    columns, codes = _array(encoding.level_column).tolist(), _array(encoding.level_code).tolist()
    given = {(j, code): row for j, code, row in zip(columns, codes, weight, strict=True)}
    tables = {j: table for j, table in enumerate(encoder._levels) if table is not None}
    read = [(j, code) for j, table in tables.items() for code in table.tolist()]
    rows = {level: row for row, level in enumerate(dict.fromkeys(read))}
    nothing = np.zeros(weight.shape[1])  # of a code that has no input, such as -1
    return (
        np.array(list(tables), dtype=np.intp),
        np.cumsum([0, *map(len, tables.values())]),
        np.array([rows[level] for level in read], dtype=np.intp),
        np.array([given.get(level, nothing) for level in rows]).reshape(-1, weight.shape[1]),
    )


def _array(tensor: Any) -> Floats:
    return tensor.detach().cpu().numpy().astype(np.float64)


def _smooth_clip(z: Floats) -> Floats:
    return z / np.sqrt(1 + (z / 3) ** 2)


def _silu(h: Floats) -> Floats:
    """h / (1 + exp(-h)), which cannot overflow."""
    gate = np.tanh(0.5 * h)
    gate += 1.0
    gate *= h
    gate *= 0.5
    return gate
