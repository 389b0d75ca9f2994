"""Outputs that the user already has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from sklkd._sklearn import _num_samples
from sklkd.teachers._base import Teacher
from sklkd.teachers._outputs import Outputs


class Precomputed(BaseEstimator):
    """A teacher of which only its outputs for the training rows are at hand.

    Parameters
    ----------
    outputs : array-like
        One row per row of the ``X`` that ``fit`` is given: (n, n_classes) probabilities for classification, (n,) or
        (n, n_targets) values for regression.
    classes : array-like of shape (n_classes,), default=None
        Which class each column is. None: the sorted classes of ``y``.

    Notes
    -----
    Other rows cannot be asked, so that there are no synthetic rows with it. A cross-validation cuts ``X`` and not these
    outputs; there, give them to ``fit`` as ``teacher_outputs``.

    Examples
    --------
    >>> from sklkd.teachers import Precomputed, adapt
    >>> teacher = adapt(Precomputed([[0.9, 0.1], [0.2, 0.8]], classes=["no", "yes"]), classes=["no", "yes"])
    >>> teacher.outputs([[1.0], [2.0]]).proba
    array([[0.9, 0.1],
           [0.2, 0.8]])
    """

    def __init__(self, outputs: Any, classes: Any = None):
        self.outputs = outputs
        self.classes = classes


class PrecomputedTeacher(Teacher):
    """The adapter of :class:`Precomputed`."""

    answers_new_rows = False

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        return isinstance(estimator, Precomputed)

    @property
    def labels(self) -> Any:
        return self.estimator.classes

    def outputs(self, X: Any, *, spread: bool = False, empty: Callable[..., np.ndarray] | None = None) -> Outputs:
        # All rows at once: a piece of them would not say which rows of the stored outputs it is.
        outputs = self._regression(X, spread) if self.classes is None else self._classification(X, False)
        return outputs if empty is None else Outputs.collected([outputs], len(outputs), empty)

    def predictions(self, X: Any) -> np.ndarray:
        outputs = self.outputs(X)
        return outputs.proba if self.classes is not None else outputs.values  # type: ignore[return-value]

    def predict_proba(self, X: Any) -> np.ndarray:
        return self._rows(X)

    def predict(self, X: Any) -> np.ndarray:
        return self._rows(X)

    def _rows(self, X: Any) -> np.ndarray:
        held, n = np.asarray(self.estimator.outputs), _num_samples(X)
        if held.ndim == 0 or len(held) != n:
            raise ValueError(
                f"Precomputed holds outputs for {len(held) if held.ndim else 0} rows, but X has {n} rows. It has "
                "them for the training rows alone, one row of outputs per row of X: give it as many, do not ask it for "
                "other rows (augment=None), and in a cross-validation pass the outputs to fit as teacher_outputs."
            )
        return held
