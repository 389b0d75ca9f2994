"""Knowledge distillation by singular value decomposition."""

from __future__ import annotations

import torch
from torch import Tensor

from sklkd.losses._base import check_integer, check_number, weighted_mean
from sklkd.losses._geometry import SQUARED_NORM_FLOOR, unit_rows
from sklkd.losses._relation import BetweenLayersLoss

# How many vectors more than the teacher's the student offers for matching, as in the authors' code.
SPARE_VECTORS = 3
# Singular vectors whose squared singular values are nearer than this, relative to the largest, turn into each other
# under any small change: the part of the gradient that would turn them is left out. It would be unbounded.
GAP_FLOOR = 1e-3


class KDSVDLoss(BetweenLayersLoss):
    r"""How the leading singular vectors of a map change from one layer to the next [1]_.

    .. math:: \frac{1}{n} \sum_{i=1}^{n} \sum_{a,b,k} (R^s_{iabk} - R^t_{iabk})^2, \qquad
              R_{iabk} = \exp(-(v_{2,iak} - v_{1,ibk})^2 / \gamma)

    where :math:`v_{l,i \cdot k}` is the k-th right singular vector, over channels, of layer l's map of row i as a
    matrix (positions, channels). Each of the teacher's vectors has its entry of largest modulus positive, and is
    multiplied by its singular value (of all k values together divided by their norm); the student's is the one, of
    its first k + 3, with the largest absolute cosine, with the sign and the factor of the teacher's. Vectors (n_rows,
    width) have one position: their only singular vector is the row divided by its norm.

    Parameters
    ----------
    k : int, default=1
        How many singular vectors, at least 1; of a map with fewer positions or channels, these.
    gamma : float, default=8.0
        Width of the kernel, above 0.
    weight : float, default=1.0
        Factor of this loss in the objective.
    student_layer, teacher_layer : tuple of two str, default=None
        Names of the layers, in the order of the forward pass; None is the last two hidden layers.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of its range; if a side is not two layers on the same rows; if widths differ between the
        sides and there is no projector.

    Notes
    -----
    Inside an estimator, a layer whose width differs from the teacher's gets a learnt projector. A decomposition's signs
    are arbitrary, and in the published form the value depends on them; hence the rule above. Vectors of equal singular
    values are not determined. The gradient leaves out turns between the student's vectors whose squared singular values
    differ by less than 1e-3 of the largest, and is 0 for a map or a row of zeros, whose vectors are 0. The teacher's
    vectors are computed once. One public library decomposes (channels * height, width) matrices instead.

    References
    ----------
    .. [1] Lee, Kim and Song (2018), Self-supervised Knowledge Distillation Using Singular Value Decomposition,
       arXiv:1807.06819.

    Examples
    --------
    >>> import torch
    >>> from sklkd.losses import KDSVDLoss
    >>> s1, s2 = torch.tensor([[3.0, 4.0]]), torch.tensor([[1.0, 0.0]])
    >>> t1, t2 = torch.tensor([[4.0, 3.0]]), torch.tensor([[0.0, 2.0]])
    >>> KDSVDLoss()((s1, s2), (t1, t2))
    tensor(0.0096)
    """

    def __init__(
        self,
        *,
        k: int = 1,
        gamma: float = 8.0,
        weight: float = 1.0,
        student_layer: tuple[str, str] | None = None,
        teacher_layer: tuple[str, str] | None = None,
    ):
        super().__init__(weight=weight, student_layer=student_layer, teacher_layer=teacher_layer)
        self.k = k
        self.gamma = gamma

    def check(self) -> None:
        super().check()
        check_integer("k", self.k, 1)
        check_number("gamma", self.gamma, 0, strict=True)

    def prepare(self, teacher: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """For each layer the teacher's vectors (n, channels, k), times their singular values, signs fixed."""
        first, second = self.two(teacher, "teacher")
        k = min(self.k, _n_vectors(first), _n_vectors(second))
        return _scaled_vectors(first, k), _scaled_vectors(second, k)

    def compare(
        self,
        student: tuple[Tensor, Tensor],
        target: tuple[Tensor, Tensor],
        y: Tensor | None = None,
        sample_weight: Tensor | None = None,
    ) -> Tensor:
        first, second = (self._match(s, t) for s, t in zip(self.project(student, target), target, strict=True))
        rows = (self._kernel(first, second) - self._kernel(*target)).square().sum((1, 2, 3))
        return weighted_mean(rows, sample_weight)

    def _match(self, student: Tensor, target: Tensor) -> Tensor:
        """For each of the teacher's vectors the student's that is nearest, with its sign and length."""
        vectors, _ = _singular_vectors(student, target.shape[2] + SPARE_VECTORS)
        with torch.no_grad():
            cosines = target.mT @ vectors  # (n, k, k + 3), each row up to a positive factor
            nearest = cosines.abs().argmax(2, keepdim=True)
            sign = torch.where(cosines.gather(2, nearest) < 0, -1.0, 1.0).mT
            factor = sign * target.norm(dim=1, keepdim=True)
        return vectors.gather(2, nearest.mT.expand(-1, vectors.shape[1], -1)) * factor

    def _kernel(self, first: Tensor, second: Tensor) -> Tensor:
        return (-(second[:, :, None] - first[:, None]).square() / self.gamma).exp()


def _n_vectors(x: Tensor) -> int:
    return 1 if x.ndim == 2 else min(x.shape[1], x.shape[2:].numel())


def _scaled_vectors(teacher: Tensor, k: int) -> Tensor:
    vectors, values = _singular_vectors(teacher, k)
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    return vectors * largest.sign() * unit_rows(values)[:, None]


def _singular_vectors(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The first k right singular vectors (n, channels, k) and values (n, k); 0 for a map or a row of zeros."""
    if x.ndim == 2:
        return unit_rows(x)[:, :, None], x.norm(dim=1, keepdim=True)
    matrices = x.flatten(2).mT
    with torch.no_grad():
        _, values, basis = torch.linalg.svd(matrices, full_matrices=False)
        basis = basis.mT
        squared = values.square()
        vectors = basis[:, :, :k] * (squared[:, None, :1] > SQUARED_NORM_FLOOR)
    if matrices.requires_grad:
        vectors = _with_gradient(vectors, matrices, basis, squared)
    return vectors, values[:, :k]


def _with_gradient(vectors: Tensor, matrices: Tensor, basis: Tensor, squared: Tensor) -> Tensor:
    """The vectors, with the gradient of first-order perturbation theory.

    They are eigenvectors of A = M'M: dv_i is the sum over j of v_j (v_j' dA v_i) / (l_i - l_j). Written out, because
    the gradient of a full decomposition is NaN as soon as any two singular values are equal, used or not.
    """
    floor = GAP_FLOOR * squared[:, :1]
    own = squared[:, : vectors.shape[2]]
    image = matrices.mT @ (matrices @ vectors)  # A v; its gradient is dA v
    inside = basis.mT @ image
    turned = basis @ (inside * _inverse(own[:, None] - squared[:, :, None], floor[:, None]))
    turned = turned + (image - basis @ inside) * _inverse(own, floor)[:, None]  # directions of eigenvalue 0
    return vectors + turned - turned.detach()


def _inverse(difference: Tensor, floor: Tensor) -> Tensor:
    known = difference.abs() > floor
    return torch.where(known, 1 / torch.where(known, difference, 1.0), 0.0)
