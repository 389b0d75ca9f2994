"""Knowledge distillation by on-the-fly native ensemble (ONE)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sklkd.losses._objective import hard_loss
from sklkd.methods._base import check_fraction
from sklkd.methods._online import CohortObjective, OnlineMethod, mean_divergence, softened
from sklkd.students._activations import Recorder, watch
from sklkd.students._cohort import Cohort
from sklkd.students._exits import as_vectors


class GatedEnsemble(OnlineMethod):
    r"""Branches on a shared trunk, which learn from their ensemble, weighted row by row by a gate [1]_.

    .. math:: z_e = \sum_b g_b z_b, \qquad L = \mathrm{CE}(y, z_e) + \sum_b \mathrm{CE}(y, z_b) +
       w\, r(e) \sum_b T^2\, \mathrm{KL}(p_e \| p_b), \qquad p = \mathrm{softmax}(z / T)

    The gate :math:`g` is a softmax of a linear layer on the trunk's output. :math:`p_e` is a constant in the
    divergences, so that only :math:`\mathrm{CE}(y, z_e)` trains the gate. For regression all terms are squared
    differences of standardised targets.

    All peers have to be the same network; which of them is deployed makes little difference.

    Parameters
    ----------
    temperature : float, default=3.0
        ``T``, above 0; 3 as in the paper.
    weight : float, default=1.0
        ``w``.
    ramp_up : float, default=80 / 300
        Fraction of the epochs, in [0, 1], over which the divergences come in, by
        :math:`r(e) = \exp(-5 (1 - e / E)^2)`; the paper's 80 of 300.
    trunk : str, default=None
        Name of the last layer that the branches share, such as ``"hidden.0"``; all layers before it are shared, too.
        None: all but the last hidden and the output layer, of networks with a single hidden layer all but the output
        layer.

    Notes
    -----
    Sharing means the same parameters; the trunk is computed for each branch. The gate is the paper's without batch
    normalisation. The authors' code adds 1e-7 to the target probabilities.

    References
    ----------
    .. [1] X. Lan, X. Zhu, S. Gong (2018), Knowledge distillation by on-the-fly native ensemble, NeurIPS,
       arXiv:1806.04606.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklkd import OnlineDistilledClassifier
    >>> from sklkd.methods import GatedEnsemble
    >>> X, y = load_iris(return_X_y=True)
    >>> peers = [("a", "tiny"), ("b", "tiny"), ("c", "tiny")]
    >>> est = OnlineDistilledClassifier(peers, method=GatedEnsemble(), deploy="a", random_state=0)
    >>> est.fit(X, y).score(X, y) > 0.9
    True
    """

    def __init__(
        self, *, temperature: float = 3.0, weight: float = 1.0, ramp_up: float = 80 / 300, trunk: str | None = None
    ):
        super().__init__(temperature=temperature, weight=weight)
        self.ramp_up = ramp_up
        self.trunk = trunk

    def check(self, task: str) -> None:
        super().check(task)
        check_fraction("ramp_up", self.ramp_up)

    def join(self, cohort: Cohort, sample: Tensor) -> Cohort:
        shapes = [[tuple(value.shape) for value in peer.state_dict().values()] for peer in cohort.peers]
        if cohort.columns is not None or any(shape != shapes[0] for shape in shapes):
            raise ValueError(
                "GatedEnsemble branches one network, so that all peers must be the same student; got networks of "
                "different kinds or sizes. Give peers as an int, or use MutualLearning."
            )
        first: nn.Module = cohort.peers[0]
        found = watch(first, sample)
        shared, branch, width = self._split(first, found)
        for peer in list(cohort.peers)[1:]:
            for path in shared:
                place, _, name = path.rpartition(".")
                peer.get_submodule(place).register_module(name, first.get_submodule(path))
        return GatedCohort(cohort, branch, width)

    def _split(self, module: nn.Module, found: Any) -> tuple[list[str], str, int]:
        """Paths of the shared layers and of the branch's first one, and the width of the latter's input."""
        weighted = list(dict(found.weighted))
        # a layer that is called twice belongs where it was called last
        called = [path for path in found.shapes if not any(module.get_submodule(path).children())]
        if len(weighted) < 2:
            raise ValueError("GatedEnsemble needs a network with a hidden layer to branch, got one without.")
        if self.trunk is None:
            branch = weighted[-2] if len(weighted) > 2 else weighted[-1]
        elif self.trunk in found.shapes:
            inside = [path for path in called if path == self.trunk or path.startswith(f"{self.trunk}.")]
            later = called[called.index(inside[-1]) + 1 :]
            branch = next((path for path in weighted if path in later), "")
        else:
            raise ValueError(f"trunk: the peers have no layer {self.trunk!r}; they have {list(found.shapes)}.")
        if branch == "" or called.index(branch) == 0:
            raise ValueError(f"trunk must leave layers on both sides, got trunk={self.trunk!r}.")
        shape = dict(found.weighted)[branch]
        return called[: called.index(branch)], branch, shape[0] if len(shape) == 3 else math.prod(shape)

    def distillation_losses(self, outputs: Sequence[Tensor], y: Tensor, objective: CohortObjective) -> list[Tensor]:
        branches, together = outputs[:-1], self.combine(outputs, objective.task)
        target = softened(together, self.temperature, objective.task)
        weight = self.weight * self.ramp(objective)
        losses = [weight * mean_divergence(branch, [target], [1.0], self.temperature, objective) for branch in branches]
        return [*losses, hard_loss(together, y, objective.weight)]

    def ramp(self, objective: CohortObjective) -> float:
        """Factor of the divergences in this epoch."""
        passed = objective.epoch / (self.ramp_up * objective.n_epochs) if self.ramp_up * objective.n_epochs > 0 else 1.0
        return math.exp(-5 * max(1 - passed, 0.0) ** 2)

    def combine(self, outputs: Sequence[Tensor], task: str) -> Tensor:
        *branches, gate = outputs
        return (gate.softmax(1)[:, None] * torch.stack(branches, 2)).sum(2)


class GatedCohort(Cohort):
    """Branches, and a gate that reads the output of their shared trunk.

    Parameters
    ----------
    cohort : Cohort
    branch : str
        Path, in each network, of the first layer that is its own.
    width : int
        Width of that layer's input; channels, for maps.
    """

    def __init__(self, cohort: Cohort, branch: str, width: int):
        super().__init__(list(cohort.peers))
        self.gate = nn.Linear(width, len(self.peers))
        self.trunk_output = Recorder()
        self.peers[0].get_submodule(branch).register_forward_pre_hook(self.trunk_output)

    def forward(self, X: Tensor) -> tuple[Tensor, ...]:
        with self.trunk_output.recording() as recorded:
            outputs = super().forward(X)
        return (*outputs, self.gate(as_vectors(recorded[0])))
