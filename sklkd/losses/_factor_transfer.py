"""Factor transfer: the student translates its features into the teacher's, paraphrased."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sklkd.losses._base import check_number, weighted_mean
from sklkd.losses._feature import ProjectedLoss, check_shapes
from sklkd.losses._geometry import unit_rows

# The paraphraser's training: near convergence for the features of tables, and a second or so for any number of rows.
STEPS = 500
BATCH_SIZE = 256
LEARNING_RATE = 3e-3


class FactorTransferLoss(ProjectedLoss):
    r"""Difference of normalised factors: paraphrased teacher features and translated student features.

    .. math::
        L_1 = \frac{1}{B D} \sum_b \Big\| \frac{s_b}{\|s_b\|_2} - \frac{t_b}{\|t_b\|_2} \Big\|_1, \qquad
        L_2 = \frac{1}{B} \sum_b \Big\| \frac{s_b}{\|s_b\|_2} - \frac{t_b}{\|t_b\|_2} \Big\|_2

    on flattened factors. In a fit, ``fit_teacher`` trains the paraphraser, an autoencoder of the teacher's
    standardised training rows whose code has ``rate`` times their width, and freezes it; the translator, of the same
    form as the encoder, is trained with the student. Called by itself, the loss compares given factors.

    Parameters
    ----------
    p : {1, 2}, default=1
        Norm of the difference.
    rate : float, default=0.5
        Width of the factors as a fraction of the teacher's width, at least one column; the paper's value.
    weight : float, default=1.0
        Factor in the objective. Public comparisons use 200 (p=1).
    student_layer, teacher_layer : str, default=None
        Names of the layers; None is the last hidden layer.

    Notes
    -----
    Shapes: (B, D) and (B, D'), or (B, C, H, W) and (B, C', H', W'); of two maps of factors the larger is
    average-pooled to the smaller. Encoder, decoder and translator have two layers each (Linear, or 3x3 convolutions),
    where the paper has three and batch normalisation: narrow layers need no more, and batches of one row stay
    defined. For p=2 the norm is not squared. One public code compares attention maps instead of the factors.

    A factor of zeros has the direction 0 and gets no gradient.

    References
    ----------
    Kim, Park and Kwak, "Paraphrasing Complex Network: Network Compression via Factor Transfer", NeurIPS 2018,
    arXiv:1802.04977.

    Examples
    --------
    >>> import torch
    >>> FactorTransferLoss()(torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 3.0]]))
    tensor(1.)
    """

    standardize = True
    paraphraser_: nn.Module | None

    def __init__(
        self,
        *,
        p: int = 1,
        rate: float = 0.5,
        weight: float = 1.0,
        student_layer: str | None = None,
        teacher_layer: str | None = None,
    ):
        super().__init__(weight=weight, student_layer=student_layer, teacher_layer=teacher_layer)
        self.p = p
        self.rate = rate
        self.register_module("paraphraser_", None)

    @property
    def needs_trained_teacher(self) -> bool:
        return True

    def check(self) -> None:
        super().check()
        if isinstance(self.p, bool) or self.p not in (1, 2):
            raise ValueError(f"p must be 1 or 2, got p={self.p!r}.")
        check_number("rate", self.rate, 0, strict=True)

    def build(self, student_shape: Sequence[int], teacher_shape: Sequence[int]) -> None:
        """Make the translator, from the shapes of one row of each side."""
        self.check()
        check_shapes(self, student_shape, teacher_shape)
        n_in = student_shape[0]
        self.projector_ = _two_layers(len(student_shape) == 3, n_in, n_in, self._n_factors(teacher_shape[0]))

    def fit_teacher(self, teacher: Tensor) -> None:
        """Train the paraphraser to reconstruct the teacher's training rows, and freeze it."""
        super().fit_teacher(teacher)
        features = self.standardizer_(teacher.detach())
        width, maps = features.shape[1], features.ndim == 4
        encoder = _two_layers(maps, width, width, self._n_factors(width)).to(features)
        decoder = _two_layers(maps, self._n_factors(width), width, width).to(features)
        _train_autoencoder(nn.Sequential(encoder, decoder), features)
        self.paraphraser_ = encoder.requires_grad_(False)

    def prepare(self, teacher: Tensor) -> Tensor:
        """The teacher's factors; its features as they are if there is no paraphraser (called by itself)."""
        if self.projector_ is not None and self.paraphraser_ is None:
            raise ValueError(
                "FactorTransferLoss has a translator but no paraphraser: call fit_teacher(features) with the teacher's "
                "features of the training rows before using it."
            )
        features = super().prepare(teacher)
        if self.paraphraser_ is None:
            return features
        with torch.no_grad():
            return self.paraphraser_(features)

    def compare(
        self, student: Tensor, target: Tensor, y: Tensor | None = None, sample_weight: Tensor | None = None
    ) -> Tensor:
        student, target = self.project(student, target)
        difference = unit_rows(student.flatten(1)) - unit_rows(target.flatten(1))
        rows = difference.abs().mean(1) if self.p == 1 else torch.linalg.vector_norm(difference, dim=1)
        return weighted_mean(rows, sample_weight)

    def _n_factors(self, width: int) -> int:
        return max(1, round(self.rate * width))


def _two_layers(maps: bool, n_in: int, n_hidden: int, n_out: int) -> nn.Sequential:
    def layer(a: int, b: int) -> nn.Module:
        return nn.Conv2d(a, b, 3, padding=1) if maps else nn.Linear(a, b)

    return nn.Sequential(layer(n_in, n_hidden), nn.LeakyReLU(0.1), layer(n_hidden, n_out))


@torch.enable_grad()
def _train_autoencoder(autoencoder: nn.Module, features: Tensor) -> None:
    optimizer = torch.optim.Adam(autoencoder.parameters(), lr=LEARNING_RATE)
    for _ in range(STEPS):
        rows = features[torch.randint(len(features), (min(BATCH_SIZE, len(features)),), device=features.device)]
        optimizer.zero_grad()
        (autoencoder(rows) - rows).square().mean().backward()
        optimizer.step()
