"""Directions and distances whose gradients stay bounded on zero rows and on equal rows."""

from __future__ import annotations

import torch
from torch import Tensor

# Below this squared norm a row has no direction. ReLU students give rows of zeros, tables give equal rows, and
# x / max(|x|, 1e-12) has a gradient of 1e12 there.
SQUARED_NORM_FLOOR = 1e-12


def unit_rows(x: Tensor) -> Tensor:
    """``x`` divided by its norm over the last dimension; 0, with no gradient, where the squared norm is below 1e-12.

    Examples
    --------
    >>> import torch
    >>> unit_rows(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    tensor([[0.6000, 0.8000],
            [0.0000, 0.0000]])
    """
    squared = x.square().sum(-1, keepdim=True)
    known = squared > SQUARED_NORM_FLOOR
    return x * torch.where(known, torch.where(known, squared, 1.0).rsqrt(), 0.0)


def pairwise_distances(x: Tensor) -> Tensor:
    """Euclidean distances (n, n) between the rows of ``x`` (n, ...), by differences; no gradient at distance 0.

    By |a|^2 + |b|^2 - 2ab, float32 rows near 100 that differ by 0.01 come out several times too far apart.

    Examples
    --------
    >>> import torch
    >>> pairwise_distances(torch.tensor([[0.0, 0.0], [3.0, 4.0]]))
    tensor([[0., 5.],
            [5., 0.]])
    """
    x = x.flatten(1)
    return torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
