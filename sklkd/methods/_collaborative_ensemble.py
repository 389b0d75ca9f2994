"""Online knowledge distillation via collaborative learning (KDCL)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from sklkd.methods._online import CohortObjective, OnlineMethod, softened, teach

COMBINATIONS = ("auto", "min_logit", "mean", "best")


class CollaborativeEnsemble(OnlineMethod):
    r"""All peers together teach each of them [1]_.

    .. math:: L_k = \mathrm{CE}(y, z_k) + w\, T^2\, \mathrm{KL}(p_e \| p_k), \qquad p = \mathrm{softmax}(z / T)

    where :math:`z_e` is a combination of all peers' logits, a constant in :math:`L_k`. For regression both terms are
    squared differences of standardised targets.

    Parameters
    ----------
    temperature : float, default=2.0
        ``T``, above 0; 2 as in the paper.
    weight : float, default=1.0
        ``w``.
    combination : {"auto", "min_logit", "mean", "best"}, default="auto"
        What the peers are combined to in training. "min_logit" (classes only): each logit's distance from that of the
        true class, the least over the peers (KDCL-MinLogit); "mean": the mean of logits or values; "best": the answer
        of the peer that loses least on the row's label (KDCL-Naive). "auto" is "min_logit" for classes, "mean" for
        real targets. Rows without a label get the mean. The paper's other two, which fit weights by labels, are not
        offered. What ``deploy="ensemble"`` answers, where there are no labels, is the mean.

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
            raise ValueError("combination='min_logit' needs classes, got real targets: use 'mean' or 'best'.")

    def lessons(self, outputs: Sequence[Tensor], y: Tensor, objective: CohortObjective) -> list[Tensor]:
        told = self.together(torch.stack([output.detach() for output in outputs]), y)
        answer = softened(told, self.temperature, objective.classification)
        return [self.weight * teach(output, [answer], [1.0], self.temperature, objective) for output in outputs]

    def together(self, outputs: Tensor, y: Tensor) -> Tensor:
        """From the peers' outputs, (n_peers, n, n_outputs), to what teaches them, (n, n_outputs)."""
        classes = not y.is_floating_point()
        labelled = y >= 0 if classes else ~y[:, 0].isnan()
        kind = self.combination if self.combination != "auto" else "min_logit" if classes else "mean"
        if kind == "mean":
            return outputs.mean(0)
        if kind == "min_logit":
            truth = outputs.gather(2, y.clamp(min=0).expand(len(outputs), -1)[..., None])
            combined = (outputs - truth).amin(0)
        else:
            combined = outputs[self._losses(outputs, y).argmin(0), torch.arange(outputs.shape[1], device=y.device)]
        return torch.where(labelled[:, None], combined, outputs.mean(0))

    def _losses(self, outputs: Tensor, y: Tensor) -> Tensor:
        if y.is_floating_point():
            return (outputs - y).square().mean(2)
        return torch.stack([F.cross_entropy(output, y, reduction="none") for output in outputs])

    def combine(self, outputs: Sequence[Tensor], classification: bool) -> Tensor:
        return torch.stack(tuple(outputs)).mean(0)
