"""Anything with scikit-learn's methods."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import softmax

from sklkd.teachers._base import Teacher
from sklkd.teachers._checked_outputs import checked_numbers
from sklkd.teachers._reading import LABELS, PROBABILITIES


class EstimatorTeacher(Teacher):
    """A classifier or regressor with scikit-learn's methods, of scikit-learn, of another library or of the user.

    A classifier is asked for ``predict_proba``. Without it, probabilities are the softmax of ``decision_function``
    (the logistic function, where that is one margin for two classes); without either, the labels of ``predict`` as 0
    and 1.
    """

    asked_by: tuple[str, ...] = ("predict_proba", "decision_function", "predict")
    """Methods of which a classifier must have one."""
    asked_for_values: tuple[str, ...] = ("predict",)
    """Methods of which a regressor must have one."""

    def setup(self) -> None:
        estimator = self.estimator
        classifier = self.classes is not None or self.multilabel
        methods = self.asked_by if classifier else self.asked_for_values
        if not any(hasattr(estimator, method) for method in methods):
            raise TypeError(f"teacher must have {' or '.join(methods)}, got {estimator!r}, which has not.")
        kind = kind_of(estimator)
        wanted = "classifier" if classifier else "regressor"
        if kind in ("classifier", "regressor") and kind != wanted:
            raise TypeError(f"teacher must be a {wanted} here, got {self.name}, which is a {kind}.")

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        return True

    @property
    def reads_as(self) -> str | None:
        if self.classes is None:
            return "values"
        if hasattr(self.estimator, "predict_proba"):
            return PROBABILITIES
        return "margins" if hasattr(self.estimator, "decision_function") else LABELS

    def predict_proba(self, X: Any) -> Any:
        if hasattr(self.estimator, "predict_proba"):
            return self.estimator.predict_proba(X)
        margins = self.margins_by_class(X)
        return self.one_hot(self.estimator.predict(X), X) if margins is None else softmax(margins, axis=1)

    def margins(self, X: Any) -> np.ndarray | None:
        if not hasattr(self.estimator, "decision_function"):
            return None
        margins = np.asarray(self.estimator.decision_function(X))
        n_classes = margins.shape[1] if margins.ndim == 2 else 2
        one_against_one = getattr(self.estimator, "decision_function_shape", None) == "ovo" and margins.ndim == 2
        if one_against_one or (self.labels is not None and len(self.labels) != n_classes):
            return None
        return margins

    def one_hot(self, predicted: Any, X: Any) -> np.ndarray:
        """Labels as 0/1 columns in the order of the teacher's classes, or of the student's where it has none."""
        own = self.labels is not None
        labels = np.asarray(self.labels if own else self.classes)
        predicted = self._rows_of_labels(predicted, X)
        position = {label: column for column, label in enumerate(labels.tolist())}
        columns = np.array([position.get(label, -1) for label in predicted.tolist()])
        if (columns < 0).any():
            label = predicted.tolist()[np.argmax(columns < 0)]
            known = f"its classes_ {labels.tolist()}" if own else f"the classes {labels.tolist()} of y"
            raise ValueError(f"predict of {self.name} returned {label!r}, which is none of {known}.")
        return np.eye(len(labels))[columns]

    def _rows_of_labels(self, predicted: Any, X: Any) -> np.ndarray:
        predicted = np.asarray(predicted)
        if predicted.ndim == 2 and predicted.shape[1] == 1:
            predicted = predicted[:, 0]
        checked_numbers(np.zeros(predicted.shape), X, f"predict of {self.name}")
        if predicted.ndim != 1:
            raise ValueError(f"predict of {self.name} must return one label per row, got shape {predicted.shape}.")
        return predicted


def kind_of(estimator: Any) -> str | None:
    """What the estimator says that it is; None where it says nothing."""
    if not hasattr(estimator, "__sklearn_tags__"):
        return None
    return estimator.__sklearn_tags__().estimator_type
