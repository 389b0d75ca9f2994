"""Whether a classifier's parameters weigh its classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from sklkd.teachers._estimand import Estimand

EQUAL = 1.1
"""Weights whose ratio is at most this are taken as equal: "balanced" on balanced classes weighs nothing."""


def equal(weights: Iterable[Any]) -> bool:
    """Whether weights are all (nearly) the same."""
    numbers = np.array([float(weight) for weight in weights])
    return bool(len(numbers) == 0 or numbers.max() <= EQUAL * numbers.min())


def reweighted(source: str, *, balanced: bool = False) -> Estimand:
    return Estimand("reweighted probability", source, balanced=balanced)


def class_weights(estimator: Any) -> Estimand | None:
    """Reweighted probabilities, if ``class_weight`` is there and differs between classes; else None."""
    given = getattr(estimator, "class_weight", None)
    if given is None:
        return None
    name = type(estimator).__name__
    if isinstance(given, str):
        return reweighted(f"{name}(class_weight={given!r})", balanced=True)
    if not isinstance(given, Mapping):
        return reweighted(f"{name}(class_weight=...)")
    labels = getattr(estimator, "classes_", None)
    # A class that is not in the dict has weight 1.
    weights = (
        list(given.values()) if labels is None else [given.get(label, 1.0) for label in np.asarray(labels).tolist()]
    )
    return None if equal(weights) else reweighted(f"{name}(class_weight={dict(given)!r})")


def class_priors(estimator: Any) -> Estimand | None:
    """Reweighted probabilities, if priors are given that are not those of the rows it was fitted on; else None."""
    name = type(estimator).__name__
    for key in ("priors", "class_prior"):
        given = getattr(estimator, key, None)
        if given is None or (isinstance(given, str) and given == "empirical"):
            continue
        if isinstance(given, str):
            return reweighted(f"{name}({key}={given!r})", balanced=given == "uniform")
        counts = getattr(estimator, "class_count_", None)
        if counts is not None and np.allclose(np.asarray(counts) / np.sum(counts), given, rtol=0.05, atol=1e-3):
            continue
        return reweighted(f"{name}({key}={np.asarray(given).round(4).tolist()})", balanced=equal(given))
    if getattr(estimator, "fit_prior", True) is False and getattr(estimator, "class_prior", None) is None:
        return reweighted(f"{name}(fit_prior=False)", balanced=True)
    return None
