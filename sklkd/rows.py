"""Rows and what is known of them, in the user's container and as the matrix that encoders share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd._columns import ColumnCodec, ColumnSelection, dense, is_csr
from sklkd._sklearn import _check_method_params, _num_samples, _safe_indexing


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows with everything that is known of them; every part has one entry per row, or is None.

    Attributes
    ----------
    X : array, frame or sparse matrix
        As the user gave it, which is how teachers get it.
    y : ndarray of shape (n,) or (n, n_targets)
        Labels or targets in the user's terms where a teacher is fitted; class codes or standardized targets where a
        student is. None: unlabelled rows.
    weight : ndarray of shape (n,)
        Row weights; None: all equal.
    codec : ColumnCodec
        What made ``coded``. None for arrays of more than two dimensions, and before rows are coded.
    coded : ndarray of float64 or csr_array, shape (n, n_features)
        The rows as numbers, which every encoder of this codec starts from; those of a wide sparse table stay sparse.
    outputs : sklkd.teachers.Outputs
        What the teacher predicts for them.
    out_of_sample : ndarray of bool, shape (n,)
        Whether that comes from a teacher that was not fitted on the row. None: unknown, as for no row.
    metadata : dict of str to object
        What else the teacher's fit and the splits of ``cv`` are given, such as ``groups``; what has one entry per row
        is taken with the rows.
    columns : ColumnSelection
        Those that the student reads; None: all.
    """

    X: Any
    y: Any = None
    weight: Any = None
    codec: ColumnCodec | None = None
    coded: Any = None
    outputs: Any = None
    out_of_sample: Any = None
    metadata: dict[str, Any] = field(default_factory=dict)
    columns: ColumnSelection | None = None

    def __len__(self) -> int:
        return _num_samples(self.X)

    def take(self, index: NDArray) -> Rows:
        """The rows at these numbers."""

        def part(values: Any) -> Any:
            return None if values is None else values[index]

        return Rows(
            _safe_indexing(self.X, index),
            part(self.y),
            part(self.weight),
            self.codec,
            part(self.coded),
            None if self.outputs is None else self.outputs.take(index),
            part(self.out_of_sample),
            self.metadata_of(index),
            self.columns,
        )

    def metadata_of(self, index: NDArray) -> dict[str, Any]:
        """The metadata of the rows at these numbers."""
        return _check_method_params(self.X, self.metadata, indices=index) if self.metadata else {}

    def for_student(self) -> Rows:
        """The same with the columns that the student reads alone."""
        if self.columns is None:
            return self
        codec, coded = self.columns.codec, None if self.coded is None else self.coded[:, self.columns.indices]
        if is_csr(coded) and codec is not None and not codec.sparse_:
            coded = dense(coded)
        return replace(self, X=self.columns.of(self.X), codec=codec, coded=coded, columns=None)

    def encoded(self, encoder: Any) -> Any:
        """What a fitted encoder makes of them, from the coded matrix where the encoder has the same codec."""
        read = self.for_student()
        if read.coded is not None and getattr(encoder, "codec_", None) is read.codec:
            return encoder.transform_coded(read.coded)
        return encoder.transform(read.X)


def total_weights(parts: Sequence[Rows]) -> NDArray[np.float64]:
    """The weights of several lots of rows, one after the other."""
    return np.concatenate([np.ones(len(part)) if part.weight is None else part.weight for part in parts])
