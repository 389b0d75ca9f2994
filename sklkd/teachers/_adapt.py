"""From a fitted teacher to its adapter."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted
from torch import nn

from sklkd.teachers._bagging import BaggedTreesTeacher, BaggingTeacher
from sklkd.teachers._base import Shape, Teacher
from sklkd.teachers._boosters import AdaBoostTeacher, GradientBoostingTeacher, HistGradientBoostingTeacher
from sklkd.teachers._catboost import CatBoostTeacher
from sklkd.teachers._distilled import DistilledTeacher
from sklkd.teachers._estimator import EstimatorTeacher
from sklkd.teachers._lightgbm import LightGBMTeacher
from sklkd.teachers._members import ListTeacher, StackingTeacher, VotingTeacher
from sklkd.teachers._meta import MetaTeacher
from sklkd.teachers._mlp import MLPTeacher
from sklkd.teachers._precomputed import PrecomputedTeacher
from sklkd.teachers._torch import ModuleTeacher, NetTeacher
from sklkd.teachers._trees import ForestTeacher
from sklkd.teachers._wrapped import PipelineTeacher, WrappedTeacher
from sklkd.teachers._xgboost import XGBoostTeacher

ADAPTERS: tuple[type[Teacher], ...] = (
    ListTeacher,
    PrecomputedTeacher,
    DistilledTeacher,
    NetTeacher,
    ModuleTeacher,
    PipelineTeacher,
    WrappedTeacher,
    VotingTeacher,
    StackingTeacher,
    BaggedTreesTeacher,
    BaggingTeacher,
    ForestTeacher,
    HistGradientBoostingTeacher,
    GradientBoostingTeacher,
    XGBoostTeacher,
    LightGBMTeacher,
    CatBoostTeacher,
    MLPTeacher,
    AdaBoostTeacher,
    MetaTeacher,
    EstimatorTeacher,
)
"""From special to general: the first that accepts a teacher adapts it."""


def adapt(teacher: Any, classes: Any = None, *, seen: Any = None, missing: str = "error") -> Teacher:
    """The adapter of a fitted teacher.

    Parameters
    ----------
    teacher : object
        Any fitted teacher; a :class:`Teacher` is returned as it is, or with ``classes`` where it has none.
    classes, seen, missing
        As in :class:`Teacher`.

    Returns
    -------
    Teacher

    Raises
    ------
    TypeError
        If it has no method with which a teacher could answer, or is a regressor where classes are wanted.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklkd.teachers import adapt
    >>> X, y = load_iris(return_X_y=True)
    >>> teacher = adapt(RandomForestClassifier(10, random_state=0).fit(X, y), classes=[0, 1, 2])
    >>> teacher.outputs(X).proba.shape
    (150, 3)
    """
    if isinstance(teacher, Teacher):
        if teacher.classes is None and classes is not None:
            # An adapter that the user made: the classes are ours to say, and the object is not ours to change.
            teacher = copy(teacher)
            teacher.classes = np.asarray(classes)
        return teacher
    adapter = next(adapter for adapter in ADAPTERS if adapter.accepts(teacher))
    return adapter(teacher, classes, seen=seen, missing=missing)


def is_fitted(teacher: Any) -> bool:
    """Whether a teacher can be asked as it is.

    A torch module, or an object without ``get_params``, comes through ``clone`` as it is and counts as fitted, and so
    does what cannot be fitted. A list of ``(name, teacher)`` is fitted if all its members are.
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
        # A frozen last step says nothing of those before it.
        return is_fitted(last) and (
            not isinstance(last, FrozenEstimator) or all(is_fitted(s) for _, s in teacher.steps)
        )
    if callable(getattr(teacher, "is_fitted", None)):
        return bool(teacher.is_fitted())
    try:
        check_is_fitted(teacher)
    except NotFittedError:
        return False
    return True


def takes_codes(teacher: Any) -> bool:
    """Whether a teacher, fitted or not, must be given codes 0..K-1 for classes: XGBoost and skorch."""
    if isinstance(teacher, Pipeline):
        return takes_codes(teacher.steps[-1][1])
    if hasattr(teacher, "estimator") and hasattr(teacher, "cv"):
        return takes_codes(teacher.estimator)
    library = {parent.__module__.partition(".")[0] for parent in type(teacher).__mro__}
    return bool(library & {"xgboost", "skorch"})


def layers(teacher: Any) -> dict[str, Shape]:
    """Names of the features that a fitted teacher can give, with the shape of one row.

    None in a shape stands for what is not known before the teacher has seen rows.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklkd.teachers import layers
    >>> layers(RandomForestClassifier(10, random_state=0).fit(*load_iris(return_X_y=True)))
    {'leaves': (10,), 'leaf_embedding': (32,), 'members': (10, 3)}
    """
    if isinstance(teacher, Teacher):
        return teacher.layers
    asked = teacher[0][1] if isinstance(teacher, (list, tuple)) else teacher
    return adapt(teacher, getattr(asked, "classes_", None)).layers
