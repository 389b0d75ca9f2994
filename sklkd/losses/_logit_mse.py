"""Squared differences of logits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from sklkd.losses._base import Loss, check_outputs, weighted_mean


class LogitMSELoss(Loss):
    r"""Mean squared difference between the student's and the teacher's logits [1]_.

    .. math:: \frac{1}{n K} \sum_{i=1}^{n} \sum_{k=1}^{K} (z^s_{ik} - z^t_{ik})^2

    Parameters
    ----------
    center : bool, default=True
        Whether each row's mean is subtracted first, on both sides. Softmax does not see a shift of a row: without
        centering, equal probabilities may be far apart, and the log-probabilities of a tree, whose rows all have
        negative means, would be compared with a net's free logits. False gives the published form.
    weight : float, default=1.0
        Factor of this loss in the objective.

    Raises
    ------
    ValueError
        If the two sides' shapes differ.

    Notes
    -----
    For growing temperatures, :class:`SoftTargetLoss` tends to half of the centred value. The logits of a teacher that
    only gives probabilities are clipped from below (see :class:`~sklkd.teachers.Outputs`): this loss depends on that
    clip wherever the teacher is certain. One public library calls the squared difference of *probabilities* by this
    name.

    References
    ----------
    .. [1] Ba and Caruana (2014), Do Deep Nets Really Need to be Deep?, arXiv:1312.6184.

    Examples
    --------
    >>> import torch
    >>> from sklkd.losses import LogitMSELoss
    >>> student, teacher = torch.tensor([[2.0, 0.0]]), torch.tensor([[7.0, 5.0]])
    >>> LogitMSELoss()(student, teacher), LogitMSELoss(center=False)(student, teacher)
    (tensor(0.), tensor(25.))
    """

    tasks = ("classification",)

    def __init__(self, *, center: bool = True, weight: float = 1.0):
        super().__init__(weight=weight)
        self.center = center

    def prepare(self, teacher: Tensor) -> Tensor:
        return self._centered(teacher)

    def target(self, outputs: Any) -> Tensor:
        return self._centered(torch.tensor(outputs.logits)).float()

    def compare(
        self, student: Tensor, target: Tensor, y: Tensor | None = None, sample_weight: Tensor | None = None
    ) -> Tensor:
        check_outputs(student, target)
        student = self._centered(student)
        if sample_weight is None:
            return F.mse_loss(student, target)
        return weighted_mean((student - target).square().mean(1), sample_weight)

    def _centered(self, logits: Tensor) -> Tensor:
        return logits - logits.mean(1, keepdim=True) if self.center else logits
