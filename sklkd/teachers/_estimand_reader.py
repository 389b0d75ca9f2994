"""What any fitted teacher estimates, at any depth of wrappers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from sklkd.teachers._estimand import Estimand, combined
from sklkd.teachers._estimand_automl import read_autogluon
from sklkd.teachers._estimand_boosters import assumed, read_catboost, read_lightgbm, read_xgboost
from sklkd.teachers._estimand_nets import read_net
from sklkd.teachers._estimand_sklearn import ROBUST, SCORES, estimator_type, read_classifier, read_regressor
from sklkd.teachers._estimand_target import of_transformed_target
from sklkd.teachers._estimand_weights import reweighted

LIBRARIES = ("autogluon", "imblearn", "quantile_forest", "xgboost", "lightgbm", "catboost", "skorch", "sklearn")
BASES = ("sklearn.base", "sklearn.utils")
"""Modules of scikit-learn whose classes say nothing of what is estimated."""

BALANCED = (
    "BalancedRandomForestClassifier",
    "EasyEnsembleClassifier",
    "RUSBoostClassifier",
    "BalancedBaggingClassifier",
)
"""imbalanced-learn's ensembles, which resample for every member."""


def read_estimand(estimator: Any, classifier: bool) -> Estimand:
    """What a fitted teacher estimates, read from its parameters.

    Parameters
    ----------
    estimator : object
        Any fitted teacher; estimators inside others are read at any depth.
    classifier : bool
        Whether probabilities of classes are asked for, and not values.

    Returns
    -------
    Estimand
        With ``known=False`` where no parameter says it: class probabilities, or the mean, are assumed.
    """
    if isinstance(getattr(estimator, "estimand", None), Estimand):
        return estimator.estimand
    if isinstance(estimator, (list, tuple)):
        return combined([read_estimand(member, classifier) for _, member in estimator])
    if hasattr(estimator, "student_") and hasattr(estimator, "encoder_"):
        own = getattr(getattr(estimator, "account_", None), "estimand", None)
        return own if isinstance(own, Estimand) else assumed(type(estimator).__name__, classifier)
    if hasattr(estimator, "best_estimator_"):
        # A search, of scikit-learn or of another library.
        return read_estimand(estimator.best_estimator_, classifier)
    if not classifier and estimator_type(estimator) in SCORES:
        return Estimand("score", name_of(estimator))
    library, own_class = origin(estimator)
    if library in ("imblearn", "quantile_forest", "sklearn"):
        read = _read_wrapper(estimator, classifier) or _read_sklearn(estimator, classifier)
    elif library == "xgboost":
        read = read_xgboost(estimator, classifier)
    elif library == "lightgbm":
        read = read_lightgbm(estimator, classifier)
    elif library == "catboost":
        read = read_catboost(estimator, classifier)
    elif library == "autogluon":
        read = read_autogluon(estimator, classifier)
    elif library == "skorch":
        read = read_net(estimator, classifier)
    else:
        read = assumed(name_of(estimator), classifier)
    # A class of the user's own may do anything with what it inherits.
    return read if own_class else replace(read, known=False)


def origin(estimator: Any) -> tuple[str | None, bool]:
    """The library whose class an estimator is or inherits, None if there is none; and whether it is such a class."""
    for depth, parent in enumerate(type(estimator).__mro__):
        library = parent.__module__.partition(".")[0]
        if library in LIBRARIES and not parent.__module__.startswith(BASES):
            return library, depth == 0
    return None, False


def name_of(estimator: Any) -> str:
    """The name of a function, or of an object's class."""
    return getattr(estimator, "__name__", None) or type(estimator).__name__


def _read_sklearn(estimator: Any, classifier: bool) -> Estimand:
    return read_classifier(estimator) if classifier else read_regressor(estimator)


def _read_wrapper(estimator: Any, classifier: bool) -> Estimand | None:
    """The estimand of an estimator around others, from what decides inside; None if it is no such estimator."""
    name = type(estimator).__name__
    if any(parent.__name__ in BALANCED for parent in type(estimator).__mro__):
        return reweighted(name)
    if hasattr(estimator, "steps"):
        return _read_pipeline(estimator, classifier)
    if name == "FrozenEstimator":
        return read_estimand(estimator.estimator, classifier)
    if hasattr(estimator, "calibrated_classifiers_"):
        return _read_calibrated(estimator)
    if hasattr(estimator, "final_estimator_"):
        return read_estimand(estimator.final_estimator_, classifier)
    if hasattr(estimator, "regressor_") and hasattr(estimator, "transformer_"):
        return of_transformed_target(read_estimand(estimator.regressor_, classifier), estimator)
    if any(hasattr(estimator, key) for key in ("loss", "criterion")) or ROBUST & {
        p.__name__ for p in type(estimator).__mro__
    }:
        # Ensembles whose members are parts, not teachers: forests, boosters, AdaBoost's median.
        return None
    members = [read_estimand(member, classifier) for member in _members(estimator)]
    if not members:
        return None
    # of several classes, each against the rest is never as many
    one_each = name == "OneVsRestClassifier" and len(members) > 1
    return replace(combined(members), balanced=False) if one_each else combined(members)


def _members(estimator: Any) -> Iterator[Any]:
    """The fitted estimators inside, which estimate what the outer one does."""
    members = getattr(estimator, "estimators_", None)
    if members is None:
        members = [estimator.estimator_] if hasattr(estimator, "estimator_") else []
    found = list(members.ravel() if isinstance(members, np.ndarray) else members)
    # OneVsRest holds private stand-ins for classes without rows.
    return (each for each in found if hasattr(each, "predict") and not name_of(each).startswith("_"))


def _read_pipeline(estimator: Any, classifier: bool) -> Estimand:
    """The last step's, unless a step resamples the rows that it is fitted on."""
    last = read_estimand(estimator.steps[-1][1], classifier)
    resamplers = [step for _, step in estimator.steps[:-1] if hasattr(step, "fit_resample")]
    if not resamplers:
        return last
    source = f"a pipeline with {', '.join(name_of(step) for step in resamplers)}"
    if not classifier or any(name_of(step) == "FunctionSampler" for step in resamplers):
        # What a function, or a sampler for targets, does to the rows is not known.
        return replace(last, source=source, known=False)
    return reweighted(source)


def _read_calibrated(estimator: Any) -> Estimand:
    """Natural probabilities, whatever is inside, but for temperature scaling, which shifts nothing back."""
    if estimator.method != "temperature":
        return Estimand("probability", f"{type(estimator).__name__}(method={estimator.method!r})")
    inner = [read_estimand(each.estimator, True) for each in estimator.calibrated_classifiers_]
    return combined(inner)
