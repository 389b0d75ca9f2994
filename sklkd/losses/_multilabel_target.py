"""Soft targets of several labels a row."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from sklkd.losses._base import Loss, check_number, check_outputs, weighted_mean

# The least probability of which the odds are taken, and the largest below 1, as for classes
FLOOR = 1e-4


class MultilabelTargetLoss(Loss):
    r"""Kullback-Leibler divergence of the student's softened probability of each label from the teacher's [1]_.

    .. math:: \frac{T^2}{n K} \sum_{i=1}^{n} \sum_{k=1}^{K} \mathrm{KL}(\mathrm{B}(p^t_{ik}) \|
              \mathrm{B}(p^s_{ik})), \qquad p = \frac{1}{1 + e^{-z / T}}

    Averaged over rows and labels, of which a row may have any number; :math:`\mathrm{B}(p)` is the distribution of a
    label that is there with probability p. The factor :math:`T^2` keeps the gradient comparable over temperatures.

    Parameters
    ----------
    temperature : float, default=1.0
        ``T``, above 0. Larger values show more of the small probabilities. At 1 the teacher's probabilities are used
        exactly as they are; at any other value they come from logits, before which they are clipped to 1e-4 from 0
        and from 1.
    weight : float, default=1.0
        Factor of this loss in the objective.

    Raises
    ------
    ValueError
        If ``temperature`` is not above 0, or shapes differ.

    References
    ----------
    .. [1] Yang, Xie, Zong, Feng, Niu, Sugiyama and Huang (2023), Multi-Label Knowledge Distillation,
       arXiv:2308.06453: the part of their method that compares logits. They sum over labels.

    Examples
    --------
    Both sides are logits, (n_rows, n_labels):

    >>> import torch
    >>> from sklkd.losses import MultilabelTargetLoss
    >>> student, teacher = torch.tensor([[2.0, 0.0]]), torch.tensor([[3.0, -1.0]])
    >>> MultilabelTargetLoss()(student, teacher)
    tensor(0.0709)
    """

    tasks = ("multilabel",)

    def __init__(self, *, temperature: float = 1.0, weight: float = 1.0):
        super().__init__(weight=weight)
        self.temperature = temperature

    def check(self) -> None:
        super().check()
        check_number("temperature", self.temperature, 0, strict=True)

    def prepare(self, teacher: Tensor) -> tuple[Tensor, Tensor]:
        return labels_with_negative_entropy((teacher / self.temperature).sigmoid())

    def target(self, outputs: Any) -> tuple[Tensor, Tensor]:
        proba = torch.tensor(outputs.values)
        if self.temperature != 1:
            proba = (torch.logit(proba, eps=FLOOR) / self.temperature).sigmoid()
        proba, negative_entropy = labels_with_negative_entropy(proba)
        return proba.float(), negative_entropy.float()

    def compare(
        self,
        student: Tensor,
        target: tuple[Tensor, Tensor],
        y: Tensor | None = None,
        sample_weight: Tensor | None = None,
    ) -> Tensor:
        proba, negative_entropy = target
        check_outputs(student, proba)
        entropy = F.binary_cross_entropy_with_logits(student / self.temperature, proba, reduction="none")
        return weighted_mean(entropy.mean(1) + negative_entropy, sample_weight) * self.temperature**2


def labels_with_negative_entropy(proba: Tensor) -> tuple[Tensor, Tensor]:
    """Probabilities, and each row's negative entropy, mean over labels, which makes a divergence of a cross-entropy."""
    other = 1 - proba
    return proba, (torch.special.xlogy(proba, proba) + torch.special.xlogy(other, other)).mean(1)
