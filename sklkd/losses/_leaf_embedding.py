"""Leaf embeddings: a hint from the structure of a tree ensemble."""

from __future__ import annotations

import torch
from torch import Tensor

from sklkd.losses._feature import HintLoss


class LeafEmbeddingLoss(HintLoss):
    r"""Squared error between the projected student's features and a dense embedding of the teacher's leaves.

    .. math:: L = \frac{1}{B D} \sum_{b, d} (r(s_b)_d - t_{bd})^2

    For tree ensembles: t is the row's embedding, made from the leaf that it falls into in every tree (GBDT2NN learns
    G = H w, a linear layer on the concatenated one-hot leaves H), so the student learns how the trees divide the
    space and not only their output. In a fit, ``r`` is a learnt Linear, starting as the identity where the widths
    are equal, and the embedding is centred and divided by one scale for all columns, the root of their mean variance:
    a column counts by what it carries of the proximities, and the nearly constant one of a booster for nothing. Called
    by itself, the loss compares equal widths as they are.

    Parameters
    ----------
    weight : float, default=1.0
        Factor in the objective.
    student_layer : str, default=None
        Name of the student's layer; None is the last hidden layer.
    teacher_layer : str, default="leaf_embedding"
        Name of the teacher's layer, of real values: leaf indices ("leaves") are not numbers.

    Notes
    -----
    Shapes: (B, D) and (B, D'). Deviation from GBDT2NN: all trees share one embedding, where the authors' code learns
    one for each group of trees and weighs its columns by the output layer.

    References
    ----------
    Ke et al., "DeepGBM: A Deep Learning Framework Distilled by GBDT for Online Prediction Tasks", KDD 2019.

    Examples
    --------
    >>> import torch
    >>> loss = LeafEmbeddingLoss()
    >>> loss.build((2,), (3,))
    >>> loss(torch.ones(4, 2), torch.ones(4, 3)).shape
    torch.Size([])
    """

    def __init__(
        self,
        *,
        weight: float = 1.0,
        student_layer: str | None = None,
        teacher_layer: str | None = "leaf_embedding",
    ):
        super().__init__(weight=weight, student_layer=student_layer, teacher_layer=teacher_layer)

    @property
    def needs_trained_teacher(self) -> bool:
        return True

    def fit_teacher(self, teacher: Tensor) -> None:
        """Learn the columns' means and their common scale on the teacher's training rows."""
        super().fit_teacher(teacher)
        scale = teacher.std(0, correction=0).square().mean().sqrt()
        self.standardizer_.scale_ = torch.where(scale > 0, scale, 1.0).expand(teacher.shape[1]).clone()
