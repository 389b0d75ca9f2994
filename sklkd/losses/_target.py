"""Real-valued targets, for regression."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from sklkd.losses._base import Loss, check_number, check_outputs, weighted_mean

KINDS = ("squared", "huber", "gaussian")


class TargetLoss(Loss):
    r"""Distance between the student's and the teacher's predictions in regression.

    With :math:`d` their difference, in units of the target's standard deviation where an estimator calls the loss, the
    mean over rows and targets of

    - squared: :math:`d^2`;
    - huber: :math:`d^2` where :math:`|d| \le \delta`, and :math:`2 \delta |d| - \delta^2` beyond [1]_, so that the rows
      on which the teacher is far off pull with a bounded force;
    - gaussian: :math:`\frac{\delta^2}{\delta^2 + \sigma^2} d^2`, where :math:`\sigma` is the spread (standard
      deviation) of the predictions of the teacher's members: rows on which the ensemble disagrees count less.

    All three are equal where differences and spread are small against :math:`\delta`, so one ``hard_weight`` suits all.

    Parameters
    ----------
    kind : {"squared", "huber", "gaussian"}, default="squared"
        "gaussian" needs a teacher with members, such as a forest.
    delta : float, default=1.0
        Above 0. Where "huber" turns linear; for "gaussian" the standard deviation of the noise that remains when all
        members agree. Not used by "squared".
    weight : float, default=1.0
        Factor of this loss in the objective.

    Raises
    ------
    ValueError
        If ``kind`` is unknown, ``delta`` not above 0, shapes differ, or the teacher has no spread to give.

    Notes
    -----
    The Gaussian form is :math:`2 \delta^2\, \mathrm{KL}(N(t, \delta^2 + \sigma^2) \| N(s, \delta^2 + \sigma^2))`: the
    teacher's prediction is known up to noise and disagreement, the student is given the same variance, and the factor
    makes it the squared difference where there is no disagreement. It is the attenuation of [2]_ with a variance that
    is read from the ensemble, not learnt. The Huber form is scikit-learn's; torch's has half its value.

    References
    ----------
    .. [1] Huber (1964), Robust Estimation of a Location Parameter, Annals of Mathematical Statistics 35.
    .. [2] Kendall and Gal (2017), What Uncertainties Do We Need in Bayesian Deep Learning?, arXiv:1703.04977.

    Examples
    --------
    Both sides have shape (n_rows, n_targets); the Gaussian kind takes the teacher's mean and spread:

    >>> import torch
    >>> from sklkd.losses import TargetLoss
    >>> student, teacher = torch.tensor([[1.0], [3.0]]), torch.tensor([[1.0], [0.0]])
    >>> TargetLoss()(student, teacher), TargetLoss(kind="huber")(student, teacher)
    (tensor(4.5000), tensor(2.5000))
    >>> TargetLoss(kind="gaussian")(student, (teacher, torch.tensor([[0.0], [1.0]])))
    tensor(2.2500)
    """

    tasks = ("regression",)

    def __init__(self, *, kind: str = "squared", delta: float = 1.0, weight: float = 1.0):
        super().__init__(weight=weight)
        self.kind = kind
        self.delta = delta

    @property
    def needs_spread(self) -> bool:
        return self.kind == "gaussian"

    @property
    def fits_estimators(self) -> bool:
        return self.kind == "squared"

    def check(self) -> None:
        super().check()
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(map(repr, KINDS))}, got kind={self.kind!r}.")
        check_number("delta", self.delta, 0, strict=True)

    def prepare(self, teacher: Tensor | tuple[Tensor, Tensor]) -> Tensor | tuple[Tensor, Tensor]:
        if self.kind != "gaussian":
            return teacher
        mean, spread = teacher
        check_outputs(mean, spread)
        return mean, self.delta**2 / (self.delta**2 + spread.square())

    def target(self, outputs: Any) -> Tensor | tuple[Tensor, Tensor]:
        values = torch.tensor(outputs.values)
        if self.kind != "gaussian":
            return values.float()
        if outputs.spread is None:
            raise ValueError(
                "TargetLoss(kind='gaussian') needs the spread of an ensemble's members, which this teacher does not "
                "have. Use kind='squared' or kind='huber'."
            )
        mean, precision = self.prepare((values, torch.tensor(outputs.spread)))
        return mean.float(), precision.float()

    def compare(
        self,
        student: Tensor,
        target: Any,
        y: Tensor | None = None,
        sample_weight: Tensor | None = None,
    ) -> Tensor:
        mean = target[0] if self.kind == "gaussian" else target
        check_outputs(student, mean)
        if self.kind == "huber":
            elements = 2 * F.huber_loss(student, mean, reduction="none", delta=self.delta)
        else:
            elements = (student - mean).square()
            if self.kind == "gaussian":
                elements = elements * target[1]
        return elements.mean() if sample_weight is None else weighted_mean(elements.mean(1), sample_weight)
