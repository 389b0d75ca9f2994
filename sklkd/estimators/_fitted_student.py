"""What predictions need of a fitted estimator, and what reports and exports read of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from torch import nn

from sklkd._columns import ColumnSelection, has_one_dimension, rows_with_missing
from sklkd._sklearn import _num_samples, _safe_indexing
from sklkd.estimators._few_texts import FEW, TextReader, text_reader
from sklkd.estimators._student_fit import TrainedStudent
from sklkd.estimators._task import Task
from sklkd.losses import Loss
from sklkd.rows import PIECE, Rows
from sklkd.students import InputEncoder
from sklkd.students._double import double_copy, predicts_in_float64
from sklkd.students._folded import Folded, fold, fold_entries
from sklkd.students._forward import as_input, forward
from sklkd.students._train import trained_losses

SPARSE_ROWS = 4096
"""Rows of a sparse table that are predicted at once: what is dense may be made of so many, never of all."""

NOT_SAVED = ("network", "exits", "_text_reader")


@dataclass(eq=False)
class FittedStudent:
    """A trained student and all that its predictions need; what a fit learns and is not a public attribute.

    Attributes
    ----------
    encoder : transformer
        From the user's columns to the student's input.
    net : NeuralNet
        The trained net.
    task : Task
        Classes, or the scaling of the targets.
    handles_missing : bool
        Whether rows may have missing values.
    refuses_missing : str
        Who does not handle them, for the error.
    threshold : float, default=None
        For two classes the probability of the second from which on it is predicted. None: the larger one wins.
    float64 : bool, default=True
        Whether the network runs in float64; some modules cast to float32 themselves.
    teacher : Teacher, default=None
        The adapter of a kept teacher.
    teacher_tags : dict, default=None
        Tags of a teacher that was dropped, as plain values.
    blending : Blending, default=None
        What the targets are made of besides the teacher's outputs.
    columns : ColumnSelection, default=None
        Those that the student reads. None: all.
    others : dict of str to FittedStudent
        The other trained models, by name.
    network : Folded or nn.Module
        The network in float64, for predictions that do not depend on how rows are batched. It is not saved.
    exits : dict of str to FittedStudent
        The networks that end at an exit, by its name, as far as they have been asked for. They are not saved.
    """

    encoder: Any
    net: Any
    task: Task
    handles_missing: bool = True
    refuses_missing: str = ""
    threshold: float | None = None
    float64: bool = True
    teacher: Any = None
    teacher_tags: dict[str, Any] | None = None
    blending: Any = None
    columns: ColumnSelection | None = None
    others: dict[str, FittedStudent] = field(default_factory=dict)
    network: Any = field(default=None, init=False)
    exits: dict[str, FittedStudent] = field(default_factory=dict, init=False)

    is_net: ClassVar[bool] = True

    def __post_init__(self) -> None:
        folded = _as_arrays(self.encoder, self.net.module_)
        self.network = double_copy(self.net.module_, float64=self.float64) if folded is None else folded

    def outputs(self, X: Any) -> NDArray[np.float64]:
        """The student's outputs (n, n_outputs): logits, or what the scaling makes targets of.

        Rows are checked, and have the columns that the student reads.
        """
        size, n = (SPARSE_ROWS if hasattr(X, "tocsr") else PIECE), _num_samples(X)
        if n > size:
            X = X.tocsr() if hasattr(X, "tocsr") else X
            pieces = (_safe_indexing(X, slice(start, min(start + size, n))) for start in range(0, n, size))
            return np.concatenate([self._of_piece(piece) for piece in pieces])
        return self._of_piece(X)

    def _of_piece(self, X: Any) -> NDArray[np.float64]:
        if isinstance(self.network, Folded):
            if has_one_dimension(X) and len(X) <= FEW and self._text_reader is not None:
                return self.network.outputs_of_rows([self._text_reader.row(text) for text in X])
            own = isinstance(self.encoder, InputEncoder)
            return self.network.outputs(self.encoder.widened(self._coded(X)) if own else self._encoded(X))
        inputs = as_input(self._encoded(X), np.float64)
        device = next(self.network.parameters(), inputs).device
        return forward(self.network, inputs, device).numpy()

    def _encoded(self, X: Any) -> Any:
        if isinstance(self.encoder, InputEncoder):
            return self.encoder.transform_coded(self._coded(X))
        if not self.handles_missing and _frame_has_missing(X):
            raise self._missing_values()
        if type(self.encoder) is Pipeline:
            # its own transform asks every step for tags and routed metadata, which takes longer than one row does
            for _, step in self.encoder.steps:
                X = X if step is None or step == "passthrough" else step.transform(X)
            return X
        return self.encoder.transform(X)

    @cached_property
    def _text_reader(self) -> TextReader | None:
        """In the place of the encoder, for few texts; None where it does more than a vectorizer."""
        (_, first), *others = self.encoder.steps
        return text_reader(first) if len(others) == 1 else None

    def _coded(self, X: Any) -> Any:
        coded = self.encoder.codec_.transform(X)
        if not self.handles_missing and rows_with_missing(coded).any():
            raise self._missing_values()
        return coded

    def _missing_values(self) -> ValueError:
        return ValueError(f"Input X contains NaN or another missing value, which {self.refuses_missing}")

    def trained_losses(self) -> Sequence[tuple[str, Loss]]:
        """The losses that it was trained with, and their learnt parts; none where labels alone have trained it."""
        return trained_losses(self.net)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in NOT_SAVED}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, exits={})
        self.__post_init__()


def runs_in_float64(trained: TrainedStudent, rows: Rows) -> bool:
    """Whether a trained network predicts in float64, found out by trying on a few rows."""
    module = trained.net.module_
    if _as_arrays(trained.encoder, module) is not None:
        return True
    few = rows.take(np.arange(min(2, len(rows))))
    return predicts_in_float64(module, as_input(few.encoded(trained.encoder)))


def _as_arrays(encoder: Any, module: nn.Module) -> Folded | None:
    """The default student's network as NumPy arrays; None for others, and for those on other devices."""
    if any(part.device.type != "cpu" for part in module.parameters()):
        return None
    return fold_entries(module) if isinstance(encoder, Pipeline) else fold(encoder, module)


def _frame_has_missing(X: Any) -> bool:
    """Whether a frame has a missing value; arrays have been checked for them."""
    if hasattr(X, "isna"):
        return bool(X.isna().to_numpy().any())
    if hasattr(X, "get_columns"):
        columns = X.get_columns()
        return any(one.null_count() > 0 or (one.dtype.is_float() and bool(one.is_nan().any())) for one in columns)
    return False
