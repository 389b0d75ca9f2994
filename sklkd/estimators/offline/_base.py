"""Offline distillation, a trained teacher -> a student: what classifier and regressor share."""

from __future__ import annotations

import copy
from dataclasses import asdict, replace
from numbers import Integral, Real
from os import PathLike
from typing import TYPE_CHECKING, Any

from sklearn.base import clone
from sklearn.utils import (
    ClassifierTags,
    InputTags,
    RegressorTags,
    Tags,
    TargetTags,
    TransformerTags,
    check_consistent_length,
)
from sklearn.utils.metadata_routing import MetadataRouter, process_routing
from sklearn.utils.validation import check_is_fitted

from sklkd._dask import is_dask
from sklkd._named import named_pairs
from sklkd._sklearn import HasMethods, Interval, StrOptions, _routing_enabled, with_callbacks
from sklkd.estimators._base import BaseDistilled, untouched_generators
from sklkd.estimators._checked_targets import check_weight
from sklkd.estimators._task import Task
from sklkd.estimators.offline._fit import LABELS_ONLY_STAGES, STAGES, Distilled, OfflineFit
from sklkd.estimators.offline._given import is_scorer
from sklkd.estimators.offline._kept_fits import check_folder
from sklkd.estimators.offline._partitioned_fit import check_others, fit_collections, stages_of
from sklkd.estimators.offline._train_further import train_further
from sklkd.rows import Rows
from sklkd.students._estimator_student import trains_further
from sklkd.students._train import without_training
from sklkd.teachers import clone_teacher, tags_of_all, teacher_router

if TYPE_CHECKING:
    from typing_extensions import Self


class BaseOffline(BaseDistilled):
    """What the offline classifier and regressor share; they differ in labels, outputs and predictions."""

    _parameter_constraints: dict = {
        "hard_weight": [Interval(Real, 0, 1, closed="both"), StrOptions({"auto"})],
        "blend": [Interval(Real, 0, 1, closed="both"), StrOptions({"auto"})],
        "cv": ["cv_object", StrOptions({"auto", "oob"}), None],
        "augment": [HasMethods(["fit", "sample"]), StrOptions({"auto"}), None],
        "n_synthetic": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
        "columns": ["array-like", slice, callable, Interval(Integral, 1, None, closed="left"), None],
        "teacher_fit_params": [dict, None],
        "memory": [str, HasMethods(["cache"]), None],
        "memory_limit": [str, Interval(Integral, 0, None, closed="left")],
        "checkpoint": [str, PathLike, None],
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
        blend: float | str = "auto",
        cv: Any = "auto",
        augment: Any = "auto",
        n_synthetic: int | str = "auto",
        columns: Any = None,
        teacher_fit_params: dict[str, Any] | None = None,
        memory: Any = None,
        memory_limit: int | str = "auto",
        checkpoint: Any = None,
        keep_teacher: bool = True,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ):
        self.teacher = teacher
        self.student = student
        self.loss = loss
        self.hard_weight = hard_weight
        self.blend = blend
        self.cv = cv
        self.augment = augment
        self.n_synthetic = n_synthetic
        self.columns = columns
        self.teacher_fit_params = teacher_fit_params
        self.memory = memory
        self.memory_limit = memory_limit
        self.checkpoint = checkpoint
        self.keep_teacher = keep_teacher
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        sample_weight: Any = None,
        X_transfer: Any = None,
        teacher_outputs: Any = None,
        **metadata: Any,
    ) -> Self:
        """Fit the teacher where it is not fitted yet, and distil it.

        Parameters
        ----------
        X : array, frame or sparse matrix of shape (n, n_features), texts of shape (n,), or a Dask DataFrame or Array
            Training rows; the teacher gets them as they are, of a Dask collection partition by partition. y and
            ``sample_weight`` are then Dask collections with the same partitions.
        y : array of shape (n,), or (n, n_targets) for regression, or (n, n_labels) for several labels a row
            Labels or targets; 0 and 1 for several labels. None for a teacher that scores rows, such as an outlier
            detector.
        sample_weight : array of shape (n,), default=None
            Row weights >= 0, for the student and, where it takes them, for the teacher.
        X_transfer : like X, of shape (m, n_features), default=None
            Unlabelled rows, on which the student learns from the teacher alone.
        teacher_outputs : array of shape (n, n_classes), (n, n_labels) or (n, n_targets), default=None
            The teacher's predictions for the rows of X, in place of a teacher. Cross-validation slices them with X.
        **metadata : dict
            What the teacher's fit or the splitter ``cv`` requests, by scikit-learn's metadata routing; what has one
            entry per row is sliced with the rows. Without routing ``groups`` alone, for ``cv`` and for a teacher that
            is a search: rows of one group are then never in different folds, also where ``cv`` is an int.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            See the class. A fit that fails leaves the estimator as it was.
        """
        return self._fit(
            X, y, sample_weight=sample_weight, X_transfer=X_transfer, teacher_outputs=teacher_outputs, metadata=metadata
        )

    @with_callbacks
    def _fit(
        self,
        X: Any,
        y: Any,
        *,
        sample_weight: Any,
        X_transfer: Any,
        teacher_outputs: Any,
        metadata: dict[str, Any] | None = None,
        classes: Any = None,
    ) -> Self:
        """Check what is given, distil into a copy, and take over what that has learnt."""
        self._validate_params()
        self._check_has_teacher()
        check_folder(self.checkpoint)
        fitted = self._unfitted_copy()
        collections = any(map(is_dask, (X, y, sample_weight)))
        stages = LABELS_ONLY_STAGES if self.hard_weight == 1 else STAGES
        if collections:
            check_others(teacher_outputs, X_transfer, metadata)
            stages = stages_of(self.hard_weight)
        with self._fitting(fitted, stages, X, y, sample_weight) as progress, untouched_generators(self.random_state):
            if collections:
                distilled = fit_collections(
                    fitted, X, y, sample_weight=sample_weight, X_transfer=X_transfer, progress=progress
                )
            else:
                rows, task = fitted._checked(X, y, sample_weight, metadata, classes)
                X_transfer = fitted._check_X_transfer(X_transfer)
                distilled = OfflineFit(fitted, rows, task, teacher_outputs, X_transfer, progress).run()
            fitted._take_over(distilled)
        return self._replace_by(fitted)

    def _checked(
        self, X: Any, y: Any, sample_weight: Any, metadata: dict[str, Any] | None, classes: Any
    ) -> tuple[Rows, Task]:
        """Rows in memory, and what the student has to predict; what the checks learn of them is set."""
        # the teacher decides about missing values, whatever its tags say: those of a Pipeline that imputes do not tell
        X = self._check_X(X, reset=True, allow_nan=True)
        unlabelled = y is None and self._task_name == "regression" and is_scorer(self.teacher)
        y = None if unlabelled else self._check_y(X, y, classes)
        rows = Rows(X, y, check_weight(sample_weight, X), metadata=self._check_metadata(X, metadata or {}))
        return rows, Task() if unlabelled else self._make_task(y, rows.weight)

    def __sklearn_clone__(self) -> Self:
        # scikit-learn refuses CatBoost with a list of columns, and with it every cross-validation
        without = copy.copy(self)
        without.teacher = without.student = None
        made = super(BaseOffline, without).__sklearn_clone__()
        made.teacher, made.student = clone_teacher(self.teacher), clone_teacher(self.student)
        return made

    def _take_over(self, distilled: Distilled) -> None:
        """Set the fitted attributes."""
        student, account = distilled.student, distilled.student.blending.account
        if student.is_net:
            self._set_nonlinearity(student.net, student.task)
        self.teacher_ = distilled.teacher.estimator if self.keep_teacher else None
        if not self.keep_teacher:
            student.teacher, student.blending = None, replace(student.blending, students=())
        self.teacher_refitted_, self.cv_ = distilled.refitted, distilled.source
        self.loss_ = distilled.losses if isinstance(self.loss, list) else distilled.losses[0][1]
        self.augment_ = distilled.sampler
        self.columns_ = None if student.columns is None else student.columns.columns
        self.account_, self.blend_, self.hard_weight_ = account, account.blend, account.hard_weight
        self.label_students_ = list(student.blending.students)
        self._deploy(student)

    def _partial_fit(self, X: Any, y: Any, classes: Any, sample_weight: Any, X_transfer: Any) -> Self:
        if is_dask(X):
            raise TypeError("partial_fit takes rows in memory, got a Dask collection: call it for each partition.")
        if not hasattr(self, "student_"):
            return self._fit(
                X,
                y,
                sample_weight=sample_weight,
                X_transfer=X_transfer,
                teacher_outputs=None,
                classes=classes,
            )
        self._validate_params()
        self._check_has_teacher()
        X = self._check_X(X, reset=False, allow_nan=self._fitted.handles_missing)
        y = self._check_more_y(X, y, classes)
        X_transfer = self._check_X_transfer(X_transfer)
        rows = Rows(X, y, check_weight(sample_weight, X))
        with untouched_generators(self.random_state):
            student = train_further(self._fitted, rows, X_transfer, self.random_state)
        further = self._predicting_with(student)
        losses = list(student.trained_losses())
        if losses:
            further.loss_ = losses if isinstance(self.loss, list) else losses[0][1]
        return self._replace_by(further)

    def _check_metadata(self, X: Any, metadata: dict[str, Any]) -> dict[str, Any]:
        """What else ``fit`` was given; an error for what reaches nobody."""
        given = {name: value for name, value in metadata.items() if value is not None}
        others = sorted(set(given) - {"groups"})
        if others and not _routing_enabled():
            raise TypeError(
                f"fit got {', '.join(others)}, which only metadata routing hands on: call sklearn.set_config("
                f"enable_metadata_routing=True) and the teacher's set_fit_request({others[0]}=True). What has no entry "
                "per row may go into teacher_fit_params."
            )
        if given and _routing_enabled():
            process_routing(self, "fit", **given)
        if "groups" in given:
            check_consistent_length(X, given["groups"])
        return given

    def _check_X_transfer(self, X_transfer: Any) -> Any:
        if X_transfer is None:
            return None
        try:
            return self._check_X(X_transfer, reset=False, allow_nan=True)
        except ValueError as error:
            raise ValueError(f"X_transfer must be rows like those of X: {error}") from error

    def without_teacher(self) -> Self:
        """A light copy to pickle and ship: no teacher, optimizer or data; it predicts the same and cannot be fitted.

        Returns
        -------
        DistilledClassifier or DistilledRegressor
            With ``teacher=None`` and the tags that the teacher gave.
        """
        check_is_fitted(self, "student_")
        light = copy.copy(self)
        light.teacher = light.teacher_ = None
        light.teacher_fit_params = None
        light.label_students_ = []
        # losses may hold layers of their own
        light.loss_ = clone(self.loss_, safe=False)
        light._deploy(
            replace(
                self._fitted,
                net=without_training(self.student_) if self._fitted.is_net else self.student_,
                # as plain values, which skops can store
                teacher_tags=asdict(teacher_tags(self)),
                teacher=None,
                blending=None,
            )
        )
        return light

    def _for_deployment(self) -> Any:
        return self.without_teacher()

    @property
    def hard_weight_reason_(self) -> str:
        """What ``blend_`` and ``hard_weight_`` rest on; ``account_`` says more."""
        return self.account_.reason

    def _check_has_teacher(self) -> None:
        if self.teacher is None and _kept_tags(self) is not None:
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
        """Which metadata goes where: to the teacher and to the splitter ``cv`` what they request."""
        return teacher_router(self, self.teacher if isinstance(self.teacher, list) else [("teacher", self.teacher)])


def takes_partial_fit(estimator: Any) -> bool:
    """Whether its student can be trained further."""
    return trains_further(estimator.student)


def teacher_tags(estimator: Any) -> Any:
    """The teacher's tags; scikit-learn's defaults where it has none; what was kept of them once it is dropped."""
    teacher = estimator.teacher
    if teacher is None and _kept_tags(estimator) is not None:
        return _tags_from(_kept_tags(estimator))
    return tags_of_all([member for _, member in named_pairs(teacher)] or [teacher])


def _kept_tags(estimator: Any) -> Any:
    """The tags of a teacher that was dropped, as plain values; None where none was."""
    fitted = getattr(estimator, "_fitted", None)
    return None if fitted is None else fitted.teacher_tags


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
