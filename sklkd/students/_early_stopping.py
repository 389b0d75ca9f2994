"""Early stopping on labelled rows that were held out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from skorch.callbacks import Callback
from torch import Tensor, nn

from sklkd._device import device_of
from sklkd.students._forward import forward_all
from sklkd.transfer import TransferSet

# Epochs without a better one after which a training ends: a share of all, and at least this many
PATIENCE, FEWEST = 0.2, 5


class EarlyStopping(Callback):
    """End a training that gets no better on held-out rows, and go back to the epoch that was best.

    Networks that train side by side each end and go back by themselves, as they would without the others; the loop
    ends with the last of them.

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
        self.parts_ = [_Part(modules) for modules in net.criterion_.parts(net.module_)]

    def on_epoch_end(self, net: Any, dataset_train: Any = None, dataset_valid: Any = None, **kwargs: Any) -> None:
        net.module_.eval()
        outputs = forward_all(net.module_, self.rows.inputs, device_of(net.module_))
        losses = [loss.item() for loss in net.criterion_.validation_losses(outputs, self.rows.y, self.rows.weight)]
        net.history.record("held_out_loss", sum(losses))
        if len(self.parts_) == 1:
            losses = [sum(losses)]
        for part, loss in zip(self.parts_, losses, strict=True):
            if part.since < self.patience:
                part.record(loss)
        if all(part.since >= self.patience for part in self.parts_):
            raise KeyboardInterrupt  # as skorch's own early stopping does

    def on_train_end(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        for part in self.parts_:
            part.restore_best()


class _Part:
    """Modules that are validated together, and their state in the best epoch."""

    def __init__(self, modules: Sequence[nn.Module]):
        self.modules = modules
        self.least, self.since = math.inf, 0
        self.states: list[dict[str, Tensor]] = []

    def record(self, loss: float) -> None:
        self.since += 1
        if loss < self.least:
            self.least, self.since = loss, 0
            self.states = [
                {name: value.clone() for name, value in module.state_dict().items()} for module in self.modules
            ]

    def restore_best(self) -> None:
        for module, state in zip(self.modules, self.states, strict=False):
            module.load_state_dict(state)
