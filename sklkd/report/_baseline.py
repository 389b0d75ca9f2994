"""The same student without a teacher."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold, StratifiedKFold

from sklkd._side_by_side import side_by_side
from sklkd.estimators._access import fit_with_classes, other_models, without_distillation
from sklkd.estimators._without_teacher import BaseWithoutTeacher
from sklkd.report._measured import Measured, measured_model, measured_student
from sklkd.rows import Rows
from sklkd.teachers import is_fitted

FOLDS = 3
"""Of a cross-fitted baseline: two thirds of the rows to learn from, for three times a student's training."""

PLAIN = dict.fromkeys(("augment", "loss", "cv", "memory", "checkpoint"))
ON_LABELS = PLAIN | {"hard_weight": 1, "verbose": 0}


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
    est: Any, rows: Rows, baseline: Any, training: Rows | None, random_state: Any, notes: list[str], X: Any = None
) -> dict[str, Measured]:
    """What ``baseline`` asks for, for the student and each other model that has its own; empty where there is nothing.

    Parameters
    ----------
    est : DistilledClassifier or DistilledRegressor, or one of the online or self mode
    rows : Rows
        Checked rows of the report, labels or targets, weights.
    baseline : bool or fitted estimator
    training : Rows or None
        As the user passed them.
    random_state : int, RandomState instance or None
    notes : list of str
        What has to be known of the baseline is added.
    X : table, default=None
        The rows as an estimator of the user's gets them; None: as they are in ``rows``.
    """
    if not isinstance(baseline, (bool, np.bool_)):
        return {"student": measured_model(baseline, est._fitted.task, rows.X if X is None else X)}
    if not baseline:
        return {}
    if isinstance(est, BaseWithoutTeacher):
        if training is None:
            notes.append("No baseline: pass X_train and y_train to train the same network without distillation.")
            return {}
        notes.append("Baseline: the same network, trained without distillation.")
        plain = without_distillation(est).fit(training.X, training.y, sample_weight=training.weight)
        return {name: measured_student(one) for name, one in {"student": plain, **other_models(plain)}.items()}
    if est.teacher_ is None:
        notes.append("No baseline: the same student needs the dropped teacher's split thresholds; pass a fitted one.")
        return {}
    if training is not None:
        notes.append("Baseline: the same student, trained on labels only.")
        made = measured_student(fit_on_labels(est, training))
    else:
        made = _cross_fitted(est, rows, random_state, notes)
    estimand = est.account_.estimand
    if not estimand.answered_by_labels:
        own = "the mean" if est._fitted.task.kind == "regression" else "class probabilities as they are"
        notes.append(f"The baseline estimates {own}, which is another question than the teacher's: {estimand}.")
    return {"student": made}


def fit_on_labels(est: Any, rows: Rows) -> Any:
    """The estimator with the same student, encoding and seed, fitted on labels only."""
    params = est.get_params(deep=False)
    # not by clone, in which a fitted teacher would be fitted again; nor may a generator of random numbers be shared
    params |= {"teacher": est.teacher_, "random_state": copy.deepcopy(est.random_state)} | ON_LABELS
    params["columns"] = est.columns_
    made = type(est)(**params)
    if est._fitted.task.classes is None:
        return made.fit(rows.X, rows.y, sample_weight=rows.weight)
    # a part of the rows may lack a class
    return fit_with_classes(made, rows.X, rows.y, est._fitted.task.classes, rows.weight)


def light_fit_on_labels(est: Any, rows: Rows) -> Any:
    """The same without its teacher, as it comes back from other processes."""
    return fit_on_labels(est, rows).without_teacher()


def _cross_fitted(est: Any, rows: Rows, random_state: Any, notes: list[str]) -> Measured:
    n = len(rows)
    if n < 2 * FOLDS:
        raise ValueError(
            f"baseline=True without X_train and y_train cross-fits in {FOLDS} folds, which takes {2 * FOLDS} rows at "
            f"least, got {n}: pass X_train and y_train, or baseline=False."
        )
    folds = list(_folds(est, rows.y, random_state))
    fitted = side_by_side(est.n_jobs, light_fit_on_labels, [(est, rows.take(train)) for train, _ in folds])
    models, found = [measured_student(one) for one in fitted], None
    for model, (_, test) in zip(models, folds, strict=True):
        predicted = model.predictions(rows.take(test).X)
        found = np.empty((n, predicted.shape[1])) if found is None else found
        found[test] = predicted
    notes.append(
        f"Baseline: the same student, trained on labels only and cross-fitted on these rows, {n - n // FOLDS} at a "
        "time, for lack of X_train and y_train. If the distilled student has seen more, the baseline looks worse than "
        "it is, and the gain retained better."
    )
    return replace(models[-1], seconds=float(np.mean([model.seconds for model in models])), cross_fitted=found)


def _folds(est: Any, y: NDArray, random_state: Any) -> Any:
    stratify = est._fitted.task.classes is not None and np.unique(y, return_counts=True)[1].min() >= FOLDS
    splitter = (StratifiedKFold if stratify else KFold)(FOLDS, shuffle=True, random_state=random_state)
    return splitter.split(np.zeros(len(y)), y)
