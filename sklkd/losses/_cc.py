"""Correlation congruence."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sklkd.losses._base import check_integer, check_number
from sklkd.losses._geometry import unit_rows
from sklkd.losses._relation import SimilarityLoss


class CCLoss(SimilarityLoss):
    r"""Correlations between the rows of a batch, by a kernel [1]_.

    .. math:: \frac{1}{n^2} \| K^s - K^t \|^2, \qquad
              K_{ij} = \sum_{p=0}^{P} e^{-2 \gamma} \frac{(2 \gamma)^p}{p!} \langle x_i, x_j \rangle^p

    of rows divided by their norms: the Taylor series of :math:`\exp(-\gamma \|x_i - x_j\|^2)`.

    Parameters
    ----------
    gamma : float, default=0.4
        Width of the kernel, above 0. At the paper's 0.4 the kernel is almost linear in the cosine.
    order : int, default=2
        ``P``, at least 1.
    weight : float, default=1.0
        Factor of this loss in the objective.
    student_layer, teacher_layer : str, default=None
        Names of the layers; None is the last hidden layer, of trees ``"leaves"``.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of its range; if features are not floating point, (n_rows, width) or (n_rows, channels,
        height, width), or the two sides have different numbers of rows. Widths may differ.

    Notes
    -----
    A row of zeros has cosine 0 with every row and gets no gradient. A batch of one row gives 0, unless one side is
    all zeros. Public codes by this name differ: one multiplies the differences of neighbouring rows, which depends on
    their order and needs equal widths; one does not normalise the rows, nor square the norm.

    Of an ensemble of trees, integers of shape (n_rows, n_trees) are the leaves of its rows: the teacher's cosine of two
    rows is the fraction of trees in which they meet. That is what None means for such a teacher.

    References
    ----------
    .. [1] Peng et al. (2019), Correlation Congruence for Knowledge Distillation, arXiv:1904.01802.

    Examples
    --------
    >>> import torch
    >>> from sklkd.losses import CCLoss
    >>> student, teacher = torch.tensor([[1.0], [2.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> CCLoss()(student, teacher), CCLoss()(student, 10 * student)
    (tensor(0.1266), tensor(0.))
    """

    def __init__(
        self,
        *,
        gamma: float = 0.4,
        order: int = 2,
        weight: float = 1.0,
        student_layer: str | None = None,
        teacher_layer: str | None = None,
    ):
        super().__init__(weight=weight, student_layer=student_layer, teacher_layer=teacher_layer)
        self.gamma = gamma
        self.order = order

    def check(self) -> None:
        super().check()
        check_number("gamma", self.gamma, 0, strict=True)
        check_integer("order", self.order, 1)

    def prepare(self, teacher: Tensor) -> Tensor:
        """The teacher's features as vectors of norm 1; leaves as they are."""
        teacher = super().prepare(teacher)
        return unit_rows(teacher) if teacher.is_floating_point() else teacher

    def compare(
        self, student: Tensor, target: Tensor, y: Tensor | None = None, sample_weight: Tensor | None = None
    ) -> Tensor:
        student = unit_rows(self.vectors(student, target))
        return (self._kernel(student @ student.T) - self._kernel(self.products(target, student.dtype))).square().mean()

    def _kernel(self, cosines: Tensor) -> Tensor:
        kernel = torch.zeros_like(cosines)
        for p in range(1, self.order + 1):  # the constant of p = 0 cancels
            kernel = kernel + math.exp(-2 * self.gamma) * (2 * self.gamma) ** p / math.factorial(p) * cosines**p
        return kernel
