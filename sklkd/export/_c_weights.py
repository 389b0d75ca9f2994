"""A folded student's arrays as a C file holds them."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sklkd.students._folded import Folded

Arrays = dict[str, tuple[str, NDArray]]
"""Name, C type and contents."""


class Weights:
    """Weights in 32 or 8 bits, padded to multiples of 8, which compilers turn into vectors.

    Parameters
    ----------
    folded : Folded
    eight_bits : bool
        Whether weights are whole numbers from -127 to 127, with a scale for each column or unit that they come from.
    """

    def __init__(self, folded: Folded, *, eight_bits: bool):
        self.eight_bits = eight_bits
        folded = _live(folded)
        self.folded = folded = _centred(folded) if eight_bits else folded
        self.of_edges = np.repeat(np.arange(len(folded.binned)), np.diff(folded.starts))
        self.of_levels = np.zeros(len(folded.level_values), dtype=np.intp)
        self.of_levels[folded.levels] = np.repeat(np.arange(len(folded.categorical)), np.diff(folded.level_starts))
        self.clip = self._round(folded.clip)
        self.values = self._round(folded.values, self.of_edges)
        self.missing_weights = self._round(folded.missing_weights)
        self.level_values = self._round(folded.level_values, self.of_levels)
        self.layers = [self._round(weight) for weight, _ in folded.layers]
        self.widths = [_padded(folded.clip.shape[1]), *(_padded(len(bias)) for _, bias in folded.layers)]
        self.inputs = _padded(len(folded.numeric))

    def _round(self, weight: NDArray, group: NDArray | None = None) -> tuple[NDArray, NDArray]:
        """Weights as they are stored, and the scale of each group of rows; without groups each row is one."""
        group = np.arange(len(weight)) if group is None else group
        most = np.zeros(group.max(initial=-1) + 1)
        if not self.eight_bits:
            return weight.astype(np.float32), np.ones(len(most))
        np.maximum.at(most, group, np.abs(weight).max(axis=1))
        scale = np.where(most > 0, most / 127, 1.0).astype(np.float32).astype(np.float64)
        return np.clip(np.rint(weight / scale[group, None]), -127, 127).astype(np.int8), scale

    def stored(self) -> Folded:
        """What the stored weights stand for."""
        values = _times(self.values, self.of_edges)
        first = values[self.folded.starts[:-1]]  # folded values begin at 0
        biases = [bias for _, bias in self.folded.layers]
        return replace(
            self.folded,
            clip=_times(self.clip),
            values=values - first[self.of_edges],
            bias=self.folded.bias + first.sum(axis=0),
            missing_weights=_times(self.missing_weights),
            level_values=_times(self.level_values, self.of_levels),
            layers=tuple(zip(map(_times, self.layers), biases, strict=True)),
        )

    @cached_property
    def arrays(self) -> Arrays:
        """C type and contents of every constant array; those of nothing are left out."""
        folded, width = self.folded, self.widths[0]
        found: Arrays = {"bias": ("float", _pad(folded.bias[None], 1, width))}
        if len(folded.numeric):
            found["number_center"], found["number_scale"] = ("sklkd_real", folded.center), ("sklkd_real", folded.scale)
            found |= self._weights("clip", self.clip, self.inputs, width)
        if reads_some(folded):
            found["numeric"] = index_array(folded.numeric)
        if len(folded.categorical):
            found["categorical"] = index_array(folded.categorical)
            found["category_starts"] = index_array(folded.level_starts)
            found["category_rows"] = index_array(folded.levels)
            found |= self._weights("category", self.level_values, len(folded.level_values), width)
        if len(folded.binned):
            found["edges"] = ("float", folded.edges)
            found |= {name: index_array(getattr(folded, name)) for name in ("binned", "starts")}
            stored, scale = self.values
            if not self.eight_bits:
                # nothing at a column's first edge: one row of zeros stands for all of these
                stored = np.insert(np.delete(stored, folded.starts[:-1], axis=0), 0, 0, axis=0)
            found |= self._weights("value", (stored, scale), len(stored), width)
        if len(folded.with_missing):
            found["with_missing"] = index_array(folded.with_missing)
            found |= self._weights("missing", self.missing_weights, len(folded.with_missing), width)
        for i, (layer, (_, bias)) in enumerate(zip(self.layers, folded.layers, strict=True), 1):
            found |= self._weights(f"layer_{i}", layer, self.widths[i - 1], self.widths[i], self.widths[i - 1])
            found[f"bias_{i}"] = ("float", _pad(bias[None], 1, self.widths[i]))
        return {name: (kind, array) for name, (kind, array) in found.items() if array.size}

    def _weights(
        self, name: str, rounded: tuple[NDArray, NDArray], rows: int, width: int, n_scales: int | None = None
    ) -> Arrays:
        """An array of weights, and in 8 bits its scales."""
        stored, scale = rounded
        found = {f"{name}_weights": ("weight", _pad(stored, rows, width))}
        if self.eight_bits:
            found[f"{name}_scale"] = ("float", np.pad(scale, (0, (n_scales or len(scale)) - len(scale))))
        return found


def _live(folded: Folded) -> Folded:
    """The same student without what changes nothing: bins, whole columns of them, and missing values of weight 0."""
    kept, starts, binned = [], [0], []
    for column, start, end in zip(folded.binned, folded.starts, folded.starts[1:], strict=False):
        rising = (np.diff(folded.values[start:end], axis=0) != 0).any(axis=1)
        # an edge with nothing on its left or right is the first or last one, or lies inside a flat stretch
        edges = start + np.flatnonzero(np.append(rising, False) | np.append(False, rising))
        if len(edges):
            kept.append(edges)
            starts.append(starts[-1] + len(edges))
            binned.append(column)
    edge = np.concatenate(kept) if kept else np.empty(0, dtype=np.intp)
    adds = folded.missing_weights.any(axis=1)
    return replace(
        folded,
        binned=np.array(binned, dtype=np.intp),
        starts=np.array(starts, dtype=np.intp),
        edges=folded.edges[edge],
        values=folded.values[edge],
        with_missing=folded.with_missing[adds],
        missing_weights=folded.missing_weights[adds],
    )


def _centred(folded: Folded) -> Folded:
    """The same student, with each column's values around 0, which takes fewer bits, and the middle in the bias."""
    values, bias = folded.values.copy(), folded.bias.copy()
    for start, end in zip(folded.starts, folded.starts[1:], strict=False):
        middle = (values[start:end].max(axis=0) + values[start:end].min(axis=0)) / 2
        values[start:end] -= middle
        bias += middle
    return replace(folded, values=values, bias=bias)


def _times(rounded: tuple[NDArray, NDArray], group: NDArray | None = None) -> NDArray[np.float64]:
    stored, scale = rounded
    return stored * (scale if group is None else scale[group])[:, None]


def _padded(n: int) -> int:
    return max(-(-n // 8) * 8, 8)


def _pad(array: NDArray, rows: int, width: int) -> NDArray:
    return np.pad(array, ((0, rows - array.shape[0]), (0, width - array.shape[1])))


def reads_some(folded: Folded) -> bool:
    """Whether the numbers of a row are not just its first columns."""
    return len(folded.categorical) > 0 or not np.array_equal(folded.numeric, np.arange(len(folded.numeric)))


def index_array(array: NDArray) -> tuple[str, NDArray]:
    """Places in other arrays, in the smallest type that holds them."""
    most = array.max(initial=0)
    return "unsigned char" if most < 2**8 else "unsigned short" if most < 2**16 else "int", array
