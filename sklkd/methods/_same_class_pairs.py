"""Class-wise self-distillation: predictions of rows of the same class are drawn together."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sklkd._device import device_of
from sklkd.losses import SoftTargetLoss
from sklkd.losses._base import check_number
from sklkd.losses._objective import hard_loss, logits_of
from sklkd.methods._self import SelfMethod, SelfObjective, Training


class SameClassPairs(SelfMethod):
    r"""The prediction of one row is a soft target for another row of the same class (CS-KD) [1]_.

    .. math:: \mathrm{CE}(y) + \lambda\, \frac{T^2}{n} \sum_{i=1}^{n} \mathrm{KL}(p'_i \| p_i)

    where :math:`p'_i` is the softened prediction of a partner, another row of the class of row :math:`i`, drawn anew
    for every batch from all training rows. The partner is detached.

    Parameters
    ----------
    temperature : float, default=4.0
        ``T``, above 0.
    weight : float, default=1.0
        :math:`\lambda`, at least 0; the paper has 1, and 3 for fine-grained classes. 0 trains on labels only.

    Raises
    ------
    ValueError
        At fit, if a parameter is out of its range, or for regression, where rows have no class.

    Notes
    -----
    A batch's partners cost a second forward pass, without gradients, as in the authors' code. They are drawn in
    proportion to their weights; the only row of a class is its own partner, which has no effect.

    References
    ----------
    .. [1] Yun et al., "Regularizing Class-wise Predictions via Self-knowledge Distillation", CVPR 2020,
       arXiv:2003.13964.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklkd import SelfDistilledClassifier
    >>> from sklkd.methods import SameClassPairs
    >>> X, y = load_iris(return_X_y=True)
    >>> est = SelfDistilledClassifier("tiny", method=SameClassPairs(temperature=2.0), random_state=0).fit(X, y)
    >>> est.score(X, y) > 0.9
    True
    """

    tasks = ("classification",)

    def __init__(self, *, temperature: float = 4.0, weight: float = 1.0):
        self.temperature = temperature
        self.weight = weight

    def check(self, task: str) -> None:
        super().check(task)
        check_number("temperature", self.temperature, 0, strict=True)
        check_number("weight", self.weight, 0)

    def objective(self, training: Training) -> SameClassObjective:
        return SameClassObjective(self)

    def targets(self, training: Training) -> tuple[Tensor]:
        return (torch.arange(len(training.rows)),)


class Partners:
    """Draws for rows other rows of their class, in proportion to their weights.

    Parameters
    ----------
    y : Tensor of shape (n,)
        Class codes.
    weight : Tensor of shape (n,) or None
    """

    def __init__(self, y: Tensor, weight: Tensor | None):
        weight = torch.ones(len(y), dtype=torch.float64) if weight is None else weight.double()
        self.order = torch.argsort(y, stable=True)
        counts = torch.bincount(y)
        ends = counts.cumsum(0)
        # class by class, the rows stand side by side, each as wide as it weighs
        self.width = weight[self.order]
        self.edges = self.width.cumsum(0)
        self.place = torch.empty_like(self.order).scatter_(0, self.order, torch.arange(len(y)))
        first = (ends - counts)[y[self.order]]
        self.first, self.last = first, ends[y[self.order]] - 1
        self.start = self.edges[first] - self.width[first]

    def draw(self, rows: Tensor) -> Tensor:
        """Numbers of the partners of some rows."""
        place = self.place[rows]
        start, own = self.start[place], self.width[place]
        before = self.edges[place] - own
        # a point anywhere in the class but on the row itself, whose width is jumped over
        point = start + torch.rand(len(rows), dtype=torch.float64) * (self.edges[self.last[place]] - start - own)
        point = torch.where(point >= before, point + own, point)
        drawn = torch.searchsorted(self.edges, point, right=True)
        return self.order[torch.minimum(torch.maximum(drawn, self.first[place]), self.last[place])]


class SameClassObjective(SelfObjective):
    """The loss on labels and the divergence from the predictions of other rows of the same class."""

    def __init__(self, method: SameClassPairs):
        super().__init__(method, "classification")
        self.soft = SoftTargetLoss(temperature=method.temperature)
        self.source: Any = None

    def begin_epoch(self, net: Any, rows: Any) -> None:
        super().begin_epoch(net, rows)
        if self.source is None:
            # among the rows that train, which may be a part of all
            numbers = torch.empty(int(rows.targets[0].max()) + 1, dtype=torch.long)
            numbers[rows.targets[0]] = torch.arange(len(rows))
            self.source = net, rows, numbers, Partners(rows.y, rows.weight)

    def partners(self, index: Tensor) -> Tensor:
        """Logits of partners of the rows with these numbers; nothing flows back."""
        net, rows, numbers, partners = self.source
        inputs = rows.inputs[partners.draw(numbers[index.cpu()])]
        with torch.no_grad():
            return logits_of(net.module_(inputs.to(device_of(net.module_))))

    def pairs(self, y_pred: Tensor, partners: Tensor) -> Tensor:
        """The divergence of outputs from those of their partners."""
        return self.soft.compare(y_pred, self.soft.prepare(partners.detach()), None, self.weight)

    def training_loss(self, y_pred: Tensor, y: Tensor) -> Tensor:
        hard = hard_loss(y_pred, y, self.weight)
        if self.method.weight == 0:
            return hard
        return hard + self.method.weight * self.pairs(y_pred, self.partners(self.rows.targets[0]))

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "source": None}
