"""Estimators without a pretrained teacher: what the online and the self mode share."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state

from sklkd._progress import Progress
from sklkd._sklearn import with_callbacks
from sklkd.estimators._base import BaseDistilled, untouched_generators
from sklkd.estimators._checked_targets import check_weight
from sklkd.estimators._deduplicate import Deduplication
from sklkd.estimators._fitted_student import FittedStudent, runs_in_float64
from sklkd.estimators._student_fit import TrainedStudent
from sklkd.estimators._student_pipeline import handles_missing
from sklkd.estimators._task import Task
from sklkd.methods._base import Method
from sklkd.rows import Rows
from sklkd.students._scaling import TargetScaling
from sklkd.students._train import without_training

if TYPE_CHECKING:
    from typing_extensions import Self

STAGES = ("encoding", "training")


class BaseWithoutTeacher(BaseDistilled):
    """Base of the estimators whose networks teach each other or themselves.

    A mode says in ``_train`` how encoders and trained nets come from the distinct rows.
    """

    _parameter_constraints: dict = {"random_state": ["random_state"], "verbose": ["verbose"]}
    method: Any

    @with_callbacks
    def fit(self, X: Any, y: Any, *, sample_weight: Any = None) -> Self:
        """Train.

        Parameters
        ----------
        X : array, frame or sparse matrix of shape (n, n_features), or texts of shape (n,)
            Training rows.
        y : array of shape (n,), or (n, n_targets) for regression, or (n, n_labels) for several labels a row
            Labels or targets; 0 and 1 for several labels.
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
        fitted = self._unfitted_copy()
        with self._fitting(fitted, STAGES, X, y, sample_weight) as progress:
            fitted._learn(X, y, sample_weight, progress)
        return self._replace_by(fitted)

    def _learn(self, X: Any, y: Any, sample_weight: Any, progress: Progress) -> None:
        """Check what is given, and train."""
        X = self._check_X(X, reset=True, allow_nan=True)
        y = self._check_y(X, y, None)
        rows = Rows(X, y, check_weight(sample_weight, X))
        with untouched_generators(self.random_state):
            task = with_logits(self._make_task(y, rows.weight))
            distinct = Deduplication(rows).distinct_rows(task.encode(y))
            seed = int(check_random_state(self.random_state).randint(2**31 - 1))
            self._deploy(self._train(distinct, task, seed, progress))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _takes_several_labels(self) -> bool:
        if not isinstance(self.method, Method):
            return True
        try:
            self.method.check("multilabel")
        except (TypeError, ValueError):
            return False
        return True

    def _train(self, rows: Rows, task: Task, seed: int, progress: Progress) -> FittedStudent:
        """Train on distinct rows, in the stages ``STAGES``, and set the mode's own attributes."""
        raise NotImplementedError

    def _fitted_student(self, encoder: Any, net: Any, task: Task, rows: Rows) -> FittedStudent:
        """A trained net as one that predicts, without what belongs to its training."""
        return FittedStudent(
            encoder,
            self._for_predictions(net, task),
            task,
            handles_missing=rows.matrix is not None and handles_missing(encoder, rows.take(np.arange(1)).X),
            float64=runs_in_float64(TrainedStudent(encoder, net, task), rows),
            refuses_missing=(
                f"the student's own encoding that {type(self).__name__} was fitted with does not take: impute it "
                "first, or in a step of the student."
            ),
        )

    def _for_predictions(self, net: Any, task: Task) -> Any:
        self._set_nonlinearity(net, task)
        return without_training(net)

    def _chosen_method(self, default: Method, base: type[Method], task: Task) -> Any:
        """A checked clone of the method for a fit to use.

        Raises
        ------
        TypeError
            Where it is no method of this mode.
        ValueError
            Where its parameters are out of range, or it has no meaning for the task.
        """
        method = default if self.method is None else self.method
        if not isinstance(method, base):
            raise TypeError(
                f"method must be None or a method of sklkd.methods for {type(self).__name__}, such as "
                f"{type(default).__name__}(), got {method!r}."
            )
        method.check(task.kind)
        return clone(method)

    def _other_models(self) -> dict[str, Self]:
        """Estimators that predict with the other trained models, by name."""
        return {name: self._predicting_with(student) for name, student in self._fitted.others.items()}

    def _without_distillation(self) -> Any:
        """Unfitted: the same network as the one deployed, trained on labels only by the same recipe."""
        raise NotImplementedError


def with_logits(task: Task) -> Task:
    """The task, of several labels a row so that a network's outputs are their logits: what the methods compare."""
    if not task.multilabel:
        return task
    half = np.full(task.n_outputs, 0.5)
    return replace(task, scaling=TargetScaling(half, half, "unit"))
