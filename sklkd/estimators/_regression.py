"""What makes a regressor of a trained student: targets to units of their standard deviation, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.metrics import r2_score

from sklkd._dask import in_memory, is_dask, takes_dask
from sklkd.estimators._base import BaseDistilled
from sklkd.estimators._checked_targets import check_scale, check_targets
from sklkd.estimators._task import Task
from sklkd.students._scaling import TargetScaling
from sklkd.students._train import use_scaling

# a mixin, which knows its base only to the type checker
_Base: Any = BaseDistilled if TYPE_CHECKING else object


class Regression(RegressorMixin, MultiOutputMixin, _Base):
    """Mixed into the regressors of all modes, before their base."""

    _task_name = "regression"

    def _check_y(self, X: Any, y: Any, classes: Any) -> NDArray:
        return check_targets(X, y)

    def _check_more_y(self, X: Any, y: Any, classes: Any) -> NDArray:
        task = self._fitted.task
        return check_targets(X, y, like=(task.y_ndim, 1 if task.y_ndim == 1 else task.n_outputs))

    def _make_task(self, y: NDArray, weight: NDArray | None) -> Task:
        center, scale = check_scale(y.reshape(len(y), -1), weight)
        return Task(scaling=TargetScaling(center, scale), y_ndim=y.ndim)

    def _set_nonlinearity(self, net: Any, task: Task) -> None:
        use_scaling(net, task.target_scaling)

    @takes_dask
    def predict(self, X: Any) -> NDArray[np.float64]:
        """Values in the units of y.

        Parameters
        ----------
        X : array, frame, sparse matrix or Dask collection of shape (n, n_features)

        Returns
        -------
        ndarray of float64, shape (n,) or (n, n_targets), as y was
            Of a Dask collection a lazy Dask Array.
        """
        outputs = self._outputs(X)
        return self._fitted.task.values(outputs)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The coefficient of determination, R², of several targets their mean.

        Parameters
        ----------
        X : array, frame, sparse matrix or Dask collection of shape (n, n_features)
            Of a Dask collection targets and predictions come into memory, and nothing else.
        y : array or Dask collection of shape (n,) or (n, n_targets)
        sample_weight : array or Dask collection of shape (n,), default=None

        Returns
        -------
        float
        """
        if not is_dask(X):
            return super().score(X, y, sample_weight)
        y, predicted, weight = in_memory(y, self.predict(X), sample_weight)
        return r2_score(y, predicted, sample_weight=weight)
