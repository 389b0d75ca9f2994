"""The optimizer of the default student: orthogonal updates for matrices, Adam's for the rest."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

# Coefficients a, b, c of each step of the iteration x -> a x + b x^3 + c x^5 that brings singular values near 1: the
# greedy minimax ones for values between 0.01 and 1 (Amsel et al. 2025). Three steps then end between 0.73 and 1.27, as
# five with Jordan's constant coefficients do, in 0.7 of a training's time (benchmarks/README.md, "Time of a fit")
STEPS = ((8.0934, -23.6204, 17.4462), (3.6366, -2.7219, 0.5365), (2.6613, -1.9772, 0.4526))
# How many times as long one side has to be for the Gram matrix to save time: with 128 x 580, half of it
WIDE = 2
# Times the root of its longer side, an orthogonal update is as large as AdamW's (Liu et al. 2025)
RMS = 0.2


class Muon(Optimizer):
    r"""Muon [1]_: momentum whose matrices are made orthogonal, with AdamW's updates for vectors.

    The update of a matrix (of a convolution's kernel, flattened to one) is
    :math:`-0.2\, \eta \sqrt{\max(m, n)}\; U V^\top`, where :math:`U S V^\top` is its Nesterov momentum: all directions
    move alike, so that rare but useful ones are learnt as fast as the rest. The factor makes it as large as AdamW's
    [2]_, and one learning rate serves both. A group of parameters may have ``lookups``, the numbers (int64) of columns
    of its matrices that are seldom read, each by few rows, as an embedding's are: they move like vectors, since an
    orthogonal update of many columns moves each by little. :math:`U V^\top` is approached by three steps of an
    iteration [3]_. ``torch.optim.Muon`` takes matrices alone, and iterates in bfloat16, slow on most CPUs; this
    iterates in the parameters' own precision.

    Parameters
    ----------
    params : iterable
        Tensors, or groups of them.
    lr : float, default=0.02
    momentum : float, default=0.95
        Of matrices.
    betas : (float, float), default=(0.9, 0.999)
        Of vectors, as in Adam.
    eps : float, default=1e-8
    weight_decay : float, default=0.01
        Decoupled, as in AdamW.

    References
    ----------
    .. [1] K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.
    .. [2] J. Liu et al., "Muon is scalable for LLM training", arXiv:2502.16982, 2025.
    .. [3] N. Amsel et al., "The Polar Express: optimal matrix sign methods and their application to the Muon
       algorithm", arXiv:2505.16932, 2025.

    Examples
    --------
    >>> import torch
    >>> from sklkd.students import Muon
    >>> layer = torch.nn.Linear(3, 2)
    >>> optimizer = Muon(layer.parameters())
    >>> layer(torch.ones(1, 3)).sum().backward()
    >>> optimizer.step()
    """

    def __init__(
        self,
        params: Any,
        lr: float = 2e-2,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ):
        rule = {"lr": lr, "momentum": momentum, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, rule | {"lookups": None})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move all parameters that have a gradient; ``closure`` computes the loss anew and is optional."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is None:
                    continue
                param.mul_(1 - group["lr"] * group["weight_decay"])
                move = _move_vector
                if param.ndim > 1:
                    move = _move_matrix if group["lookups"] is None else _move_table
                move(param, param.grad, self.state[param], group)
        return loss


def _move_matrix(param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
    if not state:
        state["momentum"] = torch.zeros_like(grad)
    momentum = state["momentum"].lerp_(grad, 1 - group["momentum"])
    update = grad.lerp(momentum, group["momentum"]).flatten(1)
    param.add_(orthogonal(update).view_as(param), alpha=-group["lr"] * RMS * math.sqrt(max(update.shape)))


def _move_table(param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
    """Some columns as vectors, the others as a matrix."""
    lookups = group["lookups"].to(param.device)
    if len(lookups) == param.shape[1]:
        _move_vector(param, grad, state, group)
        return
    others = torch.ones(param.shape[1], dtype=torch.bool, device=param.device)
    others = others.index_fill_(0, lookups, False).nonzero()[:, 0]
    if not state:
        state |= {"lookups": {}, "others": {}}
    for name, columns, move in (("lookups", lookups, _move_vector), ("others", others, _move_matrix)):
        if len(columns):
            part = param.index_select(1, columns)
            move(part, grad.index_select(1, columns), state[name], group)
            param.index_copy_(1, columns, part)


def _move_vector(param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
    if not state:
        state |= {"step": 0, "mean": torch.zeros_like(grad), "square": torch.zeros_like(grad)}
    state["step"] += 1
    first, second = group["betas"]
    mean = state["mean"].lerp_(grad, 1 - first)
    square = state["square"].lerp_(grad.square(), 1 - second)
    scale = (square / (1 - second ** state["step"])).sqrt_().add_(group["eps"])
    param.addcdiv_(mean, scale, value=-group["lr"] / (1 - first ** state["step"]))


def orthogonal(matrix: Tensor) -> Tensor:
    """Roughly :math:`U V^T` of a matrix :math:`U S V^T`.

    Singular values of at least a hundredth of the matrix's norm end between 0.73 and 1.27, smaller ones below, 0 at 0.
    """
    tall = matrix.shape[0] > matrix.shape[1]
    wide = matrix.T if tall else matrix
    wide = wide / (wide.norm() + 1e-12)
    wide = _through_gram(wide) if wide.shape[1] > WIDE * wide.shape[0] else _directly(wide)
    return wide.T.contiguous() if tall else wide


def _directly(wide: Tensor) -> Tensor:
    for a, b, c in STEPS:
        gram = wide @ wide.T
        wide = torch.addmm(wide, torch.addmm(gram, gram, gram, beta=b, alpha=c), wide, beta=a)
    return wide


def _through_gram(wide: Tensor) -> Tensor:
    """The same, each step as a polynomial of the first Gram matrix: all but two products are of the shorter side."""
    gram = wide @ wide.T
    factor = product = _polynomial(gram, STEPS[0])
    for coefficients in STEPS[1:]:
        gram = factor @ gram @ factor
        factor = _polynomial(gram, coefficients)
        product = factor @ product
    return product @ wide


def _polynomial(gram: Tensor, coefficients: tuple[float, float, float]) -> Tensor:
    """What a step multiplies a matrix by."""
    a, b, c = coefficients
    factor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
    factor.diagonal().add_(a)
    return factor
