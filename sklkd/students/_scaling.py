"""Between a network's outputs and targets in their own units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklkd._device import has_float64

Floats = NDArray[np.float64]

SUPPORTS = ("real", "positive", "unit")
# Least logarithm of a positive value in units of the center, 1e-13: float32 has it too, for centers above 1e-25
LEAST_LOG = -30.0
# Standard deviations above the center beyond which positive values grow linearly, so that an output far outside does
# not overflow; in imitation of Poisson boosters 3 and 10 are alike, no end is 0 to 17 % better, 0 is far worse
BEND = 10.0


@dataclass(frozen=True, eq=False)
class TargetScaling:
    r"""Between a network's outputs and targets in their own units.

    With mean :math:`\mu`, standard deviation :math:`\sigma` and output :math:`z` the value is

    - "real": :math:`\mu + \sigma z`;
    - "positive": :math:`\mu \exp(u)` with :math:`u = g z`, :math:`g = \min(1, \sigma / \mu)`, at least
      :math:`\mu e^{-30}`; beyond :math:`b = \log(1 + 10 \sigma / \mu)` it goes on as the tangent,
      :math:`\mu e^b (1 + u - b)`;
    - "unit": :math:`1 / (1 + \exp(-g z - s))` with :math:`s = \log(\mu / (1 - \mu))` and
      :math:`g = \min(1, \sigma / (\mu (1 - \mu)))`.

    An output of 0 is always the mean. The factor :math:`g` lets an output of 1 be about a standard deviation where
    that is small against the mean, so that all three are equally easy to train. A positive value is an exponential,
    not a softplus: in imitation of Poisson boosters by "tiny" networks its deviance was smaller by 19 to 35 % on three
    sets, the root mean squared error by 12 and 8 % on two of them and larger by 6 % on the third.

    Parameters
    ----------
    center : array-like of shape (n_outputs,)
        Weighted mean of the targets; several outputs of one target, such as quantiles, each have their own entry.
    scale : array-like of shape (n_outputs,)
        Their standard deviation, above 0.
    support : {"real", "positive", "unit"}, default="real"
        Where values may lie: anywhere, above 0, or between 0 and 1. It needs centers that lie there too.
    order : tuple of int, default=()
        Of several quantiles of one target the place of each among them, from the least: the outputs of a row are sorted
        and put in these places, so that quantiles never cross. Empty: outputs stay as they are.

    Attributes
    ----------
    gain, shift, bend : ndarray of float64, shape (n_outputs,)
        :math:`g`, :math:`s` (0 but for "unit") and :math:`b` (infinite but for "positive") of the formulas above.

    Raises
    ------
    ValueError
        If shapes differ, a scale is not above 0, a center lies outside the support, or outputs with an order are not
        those of one target.

    Notes
    -----
    Sorted quantiles are nowhere farther from the true ones than those that cross, and their pinball loss is no larger
    [1]_. As all outputs of one target have the same center and scale, which values grow with, it makes no difference
    that the network's outputs are sorted and not the values.

    References
    ----------
    .. [1] Chernozhukov, Fernández-Val and Galichon (2010), Quantile and Probability Curves Without Crossing,
       Econometrica 78.

    Examples
    --------
    >>> import numpy as np
    >>> from sklkd.students._scaling import TargetScaling, order_of
    >>> rates = TargetScaling(np.array([2.0]), np.array([4.0]), "positive")
    >>> rates.values(np.array([[0.0], [-50.0]])).round(12)
    array([[2.],
           [0.]])
    >>> bool((rates.values(np.array([[-1e6]])) > 0).all())
    True

    The 0.9 and the 0.1 quantile of one target:

    >>> quantiles = TargetScaling(np.zeros(2), np.ones(2), order=order_of((0.9, 0.1)))
    >>> quantiles.values(np.array([[1.0, 2.0], [2.0, 1.0]]))
    array([[2., 1.],
           [2., 1.]])
    """

    center: Floats
    scale: Floats
    support: str = "real"
    order: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        center, scale = (np.atleast_1d(np.asarray(part, np.float64)) for part in (self.center, self.scale))
        object.__setattr__(self, "center", center)
        object.__setattr__(self, "scale", scale)
        if self.support not in SUPPORTS:
            raise ValueError(f"support must be one of {SUPPORTS}, got support={self.support!r}.")
        if center.ndim != 1 or center.shape != scale.shape:
            raise ValueError(
                f"center and scale must both have shape (n_outputs,), got {center.shape} and {scale.shape}."
            )
        if not (np.isfinite(center).all() and np.isfinite(scale).all() and (scale > 0).all()):
            raise ValueError("center must be finite and scale finite and > 0, got others.")
        if self.support == "positive" and not (center > 0).all():
            raise ValueError("support='positive' needs targets whose mean is > 0, got a mean <= 0: use 'real'.")
        if self.support == "unit" and not ((center >= 0) & (center <= 1)).all():
            raise ValueError("support='unit' needs targets whose mean is in [0, 1], got one outside: use 'real'.")
        alike = (center == center[0]).all() and (scale == scale[0]).all()
        if self.order and not (alike and sorted(self.order) == list(range(len(center)))):
            raise ValueError(f"order must be the places of {len(center)} outputs of one target, got {self.order}.")

    @cached_property
    def gain(self) -> Floats:
        if self.support == "real":
            return np.ones_like(self.center)
        with np.errstate(over="ignore"):
            return np.minimum(1.0, self.scale / self._slope)

    @cached_property
    def shift(self) -> Floats:
        return np.log(self._inside) - np.log1p(-self._inside) if self.support == "unit" else np.zeros_like(self.center)

    @cached_property
    def bend(self) -> Floats:
        if self.support != "positive":
            return np.full_like(self.center, np.inf)
        return np.log1p(BEND * (self.scale / self.center))

    def ordered(self, outputs: Any) -> Any:
        """Outputs or values, an array or a tensor of shape (n, n_outputs), of which no quantiles cross."""
        if not self.order:
            return outputs
        places = list(self.order)
        if isinstance(outputs, Tensor):
            return outputs.sort(dim=1).values[:, places]
        return np.sort(outputs, axis=1)[:, places]

    def standardize(self, values: Any) -> Floats:
        """Values (n, n_outputs) in units of the standard deviation, about the mean: what losses compare with."""
        return (np.asarray(values, np.float64) - self.center) / self.scale

    def values(self, outputs: Any) -> Floats:
        """Outputs (n, n_outputs) of a network as targets in their units, in float64."""
        z = self.ordered(np.asarray(outputs, np.float64))
        if self.support == "real":
            return z * self.scale + self.center
        u = z * self.gain + self.shift
        if self.support == "unit":
            return 0.5 + 0.5 * np.tanh(0.5 * u)
        return self.center * np.exp(np.clip(u, LEAST_LOG, self.bend)) * (1 + np.maximum(u - self.bend, 0))

    def limited(self, values: Floats) -> Floats:
        """Predictions in the targets' units, as near as the support has them, of which no quantiles cross."""
        values = self.ordered(values)
        if self.support == "positive":
            return np.maximum(values, self.center * np.exp(LEAST_LOG))
        return np.clip(values, 0, 1) if self.support == "unit" else values

    def __call__(self, outputs: Tensor) -> Tensor:
        """:meth:`values` of a tensor, on its device: the ``predict_nonlinearity`` of a skorch net."""
        made = torch.from_numpy(self.values(outputs.detach().cpu().numpy()))
        return made.to(outputs.device) if has_float64(outputs.device) else made

    def standardized(self, outputs: Tensor) -> Tensor:
        """Outputs as standardized predictions, differentiable, in their dtype: what losses see in training."""
        outputs = self.ordered(outputs)
        if self.support == "real":
            return outputs
        unit = self.support == "unit"
        parts = (self.gain, self.shift, self.center, self.scale) if unit else (self.gain, self.bend, self._ratio)
        tensors = [torch.as_tensor(part, dtype=outputs.dtype, device=outputs.device) for part in parts]
        if unit:
            gain, shift, center, scale = tensors
            return ((outputs * gain + shift).sigmoid() - center) / scale
        gain, bend, ratio = tensors
        u = outputs * gain
        # exp(u) - 1 in one go: near the mean their difference has no digits left in float32
        grown = torch.expm1(torch.minimum(u.clamp(min=LEAST_LOG), bend))
        return ratio * (grown + (grown + 1) * (u - bend).clamp(min=0))

    def logits(self, outputs: Any) -> Any:
        """The logarithms of the odds of values in the unit interval: of a tensor, in its dtype, or of an array."""
        if not isinstance(outputs, Tensor):
            return outputs * self.gain + self.shift
        gain, shift = (
            torch.as_tensor(part, dtype=outputs.dtype, device=outputs.device) for part in (self.gain, self.shift)
        )
        return outputs * gain + shift

    @cached_property
    def _ratio(self) -> Floats:
        return self.center / self.scale

    @cached_property
    def _inside(self) -> Floats:
        """Centers of the unit interval, off its ends, whose outputs would be infinite."""
        return np.clip(self.center, 1e-12, 1 - 1e-12)

    @cached_property
    def _slope(self) -> Floats:
        """How fast values grow with u at the mean."""
        return self.center if self.support == "positive" else self._inside * (1 - self._inside)


def order_of(levels: Sequence[float]) -> tuple[int, ...]:
    """The places of quantiles by their levels, from the least; empty for a single one."""
    return tuple(np.argsort(np.argsort(levels, kind="stable")).tolist()) if len(levels) > 1 else ()
