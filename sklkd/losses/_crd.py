"""Contrastive representation distillation: each row's student feature picks out its teacher feature."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sklkd.losses._base import check_integer, check_number, weighted_mean
from sklkd.losses._feature import ProjectedLoss, check_pair, check_shapes, check_widths
from sklkd.losses._geometry import unit_rows


class CRDLoss(ProjectedLoss):
    r"""Contrastive loss: a row's student and teacher embeddings agree with each other more than with other rows'.

    .. math::
        L = -\frac{1}{B} \sum_b \left[
            \log \frac{e^{g_{bb}}}{e^{g_{bb}} + \sum_{j \in N_b} e^{g_{bj}}} +
            \log \frac{e^{g_{bb}}}{e^{g_{bb}} + \sum_{i \in M_b} e^{g_{ib}}} \right],
        \quad g_{ij} = \frac{u(s_i)^\top v(t_j)}{\tau}

    where u and v are learnt linear embeddings, made unit vectors. The negatives N of a student row are the teacher's
    features of the other rows of the batch and, in a fit, of ``n_negatives`` fixed training rows; the negatives M of a
    teacher row are the student's features of the other rows of the batch. Rows that have the same teacher features (in
    tables there are many) are no negatives of each other.

    Called by itself, without ``build``, equal widths are compared without embeddings and within the batch.

    Parameters
    ----------
    n_features : int, default=128
        Width of the embeddings, the paper's.
    n_negatives : int, default=512
        Teacher rows kept by ``fit_teacher`` (evenly spaced over the training rows) as negatives of every student row,
        besides those of its batch. More are better (the paper has 16384), but each costs an embedding in every batch:
        512 makes three times the negatives of a batch of 256.
    temperature : float, default=0.07
        Temperature of the similarities, the paper's.
    weight : float, default=1.0
        Factor in the objective. Public comparisons use 0.8.
    student_layer, teacher_layer : str, default=None
        Names of the layers; None is the last hidden layer.

    Notes
    -----
    Shapes: (B, D) and (B, D'), or (B, C, H, W) and (B, C', H', W'), which are flattened. Both directions are added, as
    in public codes.

    Deviation: the paper and its code draw negatives from a memory of moving averages of all rows' embeddings, addressed
    by row number, and estimate a normaliser once. Here the embeddings are always those of the present parameters, so
    there is no state that changes in training, and the loss is the bound on mutual information that needs no
    normaliser (InfoNCE): what the paper's critic becomes when its normaliser is that of the candidates at hand.

    A batch of one row without stored negatives has the value 0. A row of zeros has the direction 0.

    References
    ----------
    Tian, Krishnan and Isola, "Contrastive Representation Distillation", ICLR 2020, arXiv:1910.10699.

    Examples
    --------
    >>> import torch
    >>> CRDLoss(temperature=1.0)(torch.eye(2), torch.eye(2))
    tensor(0.6265)
    """

    standardize = True
    teacher_embedding_: nn.Module | None
    negatives_: Tensor | None

    def __init__(
        self,
        *,
        n_features: int = 128,
        n_negatives: int = 512,
        temperature: float = 0.07,
        weight: float = 1.0,
        student_layer: str | None = None,
        teacher_layer: str | None = None,
    ):
        super().__init__(weight=weight, student_layer=student_layer, teacher_layer=teacher_layer)
        self.n_features = n_features
        self.n_negatives = n_negatives
        self.temperature = temperature
        self.register_module("teacher_embedding_", None)
        self.register_buffer("negatives_", None)

    def check(self) -> None:
        super().check()
        check_integer("n_features", self.n_features, 1)
        check_integer("n_negatives", self.n_negatives, 0)
        check_number("temperature", self.temperature, 0, strict=True)

    def build(self, student_shape: Sequence[int], teacher_shape: Sequence[int]) -> None:
        """Make both embeddings, from the shapes of one row of each side."""
        self.check()
        check_shapes(self, student_shape, teacher_shape)
        self.projector_ = nn.Linear(math.prod(student_shape), self.n_features)
        self.teacher_embedding_ = nn.Linear(math.prod(teacher_shape), self.n_features)

    def fit_teacher(self, teacher: Tensor) -> None:
        """Learn the scale of the teacher's training rows, and keep some of them as negatives."""
        self.check()
        super().fit_teacher(teacher)
        n_kept = min(self.n_negatives, len(teacher))
        if n_kept > 0:
            kept = torch.linspace(0, len(teacher) - 1, n_kept, dtype=torch.float64).round().long()
            self.negatives_ = self.prepare(teacher.detach()[kept.to(teacher.device)]).flatten(1)

    def compare(
        self, student: Tensor, target: Tensor, y: Tensor | None = None, sample_weight: Tensor | None = None
    ) -> Tensor:
        check_pair(self, student, target)
        candidates = target.flatten(1)
        if self.negatives_ is not None:
            candidates = torch.cat([candidates, self.negatives_])
        similarities = self._similarities(student, candidates)
        similarities = similarities.masked_fill(_same_teacher(target.flatten(1), candidates), -math.inf)
        within_batch = similarities[:, : len(target)]
        rows = similarities.logsumexp(1) + within_batch.logsumexp(0) - 2 * within_batch.diagonal()
        return weighted_mean(rows, sample_weight)

    def _similarities(self, student: Tensor, candidates: Tensor) -> Tensor:
        """(n_rows, n_candidates): student rows by the teacher's candidates, whose first are the same rows."""
        student = student.flatten(1)
        if self.projector_ is not None and self.teacher_embedding_ is not None:
            student, candidates = self.projector_(student), self.teacher_embedding_(candidates)
        else:
            check_widths(self, student, candidates[: len(student)])
        return unit_rows(student) @ unit_rows(candidates).T / self.temperature


def _same_teacher(target: Tensor, candidates: Tensor) -> Tensor:
    """Where another row has exactly the teacher features of this one."""
    same = torch.cdist(target, candidates, compute_mode="donot_use_mm_for_euclid_dist") == 0
    same.diagonal().fill_(False)
    return same
