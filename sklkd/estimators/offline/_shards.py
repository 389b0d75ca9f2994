"""One partition, labelled by the teacher and encoded: what the student's training needs of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sklkd._columns import ColumnCodec, ColumnSelection
from sklkd._storage import Storage
from sklkd.estimators._deduplicate import Deduplication
from sklkd.estimators._student_fit import encode, transfer_set
from sklkd.estimators._teacher_layers import TeacherLayers
from sklkd.estimators.offline._blending import Blending
from sklkd.estimators.offline._partitions import Layout
from sklkd.estimators.offline._sample import drawn_rows, take_part
from sklkd.estimators.offline._transfer_rows import TeacherOutputs
from sklkd.knowledge import Knowledge
from sklkd.rows import Rows
from sklkd.students._resolve import as_input
from sklkd.transfer import TransferSet

NETWORKS = threading.Lock()
"""Held while a teacher that is a network is asked: hooks and modes belong to the module, not to the thread."""


@dataclass(frozen=True, eq=False)
class Shard:
    """Distinct rows of one partition as arrays.

    Attributes
    ----------
    arrays : list of ndarray
        Inputs, labels, and what each loss compares with, as :func:`arrays_of` lists them.
    weight : ndarray of float64, shape (n,)
        In the user's unit; of identical rows the sum.
    """

    arrays: list[NDArray]
    weight: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Labelling:
    """What every partition is labelled and encoded with, sent to each worker once.

    Attributes
    ----------
    layout : Layout
    drawn : ndarray of int
        How many rows of each partition are in the sample, which has been labelled already.
    sample_seed : int
    codec : ColumnCodec
    encoder : transformer
    columns : ColumnSelection or None
        Those that the student reads.
    ask : TeacherOutputs
    layers : TeacherLayers
        With the losses that are trained, built.
    blending : Blending
    """

    layout: Layout
    drawn: NDArray
    sample_seed: int
    codec: ColumnCodec
    encoder: Any
    columns: ColumnSelection | None
    ask: TeacherOutputs
    layers: TeacherLayers
    blending: Blending

    def labelled(self, rows: Rows) -> Rows:
        """Distinct rows with the targets of the losses, from rows as the user gave them."""
        merging = Deduplication(rows, codec=self.codec)
        asked = Knowledge(self.ask.teacher, None, np.zeros(len(rows), bool), "none")
        if self.layers.losses:
            asked = replace(asked, outputs=self.ask.of(rows.X), source="in-sample")
        distinct = merging.distinct_rows(self.ask.task.encode(rows.y), asked)
        return self.blending.targets(replace(distinct, columns=self.columns))

    def shard(self, rows: Rows) -> Shard:
        weight = np.ones(len(rows)) if rows.weight is None else rows.weight
        distinct = self.labelled(rows)
        known = self.layers.of(distinct.X, distinct.outputs)
        inputs = as_input(encode(self.encoder, [distinct]))
        made = transfer_set(inputs, [distinct], self.layers.losses, [known], "cpu")
        return Shard(arrays_of(made), distinct.weight * (weight.sum() / len(distinct)))


def shard_of_part(labelling: Labelling, number: int, X: Any, y: Any, weight: Any) -> Shard | None:
    """One partition without the rows of the sample; None where nothing with a weight is left."""
    part = labelling.layout.part(number, X, y, weight)
    drawn = drawn_rows(number, len(part), int(labelling.drawn[number]), labelling.sample_seed)
    part = take_part(part, np.setdiff1d(np.arange(len(part)), drawn))
    if len(part) == 0 or (part.weight is not None and not part.weight.any()):
        return None
    rows = Rows(part.X, part.y, part.weight)
    if not labelling.ask.teacher.needs_rows:
        return labelling.shard(rows)
    with NETWORKS:
        return labelling.shard(rows)


def arrays_of(transfer: TransferSet) -> list[NDArray]:
    """Inputs, labels and targets as arrays, one after the other; weights are left out."""
    tensors = [transfer.inputs, transfer.y, *_leaves(transfer.targets)]
    return [tensor.numpy() for tensor in tensors]


def with_arrays(transfer: TransferSet, arrays: Sequence[NDArray], weight: NDArray | None) -> TransferSet:
    """A transfer set like another, with these arrays in the order of :func:`arrays_of`."""
    inputs, y, *targets = [torch.from_numpy(array) for array in arrays]
    left = iter(targets)
    filled = [_filled(target, left) for target in transfer.targets]
    return TransferSet(inputs, y, None if weight is None else torch.from_numpy(weight), filled)


def _leaves(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    else:
        for part in value:
            yield from _leaves(part)


def _filled(like: Any, tensors: Iterator[torch.Tensor]) -> Any:
    return next(tensors) if isinstance(like, torch.Tensor) else tuple(_filled(part, tensors) for part in like)


class Gathered:
    """Arrays with room for all shards behind the first rows, filled as shards come, in whatever order.

    Parameters
    ----------
    first : TransferSet
        The rows that come first.
    room : dict of int to int
        For each partition the most rows that it may have, in order.
    storage : Storage
    """

    def __init__(self, first: TransferSet, room: dict[int, int], storage: Storage):
        self.first = first
        self.starts = dict(zip(room, len(first) + np.cumsum([0, *room.values()])[:-1], strict=True))
        n = len(first) + sum(room.values())
        self.arrays = [storage.empty((n, *one.shape[1:]), one.dtype) for one in arrays_of(first)]
        self.weight = storage.empty((n,), np.float64)
        for whole, part in zip(self.arrays, arrays_of(first), strict=True):
            whole[: len(first)] = part
        self.lengths = dict.fromkeys(room, 0)

    def put(self, number: int, shard: Shard) -> None:
        """Write the shard of a partition to its place."""
        start, n = self.starts[number], len(shard.weight)
        for whole, part in zip(self.arrays, shard.arrays, strict=True):
            whole[start : start + n] = part
        self.weight[start : start + n] = shard.weight
        self.lengths[number] = n

    def close(self) -> tuple[list[NDArray], NDArray]:
        """The arrays and the weights without the gaps that merged rows leave."""
        end = len(self.first)
        for number, n in self.lengths.items():
            start = self.starts[number]
            if start != end:
                for whole in (*self.arrays, self.weight):
                    whole[end : end + n] = whole[start : start + n]
            end += n
        return [whole[:end] for whole in self.arrays], self.weight[:end]
