"""What boosters estimate, from the name of their objective and their parameters.

The functions take names and parameters rather than models, so that the estimators of a library and its own boosters are
read alike.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sklkd.teachers._estimand import Estimand, expectile_estimand, quantile_estimand
from sklkd.teachers._estimand_weights import equal, reweighted

XGBOOST = {
    "reg:squarederror": ("mean", "real"),
    "reg:linear": ("mean", "real"),
    "reg:logistic": ("mean", "unit"),
    "binary:logistic": ("mean", "unit"),
    "reg:squaredlogerror": ("location", "real"),
    "reg:pseudohubererror": ("robust location", "real"),
    "reg:absoluteerror": ("median", "real"),
    "count:poisson": ("rate", "positive"),
    "reg:gamma": ("rate", "positive"),
    "reg:tweedie": ("rate", "positive"),
    "survival:cox": ("score", "positive"),
    "survival:aft": ("location", "positive"),
    "binary:logitraw": ("score", "real"),
    "binary:hinge": ("score", "unit"),
}
"""Kind and support of XGBoost's objectives, but for quantiles and rankings."""

LIGHTGBM = {
    "regression regression_l2 l2 mean_squared_error mse l2_root root_mean_squared_error rmse": ("mean", "real"),
    "regression_l1 l1 mean_absolute_error mae": ("median", "real"),
    "huber fair mape mean_absolute_percentage_error": ("robust location", "real"),
    "poisson gamma tweedie": ("rate", "positive"),
    "binary cross_entropy xentropy": ("mean", "unit"),
    "cross_entropy_lambda xentlambda": ("location", "positive"),
    "lambdarank rank_xendcg xendcg xe_ndcg xe_ndcg_mart xendcg_mart": ("score", "real"),
}
"""Kind and support of LightGBM's objectives, by all their names, but for quantiles."""

CATBOOST = {
    "RMSE MultiRMSE MultiRMSEWithMissingValues RMSEWithUncertainty": ("mean", "real"),
    "MAE": ("median", "real"),
    "Huber LogCosh MAPE": ("robust location", "real"),
    "Poisson Tweedie": ("rate", "positive"),
    "Logloss CrossEntropy": ("mean", "unit"),
    "SurvivalAft": ("location", "positive"),
    "Cox": ("score", "real"),
}
"""Kind and support of CatBoost's losses, but for those with levels and for rankings, whose names are many."""

CATBOOST_RANKING = ("Yeti", "Pair", "Query", "Stochastic", "Lambda", "GroupQuantile", "UserP", "UserQ")


def xgboost_estimand(
    objective: Any, parameters: Mapping[str, Any], *, name: str = "XGBoost", classifier: bool = False
) -> Estimand:
    """What XGBoost estimates under an objective.

    Parameters
    ----------
    objective : str, callable or None
        XGBoost's own name. A callable is not known: the mean, or class probabilities, are assumed.
    parameters : mapping
        ``quantile_alpha`` (a number or several) and ``scale_pos_weight``, as far as they were given.
    name : str, default="XGBoost"
        The model's name in the source.
    classifier : bool, default=False
        Whether its probabilities of classes are asked for.
    """
    if not isinstance(objective, str):
        return assumed(f"{name} with an objective of its own", classifier)
    source = f"{name}(objective={objective!r})"
    if classifier:
        weight = parameters.get("scale_pos_weight")
        if objective.startswith("binary") and weight is not None and not equal([1.0, float(weight)]):
            return reweighted(f"{name}(scale_pos_weight={weight!r})")
        return _classes(objective.startswith(("binary:", "multi:", "reg:logistic")), source)
    if objective == "reg:quantileerror":
        levels = _levels(parameters.get("quantile_alpha"))
        return quantile_estimand(levels, f"{name}(objective={objective!r}, quantile_alpha={_listed(levels)})")
    if objective == "reg:expectileerror":
        levels = _levels(parameters.get("expectile_alpha", 0.5))
        return Estimand("expectile", source, levels) if len(levels) > 1 else expectile_estimand(levels[0], source)
    if objective.startswith("rank:"):
        return Estimand("score", source)
    return _of_table(XGBOOST, objective, source)


def lightgbm_estimand(
    objective: Any, parameters: Mapping[str, Any], *, name: str = "LightGBM", classifier: bool = False
) -> Estimand:
    """What LightGBM estimates under an objective, by any of its names; parameters as in ``xgboost_estimand``.

    ``parameters`` may hold ``alpha``, ``reg_sqrt``, ``is_unbalance`` and ``scale_pos_weight``, and their aliases.
    """
    if not isinstance(objective, str) or objective in ("none", "null", "custom", "na"):
        return assumed(f"{name} with an objective of its own", classifier)
    source = f"{name}(objective={objective!r})"
    if classifier:
        for key in ("is_unbalance", "unbalance", "unbalanced_sets"):
            if parameters.get(key) in (True, 1, "true", "True"):
                return reweighted(f"{name}({key}=True)", balanced=objective == "binary")
        weight = parameters.get("scale_pos_weight")
        if weight is not None and not equal([1.0, float(weight)]):
            return reweighted(f"{name}(scale_pos_weight={weight!r})")
        regression = any(objective in names.split() for names in LIGHTGBM) and objective not in (
            "binary",
            "cross_entropy",
            "xentropy",
        )
        return _classes(not regression, source)
    if objective == "quantile":
        levels = _levels(parameters.get("alpha", 0.9))
        return quantile_estimand(levels, f"{name}(objective='quantile', alpha={_listed(levels)})")
    if parameters.get("reg_sqrt") in (True, 1, "true", "True"):
        return Estimand("location", f"{name}(reg_sqrt=True)")
    return _of_table(LIGHTGBM, objective, source)


def catboost_estimand(
    loss_function: Any, parameters: Mapping[str, Any], *, name: str = "CatBoost", classifier: bool = False
) -> Estimand:
    """What CatBoost estimates under a loss, such as ``"Quantile:alpha=0.9"``; parameters as in ``xgboost_estimand``.

    ``parameters`` may hold ``class_weights``, ``auto_class_weights`` and ``scale_pos_weight``.
    """
    if not isinstance(loss_function, str):
        return assumed(f"{name} with a loss of its own", classifier)
    source = f"{name}(loss_function={loss_function!r})"
    loss, _, rest = loss_function.partition(":")
    options = dict(part.partition("=")[::2] for part in rest.split(";") if part)
    if classifier:
        return _catboost_classes(loss, parameters, name, source)
    if loss in ("Quantile", "MultiQuantile", "LogLinQuantile"):
        support = "positive" if loss == "LogLinQuantile" else "real"
        return quantile_estimand(_levels(options.get("alpha", 0.5)), source, support)
    if loss == "Expectile":
        return expectile_estimand(_levels(options.get("alpha", 0.5))[0], source)
    if loss == "Lq":
        power = float(options.get("q", 2))
        return Estimand({1.0: "median", 2.0: "mean"}.get(power, "robust location" if power < 2 else "location"), source)
    if loss.startswith(CATBOOST_RANKING):
        return Estimand("score", source)
    return _of_table(CATBOOST, loss, source)


def _catboost_classes(loss: str, parameters: Mapping[str, Any], name: str, source: str) -> Estimand:
    # A fitted model has both: what was asked for and the weights that came of it.
    automatic, weights = parameters.get("auto_class_weights"), parameters.get("class_weights")
    if weights is not None and len(weights):
        if not equal(weights.values() if isinstance(weights, Mapping) else weights):
            given = f"auto_class_weights={automatic!r}" if automatic not in (None, "None") else "class_weights=..."
            return reweighted(f"{name}({given})")
    elif automatic not in (None, "None"):
        return reweighted(f"{name}(auto_class_weights={automatic!r})")
    weight = parameters.get("scale_pos_weight")
    if weight is not None and not equal([1.0, float(weight)]):
        return reweighted(f"{name}(scale_pos_weight={weight!r})")
    if loss == "Focal":
        return reweighted(source)
    return _classes(loss in ("Logloss", "CrossEntropy", "MultiClass", "MultiClassOneVsAll"), source)


def read_xgboost(model: Any, classifier: bool) -> Estimand:
    """What a fitted estimator of XGBoost, or its Booster, estimates."""
    name = type(model).__name__
    if callable(getattr(model, "objective", None)):
        return xgboost_estimand(model.objective, {}, name=name, classifier=classifier)
    booster = model.get_booster() if hasattr(model, "get_booster") else model
    # The configuration, not the parameters: it also holds what a model was loaded with.
    read = json.loads(booster.save_config())["learner"]["objective"]
    parameters = {key: each for part in read.values() if isinstance(part, dict) for key, each in part.items()}
    if "quantile_alpha" in parameters:
        parameters["quantile_alpha"] = json.loads(parameters["quantile_alpha"])
    if "scale_pos_weight" in parameters:
        parameters["scale_pos_weight"] = float(parameters["scale_pos_weight"])
    return xgboost_estimand(read["name"], parameters, name=name, classifier=classifier)


def read_lightgbm(model: Any, classifier: bool) -> Estimand:
    """What a fitted estimator of LightGBM, or its Booster, estimates."""
    name = type(model).__name__
    booster = getattr(model, "booster_", model)
    parameters = {**booster.params, **(model.get_params() if hasattr(model, "get_params") else {})}
    if parameters.get("class_weight") is not None:
        from sklkd.teachers._estimand_weights import class_weights

        weighted = class_weights(model)
        if weighted is not None:
            return weighted
    aliases = ("objective", "objective_type", "app", "application", "loss")
    given = next((parameters[key] for key in aliases if parameters.get(key) is not None), None)
    objective = given if callable(given) else getattr(model, "objective_", given)
    if objective is None:
        objective = "regression"
    return lightgbm_estimand(objective, parameters, name=name, classifier=classifier)


def read_catboost(model: Any, classifier: bool) -> Estimand:
    """What a fitted model of CatBoost estimates."""
    given = model.get_params()
    name = type(model).__name__
    loss = given.get("objective", given.get("loss_function"))
    if loss is not None and not isinstance(loss, str):
        return catboost_estimand(loss, {}, name=name, classifier=classifier)
    # All parameters: also those that CatBoost has chosen, or that a model was loaded with.
    parameters = {**given, **model.get_all_params()}
    loss = parameters.get("objective", parameters.get("loss_function", loss))
    return catboost_estimand(loss, parameters, name=name, classifier=classifier)


def assumed(source: str, classifier: bool) -> Estimand:
    """The estimand of what says nothing: class probabilities, or the mean, to be tested on rows."""
    return Estimand("probability" if classifier else "mean", source, known=False)


def _classes(natural: bool, source: str) -> Estimand:
    return Estimand("probability", source, known=natural)


def _of_table(table: Mapping[str, tuple[str, str]], objective: str, source: str) -> Estimand:
    for names, (kind, support) in table.items():
        if objective in names.split():
            return Estimand(kind, source, support=support)
    return assumed(source, classifier=False)


def _levels(given: Any) -> tuple[float, ...]:
    """One or several levels, as a number, a sequence or CatBoost's comma-separated text."""
    if isinstance(given, str):
        given = given.strip("[]").split(",")
    return tuple(map(float, given)) if hasattr(given, "__iter__") else (float(given),)


def _listed(levels: tuple[float, ...]) -> str:
    return f"{levels[0]:.6g}" if len(levels) == 1 else "[" + ", ".join(f"{level:.6g}" for level in levels) + "]"
