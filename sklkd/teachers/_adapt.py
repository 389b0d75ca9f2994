"""From a fitted teacher to its adapter."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError

from sklkd.teachers._automl import AutoGluonTeacher
from sklkd.teachers._bagging import BaggedTreesTeacher, BaggingTeacher
from sklkd.teachers._base import Shape, Teacher
from sklkd.teachers._boosters import AdaBoostTeacher, GradientBoostingTeacher, HistGradientBoostingTeacher
from sklkd.teachers._catboost import CatBoostTeacher, PlainCatBoostTeacher
from sklkd.teachers._distilled import DistilledTeacher
from sklkd.teachers._estimator import EstimatorTeacher
from sklkd.teachers._fallback import failure
from sklkd.teachers._function import FunctionTeacher, PredictTeacher
from sklkd.teachers._lightgbm import LightGBMBoosterTeacher, LightGBMTeacher
from sklkd.teachers._members import ListTeacher, StackingTeacher, VotingTeacher, WeightedTeacher
from sklkd.teachers._meta import MetaTeacher
from sklkd.teachers._mlp import MLPTeacher
from sklkd.teachers._multilabel import MultilabelTeacher
from sklkd.teachers._precomputed import PrecomputedTeacher
from sklkd.teachers._scorer import ScorerTeacher
from sklkd.teachers._torch import ModuleTeacher, NetTeacher
from sklkd.teachers._trees import ForestTeacher, QuantileForestTeacher
from sklkd.teachers._wrapped import PipelineTeacher, WrappedTeacher
from sklkd.teachers._xgboost import XGBoostBoosterTeacher, XGBoostTeacher

ADAPTERS: tuple[type[Teacher], ...] = (
    ListTeacher,
    WeightedTeacher,
    PrecomputedTeacher,
    AutoGluonTeacher,
    DistilledTeacher,
    NetTeacher,
    ModuleTeacher,
    PipelineTeacher,
    WrappedTeacher,
    VotingTeacher,
    StackingTeacher,
    ScorerTeacher,
    BaggedTreesTeacher,
    BaggingTeacher,
    QuantileForestTeacher,
    ForestTeacher,
    HistGradientBoostingTeacher,
    GradientBoostingTeacher,
    XGBoostBoosterTeacher,
    XGBoostTeacher,
    LightGBMBoosterTeacher,
    LightGBMTeacher,
    PlainCatBoostTeacher,
    CatBoostTeacher,
    MLPTeacher,
    AdaBoostTeacher,
    MetaTeacher,
    FunctionTeacher,
    PredictTeacher,
    EstimatorTeacher,
)
"""From special to general: the first that accepts a teacher adapts it."""

PASS_ON = (ListTeacher, PipelineTeacher, WrappedTeacher)
"""Adapters whose predictions are those of adapters inside."""


def adapt(
    teacher: Any, classes: Any = None, *, seen: Any = None, missing: str = "error", multilabel: bool = False
) -> Teacher:
    """The adapter of a fitted teacher.

    Parameters
    ----------
    teacher : object
        Any fitted teacher; a :class:`Teacher` is returned as it is, or with ``classes`` where it has none.
    classes, seen, missing, multilabel
        As in :class:`Teacher`.

    Returns
    -------
    Teacher

    Raises
    ------
    TypeError
        If it has no method with which a teacher could predict, or is a regressor where classes are wanted.

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
    if classes is not None:
        check_one_column(teacher)
    adapter = next(adapter for adapter in ADAPTERS if adapter.accepts(teacher))
    options: dict[str, Any] = {"seen": seen, "missing": missing, "adapt": adapt, "multilabel": multilabel}
    try:
        made = adapter(teacher, classes, **options)
    except (TypeError, ValueError, NotFittedError):
        # says what is wrong with the teacher
        raise
    except Exception as error:  # noqa: BLE001 - private parts of a foreign model fail in any way
        made = EstimatorTeacher(teacher, classes, **options)
        made.note(failure(adapter.__name__, error))
    return MultilabelTeacher(made) if multilabel and not isinstance(made, PASS_ON) else made


def check_one_column(teacher: Any) -> None:
    """An error for a classifier of several columns of labels, whose ``classes_`` are a list of arrays."""
    labels = getattr(teacher, "classes_", None)
    if isinstance(labels, (list, tuple)) and len(labels) and all(np.ndim(each) == 1 for each in labels):
        raise ValueError(
            f"teacher {type(teacher).__name__} is a multi-output classifier; a teacher must have one column of labels."
        )


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
