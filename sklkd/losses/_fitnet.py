"""Hints: the student's features predict the teacher's."""

from __future__ import annotations

from sklkd.losses._base import check_integer
from sklkd.losses._feature import HintLoss, InitialStage


class FitNetLoss(InitialStage, HintLoss):
    r"""Hint: squared error between the projected student's features and the teacher's.

    .. math:: L = \frac{1}{B D} \sum_{b, d} (r(s_b)_d - t_{bd})^2

    In a fit, ``r`` is a learnt Linear (1x1 convolution for maps), made also for equal widths and then starting as the
    identity, and the teacher's columns are standardised once, over the training rows: else the scale of its features
    would be that of the loss. Called by itself, the loss compares equal widths as they are.

    Parameters
    ----------
    init_epochs : int, default=0
        Epochs of the paper's first stage, which trains the hint alone; afterwards the hint is off. 0 trains it
        together with everything else, as all public comparisons do.
    weight : float, default=1.0
        Factor in the objective. Public comparisons use 100, on features that are not standardised.
    student_layer, teacher_layer : str, default=None
        Names of the layers; None is the last hidden layer.

    Notes
    -----
    Shapes: ``student`` (B, D), ``teacher`` (B, D'), or (B, C, H, W) and (B, C', H', W'); of two maps the larger is
    average-pooled to the smaller. Mean over all elements, as in public code; the paper has half the squared norm,
    D/2 times as much. Rows count by ``sample_weight``.

    References
    ----------
    Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015, arXiv:1412.6550.

    Examples
    --------
    >>> import torch
    >>> FitNetLoss()(torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 4.0]]))
    tensor(2.)
    """

    def __init__(
        self,
        *,
        init_epochs: int = 0,
        weight: float = 1.0,
        student_layer: str | None = None,
        teacher_layer: str | None = None,
    ):
        super().__init__(weight=weight, student_layer=student_layer, teacher_layer=teacher_layer)
        self.init_epochs = init_epochs

    def check(self) -> None:
        super().check()
        check_integer("init_epochs", self.init_epochs, 0)
