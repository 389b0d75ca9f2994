"""Rows of a CSR matrix as tensors, which batch by slicing as a tensor does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import embedding_bag


class SparseRows:
    """Rows of a CSR matrix.

    torch's own sparse tensors cannot be sliced by rows, and the gradient of their product takes three times as long.

    Parameters
    ----------
    starts : Tensor of int64, shape (n + 1,)
        Where each row's entries start.
    columns : Tensor of int64, shape (n_entries,)
    values : Tensor of floats, shape (n_entries,)
    n_columns : int
    """

    def __init__(self, starts: Tensor, columns: Tensor, values: Tensor, n_columns: int):
        self.starts, self.columns, self.values, self.n_columns = starts, columns, values, n_columns

    @classmethod
    def from_csr(cls, matrix: Any, dtype: type) -> SparseRows:
        """The rows of a SciPy matrix or array in CSR format."""
        starts, columns = (torch.from_numpy(part.astype(np.int64)) for part in (matrix.indptr, matrix.indices))
        return cls(starts, columns, torch.from_numpy(matrix.data.astype(dtype)), matrix.shape[1])

    @property
    def shape(self) -> tuple[int, int]:
        return len(self), self.n_columns

    @property
    def device(self) -> torch.device:
        return self.values.device

    @property
    def nbytes(self) -> int:
        return self.starts.nbytes + self.columns.nbytes + self.values.nbytes

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, index: Tensor | slice) -> SparseRows:
        """The rows at a tensor of numbers or a mask (a copy), or of a slice (a view but for where its rows start)."""
        if isinstance(index, slice):
            start, stop, _ = index.indices(len(self))
            starts = self.starts[start : max(stop, start) + 1]
            first, last = int(starts[0]), int(starts[-1])
            return SparseRows(starts - first, self.columns[first:last], self.values[first:last], self.n_columns)
        if index.dtype == torch.bool:
            index = index.nonzero()[:, 0]
        counts = self.starts.diff()[index]
        starts = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        # the entries' old numbers: those of their row's first one, and how far they are behind it
        entries = torch.arange(int(starts[-1]), device=self.device)
        entries += torch.repeat_interleave(self.starts[:-1][index] - starts[:-1], counts)
        return SparseRows(starts, self.columns[entries], self.values[entries], self.n_columns)

    def split(self, size: int) -> Iterator[SparseRows]:
        """Pieces of so many rows."""
        return (self[start : start + size] for start in range(0, max(len(self), 1), size))

    def to(self, *args: Any, **kwargs: Any) -> SparseRows:
        """On another device, or with values of another dtype."""
        values = self.values.to(*args, **kwargs)
        return SparseRows(self.starts.to(values.device), self.columns.to(values.device), values, self.n_columns)

    def float(self) -> SparseRows:
        return self.to(torch.float32)

    def double(self) -> SparseRows:
        return self.to(torch.float64)

    def to_dense(self) -> Tensor:
        dense = torch.zeros(self.shape, dtype=self.values.dtype, device=self.device)
        rows = torch.repeat_interleave(torch.arange(len(self), device=self.device), self.starts.diff())
        return dense.index_put_((rows, self.columns), self.values, accumulate=True)

    def times(self, weight: Tensor) -> Tensor:
        """The product with a matrix (n_columns, width), of which only the rows that are stored here are read."""
        if len(self) == 0:
            return weight[:0]
        return embedding_bag(self.columns, weight, self.starts[:-1], mode="sum", per_sample_weights=self.values)


def concatenate(parts: Sequence[Any]) -> Any:
    """Tensors, or sparse rows, one after the other."""
    if not isinstance(parts[0], SparseRows):
        return torch.cat(list(parts))
    counts = torch.cat([part.starts.diff() for part in parts])
    starts = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    columns, values = (torch.cat([getattr(part, name) for part in parts]) for name in ("columns", "values"))
    return SparseRows(starts, columns, values, parts[0].n_columns)
