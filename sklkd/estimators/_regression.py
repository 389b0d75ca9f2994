"""What makes a regressor of a trained student: targets to units of their standard deviation, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import MultiOutputMixin, RegressorMixin

from sklkd.estimators._base import BaseDistilled
from sklkd.estimators._targets import check_scale, check_targets
from sklkd.estimators._teach import Task
from sklkd.knowledge import Rows
from sklkd.students._train import keep_units

# a mixin, which knows its base only to the type checker
_Base: Any = BaseDistilled if TYPE_CHECKING else object


class Regression(RegressorMixin, MultiOutputMixin, _Base):
    """Mixed into the regressors of all modes, before their base."""

    _task = "regression"
    _classes = None

    def _check_y(self, X: Any, y: Any, classes: Any) -> NDArray:
        y = check_targets(X, y)
        self._y_ndim = y.ndim
        return y

    def _check_more_y(self, X: Any, y: Any, classes: Any) -> NDArray:
        return check_targets(X, y, like=(self._y_ndim, len(self._center)))

    def _learn_units(self, rows: Rows) -> None:
        self._center, self._scale = check_scale(rows.y.reshape(len(rows.y), -1), rows.weight)

    def _numbers(self, y: NDArray) -> NDArray:
        """Standardised targets (n, n_targets)."""
        return (y.reshape(len(y), -1) - self._center) / self._scale

    def _wanted(self) -> Task:
        """What a student has to give."""
        return Task(False, len(self._center))

    def _keep_units(self, net: Any) -> None:
        """Let a trained net answer in the units of y."""
        keep_units(net, self._center, self._scale)

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Values in the units of y.

        Parameters
        ----------
        X : array, frame or sparse matrix of shape (n, n_features)

        Returns
        -------
        ndarray of float64, shape (n,) or (n, n_targets), as y was
        """
        standardised = self._raw(X)
        values = standardised * self._scale + self._center
        return values[:, 0] if self._y_ndim == 1 else values
