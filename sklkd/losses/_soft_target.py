"""Hinton's soft targets."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from sklkd.losses._base import Loss, check_number, check_outputs, weighted_mean

# With less spread than this a row of logits has no shape. The published 1e-7 gives the constant rows of a
# zero-initialised head a gradient of 1e6, which this keeps at 2e2.
STD_FLOOR = 1e-3


class SoftTargetLoss(Loss):
    r"""Kullback-Leibler divergence of the student's softened probabilities from the teacher's [1]_.

    .. math:: \frac{T^2}{n} \sum_{i=1}^{n} \mathrm{KL}(p^t_i \| p^s_i), \qquad p = \mathrm{softmax}(z / T)

    Summed over classes, averaged over rows. The factor :math:`T^2` keeps the gradient comparable over temperatures.

    Parameters
    ----------
    temperature : float, default=1.0
        ``T``, above 0. Larger values show more of the small probabilities. At 1 the teacher's probabilities are used
        exactly as they are, zeros included; at any other value they come from logits, which for a teacher that only
        gives probabilities are clipped from below (see :class:`~sklkd.teachers.Outputs`). Networks are usually
        distilled at 4; ensembles of trees are soft already, hence the default.
    standardize : bool, default=False
        Whether each row of logits, on both sides, is first brought to mean 0 and (unbiased) standard deviation 1 [2]_,
        so that the student need not match the teacher's scale. The paper's temperature is then 2, its weight 9.
        Standard deviations below 1e-3 count as 1e-3.
    weight : float, default=1.0
        Factor of this loss in the objective.

    Raises
    ------
    ValueError
        If ``temperature`` is not above 0; if shapes differ; if logits of two classes are to be standardised: every
        row then becomes (0.7, -0.7) or (-0.7, 0.7), and only the teacher's decision is left.

    Notes
    -----
    Public codes disagree: some average over classes too (a value smaller by their number), some leave out
    :math:`T^2`, some give the cross-entropy, which is larger by the teacher's entropy and has the same gradient.

    References
    ----------
    .. [1] Hinton, Vinyals and Dean (2015), Distilling the Knowledge in a Neural Network, arXiv:1503.02531.
    .. [2] Sun et al. (2024), Logit Standardization in Knowledge Distillation, arXiv:2403.01427.

    Examples
    --------
    Both sides are logits, (n_rows, n_classes):

    >>> import torch
    >>> from sklkd.losses import SoftTargetLoss
    >>> student, teacher = torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([[3.0, 1.0, 0.0]])
    >>> SoftTargetLoss(temperature=4)(student, teacher)
    tensor(0.0917)
    """

    tasks = ("classification",)

    def __init__(self, *, temperature: float = 1.0, standardize: bool = False, weight: float = 1.0):
        super().__init__(weight=weight)
        self.temperature = temperature
        self.standardize = standardize

    @property
    def fits_estimators(self) -> bool:
        return self.temperature == 1 and not self.standardize

    def check(self) -> None:
        super().check()
        check_number("temperature", self.temperature, 0, strict=True)

    def prepare(self, teacher: Tensor) -> tuple[Tensor, Tensor]:
        return with_negative_entropy(self._soften(teacher).softmax(1))

    def target(self, outputs: Any) -> tuple[Tensor, Tensor]:
        if self.temperature == 1 and not self.standardize:
            proba = torch.tensor(outputs.proba)
        else:
            proba = self._soften(torch.tensor(outputs.logits)).softmax(1)
        proba, negative_entropy = with_negative_entropy(proba)
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
        student = self._soften(student)
        # the cross-entropy alone carries the gradient: the teacher's entropy only moves the value to the divergence
        if sample_weight is None:
            divergence = F.cross_entropy(student, proba) + negative_entropy.mean()
        else:
            rows = F.cross_entropy(student, proba, reduction="none") + negative_entropy
            divergence = weighted_mean(rows, sample_weight)
        return divergence if self.temperature == 1 else divergence * self.temperature**2

    def _soften(self, logits: Tensor) -> Tensor:
        if self.standardize:
            if logits.shape[1] < 3:
                raise ValueError(
                    f"standardize=True needs at least 3 classes, got {logits.shape[1]}: of two logits, standardising "
                    "leaves only which is larger. Use standardize=False."
                )
            std, mean = torch.std_mean(logits, dim=1, keepdim=True)
            logits = (logits - mean) / std.clamp(min=STD_FLOOR)
        return logits if self.temperature == 1 else logits / self.temperature


def with_negative_entropy(proba: Tensor) -> tuple[Tensor, Tensor]:
    """Probabilities, and the negative entropy of each row, which makes a divergence of a cross-entropy."""
    return proba, torch.special.xlogy(proba, proba).sum(1)
