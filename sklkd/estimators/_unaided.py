"""Estimators that learn without a teacher from outside: what the online and the self mode share."""

from __future__ import annotations

from typing import Any, Self

from sklearn.base import clone
from sklearn.utils import check_random_state

from sklkd.estimators._base import BaseDistilled, untouched_generators
from sklkd.estimators._merge import Merged, Merger
from sklkd.estimators._own_steps import takes_gaps
from sklkd.estimators._targets import check_weight
from sklkd.knowledge import Rows
from sklkd.methods._base import Method
from sklkd.students._train import without_training


class BaseUnaided(BaseDistilled):
    """Base of the estimators whose networks teach each other or themselves.

    A mode says in ``_train`` how an encoder and a trained net come from the merged rows.
    """

    _parameter_constraints: dict = {"random_state": ["random_state"], "verbose": ["verbose"]}
    student_: Any
    encoder_: Any

    def fit(self, X: Any, y: Any, *, sample_weight: Any = None) -> Self:
        """Train.

        Parameters
        ----------
        X : array, frame or sparse matrix of shape (n, n_features)
            Training rows.
        y : array of shape (n,) or, for regression, (n, n_targets)
            Labels or targets.
        sample_weight : array of shape (n,), default=None
            Row weights >= 0.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            See the class. A fit that fails leaves the estimator as it was.
        """
        self._validate_params()
        return self._fit_anew(X, y, sample_weight)

    def _first_fit(self, X: Any, y: Any, sample_weight: Any) -> None:
        X = self._check_X(X, reset=True, allow_nan=True)
        y = self._check_y(X, y, None)
        with untouched_generators(self.random_state):
            rows = Rows(X, y, check_weight(sample_weight, X))
            self._learn_units(rows)
            merged = Merger(rows).merge(None, self._numbers(y))
            self._train(merged, int(check_random_state(self.random_state).randint(2**31 - 1)))
        self.student_ = self._finished(self.student_)
        self._allow_nan = merged.coded is not None and takes_gaps(self.encoder_, merged.X)
        self.history_ = self.student_.history
        self._keep_float64()

    def _finished(self, net: Any) -> Any:
        """A trained net that answers in probabilities or the units of y, and holds nothing else."""
        self._keep_units(net)
        return without_training(net)

    def _chosen_method(self, default: Method, kind: type[Method]) -> Any:
        """A checked clone of the method for a fit to use.

        Raises
        ------
        TypeError
            Where it is no method of this mode.
        ValueError
            Where its parameters are out of range, or it has no meaning for the task.
        """
        method = default if self.method is None else self.method
        if not isinstance(method, kind):
            raise TypeError(
                f"method must be None or a method of sklkd.methods for {type(self).__name__}, such as "
                f"{type(default).__name__}(), got {method!r}."
            )
        method.check(self._task)
        return clone(method)

    def _parts(self) -> dict[str, Self]:
        """What else than the one that is deployed has been trained and can answer, by name."""
        raise NotImplementedError

    def _alone(self) -> Any:
        """Unfitted: the same network as the one deployed, trained on labels alone by the same recipe."""
        raise NotImplementedError

    def _train(self, merged: Merged, seed: int) -> None:
        """Set ``encoder_`` and ``student_``, a trained net, and what else the mode offers."""
        raise NotImplementedError
