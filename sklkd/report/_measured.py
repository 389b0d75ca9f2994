"""Models of different kinds, asked and weighed in one way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skorch.history import History

from sklkd.estimators._without_teacher import BaseWithoutTeacher
from sklkd.teachers import adapt


@dataclass(frozen=True)
class Measured:
    """A model and how it answers.

    Attributes
    ----------
    name : str
        What kind of model it is.
    model : object
        What is pickled and counted.
    ask : callable
        Rows -> (n, n_classes) probabilities in the order of the student's classes, or (n,) or (n, n_targets) values.
        This is what is timed.
    seconds : float
        Of training; NaN where the model does not tell.
    held : ndarray or None
        Answers for the rows of the report, where they are not simply what ``ask`` gives: of cross-fitted models.
    """

    name: str
    model: Any
    ask: Callable[[Any], Any]
    seconds: float
    held: NDArray[np.float64] | None = None

    def answers(self, X: Any) -> NDArray[np.float64]:
        """Of shape (n, n_classes) or (n, n_targets)."""
        answer = np.asarray(self.ask(X) if self.held is None else self.held, dtype=np.float64)
        return answer.reshape(len(answer), -1)


def measured_student(est: Any, held: NDArray[np.float64] | None = None) -> Measured:
    """A fitted distilled estimator, asked as users ask it, without its teacher."""
    light = est._for_deployment()
    ask = light.predict if est._fitted.task.classes is None else light.predict_proba
    return Measured(type(est.student_.module_).__name__, light, ask, training_seconds(est), held)


def measured_teacher(est: Any, notes: list[str]) -> Measured | None:
    """The estimator's teacher; None, and a note where there could have been one to ask."""
    if isinstance(est, BaseWithoutTeacher):
        return None
    if est.teacher_ is None:
        notes.append("No teacher: it was dropped (keep_teacher=False or without_teacher()).")
        return None
    adapter = adapt(est.teacher_, est._fitted.task.classes, missing="floor")
    if not adapter.answers_new_rows:
        notes.append("No teacher: only its outputs for the training rows are known.")
        return None
    return Measured(adapter.name, est.teacher_, adapter.answer, training_seconds(est.teacher_))


def measured_model(model: Any, classes: Any) -> Measured:
    """Any fitted estimator that the user compares with."""
    adapter = adapt(model, classes, missing="floor")
    return Measured(adapter.name, model, adapter.answer, training_seconds(model))


def training_seconds(model: Any) -> float:
    """What a model has recorded of its training: networks their epochs, searches their last fit."""
    if hasattr(model, "refit_time_"):
        return float(model.refit_time_)
    history = getattr(model, "history_", None)
    if not isinstance(history, History) or not history or "dur" not in history[-1]:
        return float("nan")
    return float(sum(history[:, "dur"]))
