"""What a distilled estimator stands in: pipelines, searches, frozen estimators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklkd.estimators._base import BaseDistilled

STANDS_IN = "a Pipeline whose last step is one, a search that has found one, or a FrozenEstimator around one"


class Unwrapped:
    """The distilled estimator inside another, and what happens to rows before it sees them.

    Parameters
    ----------
    est : object
        A fitted distilled estimator, or a Pipeline, a search or a FrozenEstimator around one, one in the other as often
        as there are.

    Attributes
    ----------
    est : DistilledClassifier or another distilled estimator
    path : list of str
        What it stands in, from the outside in.

    Raises
    ------
    TypeError
        For anything else.
    sklearn.exceptions.NotFittedError
        If a part of it is not fitted.
    """

    def __init__(self, est: Any):
        self._steps: list[Callable[[Any], Any]] = []
        self.path: list[str] = []
        outside = type(est).__name__
        while not isinstance(est, BaseDistilled):
            self.path.append(type(est).__name__)
            est = self._opened(est, outside)
        check_is_fitted(est, "student_")
        self.est = est

    def _opened(self, est: Any, outside: str) -> Any:
        if isinstance(est, Pipeline):
            if len(est.steps) > 1:
                # a copy without its last step is fitted as the others are; samplers among imblearn's are passed by
                self._steps.append(est[:-1].transform)
            return est.steps[-1][1]
        if isinstance(est, FrozenEstimator):
            return est.estimator
        if hasattr(est, "best_estimator_"):
            return est.best_estimator_
        # searches, also of other packages, which share no class
        if hasattr(est, "refit") and hasattr(est, "error_score"):
            if not est.refit:
                raise TypeError(
                    f"est must keep the estimator that it has found, got a {type(est).__name__} with refit=False."
                )
            check_is_fitted(est, "best_estimator_")
        inside = "" if type(est).__name__ == outside else f" with a {type(est).__name__} in it"
        raise TypeError(
            f"est must be a fitted DistilledClassifier or DistilledRegressor, or one of the online or self mode; "
            f"{STANDS_IN}; got {outside}{inside}."
        )

    @property
    def transforms(self) -> bool:
        """Whether the distilled estimator sees other rows than the user has."""
        return bool(self._steps)

    def rows(self, X: Any) -> Any:
        """The user's rows as the distilled estimator gets them."""
        for step in self._steps:
            X = step(X)
        return X
