"""The rows a student learns from, with all that is known of them, as tensors that batch by slicing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from sklkd._device import fits

UNLABELLED = -100  # what torch's cross entropy ignores


TOGETHER = 2**16  # rows of several batches that are copied together
LARGE, BLOCK, BLOCKS = 2**28, 2**10, 2**7
"""Bytes of inputs from which on rows are shuffled in two levels; rows of a block; blocks whose rows are mixed."""


class TransferSet(Dataset):
    """Real, unlabelled and synthetic rows with their labels, weights and what the teacher knows of them.

    Parameters
    ----------
    inputs : Tensor of shape (n, ...), or SparseRows
        The student's input.
    y : Tensor
        Class codes of shape (n,), or 0 and 1 for several labels (n, n_labels), ``UNLABELLED`` for rows without a label;
        or standardised targets of shape (n, n_targets), NaN for rows without a label.
    weight : Tensor of shape (n,) or None
        Row weights; None: all equal.
    targets : sequence
        What each loss has prepared of the teacher's side, in the order of the losses: tensors, or tuples of tensors,
        whose first axis is the rows.
    """

    def __init__(self, inputs: Any, y: Tensor, weight: Tensor | None = None, targets: Sequence[Any] = ()):
        self.inputs, self.y, self.weight, self.targets = inputs, y, weight, tuple(targets)

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: Any) -> tuple[Any, Tensor]:
        return self.inputs[index], self.y[index]

    def take(self, index: Tensor | slice) -> TransferSet:
        """The rows at an index tensor (a copy) or a slice (a view)."""
        return self._map(lambda part: part[index])

    def to(self, device: str | torch.device) -> TransferSet:
        """The same rows on another device."""
        return self._map(lambda part: part.to(device))

    @property
    def nbytes(self) -> int:
        """Memory that all of it takes."""
        sizes: list[int] = []

        def note(part: Any) -> Any:
            sizes.append(part.nbytes)
            return part

        self._map(note)
        return sum(sizes)

    def labelled(self) -> Tensor:
        """Mask of the rows that have a label."""
        first = self.y if self.y.ndim == 1 else self.y[:, 0]
        return ~first.isnan() if first.is_floating_point() else first != UNLABELLED

    def _map(self, function: Any) -> TransferSet:
        weight = None if self.weight is None else function(self.weight)
        targets = [map_tensors(function, target) for target in self.targets]
        return TransferSet(function(self.inputs), function(self.y), weight, targets)


def map_tensors(function: Any, value: Any) -> Any:
    """Apply a function to a tensor, or to every tensor of nested tuples."""
    return function(value) if isinstance(value, Tensor) else tuple(map_tensors(function, part) for part in value)


class Batch(tuple):
    """``(X, y)``, as skorch and its callbacks expect of a batch; ``rows`` carries the rest."""

    rows: TransferSet

    def __new__(cls, rows: TransferSet) -> Batch:
        batch = super().__new__(cls, (rows.inputs, rows.y))
        batch.rows = rows
        return batch


class Slices:
    """Iterate over a transfer set in whole batches: one random order an epoch, then views of its rows.

    A last batch of a single row is joined to the one before it: one row has no variance and no relations. Where the
    device has room for all rows, they are moved there before the epoch; else each batch is moved when its turn comes.
    """

    def __init__(self, rows: TransferSet, batch_size: int, shuffle: bool, device: str | torch.device):
        self.rows, self.batch_size, self.shuffle, self.device = rows, batch_size, shuffle, torch.device(device)

    def __len__(self) -> int:
        full, rest = divmod(len(self.rows), self.batch_size)
        return max(full + (rest > 1), 1)

    def __iter__(self) -> Iterator[Batch]:
        all_rows, n, size, n_batches = self.rows, len(self.rows), self.batch_size, len(self)
        if self.device.type != all_rows.inputs.device.type and fits(self.device, all_rows.nbytes):
            all_rows = all_rows.to(self.device)  # anew each epoch: between epochs targets may be rewritten
        here = all_rows.inputs.device
        order = shuffled(n, all_rows.inputs.nbytes) if self.shuffle else None
        together = max(1, TOGETHER // size)
        for first in range(0, n_batches, together):
            last = min(first + together, n_batches)
            some = slice(first * size, n if last == n_batches else last * size)
            # rows in their order are copied once for several batches, which are then views
            rows = all_rows.take(some if order is None else order[some].long().to(here))
            for i in range(last - first):
                part = rows.take(slice(i * size, (i + 1) * size if first + i + 1 < n_batches else None))
                yield Batch(part if here.type == self.device.type else part.to(self.device))


def shuffled(n: int, n_bytes: int) -> Tensor:
    """A random order of n rows, drawn by torch's global generator.

    Rows of a large set are near each other in memory, or in a file: blocks of rows are shuffled, and then the rows
    within several blocks.
    """
    if n_bytes <= LARGE:
        return torch.randperm(n)
    order, start = torch.empty(n, dtype=torch.int32 if n < 2**31 else torch.int64), 0
    for blocks in torch.randperm(-(-n // BLOCK)).split(BLOCKS):
        rows = (blocks[:, None] * BLOCK + torch.arange(BLOCK)).flatten()
        rows = rows[rows < n]
        order[start : start + len(rows)] = rows[torch.randperm(len(rows))]
        start += len(rows)
    return order
