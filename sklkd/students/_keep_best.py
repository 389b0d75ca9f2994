"""Early stopping on labelled rows that were held out."""

from __future__ import annotations

import math
from typing import Any

from skorch.callbacks import Callback
from torch import Tensor

from sklkd.students._forward import forward_all
from sklkd.transfer import TransferSet

# Epochs without a better one after which a training ends: a share of all, and at least so many
PATIENCE, FEWEST = 0.2, 5


class KeepBest(Callback):
    """End a training that gets no better on held-out rows, and go back to the epoch that was best.

    Parameters
    ----------
    rows : TransferSet
        The held-out rows, all of them labelled.
    n_epochs : int
        How many the training may have.
    """

    def __init__(self, rows: TransferSet, n_epochs: int):
        self.rows = rows
        self.patience = max(FEWEST, math.ceil(PATIENCE * n_epochs))

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        self.least_, self.since_ = math.inf, 0
        self.states_: list[dict[str, Tensor]] = []

    def on_epoch_end(self, net: Any, dataset_train: Any = None, dataset_valid: Any = None, **kwargs: Any) -> None:
        loss = self._loss(net)
        net.history.record("held_out_loss", loss)
        self.since_ += 1
        if loss < self.least_:
            self.least_, self.since_ = loss, 0
            self.states_ = [
                {name: value.clone() for name, value in part.state_dict().items()} for part in self._parts(net)
            ]
        elif self.since_ >= self.patience:
            raise KeyboardInterrupt  # which is how skorch's own early stopping ends a training

    def on_train_end(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        if self.states_:
            for part, state in zip(self._parts(net), self.states_, strict=True):
                part.load_state_dict(state)

    def _parts(self, net: Any) -> tuple[Any, Any]:
        """What is trained: the module, and what the criterion has learnt beside it, such as exits."""
        return net.module_, net.criterion_

    def _loss(self, net: Any) -> float:
        net.module_.eval()
        outputs = forward_all(net.module_, self.rows.inputs, net.device)
        return net.criterion_.judge(outputs, self.rows.y, self.rows.weight).item()
