"""Offline distillation, a trained teacher -> a student: what classifier and regressor share."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, Self

from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping

from sklkd._sklearn import HasMethods, Interval, StrOptions
from sklkd.estimators._base import BaseDistilled, untouched_generators
from sklkd.estimators._distil import Distillation


class BaseOffline(BaseDistilled):
    """What the offline classifier and regressor share; they differ in labels, outputs and predictions."""

    _parameter_constraints: dict = {
        "hard_weight": [Interval(Real, 0, 1, closed="both"), StrOptions({"auto"})],
        "cv": ["cv_object", StrOptions({"auto", "oob"}), None],
        "augment": [HasMethods(["fit", "sample"]), StrOptions({"auto"}), None],
        "memory": [str, HasMethods(["cache"]), None],
        "keep_teacher": ["boolean"],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        teacher: Any = None,
        student: Any = None,
        *,
        loss: Any = None,
        hard_weight: float | str = "auto",
        cv: Any = "auto",
        augment: Any = "auto",
        memory: Any = None,
        keep_teacher: bool = True,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ):
        self.teacher = teacher
        self.student = student
        self.loss = loss
        self.hard_weight = hard_weight
        self.cv = cv
        self.augment = augment
        self.memory = memory
        self.keep_teacher = keep_teacher
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self, X: Any, y: Any, *, sample_weight: Any = None, X_transfer: Any = None, teacher_outputs: Any = None
    ) -> Self:
        """Fit the teacher where it is not fitted yet, and distil it.

        Parameters
        ----------
        X : array, frame or sparse matrix of shape (n, n_features)
            Training rows; the teacher gets them as they are.
        y : array of shape (n,) or, for regression, (n, n_targets)
            Labels or targets.
        sample_weight : array of shape (n,), default=None
            Row weights >= 0, for the student and, where it takes them, for the teacher.
        X_transfer : like X, of shape (m, n_features), default=None
            Unlabelled rows, on which the student learns from the teacher alone.
        teacher_outputs : array of shape (n, n_classes) or (n, n_targets), default=None
            The teacher's answers for the rows of X, in place of a teacher. Cross-validation slices them with X.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            See the class. A fit that fails leaves the estimator as it was.
        """
        self._validate_params()
        self._check_has_teacher()
        fitted = self._fresh()
        fitted._first_fit(X, y, sample_weight, X_transfer, teacher_outputs, None)
        self.__dict__ = fitted.__dict__
        return self

    def _first_fit(
        self, X: Any, y: Any, sample_weight: Any, X_transfer: Any, teacher_outputs: Any, classes: Any
    ) -> None:
        # the teacher decides about missing values, whatever its tags say: those of a Pipeline that imputes do not tell
        X = self._check_X(X, reset=True, allow_nan=True)
        y = self._check_y(X, y, classes)
        with untouched_generators(self.random_state):
            Distillation(self, self._classes).run(X, y, sample_weight, X_transfer, teacher_outputs)
        self._keep_float64()

    def _partial_fit(self, X: Any, y: Any, classes: Any, sample_weight: Any, X_transfer: Any) -> Self:
        self._validate_params()
        self._check_has_teacher()
        if not hasattr(self, "student_"):
            fitted = self._fresh()
            fitted._first_fit(X, y, sample_weight, X_transfer, None, classes)
            self.__dict__ = fitted.__dict__
            return self
        X = self._check_X(X, reset=False, allow_nan=self._allow_nan)
        y = self._check_more_y(X, y, classes)
        with untouched_generators(self.random_state):
            Distillation(self, self._classes).go_on(X, y, sample_weight, X_transfer)
        self._keep_float64()
        return self

    def without_teacher(self) -> Self:
        """A light copy to pickle and ship: no teacher, optimizer or data; it predicts the same and cannot be fitted.

        Returns
        -------
        DistilledClassifier or DistilledRegressor
            With ``teacher=None`` and the tags that the teacher gave.
        """
        return self._light_copy()

    def get_metadata_routing(self) -> MetadataRouter:
        """Which metadata goes where: ``sample_weight`` to the student and, as it requests, to the teacher."""
        router = MetadataRouter(owner=self).add_self_request(self)
        mapping = MethodMapping().add(caller="fit", callee="fit")
        for name, teacher in self.teacher if isinstance(self.teacher, list) else [("teacher", self.teacher)]:
            if hasattr(teacher, "get_metadata_routing"):
                router.add(**{name: teacher}, method_mapping=mapping)
        return router

    @property
    def n_iter_(self) -> int:
        """Epochs that the student has trained."""
        return len(self.history_)
