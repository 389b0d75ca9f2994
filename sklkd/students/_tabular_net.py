"""The default student: a small network that sees each number through the teacher's thresholds."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sklkd._sparse_rows import SparseRows


class TabularNet(nn.Module):
    """A multi-layer perceptron on piecewise-linearly encoded columns.

    A numeric column becomes its smoothly clipped value ``z / sqrt(1 + (z / 3)**2)`` [1]_ next to a piecewise-linear
    encoding [2]_: one input per bin, 0 left of it, 1 right of it, rising linearly inside. With bin edges at the split
    thresholds of a tree ensemble the network can follow the ensemble's steps, which a plain one cannot. A category
    becomes one 0/1 input per level, all 0 for a level never seen. A missing number is the median and an indicator.

    Parameters
    ----------
    n_features : int
        Columns of the input, as :class:`InputEncoder` makes them.
    n_outputs : int
        Logits or targets.
    hidden : sequence of int, default=(128, 128, 128)
        Widths of the hidden layers.
    edges : list of array-like, default=None
        Increasing bin edges of each column, in the units of the encoded column; empty for no bins. None: no bins.
    cardinalities : list of int, default=None
        Levels of each column, 0 for numeric ones. None: all numeric.
    missing : list of bool, default=None
        Numeric columns that get an indicator of missing values. None: none.
    dropout : float, default=0.0
        Part of every hidden layer's units that is dropped during training.
    sparse : bool, default=False
        Whether most numbers of the input are 0. The weights of the first layer then start at 0, so that a column which
        training never sees adds nothing, and lie column by column in memory.

    Notes
    -----
    Input: float tensor of shape (n, n_features), or the sparse rows of a CSR matrix, which have neither bins nor
    categories. Output: (n, n_outputs). The hidden layers are the modules ``"hidden.0"``, ``"hidden.1"``, ...: names for
    ``student_layer``.

    References
    ----------
    .. [1] D. Holzmueller, L. Grinsztajn, I. Steinwart, "Better by default: strong pre-tuned MLPs and boosted trees on
       tabular data", NeurIPS 2024.
    .. [2] Y. Gorishniy, I. Rubachev, A. Babenko, "On embeddings for numerical features in tabular deep learning",
       NeurIPS 2022.

    Examples
    --------
    >>> import torch
    >>> from sklkd.students import TabularNet
    >>> net = TabularNet(2, 3, hidden=(8,), edges=[[-1.0, 0.0, 1.0], []], cardinalities=[0, 4])
    >>> net(torch.tensor([[0.5, 3.0], [float("nan"), -1.0]])).shape
    torch.Size([2, 3])
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        *,
        hidden: Sequence[int] = (128, 128, 128),
        edges: Sequence[Sequence[float]] | None = None,
        cardinalities: Sequence[int] | None = None,
        missing: Sequence[bool] | None = None,
        dropout: float = 0.0,
        sparse: bool = False,
    ):
        super().__init__()
        self.encoding = ColumnEncoding(n_features, edges, cardinalities, missing)
        widths = [self.encoding.n_outputs, *hidden]
        self.hidden = nn.Sequential(
            *(_hidden_layer(n_in, n_out, dropout, k == 0) for k, (n_in, n_out) in enumerate(itertools.pairwise(widths)))
        )
        self.output = (_FirstLayer if len(widths) == 1 else nn.Linear)(widths[-1], n_outputs)
        self.sparse = sparse
        if sparse:
            first = self.first_layer()
            first.weight = nn.Parameter(torch.zeros_like(first.weight.T, memory_format=torch.contiguous_format).T)

    def first_layer(self) -> nn.Linear:
        """The layer that reads the encoding."""
        first: Any = self.hidden[0] if len(self.hidden) else [self.output]
        return first[0]

    def lookups(self, many: int) -> Tensor:
        """Numbers of the first layer's inputs that few rows have: all of a sparse table, else levels of many."""
        return torch.arange(self.encoding.n_outputs) if self.sparse else self.encoding.of_many_levels(many)

    def forward(self, X: Any) -> Tensor:
        return self.output(self.hidden(self.encoding(X)))


class ColumnEncoding(nn.Module):
    """Columns -> inputs of the first layer; all its tensors are buffers, nothing in it is learnt."""

    numeric: Tensor
    column: Tensor
    left: Tensor
    slope: Tensor
    with_missing: Tensor
    level_column: Tensor
    level_code: Tensor

    def __init__(self, n_features, edges, cardinalities, missing):
        super().__init__()
        cardinalities = [0] * n_features if cardinalities is None else list(cardinalities)
        edges = [()] * n_features if edges is None else list(edges)
        missing = [False] * n_features if missing is None else list(missing)
        numeric = [j for j in range(n_features) if cardinalities[j] == 0]
        column, left, slope = [], [], []
        for position, j in enumerate(numeric):
            if len(edges[j]) < 2:  # there may be many
                continue
            edge = _distinct(edges[j])
            column += [position] * max(len(edge) - 1, 0)
            left += list(edge[:-1])
            slope += list(1 / np.diff(edge))
        levels = [(j, k) for j in range(n_features) for k in range(cardinalities[j])]
        with_missing = [position for position, j in enumerate(numeric) if missing[j]]
        self._buffer("numeric", numeric, torch.long)
        self._buffer("column", column, torch.long)
        self._buffer("left", left, torch.float32)
        self._buffer("slope", slope, torch.float32)
        self._buffer("with_missing", with_missing, torch.long)
        self._buffer("level_column", [j for j, _ in levels], torch.long)
        self._buffer("level_code", [k for _, k in levels], torch.float32)
        self.all_numeric = len(numeric) == n_features
        self.n_outputs = len(numeric) + len(column) + len(with_missing) + len(levels)

    def _buffer(self, name: str, values: list, dtype: torch.dtype) -> None:
        self.register_buffer(name, torch.tensor(values, dtype=dtype))

    def of_many_levels(self, many: int) -> Tensor:
        """Numbers of the outputs that stand for levels of columns with more than ``many`` of them."""
        of_column = (
            torch.bincount(self.level_column)[self.level_column] if len(self.level_column) else self.level_column
        )
        return (of_column > many + 2).nonzero()[:, 0] + self.n_outputs - len(self.level_column)

    def forward(self, X: Any) -> Any:
        if isinstance(X, SparseRows):
            return self._of_entries(X)
        z = X if self.all_numeric else X.index_select(1, self.numeric)
        missing = z.isnan()
        z = z.masked_fill(missing, 0.0)
        parts = [_smooth_clip(z)]
        if len(self.column):
            # z * slope - left * slope would lose a narrow bin's digits
            parts.append(z.index_select(1, self.column).sub_(self.left).mul_(self.slope).clamp_(0, 1))
        if len(self.with_missing):
            parts.append(missing.index_select(1, self.with_missing).to(z.dtype))
        if len(self.level_code):
            parts.append((X.index_select(1, self.level_column) == self.level_code).to(z.dtype))
        return torch.cat(parts, 1) if len(parts) > 1 else parts[0]

    def _of_entries(self, X: SparseRows) -> SparseRows:
        """The same of sparse rows, in which every entry stays one: a number, or the indicator of a missing one."""
        if len(self.column) or not self.all_numeric:
            raise ValueError(
                "a TabularNet takes sparse rows without bins and categories: leave out module__edges and "
                "module__cardinalities, or pass dense rows."
            )
        columns, values = X.columns, X.values
        missing = values.isnan()
        values = _smooth_clip(values.masked_fill(missing, 0.0))
        if len(self.with_missing) and missing.any():
            indicator = torch.zeros(X.n_columns, dtype=torch.long, device=X.device)
            indicator[self.with_missing] = X.n_columns + torch.arange(len(self.with_missing), device=X.device)
            shown = missing & (indicator[columns] > 0)
            columns = torch.where(shown, indicator[columns], columns)
            values = values.masked_fill(shown, 1.0)
        return SparseRows(X.starts, columns, values, self.n_outputs)


def _smooth_clip(z: Tensor) -> Tensor:
    # in float32 the square of more overflows; here all that is beyond is 3 anyway
    near = z.clamp(-1e18, 1e18)
    return near * torch.rsqrt(1 + (near / 3) ** 2)


def _distinct(edges: Sequence[float]) -> np.ndarray:
    """Edges as float32 has them: bins then meet without space or overlap, and each has a finite slope."""
    edge = np.unique(np.asarray(edges, np.float32)).astype(float)
    # next to 0, float32 numbers differ by less than what it has an inverse of
    return edge[np.diff(edge, prepend=-np.inf) > 1 / np.finfo(np.float32).max]


class _FirstLayer(nn.Linear):
    """A linear layer that also takes sparse rows."""

    def forward(self, X: Any) -> Tensor:
        return X.times(self.weight.T) + self.bias if isinstance(X, SparseRows) else super().forward(X)


def _hidden_layer(n_in: int, n_out: int, dropout: float, is_first: bool) -> nn.Sequential:
    layers = [(_FirstLayer if is_first else nn.Linear)(n_in, n_out), nn.SiLU()]
    return nn.Sequential(*layers, nn.Dropout(dropout)) if dropout else nn.Sequential(*layers)
