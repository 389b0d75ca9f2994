"""Overhaul of feature distillation: margin ReLU on the teacher, partial distance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.stats import norm
from torch import Tensor

from sklkd.losses._base import weighted_mean
from sklkd.losses._feature import ProjectedLoss, by_channel, check_features, per_channel


class OFDLoss(ProjectedLoss):
    r"""Squared distance to the teacher's values above a margin, none where both are negative enough.

    .. math::
        t'_{bc} = \max(t_{bc}, m_c), \qquad
        L = \frac{1}{B} \sum_{b, c} (s_{bc} - t'_{bc})^2 \, [\text{not } s_{bc} \le t'_{bc} \le 0]

    Meant for *pre-activation* layers: what is negative will be cut by the ReLU, so it need only be negative. In a fit,
    a learnt Linear (1x1 convolution for maps) maps the student, starting as the identity where the widths are equal
    (the paper adds batch normalisation; left out, so that rows stay independent and a batch of one is defined).

    Parameters
    ----------
    margin : sequence of float, default=None
        The margin m of each column (channel), <= 0. None: the mean of the teacher's negative values in the column, 0
        where there is none, over the training rows in a fit and over the given rows when called by itself.
        :meth:`batch_norm_margin` gives the paper's for a layer behind a batch normalisation.
    weight : float, default=1.0
        Factor in the objective. Public comparisons use 1e-3, and halve it from each layer to the one before.
    student_layer, teacher_layer : str, default=None
        Names of the layers; None is the last hidden layer.

    Notes
    -----
    Shapes: (B, D) and (B, D'), or (B, C, H, W) and (B, C', H', W'), the larger map average-pooled to the smaller. A
    sum over D. Public codes divide by a further 1000, or take the mean over all elements; here there is neither.

    References
    ----------
    Heo et al., "A Comprehensive Overhaul of Feature Distillation", ICCV 2019, arXiv:1904.01866.

    Examples
    --------
    >>> import torch
    >>> loss = OFDLoss(margin=[-1.0, -1.0])
    >>> loss(torch.tensor([[0.5, -2.0]]), torch.tensor([[2.0, -3.0]]))
    tensor(2.2500)
    """

    margin_: Tensor | None

    def __init__(
        self,
        *,
        margin: Sequence[float] | None = None,
        weight: float = 1.0,
        student_layer: str | None = None,
        teacher_layer: str | None = None,
    ):
        super().__init__(weight=weight, student_layer=student_layer, teacher_layer=teacher_layer)
        self.margin = margin
        self.register_buffer("margin_", None)

    @staticmethod
    def batch_norm_margin(mean: ArrayLike, std: ArrayLike) -> list[float]:
        """E[x given x < 0] of normal channels, from a batch normalisation's bias (mean) and weight (std).

        -3 std where P(x < 0) <= 0.001, as in the authors' code.

        Examples
        --------
        >>> [round(margin, 4) for margin in OFDLoss.batch_norm_margin([0.0, 9.0], [1.0, 2.0])]
        [-0.7979, -6.0]
        """
        centre, scale = np.asarray(mean, dtype=float), np.abs(np.asarray(std, dtype=float))
        z = np.divide(centre, scale, out=np.zeros_like(centre), where=scale > 0)
        # the ratio of the density to the probability would underflow for a far positive mean
        given_negative = centre - scale * np.exp(norm.logpdf(z) - norm.logcdf(-z))
        margin = np.where(norm.cdf(-z) > 0.001, given_negative, -3 * scale)
        return np.where(scale > 0, margin, np.minimum(centre, 0)).tolist()

    def check(self) -> None:
        super().check()
        if self.margin is None:
            return
        margin = np.asarray(self.margin, dtype=float)
        if margin.ndim != 1 or not np.all(np.isfinite(margin) & (margin <= 0)):
            raise ValueError(f"margin must be a sequence of finite numbers <= 0 or None, got margin={self.margin!r}.")

    def fit_teacher(self, teacher: Tensor) -> None:
        """Store the margins of the teacher's training rows."""
        super().fit_teacher(teacher)
        self.margin_ = self._margin(teacher.detach())

    def prepare(self, teacher: Tensor) -> Tensor:
        """The teacher's features behind the margin ReLU."""
        check_features(self, teacher)
        margin = self._margin(teacher) if self.margin_ is None else self.margin_
        return torch.maximum(teacher, per_channel(margin, teacher))

    def compare(
        self, student: Tensor, target: Tensor, y: Tensor | None = None, sample_weight: Tensor | None = None
    ) -> Tensor:
        student, target = self.project(student, target)
        counts = (student > target) | (target > 0)
        squares = torch.where(counts, student - target, 0.0).square()
        return weighted_mean(squares.flatten(1).sum(1), sample_weight)

    def _margin(self, teacher: Tensor) -> Tensor:
        if self.margin is None:
            columns = by_channel(teacher)
            negative = columns < 0
            return torch.where(negative, columns, 0.0).sum(0) / negative.sum(0).clamp(min=1)
        if len(self.margin) != teacher.shape[1]:
            raise ValueError(
                f"margin must have one value for each of the teacher's {teacher.shape[1]} columns, got "
                f"{len(self.margin)}. Pass as many, or None to take them from the teacher's features."
            )
        return teacher.new_tensor(self.margin)
