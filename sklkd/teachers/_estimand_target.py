"""What a regressor of transformed targets estimates in the targets' own units."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from sklkd.teachers._estimand import Estimand

POSITIVE = {np.exp, np.exp2, np.square}
UNIT = {special.expit, special.ndtr}
REAL = {np.expm1, special.logit, np.log, np.log1p, np.sinh, np.arcsinh, np.cbrt}
"""Inverse functions whose range is known; that of others is looked up on a grid."""

GRID = np.linspace(-30.0, 30.0, 241)
"""Where inverse functions are tried: exp of it is a finite number above 0, in units of 1 or of a standard deviation."""


def of_transformed_target(inner: Estimand, estimator: Any) -> Estimand:
    """The estimand of a fitted ``TransformedTargetRegressor`` whose regressor estimates ``inner``.

    A linear inverse keeps it. Another monotone inverse keeps medians and quantiles (mirrored, if it decreases), while
    the image of a mean, a rate or an expectile is another location.
    """
    inverse = estimator.inverse_func
    named = getattr(inverse, "__name__", None) or type(estimator.transformer_).__name__
    source = f"{type(estimator).__name__}({inner.source}, {named})"
    values = _inverse_on_grid(estimator)
    if values is None:
        return Estimand("location", source, known=False)
    linear = _linear(values)
    support = _linear_support(inner.support, *linear) if linear else _support(inverse, values)
    direction = _direction(values)
    levels = inner.levels if direction >= 0 else tuple(round(1 - level, 12) for level in reversed(inner.levels))
    if linear or (direction and inner.kind in ("median", "quantile", "robust location", "score")):
        return Estimand(inner.kind, source, levels, support, inner.known)
    kind = inner.kind if inner.kind == "score" else "location"
    return Estimand(kind, source, support=support, known=inner.known)


def _inverse_on_grid(estimator: Any) -> NDArray[np.float64] | None:
    """The inverse of the targets' transformation on the grid, one column per target; None if it fails."""
    width = getattr(estimator.transformer_, "n_features_in_", 1)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            values = estimator.transformer_.inverse_transform(np.repeat(GRID[:, None], width, axis=1))
            values = np.asarray(values, dtype=np.float64).reshape(len(GRID), -1)
        except Exception:  # noqa: BLE001 - it is the user's function, which may refuse numbers it has never met
            return None
    return np.where(np.isfinite(values), values, np.nan) if np.isfinite(values).sum() > 2 else None


def _linear(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Intercepts and slopes, one per target, if the inverse is linear; else None."""
    if not np.isfinite(values).all():
        return None
    slope = (values[-1] - values[0]) / (GRID[-1] - GRID[0])
    intercept = values[0] - slope * GRID[0]
    fits = np.abs(values - intercept - GRID[:, None] * slope) <= 1e-9 * np.abs(values).max(axis=0)
    return (intercept, slope) if fits.all() and (slope != 0).all() else None


def _direction(values: NDArray[np.float64]) -> int:
    """1 if the inverse rises, -1 if it falls, on the whole grid or else above 0; 0 if neither, or for some targets."""
    for part in (values, values[GRID > 0]):
        steps = np.diff(part, axis=0)
        steps = steps[np.isfinite(steps).all(axis=1)]
        if len(steps) and (steps >= 0).all() and (steps > 0).any(axis=0).all():
            return 1
        if len(steps) and (steps <= 0).all() and (steps < 0).any(axis=0).all():
            return -1
    return 0


def _linear_support(inner: str, intercept: NDArray[np.float64], slope: NDArray[np.float64]) -> str:
    """The range of a linear function of what is itself real, positive or in [0, 1]."""
    low, high = {"real": (-np.inf, np.inf), "positive": (0.0, np.inf), "unit": (0.0, 1.0)}[inner]
    ends = np.stack([intercept + slope * low, intercept + slope * high])
    if (ends.min() >= 0) and (ends.max() <= 1):
        return "unit"
    if ends.min() > 0 or (ends.min() == 0 and inner == "positive"):
        return "positive"
    return "real"


def _support(inverse: Any, values: NDArray[np.float64]) -> str:
    for functions, support in ((POSITIVE, "positive"), (UNIT, "unit"), (REAL, "real")):
        if any(inverse is function for function in functions):
            return support
    lowest, highest = np.nanmin(values), np.nanmax(values)
    if lowest >= 0 and highest <= 1:
        return "unit"
    return "positive" if lowest > 0 else "real"
