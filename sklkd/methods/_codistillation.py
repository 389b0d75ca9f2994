"""Codistillation: peers that learn from each other's predictions of a while ago."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from sklkd._device import device_of
from sklkd._torch import evaluating
from sklkd.losses._base import check_integer, check_number
from sklkd.losses._tasks import as_target, predictions_of
from sklkd.methods._online import CohortObjective, OnlineMethod, mean_divergence
from sklkd.students._forward import forward_all


class Codistillation(OnlineMethod):
    r"""Each peer learns from the mean of the others' stale predictions, after a burn-in [1]_.

    .. math:: L_k = \mathrm{CE}(y, z_k) + w\, T^2\, \mathrm{KL}\Bigl(
       \frac{1}{K - 1} \sum_{j \ne k} \tilde p_j \Big\| p_k\Bigr), \qquad p = \mathrm{softmax}(z / T)

    where :math:`\tilde p_j` are probabilities of a copy of the j-th peer that was made at the start of an epoch. For
    regression both terms are squared differences of standardised targets.

    Parameters
    ----------
    temperature : float, default=1.0
        ``T``, above 0; 1 as in the paper.
    weight : float, default=1.0
        ``w``.
    burn_in : float, default=0.1
        Fraction of the epochs, in [0, 1), in which peers learn from labels only; rounded up.
    every : int, default=1
        Epochs after which the predictions are renewed.

    Notes
    -----
    The copies predict each training row once, outside of the steps, and their predictions are stored: an array of as
    many numbers as rows, peers and outputs. The paper exchanges copies over a network instead, and renews them after a
    number of steps.

    References
    ----------
    .. [1] R. Anil et al. (2018), Large scale distributed neural network training through online distillation, ICLR,
       arXiv:1804.03235.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklkd import OnlineDistilledClassifier
    >>> from sklkd.methods import Codistillation
    >>> X, y = load_iris(return_X_y=True)
    >>> peers = [("a", "tiny"), ("b", "tiny")]
    >>> est = OnlineDistilledClassifier(peers, method=Codistillation(burn_in=0.2), deploy="a", random_state=0)
    >>> est.fit(X, y).score(X, y) > 0.9
    True
    """

    def __init__(self, *, temperature: float = 1.0, weight: float = 1.0, burn_in: float = 0.1, every: int = 1):
        super().__init__(temperature=temperature, weight=weight)
        self.burn_in = burn_in
        self.every = every

    def check(self, task: str) -> None:
        super().check(task)
        check_number("burn_in", self.burn_in, 0)
        if not self.burn_in < 1:
            raise ValueError(f"burn_in must be < 1, got burn_in={self.burn_in}: no epoch would distil.")
        check_integer("every", self.every, 1)

    def targets(self, n_rows: int, n_peers: int, n_outputs: int) -> list[Tensor]:
        return [torch.zeros(n_rows, n_peers, n_outputs)]

    def begin_epoch(self, objective: CohortObjective, net: Any, rows: Any) -> None:
        since = objective.epoch - objective.n_epochs * self.burn_in
        objective.distilling = since >= 0
        if objective.distilling and int(since) % self.every == 0:
            rows.targets[0].copy_(self.stale(objective, net, rows.inputs))

    def stale(self, objective: CohortObjective, net: Any, inputs: Tensor) -> Tensor:
        """For each row and peer the mean of the others' predictions now, (n_rows, n_peers, n_outputs)."""
        with evaluating(net.module_):
            predictions = torch.stack(forward_all(net.module_, inputs, device_of(net.module_)))
        if objective.task != "regression":
            predictions = predictions_of(predictions / self.temperature, objective.task)
        return ((predictions.sum(0) - predictions) / (len(predictions) - 1)).transpose(0, 1)

    def distillation_losses(self, outputs: Sequence[Tensor], y: Tensor, objective: CohortObjective) -> list[Tensor]:
        if not objective.distilling:
            return []
        stale = objective.rows.targets[0].unbind(1)
        return [
            self.weight * mean_divergence(output, [as_target(one, objective.task)], [1.0], self.temperature, objective)
            for output, one in zip(outputs, stale, strict=True)
        ]
