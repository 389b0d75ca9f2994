"""Models of different kinds, which are all asked for predictions, sized and timed in one way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skorch.history import History

from sklkd.estimators._access import for_deployment
from sklkd.estimators._task import Task
from sklkd.estimators._without_teacher import BaseWithoutTeacher
from sklkd.teachers import Teacher, adapt, decision_threshold


@dataclass(frozen=True)
class Measured:
    """A model and how it predicts.

    Attributes
    ----------
    name : str
        What kind of model it is.
    model : object
        What is pickled and counted.
    predict : callable
        Rows -> (n, n_classes) probabilities in the order of the student's classes, or (n,) or (n, n_outputs) values.
        This is what is timed.
    seconds : float
        Of training; NaN where the model does not tell.
    threshold : float, default=None
        For two classes the probability of the second from which on the model predicts it. None: the larger one.
    cross_fitted : ndarray of shape (n, n_outputs), default=None
        Predictions for the rows of the report, where they are not simply what ``predict`` gives.
    own_rows : table of n rows, default=None
        The rows of the report as this model takes them, where it does not take them as the student does.
    """

    name: str
    model: Any
    predict: Callable[[Any], Any]
    seconds: float
    threshold: float | None = None
    cross_fitted: NDArray[np.float64] | None = None
    own_rows: Any = None

    def rows(self, X: Any) -> Any:
        """What it is asked for in the place of the report's rows."""
        return X if self.own_rows is None else self.own_rows

    def predictions(self, X: Any) -> NDArray[np.float64]:
        """Probabilities (n, n_classes) or values (n, n_outputs)."""
        found = self.predict(self.rows(X)) if self.cross_fitted is None else self.cross_fitted
        found = np.asarray(found, dtype=np.float64)
        return found.reshape(len(found), -1)


def measured_student(est: Any) -> Measured:
    """A fitted distilled estimator, called as users call it, without its teacher."""
    light, fitted = for_deployment(est), est._fitted
    predict = light.predict if fitted.task.kind == "regression" else light.predict_proba
    name = type(est.student_.module_ if fitted.is_net else est.student_).__name__
    return Measured(name, light, predict, training_seconds(est), fitted.threshold)


def measured_teacher(est: Any, X: Any, notes: list[str]) -> Measured | None:
    """The estimator's teacher, whose decision rule is read on some rows; None, and a note, where there is none to ask.

    Estimators that have no teacher by their nature get no note.
    """
    if isinstance(est, BaseWithoutTeacher):
        return None
    if est.teacher_ is None:
        notes.append("No teacher: it was dropped (keep_teacher=False or without_teacher()).")
        return None
    adapter = adapted_for(est._fitted.task, est.teacher_, X)
    if not adapter.answers_new_rows:
        notes.append("No teacher: only its outputs for the training rows are known.")
        return None
    found = _adapted(adapter, est.teacher_, X)
    # what a search has recorded of its last fit is more to the point than the time of all its fits
    if est.teacher_ is est.teacher or not np.isnan(found.seconds):
        return found
    return replace(found, seconds=est.fit_seconds_["teacher"])


def measured_model(model: Any, task: Task, X: Any) -> Measured:
    """Any fitted estimator that the user compares with, asked for rows of its own."""
    return replace(_adapted(adapted_for(task, model, X), model, X), own_rows=X)


def adapted_for(task: Task, model: Any, X: Any) -> Teacher:
    """The adapter of any fitted model, which has learnt from some rows what it needs to know of them."""
    return adapt(model, task.classes, missing="floor", multilabel=task.multilabel).prepared(X)


def _adapted(adapter: Any, model: Any, X: Any) -> Measured:
    two = adapter.classes is not None and len(adapter.classes) == 2
    threshold = decision_threshold(adapter, X) if two else None
    return Measured(adapter.name, model, adapter.predictions, training_seconds(model), threshold)


def training_seconds(model: Any) -> float:
    """What a model has recorded of its training: networks their epochs, searches their last fit."""
    if hasattr(model, "refit_time_"):
        return float(model.refit_time_)
    history = getattr(model, "history_", None)
    if not isinstance(history, History) or not history or "dur" not in history[-1]:
        return float("nan")
    return float(sum(history[:, "dur"]))
