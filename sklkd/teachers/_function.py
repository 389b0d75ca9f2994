"""Plain functions, and models of which nothing is known but ``predict``."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklkd.teachers._checked_outputs import checked_numbers
from sklkd.teachers._estimator import EstimatorTeacher
from sklkd.teachers._interpreted import InterpretedTeacher
from sklkd.teachers._reading import LABELS, LOG_PROBABILITIES, LOGITS, reading_of


class PredictTeacher(InterpretedTeacher, EstimatorTeacher):
    """A model with ``predict`` and neither ``classes_`` nor another method of a classifier, such as a Keras model.

    For classification ``predict`` may give labels, probabilities or logits of all classes, (n, n_classes), or the
    probability of the second of two classes, (n,) or (n, 1).
    """

    one_logit = False
    """Whether one column of numbers outside of [0, 1] is the logit of the second of two classes."""

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        others = ("predict_proba", "decision_function", "classes_")
        return hasattr(estimator, "predict") and not any(hasattr(estimator, other) for other in others)

    def raw(self, X: Any) -> Any:
        return _as_array(self.estimator.predict(X))

    def read(self, rows: Any) -> str:
        outputs = np.asarray(self.raw(rows))
        if outputs.dtype.kind not in "biuf":
            return LABELS
        if _is_column(outputs):
            known = set(np.asarray(self.classes if self.labels is None else self.labels).tolist())
            if outputs.dtype.kind != "f" or set(outputs.reshape(-1).tolist()) <= known:
                return LABELS
        reading = reading_of(checked_numbers(outputs, rows, f"predict of {self.name}"))
        return LABELS if reading == LOGITS and _is_column(outputs) and not self.one_logit else reading

    def predict_proba(self, X: Any) -> Any:
        if self.reading(X) == LABELS:
            return self.one_hot(self.raw(X), X)
        return super().predict_proba(X)

    def margins(self, X: Any) -> Any:
        return self.raw(X) if self.reading(X) in (LOGITS, LOG_PROBABILITIES) else None


class FunctionTeacher(PredictTeacher):
    """A function of X, or any other object that can be called with it.

    For classification it may return what :class:`PredictTeacher` takes, and logits of the second of two classes; for
    regression values. Columns follow the ``classes_`` of the object whose method it is, else the sorted classes of y.
    """

    asked_by = asked_for_values = ("__call__",)
    one_logit = True

    def setup(self) -> None:
        super().setup()
        self.name = getattr(self.estimator, "__name__", self.name)

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        methods = ("predict", "predict_proba", "decision_function", "score_samples")
        return (
            callable(estimator)
            and not isinstance(estimator, type)
            and not any(hasattr(estimator, method) for method in methods)
        )

    @property
    def labels(self) -> Any:
        function = self.estimator
        while hasattr(function, "func"):
            # functools.partial
            function = function.func
        return getattr(getattr(function, "__self__", function), "classes_", None)

    def raw(self, X: Any) -> Any:
        return _as_array(self.estimator(X))


def _as_array(outputs: Any) -> Any:
    """Outputs as an array; tensors may carry a gradient or lie on another device."""
    return np.asarray(outputs.detach().cpu() if hasattr(outputs, "detach") else outputs)


def _is_column(outputs: np.ndarray) -> bool:
    return outputs.ndim == 1 or (outputs.ndim == 2 and outputs.shape[1] == 1)
