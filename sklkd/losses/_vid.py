"""Variational information distillation: a Gaussian of learnt variance about the predicted feature."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sklkd.losses._base import check_number, weighted_mean
from sklkd.losses._feature import ProjectedLoss, check_shapes, linear_map, per_channel

# Lower bound of a learnt variance; the authors' value.
VARIANCE_FLOOR = 1e-5


class VIDLoss(ProjectedLoss):
    r"""Negative Gaussian log-likelihood of the teacher's features, given the student's.

    .. math::
        L = \frac{1}{B D} \sum_{b, d} \tfrac12 \left[ \frac{(r(s_b)_d - t_{bd})^2}{v_d} + \log v_d \right],
        \quad v_d = \log(1 + e^{a_d}) + 10^{-5}

    A lower bound of the mutual information up to a constant. In a fit, ``r`` is the paper's regressor of three layers
    (1x1 convolutions for maps), the variance of each column or channel is learnt, and the teacher's columns are
    standardised once, without which variances run to their floor. Called by itself, the loss compares equal widths
    as they are, with ``init_variance``.

    Parameters
    ----------
    init_variance : float, default=5.0
        Variance at the start, greater than 1e-5; the authors' value.
    weight : float, default=1.0
        Factor in the objective; public comparisons use 1.
    student_layer, teacher_layer : str, default=None
        Names of the layers; None is the last hidden layer.

    Notes
    -----
    Shapes: (B, D) and (B, D'), or (B, C, H, W) and (B, C', H', W'), the larger map average-pooled to the smaller. The
    loss may be negative. One public code never trains its variances; floors of 1e-6 and 1 are seen besides 1e-5.
    Deviation from the paper: the regressor's ReLUs are leaky, or one for a narrow teacher could die as a whole.

    References
    ----------
    Ahn et al., "Variational Information Distillation for Knowledge Transfer", CVPR 2019, arXiv:1904.05835.

    Examples
    --------
    >>> import torch
    >>> VIDLoss(init_variance=1.0)(torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 4.0]]))
    tensor(1.)
    """

    standardize = True
    raw_variance_: nn.Parameter | None

    def __init__(
        self,
        *,
        init_variance: float = 5.0,
        weight: float = 1.0,
        student_layer: str | None = None,
        teacher_layer: str | None = None,
    ):
        super().__init__(weight=weight, student_layer=student_layer, teacher_layer=teacher_layer)
        self.init_variance = init_variance
        self.register_parameter("raw_variance_", None)

    def check(self) -> None:
        super().check()
        check_number("init_variance", self.init_variance, VARIANCE_FLOOR, strict=True)

    def build(self, student_shape: Sequence[int], teacher_shape: Sequence[int]) -> None:
        """Make the regressor and the variances, from the shapes of one row of each side."""
        self.check()
        check_shapes(self, student_shape, teacher_shape)
        width = teacher_shape[0]
        self.projector_ = nn.Sequential(
            linear_map(student_shape, student_shape[0], width),
            nn.LeakyReLU(0.1),
            linear_map(student_shape, width, width),
            nn.LeakyReLU(0.1),
            linear_map(student_shape, width, width),
        )
        softplus = self.init_variance - VARIANCE_FLOOR
        # the inverse of softplus, in a form that overflows for no value
        start = softplus + math.log(-math.expm1(-softplus))
        self.raw_variance_ = nn.Parameter(torch.full((width,), start))

    def compare(
        self, student: Tensor, target: Tensor, y: Tensor | None = None, sample_weight: Tensor | None = None
    ) -> Tensor:
        student, target = self.project(student, target)
        if self.raw_variance_ is None:
            variance = student.new_full((1,), self.init_variance)
        else:
            variance = F.softplus(self.raw_variance_) + VARIANCE_FLOOR
        variance = per_channel(variance, student)
        elements = 0.5 * ((student - target).square() / variance + variance.log())
        return weighted_mean(elements.flatten(1).mean(1), sample_weight)
