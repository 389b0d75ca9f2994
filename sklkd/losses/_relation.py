"""The base of the losses on relations: the checks of their layers, and projectors where relations need equal widths."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sklkd.losses._base import Loss
from sklkd.losses._feature import FeatureLoss, check_features, linear_map


class RelationLoss(FeatureLoss):
    """Base of the losses that compare relations between the rows of a batch, on one layer of each side.

    Widths may differ, and maps may be compared with vectors. Pairs of rows have no natural weight: ``sample_weight``
    is not used.

    Parameters
    ----------
    weight : float, default=1.0
        Factor of this loss in the objective. Not applied when the loss is called by itself.
    student_layer, teacher_layer : str, default=None
        Names of the layers; None is the last hidden layer.
    """

    knowledge: ClassVar[str] = "relation"

    def prepare(self, teacher: Tensor) -> Tensor:
        """The teacher's features as vectors, (n_rows, width)."""
        if self.reads_leaves and isinstance(teacher, Tensor) and not teacher.is_floating_point():
            return teacher
        check_features(self, teacher)
        return teacher.flatten(1)

    def vectors(self, student: Tensor, target: Tensor) -> Tensor:
        """The student's features as vectors, after the checks."""
        check_features(self, student)
        check_rows(self, student, target)
        return student.flatten(1)


class SimilarityLoss(RelationLoss):
    """Base of the losses on similarities between rows, which trees state themselves.

    The teacher's side may be the leaves of its trees, integers of shape (n_rows, n_trees): the similarity of two rows
    is then the fraction of trees in which they meet, the proximity of a random forest. That is the cosine between the
    0/1 vectors of their leaves, as it is the cosine between features.
    """

    reads_leaves: ClassVar[bool] = True

    def products(self, target: Tensor, dtype: torch.dtype) -> Tensor:
        """The teacher's inner products (n_rows, n_rows), from what ``prepare`` has made of its side."""
        return target @ target.T if target.is_floating_point() else proximity(target, dtype)


class BetweenLayersLoss(FeatureLoss):
    """Base of the losses that compare relations between two layers of the student with those of two of the teacher.

    Parameters
    ----------
    weight : float, default=1.0
        Factor of this loss in the objective. Not applied when the loss is called by itself.
    student_layer, teacher_layer : tuple of two str, default=None
        Names of the layers, in the order of the forward pass; None is the last two hidden layers.
    """

    knowledge: ClassVar[str] = "relation"
    n_layers: ClassVar[int] = 2
    projectors_: nn.ModuleList | None

    def __init__(
        self,
        *,
        weight: float = 1.0,
        student_layer: tuple[str, str] | None = None,
        teacher_layer: tuple[str, str] | None = None,
    ):
        super().__init__(weight=weight, student_layer=student_layer, teacher_layer=teacher_layer)
        self.register_module("projectors_", None)

    def check(self) -> None:
        super().check()
        for name in ("student_layer", "teacher_layer"):
            layers = getattr(self, name)
            if layers is not None and len(layers) != 2:
                raise ValueError(f"{name} must name two layers, got {name}={layers!r}.")

    def build(self, student_shape: Any, teacher_shape: Any) -> None:
        """Make a projector for each layer whose width (number of channels) differs from the teacher's."""
        self.projectors_ = nn.ModuleList(
            nn.Identity() if student[0] == teacher[0] else linear_map(student, student[0], teacher[0])
            for student, teacher in zip(student_shape, teacher_shape, strict=True)
        )

    def prepare(self, teacher: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """The teacher's two layers, checked."""
        return self.two(teacher, "teacher")

    def project(self, student: tuple[Tensor, Tensor], target: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """The student's two layers, brought to the teacher's widths, after the checks."""
        first, second = self.two(student, "student")
        check_rows(self, first, target[0])
        if self.projectors_ is not None:
            first, second = self.projectors_[0](first), self.projectors_[1](second)
        widths, teacher_widths = (first.shape[1], second.shape[1]), (target[0].shape[1], target[1].shape[1])
        if widths != teacher_widths:
            raise ValueError(
                f"{type(self).__name__} needs a student as wide as the teacher, or projectors; got widths {widths} and "
                f"{teacher_widths}. Call build with the shapes of a row of each layer first, or use the loss inside an "
                "estimator, which does."
            )
        return first, second

    def two(self, layers: Any, side: str) -> tuple[Tensor, Tensor]:
        """Raise unless ``layers`` are the features of two layers on the same rows."""
        if isinstance(layers, Tensor) or len(layers) != 2:
            got = "one tensor" if isinstance(layers, Tensor) else f"{len(layers)} layers"
            raise ValueError(f"{type(self).__name__} needs two layers of the {side}, as a tuple of two; got {got}.")
        first, second = layers
        check_features(self, first)
        check_features(self, second)
        check_rows(self, first, second)
        return first, second


def check_rows(loss: Loss, one: Tensor, other: Tensor) -> None:
    """Raise unless both have the same number of rows (they would broadcast silently, or fail obscurely)."""
    if len(one) != len(other):
        raise ValueError(
            f"{type(loss).__name__} compares layers on the same rows, got {len(one)} and {len(other)} rows."
        )


def proximity(leaves: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Fraction of trees in which two rows meet in a leaf, (n_rows, n_rows).

    Examples
    --------
    >>> import torch
    >>> proximity(torch.tensor([[3, 8], [3, 9]]))
    tensor([[1.0000, 0.5000],
            [0.5000, 1.0000]])
    """
    leaves = leaves.to(dtype)
    return 1 - torch.cdist(leaves, leaves, p=0) / leaves.shape[1]


def over_mean(distances: Tensor) -> Tensor:
    """Distances (n, n) divided by the mean of those between different rows; zeros where all rows are equal."""
    n_rows = len(distances)
    mean = distances.sum() / max(n_rows * (n_rows - 1), 1)
    return _over(distances, mean, 1e-6)


def over_max(squared: Tensor) -> Tensor:
    """Squared distances divided by the largest one; zeros where all are 0."""
    return _over(squared, squared.amax(), 1e-12)


def _over(x: Tensor, scale: Tensor, floor: float) -> Tensor:
    known = scale > floor
    return torch.where(known, x / torch.where(known, scale, 1.0), 0.0)
