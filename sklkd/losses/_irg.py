"""The instance relationship graph."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from sklkd.losses._base import check_number, weighted_mean
from sklkd.losses._feature import at_same_positions, check_pair, check_widths, linear_map
from sklkd.losses._geometry import pairwise_distances
from sklkd.losses._relation import BetweenLayersLoss, over_max


class IRGLoss(BetweenLayersLoss):
    r"""Rows as the vertices of a graph, distances as its edges, and how two layers transform it [1]_.

    The weighted sum of

    - vertex: the mean squared difference of the second layers;
    - edge: the mean over pairs of rows of :math:`(e^s_{ij} - e^t_{ij})^2`, with :math:`e` the squared distance of two
      rows divided by the largest in the batch; averaged over the two layers;
    - transformation: the mean over rows of :math:`(u^s_i - u^t_i)^2`, with :math:`u` the squared distance of a row's
      two layers divided by the largest in the batch.

    Parameters
    ----------
    vertex, edge, transformation : float, default=0.1, 5.0, 5.0
        Weights of the three parts, >= 0; a part of weight 0 is not computed.
    weight : float, default=1.0
        Factor of this loss in the objective.
    student_layer, teacher_layer : tuple of two str, default=None
        Names of the layers, in the order of the forward pass; None is the last two hidden layers. The paper's vertices
        are logits: to have these, name the output as the second layer.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of its range; if a side is not two layers on the same rows; if the vertex part has second
        layers of unequal widths and no projector, or the transformation part a vector and a map.

    Notes
    -----
    Inside an estimator, the student's second layer gets a learnt projector, for the vertex part, where its width
    differs from the teacher's. Where the two layers of a network differ in width, neighbouring columns (channels) of
    the wider are averaged before they are subtracted, and the larger map is average-pooled. The gradient passes
    through the largest distance (the authors' own layers treat it as a constant, and sum over rows); it is decided by
    a single pair of rows, so an outlier shrinks all other edges. Edges do not use ``sample_weight``. If all rows, or
    the two layers, are equal, their distances are 0, also in a batch of one row.

    References
    ----------
    .. [1] Liu et al. (2019), Knowledge Distillation via Instance Relationship Graph, CVPR.

    Examples
    --------
    >>> import torch
    >>> from sklkd.losses import IRGLoss
    >>> s1, s2 = torch.tensor([[0.0, 1.0], [2.0, 0.0]]), torch.tensor([[1.0, 1.0], [0.0, 0.0]])
    >>> t1, t2 = torch.tensor([[0.0, 1.0], [2.0, 0.0]]), torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    >>> IRGLoss()((s1, s2), (t1, t2))
    tensor(0.2062)
    """

    def __init__(
        self,
        *,
        vertex: float = 0.1,
        edge: float = 5.0,
        transformation: float = 5.0,
        weight: float = 1.0,
        student_layer: tuple[str, str] | None = None,
        teacher_layer: tuple[str, str] | None = None,
    ):
        super().__init__(weight=weight, student_layer=student_layer, teacher_layer=teacher_layer)
        self.vertex = vertex
        self.edge = edge
        self.transformation = transformation

    def check(self) -> None:
        super().check()
        check_number("vertex", self.vertex, 0)
        check_number("edge", self.edge, 0)
        check_number("transformation", self.transformation, 0)
        if self.vertex == self.edge == self.transformation == 0:
            raise ValueError("One of vertex, edge and transformation must be > 0, got 0 for all.")

    def build(self, student_shape: Any, teacher_shape: Any) -> None:
        """Make a projector for the student's second layer, if there is a vertex part and its width differs."""
        student, teacher = student_shape[1], teacher_shape[1]
        if self.vertex > 0 and student[0] != teacher[0]:
            self.projectors_ = nn.ModuleList([linear_map(student, student[0], teacher[0])])

    def compare(
        self,
        student: tuple[Tensor, Tensor],
        target: tuple[Tensor, Tensor],
        y: Tensor | None = None,
        sample_weight: Tensor | None = None,
    ) -> Tensor:
        student = self.two(student, "student")
        loss = student[1].new_zeros(())
        if self.vertex > 0:
            loss = loss + self.vertex * self._vertex(student[1], target[1], sample_weight)
        if self.edge > 0:
            edges = [_edge(s, t) for s, t in zip(student, target, strict=True)]
            loss = loss + self.edge * sum(edges) / 2
        if self.transformation > 0:
            rows = (over_max(self._moved(*student)) - over_max(self._moved(*target))).square()
            loss = loss + self.transformation * weighted_mean(rows, sample_weight)
        return loss

    def _vertex(self, student: Tensor, target: Tensor, sample_weight: Tensor | None) -> Tensor:
        check_pair(self, student, target)
        if self.projectors_ is not None:
            student = self.projectors_[0](student)
        student, target = at_same_positions(student, target)
        check_widths(self, student, target)
        return weighted_mean((student - target).square().flatten(1).mean(1), sample_weight)

    def _moved(self, first: Tensor, second: Tensor) -> Tensor:
        """Squared distance of each row's two layers."""
        if first.ndim != second.ndim:
            raise ValueError(
                "IRGLoss subtracts the two layers of a side: they must be two of vectors or two of maps, got shapes "
                f"{tuple(first.shape)} and {tuple(second.shape)}. Choose other layers or set transformation=0."
            )
        first, second = at_same_positions(first, second)
        width = min(first.shape[1], second.shape[1])
        return (_narrowed(first, width) - _narrowed(second, width)).square().flatten(1).sum(1)


def _edge(student: Tensor, target: Tensor) -> Tensor:
    student, target = (over_max(pairwise_distances(side).square()) for side in (student, target))
    return (student - target).square().mean()


def _narrowed(x: Tensor, width: int) -> Tensor:
    """Neighbouring columns (channels) averaged until there are ``width``."""
    if x.shape[1] == width:
        return x
    x = x.movedim(1, -1)
    narrow = F.adaptive_avg_pool1d(x.flatten(0, -2), width)
    return narrow.view(*x.shape[:-1], width).movedim(-1, 1)
