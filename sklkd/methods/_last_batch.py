"""Self-distillation from the last batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from sklkd._sparse_rows import concatenate
from sklkd.losses._base import check_number
from sklkd.losses._objective import hard_loss
from sklkd.losses._tasks import default_loss
from sklkd.methods._self import SelfMethod, SelfObjective, Training
from sklkd.transfer import Batch, TransferSet


class LastBatch(SelfMethod):
    r"""Each row comes in two successive batches; its first prediction is a soft target for the second (DLB) [1]_.

    Every batch is half new rows, half the last batch's new ones :math:`R`:

    .. math:: \mathrm{CE}(y) + \alpha\, \frac{T^2}{|R|} \sum_{i \in R} \mathrm{KL}(p^{last}_i \| p_i)

    So a step does not undo the one before. For regression: squared errors, and the squared difference from the last
    values.

    Parameters
    ----------
    temperature : float, default=3.0
        ``T``, above 0; not used in regression.
    alpha : float, default=1.0
        At least 0.

    Notes
    -----
    ``batch_size`` new rows make a batch of twice as many. So an epoch has as many steps as without the method, visits
    each row twice, and costs more; with a batch size of a half it costs the same, in twice as many steps. The first
    batch of all has no past; that of a later epoch continues the one before. Rows count by their weight.

    References
    ----------
    .. [1] Shen et al., "Self-Distillation from the Last Mini-Batch for Consistency Regularization", CVPR 2022,
       arXiv:2203.16172.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklkd import SelfDistilledClassifier
    >>> from sklkd.methods import LastBatch
    >>> X, y = load_iris(return_X_y=True)
    >>> est = SelfDistilledClassifier("tiny", method=LastBatch(temperature=2.0), random_state=0).fit(X, y)
    >>> est.score(X, y) > 0.9
    True
    """

    def __init__(self, *, temperature: float = 3.0, alpha: float = 1.0):
        self.temperature = temperature
        self.alpha = alpha

    def check(self, task: str) -> None:
        super().check(task)
        check_number("temperature", self.temperature, 0, strict=True)
        check_number("alpha", self.alpha, 0)

    def objective(self, training: Training) -> LastBatchObjective:
        return LastBatchObjective(self, training.task)


class LastBatchObjective(SelfObjective):
    """The loss on labels of all rows, and the divergence of repeated rows from their last predictions."""

    def __init__(self, method: LastBatch, task: str):
        super().__init__(method, task)
        self.soft_loss: Any = default_loss(task, method.temperature)
        # the last batch's new rows, and their outputs
        self.last: tuple[TransferSet, Tensor] | None = None

    def batches(self, batches: Any) -> RepeatedBatches:
        return RepeatedBatches(batches, self)

    def training_loss(self, y_pred: Tensor, y: Tensor) -> Tensor:
        total = hard_loss(y_pred, y, self.weight)
        n_old = 0 if self.last is None else len(self.last[1])
        if self.last is not None and self.method.alpha > 0:
            weight = None if self.weight is None else self.weight[:n_old]
            target = self.soft_loss.prepare(self.last[1])
            total = total + self.method.alpha * self.soft_loss.compare(y_pred[:n_old], target, None, weight)
        self.last = self.rows.take(slice(n_old, None)), y_pred[n_old:].detach()
        return total

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "last": None}


class RepeatedBatches:
    """Batches of a training, each preceded by the rows that were new in the last one.

    Parameters
    ----------
    batches : iterable of Batch
    objective : LastBatchObjective
        Has the last one.
    """

    def __init__(self, batches: Any, objective: LastBatchObjective):
        self.batches, self.objective = batches, objective

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.batches:
            last = self.objective.last
            yield batch if last is None else Batch(_concatenated(last[0], batch.rows))


def _concatenated(old: TransferSet, new: TransferSet) -> TransferSet:
    weight = None if old.weight is None or new.weight is None else torch.cat([old.weight, new.weight])
    return TransferSet(concatenate([old.inputs, new.inputs]), torch.cat([old.y, new.y]), weight)
