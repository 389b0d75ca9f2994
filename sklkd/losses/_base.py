"""The base of all losses: a torch module with scikit-learn parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real
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
    tasks : tuple of {"classification", "multilabel", "regression"}
        Where the loss has a meaning; "multilabel" are several labels a row.
    n_layers : int
        How many layers of each side one call compares: 0 for outputs, 1 for features, 2 between layers.
    needs_y : bool
        Whether ``compare`` needs the labels.
    teaches_output : bool
        Whether the loss trains the student's output layer; those on hidden layers need labels for that.
    always_alone : bool
        Whether nothing else may train the student, in any epoch.
    reads_leaves : bool
        Whether the teacher's side may be the leaves of its trees, which are codes and no numbers.
    needs_trained_teacher : bool
        Whether it needs a pretrained teacher, which networks that learn from each other or themselves do not have.
    needs_spread : bool
        Whether ``target`` needs ``outputs.spread``, the disagreement of an ensemble's members.
    """

    knowledge: ClassVar[str] = "response"
    tasks: ClassVar[tuple[str, ...]] = ("classification", "multilabel", "regression")
    n_layers: ClassVar[int] = 0
    needs_y: ClassVar[bool] = False
    teaches_output: ClassVar[bool] = True
    always_alone: ClassVar[bool] = False
    reads_leaves: ClassVar[bool] = False

    def __init__(self, *, weight: float = 1.0):
        nn.Module.__init__(self)
        self.weight = weight

    @property
    def needs_spread(self) -> bool:
        return False

    @property
    def needs_trained_teacher(self) -> bool:
        return self.needs_spread or self.alone(0)

    @property
    def fits_estimators(self) -> bool:
        """Whether an estimator that is fitted on the teacher's outputs as targets minimises the loss, up to a constant.

        That is so of log loss and of squared error.
        """
        return False

    def check(self) -> None:
        """Raise ``ValueError`` or ``TypeError`` for a parameter out of its range; called at fit and by ``forward``."""
        check_number("weight", self.weight, 0)

    def side(self, layers: Sequence[Any]) -> Any:
        """What ``compare`` is given of one side's layers: the only one, or a tuple of them between layers."""
        return layers[0] if self.n_layers == 1 else tuple(layers)

    def learn_estimand(self, estimand: Any) -> None:
        """Learn what the teacher estimates, a :class:`~sklkd.teachers.Estimand`, before anything else of a fit."""

    def build(self, student_shape: Any, teacher_shape: Any) -> None:
        """Make the learnt parts, from the shapes of one row of each side (a tuple of shapes between layers)."""

    def fit_teacher(self, teacher: Any) -> None:
        """Learn what needs the teacher's training rows as a whole (scales, margins, a paraphraser).

        Called once per fit with the features of the training rows (a tuple of them between layers), after ``build``
        and before ``prepare``; without it ``prepare`` takes the features as they are.
        """

    def ramp(self, epoch: int) -> float:
        """What multiplies ``weight`` in an epoch (counted from 0): below 1 in a warm-up, 0 after a hint stage."""
        return 1.0

    def alone(self, epoch: int) -> bool:
        """Whether the epoch belongs to a stage that trains only the losses for which this is true, and no labels."""
        return self.always_alone

    def output_layer(self, teacher: Any, logits: Tensor) -> nn.Linear | None:
        """What takes the place of the student's last layer after training; None leaves it.

        Asked of losses that are always alone, with the teacher's features of the rows that have trained the student,
        and its logits for them (for regression its values).
        """
        return None

    def prepare(self, teacher: Any) -> Any:
        """What of the teacher's side does not change over batches: a tensor or a tuple of tensors, row by row."""
        return teacher

    def target(self, outputs: Any) -> Any:
        """The prepared target for the rows of a teacher's :class:`~sklkd.teachers.Outputs` (response losses)."""
        raise TypeError(f"{type(self).__name__} compares {self.knowledge} knowledge, not the teacher's outputs.")

    def compare(
        self, student: Any, target: Any, y: Tensor | None = None, sample_weight: Tensor | None = None
    ) -> Tensor:
        """The loss of one batch against a prepared target: the weighted mean over its rows."""
        raise NotImplementedError

    def forward(
        self, student: Any, teacher: Any, y: Tensor | None = None, sample_weight: Tensor | None = None
    ) -> Tensor:
        """The loss between a student's and a teacher's tensors.

        No gradient reaches the teacher, and the loss is computed in the student's dtype.
        """
        self.check()
        dtype = student.dtype if isinstance(student, Tensor) else student[0].dtype
        return self.compare(student, self.prepare(detached(teacher, dtype)), y, sample_weight)


def weighted_mean(rows: Tensor, sample_weight: Tensor | None) -> Tensor:
    """Mean over the rows of a (n,) tensor; with weights, divided by their sum (0 where all weights are 0)."""
    if sample_weight is None:
        return rows.mean()
    total = sample_weight.sum()
    return (rows * sample_weight).sum() / torch.where(total > 0, total, torch.ones_like(total))


def check_number(name: str, value: Any, low: float, *, strict: bool = False, finite: bool = True) -> None:
    """Raise unless ``value`` is a real number >= ``low`` (> ``low`` if strict), and finite."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {name}={value!r}.")
    if not (float(value) > low if strict else float(value) >= low):
        raise ValueError(f"{name} must be {'>' if strict else '>='} {low}, got {name}={value}.")
    if finite and not math.isfinite(value):
        raise ValueError(f"{name} must be finite, got {name}={value}.")


def check_integer(name: str, value: Any, low: int) -> None:
    """Raise unless ``value`` is an integer >= ``low``."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer, got {name}={value!r}.")
    if value < low:
        raise ValueError(f"{name} must be >= {low}, got {name}={value}.")


def check_outputs(student: Tensor, teacher: Tensor) -> None:
    """Raise unless both sides are (n_rows, n_outputs) of the same size; unequal shapes would broadcast silently."""
    if student.ndim != 2 or student.shape != teacher.shape:
        raise ValueError(
            "The student's and the teacher's outputs must both have shape (n_rows, n_outputs), "
            f"got {tuple(student.shape)} and {tuple(teacher.shape)}."
        )


def detached(teacher: Any, dtype: torch.dtype) -> Any:
    """A teacher's tensors without a way back for gradients, numbers in a dtype, codes in their own."""
    if isinstance(teacher, Tensor):
        teacher = teacher.detach()
        return teacher.to(dtype) if teacher.is_floating_point() else teacher
    return tuple(detached(part, dtype) for part in teacher)
