"""Activation boundaries: on which side of zero each unit of the teacher is."""

from __future__ import annotations

from torch import Tensor

from sklkd.losses._base import check_integer, check_number, weighted_mean
from sklkd.losses._feature import InitialStage, ProjectedLoss


class ABLoss(InitialStage, ProjectedLoss):
    r"""Squared hinge that moves the student's units to the teacher's side of zero, beyond a margin.

    .. math::
        L = \frac{1}{B} \sum_{b, d} \begin{cases}
            (s_{bd} + m)^2 & t_{bd} \le 0,\ s_{bd} > -m \\
            (s_{bd} - m)^2 & t_{bd} > 0,\ s_{bd} \le m \\
            0 & \text{otherwise}
        \end{cases}

    Meant for *pre-activation* layers: behind a ReLU, t > 0 is all that is left of the teacher, and the student
    cannot reach -m. In a fit, a learnt Linear (1x1 convolution for maps) maps the student, starting as the identity
    where the widths are equal.

    Parameters
    ----------
    margin : float, default=1.0
        Distance from zero that is enough, the paper's value (one public code: 2).
    init_epochs : int, default=0
        Epochs of the paper's first stage, which trains only this loss; afterwards it is off. 0 trains it together
        with everything else.
    weight : float, default=1.0
        Factor in the objective. For L layers the paper takes one loss for each, the last with weight 1, the one
        before with 1/2, and so on.
    student_layer, teacher_layer : str, default=None
        Names of the layers; None is the last hidden layer.

    Notes
    -----
    Shapes: (B, D) and (B, D'), or (B, C, H, W) and (B, C', H', W'), the larger map average-pooled to the smaller. A
    sum over D, so it grows with the width; t = 0 counts as inactive. Public codes add a factor 3/1000, or take the
    mean over all elements; here there is neither.

    References
    ----------
    Heo et al., "Knowledge Transfer via Distillation of Activation Boundaries Formed by Hidden Neurons", AAAI 2019,
    arXiv:1811.03233.

    Examples
    --------
    >>> import torch
    >>> ABLoss()(torch.tensor([[0.5, -2.0]]), torch.tensor([[3.0, -1.0]]))
    tensor(0.2500)
    """

    def __init__(
        self,
        *,
        margin: float = 1.0,
        init_epochs: int = 0,
        weight: float = 1.0,
        student_layer: str | None = None,
        teacher_layer: str | None = None,
    ):
        super().__init__(weight=weight, student_layer=student_layer, teacher_layer=teacher_layer)
        self.margin = margin
        self.init_epochs = init_epochs

    def check(self) -> None:
        super().check()
        check_number("margin", self.margin, 0, strict=True)
        check_integer("init_epochs", self.init_epochs, 0)

    def compare(
        self, student: Tensor, target: Tensor, y: Tensor | None = None, sample_weight: Tensor | None = None
    ) -> Tensor:
        student, target = self.project(student, target)
        side = (target > 0).to(student.dtype) * 2 - 1
        shortfall = (self.margin - side * student).clamp(min=0)
        return weighted_mean(shortfall.square().flatten(1).sum(1), sample_weight)
