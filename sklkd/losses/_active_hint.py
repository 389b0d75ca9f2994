"""The hint between a network's own layers."""

from __future__ import annotations

import torch
from torch import Tensor

from sklkd.losses._base import weighted_mean
from sklkd.losses._feature import ProjectedLoss


class ActiveHintLoss(ProjectedLoss):
    r"""Squared error of features where either side is active, as the deepest exit hints to shallower ones in BYOT [1]_.

    .. math:: L = \frac{1}{B D} \sum_{b, d} [r(s_b)_d > 0 \lor t_{bd} > 0]\, (r(s_b)_d - t_{bd})^2

    In a fit, ``r`` is a learnt Linear (1x1 convolution for maps), the identity at the start for equal widths. Called by
    itself, the loss compares equal widths as they are.

    Parameters
    ----------
    weight : float, default=1.0
        Factor in the objective. The paper's is 1e-6 times the **sum** over rows and columns, 0.07 times this mean for
        batches of 128 rows and 512 columns.
    student_layer, teacher_layer : str, default=None
        Names of the layers; None is the last hidden layer.

    Notes
    -----
    Shapes: ``student`` (B, D), ``teacher`` (B, D'), or (B, C, H, W) and (B, C', H', W'); of two maps the larger is
    average-pooled to the smaller. Rows count by ``sample_weight``. Unlike :class:`OFDLoss` a negative feature of the
    teacher is a target as it is; between layers that end in a ReLU both have the same pattern.

    References
    ----------
    .. [1] Zhang et al., "Be Your Own Teacher: Improve the Performance of Convolutional Neural Networks via Self
       Distillation", ICCV 2019, arXiv:1905.08094.

    Examples
    --------
    >>> import torch
    >>> ActiveHintLoss()(torch.tensor([[1.0, -2.0]]), torch.tensor([[4.0, -1.0]]))
    tensor(4.5000)
    """

    def compare(
        self, student: Tensor, target: Tensor, y: Tensor | None = None, sample_weight: Tensor | None = None
    ) -> Tensor:
        student, target = self.project(student, target)
        active = (student > 0) | (target > 0)
        squares = torch.where(active, student - target, 0.0).square()
        return weighted_mean(squares.flatten(1).mean(1), sample_weight)
