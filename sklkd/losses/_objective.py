"""What a training minimises: the labels' term and losses, weighted and summed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sklkd.losses._base import Loss, detached, weighted_mean


class Objective(nn.Module):
    """``hard_weight * hard + (1 - hard_weight) * sum_k weight_k * loss_k`` of one batch.

    The hard term is cross-entropy with the labels, of several labels a row the mean of their binary cross-entropies,
    or, for regression, the squared error of the standardised target; rows without a label do not enter it. It is a
    criterion: the losses' learnt parts are trained with the student.

    Parameters
    ----------
    losses : list of (str, Loss)
        Built losses.
    hard_weight : float
        Between 0 (the teacher only) and 1 (labels only).
    taps : list of tuple, default=None
        For each loss, where the student's layers that it compares are read; empty for the student's output.
    link : callable, default=None
        From the module's outputs to what labels and losses compare, both of shape (n, n_outputs): for regression
        standardized predictions (:meth:`~sklkd.students._scaling.TargetScaling.standardized`), for several labels a row
        their logits. None: the outputs.
    """

    def __init__(
        self,
        losses: list[tuple[str, Loss]],
        hard_weight: float,
        taps: list[tuple] | None = None,
        link: Callable[[Tensor], Tensor] | None = None,
    ):
        super().__init__()
        self.names = [name for name, _ in losses]
        self.losses = nn.ModuleList([loss for _, loss in losses])
        self.hard_weight = float(hard_weight)
        self.taps: list[tuple] = [()] * len(losses) if taps is None else taps
        self.link = link
        # what the net sets: the epochs in all, the epoch, the rows of the batch, the activations of the tapped layers
        self.epoch, self.n_epochs = 0, 0
        self.rows: Any = None
        self.features: dict[Any, Tensor] = {}
        # whose gradients are clipped by themselves: none, or lists of (name, parameter)
        self.groups: list[list[tuple[str, nn.Parameter]]] = []

    def begin_epoch(self, net: Any, rows: Any) -> None:
        """Called before each epoch with the net and its training rows, whose targets may be rewritten in place."""
        self.epoch = len(net.history) - 1

    def batches(self, batches: Any) -> Any:
        """What the batches of a training become."""
        return batches

    def diverged(self) -> str:
        """Whose training has left the finite numbers."""
        return "the student"

    def stage(self, epoch: int) -> list[tuple[int, Loss]]:
        """The losses, with their numbers, that train by themselves in an epoch; none where all of them train."""
        losses: Any = enumerate(self.losses)
        return [(k, loss) for k, loss in losses if loss.alone(epoch)]

    def forward(self, y_pred: Tensor, y: Tensor) -> Tensor:
        y_pred = self.linked(y_pred)
        # rows that the user has brought for validation have no outputs of the teacher
        unknown = self.rows is None or (len(self.losses) > 0 and not self.rows.targets)
        if unknown or self.hard_weight == 1:
            return hard_loss(y_pred, y, None if self.rows is None else self.rows.weight)
        total: Any = 0.0
        first_stage = self.stage(self.epoch)
        for k, loss in first_stage:
            total = total + loss.weight * self._value(k, loss, y_pred, y)
        if first_stage:
            return total
        if self.hard_weight > 0:
            total = self.hard_weight * hard_loss(y_pred, y, self.rows.weight)
        parts: Any = self.losses
        for k, loss in enumerate(parts):
            ramp = loss.ramp(self.epoch)
            if ramp > 0:
                total = total + (1 - self.hard_weight) * loss.weight * ramp * self._value(k, loss, y_pred, y)
        return total

    def linked(self, output: Any) -> Tensor:
        """What labels and losses compare of a module's output."""
        output = logits_of(output)
        return output if self.link is None else self.link(output)

    def parts(self, module: nn.Module) -> list[list[nn.Module]]:
        """What may each stop training by itself: the module, and what is learnt beside it."""
        return [[module, self]]

    def validation_losses(self, outputs: Sequence[Tensor], y: Tensor, weight: Tensor | None) -> list[Tensor]:
        """The labels' losses of each part, on validation rows, by which training stops."""
        return [hard_loss(self.linked(outputs[0]), y, weight)]

    def _value(self, k: int, loss: Loss, y_pred: Tensor, y: Tensor) -> Tensor:
        student = loss.side([self.features[tap] for tap in self.taps[k]]) if loss.n_layers else y_pred
        return loss.compare(student, self.rows.targets[k], y if loss.needs_y else None, self.rows.weight)

    def __getstate__(self) -> dict[str, Any]:
        # batches are passing through, not part of what was learnt
        return {**self.__dict__, "rows": None, "features": {}}


def distillation_loss(loss: Loss, student: Any, teacher: Any, y: Tensor, weight: Tensor | None, epoch: int) -> Tensor:
    """The weighted loss of a batch by a teacher that is trained as well; nothing flows back into it."""
    one = student if isinstance(student, Tensor) else student[0]
    factor = loss.weight * loss.ramp(epoch)
    if factor == 0:
        return one.new_zeros(())
    target = loss.prepare(detached(teacher, one.dtype))
    return factor * loss.compare(student, target, y if loss.needs_y else None, weight)


def logits_of(output: Any) -> Tensor:
    """A module's output: of several the first, as in skorch."""
    return output[0] if isinstance(output, tuple) else output


def hard_loss(y_pred: Tensor, y: Tensor, weight: Tensor | None) -> Tensor:
    """Weighted mean over the labelled rows of a batch; 0 where there are none.

    Labels are class codes (n,), targets in floating point (n, n_targets), or 0 and 1 for several labels (n, n_labels).
    """
    if y.is_floating_point():
        labelled = ~y.isnan()
        rows = (y_pred - torch.where(labelled, y, y_pred.detach())).square().mean(1)
        labelled = labelled[:, 0].to(y_pred.dtype)
    elif y.ndim == 2:
        labelled = (y[:, 0] >= 0).to(y_pred.dtype)
        rows = F.binary_cross_entropy_with_logits(y_pred, y.clamp(min=0).to(y_pred.dtype), reduction="none").mean(1)
    else:
        labelled = (y >= 0).to(y_pred.dtype)
        rows = F.cross_entropy(y_pred, y, reduction="none")
    return weighted_mean(rows, labelled if weight is None else labelled * weight)
