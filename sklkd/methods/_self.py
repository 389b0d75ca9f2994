"""The base of the self-distillation methods: one network that is its own teacher."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from skorch import NeuralNet
from torch import Tensor

from sklkd._progress import SILENT, Progress
from sklkd.losses._objective import Objective, hard_loss, logits_of
from sklkd.methods._base import Method
from sklkd.students._activations import build_losses
from sklkd.students._exits import Exit
from sklkd.students._train import initialize, train, unfitted_copy
from sklkd.transfer import TransferSet


@dataclass(frozen=True)
class Training:
    """What a method needs to train: an unfitted network, and the rows.

    Attributes
    ----------
    net : NeuralNet
        Unfitted, and never fitted itself: each run makes a clone.
    rows : TransferSet
        Encoded rows with their labels and weights.
    task : {"classification", "multilabel", "regression"}
    n_outputs : int
        Classes, labels or targets.
    seed, verbose : int
    held : TransferSet, default=None
        Validation rows, which decide which epoch of a training is kept. None: the last.
    progress : Progress, default=SILENT
        Told of each epoch.
    """

    net: NeuralNet
    rows: TransferSet
    task: str
    n_outputs: int
    seed: int
    verbose: int = 0
    held: TransferSet | None = None
    progress: Progress = SILENT

    def run(
        self,
        objective: Objective,
        targets: Sequence[Any] = (),
        *,
        seed: int | None = None,
        build: Callable[[Any, Any, Tensor, Sequence[Any]], None] = build_losses,
        of: int = 1,
    ) -> NeuralNet:
        """Train a net from scratch on an objective; ``targets`` come with each batch's rows.

        ``of`` is how many such trainings a method runs.
        """
        seed, rows = self.seed if seed is None else seed, self.rows
        features = [None] * len(objective.losses)
        net = initialize(unfitted_copy(self.net), objective, rows.inputs[:2], features, seed, self.verbose, build)
        rows = TransferSet(rows.inputs, rows.y, rows.weight, targets)
        advance = self.progress.advances(of)
        n_outputs, held = self.n_outputs, self.held
        return train(net, rows, seed, n_outputs=n_outputs, held=held, labels_only=True, advance=advance)


@dataclass(frozen=True)
class TrainingResult:
    """The networks that a method has trained.

    Attributes
    ----------
    net : NeuralNet
        The one that predicts.
    exits : list of Exit
        Its early exits, the shallowest first.
    generations : list of NeuralNet
        All generations; empty for methods that train one network.
    """

    net: NeuralNet
    exits: list[Exit] = field(default_factory=list)
    generations: list[NeuralNet] = field(default_factory=list)


class SelfMethod(Method):
    """Base of the methods of :class:`~sklkd.SelfDistilledClassifier` and ``SelfDistilledRegressor``.

    To write a method, store parameters in ``__init__`` and define ``objective``, a :class:`SelfObjective` with a
    ``training_loss``, or all of ``train``.
    """

    def objective(self, training: Training) -> SelfObjective:
        """The criterion of a training."""
        raise NotImplementedError

    def targets(self, training: Training) -> Sequence[Any]:
        """Arrays with one entry per row, which come with each batch as ``objective.rows.targets``."""
        return ()

    def train(self, training: Training) -> TrainingResult:
        """Train the network."""
        return TrainingResult(training.run(self.objective(training), self.targets(training)))


class SelfObjective(Objective):
    """The criterion of a network that is its own teacher; on validation rows only the loss on the labels.

    Parameters
    ----------
    method : SelfMethod
        Has the parameters.
    task : {"classification", "multilabel", "regression"}
        Outputs are logits of classes, logits of several labels, or standardised targets.
    """

    def __init__(self, method: Any, task: str):
        super().__init__([], 1.0)
        self.method, self.task = method, task

    @property
    def weight(self) -> Tensor | None:
        """Weights of the batch's rows."""
        return None if self.rows is None else self.rows.weight

    def training_loss(self, y_pred: Tensor, y: Tensor) -> Tensor:
        """The loss of a training batch, from its outputs (n, n_outputs) and labels."""
        raise NotImplementedError

    def forward(self, y_pred: Any, y: Tensor) -> Tensor:
        y_pred = logits_of(y_pred)
        return self.training_loss(y_pred, y) if self.training else hard_loss(y_pred, y, self.weight)
