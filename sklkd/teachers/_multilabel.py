"""Classifiers of several labels a row, whose values are the probability of each label."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from sklkd.teachers._base import Teacher
from sklkd.teachers._checked_outputs import checked_numbers
from sklkd.teachers._outputs import Outputs
from sklkd.teachers._precomputed import PrecomputedTeacher
from sklkd.teachers._reading import LOGITS, PROBABILITIES, within_unit
from sklkd.teachers._rows import take
from sklkd.teachers._torch import TorchTeacher
from sklkd.teachers._wrapped import WrappedTeacher


class MultilabelTeacher(WrappedTeacher):
    """A classifier of several labels a row; what else is known of it, its own adapter says.

    It is asked for ``predict_proba``, which may be an array (n, n_labels) or a list of one array (n, 2) a label;
    without it for ``decision_function``, of whose margins the logistic function is taken; without either for
    ``predict``. What ``predict``, a function or a torch module returns is read as probabilities where it lies in
    [0, 1], else as logits.
    """

    def __init__(self, inner: Teacher):
        self.inner = inner
        super().__init__(inner.estimator, multilabel=True)

    def setup(self) -> None:
        self.answers_new_rows = self.inner.answers_new_rows
        self.default_layer = self.inner.default_layer
        self.name = self.inner.name

    @property
    def labels(self) -> Any:
        return None

    @property
    def needs_rows(self) -> bool:  # type: ignore[override]
        return self.interprets or self.inner.needs_rows

    @property
    def reads_as(self) -> str | None:
        if not self.interprets:
            return PROBABILITIES
        rows = None if self._reference is None else self._reference.few()
        return self._learnt.get("reading") if rows is None else self.reading(rows)

    @property
    def interprets(self) -> bool:  # type: ignore[override]
        if isinstance(self.inner, PrecomputedTeacher):
            return False
        return isinstance(self.inner, TorchTeacher) or not any(
            hasattr(self.estimator, method) for method in ("predict_proba", "decision_function")
        )

    def reading(self, X: Any) -> str:
        """What the numbers mean, from the rows that the adapter was prepared with, or from these where it was not."""
        known: Any = self._known(X)
        return known.learnt("reading", known._read, X)

    def _read(self, rows: Any) -> str:
        values = self._numbers(rows)
        if not within_unit(values):
            return LOGITS
        # logits that happen to lie in [0, 1] leave it where rows lie far out
        inside = not isinstance(self.inner, TorchTeacher) or self.inner._stays_in_unit(rows)
        return PROBABILITIES if inside else LOGITS

    def _regression(self, X: Any, spread: bool) -> Outputs:
        values = self._numbers(X)
        if self.interprets and self.reading(X) == LOGITS:
            values = expit(values)
        if not within_unit(values):
            raise ValueError(f"{self._source} must return the probability of each label, in [0, 1], got others.")
        return Outputs(values=np.clip(values, 0.0, 1.0))

    def _numbers(self, X: Any) -> NDArray[np.float64]:
        """What the model says of each label, (n, n_labels), finite."""
        values = checked_numbers(self._asked(X), X, self._source)
        if values.ndim == 3 and values.shape[1] == 2:
            # skorch's of a binary criterion
            values = values[:, 1]
        if values.ndim != 2:
            raise ValueError(f"{self._source} must return one column for each label of y, got shape {values.shape}.")
        if self._knows_one_label(values, X):
            raise ValueError(
                f"teacher must be fitted on several labels a row, as y has them, got {self.name}, whose predict gives "
                "one label a row."
            )
        if not np.isfinite(values).all():
            raise ValueError(f"{self._source} returned a value that is not finite.")
        return values

    def _knows_one_label(self, values: NDArray[np.float64], X: Any) -> bool:
        """Whether columns are the probabilities of classes, which sum to one, and not of labels."""
        if not hasattr(self.estimator, "predict_proba") or not np.allclose(values.sum(axis=1), 1, atol=1e-6):
            return False
        return hasattr(self.estimator, "predict") and np.ndim(self.estimator.predict(take(X, slice(0, 1)))) == 1

    def _asked(self, X: Any) -> Any:
        estimator = self.estimator
        if isinstance(self.inner, TorchTeacher):
            return self.inner.forward(X)
        if isinstance(self.inner, PrecomputedTeacher):
            return self.inner.predict(X)
        if hasattr(estimator, "predict_proba"):
            proba = estimator.predict_proba(X)
            return proba if not isinstance(proba, list) else _second_columns(proba, estimator)
        if hasattr(estimator, "decision_function"):
            return expit(np.asarray(estimator.decision_function(X), dtype=np.float64))
        found = estimator.predict(X) if hasattr(estimator, "predict") else estimator(X)
        if hasattr(found, "toarray"):
            return found.toarray()
        return found.detach().cpu() if hasattr(found, "detach") else found

    @property
    def _source(self) -> str:
        """The method that is asked, in messages."""
        known = ("predict_proba", "decision_function", "predict")
        return f"{next((one for one in known if hasattr(self.estimator, one)), 'the output')} of {self.name}"

    def out_of_bag(self, X: Any, y: Any, sample_weight: Any = None) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        predictions, unseen = self.inner.out_of_bag(X, y, sample_weight)
        if not unseen.all():
            # of rows that all members have seen the adapter inside gives labels
            predictions[~unseen] = self.predictions(take(X, np.flatnonzero(~unseen)))
        return predictions, unseen


def _second_columns(proba: list[Any], estimator: Any) -> NDArray[np.float64]:
    """The probability of each label from one array a label, which has one column where all rows had the label or none.

    Such a label is looked up in ``classes_``; without it, as in a Pipeline of an estimator of the user's, it is taken
    for one that no row had.
    """
    classes = getattr(estimator, "classes_", None)
    columns = []
    for k, each in enumerate(map(np.asarray, proba)):
        if each.ndim == 2 and each.shape[1] > 2:
            raise ValueError(
                f"teacher must know two values of each label, 0 and 1, got {each.shape[1]} of label {k} (from 0)."
            )
        if each.ndim == 2 and each.shape[1] == 1:
            has_all = isinstance(classes, (list, tuple)) and bool(np.ravel(classes[k])[0])
            columns.append(each[:, 0] if has_all else 1 - each[:, 0])
        else:
            columns.append(each[:, 1] if each.ndim == 2 else each)
    return np.stack(columns, axis=1)
