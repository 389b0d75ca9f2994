"""Deep mutual learning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn.base import clone
from torch import Tensor, nn

from sklkd._named import NamedObjects
from sklkd._torch import Tap
from sklkd.losses import Loss
from sklkd.losses._base import check_number
from sklkd.losses._checked import check_losses
from sklkd.losses._objective import distillation_loss
from sklkd.losses._tasks import default_loss
from sklkd.methods._online import CohortObjective, OnlineMethod, mean_divergence, softened
from sklkd.students._activations import layers_of, watch
from sklkd.students._cohort import Cohort, naming


class MutualLearning(NamedObjects, OnlineMethod):
    r"""Each peer learns from the others' current predictions [1]_.

    .. math:: L_k = \mathrm{CE}(y, z_k) + \frac{w}{K - 1} \sum_{j \ne k} T^2\, \mathrm{KL}(p_j \| p_k),
       \qquad p = \mathrm{softmax}(z / T)

    The others' predictions are constants in :math:`L_k`. For regression both terms are squared differences of
    standardised targets.

    Parameters
    ----------
    temperature : float, default=1.0
        ``T``, above 0; 1 as in the paper.
    weight : float, default=1.0
        ``w``. At 0 each peer is trained on labels only.
    loss : Loss or list of (str, Loss), default=None
        The distillation loss between two peers in place of the divergence, any of :mod:`sklkd.losses` that needs no
        pretrained teacher. Losses of features and relations read ``student_layer`` in the peer that learns and
        ``teacher_layer`` in the one that it learns from, or their last hidden layers; where widths differ, each pair of
        peers has a projector of its own. Losses that standardise a teacher's features do without, because these move.
    peer_weights : dict of str to float, default=None
        Weight of each peer as a teacher of the others, by name; 1 for those not named. None: all the same.

    Notes
    -----
    The paper lets the peers step one after the other; here all see a batch first, then all step, which makes their
    order irrelevant. The authors' code sums over the other peers; the paper and this class average. Other public codes
    do not detach the others, or take the squared error of probabilities for the divergence.

    References
    ----------
    .. [1] Y. Zhang, T. Xiang, T. M. Hospedales, H. Lu (2018), Deep mutual learning, CVPR, arXiv:1706.00384.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklkd import OnlineDistilledClassifier
    >>> from sklkd.methods import MutualLearning
    >>> X, y = load_iris(return_X_y=True)
    >>> peers = [("large", "small"), ("small", "tiny")]
    >>> est = OnlineDistilledClassifier(peers, method=MutualLearning(temperature=2), deploy="small", random_state=0)
    >>> est.fit(X, y).score(X, y) > 0.9
    True
    """

    _named = ("loss",)

    def __init__(
        self,
        *,
        temperature: float = 1.0,
        weight: float = 1.0,
        loss: Any = None,
        peer_weights: dict[str, float] | None = None,
    ):
        super().__init__(temperature=temperature, weight=weight)
        self.loss = loss
        self.peer_weights = peer_weights

    def check(self, task: str) -> None:
        super().check(task)
        if self.loss is not None and self.temperature != 1:
            raise ValueError(
                f"temperature belongs to the default loss, got temperature={self.temperature} beside loss="
                f"{self.loss!r}: set that one's."
            )
        if not isinstance(self.peer_weights, (dict, type(None))):
            raise TypeError(f"peer_weights must be a dict of names to numbers or None, got {self.peer_weights!r}.")
        for name, weight in (self.peer_weights or {}).items():
            check_number(f"peer_weights[{name!r}]", weight, 0)
        for _, loss in self._losses(task):
            if loss.needs_trained_teacher:
                raise ValueError(f"loss: {loss!r} needs a pretrained teacher, which peers do not have.")

    def _losses(self, task: str) -> list[tuple[str, Loss]]:
        return check_losses(self.loss, default_loss(task), task, set(self.get_params(deep=False)))

    def teacher_weights(self, names: Sequence[str]) -> list[list[float]]:
        """Row k: weights of the peers as teachers of the k-th one, which sum to 1, or to 0 where it has none.

        Raises
        ------
        ValueError
            Where ``peer_weights`` names a peer that is not there.
        """
        given = self.peer_weights or {}
        unknown = sorted(set(given) - set(names))
        if unknown:
            raise ValueError(f"peer_weights must name peers, which are {list(names)}, got {unknown}.")
        counts = [float(given.get(name, 1.0)) for name in names]
        rows = [[0.0 if j == k else count for j, count in enumerate(counts)] for k in range(len(names))]
        return [[count / sum(row) if sum(row) > 0 else 0.0 for count in row] for row in rows]

    def build(self, objective: CohortObjective, cohort: Cohort, sample: Tensor) -> None:
        objective.teacher_weights = self.teacher_weights(objective.peers)
        if self.loss is None or self.weight == 0:
            return
        losses = [loss for _, loss in self._losses(objective.task)]
        traces: list[Any] = [None] * len(cohort.peers)
        if any(loss.n_layers for loss in losses):
            traces = [watch(peer, own) for peer, own in zip(cohort.peers, cohort.inputs(sample), strict=True)]
        for loss in losses:
            for k, row in enumerate(objective.teacher_weights):
                for j, weight in enumerate(row):
                    if weight > 0:
                        sides = [
                            _side(loss, one, traces[one], objective.peers[one], parameter)
                            for one, parameter in ((k, "student_layer"), (j, "teacher_layer"))
                        ]
                        objective.between.append(Pair(clone(loss), weight, (k, j), sides))
        pairs: Any = objective.between
        objective.taps = [tuple(tap for side in pair.taps for tap in side) for pair in pairs]

    def distillation_losses(self, outputs: Sequence[Tensor], y: Tensor, objective: CohortObjective) -> list[Tensor]:
        if self.weight == 0:
            return []
        if self.loss is None:
            targets = [softened(output, self.temperature, objective.task) for output in outputs]
            return [
                self.weight * mean_divergence(output, targets, row, self.temperature, objective)
                for output, row in zip(outputs, objective.teacher_weights, strict=True)
            ]
        losses = [output.new_zeros(()) for output in outputs]
        pairs: Any = objective.between
        for pair in pairs:
            k = pair.peers[0]
            losses[k] = losses[k] + self.weight * pair(outputs, y, objective)
        return losses


class Pair(nn.Module):
    """A loss by which one peer learns from another, with the parts that are trained for these two.

    Parameters
    ----------
    loss : Loss
        Not shared with other pairs.
    weight : float
    peers : (int, int)
        The student, and the teacher.
    sides : two of (taps, shapes)
        Where their layers are read, and the shapes of these; empty for outputs.
    """

    def __init__(
        self, loss: Loss, weight: float, peers: tuple[int, int], sides: Sequence[tuple[tuple[Tap, ...], list]]
    ):
        super().__init__()
        self.loss, self.weight, self.peers = loss, weight, peers
        self.taps = [taps for taps, _ in sides]
        if loss.n_layers:
            loss.build(*(loss.side(shapes) for _, shapes in sides))

    def forward(self, outputs: Sequence[Tensor], y: Tensor, objective: CohortObjective) -> Tensor:
        student, teacher = (self._layers(outputs, side, objective) for side in (0, 1))
        return self.weight * distillation_loss(self.loss, student, teacher, y, objective.weight, objective.epoch)

    def _layers(self, outputs: Sequence[Tensor], side: int, objective: CohortObjective) -> Any:
        if self.loss.n_layers == 0:
            return outputs[self.peers[side]]
        return self.loss.side([objective.features[tap] for tap in self.taps[side]])


def _side(loss: Loss, k: int, found: Any, name: str, parameter: str) -> tuple[tuple[Tap, ...], list]:
    """Where a cohort's k-th peer is read for one side of a loss, and the shapes of these layers."""
    if loss.n_layers == 0:
        return (), []
    with naming(name):
        names = layers_of(loss, found, parameter)
    taps = tuple(Tap(f"peers.{k}.{tap.path}", tap.given) for tap in map(found.tap, names))
    return taps, [found.layers[name] for name in names]
