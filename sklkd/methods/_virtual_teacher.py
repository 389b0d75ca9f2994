"""Teacher-free distillation: a teacher that is designed, not trained."""

from __future__ import annotations

import torch
from torch import Tensor

from sklkd.losses import SoftTargetLoss
from sklkd.losses._base import check_number
from sklkd.losses._objective import hard_loss
from sklkd.methods._base import check_fraction
from sklkd.methods._self import SelfMethod, SelfObjective, Training


class VirtualTeacher(SelfMethod):
    r"""A teacher that is always right, and sure of it to a given degree (Tf-KD's regularisation) [1]_.

    .. math:: (1 - \alpha)\, \mathrm{CE}(y) + \alpha\, \frac{T^2}{n} \sum_{i=1}^{n} \mathrm{KL}(u_i^{1/T} \| p_i^{1/T})

    where :math:`u_i` has the probability ``confidence`` for the label and the same for all other classes; both sides
    are softened by :math:`T` and normalised again.

    Parameters
    ----------
    temperature : float, default=20.0
        ``T``, above 0; the paper has 20 to 40. At 1 this is label smoothing.
    alpha : float in [0, 1], default=0.1
        Weight of the virtual teacher. 0 trains on labels only.
    confidence : float, default=0.99
        Above one by the number of classes and below 1.

    Raises
    ------
    ValueError
        At fit, if a parameter is out of its range, or for regression, which has no classes to be sure of.

    Notes
    -----
    This is the formula of the paper with the factor :math:`T^2` of all soft targets. The authors' code computes another
    one: it softens the probabilities :math:`u` as if they were logits, does not soften the network, and averages over
    classes. That is ``temperature=1`` with a ``confidence`` of ``softmax(u / T)``, 0.26 for four classes and T=20, and
    an ``alpha`` that is smaller by the number of classes.

    References
    ----------
    .. [1] Yuan et al., "Revisiting Knowledge Distillation via Label Smoothing Regularization", CVPR 2020,
       arXiv:1909.11723.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklkd import SelfDistilledClassifier
    >>> from sklkd.methods import VirtualTeacher
    >>> X, y = load_iris(return_X_y=True)
    >>> est = SelfDistilledClassifier("tiny", method=VirtualTeacher(temperature=1), random_state=0).fit(X, y)
    >>> est.score(X, y) > 0.9
    True
    """

    tasks = ("classification",)

    def __init__(self, *, temperature: float = 20.0, alpha: float = 0.1, confidence: float = 0.99):
        self.temperature = temperature
        self.alpha = alpha
        self.confidence = confidence

    def check(self, task: str) -> None:
        super().check(task)
        check_number("temperature", self.temperature, 0, strict=True)
        check_fraction("alpha", self.alpha)
        check_number("confidence", self.confidence, 0, strict=True)
        if not self.confidence < 1:
            raise ValueError(f"confidence must be < 1, got confidence={self.confidence}.")

    def objective(self, training: Training) -> VirtualTeacherObjective:
        n_classes = training.n_outputs
        if not self.confidence > 1 / n_classes:
            raise ValueError(
                f"confidence must be > 1 / {n_classes} with {n_classes} classes, so that the label is the most "
                f"probable one, got confidence={self.confidence}."
            )
        return VirtualTeacherObjective(self, n_classes)


class VirtualTeacherObjective(SelfObjective):
    """The loss on labels and the divergence from the virtual teacher.

    Parameters
    ----------
    method : VirtualTeacher
    n_classes : int
    """

    proba: Tensor
    entropy: Tensor

    def __init__(self, method: VirtualTeacher, n_classes: int):
        super().__init__(method, "classification")
        self.soft = SoftTargetLoss(temperature=method.temperature)
        proba = torch.full((n_classes, n_classes), (1 - method.confidence) / (n_classes - 1), dtype=torch.float64)
        # row y is the virtual teacher's output for a row with the label y
        proba, entropy = self.soft.prepare(proba.fill_diagonal_(method.confidence).log())
        self.register_buffer("proba", proba.float())
        self.register_buffer("entropy", entropy.float())

    def training_loss(self, y_pred: Tensor, y: Tensor) -> Tensor:
        hard = hard_loss(y_pred, y, self.weight)
        soft = self.soft.compare(y_pred, (self.proba[y], self.entropy[y]), None, self.weight)
        return (1 - self.method.alpha) * hard + self.method.alpha * soft
