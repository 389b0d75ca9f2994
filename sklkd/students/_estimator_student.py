"""Students that are no networks: any classifier or regressor that takes ``sample_weight``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from torch import nn

from sklkd._skorch import is_net
from sklkd.students._resolve import Student, resolve_student
from sklkd.teachers import clone_teacher
from sklkd.teachers._fit import seeded, weight_name

SMALLEST = 1e-3
"""The least share of a row's weight that gets a copy of its own."""
TRACE = 1e-9
"""The weight, beside a row's, of a class that nothing else tells an estimator of."""


@dataclass
class EstimatorStudent:
    """An unfitted classifier or regressor as a student.

    Attributes
    ----------
    model : estimator
        A copy of the user's.
    encoder : Pipeline or None
        The user's own steps before it. None: :class:`~sklkd.students._plain_encoder.PlainEncoder`.
    """

    model: Any
    encoder: Any = None

    tabular = False
    budgeted = False

    @property
    def takes_missing(self) -> bool:
        return bool(get_tags(self.model).input_tags.allow_nan)

    @property
    def takes_sparse(self) -> bool:
        return bool(get_tags(self.model).input_tags.sparse)

    def prepared(self, n_outputs: int, seed: int) -> Any:
        """The model to be fitted, seeded, and one per column where it predicts a single one of several targets."""
        model = clone_teacher(self.model)
        if is_regressor(model) and n_outputs > 1 and not get_tags(model).target_tags.multi_output:
            model = MultiOutputRegressor(model)
        return seeded(model, seed)


def is_estimator_student(student: Any) -> bool:
    """Whether a student is a classifier or regressor, or a Pipeline that ends in one, and no network."""
    if isinstance(student, (type, str, nn.Module)) or not hasattr(student, "get_params") or is_net(student):
        return False
    if isinstance(student, Pipeline):
        return is_estimator_student(student.steps[-1][1])
    return is_classifier(student) or is_regressor(student)


def trains_further(student: Any) -> bool:
    """Whether a student, fitted or not, can be trained further: networks, and what has ``partial_fit``."""
    if not is_estimator_student(student):
        return True
    return hasattr(student.steps[-1][1] if isinstance(student, Pipeline) else student, "partial_fit")


def resolve_any(student: Any, kind: str) -> Student | EstimatorStudent:
    """Copies of what the user passed as a student of an offline fit.

    Parameters
    ----------
    student : object
    kind : {"classification", "multilabel", "regression"}
        That of the task.

    Raises
    ------
    TypeError
        For what cannot be a student, or not of this task.
    """
    if not is_estimator_student(student):
        return resolve_student(student, or_else=", a classifier or regressor that takes sample_weight")
    steps = student.steps if isinstance(student, Pipeline) else [("student", student)]
    model = steps[-1][1]
    _check(model, kind)
    encoder = Pipeline([(name, clone(step, safe=False)) for name, step in steps[:-1]]) if len(steps) > 1 else None
    return EstimatorStudent(clone_teacher(model), encoder)


def _check(model: Any, kind: str) -> None:
    name = type(model).__name__
    if kind == "multilabel":
        raise TypeError(
            f"student must be a network where y has several labels a row, got {name}: its copies of a row have one "
            "label each. Pass None, a preset name or a skorch net, or distil each label by itself."
        )
    if is_classifier(model) != (kind == "classification"):
        wanted = "classifier" if kind == "classification" else "regressor"
        raise TypeError(f"student must be a {wanted} here, got {name}, which is none.")
    if weight_name(model) != "sample_weight":
        raise TypeError(
            f"student must take sample_weight in fit, by which it learns from soft targets, got {name}, which does "
            "not: pass another estimator, or a network."
        )
    if kind == "classification" and not hasattr(model, "predict_proba"):
        raise TypeError(
            f"student must have predict_proba, got {name}, which has not: let it predict probabilities, or pass "
            f"CalibratedClassifierCV({name}(...))."
        )


def weighted_copies(
    masses: NDArray[np.float64], smallest: float = SMALLEST
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Rows with soft targets as copies of them with one label each.

    The cross-entropy against soft targets is the sum over classes of the weighted log losses of these copies, so that
    any classifier that takes ``sample_weight`` minimises it.

    Parameters
    ----------
    masses : ndarray of shape (n, n_classes)
        Each row's weight, shared among the classes.
    smallest : float, default=0.001
        Shares below that of a row's weight are dropped, and the others grow to its sum. A class keeps the row in which
        it has most, and one without any mass gets a trace.

    Returns
    -------
    rows : ndarray of shape (n_copies,)
        Which row each copy is of, in ascending order but for the traces behind.
    codes : ndarray of shape (n_copies,)
        Its class.
    weights : ndarray of shape (n_copies,)

    Examples
    --------
    >>> import numpy as np
    >>> from sklkd.students._estimator_student import weighted_copies
    >>> rows, codes, weights = weighted_copies(np.array([[0.25, 0.75], [2.0, 0.0]]))
    >>> rows, codes, weights
    (array([0, 0, 1]), array([0, 1, 0]), array([0.25, 0.75, 2.  ]))
    """
    total = masses.sum(axis=1)
    kept = (masses > 0) & (masses >= smallest * total[:, None])
    most = masses.argmax(axis=0)
    known = masses.max(axis=0) > 0
    kept[most[known], np.flatnonzero(known)] = True
    shares = np.where(kept, masses, 0)
    shares *= (total / np.where(total > 0, shares.sum(axis=1), 1))[:, None]
    rows, codes = np.nonzero(kept)
    unknown = np.flatnonzero(~known)
    heaviest = np.full(len(unknown), total.argmax())
    traces = np.full(len(unknown), TRACE * total.max())
    return np.r_[rows, heaviest], np.r_[codes, unknown], np.r_[shares[kept], traces]


def probabilities(model: Any, X: Any, n_classes: int) -> NDArray[np.float64]:
    """What a model fitted on class codes predicts: (n, n_classes)."""
    return np.asarray(model.predict_proba(X), dtype=np.float64).reshape(-1, n_classes)


def values(model: Any, X: Any) -> NDArray[np.float64]:
    """What a regressor predicts: (n, n_outputs)."""
    found = np.asarray(model.predict(X), dtype=np.float64)
    return found.reshape(len(found), -1)
