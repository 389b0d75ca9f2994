"""Born-again networks: each generation is the teacher of the next, of the same architecture."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from scipy.special import expit, softmax
from sklearn.base import clone
from skorch import NeuralNet

from sklkd._device import device_of
from sklkd.losses import Loss
from sklkd.losses._base import check_integer
from sklkd.losses._checked import named_task
from sklkd.losses._objective import Objective
from sklkd.losses._tasks import default_loss, mean_prediction
from sklkd.methods._base import check_fraction
from sklkd.methods._self import SelfMethod, Training, TrainingResult
from sklkd.students._cohort import Cohort, Ensemble
from sklkd.students._forward import forward
from sklkd.students._train import with_module
from sklkd.teachers import Outputs


class BornAgain(SelfMethod):
    r"""Train a network, then another of the same kind that learns from it, and so on (BAN) [1]_.

    The first generation learns from the labels. Each later one is trained from scratch on

    .. math:: h\, \mathrm{CE}(y) + (1 - h)\, L(z_{k-1}, z_k),

    the labels and the predictions of the generation before.

    Parameters
    ----------
    generations : int, default=2
        Number of networks; 1 is a network trained on labels only.
    hard_weight : float in [0, 1), default=0.5
        The weight h of the labels. The paper weighs both equally, or leaves out the labels (0).
    loss : Loss, default=None
        The distillation loss between generations, any loss of :mod:`sklkd.losses` on outputs. None is
        ``SoftTargetLoss()``, ``MultilabelTargetLoss()`` for several labels a row, ``TargetLoss()`` in regression.
    ensemble : bool, default=False
        Whether to predict with the mean probability or value of all generations, and not with the last.

    Raises
    ------
    ValueError, TypeError
        At fit, if a parameter is out of its range, or the loss compares more than outputs.

    Notes
    -----
    It costs as many trainings as there are generations, which no number of cores shortens: each waits for the one
    before, also where ``ensemble=True`` averages them. Each is in ``generations_`` as a fitted estimator; the first
    was trained on labels only. This is :class:`~sklkd.DistilledClassifier` with itself as the teacher, in-sample and
    without synthetic rows, the networks being sized and encoded once. Rows count by their weight.

    References
    ----------
    .. [1] Furlanello et al., "Born-Again Neural Networks", ICML 2018, arXiv:1805.04770.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklkd import SelfDistilledClassifier
    >>> from sklkd.methods import BornAgain
    >>> X, y = load_iris(return_X_y=True)
    >>> est = SelfDistilledClassifier("tiny", method=BornAgain(generations=3), random_state=0).fit(X, y)
    >>> [one.score(X, y) > 0.9 for one in est.generations_]
    [True, True, True]
    """

    def __init__(
        self, *, generations: int = 2, hard_weight: float = 0.5, loss: Loss | None = None, ensemble: bool = False
    ):
        self.generations = generations
        self.hard_weight = hard_weight
        self.loss = loss
        self.ensemble = ensemble

    def check(self, task: str) -> None:
        super().check(task)
        check_integer("generations", self.generations, 1)
        check_fraction("hard_weight", self.hard_weight)
        if self.hard_weight == 1:
            raise ValueError("hard_weight must be < 1, got hard_weight=1: no generation would learn from another.")
        if not isinstance(self.ensemble, (bool, np.bool_)):
            raise TypeError(f"ensemble must be True or False, got ensemble={self.ensemble!r}.")
        if self.loss is None:
            return
        if not isinstance(self.loss, Loss):
            raise TypeError(f"loss must be a Loss of sklkd.losses, got loss={self.loss!r}.")
        self.loss.check()
        if self.loss.n_layers > 0 or task not in self.loss.tasks or self.loss.needs_spread:
            raise ValueError(f"loss must compare the outputs of one network for {named_task(task)}, got {self.loss!r}.")

    def train(self, training: Training) -> TrainingResult:
        seeds = np.random.RandomState(training.seed).randint(2**31 - 1, size=self.generations - 1).tolist()
        nets = [training.run(Objective([], 1.0), of=self.generations)]
        default = default_loss(training.task)
        for seed in seeds:
            loss = clone(default if self.loss is None else self.loss)
            targets = loss.target(training_outputs(nets[-1], training))
            objective = Objective([("loss", loss)], self.hard_weight)
            nets.append(training.run(objective, [targets], seed=seed, of=self.generations))
        return TrainingResult(average_of(nets, training.task) if self.ensemble else nets[-1], generations=nets)


def training_outputs(net: NeuralNet, training: Training) -> Outputs:
    """A trained net's outputs for the training rows."""
    raw = forward(net.module_, training.rows.inputs, device_of(net.module_)).numpy().astype(float)
    if training.task == "classification":
        return Outputs(proba=softmax(raw, axis=1), margins=raw)
    return Outputs(values=expit(raw) if training.task == "multilabel" else raw)


def average_of(nets: Sequence[NeuralNet], task: str) -> NeuralNet:
    """A net that predicts with the mean of several."""
    cohort = Cohort([net.module_ for net in nets])
    return with_module(nets[-1], Ensemble(cohort, partial(mean_prediction, task=task)))
