"""The default student as a skorch net: TabularNet with the recipe that trains it."""

from __future__ import annotations

import math
from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EpochTimer, GradientNormClipping, PassthroughScoring
from torch import nn

from sklkd.students._sizes import SIZES, Size
from sklkd.students._tabular_net import TabularNet

# Rows that a training visits in all; small sets are visited at most PASSES times
VISITS, PASSES = 650_000, 200


class TabularStudent(NeuralNet):
    """The default student: :class:`TabularNet`, AdamW, warm-up and cosine decay, epochs by budget.

    It is an ordinary skorch net, meant to be passed as ``student`` so that its parameters can be set and searched
    (``student__module__hidden``, ``student__lr``, ``student__max_epochs``). The module's ``n_features``,
    ``n_outputs``, ``edges``, ``cardinalities`` and ``missing`` are filled in at fit, and its ``hidden``, where it is
    not given, by ``size``.

    Parameters
    ----------
    size : {"tiny", "small", "base"}, default="small"
        Budget of parameters: 5,000, 100,000 or 400,000. One-hot columns and outputs come first, so very wide data or
        many classes can exceed it.
    module : type, default=TabularNet
    optimizer : type, default=torch.optim.AdamW
        With ``optimizer__weight_decay=0.01`` and ``optimizer__fused=True``.
    lr : float, default=3e-3
        The peak, reached after 5 % of the steps; then it falls to 0 as a cosine.
    max_epochs : int or "auto", default="auto"
        "auto": as many as visit 650,000 rows, and at most 200 passes over the labelled rows.
    batch_size : int, default=256
    **kwargs
        Everything else that :class:`skorch.NeuralNet` takes.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklkd import DistilledClassifier
    >>> from sklkd.students import TabularStudent
    >>> X, y = load_iris(return_X_y=True)
    >>> student = TabularStudent(size="tiny", max_epochs=5)
    >>> est = DistilledClassifier(RandomForestClassifier(random_state=0), student, random_state=0).fit(X, y)
    >>> len(est.history_)
    5
    """

    def __init__(
        self,
        size: str = "small",
        *,
        module: Any = TabularNet,
        criterion: Any = nn.CrossEntropyLoss,
        optimizer: Any = torch.optim.AdamW,
        lr: float = 3e-3,
        max_epochs: int | str = "auto",
        batch_size: int = 256,
        train_split: Any = None,
        verbose: int = 0,
        **kwargs: Any,
    ):
        if optimizer is torch.optim.AdamW:
            kwargs = {"optimizer__weight_decay": 1e-2, "optimizer__fused": True} | kwargs
        super().__init__(
            module,
            criterion=criterion,
            optimizer=optimizer,
            lr=lr,
            max_epochs=max_epochs,
            batch_size=batch_size,
            train_split=train_split,
            verbose=verbose,
            **kwargs,
        )
        self.size = size

    @property
    def _default_callbacks(self) -> list:
        return [
            ("epoch_timer", EpochTimer()),
            ("train_loss", PassthroughScoring(name="train_loss", on_train=True)),
            ("valid_loss", PassthroughScoring(name="valid_loss")),
            ("clip", GradientNormClipping(1.0)),
            ("schedule", WarmupCosine()),
        ]

    def budget(self) -> Size:
        """The preset called ``size``."""
        if self.size not in SIZES:
            raise ValueError(f"size must be one of {sorted(SIZES)}, got size={self.size!r}.")
        return SIZES[self.size]

    def epochs(self, n_labelled: int, n_rows: int) -> int:
        """Epochs for a transfer set of ``n_rows``, of which ``n_labelled`` are real."""
        if self.max_epochs != "auto":
            return int(self.max_epochs)
        return max(1, math.ceil(min(VISITS, PASSES * n_labelled) / n_rows))


class WarmupCosine(Callback):
    """Learning rate: linear warm-up over the first steps of a training, then half a cosine down to 0.

    Parameters
    ----------
    warmup : float, default=0.05
        Share of the steps that warm up.
    """

    def __init__(self, warmup: float = 0.05):
        self.warmup = warmup

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        n_epochs = net.n_epochs_ if hasattr(net, "n_epochs_") else net.max_epochs
        self.step_, self.n_steps_ = 0, n_epochs * len(net.get_iterator(X, training=True))
        for group in net.optimizer_.param_groups:
            # groups may have rates of their own, which keep their ratio to the net's
            group.setdefault("of_lr", group["lr"] / net.lr)

    def on_batch_begin(self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any) -> None:
        if not training:
            return
        progress = (self.step_ + 0.5) / self.n_steps_
        self.step_ += 1
        if progress < self.warmup:
            factor = progress / self.warmup
        else:
            factor = 0.5 + 0.5 * math.cos(math.pi * min((progress - self.warmup) / (1 - self.warmup), 1))
        for group in net.optimizer_.param_groups:
            group["lr"] = net.lr * group["of_lr"] * factor
