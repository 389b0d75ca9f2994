"""The flow of the solution procedure."""

from __future__ import annotations

import torch
from torch import Tensor

from sklkd.losses._base import weighted_mean
from sklkd.losses._feature import at_same_positions
from sklkd.losses._relation import BetweenLayersLoss


class FSPLoss(BetweenLayersLoss):
    r"""Gram matrices between two layers, row by row [1]_.

    .. math:: \frac{1}{n C_1 C_2} \sum_{i=1}^{n} \| G^s_i - G^t_i \|^2, \qquad
              G_i = \frac{1}{H W} F_{1, i} F_{2, i}^\top

    where :math:`F_{1,i}` is (channels, positions). Vectors (n_rows, width) have one position: :math:`G` is then the
    outer product of the two layers.

    Parameters
    ----------
    weight : float, default=1.0
        Factor of this loss in the objective; 50 is usual for networks.
    student_layer, teacher_layer : tuple of two str, default=None
        Names of the layers, in the order of the forward pass; None is the last two hidden layers.

    Raises
    ------
    TypeError, ValueError
        If a side is not two layers on the same rows, both vectors or both maps; if widths differ between the sides and
        there is no projector.

    Notes
    -----
    Inside an estimator, a layer whose width differs from the teacher's gets a learnt projector. Of two maps of
    different sizes the larger is average-pooled to the smaller (one public library takes the maximum). The paper sums
    over the matrix, others divide by the rows alone or by 2.

    References
    ----------
    .. [1] Yim et al. (2017), A Gift from Knowledge Distillation: Fast Optimization, Network Minimization and Transfer
       Learning, CVPR.

    Examples
    --------
    >>> import torch
    >>> from sklkd.losses import FSPLoss
    >>> s1, s2 = torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 0.0, 1.0]])
    >>> t1, t2 = torch.tensor([[1.0, 1.0]]), torch.tensor([[1.0, 1.0, 0.0]])
    >>> FSPLoss()((s1, s2), (t1, t2))
    tensor(1.3333)
    """

    def compare(
        self,
        student: tuple[Tensor, Tensor],
        target: tuple[Tensor, Tensor],
        y: Tensor | None = None,
        sample_weight: Tensor | None = None,
    ) -> Tensor:
        difference = self._gram(*self.project(student, target)) - self._gram(*target)
        return weighted_mean(difference.square().mean((1, 2)), sample_weight)

    def _gram(self, first: Tensor, second: Tensor) -> Tensor:
        if first.ndim != second.ndim:
            raise ValueError(
                "FSPLoss needs two layers of vectors or two layers of maps, "
                f"got shapes {tuple(first.shape)} and {tuple(second.shape)}."
            )
        if first.ndim == 2:
            return first[:, :, None] * second[:, None, :]
        first, second = at_same_positions(first, second)
        first, second = first.flatten(2), second.flatten(2)
        return torch.bmm(first, second.mT) / first.shape[2]
