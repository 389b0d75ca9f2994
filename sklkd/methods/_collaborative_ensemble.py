"""Online knowledge distillation via collaborative learning (KDCL)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit, log_softmax
from torch import Tensor
from torch.nn import functional as F

from sklkd._device import device_of
from sklkd._torch import evaluating
from sklkd.losses._tasks import labels_as_predictions, predictions_of, row_losses
from sklkd.methods._online import CohortObjective, OnlineMethod, mean_divergence, softened
from sklkd.students._forward import forward_all

PRECISION = 1e-10  # of the loss: that of similar peers differs by little
COMBINATIONS = ("auto", "min_logit", "linear", "general", "mean", "best")


class CollaborativeEnsemble(OnlineMethod):
    r"""Each peer learns from a combination of all peers [1]_.

    .. math:: L_k = \mathrm{CE}(y, z_k) + w\, T^2\, \mathrm{KL}(p_e \| p_k), \qquad p = \mathrm{softmax}(z / T)

    where :math:`z_e` is a combination of all peers' logits, a constant in :math:`L_k`. For regression both terms are
    squared differences of standardised targets.

    Parameters
    ----------
    temperature : float, default=2.0
        ``T``, above 0; 2 as in the paper.
    weight : float, default=1.0
        ``w``.
    combination : {"auto", "min_logit", "linear", "general", "mean", "best"}, default="auto"
        How the peers' outputs are combined in training:

        - "min_logit" (classes and labels): each logit's distance from that of the true class, the least over the peers
          (KDCL-MinLogit); of several labels a row the logit that is surest of what is true;
        - "linear": the weighted mean of logits or values with the least loss on a batch's labels (KDCL-Linear);
        - "general": the weighted mean whose weights, renewed before each epoch, have the least squared error of
          probabilities or values on validation rows (KDCL-General). These are what the estimator holds out by
          ``validation_fraction``; of fewer than 50 rows it holds out none, and the training rows serve;
        - "mean": the mean of logits or values;
        - "best": the output of the peer with the least loss on the row's label (KDCL-Naive).

        "auto" is "min_logit" for classes and labels, "mean" for real targets. Rows without a label get the mean, and so
        does ``deploy="ensemble"``, which has no labels.

    Notes
    -----
    Weights are at least 0 and sum to 1. The paper lets those of "general" be negative, which become huge where peers
    make the same errors.

    References
    ----------
    .. [1] Q. Guo et al. (2020), Online knowledge distillation via collaborative learning, CVPR.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklkd import OnlineDistilledClassifier
    >>> from sklkd.methods import CollaborativeEnsemble
    >>> X, y = load_iris(return_X_y=True)
    >>> peers = [("a", "tiny"), ("b", "tiny"), ("c", "tiny")]
    >>> est = OnlineDistilledClassifier(peers, method=CollaborativeEnsemble(), deploy="ensemble", random_state=0)
    >>> est.fit(X, y).score(X, y) > 0.9
    True
    """

    def __init__(self, *, temperature: float = 2.0, weight: float = 1.0, combination: str = "auto"):
        super().__init__(temperature=temperature, weight=weight)
        self.combination = combination

    def check(self, task: str) -> None:
        super().check(task)
        if self.combination not in COMBINATIONS:
            raise ValueError(f"combination must be one of {list(COMBINATIONS)}, got combination={self.combination!r}.")
        if self.combination == "min_logit" and task == "regression":
            raise ValueError("combination='min_logit' needs classes or labels, got real targets: use another.")

    @property
    def holds_out(self) -> bool:
        return self.combination == "general"

    def begin_epoch(self, objective: CohortObjective, net: Any, rows: Any) -> None:
        if self.combination != "general":
            return
        validation = rows if objective.held is None else objective.held
        with evaluating(net.module_):
            outputs = torch.stack(forward_all(net.module_, validation.inputs, device_of(net.module_)))
        task = objective.task
        truth = labels_as_predictions(validation.y, task, outputs.shape[2])
        objective.mixture = best_mixture(predictions_of(outputs, task), truth, validation.weight)

    def distillation_losses(self, outputs: Sequence[Tensor], y: Tensor, objective: CohortObjective) -> list[Tensor]:
        peers = torch.stack([output.detach() for output in outputs])
        combined = self.together(peers, y, objective.weight, objective.mixture)
        target = softened(combined, self.temperature, objective.task)
        return [
            self.weight * mean_divergence(output, [target], [1.0], self.temperature, objective) for output in outputs
        ]

    def together(
        self, outputs: Tensor, y: Tensor, weight: Tensor | None = None, mixture: Sequence[float] = ()
    ) -> Tensor:
        """The peers' outputs, (n_peers, n, n_outputs), combined to their targets, (n, n_outputs).

        ``weight`` are the rows', ``mixture`` the weights of the peers for "general".
        """
        real = y.is_floating_point()
        first = y if y.ndim == 1 else y[:, 0]
        labelled = ~first.isnan() if real else first >= 0
        kind = self.combination if self.combination != "auto" else "mean" if real else "min_logit"
        if kind == "mean":
            return outputs.mean(0)
        if kind == "min_logit" and y.ndim == 2:
            combined = torch.where(y == 1, outputs.amax(0), outputs.amin(0))
        elif kind == "min_logit":
            truth = outputs.gather(2, y.clamp(min=0).expand(len(outputs), -1)[..., None])
            combined = (outputs - truth).amin(0)
        elif kind in ("linear", "general"):
            if kind == "linear":
                own = None if weight is None else weight[labelled]
                mixture = best_mixture(outputs[:, labelled], y[labelled], own)
            combined = torch.tensordot(torch.tensor(mixture, dtype=outputs.dtype).to(outputs.device), outputs, 1)
        else:
            combined = outputs[self._losses(outputs, y).argmin(0), torch.arange(outputs.shape[1], device=y.device)]
        return torch.where(labelled[:, None], combined, outputs.mean(0))

    def _losses(self, outputs: Tensor, y: Tensor) -> Tensor:
        if y.is_floating_point():
            return (outputs - y).square().mean(2)
        if y.ndim == 2:
            return torch.stack(
                [row_losses(output, y.clamp(min=0).to(output.dtype), "multilabel") for output in outputs]
            )
        return torch.stack([F.cross_entropy(output, y, reduction="none") for output in outputs])

    def combine(self, outputs: Sequence[Tensor], task: str) -> Tensor:
        return torch.stack(tuple(outputs)).mean(0)


def best_mixture(outputs: Tensor, truth: Tensor, weight: Tensor | None) -> list[float]:
    """Weights >= 0 of several outputs (k, n, n_outputs), with the sum 1, whose weighted mean has the least loss.

    Cross-entropy of logits with class codes (n,) or with 0 and 1 of several labels (n, n_outputs) as integers, or
    squared error of values (n, n_outputs).
    """
    parts, labels = outputs.cpu().double().numpy(), truth.cpu().numpy()
    k, n, _ = parts.shape
    row_weight = np.ones(n) if weight is None else weight.cpu().double().numpy()
    if row_weight.sum() == 0 or not np.isfinite(parts).all():
        # nothing to go by; a peer that has left the finite numbers ends the training
        return [1 / k] * k
    row_weight = row_weight / row_weight.sum()

    def loss(weights: NDArray) -> tuple[float, NDArray]:
        mixed = np.tensordot(weights, parts, 1)
        if labels.ndim == 1:
            logs = log_softmax(mixed, axis=1)
            value = -row_weight @ logs[np.arange(n), labels]
            slope = np.exp(logs)
            slope[np.arange(n), labels] -= 1
        elif labels.dtype.kind == "i":
            value = -row_weight @ log_expit(np.where(labels == 1, mixed, -mixed)).mean(1)
            slope = (expit(mixed) - labels) / mixed.shape[1]
        else:
            value = row_weight @ np.square(mixed - labels).mean(1)
            slope = 2 * (mixed - labels) / mixed.shape[1]
        return value, np.tensordot(parts, slope * row_weight[:, None], 2)

    whole = {"type": "eq", "fun": lambda weights: weights.sum() - 1, "jac": np.ones_like}
    start = np.full(k, 1 / k)
    found = minimize(
        loss, start, jac=True, method="SLSQP", bounds=[(0, 1)] * k, constraints=whole, options={"ftol": PRECISION}
    )
    weights = np.clip(found.x, 0, 1)
    return (weights / weights.sum()).tolist()
