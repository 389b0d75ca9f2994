"""Probabilistic knowledge transfer."""

from __future__ import annotations

from torch import Tensor

from sklkd.losses._geometry import unit_rows
from sklkd.losses._relation import SimilarityLoss

# The published one, on both sides of the ratio.
EPSILON = 1e-7


class PKTLoss(SimilarityLoss):
    r"""Which rows of a batch are near which, as probabilities [1]_.

    .. math:: \frac{1}{n^2} \sum_{i,j=1}^{n} p^t_{ij} \log \frac{p^t_{ij} + \epsilon}{p^s_{ij} + \epsilon}, \qquad
              p_{ij} = \frac{1 + \cos(x_i, x_j)}{\sum_k 1 + \cos(x_i, x_k)}

    Parameters
    ----------
    weight : float, default=1.0
        Factor of this loss in the objective; 30000 is usual for networks, as the value is a mean of terms of size 1/n.
    student_layer, teacher_layer : str, default=None
        Names of the layers; None is the last hidden layer, of trees ``"leaves"``.

    Raises
    ------
    TypeError, ValueError
        If features are not floating point, (n_rows, width) or (n_rows, channels, height, width), or the two sides have
        different numbers of rows. Widths may differ.

    Notes
    -----
    This is the form of the authors' code, with :math:`\epsilon` = 1e-7: the paper leaves out the diagonal and sums over
    pairs. The value depends on the batch size. A row of zeros has cosine 0 with every row, itself included, and gets no
    gradient (public codes: NaN). A batch of one row gives 0.

    Of an ensemble of trees, integers of shape (n_rows, n_trees) are the leaves of its rows: the teacher's cosine of two
    rows is the fraction of trees in which they meet. That is what None means for such a teacher.

    References
    ----------
    .. [1] Passalis and Tefas (2018), Learning Deep Representations with Probabilistic Knowledge Transfer,
       arXiv:1803.10837.

    Examples
    --------
    >>> import torch
    >>> from sklkd.losses import PKTLoss
    >>> student, teacher = torch.tensor([[1.0], [2.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> PKTLoss()(student, teacher), PKTLoss()(student, 10 * student)
    (tensor(0.0283), tensor(0.))
    """

    def prepare(self, teacher: Tensor) -> Tensor:
        """The teacher's features as vectors of norm 1; leaves as they are."""
        teacher = super().prepare(teacher)
        return unit_rows(teacher) if teacher.is_floating_point() else teacher

    def compare(
        self, student: Tensor, target: Tensor, y: Tensor | None = None, sample_weight: Tensor | None = None
    ) -> Tensor:
        student = unit_rows(self.vectors(student, target))
        target = _probabilities(self.products(target, student.dtype))
        student = _probabilities(student @ student.T)
        return (target * ((target + EPSILON) / (student + EPSILON)).log()).mean()


def _probabilities(cosines: Tensor) -> Tensor:
    # opposite rows may round to a cosine just below -1, and the logarithm must not see it
    nearness = (1 + cosines).clamp(min=0)
    return nearness / nearness.sum(1, keepdim=True)
