"""Targets corrected by the labels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from sklkd.losses._base import Loss, check_number, check_outputs, weighted_mean

SCALES = ("probability", "log")
# From below, in the logarithm and in 1/p: the paper's clip for tabular data.
PROBABILITY_FLOOR = 1 / 500


class CorrectedTargetLoss(Loss):
    r"""Squared distance from the teacher's probabilities, moved towards the labels where they are wrong [1]_.

    .. math:: \frac{1}{n K} \sum_{i=1}^{n} \sum_{k=1}^{K} (f^s_{ik} - t_{ik})^2, \qquad
              t = f(p) + f'(p)\, \frac{c}{c + (y - p)^2}\, (y - p)

    where :math:`p` is the teacher's probability, :math:`y` is 1 for the label's class and 0 for the others, and
    :math:`f` is the scale: the probability itself, or its logarithm. A teacher's error biases its student; to first
    order the correction takes the bias away, and :math:`c` bounds what it adds in variance.

    Parameters
    ----------
    c : float, default=1.0
        Above 0: how far the labels are followed. Towards 0 the target is the teacher's probability; infinity is
        allowed and gives the unbounded (orthogonal) correction, on the scale of probabilities the label itself.
    scale : {"probability", "log"}, default="probability"
        What is compared. With "log", :math:`p` is clipped from below at 1/500, in the logarithm and in :math:`1/p`;
        small probabilities of the true class give targets far above log 1 = 0, in the hundreds.
    weight : float, default=1.0
        Factor of this loss in the objective.

    Raises
    ------
    ValueError
        If ``c`` is not above 0, ``scale`` is unknown, or shapes differ.

    Notes
    -----
    Meant for a teacher's predictions on rows that it was not fitted on (``cv="oob"``, or a number of folds): in-sample,
    probabilities are near the labels and there is nothing left to correct. Rows without a label (negative, as -100 in
    torch) keep the teacher's probabilities. Public codes for networks compare the student's raw outputs, and clip at
    1/1000 or 1/100; here the student's softmax or log-softmax is compared, so that both sides are on one scale.

    References
    ----------
    .. [1] Dao et al. (2021), Knowledge Distillation as Semiparametric Inference, arXiv:2104.09732.

    Examples
    --------
    >>> import torch
    >>> from sklkd.losses import CorrectedTargetLoss
    >>> student = torch.tensor([[0.5, 0.5], [0.5, 0.5]]).log()
    >>> teacher = torch.tensor([[0.2, 0.8], [0.2, 0.8]]).log()
    >>> CorrectedTargetLoss()(student, teacher, torch.tensor([1, 0]))
    tensor(0.1388)
    """

    tasks = ("classification",)
    needs_y = True

    def __init__(self, *, c: float = 1.0, scale: str = "probability", weight: float = 1.0):
        super().__init__(weight=weight)
        self.c = c
        self.scale = scale

    def check(self) -> None:
        super().check()
        check_number("c", self.c, 0, strict=True, finite=False)
        if self.scale not in SCALES:
            raise ValueError(f"scale must be one of {', '.join(map(repr, SCALES))}, got scale={self.scale!r}.")

    def prepare(self, teacher: Tensor) -> Tensor:
        return teacher.softmax(1)

    def target(self, outputs: Any) -> Tensor:
        return torch.tensor(outputs.proba).float()

    def compare(
        self, student: Tensor, target: Tensor, y: Tensor | None = None, sample_weight: Tensor | None = None
    ) -> Tensor:
        check_outputs(student, target)
        if y is None:
            raise ValueError("CorrectedTargetLoss needs labels: call it as loss(student, teacher, y).")
        truth = torch.where((y >= 0)[:, None], F.one_hot(y.clamp(min=0), target.shape[1]).to(target.dtype), target)
        corrected = corrected_target(target, truth, self.c, self.scale)
        student = student.softmax(1) if self.scale == "probability" else student.log_softmax(1)
        return weighted_mean((student - corrected).square().mean(1), sample_weight)


def corrected_target(proba: Tensor, truth: Tensor, c: float, scale: str) -> Tensor:
    """The teacher's probabilities, on the given scale, moved towards the truth (0 or 1); all shapes are equal."""
    error = truth - proba
    step = error / (1 + error.square() / c)
    if scale == "probability":
        return proba + step
    proba = proba.clamp(min=PROBABILITY_FLOOR)
    return proba.log() + step / proba
