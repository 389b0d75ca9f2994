"""Rows and what is known of them, in the user's container and as the matrix that encoders share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd._columns import ColumnCodec, ColumnSelection, dense, is_csr, rows_with_missing
from sklkd._sklearn import _check_method_params, _num_samples, _safe_indexing

PIECE = 2**14
"""Rows that are looked at together where all of them may be too many."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows with everything that is known of them; every part has one entry per row, or is None.

    Attributes
    ----------
    table : array, frame or sparse matrix
        Rows as the user gave them, which is how teachers get them; these and maybe others, see ``numbers``.
    y : ndarray of shape (n,) or (n, n_targets)
        Labels or targets in the user's terms where a teacher is fitted; class codes or standardized targets where a
        student is. None: unlabelled rows.
    weight : ndarray of shape (n,)
        Row weights; None: all equal.
    codec : ColumnCodec
        What made ``coded``. None for arrays of more than two dimensions, and before rows are coded.
    matrix : ndarray of float32 or float64, or csr_array, shape (n_table, n_features)
        The rows of the table as numbers, which every encoder of this codec starts from; those of a wide sparse table
        stay sparse.
    outputs : sklkd.teachers.Outputs
        What the teacher predicts for them.
    out_of_sample : ndarray of bool, shape (n,)
        Whether that comes from a teacher that was not fitted on the row. None: unknown, as for no row.
    metadata : dict of str to object
        What else the teacher's fit and the splits of ``cv`` are given, such as ``groups``; what has one entry per row
        is taken with the rows.
    columns : ColumnSelection
        Those that the student reads; None: all.
    numbers : ndarray of int, shape (n,)
        Where the rows stand in ``table`` and ``matrix``, which are not copied before they are asked for. None: all of
        them.
    """

    table: Any
    y: Any = None
    weight: Any = None
    codec: ColumnCodec | None = None
    matrix: Any = None
    outputs: Any = None
    out_of_sample: Any = None
    metadata: dict[str, Any] = field(default_factory=dict)
    columns: ColumnSelection | None = None
    numbers: NDArray[np.intp] | None = None

    def __len__(self) -> int:
        return _num_samples(self.table) if self.numbers is None else len(self.numbers)

    @property
    def X(self) -> Any:
        """The rows as the user gave them: a copy where they are not all of the table's."""
        return self.table if self.numbers is None else _safe_indexing(self.table, self.numbers)

    @property
    def coded(self) -> Any:
        """The rows as numbers: a copy where they are not all of the table's."""
        return self.matrix if self.numbers is None or self.matrix is None else self.matrix[self.numbers]

    def with_missing(self) -> NDArray[np.bool_]:
        """Which of the rows, once they are coded, have a missing value."""
        missing = rows_with_missing(self.matrix)
        return missing if self.numbers is None else missing[self.numbers]

    def take(self, index: NDArray) -> Rows:
        """The rows at these numbers."""

        def part(values: Any) -> Any:
            return None if values is None else values[index]

        return replace(
            self,
            y=part(self.y),
            weight=part(self.weight),
            outputs=None if self.outputs is None else self.outputs.take(index),
            out_of_sample=part(self.out_of_sample),
            metadata=self.metadata_of(index),
            numbers=np.arange(len(self))[index] if self.numbers is None else self.numbers[index],
        )

    def few(self, n: int) -> Rows:
        """At most so many of the rows, evenly spaced."""
        return self if len(self) <= n else self.take(np.linspace(0, len(self) - 1, n).astype(np.intp))

    def copied(self) -> Rows:
        """The same rows with a table of their own."""
        return self if self.numbers is None else replace(self, table=self.X, matrix=self.coded, numbers=None)

    def __getstate__(self) -> dict[str, Any]:
        return vars(self.copied())  # the others of the table are not sent to other processes

    def pieces(self) -> Iterator[Rows]:
        """The rows, some after the other."""
        if len(self) <= PIECE:
            yield self
            return
        for start in range(0, len(self), PIECE):
            yield self.take(np.arange(start, min(start + PIECE, len(self))))

    def metadata_of(self, index: NDArray) -> dict[str, Any]:
        """The metadata of the rows at these numbers."""
        if not self.metadata:
            return {}
        return _check_method_params(np.broadcast_to(0, len(self)), self.metadata, indices=index)

    def for_student(self) -> Rows:
        """The same with the columns that the student reads alone."""
        if self.columns is None:
            return self
        codec, matrix = self.columns.codec, None if self.matrix is None else self.coded[:, self.columns.indices]
        if is_csr(matrix) and codec is not None and not codec.sparse_:
            matrix = dense(matrix)
        return replace(self, table=self.columns.of(self.X), codec=codec, matrix=matrix, columns=None, numbers=None)

    def encoded(self, encoder: Any) -> Any:
        """What a fitted encoder makes of them, from the coded matrix where the encoder has the same codec."""
        codec = self.codec if self.columns is None else self.columns.codec
        if self.matrix is None or getattr(encoder, "codec_", None) is not codec:
            return encoder.transform(self.X if self.columns is None else self.columns.of(self.X))
        return encoder.transform_coded(self.for_student().coded)


def total_weights(parts: Sequence[Rows]) -> NDArray[np.float64]:
    """The weights of several lots of rows, one after the other."""
    return np.concatenate([np.ones(len(part)) if part.weight is None else part.weight for part in parts])
