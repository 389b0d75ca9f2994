"""Quantiles against labels, for regression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from sklkd.losses._base import Loss, check_number, check_outputs, weighted_mean


class PinballLoss(Loss):
    r"""Pinball loss of the student's quantiles: labels teach them, beside or in place of the teacher's quantiles.

    With level :math:`\tau_k` of output k, the mean over rows and outputs of
    :math:`\max(\tau_k d, (\tau_k - 1) d)`, :math:`d = y - s_k`, in units of the target's standard deviation where an
    estimator calls the loss. Its minimum is the quantile of the labels [1]_, also where that of the teacher is biased.
    A row without a label, such as a synthetic one, is compared with the teacher's quantile in place of the label.

    Parameters
    ----------
    levels : sequence of float, default=None
        One for each output, each above 0 and below 1. None: those of the quantiles that the teacher estimates, or 0.5
        for each output where it estimates something else or the loss is called by itself.
    weight : float, default=1.0
        Factor of this loss in the objective.

    Raises
    ------
    ValueError
        If a level is not between 0 and 1, there are not as many levels as outputs, shapes differ, or labels are
        missing.

    Notes
    -----
    The labels' own term, of ``hard_weight``, is squared error, which asks for the mean: with quantiles leave it at 0,
    which "auto" does. The estimators sort the quantiles of one target, which makes this loss no larger [2]_.
    ``[("teacher", TargetLoss()), ("labels", PinballLoss(weight=0.3))]`` takes both sides. A student that imitates is
    not stopped early: by this loss alone a long training learns noisy labels by heart, so that fewer epochs are better.

    References
    ----------
    .. [1] Koenker and Bassett (1978), Regression Quantiles, Econometrica 46.
    .. [2] Chernozhukov, Fernández-Val and Galichon (2010), Quantile and Probability Curves Without Crossing,
       arXiv:0704.3649.

    Examples
    --------
    Student and teacher have shape (n_rows, n_levels), labels (n_rows,) or (n_rows, n_levels):

    >>> import torch
    >>> from sklkd.losses import PinballLoss
    >>> student, teacher = torch.tensor([[1.0, 3.0]]), torch.tensor([[0.0, 5.0]])
    >>> PinballLoss(levels=(0.1, 0.9))(student, teacher, torch.tensor([4.0]))
    tensor(0.6000)
    """

    tasks = ("regression",)
    needs_y = True

    def __init__(self, *, levels: Sequence[float] | None = None, weight: float = 1.0):
        super().__init__(weight=weight)
        self.levels = levels
        self._of_teacher: tuple[float, ...] = ()

    def check(self) -> None:
        super().check()
        for level in () if self.levels is None else self.levels:
            check_number("levels", level, 0, strict=True)
            if level >= 1:
                raise ValueError(f"levels must each be < 1, got levels={self.levels!r}.")

    def learn_estimand(self, estimand: Any) -> None:
        self._of_teacher = tuple(estimand.levels) if estimand.kind == "quantile" else ()

    def target(self, outputs: Any) -> Tensor:
        return torch.tensor(outputs.values).float()

    def compare(
        self, student: Tensor, target: Tensor, y: Tensor | None = None, sample_weight: Tensor | None = None
    ) -> Tensor:
        check_outputs(student, target)
        if y is None:
            raise ValueError("PinballLoss needs labels: call it as loss(student, teacher, y).")
        labels = y.reshape(len(y), -1).to(student.dtype).expand_as(student)
        above = torch.where(labels.isnan(), target, labels) - student
        levels = torch.tensor(self._levels(student.shape[1]), dtype=student.dtype).to(student.device)
        return weighted_mean(torch.maximum(levels * above, (levels - 1) * above).mean(1), sample_weight)

    def _levels(self, n_outputs: int) -> tuple[float, ...]:
        levels = self._of_teacher if self.levels is None else tuple(self.levels)
        levels = levels or (0.5,) * n_outputs
        if len(levels) != n_outputs:
            raise ValueError(
                f"levels must be one for each of the student's {n_outputs} outputs, got {levels}: the teacher has to "
                "estimate as many quantiles of one target."
            )
        return levels
