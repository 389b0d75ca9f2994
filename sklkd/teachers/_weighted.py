"""Several teachers, weighed on rows that they have not seen."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.metadata_routing import MetadataRouter
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from sklkd._digest import digest
from sklkd._named import NamedObjects, check_names
from sklkd._side_by_side import side_by_side
from sklkd._sklearn import StrOptions, _fit_context, _safe_indexing, checked_weights
from sklkd._splits import Split, identical_groups, make_splits
from sklkd.rows import Rows
from sklkd.teachers._base import Teacher
from sklkd.teachers._clone import clone_teacher
from sklkd.teachers._estimand import Estimand
from sklkd.teachers._estimand_reader import read_estimand
from sklkd.teachers._fit import TeacherFitter, teacher_router
from sklkd.teachers._recognise import is_fitted
from sklkd.teachers._simplex import happened, log_loss_weights, mean_log_loss, squared_error_weights
from sklkd.teachers._tags import tags_of_all

if TYPE_CHECKING:
    from typing_extensions import Self

NamedTeachers = list[tuple[str, Any]]


def _is_classifier(estimator: WeightedTeachers) -> bool:
    return estimator._classifies()


class WeightedTeachers(NamedObjects, BaseEstimator):
    """Several teachers whose predictions are averaged, with weights that are found on rows that they have not seen.

    A plain mean of a good and a poor teacher is worse than the good one. Here the weights, which are >= 0 and sum to
    one, minimise the loss of the average: log loss for classes (the sum over labels for several labels a row), squared
    error in units of each target's standard deviation for regression. Pass it as ``teacher``; as of a list, its members
    are averaged by name of class and stay visible as knowledge (layers ``"members"`` and ``"name.layer"``), and their
    parameters are reached by name.

    Parameters
    ----------
    teachers : list of (str, estimator)
        All classifiers or all regressors. Unfitted ones are cloned and fitted; a fitted one is kept as it is.
    weights : "auto", array-like of shape (n_teachers,) or None, default="auto"
        "auto": found on predictions for rows that the teachers have not seen: cross-fitted ones of unfitted teachers,
        out-of-bag ones of fitted ones. An array: these, >= 0, divided by their sum. None: all equal.
    cv : int, splitter, iterable of splits or "prefit", default=5
        How unfitted teachers are cross-fitted where ``weights="auto"``; an int keeps identical rows together, and those
        of one group. ``"prefit"``: all teachers are fitted, and none of them has seen the rows that ``fit`` is given.
    n_jobs : int, default=None
        How many folds are fitted side by side, as in joblib.
    random_state : int, RandomState or None, default=None
        Seeds the ``random_state`` of each teacher that is None. None: they stay None.

    Attributes
    ----------
    teachers_ : list of (str, estimator)
        The fitted teachers.
    weights_ : ndarray of float64, shape (n_teachers,)
        Their weights.
    classes_ : ndarray of shape (n_classes,)
        The sorted classes; of classifiers of one label a row only.
    unseen_ : ndarray of bool, shape (n,)
        Rows for which every teacher has a prediction that was made without them; ``weights="auto"`` only.
    unseen_predictions_ : ndarray of float64, shape (n, n_teachers, n_outputs)
        These predictions, and the teachers' ordinary ones of other rows; ``weights="auto"`` only. A student whose
        ``cv`` is ``"auto"`` or ``"oob"`` learns from them.
    member_losses_ : ndarray of float64, shape (n_teachers,)
        The loss of each teacher alone on the unseen rows; ``weights="auto"`` only.
    mean_loss_, weighted_loss_ : float
        The loss of the plain mean and of the weighted one on the unseen rows; ``weights="auto"`` only.

    Raises
    ------
    ValueError
        At ``fit``, where a fitted teacher has no predictions for rows that it has not seen, or weights are not as said.

    Notes
    -----
    The weights are a stacked generalisation [1]_ with the constraint of a convex combination [2]_, which cannot predict
    outside the range of the members. Probabilities are floored at 1e-4 before their logarithm is taken, as everywhere
    here. Teachers of quantiles, expectiles or scores cannot be weighed by squared error: pass their weights.

    References
    ----------
    .. [1] Wolpert, "Stacked generalization", Neural Networks 5, 1992.
    .. [2] Breiman, "Stacked regressions", Machine Learning 24, 1996.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklkd.teachers import WeightedTeachers
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> members = [("forest", RandomForestClassifier(50, random_state=0)), ("useless", DummyClassifier())]
    >>> WeightedTeachers(members).fit(X, y).weights_.round(2)
    array([1., 0.])
    """

    _named = ("teachers",)
    _parameter_constraints: dict = {
        "teachers": [list],
        "weights": ["array-like", StrOptions({"auto"}), None],
        "cv": ["cv_object", StrOptions({"prefit"})],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    # what TeacherFitter asks an estimator for
    memory = None
    teacher_fit_params = None

    _adapter: Teacher

    def __init__(
        self,
        teachers: Any,
        weights: Any = "auto",
        *,
        cv: Any = 5,
        n_jobs: int | None = None,
        random_state: Any = None,
    ):
        self.teachers = teachers
        self.weights = weights
        self.cv = cv
        self.n_jobs = n_jobs
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:
        """Fit the teachers that are not fitted yet, and find the weights.

        Parameters
        ----------
        X : array, frame or sparse matrix of shape (n, n_features), or texts of shape (n,)
            Given to the teachers as it is.
        y : array of shape (n,), (n, n_targets) or (n, n_labels)
            Labels, targets, or 0 and 1 for several labels a row.
        sample_weight : array of shape (n,), default=None
            Row weights >= 0: in the loss, and in the fits of teachers that take them.
        groups : array of shape (n,), default=None
            Rows of one group are never in different folds.

        Returns
        -------
        self
        """
        check_names("teachers", self.teachers, set(self.get_params(deep=False)))
        given = self._given_weights()
        validate_data(self, X, skip_check_array=True)
        X, y = X if hasattr(X, "shape") else np.asarray(X), np.asarray(y)
        check_consistent_length(X, y)
        weight = None if sample_weight is None else checked_weights(sample_weight, X, np.float64)
        rows = Rows(X, y, weight, metadata={} if groups is None else {"groups": np.asarray(groups)})
        fitter = self._fitter(y)
        self.teachers_ = fitter.fit(self.teachers, rows)
        adapter = fitter.adapt(self.teachers, self.teachers_, rows)
        if fitter.classes is not None:
            self.classes_ = fitter.classes
        if given is None:
            self._find_weights(fitter, adapter, rows)
        else:
            self.weights_ = given
        adapter.weights = self.weights_  # type: ignore[attr-defined]
        self._adapter = adapter
        return self

    def _fitter(self, y: NDArray) -> TeacherFitter:
        classifies = self._classifies() or (self._kind() is None and type_of_target(y)[:10] != "continuous")
        multilabel = classifies and y.ndim == 2
        classes = np.unique(y) if classifies and not multilabel else None
        seed = self.random_state
        if seed is not None:
            seed = int(check_random_state(seed).randint(np.iinfo(np.int32).max))
        return TeacherFitter(self, classes, seed, multilabel=multilabel)

    def _given_weights(self) -> NDArray[np.float64] | None:
        """The weights, where they need not be found, summing to one."""
        n = len(self.teachers)
        if self.weights is None:
            return np.full(n, 1 / n)
        if isinstance(self.weights, str):
            return None
        weights = np.asarray(self.weights, dtype=np.float64)
        if weights.shape != (n,) or not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
            raise ValueError(
                f"weights must be one finite number >= 0 for each of the {n} teachers, not all of them 0, got "
                f"weights={self.weights!r}: pass as many, 'auto' or None."
            )
        return weights / weights.sum()

    def _find_weights(self, fitter: TeacherFitter, adapter: Teacher, rows: Rows) -> None:
        self._check_can_be_found(adapter.estimand)
        predictions, unseen = self._unseen(fitter, adapter, rows)
        counted = unseen if rows.weight is None else unseen & (rows.weight > 0)
        if not counted.any():
            raise ValueError(
                "weights='auto' needs rows that no teacher has seen, and there are none: pass weights, teachers with "
                "more trees, or unfitted ones."
            )
        weight = np.ones(len(rows)) if rows.weight is None else rows.weight
        P, y, weight = predictions[counted], rows.y[counted], weight[counted] / weight[counted].sum()
        n = len(self.teachers)
        if fitter.classes is not None or fitter.multilabel:
            chances, each = happened(P, y if fitter.classes is None else np.searchsorted(fitter.classes, y), weight)
            self.weights_ = log_loss_weights(chances, each)
            candidates = [*np.eye(n), np.full(n, 1 / n), self.weights_]
            losses = [mean_log_loss(chances, each, one) for one in candidates]
        else:
            errors = P - y.reshape(len(y), 1, -1)
            scale = np.sqrt(np.average((y - np.average(y, axis=0, weights=weight)) ** 2, axis=0, weights=weight))
            errors = errors / np.where(scale > 0, scale, 1.0)
            self.weights_ = squared_error_weights(errors, weight)
            losses = [
                float(weight @ (np.tensordot(errors, one, (1, 0)) ** 2).sum(1))
                for one in (*np.eye(n), np.full(n, 1 / n), self.weights_)
            ]
        self.member_losses_ = np.array(losses[:n])
        self.mean_loss_, self.weighted_loss_ = losses[n], losses[n + 1]
        self.unseen_predictions_, self.unseen_ = predictions, unseen
        self._rows_digest = rows_digest(rows.X, rows.y)

    def _check_can_be_found(self, estimand: Estimand) -> None:
        if estimand.levels or estimand.kind == "score":
            raise ValueError(
                f"weights='auto' minimises squared error, which does not measure {estimand}: pass weights, or None."
            )

    def _unseen(self, fitter: TeacherFitter, adapter: Teacher, rows: Rows) -> tuple[NDArray, NDArray]:
        """Predictions of every member (n, n_members, n_outputs), and for which rows all of them are unseen."""
        predictions = adapter.features(rows.X, "members")
        unseen = np.ones(len(rows), bool)
        to_fit: list[int] = []
        for k, (name, teacher) in enumerate(self.teachers):
            if not is_fitted(teacher):
                to_fit.append(k)
                if self.cv == "prefit":
                    raise ValueError(f"cv='prefit' needs fitted teachers, got {name}, which is not: set cv=5.")
            elif self.cv != "prefit":
                predictions[:, k], found = _out_of_bag(name, adapter.members[name], rows)  # type: ignore[attr-defined]
                unseen &= found
        if to_fit:
            members = [self.teachers[k] for k in to_fit]
            splits = make_splits(self.cv, rows, lambda: identical_groups(rows.X), fitter.split_params(rows))
            folds = [(fitter, members, rows, split) for split in splits]
            held = np.zeros(len(rows), bool)
            parts = side_by_side(self.n_jobs, _predict_fold, folds)
            for (_, test), part in zip(splits, parts, strict=True):
                predictions[test[:, None], to_fit] = part
                held[test] = True
            unseen &= held
        return predictions, unseen

    @available_if(_is_classifier)
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """The weighted mean of the teachers' probabilities, (n, n_classes), or (n, n_labels) for several labels."""
        return self._predictions(X)

    def predict(self, X: Any) -> NDArray:
        """The class of the largest probability, labels whose probability is above 1/2, or the weighted mean.

        Of shape (n,), or (n, n_targets) and (n, n_labels).
        """
        found = self._predictions(X)
        if hasattr(self, "classes_"):
            return self.classes_[found.argmax(axis=1)]
        if self._adapter.multilabel:
            return (found > 0.5).astype(int)
        return found[:, 0] if found.shape[1] == 1 else found

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy of classifiers, R² of regressors."""
        predicted = self.predict(X)
        classifies = hasattr(self, "classes_") or self._adapter.multilabel
        return float((accuracy_score if classifies else r2_score)(y, predicted, sample_weight=sample_weight))

    def _predictions(self, X: Any) -> NDArray[np.float64]:
        check_is_fitted(self, "weights_")
        validate_data(self, X, reset=False, skip_check_array=True)
        return self._adapter.predictions(X if hasattr(X, "shape") else np.asarray(X))

    @property
    def estimand(self) -> Estimand:
        """What the average estimates."""
        return read_estimand(getattr(self, "teachers_", self.teachers), self._classifies())

    def was_fitted_on(self, X: Any, y: Any) -> bool:
        """Whether these are the rows that the weights were found on, in that order."""
        return rows_digest(X, y) == self._rows_digest

    def _kind(self) -> str | None:
        """``"classifier"`` or ``"regressor"``, as the first teacher that says it; None where none does."""
        kinds = [tags_of_all([teacher]).estimator_type for _, teacher in self.teachers]
        return next((kind for kind in kinds if kind is not None), None)

    def _classifies(self) -> bool:
        return hasattr(self, "classes_") or self._kind() == "classifier"

    def __sklearn_tags__(self) -> Any:
        tags = tags_of_all([teacher for _, teacher in self.teachers])
        tags.estimator_type = self._kind()
        return tags

    def __sklearn_clone__(self) -> Self:
        return type(self)(**{**self.get_params(deep=False), "teachers": clone_teacher(self.teachers)})

    def get_metadata_routing(self) -> MetadataRouter:
        """Which metadata goes where: to the teachers and to the splitter ``cv`` what they request."""
        return teacher_router(self, self.teachers)


def _out_of_bag(name: str, member: Teacher, rows: Rows) -> tuple[NDArray, NDArray]:
    try:
        return member.out_of_bag(rows.X, rows.y, rows.weight)
    except ValueError as error:
        raise ValueError(
            f"weights='auto' needs predictions for rows that {name} has not seen, but it is fitted and has none "
            f"out-of-bag for these rows: pass it unfitted, pass weights, or fit on rows that no teacher has seen, with "
            "cv='prefit'."
        ) from error


def _predict_fold(fitter: TeacherFitter, members: NamedTeachers, rows: Rows, split: Split) -> NDArray[np.float64]:
    """What clones that are fitted without a fold predict for it, (n_test, n_members, n_outputs)."""
    train, test = split
    part = rows.take(train).copied()
    fitted = fitter.fit(members, part, refit=True)
    return fitter.adapt(members, fitted, part, refit=True).features(_safe_indexing(rows.X, test), "members")


def rows_digest(X: Any, y: Any) -> str:
    """By which rows and their labels or targets are recognised."""
    y = np.asarray(y)
    return digest([X, y.astype(np.float64) if y.dtype.kind in "biuf" else y.tolist()])
