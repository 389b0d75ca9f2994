"""The same student without a teacher."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold, StratifiedKFold

from sklkd._sklearn import _num_samples, _safe_indexing
from sklkd.estimators._without_teacher import BaseWithoutTeacher
from sklkd.report._measured import Measured, measured_model, measured_student
from sklkd.teachers import is_fitted

FOLDS = 3
"""Of a cross-fitted baseline: two thirds of the rows to learn from, for three times a student's training."""

ALONE = {"hard_weight": 1, "augment": None, "loss": None, "cv": None, "memory": None, "verbose": 0}


def check_baseline(baseline: Any, X_train: Any, y_train: Any, weight_train: Any) -> None:
    """Refuse what cannot be a baseline, and training rows that would not be used."""
    flag = isinstance(baseline, (bool, np.bool_))
    if not flag and not hasattr(baseline, "predict"):
        raise TypeError(f"baseline must be True, False or a fitted estimator, got {baseline!r}.")
    if not flag and not is_fitted(baseline):
        raise ValueError(f"baseline must be fitted, got {baseline!r}, which is not: fit it on the training rows.")
    if (X_train is None) != (y_train is None):
        raise ValueError("X_train and y_train belong together, got one of them.")
    if X_train is None and weight_train is not None:
        raise ValueError("sample_weight_train weights X_train, which was not given.")
    if X_train is not None and not (flag and baseline):
        raise ValueError("X_train and y_train train the baseline=True, got another baseline: leave them out.")


def make_baselines(
    est: Any,
    X: Any,
    y: NDArray,
    weight: NDArray | None,
    baseline: Any,
    training: tuple[Any, Any, Any],
    random_state: Any,
    notes: list[str],
) -> dict[str, Measured]:
    """What ``baseline`` asks for, for the student and each part that has its own; empty where there is nothing."""
    if not isinstance(baseline, (bool, np.bool_)):
        return {"student": measured_model(baseline, est._fitted.task.classes)}
    if not baseline:
        return {}
    if isinstance(est, BaseWithoutTeacher):
        if training[0] is None:
            notes.append("No baseline: pass X_train and y_train to train the same network alone.")
            return {}
        notes.append("Baseline: the same network, trained alone.")
        alone = est._without_distillation().fit(training[0], training[1], sample_weight=training[2])
        return {name: measured_student(one) for name, one in {"student": alone, **alone._other_models()}.items()}
    if est.teacher_ is None:
        notes.append("No baseline: the same student needs the dropped teacher's split thresholds; pass a fitted one.")
        return {}
    if training[0] is not None:
        notes.append("Baseline: the same student, trained on labels alone.")
        return {"student": measured_student(fit_alone(est, *training))}
    return {"student": _cross_fitted(est, X, y, weight, random_state, notes)}


def fit_alone(est: Any, X: Any, y: Any, sample_weight: Any) -> Any:
    """The estimator with the same student, encoding and seed, fitted on labels alone."""
    params = est.get_params(deep=False)
    # not by clone, in which a fitted teacher would be fitted again; nor may a generator of random numbers be shared
    params |= {"teacher": est.teacher_, "random_state": copy.deepcopy(est.random_state)} | ALONE
    alone = type(est)(**params)
    if est._fitted.task.classes is None:
        return alone.fit(X, y, sample_weight=sample_weight)
    # a part of the rows may lack a class
    return alone.partial_fit(X, y, est._fitted.task.classes, sample_weight=sample_weight)


def _cross_fitted(
    est: Any, X: Any, y: NDArray, weight: NDArray | None, random_state: Any, notes: list[str]
) -> Measured:
    n = _num_samples(X)
    if n < 2 * FOLDS:
        raise ValueError(
            f"baseline=True without X_train and y_train cross-fits in {FOLDS} folds, which takes {2 * FOLDS} rows at "
            f"least, got {n}: pass X_train and y_train, or baseline=False."
        )
    models, held = [], None
    for train, test in _folds(est, y, random_state):
        part = None if weight is None else weight[train]
        models.append(measured_student(fit_alone(est, _safe_indexing(X, train), y[train], part)))
        answers = models[-1].answers(_safe_indexing(X, test))
        held = np.empty((n, answers.shape[1])) if held is None else held
        held[test] = answers
    notes.append(
        f"Baseline: the same student, trained on labels alone and cross-fitted on these rows, {n - n // FOLDS} at a "
        "time, for lack of X_train and y_train. If the distilled student has seen more, the baseline looks worse than "
        "it is, and the gain retained better."
    )
    return replace(models[-1], seconds=float(np.mean([model.seconds for model in models])), held=held)


def _folds(est: Any, y: NDArray, random_state: Any) -> Any:
    stratify = est._fitted.task.classes is not None and np.unique(y, return_counts=True)[1].min() >= FOLDS
    splitter = (StratifiedKFold if stratify else KFold)(FOLDS, shuffle=True, random_state=random_state)
    return splitter.split(np.zeros(len(y)), y)
