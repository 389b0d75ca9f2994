"""What losses on hidden layers ask of a teacher."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklkd.estimators._task import Task
from sklkd.losses import Loss
from sklkd.teachers import Outputs, Teacher

OUTPUT = "output"
"""Layer of every teacher: its predictions, as logits or in units of the target's standard deviation."""


class TeacherLayers:
    """The losses of a fit, and the teacher's layers that they compare; each is asked once for the same rows.

    Parameters
    ----------
    losses : list of (str, Loss)
        Empty where a student learns from labels only.
    teacher : Teacher or None
        None only without losses.
    task : Task, default=None
        Puts values of a regressor into units of the target's standard deviation. None: classification.

    Raises
    ------
    ValueError
        If the teacher has no such layer; the message lists those that it has.
    """

    def __init__(self, losses: list[tuple[str, Loss]], teacher: Any, task: Task | None = None):
        self.losses, self.teacher = losses, teacher
        self.scaling = None if task is None else task.scaling
        self.names = [teacher_layers(loss, teacher) for _, loss in losses]
        for _, loss in losses:
            loss.learn_estimand(teacher.estimand)

    def of(self, X: Any, outputs: Outputs | None) -> list[Any]:
        """For each loss its layers on some rows: a tensor, a tuple of them between layers, None for losses on outputs.

        ``outputs`` are the teacher's outputs for these rows.
        """
        asked = {name: self._ask(X, outputs, name) for name in {name for names in self.names for name in names}}
        return [
            loss.side([asked[name] for name in names]) if names else None
            for (_, loss), names in zip(self.losses, self.names, strict=True)
        ]

    def of_parts(self, parts: Sequence[Any]) -> list[list[Any]]:
        """The same for lots of rows, each with its ``X`` and the teacher's ``outputs``."""
        wanted = any(self.names)
        return [self.of(part.X if wanted else None, part.outputs) for part in parts]

    def _ask(self, X: Any, outputs: Any, name: str) -> Tensor:
        if name == OUTPUT and name not in self.teacher.layers:
            return as_features(outputs.logits if outputs.values is None else outputs.values)
        features = self.teacher.features(X, name)
        if self.scaling is not None and name.rpartition(".")[2] in ("members", "margins"):
            features = self.scaling.standardize(features)
        return as_features(features)


def teacher_layers(loss: Loss, teacher: Teacher) -> tuple[str, ...]:
    """Names of the teacher's layers that a loss compares."""
    if loss.n_layers == 0:
        return ()
    given: Any = loss.teacher_layer
    if given is not None:
        names = (given,) if isinstance(given, str) else tuple(given)
        return tuple(name if name == OUTPUT else teacher.layer_name(name) for name in names)
    if loss.reads_leaves and "leaves" in teacher.layers:
        return ("leaves",)
    if loss.n_layers == 1:
        return (teacher.layer_name(None),)
    return (*teacher.hidden[-2:], OUTPUT)[:2] if teacher.hidden else (teacher.layer_name(None), OUTPUT)


def as_features(features: NDArray) -> Tensor:
    """A teacher's layer as vectors or maps, in float32; codes as small integers."""
    if features.ndim not in (2, 4):
        features = features.reshape(len(features), -1)
    kind = np.int32 if features.dtype.kind in "iu" else np.float32
    return torch.from_numpy(np.ascontiguousarray(features, dtype=kind))


def joined(parts: Sequence[list[Any]]) -> list[Any]:
    """For each loss its layers on all rows, from those on parts of them."""
    return [_joined(pieces) for pieces in zip(*parts, strict=True)]


def _joined(pieces: Sequence[Any]) -> Any:
    if pieces[0] is None:
        return None
    if isinstance(pieces[0], Tensor):
        return torch.cat(list(pieces))
    return tuple(torch.cat(layers) for layers in zip(*pieces, strict=True))
