"""The base of the losses on hidden activations: layers, projectors, scales, stages, and the checks of shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sklkd.losses._base import Loss, weighted_mean


class FeatureLoss(Loss):
    """Base of the losses that compare a hidden layer of the student with one of the teacher.

    A layer is a matrix of vectors (n_rows, width) or of maps (n_rows, channels, height, width).

    Parameters
    ----------
    weight : float, default=1.0
        Factor of this loss in the objective. Not applied when the loss is called by itself.
    student_layer, teacher_layer : str, default=None
        Names of the layers; None is the last hidden layer.
    """

    knowledge: ClassVar[str] = "feature"
    n_layers: ClassVar[int] = 1
    teaches_output: ClassVar[bool] = False

    def __init__(
        self,
        *,
        weight: float = 1.0,
        student_layer: Any = None,
        teacher_layer: Any = None,
    ):
        super().__init__(weight=weight)
        self.student_layer = student_layer
        self.teacher_layer = teacher_layer

    def check(self) -> None:
        super().check()
        for name in ("student_layer", "teacher_layer"):
            check_layer(name, getattr(self, name), self.n_layers)


class ProjectedLoss(FeatureLoss):
    """Base of the feature losses that subtract the two sides, so that a learnt projector maps the student.

    ``build`` makes the projector; where both widths are equal it starts as the identity. Called by itself, without
    ``build``, the loss compares equal widths as they are.
    """

    # whether fit_teacher learns the scale of the teacher's features, for losses that read them as regression targets
    standardize: ClassVar[bool] = False
    projector_: nn.Module | None

    def __init__(
        self,
        *,
        weight: float = 1.0,
        student_layer: str | None = None,
        teacher_layer: str | None = None,
    ):
        super().__init__(weight=weight, student_layer=student_layer, teacher_layer=teacher_layer)
        self.register_module("projector_", None)
        self.standardizer_ = Standardizer()

    def build(self, student_shape: Sequence[int], teacher_shape: Sequence[int]) -> None:
        """Make the projector, from the shapes of one row: ``(width,)`` or ``(channels, height, width)``."""
        check_shapes(self, student_shape, teacher_shape)
        self.projector_ = projector(student_shape, teacher_shape)

    def fit_teacher(self, teacher: Tensor) -> None:
        """Learn the mean and scale of each column (of each channel) of the teacher's training rows."""
        check_features(self, teacher)
        if self.standardize:
            self.standardizer_.fit(teacher)

    def prepare(self, teacher: Tensor) -> Tensor:
        """The teacher's features, standardised if ``fit_teacher`` has learnt how."""
        check_features(self, teacher)
        return self.standardizer_(teacher)

    def project(self, student: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """The student's features mapped to the teacher's width; of two maps the larger is pooled to the smaller."""
        check_pair(self, student, target)
        student, target = at_same_positions(student, target)
        if self.projector_ is not None:
            student = self.projector_(student)
        check_widths(self, student, target)
        return student, target


class HintLoss(ProjectedLoss):
    """Base of the losses that are the mean squared error to the teacher's standardised features."""

    standardize = True

    def compare(
        self, student: Tensor, target: Tensor, y: Tensor | None = None, sample_weight: Tensor | None = None
    ) -> Tensor:
        student, target = self.project(student, target)
        return weighted_mean((student - target).square().flatten(1).mean(1), sample_weight)


class ChannelLoss(ProjectedLoss):
    """Base of the losses on maps that need no equal channels, and read a vector as one channel with D positions.

    (As D channels with one position they would be 0 for any input.) Only vectors of unequal widths get a projector.
    """

    def build(self, student_shape: Sequence[int], teacher_shape: Sequence[int]) -> None:
        """Make a projector for vectors of unequal widths, from the shapes of one row."""
        check_shapes(self, student_shape, teacher_shape)
        if len(student_shape) == 1 and student_shape[0] != teacher_shape[0]:
            super().build(student_shape, teacher_shape)

    def channels(self, student: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Both sides as (n_rows, channels, positions), with the same positions."""
        if student.ndim == 2 and target.ndim == 2:
            student, target = self.project(student, target)
            return student.unsqueeze(1), target.unsqueeze(1)
        check_pair(self, student, target)
        student, target = at_same_positions(student, target)
        return student.flatten(2), target.flatten(2)


class InitialStage:
    """Mixin of the losses that their papers train by themselves at first, for ``init_epochs`` epochs."""

    init_epochs: int

    def ramp(self, epoch: int) -> float:
        """1, or 0 in the epochs after the initial stage (``init_epochs=0``: there is none)."""
        return 1.0 if self.init_epochs == 0 or epoch < self.init_epochs else 0.0

    def alone(self, epoch: int) -> bool:
        """Whether the epoch belongs to the initial stage."""
        return epoch < self.init_epochs


class Standardizer(nn.Module):
    """Mean 0 and standard deviation 1 for every column of vectors, or channel of maps; the identity until ``fit``.

    Examples
    --------
    >>> import torch
    >>> Standardizer().fit(torch.tensor([[1.0, 5.0], [3.0, 5.0]]))(torch.tensor([[3.0, 6.0]]))
    tensor([[1., 1.]])
    """

    mean_: Tensor | None
    scale_: Tensor | None

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean_", None)
        self.register_buffer("scale_", None)

    def fit(self, features: Tensor) -> Standardizer:
        columns = by_channel(features.detach()).double()
        mean, scale = columns.mean(0), columns.std(0, correction=0)
        # what rounding leaves of a constant column must not be blown up to 1
        constant = scale <= 1e-6 * mean.abs()
        self.mean_ = mean.to(features.dtype)
        self.scale_ = torch.where(constant, 1.0, scale).to(features.dtype)
        return self

    def forward(self, features: Tensor) -> Tensor:
        if self.mean_ is None or self.scale_ is None:
            return features
        return (features - per_channel(self.mean_, features)) / per_channel(self.scale_, features)


def linear_map(shape: Sequence[int], n_in: int, n_out: int) -> nn.Linear | nn.Conv2d:
    """A Linear for vectors, a 1x1 convolution for maps; ``shape`` is that of one row, and tells which of the two."""
    return nn.Linear(n_in, n_out) if len(shape) == 1 else nn.Conv2d(n_in, n_out, 1)


def projector(student_shape: Sequence[int], teacher_shape: Sequence[int]) -> nn.Module:
    """A linear map from the student's width to the teacher's; the identity at the start where these are equal."""
    layer = linear_map(student_shape, student_shape[0], teacher_shape[0])
    if student_shape[0] == teacher_shape[0]:
        with torch.no_grad():
            layer.weight.copy_(torch.eye(student_shape[0]).view_as(layer.weight))
            layer.bias.zero_()  # type: ignore[union-attr]  # both kinds have a bias
    return layer


def per_channel(values: Tensor, features: Tensor) -> Tensor:
    """(C,) values shaped to broadcast over vectors or maps with C columns or channels."""
    return values.view(-1, *[1] * (features.ndim - 2))


def by_channel(features: Tensor) -> Tensor:
    """Vectors as they are, maps as (n_rows * positions, channels)."""
    return features if features.ndim == 2 else features.movedim(1, -1).flatten(0, -2)


def at_same_positions(student: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Maps average-pooled to the smaller height and width of the two; vectors as they are."""
    if student.shape[2:] == target.shape[2:]:
        return student, target
    size = (min(student.shape[2], target.shape[2]), min(student.shape[3], target.shape[3]))
    return F.adaptive_avg_pool2d(student, size), F.adaptive_avg_pool2d(target, size)


def check_layer(name: str, value: Any, n_layers: int) -> None:
    """Raise unless a parameter names a layer (several of them, between layers) or is None."""
    if n_layers == 1 and not (value is None or isinstance(value, str)):
        raise TypeError(f"{name} must be the name of a layer or None, got {name}={value!r}.")
    if n_layers > 1 and value is not None:
        named = isinstance(value, (tuple, list)) and all(isinstance(one, str) for one in value)
        if not named or len(value) == 0:
            raise TypeError(f"{name} must be a tuple of names of layers or None, got {name}={value!r}.")


def check_shapes(loss: Loss, student_shape: Sequence[int], teacher_shape: Sequence[int]) -> None:
    """Raise unless both shapes are those of one row of vectors, or both those of one row of maps."""
    if not (len(student_shape) == len(teacher_shape) and len(student_shape) in (1, 3)):
        raise ValueError(
            f"{type(loss).__name__} compares vectors with vectors, (width,), or maps with maps, (channels, height, "
            f"width); got rows of shapes {tuple(student_shape)} and {tuple(teacher_shape)}. Choose other layers."
        )


def check_features(loss: Loss, features: Any) -> None:
    """Raise unless ``features`` are those of one layer: floating point, 2-d or 4-d."""
    name = type(loss).__name__
    if not isinstance(features, Tensor):
        raise TypeError(
            f"{name} compares one layer of each side, as a torch tensor; got a {type(features).__name__}. "
            "For several layers use one loss for each pair."
        )
    if not features.is_floating_point():
        raise TypeError(
            f"{name} compares real features, got dtype {features.dtype}; codes such as leaf indices are not numbers. "
            "Use a layer of real values, for trees 'leaf_embedding'."
        )
    if features.ndim not in (2, 4):
        raise ValueError(
            f"{name} compares features of shape (n_rows, width) or (n_rows, channels, height, width), "
            f"got {tuple(features.shape)}."
        )


def check_pair(loss: Loss, student: Tensor, target: Tensor) -> None:
    """Raise unless both sides have the same rows and are of the same kind; other sizes may differ."""
    check_features(loss, student)
    if student.ndim != target.ndim or len(student) != len(target):
        raise ValueError(
            f"{type(loss).__name__} compares the same rows of two layers, vectors with vectors or maps with maps; "
            f"got shapes {tuple(student.shape)} and {tuple(target.shape)}."
        )


def check_widths(loss: Loss, student: Tensor, target: Tensor) -> None:
    """Raise unless what is to be subtracted has the same shape (it would broadcast silently, or fail obscurely)."""
    if student.shape != target.shape:
        row_shapes = f"{tuple(student.shape[1:])}, {tuple(target.shape[1:])}"
        raise ValueError(
            f"{type(loss).__name__} needs a student as wide as the teacher, or a projector; got {student.shape[1]} "
            f"and {target.shape[1]}. Call build({row_shapes}) first, or use the loss inside an estimator, which does."
        )
