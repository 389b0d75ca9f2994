"""The default student as a skorch net: TabularNet with the recipe that trains it."""

from __future__ import annotations

import math
from typing import Any

from skorch import NeuralNet
from skorch.callbacks import Callback, EpochTimer, GradientNormClipping, PassthroughScoring
from torch import nn

from sklkd.students._muon import Muon
from sklkd.students._sizes import SIZES, Size
from sklkd.students._tabular_net import TabularNet

# Rows that a training visits in all; small sets are visited at most PASSES times. Labels alone need fewer visits, a
# smaller rate and smaller batches: they are noisy, and a training on them stops where rows held out say so.
VISITS, LABEL_VISITS, PASSES = 300_000, 100_000, 200
LABEL_PASSES = 6  # at least, where many rows make LABEL_VISITS less
LR, BATCH = 2e-2, 1024
LABEL_LR, LABEL_BATCH = 5e-3, 256
# Small sets get smaller batches, for at least so many steps
STEPS, LEAST_BATCH = 150, 128


class TabularStudent(NeuralNet):
    """The default student: :class:`TabularNet`, Muon, warm-up and cosine decay, epochs by budget.

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
    optimizer : type, default=Muon
        With half the visits it follows a teacher closer than AdamW. For AdamW, lower ``lr`` to about 3e-3.
    lr : float or "auto", default="auto"
        The peak, reached after 5 % of the steps; then it falls to 0 as a cosine. "auto": 0.02,
        and 0.005 for labels alone.
    max_epochs : int or "auto", default="auto"
        "auto": as many as visit 300,000 rows, and at most 200 passes over the labelled rows. For labels alone: 100,000
        rows, at least 6 and at most 200 passes; a fifth of the rows is held out, and the epoch that does best on them
        is kept.
    batch_size : int or "auto", default="auto"
        "auto": 1,024, or less (down to 128) where that makes fewer than 150 steps, and 256 for labels alone.
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

    lr: Any
    batch_size: Any

    def __init__(
        self,
        size: str = "small",
        *,
        module: Any = TabularNet,
        criterion: Any = nn.CrossEntropyLoss,
        optimizer: Any = Muon,
        lr: float | str = "auto",
        max_epochs: int | str = "auto",
        batch_size: int | str = "auto",
        train_split: Any = None,
        verbose: int = 0,
        **kwargs: Any,
    ):
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

    def settle(self, n_labelled: int, labels_alone: bool) -> None:
        """Put numbers where the learning rate and the batch size are "auto"."""
        batch = LABEL_BATCH if labels_alone else BATCH
        while not labels_alone and batch > max(min(VISITS, PASSES * n_labelled) / STEPS, LEAST_BATCH):
            batch //= 2
        if self.lr == "auto":
            self.lr = LABEL_LR if labels_alone else LR
        if self.batch_size == "auto":
            self.batch_size = batch

    def epochs(self, n_labelled: int, n_rows: int, labels_alone: bool = False) -> int:
        """Epochs for a transfer set of ``n_rows``, of which ``n_labelled`` are real."""
        if self.max_epochs != "auto":
            return int(self.max_epochs)
        visits = max(LABEL_VISITS, LABEL_PASSES * n_rows) if labels_alone else VISITS
        return max(1, math.ceil(min(visits, PASSES * n_labelled) / n_rows))


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
            group["lr"] = net.lr * factor
