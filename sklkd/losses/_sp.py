"""Similarity-preserving knowledge distillation."""

from __future__ import annotations

from torch import Tensor

from sklkd.losses._geometry import unit_rows
from sklkd.losses._relation import SimilarityLoss


class SPLoss(SimilarityLoss):
    r"""Similarities between the rows of a batch, as in [1]_.

    .. math:: \frac{1}{n^2} \| N(F^s F^{s\top}) - N(F^t F^{t\top}) \|^2

    where :math:`F` is (n_rows, width), maps flattened, and :math:`N` divides each row of the matrix by its norm.

    Parameters
    ----------
    weight : float, default=1.0
        Factor of this loss in the objective; 3000 is usual for networks.
    student_layer, teacher_layer : str, default=None
        Names of the layers; None is the last hidden layer, of trees ``"leaves"``.

    Raises
    ------
    TypeError, ValueError
        If features are not floating point, (n_rows, width) or (n_rows, channels, height, width), or the two sides have
        different numbers of rows. Widths may differ.

    Notes
    -----
    The features are not centred: an offset that all rows share makes all similarities equal. The value falls with the
    batch size. A row of zeros is similar to nothing and gets no gradient. A batch of one row gives 0, unless one side
    is all zeros. One public library divides by the sum of absolute values instead of the norm.

    Of an ensemble of trees, integers of shape (n_rows, n_trees) are the leaves of its rows: the teacher's similarity of
    two rows is the fraction of trees in which they meet. That is what None means for such a teacher.

    References
    ----------
    .. [1] Tung and Mori (2019), Similarity-Preserving Knowledge Distillation, arXiv:1907.09682.

    Examples
    --------
    >>> import torch
    >>> from sklkd.losses import SPLoss
    >>> student, teacher = torch.tensor([[1.0], [2.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> SPLoss()(student, teacher), SPLoss()(student, 10 * student)
    (tensor(0.3292), tensor(0.))
    """

    def compare(
        self, student: Tensor, target: Tensor, y: Tensor | None = None, sample_weight: Tensor | None = None
    ) -> Tensor:
        student = self.vectors(student, target)
        return (unit_rows(student @ student.T) - unit_rows(self.products(target, student.dtype))).square().mean()
