"""What makes a classifier of a trained student: labels to codes, and logits to answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax
from sklearn.base import ClassifierMixin

from sklkd.estimators._base import BaseDistilled
from sklkd.estimators._targets import check_classes, check_weighted_classes
from sklkd.estimators._teach import Task
from sklkd.knowledge import Rows
from sklkd.students._train import logits_to_proba

# a mixin, which knows its base only to the type checker
_Base: Any = BaseDistilled if TYPE_CHECKING else object


class Classification(ClassifierMixin, _Base):
    """Mixed into the classifiers of all modes, before their base."""

    _task = "classification"

    def _check_y(self, X: Any, y: Any, classes: Any) -> NDArray:
        y, self.classes_ = check_classes(X, y, classes)
        return y

    def _check_more_y(self, X: Any, y: Any, classes: Any) -> NDArray:
        if classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(f"classes={list(classes)} differs from the first call's {list(self.classes_)}.")
        y, _ = check_classes(X, y, self.classes_)
        return y

    @property
    def _classes(self) -> NDArray:
        return self.classes_

    def _learn_units(self, rows: Rows) -> None:
        if rows.weight is not None:
            check_weighted_classes(rows.y, rows.weight)

    def _numbers(self, y: NDArray) -> NDArray:
        """Class codes (n,)."""
        return np.searchsorted(self.classes_, y)

    def _wanted(self) -> Task:
        """What a student has to give."""
        return Task(True, len(self.classes_))

    def _keep_units(self, net: Any) -> None:
        """Let a trained net answer in probabilities."""
        net.predict_nonlinearity = logits_to_proba

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """The student's logits, up to a constant the logarithms of the probabilities.

        Parameters
        ----------
        X : array, frame or sparse matrix of shape (n, n_features)

        Returns
        -------
        ndarray of float64, shape (n, n_classes)
            For two classes their difference, (n,).
        """
        logits = self._raw(X)
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probabilities of the classes, in the order of ``classes_``.

        Parameters
        ----------
        X : array, frame or sparse matrix of shape (n, n_features)

        Returns
        -------
        ndarray of float64, shape (n, n_classes)
        """
        return softmax(self._raw(X), axis=1)

    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Logarithms of the probabilities, exact where these underflow.

        Parameters
        ----------
        X : array, frame or sparse matrix of shape (n, n_features)

        Returns
        -------
        ndarray of float64, shape (n, n_classes)
        """
        return log_softmax(self._raw(X), axis=1)

    def predict(self, X: Any) -> NDArray:
        """The most probable class of each row.

        Parameters
        ----------
        X : array, frame or sparse matrix of shape (n, n_features)

        Returns
        -------
        ndarray of shape (n,), of the dtype of ``classes_``
        """
        codes = self._raw(X).argmax(axis=1)
        return self.classes_[codes]
