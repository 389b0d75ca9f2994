"""What reports and exports ask of an estimator of any mode, beside its public attributes and ``_fitted``."""

from __future__ import annotations

import copy
from typing import Any

from numpy.typing import NDArray

from sklkd.estimators._base import BaseDistilled
from sklkd.estimators._without_teacher import BaseWithoutTeacher


def checked_rows(est: BaseDistilled, X: Any) -> Any:
    """X as a fitted estimator takes it to predict, and as its teacher, if it is kept, gets it."""
    columns = est._fitted.columns
    if columns is not None and est._fitted.teacher is None:
        est, X = est._with_own_columns(), columns.of(X)
    return est._check_X(X, reset=False, allow_nan=est._fitted.handles_missing)


def reading_own_columns(est: BaseDistilled) -> BaseDistilled:
    """A copy of a fitted estimator whose columns are those that its student reads."""
    return est._with_own_columns()


def checked_labels(est: BaseDistilled, X: Any, y: Any) -> NDArray:
    """Labels or targets that go with those of the fit."""
    return est._check_more_y(X, y, None)


def checked_training_rows(est: BaseDistilled, X: Any) -> Any:
    """X as an unfitted estimator takes it to fit; its number and names of columns are set."""
    return est._check_X(X, reset=True, allow_nan=True)


def fit_with_classes(est: Any, X: Any, y: Any, classes: Any, sample_weight: Any) -> Any:
    """Fit an unfitted classifier of the offline mode on rows that may lack some of its classes."""
    return est._partial_fit(X, y, classes, sample_weight, None)


def task_name(est: BaseDistilled) -> str:
    """Return "classification" or "regression", of a fitted or an unfitted estimator."""
    return est._task_name


def for_deployment(est: BaseDistilled) -> Any:
    """A fitted estimator that predicts the same, and holds no more than it needs for that."""
    return est._for_deployment()


def with_fitted(est: BaseDistilled, **parts: Any) -> Any:
    """A copy of a fitted estimator that predicts with other parts: ``network`` in float64, ``threshold``, ``task``."""
    fitted = copy.copy(est._fitted)
    for name, part in parts.items():
        setattr(fitted, name, part)
    return est._predicting_with(fitted)


def other_models(est: BaseDistilled) -> dict[str, Any]:
    """Estimators that predict with the other trained models, by name: peers, exits, generations."""
    return est._other_models() if isinstance(est, BaseWithoutTeacher) else {}


def without_distillation(est: BaseWithoutTeacher) -> Any:
    """Unfitted: the same network as the one deployed, trained on labels only by the same recipe."""
    return est._without_distillation()
