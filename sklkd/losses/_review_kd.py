"""Knowledge review: deep student layers help shallow ones to match the teacher's shallow layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sklkd.losses._base import check_integer, weighted_mean
from sklkd.losses._feature import FeatureLoss, Standardizer, check_features, check_pair, check_shapes

# Side lengths to which maps are pooled, each with half the weight of the one used before; the authors' values.
POOLED_SIZES = (4, 2, 1)


class ReviewKDLoss(FeatureLoss):
    r"""Hierarchical squared error between fused student layers and the teacher's layers, summed over the layers.

    .. math::
        L = \sum_l \frac{\mathrm{MSE}(s_l, t_l) + \sum_k w_k \mathrm{MSE}(\mathrm{pool}_k(s_l), \mathrm{pool}_k(t_l))}
        {1 + \sum_k w_k}

    with maps average-pooled to k x k, k = 4, 2, 1 where smaller than the map, and w = 1/2, 1/4, 1/8 in order of use.
    For vectors, one position, it is the mean squared error. In a fit, the s are attention fusions: from the deepest
    student layer to the shallowest, each is mixed with what came before it, gated position by position; the
    teacher's columns are standardised once. Called by itself, the loss compares given maps of equal shapes.

    Parameters
    ----------
    n_channels : int, default=64
        Channels of the fusions; the authors' value for CIFAR.
    warmup : int, default=20
        Epochs over which the loss's weight rises linearly from ``1 / warmup`` to its full value, the paper's; 0 for
        none.
    weight : float, default=1.0
        Factor in the objective. Public comparisons use 0.6 to 8 by pair of networks.
    student_layer, teacher_layer : sequence of str, default=None
        Names of the layers, as many on each side, from shallow to deep; None is the last two.

    Notes
    -----
    Shapes: sequences of (B, D) or (B, C, H, W), or one tensor on each side. Public codes agree on the loss. Deviation
    from the paper: the fusions have no batch normalisation, so that a batch of one row is defined.

    References
    ----------
    Chen et al., "Distilling Knowledge via Knowledge Review", CVPR 2021, arXiv:2104.09044.

    Examples
    --------
    >>> import torch
    >>> s, t = torch.zeros(2, 3), torch.ones(2, 3)
    >>> ReviewKDLoss()((s, s), (t, 2 * t))
    tensor(5.)
    """

    n_layers: ClassVar[int] = 2
    fusions_: nn.ModuleList | None
    standardizers_: nn.ModuleList | None

    def __init__(
        self,
        *,
        n_channels: int = 64,
        warmup: int = 20,
        weight: float = 1.0,
        student_layer: Sequence[str] | None = None,
        teacher_layer: Sequence[str] | None = None,
    ):
        super().__init__(weight=weight, student_layer=student_layer, teacher_layer=teacher_layer)
        self.n_channels = n_channels
        self.warmup = warmup
        self.register_module("fusions_", None)
        self.register_module("standardizers_", None)

    def check(self) -> None:
        super().check()
        check_integer("n_channels", self.n_channels, 1)
        check_integer("warmup", self.warmup, 0)

    def ramp(self, epoch: int) -> float:
        """Linear rise over the first ``warmup`` epochs."""
        return 1.0 if epoch + 1 >= self.warmup else (epoch + 1) / self.warmup

    def build(self, student_shape: Any, teacher_shape: Any) -> None:
        """Make the fusions, from a tuple of the shapes of one row of each layer (or one shape) of each side."""
        self.check()
        student_shapes, teacher_shapes = _shapes(student_shape), _shapes(teacher_shape)
        self._check_numbers(student_shapes, teacher_shapes)
        for pair in zip(student_shapes, teacher_shapes, strict=True):
            check_shapes(self, *pair)
        deepest = len(student_shapes) - 1
        self.fusions_ = nn.ModuleList(
            AttentionFusion(s, t, self.n_channels, is_deepest=layer == deepest)
            for layer, (s, t) in enumerate(zip(student_shapes, teacher_shapes, strict=True))
        )

    def fit_teacher(self, teacher: Any) -> None:
        """Learn the mean and scale of each column (channel) of the teacher's training rows, layer by layer."""
        self.standardizers_ = nn.ModuleList(Standardizer().fit(layer) for layer in self._layers(teacher))

    def prepare(self, teacher: Any) -> tuple[Tensor, ...]:
        """The teacher's layers, standardised if ``fit_teacher`` has learnt how."""
        layers = self._layers(teacher)
        if self.standardizers_ is None:
            return layers
        return tuple(scale(layer) for scale, layer in zip(self.standardizers_, layers, strict=True))

    def compare(
        self, student: Any, target: Any, y: Tensor | None = None, sample_weight: Tensor | None = None
    ) -> Tensor:
        students, targets = self._layers(student), self._layers(target)
        self._check_numbers(students, targets)
        for s, t in zip(students, targets, strict=True):
            check_pair(self, s, t)
        if self.fusions_ is not None:
            students = self._fuse(students)
        rows: Any = 0.0
        for s, t in zip(students, targets, strict=True):
            if s.shape != t.shape:
                raise ValueError(
                    f"ReviewKDLoss needs layers of equal shapes, or fusions; got {tuple(s.shape)} and "
                    f"{tuple(t.shape)}. Call build(student_shapes, teacher_shapes) first, or use the loss inside an "
                    "estimator, which does."
                )
            rows = rows + hierarchical_error(s - t)
        return weighted_mean(rows, sample_weight)

    def _fuse(self, students: Sequence[Tensor]) -> tuple[Tensor, ...]:
        outputs: list[Tensor] = []
        deeper = None
        assert self.fusions_ is not None
        for fusion, features in zip(reversed(self.fusions_), reversed(students), strict=True):
            output, deeper = fusion(features, deeper)
            outputs.insert(0, output)
        return tuple(outputs)

    def _layers(self, features: Any) -> tuple[Tensor, ...]:
        layers = (features,) if isinstance(features, Tensor) else tuple(features)
        for layer in layers:
            check_features(self, layer)
        return layers

    def _check_numbers(self, student: Sequence[Any], teacher: Sequence[Any]) -> None:
        if len(student) != len(teacher) or len(student) == 0:
            raise ValueError(
                f"ReviewKDLoss compares as many layers of the student as of the teacher, got {len(student)} and "
                f"{len(teacher)}. Name as many in student_layer as in teacher_layer."
            )


class AttentionFusion(nn.Module):
    """A student layer, mixed with what the deeper layers left, in the shape of a teacher's layer.

    Shapes: ``features`` (B, D) or (B, C, H, W), ``deeper`` (B, n_channels, h, w) or None -> (as the teacher's, mixed).
    """

    def __init__(
        self, student_shape: Sequence[int], teacher_shape: Sequence[int], n_channels: int, *, is_deepest: bool
    ):
        super().__init__()
        # a vector is a map with one position
        self.size = tuple(teacher_shape[1:]) or (1, 1)
        self.is_vector = len(teacher_shape) == 1
        self.enter = nn.Conv2d(student_shape[0], n_channels, 1)
        self.gate = None if is_deepest else nn.Conv2d(2 * n_channels, 2, 1)
        kernel = 1 if self.size == (1, 1) else 3
        self.leave = nn.Conv2d(n_channels, teacher_shape[0], kernel, padding=kernel // 2)

    def forward(self, features: Tensor, deeper: Tensor | None) -> tuple[Tensor, Tensor]:
        mixed = self.enter(features[:, :, None, None] if features.ndim == 2 else features)
        if self.gate is not None and deeper is not None:
            deeper = _resized(deeper, mixed.shape[2:])
            gates = torch.sigmoid(self.gate(torch.cat([mixed, deeper], 1)))
            mixed = mixed * gates[:, :1] + deeper * gates[:, 1:]
        output = self.leave(_resized(mixed, self.size))
        return (output.flatten(1) if self.is_vector else output), mixed


def hierarchical_error(difference: Tensor) -> Tensor:
    """(n_rows,) weighted mean of the squares of a difference of maps and of its pooled forms."""
    error = _mean_square(difference)
    if difference.ndim == 2:
        return error
    weight, weight_sum = 1.0, 1.0
    for size in POOLED_SIZES:
        # a size that is skipped does not halve the weight of the next
        if size < min(difference.shape[2:]):
            weight /= 2
            weight_sum += weight
            error = error + weight * _mean_square(F.adaptive_avg_pool2d(difference, size))
    return error / weight_sum


def _mean_square(difference: Tensor) -> Tensor:
    return difference.square().flatten(1).mean(1)


def _resized(maps: Tensor, size: Sequence[int]) -> Tensor:
    return maps if maps.shape[2:] == tuple(size) else F.interpolate(maps, size=tuple(size), mode="nearest")


def _shapes(shape: Any) -> tuple[Sequence[int], ...]:
    """One shape, or a tuple of shapes, as a tuple of shapes."""
    return tuple(shape) if len(shape) and isinstance(shape[0], Sequence) else (shape,)
