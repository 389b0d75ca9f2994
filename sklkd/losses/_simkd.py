"""SimKD: the student reuses the teacher's classifier."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from sklkd.losses._feature import HintLoss


class SimKDLoss(HintLoss):
    r"""Squared error to the teacher's last features; afterwards :meth:`head` puts the teacher's classifier on top.

    .. math:: L = \frac{1}{B D} \sum_{b, d} (r(s_b)_d - t_{bd})^2

    In a fit, ``r`` is a learnt Linear (1x1 convolution for maps), starting as the identity where the widths are equal,
    and the teacher's columns are standardised once. It trains alone, without labels, and afterwards the teacher's
    classifier takes the place of the student's last layer. That classifier is read off the teacher's outputs, as the
    linear map from its features to its logits with the least squared error: the teacher's own where its last layer is
    linear, and a substitute for one where it has none, as trees. Called by itself, the loss compares equal widths as
    they are.

    Parameters
    ----------
    weight : float, default=1.0
        Factor in the objective. The paper trains with this loss alone, weight 1.
    student_layer, teacher_layer : str, default=None
        Names of the layers; None is the last hidden layer, which is what the paper means on both sides.

    Notes
    -----
    Shapes: (B, D) and (B, D'), or (B, C, H, W) and (B, C', H', W'), the larger map average-pooled to the smaller.
    Deviation from the paper: ``r`` is linear where the paper has a bottleneck of three convolutions. So ``r`` and
    the teacher's classifier are one Linear, the student is as small as any, and exports like any.

    References
    ----------
    Chen et al., "Knowledge Distillation with the Reused Teacher Classifier", CVPR 2022, arXiv:2203.14001.

    Examples
    --------
    >>> import torch
    >>> SimKDLoss()(torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 4.0]]))
    tensor(2.)
    """

    teaches_output: ClassVar[bool] = True
    tasks = ("classification", "regression")
    always_alone: ClassVar[bool] = True

    @torch.no_grad()
    def output_layer(self, teacher: Tensor, logits: Tensor) -> nn.Linear:
        """The student's last layer: :meth:`head` with the linear map from the teacher's features to its logits."""
        features = teacher.double().mean((2, 3)) if teacher.ndim == 4 else teacher.double()
        ones = features.new_ones(len(features), 1)
        # the least of all solutions where columns depend on each other, and so none of it from a unit that is dead;
        # float32 features depend on each other to about 1e-7
        known = torch.cat([features, ones], 1)
        solution = torch.linalg.lstsq(known, logits.double(), rcond=1e-5, driver="gelsd").solution
        return self.head(solution[:-1].T.contiguous(), solution[-1])

    @torch.no_grad()
    def head(self, weight: Tensor, bias: Tensor) -> nn.Linear:
        """The student's output layer: projector, teacher's scale and teacher's classifier as one Linear.

        Parameters
        ----------
        weight : Tensor of shape (n_outputs, D')
            Weight of the teacher's last layer, as in ``nn.Linear`` (scikit-learn's ``coefs_[-1].T``).
        bias : Tensor of shape (n_outputs,)
            Its bias.

        Returns
        -------
        Linear
            From the student's features (for maps: their average over the positions) to the teacher's outputs.

        Examples
        --------
        >>> import torch
        >>> loss = SimKDLoss()
        >>> loss.build((3,), (2,))
        >>> loss.head(torch.ones(1, 2), torch.zeros(1))
        Linear(in_features=3, out_features=1, bias=True)
        """
        if weight.ndim != 2 or bias.shape != weight.shape[:1]:
            raise ValueError(
                "weight must have shape (n_outputs, n_features) and bias (n_outputs,), got "
                f"{tuple(weight.shape)} and {tuple(bias.shape)}. Pass those of the teacher's last layer."
            )
        scaler = self.standardizer_
        if scaler.mean_ is not None and scaler.scale_ is not None:
            _check_width(weight, len(scaler.mean_))
            bias = bias.to(scaler.mean_) + weight.to(scaler.mean_) @ scaler.mean_
            weight = weight.to(scaler.scale_) * scaler.scale_
        if isinstance(self.projector_, nn.Linear | nn.Conv2d):
            projection = self.projector_.weight.flatten(1)
            _check_width(weight, len(projection))
            bias = bias.to(projection) + weight.to(projection) @ self.projector_.bias  # type: ignore[operator]
            weight = weight.to(projection) @ projection
        head = nn.Linear(weight.shape[1], weight.shape[0]).to(weight)
        head.weight.copy_(weight)
        head.bias.copy_(bias)
        return head


def _check_width(weight: Tensor, width: int) -> None:
    if weight.shape[1] != width:
        raise ValueError(
            f"weight must have one column for each of the {width} teacher features of the loss, got "
            f"{weight.shape[1]}. Use the layer before the teacher's classifier as teacher_layer."
        )
