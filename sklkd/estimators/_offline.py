"""Offline distillation: a trained teacher -> a student."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax
from sklearn.base import ClassifierMixin, MultiOutputMixin, RegressorMixin
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping

from sklkd._sklearn import HasMethods, Interval, StrOptions
from sklkd.estimators._base import BaseDistilled, teacher_tags, untouched_generators
from sklkd.estimators._distil import Distillation
from sklkd.estimators._targets import check_classes, check_targets
from sklkd.losses import SoftTargetLoss, TargetLoss


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
        teacher=None,
        student=None,
        *,
        loss=None,
        hard_weight="auto",
        cv="auto",
        augment="auto",
        memory=None,
        keep_teacher=True,
        n_jobs=None,
        random_state=None,
        verbose=0,
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

    def fit(self, X, y, *, sample_weight=None, X_transfer=None, teacher_outputs=None):
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
        """
        self._validate_params()
        self._check_has_teacher()
        fitted = self._fresh()
        fitted._first_fit(X, y, sample_weight, X_transfer, teacher_outputs, None)
        self.__dict__ = fitted.__dict__
        return self

    def _first_fit(self, X, y, sample_weight, X_transfer, teacher_outputs, classes):
        # the teacher decides about missing values, whatever its tags say: those of a Pipeline that imputes do not tell
        X = self._check_X(X, reset=True, allow_nan=True)
        y = self._check_y(X, y, classes)
        with untouched_generators(self.random_state):
            Distillation(self, self._classes).run(X, y, sample_weight, X_transfer, teacher_outputs)
        self._keep_module()

    def _partial_fit(self, X, y, classes, sample_weight, X_transfer):
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
        self._keep_module()
        return self

    def without_teacher(self):
        """A light copy to pickle and ship: no teacher, optimizer or data; it predicts the same and cannot be fitted.

        Returns
        -------
        DistilledClassifier or DistilledRegressor
            With ``teacher=None`` and the tags that the teacher gave.
        """
        return self._light_copy()

    def get_metadata_routing(self):
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


class DistilledClassifier(ClassifierMixin, BaseOffline):
    """doc"""

    _task = "classification"
    _default_loss = SoftTargetLoss

    def _check_y(self, X: Any, y: Any, classes: Any) -> NDArray:
        y, self.classes_ = check_classes(X, y, classes)
        return y

    def _check_more_y(self, X: Any, y: Any, classes: Any) -> NDArray:
        if classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(f"classes={list(classes)} differs from the first call's {list(self.classes_)}.")
        y, _ = check_classes(X, y, self.classes_)
        return y

    @property
    def _classes(self) -> NDArray:
        return self.classes_

    def partial_fit(self, X, y, classes=None, *, sample_weight=None, X_transfer=None):
        """Go on training the student; the first call fits, and fixes teacher, encoder and classes.

        Parameters
        ----------
        X, y, sample_weight, X_transfer
            As in :meth:`fit`.
        classes : array-like, default=None
            All classes that will come, where the first call's rows lack some.

        Returns
        -------
        self
        """
        return self._partial_fit(X, y, classes, sample_weight, X_transfer)

    def decision_function(self, X):
        """The student's logits: (n, n_classes), or for two classes their difference, (n,)."""
        logits = self._raw(X)
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits

    def predict_proba(self, X):
        """Probabilities of the classes in ``classes_``: float64 of shape (n, n_classes)."""
        return softmax(self._raw(X), axis=1)

    def predict_log_proba(self, X):
        """Logarithms of the probabilities, exact where these underflow."""
        return log_softmax(self._raw(X), axis=1)

    def predict(self, X):
        """The most probable class of each row."""
        codes = self._raw(X).argmax(axis=1)
        return self.classes_[codes]


class DistilledRegressor(RegressorMixin, MultiOutputMixin, BaseOffline):
    """doc"""

    _task = "regression"
    _default_loss = TargetLoss
    _classes = None

    def _check_y(self, X: Any, y: Any, classes: Any) -> NDArray:
        y = check_targets(X, y)
        self._y_ndim = y.ndim
        return y

    def _check_more_y(self, X: Any, y: Any, classes: Any) -> NDArray:
        return check_targets(X, y, like=(self._y_ndim, len(self._center)))

    def partial_fit(self, X, y, *, sample_weight=None, X_transfer=None):
        """Go on training the student; the first call fits, and fixes teacher, encoder and scales.

        Parameters
        ----------
        X, y, sample_weight, X_transfer
            As in :meth:`fit`.

        Returns
        -------
        self
        """
        return self._partial_fit(X, y, None, sample_weight, X_transfer)

    def predict(self, X):
        """Values in the units of y: float64 of shape (n,) or (n, n_targets), as y was."""
        standardised = self._raw(X)
        values = standardised * self._scale + self._center
        return values[:, 0] if self._y_ndim == 1 else values

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        multi = teacher_tags(self).target_tags.multi_output
        tags.target_tags.multi_output = multi
        return tags
