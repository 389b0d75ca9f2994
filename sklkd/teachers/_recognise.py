"""What a teacher is, fitted or not, as far as its class and parameters say it."""

from __future__ import annotations

from typing import Any

from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted
from torch import nn

from sklkd._skorch import is_net
from sklkd.teachers._automl import searches_models
from sklkd.teachers._base import Teacher
from sklkd.teachers._libraries import libraries
from sklkd.teachers._precomputed import Precomputed


def is_fitted(teacher: Any) -> bool:
    """Whether a teacher can be asked as it is.

    A torch module, a function, or an object without ``get_params``, such as a native booster, comes through ``clone``
    as it is and counts as fitted, and so does what cannot be fitted. A list of ``(name, teacher)`` is fitted if all its
    members are.
    """
    if isinstance(teacher, (list, tuple)):
        return all(is_fitted(member) for _, member in teacher)
    if isinstance(teacher, (Teacher, nn.Module)) or not hasattr(teacher, "get_params") or not hasattr(teacher, "fit"):
        return True
    if hasattr(teacher, "initialize") and hasattr(teacher, "module"):
        return bool(getattr(teacher, "initialized_", False))
    if isinstance(teacher, FrozenEstimator):
        return is_fitted(teacher.estimator)
    if isinstance(teacher, Pipeline):
        last = teacher.steps[-1][1]
        # a frozen last step says nothing of those before it
        return is_fitted(last) and (
            not isinstance(last, FrozenEstimator) or all(is_fitted(step) for _, step in teacher.steps)
        )
    if callable(getattr(teacher, "is_fitted", None)):
        return bool(teacher.is_fitted())
    try:
        check_is_fitted(teacher)
    except NotFittedError:
        return False
    if not hasattr(teacher, "__sklearn_is_fitted__"):
        learnt = [value for name, value in vars(teacher).items() if name.endswith("_") and not name.startswith("__")]
        if learnt and all(value is None for value in learnt):
            # mljar's AutoML has such attributes from the start
            return False
    # a Gaussian process answers from its prior before it is fitted
    prior = any(parent.__name__ == "GaussianProcessRegressor" for parent in type(teacher).__mro__)
    return not prior or hasattr(teacher, "X_train_")


def any_fitted(teacher: Any) -> bool:
    """Whether a teacher, or one of several, was fitted by the user."""
    if is_weighted(teacher):
        return is_fitted(teacher) or any_fitted(teacher.teachers)
    return any(is_fitted(member) for _, member in teacher) if isinstance(teacher, list) else is_fitted(teacher)


def is_weighted(teacher: Any) -> bool:
    """Whether it is ``WeightedTeachers``, fitted or not."""
    return isinstance(getattr(teacher, "teachers", None), list) and hasattr(teacher, "weights")


def takes_codes(teacher: Any) -> bool:
    """Whether a teacher, fitted or not, must be given codes 0..K-1 for classes: XGBoost and skorch."""
    if isinstance(teacher, Pipeline):
        return takes_codes(teacher.steps[-1][1])
    if hasattr(teacher, "estimator") and hasattr(teacher, "cv"):
        return takes_codes(teacher.estimator)
    return bool(libraries(teacher) & {"xgboost", "skorch"})


def is_search(teacher: Any) -> bool:
    """Whether it is a GridSearchCV or its like, fitted or not."""
    return hasattr(teacher, "estimator") and hasattr(teacher, "refit")


def holds_net(teacher: Any) -> bool:
    """Whether a teacher is a skorch net, or a Pipeline or a search that ends in one."""
    if isinstance(teacher, Pipeline):
        return holds_net(teacher.steps[-1][1])
    return holds_net(teacher.estimator) if is_search(teacher) else is_net(teacher)


def can_clone(teacher: Any) -> bool:
    """Whether an unfitted clone of a teacher can be had.

    Not of torch modules, stored outputs, functions and native boosters, nor of a distilled estimator without its own
    teacher, nor of AutoML, whose clone would search anew.
    """
    if isinstance(teacher, list):
        return all(can_clone(member) for _, member in teacher)
    if is_weighted(teacher):
        return can_clone(teacher.teachers)
    if isinstance(teacher, (nn.Module, Precomputed)) or searches_models(teacher):
        return False
    if not all(hasattr(teacher, one) for one in ("get_params", "fit")):
        return False
    return not (hasattr(teacher, "student_") and getattr(teacher, "teacher", teacher) is None)


def has_frozen_part(teacher: Any) -> bool:
    """Whether a clone of a teacher would keep parts that have been fitted to labels.

    These are frozen predictors and frozen supervised transformers at any depth, members that an ensemble takes prefit
    (``cv="prefit"``, ``prefit=True``), and trained modules that a skorch net was given as an instance. Such a clone's
    predictions are not out of sample, whichever rows it is fitted on.
    """
    if isinstance(teacher, (list, tuple)):
        return any(has_frozen_part(member) for _, member in teacher)
    if isinstance(teacher, FrozenEstimator):
        return _has_seen_labels(teacher.estimator)
    if not hasattr(teacher, "get_params"):
        return False
    params = teacher.get_params(deep=True)
    if params.get("cv") == "prefit" or params.get("prefit") is True or _holds_trained_module(teacher):
        return True
    return any(
        (isinstance(part, FrozenEstimator) and _has_seen_labels(part.estimator))
        or _holds_trained_module(part)
        or (isinstance(part, str) and part == "prefit" and name.endswith("__cv"))
        or (part is True and name.endswith("__prefit"))
        for name, part in params.items()
    )


def _has_seen_labels(estimator: Any) -> bool:
    """Whether a fitted estimator is more than a transformer that only looks at X."""
    if hasattr(estimator, "predict") or not hasattr(estimator, "__sklearn_tags__"):
        return True
    return bool(get_tags(estimator).target_tags.required)


def _holds_trained_module(estimator: Any) -> bool:
    """Whether skorch has trained the very module that the net was given, of which a clone gets a copy."""
    return is_net(estimator) and isinstance(estimator.module, nn.Module) and bool(getattr(estimator, "initialized_", 0))
