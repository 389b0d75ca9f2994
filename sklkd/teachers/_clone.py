"""Unfitted clones, also of teachers that scikit-learn does not clone."""

from __future__ import annotations

import copy
from typing import Any

from sklearn.base import clone
from sklearn.pipeline import Pipeline

from sklkd.teachers._libraries import libraries


def clone_teacher(teacher: Any) -> Any:
    """An unfitted clone of a teacher, by scikit-learn's ``clone`` but for CatBoost.

    CatBoost gives copies of its parameters, which ``clone`` refuses where one is a list, such as ``cat_features``. The
    columns of categories and texts that were passed to its ``fit`` alone become parameters of the clone.

    Parameters
    ----------
    teacher : estimator or list of (str, estimator)
        With CatBoost alone, in such a list, or at the end of a Pipeline.

    Returns
    -------
    estimator or list of (str, estimator)
    """
    if isinstance(teacher, (list, tuple)):
        return type(teacher)(clone_teacher(member) for member in teacher)
    if isinstance(teacher, Pipeline) and _is_catboost(teacher.steps[-1][1]):
        name, last = teacher.steps[-1]
        before = copy.copy(teacher)
        before.steps = [*teacher.steps[:-1], (name, "passthrough")]
        made = clone(before)
        made.steps[-1] = name, clone_teacher(last)
        return made
    if not _is_catboost(teacher):
        return clone(teacher, safe=False)
    params = _columns_of_fit(teacher) | teacher.get_params(deep=False)
    return type(teacher)().set_params(**params)


def _columns_of_fit(teacher: Any) -> dict[str, list[int]]:
    """The numbers of the columns that a fitted CatBoost model takes for categories and for texts."""
    if not teacher.is_fitted():
        return {}
    found = {"cat_features": teacher.get_cat_feature_indices(), "text_features": teacher.get_text_feature_indices()}
    return {name: list(columns) for name, columns in found.items() if len(columns)}


def _is_catboost(teacher: Any) -> bool:
    return "catboost" in libraries(teacher) and hasattr(teacher, "is_fitted")
