"""What makes a classifier of a trained student: labels to codes, and logits to predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit, log_softmax
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.metaestimators import available_if

from sklkd._dask import in_memory, is_dask, takes_dask
from sklkd._decision_rule import predicted_codes, predicted_labels
from sklkd.estimators._base import BaseDistilled
from sklkd.estimators._checked_targets import (
    check_classes,
    check_labels,
    check_weighted_classes,
    has_several_columns,
    label_scaling,
)
from sklkd.estimators._task import Task
from sklkd.students._train import logits_to_proba, use_scaling

# a mixin, which knows its base only to the type checker
_Base: Any = BaseDistilled if TYPE_CHECKING else object


def _has_one_label_a_row(estimator: Any) -> bool:
    return not isinstance(getattr(estimator, "classes_", None), list)


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """SciPy's numbers, without its look for other array libraries, which takes longer than a row does."""
    proba = np.exp(logits - logits.max(axis=1, keepdims=True))
    proba /= proba.sum(axis=1, keepdims=True)
    return proba


class Classification(ClassifierMixin, _Base):
    """Mixed into the classifiers of all modes, before their base."""

    _task_name = "classification"
    classes_: Any

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = tags.classifier_tags.multi_label = self._takes_several_labels()
        return tags

    def _check_y(self, X: Any, y: Any, classes: Any) -> NDArray:
        if has_several_columns(y):
            y, self.classes_ = check_labels(X, y)
            return y
        y, self.classes_ = check_classes(X, y, classes)
        return y

    def _check_more_y(self, X: Any, y: Any, classes: Any) -> NDArray:
        if isinstance(self.classes_, list):
            return check_labels(X, y, self.classes_)[0]
        if classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(f"classes={list(classes)} differs from the first call's {list(self.classes_)}.")
        y, _ = check_classes(X, y, self.classes_)
        return y

    def _make_task(self, y: NDArray, weight: NDArray | None) -> Task:
        if isinstance(self.classes_, list):
            return Task(scaling=label_scaling(y, weight), y_ndim=2, multilabel=True)
        if weight is not None:
            check_weighted_classes(y, weight)
        return Task(classes=self.classes_)

    def _set_nonlinearity(self, net: Any, task: Task) -> None:
        if task.multilabel:
            use_scaling(net, task.target_scaling)
        else:
            net.predict_nonlinearity = logits_to_proba

    def _logits(self, X: Any) -> NDArray[np.float64]:
        """The logits of the classes (n, n_classes), or of each of several labels (n, n_labels)."""
        outputs, task = self._outputs(X), self._fitted.task
        return task.target_scaling.logits(outputs) if task.multilabel else outputs

    @available_if(_has_one_label_a_row)
    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """The student's logits, up to a constant the logarithms of the probabilities.

        Parameters
        ----------
        X : array, frame, sparse matrix or Dask collection of shape (n, n_features)

        Returns
        -------
        ndarray of float64, shape (n, n_classes)
            For two classes their difference, (n,).

        Raises
        ------
        AttributeError
            For several labels a row, of which forests have none either, and for which scikit-learn has no one form.
        """
        return self._margins(X)

    @takes_dask
    def _margins(self, X: Any) -> NDArray[np.float64]:
        logits = self._outputs(X)
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits

    @takes_dask
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probabilities of the classes, in the order of ``classes_``, or of each of several labels.

        Parameters
        ----------
        X : array, frame, sparse matrix or Dask collection of shape (n, n_features)

        Returns
        -------
        ndarray of float64, shape (n, n_classes) or (n, n_labels)
        """
        logits = self._logits(X)
        return expit(logits) if self._fitted.task.multilabel else _softmax(logits)

    @takes_dask
    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Logarithms of the probabilities, exact where these underflow.

        Parameters
        ----------
        X : array, frame, sparse matrix or Dask collection of shape (n, n_features)

        Returns
        -------
        ndarray of float64, shape (n, n_classes) or (n, n_labels)
        """
        logits = self._logits(X)
        return log_expit(logits) if self._fitted.task.multilabel else log_softmax(logits, axis=1)

    @takes_dask
    def predict(self, X: Any) -> NDArray:
        """The predicted class of each row.

        That is the most probable one; or, after a teacher with a decision threshold, the second class where its
        probability is at least ``threshold_``. Of several labels a row has those with a probability above 0.5.

        Parameters
        ----------
        X : array, frame, sparse matrix or Dask collection of shape (n, n_features)

        Returns
        -------
        ndarray of shape (n,), of the dtype of ``classes_``, or of int, shape (n, n_labels)
            Of a Dask collection a lazy Dask Array, here as in the other methods.
        """
        logits = self._logits(X)
        if self._fitted.task.multilabel:
            return predicted_labels(expit(logits))
        threshold = self._fitted.threshold
        if threshold is None:
            return self.classes_[logits.argmax(axis=1)]
        return self.classes_[predicted_codes(_softmax(logits), threshold)]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The share of rows that are predicted right; of several labels a row, with all of them right.

        Parameters
        ----------
        X : array, frame, sparse matrix or Dask collection of shape (n, n_features)
            Of a Dask collection labels and predictions come into memory, and nothing else.
        y : array or Dask collection of shape (n,), or (n, n_labels) for several labels a row
        sample_weight : array or Dask collection of shape (n,), default=None

        Returns
        -------
        float
        """
        if not is_dask(X):
            return super().score(X, y, sample_weight)
        y, predicted, weight = in_memory(y, self.predict(X), sample_weight)
        return accuracy_score(y, predicted, sample_weight=weight)
