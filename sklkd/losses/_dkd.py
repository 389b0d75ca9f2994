"""Decoupled knowledge distillation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sklkd.losses._base import Loss, check_number, check_outputs, weighted_mean


class DKDLoss(Loss):
    r"""Soft targets taken apart: the label's class against the rest, and the other classes among themselves [1]_.

    .. math:: \frac{T^2}{n} \sum_{i=1}^{n} \left[ \alpha\, \mathrm{KL}(b^t_i \| b^s_i)
              + \beta\, \mathrm{KL}(q^t_i \| q^s_i) \right]

    where, of probabilities :math:`p = \mathrm{softmax}(z / T)`, :math:`b = (p_y, 1 - p_y)` and :math:`q` are the
    probabilities of the classes other than :math:`y`, renormalised. :class:`SoftTargetLoss` is the same sum with
    :math:`\alpha = 1` and, in place of :math:`\beta`, the teacher's :math:`1 - p_y`, which hides what a certain teacher
    knows of the other classes.

    Parameters
    ----------
    alpha : float, default=1.0
        Weight of the first part, >= 0.
    beta : float, default=8.0
        Weight of the second part, >= 0. The paper uses 2 to 8, the more the surer the teacher.
    temperature : float, default=4.0
        ``T``, above 0.
    weight : float, default=1.0
        Factor of this loss in the objective. The paper ramps it up over the first 20 epochs.

    Raises
    ------
    ValueError
        If a parameter is out of its range, shapes differ, or there is a single class.

    Notes
    -----
    Rows without a label (negative, as -100 in torch) take the teacher's most probable class. With two classes there
    is nothing among the other classes: the second part is 0 and, for ``alpha=1``, the value is that of
    :class:`SoftTargetLoss`. Public codes take the logarithm of summed probabilities, infinite for logits 200 apart;
    here everything stays in log space. The logits of a teacher that only gives probabilities are clipped from below
    (see :class:`~sklkd.teachers.Outputs`); classes at that clip count as equally probable.

    References
    ----------
    .. [1] Zhao et al. (2022), Decoupled Knowledge Distillation, arXiv:2203.08679.

    Examples
    --------
    >>> import torch
    >>> from sklkd.losses import DKDLoss
    >>> student, teacher = torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([[3.0, 1.0, 0.0]])
    >>> DKDLoss()(student, teacher, torch.tensor([0]))
    tensor(1.0196)
    """

    tasks = ("classification",)
    needs_y = True

    def __init__(self, *, alpha: float = 1.0, beta: float = 8.0, temperature: float = 4.0, weight: float = 1.0):
        super().__init__(weight=weight)
        self.alpha = alpha
        self.beta = beta
        self.temperature = temperature

    def check(self) -> None:
        super().check()
        check_number("alpha", self.alpha, 0)
        check_number("beta", self.beta, 0)
        check_number("temperature", self.temperature, 0, strict=True)

    def prepare(self, teacher: Tensor) -> Tensor:
        return teacher / self.temperature

    def target(self, outputs: Any) -> Tensor:
        return self.prepare(torch.tensor(outputs.logits)).float()

    def compare(
        self, student: Tensor, target: Tensor, y: Tensor | None = None, sample_weight: Tensor | None = None
    ) -> Tensor:
        check_outputs(student, target)
        n_classes = target.shape[1]
        if n_classes < 2:
            raise ValueError(f"DKDLoss needs at least 2 classes, got {n_classes}.")
        if y is None:
            raise ValueError("DKDLoss needs labels: call it as loss(student, teacher, y).")
        label = torch.where(y < 0, target.argmax(1), y)[:, None]
        others = torch.arange(n_classes - 1, device=target.device)
        others = others + (others >= label)  # (n, n_classes - 1): every class but the row's label
        student_binary, student_others = _split(student / self.temperature, label, others)
        teacher_binary, teacher_others = _split(target, label, others)
        rows = self.alpha * _divergence(teacher_binary, student_binary)
        rows = rows + self.beta * _divergence(teacher_others, student_others)
        return weighted_mean(rows, sample_weight) * self.temperature**2


def _split(logits: Tensor, label: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Log-probabilities (n, 2) of the label against the rest, and (n, n_classes - 1) of the rest among themselves."""
    rest = logits.gather(1, others)
    binary = torch.cat([logits.gather(1, label), rest.logsumexp(1, keepdim=True)], dim=1)
    return binary.log_softmax(1), rest.log_softmax(1)


def _divergence(teacher: Tensor, student: Tensor) -> Tensor:
    return (teacher.exp() * (teacher - student)).sum(1)
