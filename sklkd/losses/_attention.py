"""Attention transfer: where the energy of the activations lies."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sklkd.losses._base import check_number, weighted_mean
from sklkd.losses._feature import ChannelLoss
from sklkd.losses._geometry import SQUARED_NORM_FLOOR, unit_rows


class AttentionTransferLoss(ChannelLoss):
    r"""Squared difference of normalised attention maps.

    .. math::
        a(f) = \frac{q}{\|q\|_2}, \quad q_i = \frac{1}{C} \sum_c |f_{ci}|^p, \qquad
        L = \frac{1}{B P} \sum_b \|a(s_b) - a(t_b)\|_2^2

    over the P = H W positions i of a map. A vector is read as one channel with D positions: which columns are
    active, whatever their sign.

    Parameters
    ----------
    p : float, default=2
        Exponent of the activations, at least 1; larger values look at the strongest positions only.
    weight : float, default=1.0
        Factor in the objective. A mean of tiny numbers: public comparisons use 1000.
    student_layer, teacher_layer : str, default=None
        Names of the layers; None is the last hidden layer.

    Notes
    -----
    Shapes: (B, C, H, W) on both sides, with any channels and sizes: the larger map is average-pooled to the smaller
    before taking powers. Vectors (B, D) of unequal widths need ``build``, which makes a projector of the student.

    Public codes agree, except that the paper takes the norm of the difference, not squared and not divided by P (some
    hundred times as much). A row of zeros (a dead layer) has the map 0 and gets no gradient; against a map other than
    0 it costs 1/P. The loss does not depend on the scale of a row.

    References
    ----------
    Zagoruyko and Komodakis, "Paying More Attention to Attention", ICLR 2017, arXiv:1612.03928.

    Examples
    --------
    >>> import torch
    >>> AttentionTransferLoss()(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, -3.0]]))
    tensor(1.)
    """

    def __init__(
        self,
        *,
        p: float = 2,
        weight: float = 1.0,
        student_layer: str | None = None,
        teacher_layer: str | None = None,
    ):
        super().__init__(weight=weight, student_layer=student_layer, teacher_layer=teacher_layer)
        self.p = p

    def check(self) -> None:
        super().check()
        check_number("p", self.p, 1)

    def compare(
        self, student: Tensor, target: Tensor, y: Tensor | None = None, sample_weight: Tensor | None = None
    ) -> Tensor:
        student, target = self.channels(student, target)
        difference = attention_map(student, self.p) - attention_map(target, self.p)
        return weighted_mean(difference.square().mean(1), sample_weight)


def attention_map(channels: Tensor, p: float) -> Tensor:
    """Unit vector (n_rows, positions) of the mean p-th powers over the channels of (n_rows, channels, positions)."""
    # The map does not depend on the scale of a row, so the row is brought to a largest entry of 1 by a constant factor:
    # powers of small activations would otherwise look like a row of zeros.
    largest = channels.detach().abs().amax((1, 2), keepdim=True)
    channels = channels / torch.where(largest.square() > SQUARED_NORM_FLOOR, largest, math.inf)
    return unit_rows(channels.abs().pow(p).sum(1))
