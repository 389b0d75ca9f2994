"""Relational knowledge distillation: distances and angles between the rows of a batch."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from sklkd.losses._geometry import pairwise_distances, unit_rows
from sklkd.losses._relation import RelationLoss, over_mean

# 128 rows cubed. Above, the cosines of all triples would soon take gigabytes (512 rows: 1.3e8 entries per tensor).
MAX_TRIPLES = 128**3


class RKDDistanceLoss(RelationLoss):
    r"""Distances between rows, relative to their mean in the batch [1]_.

    .. math:: \frac{1}{n^2} \sum_{i,j=1}^{n} h\left( \frac{d^s_{ij}}{\bar d^s} - \frac{d^t_{ij}}{\bar d^t} \right),
              \qquad d_{ij} = \|x_i - x_j\|

    with :math:`h(u) = u^2 / 2` up to 1 and :math:`|u| - 1/2` beyond, and :math:`\bar d` the mean over different rows.

    Parameters
    ----------
    weight : float, default=1.0
        Factor of this loss in the objective; 25 is usual for networks, with 50 for :class:`RKDAngleLoss`.
    student_layer, teacher_layer : str, default=None
        Names of the layers; None is the last hidden layer.

    Raises
    ------
    TypeError, ValueError
        If features are not floating point, (n_rows, width) or (n_rows, channels, height, width), or the two sides have
        different numbers of rows. Widths may differ.

    Notes
    -----
    The gradient passes through the student's mean distance. The zero diagonal counts in the mean over pairs, as in the
    authors' code; one library normalises the rows first. A batch of one or two rows gives 0: a single distance is its
    own mean. If all rows of a side are equal, its relative distances are 0.

    References
    ----------
    .. [1] Park et al. (2019), Relational Knowledge Distillation, arXiv:1904.05068.

    Examples
    --------
    >>> import torch
    >>> from sklkd.losses import RKDDistanceLoss
    >>> student, teacher = torch.tensor([[0.0], [1.0], [2.0]]), torch.tensor([[0.0, 0.0], [0.0, 3.0], [4.0, 0.0]])
    >>> RKDDistanceLoss()(student, teacher), RKDDistanceLoss()(student, 10 * student)
    (tensor(0.0556), tensor(0.))
    """

    def compare(
        self, student: Tensor, target: Tensor, y: Tensor | None = None, sample_weight: Tensor | None = None
    ) -> Tensor:
        student = self.vectors(student, target)
        return F.smooth_l1_loss(over_mean(pairwise_distances(student)), over_mean(pairwise_distances(target)))


class RKDAngleLoss(RelationLoss):
    r"""Angles that the rows of a batch form with one another [1]_.

    .. math:: \frac{1}{n^3} \sum_{i,j,k=1}^{n} h\left( \cos^s_{ijk} - \cos^t_{ijk} \right), \qquad
              \cos_{ijk} = \left\langle \frac{x_j - x_i}{\|x_j - x_i\|}, \frac{x_k - x_i}{\|x_k - x_i\|} \right\rangle

    with :math:`h` as in :class:`RKDDistanceLoss`; triples in which rows coincide have cosine 0.

    Parameters
    ----------
    weight : float, default=1.0
        Factor of this loss in the objective; 50 is usual for networks, with 25 for :class:`RKDDistanceLoss`.
    student_layer, teacher_layer : str, default=None
        Names of the layers; None is the last hidden layer.

    Raises
    ------
    TypeError, ValueError
        If features are not floating point, (n_rows, width) or (n_rows, channels, height, width), or the two sides have
        different numbers of rows. Widths may differ.

    Notes
    -----
    Up to 128 rows all triples are compared. In larger batches every row is a vertex :math:`i`, but :math:`j` and
    :math:`k` are taken from every m-th row only, so that no more than 128^3 triples remain (512 rows: from 64); their
    sum is scaled to what all triples would give on average. Training batches are shuffled, so that these are other
    rows each time; there the value depends on the order of the rows. A batch of one row, or of two different rows,
    gives 0.

    References
    ----------
    .. [1] Park et al. (2019), Relational Knowledge Distillation, arXiv:1904.05068.

    Examples
    --------
    >>> import torch
    >>> from sklkd.losses import RKDAngleLoss
    >>> student, teacher = torch.tensor([[0.0], [1.0], [2.0]]), torch.tensor([[0.0, 0.0], [0.0, 3.0], [3.0, 0.0]])
    >>> RKDAngleLoss()(student, teacher)
    tensor(0.1296)
    """

    def compare(
        self, student: Tensor, target: Tensor, y: Tensor | None = None, sample_weight: Tensor | None = None
    ) -> Tensor:
        student = self.vectors(student, target)
        n_rows = len(student)
        n_ends = min(n_rows, max(2, math.isqrt(MAX_TRIPLES // n_rows)))
        ends = torch.arange(n_ends, device=student.device) * n_rows // n_ends
        total = F.smooth_l1_loss(_cosines(student, ends), _cosines(target, ends), reduction="sum")
        return total * _share_of_all(n_rows, n_ends) / n_rows**3


def _cosines(x: Tensor, ends: Tensor) -> Tensor:
    """Cosines (n, n_ends, n_ends) of the angles at every row between every two of the chosen rows."""
    directions = unit_rows(x[ends] - x[:, None])
    return directions @ directions.mT


def _share_of_all(n_rows: int, n_ends: int) -> float:
    """How many triples of three different rows there are, for each that is compared."""
    if n_ends == n_rows:
        return 1.0
    compared = n_ends * (n_ends - 1) * (n_rows - 2)
    return n_rows * (n_rows - 1) * (n_rows - 2) / compared
