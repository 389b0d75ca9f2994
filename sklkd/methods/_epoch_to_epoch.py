"""Progressive self-distillation: earlier epochs are the teacher of later ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from sklkd.losses._base import weighted_mean
from sklkd.losses._tasks import labels_as_predictions, predictions_of, row_losses
from sklkd.methods._base import check_fraction
from sklkd.methods._self import SelfMethod, SelfObjective, Training


class EpochToEpoch(SelfMethod):
    r"""The targets move from the labels to the network's predictions of one epoch earlier (PS-KD) [1]_.

    In epoch :math:`t` of :math:`E`, counted from 0, the target of a row is

    .. math:: (1 - \alpha_t)\, y + \alpha_t\, p_{t-1}, \qquad \alpha_t = \alpha \frac{t + 1}{E},

    with cross-entropy, or for regression squared error. The weight of the network's own predictions grows: labels
    that it finds hard are softened, which calibrates it. In the first epoch the target is the label.

    Parameters
    ----------
    alpha : float in [0, 1], default=0.8
        Weight of its own predictions in the last epoch. 0 trains on labels only.

    Notes
    -----
    It costs one array of (n_rows, n_outputs) and no time: as in the authors' code, a prediction is kept when a row is
    trained on, so that those of one epoch come from different steps. The schedule needs :math:`E`, the student's
    ``max_epochs``; one that stops early stops with a smaller weight. Rows count by their weight.

    References
    ----------
    .. [1] Kim et al., "Self-Knowledge Distillation with Progressive Refinement of Targets", ICCV 2021,
       arXiv:2006.12000.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklkd import SelfDistilledClassifier
    >>> from sklkd.methods import EpochToEpoch
    >>> X, y = load_iris(return_X_y=True)
    >>> est = SelfDistilledClassifier("tiny", method=EpochToEpoch(alpha=0.5), random_state=0).fit(X, y)
    >>> est.score(X, y) > 0.9
    True
    """

    def __init__(self, *, alpha: float = 0.8):
        self.alpha = alpha

    def check(self, task: str) -> None:
        super().check(task)
        check_fraction("alpha", self.alpha)

    def objective(self, training: Training) -> MovedTargets:
        past = labels_as_predictions(training.rows.y, training.task, training.n_outputs)
        return MovedTargets(self, training.task, past.clone())

    def targets(self, training: Training) -> Sequence[Any]:
        # numbers of the rows in the array of past predictions
        return (torch.arange(len(training.rows)),)


class MovedTargets(SelfObjective):
    """The loss on targets that move from the labels to the network's last predictions.

    Parameters
    ----------
    method : EpochToEpoch
    task : {"classification", "multilabel", "regression"}
    past : Tensor of shape (n_rows, n_outputs)
        The labels at first; overwritten row by row.
    """

    past: Tensor

    def __init__(self, method: EpochToEpoch, task: str, past: Tensor):
        super().__init__(method, task)
        self.register_buffer("past", past, persistent=False)

    @property
    def past_weight(self) -> float:
        """Weight of past predictions in this epoch's targets; in the first epoch these are the labels."""
        return self.method.alpha * (self.epoch + 1) / self.n_epochs

    def moved(self, y: Tensor, index: Tensor) -> Tensor:
        """The targets of some rows, (n, n_outputs)."""
        past = self.past[index]
        labels = labels_as_predictions(y, self.task, past.shape[1])
        return torch.lerp(labels.to(past.dtype), past, self.past_weight)

    def training_loss(self, y_pred: Tensor, y: Tensor) -> Tensor:
        index = self.rows.targets[0]
        target = self.moved(y, index)
        self.past[index] = predictions_of(y_pred.detach(), self.task).to(self.past.dtype)
        return weighted_mean(row_losses(y_pred, target, self.task), self.weight)
