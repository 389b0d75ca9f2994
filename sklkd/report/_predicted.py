"""Predictions of a distilled estimator and of its teacher for the same rows, for displays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd._decision_rule import predicted_codes, predicted_labels
from sklkd.estimators._access import checked_rows
from sklkd.report._measured import Measured, measured_student, measured_teacher
from sklkd.report._unwrap import Unwrapped


@dataclass(frozen=True, eq=False)
class Predicted:
    """What student and teacher say.

    Attributes
    ----------
    est : fitted estimator
    X : table
        Checked rows, as the student gets them.
    student : ndarray of shape (n, n_outputs)
        Probabilities or values.
    teacher : ndarray of shape (n, n_outputs) or None
        None where there is no teacher to ask.
    thresholds : (float or None, float or None)
        Of the student's and of the teacher's decision.
    """

    est: Any
    X: Any
    student: NDArray[np.float64]
    teacher: NDArray[np.float64] | None
    thresholds: tuple[float | None, float | None] = (None, None)

    @classmethod
    def of(cls, estimator: Any, X: Any) -> Predicted:
        """Those of an estimator, or of one that stands around it.

        Raises
        ------
        TypeError, sklearn.exceptions.NotFittedError
            If there is no fitted distilled estimator in it.
        """
        inside = Unwrapped(estimator)
        X = checked_rows(inside.est, inside.rows(X))
        student = measured_student(inside.est)
        teacher: Measured | None = measured_teacher(inside.est, X, [])
        return cls(
            inside.est,
            X,
            student.predictions(X),
            None if teacher is None else teacher.predictions(X),
            (student.threshold, None if teacher is None else teacher.threshold),
        )

    @property
    def task(self) -> Any:
        return self.est._fitted.task

    def known_teacher(self) -> NDArray[np.float64]:
        """The teacher's predictions, or an error that says why there are none."""
        if self.teacher is None:
            raise ValueError(
                "estimator has no teacher that can be asked: it was dropped, or only its outputs for the training rows "
                "are known. from_predictions takes predictions from elsewhere."
            )
        return self.teacher

    def same(self) -> NDArray[np.bool_]:
        """Whether labels are the teacher's, each by its own decision rule: (n,), or (n, n_labels)."""
        teacher = self.known_teacher()
        if self.task.multilabel:
            return predicted_labels(self.student) == predicted_labels(teacher)
        codes = (predicted_codes(one, t) for one, t in zip((self.student, teacher), self.thresholds, strict=True))
        first, second = codes
        return first == second
