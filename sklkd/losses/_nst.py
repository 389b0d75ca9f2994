"""Neuron selectivity transfer: the distribution of the channels' activation patterns."""

from __future__ import annotations

from torch import Tensor

from sklkd.losses._base import weighted_mean
from sklkd.losses._feature import ChannelLoss
from sklkd.losses._geometry import unit_rows


class NSTLoss(ChannelLoss):
    r"""Squared maximum mean discrepancy between the channels of the two sides.

    .. math::
        L = \frac{1}{B} \sum_b \left[ \overline{k(t, t)} + \overline{k(s, s)} - 2\,\overline{k(s, t)} \right],
        \quad k(x, y) = (x^\top y)^2

    with means over all pairs of channels, each channel being the unit vector of its activations over the positions.

    Parameters
    ----------
    weight : float, default=1.0
        Factor in the objective. Public comparisons use 50.
    student_layer, teacher_layer : str, default=None
        Names of the layers; None is the last hidden layer.

    Notes
    -----
    Shapes: (B, C, H, W) and (B, C', H', W'); the larger map is average-pooled to the smaller. A vector (B, D) is
    one channel with D positions, for which the loss is 2 - 2 cos^2; unequal widths need ``build``, which makes a
    projector of the student. Memory grows as B C C'. Public codes agree (degree 2, offset 0).

    The loss sees neither the scale nor the sign of a channel. A channel of zeros has the pattern 0 and gets no
    gradient: a dead vector costs 1.

    References
    ----------
    Huang and Wang, "Like What You Like: Knowledge Distill via Neuron Selectivity Transfer", arXiv:1707.01219.

    Examples
    --------
    >>> import torch
    >>> NSTLoss()(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, -3.0]]))
    tensor(2.)
    """

    def compare(
        self, student: Tensor, target: Tensor, y: Tensor | None = None, sample_weight: Tensor | None = None
    ) -> Tensor:
        student, target = map(unit_rows, self.channels(student, target))
        rows = _kernel_mean(target, target) + _kernel_mean(student, student) - 2 * _kernel_mean(student, target)
        return weighted_mean(rows, sample_weight)


def _kernel_mean(a: Tensor, b: Tensor) -> Tensor:
    """Mean of (x . y)^2 over all pairs of channels, per row."""
    return (a @ b.transpose(1, 2)).square().mean((1, 2))
