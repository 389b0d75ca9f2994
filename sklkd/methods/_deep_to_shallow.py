"""Be your own teacher: the deepest exit of a network is the teacher of shallower ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from sklearn.base import clone
from torch import Tensor, nn

from sklkd._named import NamedObjects
from sklkd.losses import ActiveHintLoss, Loss
from sklkd.losses._base import check_number
from sklkd.losses._checked import check_losses
from sklkd.losses._objective import distillation_loss, hard_loss
from sklkd.losses._tasks import default_loss
from sklkd.methods._base import check_fraction
from sklkd.methods._self import SelfMethod, SelfObjective, Training, TrainingResult
from sklkd.students._activations import watch
from sklkd.students._exits import Exit, Head, as_vectors, deepest, exit_layers, tap_shape

HINT = 0.07  # the paper's 1e-6 is times a sum; this is times the mean, for its batches of 128 and 512 features


class DeepToShallow(NamedObjects, SelfMethod):
    r"""Exits after hidden layers, which learn from the network's own output (BYOT) [1]_.

    A linear layer makes an output :math:`z_i` of each chosen hidden layer :math:`f_i`. Their teacher is the network's
    output :math:`z` and its last hidden layer :math:`f`:

    .. math:: (1 - \alpha) \Big(\mathrm{CE}(z) + \sum_i \mathrm{CE}(z_i)\Big)
        + \alpha \sum_i T^2\, \mathrm{KL}(p \| p_i) + \sum_i w\, L(f_i, f)

    The output and the last hidden layer are detached where they are targets. The fitted estimator predicts from every
    exit (``predict(X, exit=0)``), and ``cut(exit)`` is the network that ends there, so that accuracy can be traded for
    time after training. In regression squared errors stand for cross-entropy and divergence.

    Parameters
    ----------
    layers : sequence of str, default=None
        Names of the layers with exits. None: all hidden layers but the last; of a network that
        is no :class:`~sklkd.students.TabularNet`, what each linear or convolutional layer between the first and the
        last is given. Each has to be called once in a forward pass.
    alpha : float in [0, 1], default=0.1
        Weight of the output as a teacher against the labels.
    temperature : float, default=3.0
        ``T``, above 0; not used in regression.
    loss : Loss or list of (str, Loss), default=None
        L, a further loss between an exit and the output: any of :mod:`sklkd.losses` that needs no pretrained teacher.
        Losses of features and of relations between rows compare the exit's layer with the last hidden one; those
        between layers, such as ``FSPLoss``, the change from the first exit's layer to this exit's with that to the last
        hidden one; those of outputs the outputs. Layers stay None, being those of the exits; a loss's ``weight`` is w,
        and 0 leaves it out. None is ``ActiveHintLoss(weight=0.07)``, the paper's.

    Raises
    ------
    ValueError, TypeError
        At fit, if a parameter is out of its range, the student has no such layer or only one hidden layer, or the loss
        is of another kind.

    Notes
    -----
    The paper puts a few more layers into each exit, ours is linear: a network that is cut is just a shorter one. The
    paper's soft term is the cross-entropy, which is larger by the entropy of p and has the same gradient. Maps are
    averaged over positions for exits, and where they are compared with vectors. Rows count by their weight.

    References
    ----------
    .. [1] Zhang et al., "Be Your Own Teacher: Improve the Performance of Convolutional Neural Networks via Self
       Distillation", ICCV 2019, arXiv:1905.08094.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklkd import SelfDistilledClassifier
    >>> from sklkd.methods import DeepToShallow
    >>> from sklkd.students import TabularStudent
    >>> X, y = load_iris(return_X_y=True)
    >>> student = TabularStudent(module__hidden=(16, 16, 16), max_epochs=100)
    >>> est = SelfDistilledClassifier(student, method=DeepToShallow(temperature=2), random_state=0).fit(X, y)
    >>> list(est.exits_)
    ['hidden.0', 'hidden.1', 'output']
    >>> est.predict_proba(X[:2], exit="hidden.0").shape
    (2, 3)
    >>> est.cut(0).score(X, y) > 0.9
    True
    """

    _named = ("loss",)

    def __init__(
        self,
        *,
        layers: Sequence[str] | None = None,
        alpha: float = 0.1,
        temperature: float = 3.0,
        loss: Any = None,
    ):
        self.layers = layers
        self.alpha = alpha
        self.temperature = temperature
        self.loss = loss

    def check(self, task: str) -> None:
        super().check(task)
        check_fraction("alpha", self.alpha)
        check_number("temperature", self.temperature, 0, strict=True)
        if self.layers is not None:
            named = isinstance(self.layers, (list, tuple)) and all(isinstance(name, str) for name in self.layers)
            if not named or len(self.layers) == 0 or len(set(self.layers)) < len(self.layers):
                raise ValueError(f"layers must be a list of different names of layers or None, got {self.layers!r}.")
        for loss in self.losses(task):
            if loss.needs_trained_teacher:
                raise ValueError(f"loss: {loss!r} needs a pretrained teacher, which exits do not have.")
            if loss.n_layers and (loss.student_layer, loss.teacher_layer) != (None, None):
                raise ValueError(f"loss must not name layers, which are those of the exits, got {loss!r}: use layers=.")

    def losses(self, task: str) -> list[Any]:
        """Checked clones of the further losses between an exit and the output."""
        reserved = set(self.get_params(deep=False))
        return [loss for _, loss in check_losses(self.loss, ActiveHintLoss(weight=HINT), task, reserved)]

    def objective(self, training: Training) -> ExitsObjective:
        return ExitsObjective(self, training.task, training.n_outputs)

    def train(self, training: Training) -> TrainingResult:
        net = training.run(self.objective(training), build=lambda objective, *given: objective.build(*given))
        return TrainingResult(net, net.criterion_.exits())


class ExitsObjective(SelfObjective):
    """The losses on labels of all exits, and the distillation losses from the deepest to the others.

    Parameters
    ----------
    method : DeepToShallow
    task : {"classification", "multilabel", "regression"}
    n_outputs : int
    """

    def __init__(self, method: DeepToShallow, task: str, n_outputs: int):
        super().__init__(method, task)
        self.n_outputs = n_outputs
        self.soft_loss: Any = default_loss(task, method.temperature)
        self.heads = nn.ModuleList()
        # for each exit the further losses between it and the output
        self.exit_losses = nn.ModuleList()

    def build(self, module: nn.Module, sample: Tensor, _features: Any = ()) -> None:
        """Make a head and the losses for each exit of a network, by a forward pass of a few rows."""
        found = watch(module, sample)
        places = exit_layers(module, found, self.method.layers)
        deep = deepest(found)
        self.exit_names, self.taps, self.shape = list(places), [(*places.values(), deep)], tuple(sample.shape[1:])
        losses = self.method.losses(self.task)
        # no numbers, only shapes
        *layers, last = (torch.empty(1, *tap_shape(found, tap), device="meta") for tap in self.taps[0])
        for layer in layers:
            self.heads.append(Head(as_vectors(layer).shape[1], self.n_outputs))
            own: Any = nn.ModuleList(clone(loss) for loss in losses)
            for loss in own:
                if loss.n_layers:
                    sides = sides_of(loss, layers[0], layer, last)
                    loss.build(*(loss.side([tuple(one.shape[1:]) for one in side]) for side in sides))
            self.exit_losses.append(own)
        self.to(sample.device)

    def exits(self) -> list[Exit]:
        """The trained exits but the deepest."""
        taps = self.taps[0][:-1]
        places = zip(self.exit_names, taps, self.heads, strict=True)
        return [Exit(name, tap, head.eval(), self.shape) for name, tap, head in places]

    def training_loss(self, y_pred: Tensor, y: Tensor) -> Tensor:
        *layers, deep = (self.features[tap] for tap in self.taps[0])
        heads: Any = self.heads
        outputs = [head(layer) for head, layer in zip(heads, layers, strict=True)]
        alpha = self.method.alpha
        total = (1 - alpha) * self.labels([*outputs, y_pred], y)
        if alpha > 0:
            total = total + alpha * self.soft(outputs, y_pred)
        return total + self.feature_losses(layers, deep, outputs, y_pred, y)

    def labels(self, outputs: Sequence[Tensor], y: Tensor) -> Tensor:
        """The sum over exits of the loss on labels."""
        return torch.stack([hard_loss(output, y, self.weight) for output in outputs]).sum()

    def soft(self, outputs: Sequence[Tensor], deep: Tensor) -> Tensor:
        """The sum over shallow exits of the divergence from the deepest, which is detached."""
        target = self.soft_loss.prepare(deep.detach())
        return torch.stack([self.soft_loss.compare(output, target, None, self.weight) for output in outputs]).sum()

    def feature_losses(
        self, layers: Sequence[Tensor], deep: Tensor, outputs: Sequence[Tensor], y_pred: Tensor, y: Tensor
    ) -> Tensor:
        """The weighted sum over shallow exits of their further losses; the deepest is detached."""
        total = y_pred.new_zeros(())
        exit_losses: Any = self.exit_losses
        for own, layer, output in zip(exit_losses, layers, outputs, strict=True):
            for loss in own:
                student: Any = output
                teacher: Any = y_pred
                if loss.n_layers:
                    student, teacher = (loss.side(side) for side in sides_of(loss, layers[0], layer, deep))
                total = total + distillation_loss(loss, student, teacher, y, self.weight, self.epoch)
        return total


def sides_of(loss: Loss, first: Tensor, layer: Tensor, deep: Tensor) -> list[list[Tensor]]:
    """The layers of an exit and of the deepest that a loss compares; as vectors unless all are maps."""
    sides = [[first, layer][-loss.n_layers :], [first, deep][-loss.n_layers :]]
    maps = all(one.ndim == 4 for side in sides for one in side)
    return sides if maps else [[as_vectors(one) for one in side] for side in sides]
