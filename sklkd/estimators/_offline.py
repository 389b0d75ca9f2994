"""Offline distillation, a trained teacher -> a student: what classifier and regressor share."""

from __future__ import annotations

import copy
from dataclasses import asdict
from numbers import Integral, Real
from typing import Any, Self

from sklearn.base import clone
from sklearn.utils import ClassifierTags, InputTags, RegressorTags, Tags, TargetTags, TransformerTags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping
from sklearn.utils.validation import check_is_fitted

from sklkd._named import named_pairs
from sklkd._sklearn import HasMethods, Interval, StrOptions
from sklkd.estimators._base import BaseDistilled, tags_of, untouched_generators
from sklkd.estimators._distil import Distillation
from sklkd.students._train import without_training


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

    _named = ("teacher", "loss")

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
        return self._fit_anew(X, y, sample_weight, X_transfer, teacher_outputs, None)

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
            return self._fit_anew(X, y, sample_weight, X_transfer, None, classes)
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
        check_is_fitted(self, "student_")
        light = copy.copy(self)
        # as plain values, which skops can store
        light._kept_tags = asdict(teacher_tags(self))
        light.teacher = light.teacher_ = light._adapter = None
        light.student_ = without_training(self.student_)
        # losses may hold layers of their own
        light.loss_ = clone(self.loss_, safe=False)
        return light

    def _missing_values(self) -> ValueError:
        return ValueError(
            f"Input X contains NaN or another missing value, which the teacher that {type(self).__name__} was fitted "
            "with does not take: impute it first, or distil a teacher that takes it (such as a Pipeline that imputes)."
        )

    def _light(self) -> Any:
        return self.without_teacher()

    def _check_has_teacher(self) -> None:
        if self.teacher is None and hasattr(self, "_kept_tags"):
            raise ValueError(
                "teacher was dropped by without_teacher(), whose copies only predict: fit the estimator that it came "
                "from, or set teacher."
            )

    def __sklearn_tags__(self) -> Any:
        tags, teacher = super().__sklearn_tags__(), teacher_tags(self)
        tags.input_tags.allow_nan &= teacher.input_tags.allow_nan
        tags.input_tags.sparse &= teacher.input_tags.sparse
        tags.input_tags.positive_only = teacher.input_tags.positive_only
        return tags

    def get_metadata_routing(self) -> MetadataRouter:
        """Which metadata goes where: ``sample_weight`` to the student and, as it requests, to the teacher."""
        router = MetadataRouter(owner=self).add_self_request(self)
        mapping = MethodMapping().add(caller="fit", callee="fit")
        for name, teacher in self.teacher if isinstance(self.teacher, list) else [("teacher", self.teacher)]:
            if hasattr(teacher, "get_metadata_routing"):
                router.add(**{name: teacher}, method_mapping=mapping)
        return router


def teacher_tags(estimator: Any) -> Any:
    """The teacher's tags; scikit-learn's defaults where it has none; what was kept of them once it is dropped."""
    teacher = estimator.teacher
    if teacher is None and hasattr(estimator, "_kept_tags"):
        return _tags_from(estimator._kept_tags)
    tags, *others = [tags_of(member) for _, member in named_pairs(teacher)] or [tags_of(teacher)]
    for other in others:
        tags.input_tags.allow_nan &= other.input_tags.allow_nan
        tags.input_tags.sparse &= other.input_tags.sparse
        tags.input_tags.positive_only |= other.input_tags.positive_only
        tags.target_tags.multi_output &= other.target_tags.multi_output
    return tags


def _tags_from(kept: dict[str, Any]) -> Tags:
    """Tags from the values of their fields."""
    kinds = {
        "target_tags": TargetTags,
        "transformer_tags": TransformerTags,
        "classifier_tags": ClassifierTags,
        "regressor_tags": RegressorTags,
        "input_tags": InputTags,
    }
    groups = {name: kind(**kept[name]) for name, kind in kinds.items() if kept[name] is not None}
    return Tags(**(kept | groups))
