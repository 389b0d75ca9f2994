"""The base of the online methods: networks trained together, each on the labels and on the others' predictions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import isfinite
from typing import Any

import torch
from torch import Tensor, nn

from sklkd.losses import Loss
from sklkd.losses._base import check_number
from sklkd.losses._objective import Objective, hard_loss
from sklkd.losses._tasks import default_loss, mean_prediction
from sklkd.methods._base import Method
from sklkd.students._cohort import Cohort
from sklkd.transfer import TransferSet


class OnlineMethod(Method):
    """Base of the methods of :class:`~sklkd.OnlineDistilledClassifier` and ``OnlineDistilledRegressor``.

    All peers see each batch before any of them moves. The sum is minimised, over peers, of the peer's loss on the
    labels and of its distillation loss. To write a method, store parameters in ``__init__`` and define
    ``distillation_losses``, in which targets must be detached.
    """

    def __init__(self, *, temperature: float = 1.0, weight: float = 1.0):
        self.temperature = temperature
        self.weight = weight

    def check(self, task: str) -> None:
        super().check(task)
        check_number("temperature", self.temperature, 0, strict=True)
        check_number("weight", self.weight, 0)

    @property
    def holds_out(self) -> bool:
        """Whether it needs validation rows, as ``objective.held``."""
        return False

    def join(self, cohort: Cohort, sample: Tensor) -> Cohort:
        """The module that is trained, from the initialised peers and a few rows of the input."""
        return cohort

    def targets(self, n_rows: int, n_peers: int, n_outputs: int) -> list[Tensor]:
        """Tensors with one entry per training row, sliced with each batch; ``begin_epoch`` may rewrite them."""
        return []

    def build(self, objective: CohortObjective, cohort: Cohort, sample: Tensor) -> None:
        """Make the modules that are trained beside the peers, in ``objective.between``, and set ``objective.taps``."""

    def begin_epoch(self, objective: CohortObjective, net: Any, rows: Any) -> None:
        """Called before each epoch, with the training rows."""

    def distillation_losses(self, outputs: Sequence[Tensor], y: Tensor, objective: CohortObjective) -> list[Tensor]:
        """The losses that are minimised beside those on the labels.

        Parameters
        ----------
        outputs : sequence of Tensor
            Logits or standardised targets of each peer, (n, n_outputs), and whatever else the cohort returns.
        y : Tensor
            Class codes (n,), 0 and 1 for several labels (n, n_labels), or standardised targets (n, n_targets).
        objective : CohortObjective
            Knows the epoch, the batch's rows, their weights and the tapped layers.

        Returns
        -------
        list of 0-d Tensor
            That of each peer first, in their order; empty where there are none in this epoch.
        """
        raise NotImplementedError

    def combine(self, outputs: Sequence[Tensor], task: str) -> Tensor:
        """The prediction of all peers together: logits of their mean probability, or their mean value."""
        return mean_prediction(outputs, task)


class CohortObjective(Objective):
    """The criterion of a cohort: the sum over all peers of the losses on labels and on the others' predictions.

    Parameters
    ----------
    method : OnlineMethod
    names : list of str
        The peers'.
    task : {"classification", "multilabel", "regression"}
    """

    def __init__(self, method: OnlineMethod, names: list[str], task: str = "classification"):
        super().__init__([], 1.0)
        self.method, self.peers, self.task = method, names, task
        self.between = nn.ModuleList()
        # row k: weight of each peer's predictions in the targets of the k-th one
        self.teacher_weights = [
            [float(j != k) / (len(names) - 1) for j in range(len(names))] for k in range(len(names))
        ]
        # the loss on the labels of each peer in this epoch's batches
        self.own: list[Tensor] = []
        # validation rows, where there are any, and the weight that each peer gets by them
        self.held: TransferSet | None = None
        self.mixture: list[float] = []
        # whether peers learn from each other in this epoch, for methods with a burn-in
        self.distilling = False

    @property
    def weight(self) -> Tensor | None:
        """Weights of the batch's rows."""
        return None if self.rows is None else self.rows.weight

    @property
    def progress(self) -> float:
        """Fraction of the epochs that have passed."""
        return self.epoch / max(self.n_epochs, 1)

    def begin_epoch(self, net: Any, rows: Any) -> None:
        super().begin_epoch(net, rows)
        self.own.clear()
        self.method.begin_epoch(self, net, rows)

    def labels(self, outputs: Sequence[Tensor], y: Tensor, weight: Tensor | None) -> list[Tensor]:
        """The loss on the labels of each peer."""
        return [hard_loss(output, y, weight) for output in outputs[: len(self.peers)]]

    def parts(self, module: Any) -> list[list[nn.Module]]:
        owned = [id(parameter) for peer in module.peers for parameter in peer.parameters()]
        # branches of one trunk can only stop together
        return super().parts(module) if len(set(owned)) < len(owned) else [[peer] for peer in module.peers]

    def validation_losses(self, outputs: Sequence[Tensor], y: Tensor, weight: Tensor | None) -> list[Tensor]:
        return self.labels(outputs, y, weight)

    def terms(self, outputs: Sequence[Tensor], y: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """The loss on the labels of each peer, and the distillation losses."""
        own = self.labels(outputs, y, self.weight)
        return own, self.method.distillation_losses(outputs, y, self) if self.training else []

    def forward(self, outputs: Any, y: Tensor) -> Tensor:
        own, distillation_losses = self.terms(outputs, y)
        stacked = torch.stack(own)
        if not self.training:
            # validation rows are not trained on
            return stacked.sum()
        self.own.append(stacked.detach())
        return torch.stack([*own, *distillation_losses]).sum()

    def diverged(self) -> str:
        for losses in self.own:
            bad = [repr(name) for name, loss in zip(self.peers, losses.tolist(), strict=True) if not isfinite(loss)]
            if bad:
                return f"peer {bad[0]}" if len(bad) == 1 else f"peers {', '.join(bad)}"
        return "the cohort"

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "own": [], "groups": [], "held": None}


def softened(output: Tensor, temperature: float, task: str) -> Any:
    """A peer's prediction as a target of others, detached: probabilities and negative entropies, or values."""
    return _soft_loss(task, temperature).prepare(output.detach())


def mean_divergence(
    output: Tensor, targets: Sequence[Any], weights: Sequence[float], temperature: float, objective: CohortObjective
) -> Tensor:
    """The weighted mean over softened targets of the divergence, or of the squared difference, of an output.

    A divergence is linear in the target and its negative entropy, so that their means give the mean of divergences.
    """
    taken = [(target, weight) for target, weight in zip(targets, weights, strict=True) if weight > 0]
    if not taken:
        return output.new_zeros(())
    loss = _soft_loss(objective.task, temperature)
    if objective.task == "regression":
        return torch.stack(
            [weight * loss.compare(output, target, None, objective.weight) for target, weight in taken]
        ).sum()
    proba, entropy = (sum(weight * target[part] for target, weight in taken) for part in (0, 1))
    return loss.compare(output, (proba, entropy), None, objective.weight)


@cache
def _soft_loss(task: str, temperature: float) -> Loss:
    """The default loss; modules made anew in every step would cost as much as what they compute."""
    return default_loss(task, temperature)


def build_between(objective: CohortObjective, cohort: Any, sample: Tensor, _features: Any) -> None:
    """Make the method's own modules, and group all parameters by the peers whose gradients they get."""
    objective.method.build(objective, cohort, sample)
    named = list(cohort.named_parameters(remove_duplicate=False))
    owners: dict[int, set[str]] = {}
    for name, parameter in named:
        # "peers", the peer's number and the rest; of all else the first word
        whole = 2 if name.startswith("peers.") else 1
        owners.setdefault(id(parameter), set()).add(".".join(name.split(".")[:whole]))
    groups: dict[tuple, dict[int, tuple[str, nn.Parameter]]] = {}
    for name, parameter in [*named, *objective.named_parameters()]:
        whose = tuple(sorted(owners.get(id(parameter), ())))
        groups.setdefault(whose, {}).setdefault(id(parameter), (name, parameter))
    objective.groups = [list(group.values()) for group in groups.values()]
