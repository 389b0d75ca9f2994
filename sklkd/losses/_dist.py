"""Correlations with the teacher instead of exact agreement."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sklkd.losses._base import Loss, check_number, check_outputs
from sklkd.losses._geometry import SQUARED_NORM_FLOOR, unit_rows


class DISTLoss(Loss):
    r"""Pearson correlation of probabilities with the teacher's, over classes and over rows [1]_.

    .. math:: T^2 \left[ \beta \left(1 - \frac{1}{n} \sum_{i=1}^{n} r(p^s_{i \cdot}, p^t_{i \cdot}) \right)
              + \gamma \left(1 - \frac{1}{K} \sum_{k=1}^{K} r(p^s_{\cdot k}, p^t_{\cdot k}) \right) \right]

    with :math:`p = \mathrm{softmax}(z / T)`. A correlation ignores shift and scale: the student need not reach the
    confidence of a much stronger teacher.

    Parameters
    ----------
    beta : float, default=1.0
        Weight of the correlation of each row over the classes, >= 0.
    gamma : float, default=1.0
        Weight of the correlation of each class over the rows of the batch, >= 0. It wants batches that are large and
        shuffled.
    temperature : float, default=1.0
        ``T``, above 0. At 1 the teacher's probabilities are used exactly as they are.
    weight : float, default=1.0
        Factor of this loss in the objective.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or shapes differ.

    Notes
    -----
    Where the teacher is constant (a uniform row, a class absent from the batch, a batch of one row) there is no
    relation to keep: the term is 0, while public codes add 1. Where only the student is constant the correlation is 0,
    the term 1 and its gradient 0 (1e7 in public codes). With two classes a row's correlation is 1 or -1, as the
    decisions agree or not: only the second part has a gradient. Row weights count as repetitions of a row, also in the
    correlations over rows. The authors' code has no temperature.

    References
    ----------
    .. [1] Huang et al. (2022), Knowledge Distillation from A Stronger Teacher, arXiv:2205.10536.

    Examples
    --------
    >>> import torch
    >>> from sklkd.losses import DISTLoss
    >>> student = torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    >>> teacher = torch.tensor([[3.0, 1.0, 0.0], [0.0, 2.0, 1.0]])
    >>> DISTLoss()(student, teacher)
    tensor(0.0188)
    """

    tasks = ("classification",)

    def __init__(self, *, beta: float = 1.0, gamma: float = 1.0, temperature: float = 1.0, weight: float = 1.0):
        super().__init__(weight=weight)
        self.beta = beta
        self.gamma = gamma
        self.temperature = temperature

    def check(self) -> None:
        super().check()
        check_number("beta", self.beta, 0)
        check_number("gamma", self.gamma, 0)
        check_number("temperature", self.temperature, 0, strict=True)

    def prepare(self, teacher: Tensor) -> Tensor:
        return (teacher / self.temperature).softmax(1)

    def target(self, outputs: Any) -> Tensor:
        if self.temperature == 1:
            return torch.tensor(outputs.proba).float()
        return self.prepare(torch.tensor(outputs.logits)).float()

    def compare(
        self, student: Tensor, target: Tensor, y: Tensor | None = None, sample_weight: Tensor | None = None
    ) -> Tensor:
        check_outputs(student, target)
        n_rows, n_classes = target.shape
        student = (student / self.temperature).softmax(1)
        if sample_weight is None:
            row_weight = student.new_full((n_rows,), 1 / n_rows)
        else:
            row_weight = sample_weight / sample_weight.sum().clamp(min=torch.finfo(student.dtype).tiny)
        over_classes = _one_minus_correlation(student, target, student.new_full((n_classes,), 1 / n_classes))
        over_rows = _one_minus_correlation(student.T, target.T, row_weight)
        loss = self.beta * (over_classes * row_weight).sum() + self.gamma * over_rows.mean()
        return loss * self.temperature**2


def _one_minus_correlation(student: Tensor, teacher: Tensor, row_weight: Tensor) -> Tensor:
    """For each row, 1 - Pearson correlation with weighted entries; 0 where the teacher is constant."""
    student = (student - (student * row_weight).sum(1, keepdim=True)) * row_weight.sqrt()
    teacher = (teacher - (teacher * row_weight).sum(1, keepdim=True)) * row_weight.sqrt()
    related = teacher.square().sum(1) > SQUARED_NORM_FLOOR
    return related * (1 - (unit_rows(student) * unit_rows(teacher)).sum(1))
