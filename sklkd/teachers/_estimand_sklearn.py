"""What scikit-learn's own estimators estimate, from their parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklkd.teachers._estimand import Estimand, quantile_estimand
from sklkd.teachers._estimand_weights import class_priors, class_weights

LOSSES = {
    "squared_error": ("mean", "real"),
    "friedman_mse": ("mean", "real"),
    "squared_epsilon_insensitive": ("mean", "real"),
    "absolute_error": ("median", "real"),
    "huber": ("robust location", "real"),
    "epsilon_insensitive": ("robust location", "real"),
    "poisson": ("rate", "positive"),
    "gamma": ("rate", "positive"),
}
"""Kind and support by the name of a loss or criterion, the same in all of scikit-learn; all but quantiles."""

ROBUST = {"HuberRegressor", "TheilSenRegressor", "RANSACRegressor", "SVR", "NuSVR", "AdaBoostRegressor"}
"""Regressors that are robust whatever their ``loss`` is (AdaBoost predicts a weighted median)."""

SCORES = ("outlier_detector", "density_estimator", "clusterer")
"""Kinds of estimators, in scikit-learn's words, whose outputs are scores."""


def read_classifier(estimator: Any) -> Estimand:
    """What a classifier of scikit-learn estimates: reweighted probabilities under class weights or given priors."""
    return class_weights(estimator) or class_priors(estimator) or Estimand("probability", type(estimator).__name__)


def read_regressor(estimator: Any) -> Estimand:
    """What a regressor of scikit-learn estimates, by its class, its loss or its criterion."""
    name = type(estimator).__name__
    own = {parent.__name__ for parent in type(estimator).__mro__}
    special = next((SPECIAL[key] for key in own if key in SPECIAL), None)
    if special is not None:
        return special(estimator, name)
    levels = getattr(estimator, "default_quantiles", None)
    if levels is not None and not isinstance(levels, str):
        # a forest of quantile-forest, whose trees have the criterion of a mean
        levels = [levels] if isinstance(levels, (int, float)) else list(levels)
        return quantile_estimand(levels, f"{name}(default_quantiles={levels})")
    if own & ROBUST:
        return Estimand("robust location", name)
    for key in ("loss", "criterion"):
        given = getattr(estimator, key, None)
        if not isinstance(given, str):
            continue
        if given == "quantile":
            return _quantile(estimator, name)
        if given in LOSSES:
            kind, support = LOSSES[given]
            # The default goes without saying.
            source = name if kind == "mean" else f"{name}({key}={given!r})"
            return Estimand(kind, source, support=support)
    return Estimand("mean", name)


def estimator_type(estimator: Any) -> str | None:
    """What an estimator says that it is, in scikit-learn's words; None where it says nothing."""
    if not hasattr(estimator, "__sklearn_tags__"):
        return None
    return estimator.__sklearn_tags__().estimator_type


def _quantile(estimator: Any, name: str) -> Estimand:
    key = "quantile" if hasattr(estimator, "quantile") else "alpha"
    level = getattr(estimator, key)
    return quantile_estimand([level], f"{name}(loss='quantile', {key}={level!r})")


def _quantile_regressor(estimator: Any, name: str) -> Estimand:
    return quantile_estimand([estimator.quantile], f"{name}(quantile={estimator.quantile!r})")


def _poisson_or_gamma(estimator: Any, name: str) -> Estimand:
    return Estimand("rate", name, support="positive")


def _tweedie(estimator: Any, name: str) -> Estimand:
    link = estimator.link if estimator.link != "auto" else ("log" if estimator.power > 0 else "identity")
    kind = "rate" if estimator.power >= 1 else "mean"
    return Estimand(kind, f"{name}(power={estimator.power!r})", support="positive" if link == "log" else "real")


def _dummy(estimator: Any, name: str) -> Estimand:
    source = f"{name}(strategy={estimator.strategy!r})"
    if estimator.strategy in ("median", "quantile"):
        return quantile_estimand([0.5 if estimator.strategy == "median" else estimator.quantile], source)
    return Estimand("mean", source)


SPECIAL: dict[str, Callable[[Any, str], Estimand]] = {
    "QuantileRegressor": _quantile_regressor,
    "PoissonRegressor": _poisson_or_gamma,
    "GammaRegressor": _poisson_or_gamma,
    "TweedieRegressor": _tweedie,
    "DummyRegressor": _dummy,
}
"""By the name of the class, where neither loss nor criterion says it."""
