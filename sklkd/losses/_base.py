"""What every loss is: a torch module with scikit-learn parameters."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from sklearn.base import BaseEstimator
from torch import Tensor, nn


class Loss(BaseEstimator, nn.Module):
    """Base of all distillation losses.

    A loss compares what the student computed with what the teacher knows, and returns a 0-d tensor. It is a
    scikit-learn object (plain-valued parameters, ``get_params``, ``set_params``, ``clone``) and a torch module
    (learnt parts, devices, dtypes) at once. Called by itself it needs nothing else::

        SoftTargetLoss(temperature=4)(student_logits, teacher_logits)

    To write a loss, store the parameters in ``__init__`` (after ``super().__init__(weight=weight)``), check them in
    ``check``, and define ``compare``. What depends on the teacher alone goes into ``prepare``: it runs once per fit,
    not once per batch. Learnt parts (projectors, variances) are made in ``build``.

    Parameters
    ----------
    weight : float, default=1.0
        Factor of this loss in the objective. Not applied when the loss is called by itself.

    Attributes
    ----------
    knowledge : {"response", "feature", "relation"}
        What is compared: outputs, hidden activations, or relations between rows or layers.
    tasks : tuple of {"classification", "regression"}
        Where the loss has a meaning.
    n_layers : int
        How many layers of each side one call compares: 0 for outputs, 1 for features, 2 between layers.
    needs_y : bool
        Whether ``compare`` needs the labels.
    """

    knowledge: ClassVar[str] = "response"
    tasks: ClassVar[tuple[str, ...]] = ("classification", "regression")
    n_layers: ClassVar[int] = 0
    needs_y: ClassVar[bool] = False

    def __init__(self, *, weight: float = 1.0):
        nn.Module.__init__(self)
        self.weight = weight

    def check(self) -> None:
        """Raise ``ValueError`` or ``TypeError`` for a parameter out of its range; called at fit and by ``forward``."""

    def build(self, student_shape: Any, teacher_shape: Any) -> None:
        """Make the learnt parts, from the shapes of one row of each side (a tuple of shapes between layers)."""

    def prepare(self, teacher: Any) -> Any:
        """What of the teacher's side does not change from batch to batch: a tensor or a tuple of tensors, row by row."""
        return teacher

    def target(self, outputs: Any) -> Any:
        """The prepared target for the rows of a teacher's :class:`~sklkd.teachers.Outputs` (response losses)."""
        raise TypeError(f"{type(self).__name__} compares {self.knowledge} knowledge, not the teacher's outputs.")

    def compare(self, student: Any, target: Any, y: Tensor | None = None, sample_weight: Tensor | None = None) -> Tensor:
        """The loss of one batch against a prepared target: the weighted mean over its rows."""
        raise NotImplementedError

    def forward(self, student: Any, teacher: Any, y: Tensor | None = None, sample_weight: Tensor | None = None) -> Tensor:
        """The loss between a student's and a teacher's tensors; no gradient reaches the teacher."""
        self.check()
        return self.compare(student, self.prepare(_detached(teacher)), y, sample_weight)


def weighted_mean(rows: Tensor, sample_weight: Tensor | None) -> Tensor:
    """Mean over the rows of a (n,) tensor; with weights, divided by their sum (0 where all weights are 0)."""
    if sample_weight is None:
        return rows.mean()
    total = sample_weight.sum()
    return (rows * sample_weight).sum() / torch.where(total > 0, total, torch.ones_like(total))


def _detached(teacher: Any) -> Any:
    if isinstance(teacher, Tensor):
        return teacher.detach()
    return tuple(_detached(part) for part in teacher)
