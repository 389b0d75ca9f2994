"""Score against size, over students of many sizes."""

from __future__ import annotations

import copy
import pickle
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.metrics import check_scoring
from sklearn.model_selection import train_test_split

from sklkd._decision_rule import predicted_codes, predicted_labels
from sklkd._side_by_side import side_by_side
from sklkd._sklearn import _num_samples, _safe_indexing
from sklkd.estimators._access import checked_rows, checked_training_rows, task_name
from sklkd.estimators.offline._base import BaseOffline
from sklkd.report._baseline import light_fit_on_labels
from sklkd.report._cost import check_repeats, microseconds
from sklkd.report._curve_sizes import check_sizes, sized_student, sizes_of
from sklkd.report._measured import Measured, measured_student, measured_teacher
from sklkd.report._picture import FACTOR, LEGEND, STYLES, new_axes, pyplot, thousands
from sklkd.rows import Rows
from sklkd.students import TabularNet
from sklkd.students._sizes import smallest

if TYPE_CHECKING:
    from typing_extensions import Self

SMALLEST, LARGEST, N_SIZES = 1_000, 100_000, 5
HELD_OUT = 0.25
ACROSS = {
    "parameters": ("parameters", "parameters"),
    "bytes": ("n_bytes", "bytes of the network"),
    "latency": ("latency_us", "microseconds to predict one row"),
}
"""What can be across: the attribute that holds it, and what it is called."""


class CompressionCurveDisplay:
    """Score against size: students of several sizes, their teacher, and the same students without a teacher.

    Made by :meth:`from_estimator`; all that is drawn is kept in attributes.

    Parameters
    ----------
    parameters : array of shape (n_sizes,)
        Of each student.
    n_bytes : array of shape (n_sizes,)
        Of its network as it is shipped: parameters in float32, and buffers. This is what ``max_bytes`` limits.
    latency_us : array of shape (n_sizes,)
        Median microseconds in which the fitted estimator predicts one row, with all that it checks and encodes.
    scores : array of shape (n_sizes,)
        Of the distilled students.
    teacher_score : float or None, default=None
        None: there was no teacher that predicts (``Precomputed`` outputs).
    baseline_scores : array of shape (n_sizes,) or None, default=None
        Of the same students, trained on labels only.
    score_name : str, default="score"
        What the scores are called.
    x : {"parameters", "bytes", "latency"}, default="parameters"
        What :meth:`plot` has across by default.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    line_, baseline_line_, teacher_line_ : matplotlib Line2D
        The last two are None where there is nothing to draw.

    See Also
    --------
    distillation_report : One student in full.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import ExtraTreesClassifier
    >>> from sklkd import CompressionCurveDisplay, DistilledClassifier
    >>> from sklkd.students import TabularStudent
    >>> X, y = load_iris(return_X_y=True)
    >>> est = DistilledClassifier(ExtraTreesClassifier(random_state=0), TabularStudent(max_epochs=5), random_state=0)
    >>> display = CompressionCurveDisplay.from_estimator(est, X, y, sizes=[100, 1_000])
    >>> display.scores.shape
    (2,)
    >>> bool(display.parameters[0] <= 100 and display.parameters[1] <= 1_000)
    True
    """

    def __init__(
        self,
        *,
        parameters: ArrayLike,
        n_bytes: ArrayLike,
        latency_us: ArrayLike,
        scores: ArrayLike,
        teacher_score: float | None = None,
        baseline_scores: ArrayLike | None = None,
        score_name: str = "score",
        x: str = "parameters",
    ):
        self.parameters = np.asarray(parameters)
        self.n_bytes = np.asarray(n_bytes)
        self.latency_us = np.asarray(latency_us)
        self.scores = np.asarray(scores)
        self.teacher_score = teacher_score
        self.baseline_scores = None if baseline_scores is None else np.asarray(baseline_scores)
        self.score_name = score_name
        self.x = x

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        X_test: Any = None,
        y_test: ArrayLike | None = None,
        sizes: Sequence[Any] | None = None,
        x: str = "parameters",
        scoring: Any = None,
        baseline: bool = True,
        sample_weight: ArrayLike | None = None,
        n_repeats: int = 20,
        n_jobs: int | None = None,
        negate_score: bool = False,
        ax: Any = None,
        line_kw: dict[str, Any] | None = None,
        baseline_kw: dict[str, Any] | None = None,
        teacher_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Fit a student of each size and, to compare, the same one without a teacher; score and draw them.

        Parameters
        ----------
        estimator : DistilledClassifier or DistilledRegressor
            Fitted or not, it stays as it is. An unfitted teacher is fitted once for all sizes, by way of ``memory``
            (a temporary folder where the estimator has none), for which it must be possible to pickle it.
        X : array, frame or sparse matrix of shape (n, n_features)
            Training rows.
        y : array of shape (n,) or (n, n_targets)
            Their labels or targets.
        X_test, y_test : array-likes, default=None
            Rows to score on, which neither students nor teacher should have seen. None: a quarter of the rows of X is
            held out, stratified by class where possible; as in every cross-validation the estimator is then cloned,
            so that a fitted teacher is refitted on the other rows, and only one in a FrozenEstimator is kept.
        sizes : list, default=None
            For each student an integer, its ``max_parameters``, a dict of parameters of the estimator's student, such
            as ``{"max_depth": 4}``, or anything that ``student`` takes. Integers need a
            :class:`~sklkd.students.TabularStudent` (or None, or a preset name) as the estimator's student, whose other
            parameters are kept. None, for such students: five budgets from 1,000 parameters, or the smallest network
            where that takes more, to 100,000.
        x : {"parameters", "bytes", "latency"}, default="parameters"
            What is drawn across; all three are measured.
        scoring : str, callable or None, default=None
            As in :func:`sklearn.metrics.check_scoring`; None: accuracy or R2.
        baseline : bool, default=True
            Whether to fit the same students on labels only (``hard_weight=1, augment=None``), too.
        sample_weight : array-like of shape (n,), default=None
            Weights of the training rows.
        n_repeats : int, default=20
            Predictions that are timed for each size.
        n_jobs : int, default=None
            Sizes fitted at once, in processes by joblib's back end, also on a cluster by
            ``joblib.parallel_config("dask")``; the first one, with which the teacher is fitted, comes before. Scores
            are the same however many. Latencies are measured afterwards, one at a time. None: the estimator's.
        negate_score : bool, default=False
            Draw the negative of all scores, which for ``"neg_log_loss"`` is the log loss.
        ax : matplotlib Axes, default=None
            Where to draw; None: a new figure.
        line_kw, baseline_kw, teacher_kw : dict, default=None
            Passed to matplotlib for the three lines.

        Returns
        -------
        CompressionCurveDisplay

        Raises
        ------
        ImportError
            Without matplotlib, which ``pip install 'sklkd[plot]'`` brings.
        TypeError, ValueError
            If the estimator is no distilled one, ``sizes`` holds an integer for a student that has no budget, a budget
            is below the smallest network, or ``x`` is unknown; and whatever ``fit`` raises.
        """
        pyplot(cls.__name__)
        _check(estimator, X_test, y_test, sizes, x, n_repeats)
        if X_test is None:
            estimator = clone(estimator)
            X, X_test, y, y_test, sample_weight = _hold_out(estimator, X, y, sample_weight)
        with tempfile.TemporaryDirectory() as folder:
            fit = _Fit(estimator, Rows(X, y, sample_weight), folder)
            first, fitted, baselines = _fit_all(fit, sizes, baseline, estimator.n_jobs if n_jobs is None else n_jobs)
        scorer = check_scoring(estimator, scoring)
        row = _safe_indexing(checked_rows(first, X_test), slice(1))
        calls = [measured_student(est).predict for est in fitted]
        found = [sizes_of(est) for est in fitted]
        display = cls(
            parameters=[numbers for numbers, _ in found],
            n_bytes=[n_bytes for _, n_bytes in found],
            latency_us=[microseconds(partial(call, row), n_repeats) for call in calls],
            scores=[scorer(est, X_test, y_test) for est in fitted],
            teacher_score=_teacher_score(first, scorer, X_test, y_test),
            baseline_scores=None if not baseline else [scorer(est, X_test, y_test) for est in baselines],
            score_name=_score_name(scoring, task_name(estimator)),
            x=x,
        )
        return display.plot(
            ax, negate_score=negate_score, line_kw=line_kw, baseline_kw=baseline_kw, teacher_kw=teacher_kw
        )

    def plot(
        self,
        ax: Any = None,
        *,
        x: str | None = None,
        negate_score: bool = False,
        line_kw: dict[str, Any] | None = None,
        baseline_kw: dict[str, Any] | None = None,
        teacher_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the scores, sizes across, on a logarithmic axis where the largest is above three times the smallest.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None: a new figure.
        x : {"parameters", "bytes", "latency"}, default=None
            What is drawn across; None: as given before.
        negate_score : bool, default=False
            Draw the negative of all scores.
        line_kw, baseline_kw, teacher_kw : dict, default=None
            Passed to matplotlib for the three lines.

        Returns
        -------
        CompressionCurveDisplay

        Raises
        ------
        ImportError
            Without matplotlib, which ``pip install 'sklkd[plot]'`` brings.
        """
        x = self.x if x is None else x
        _check_across(x)
        self.ax_ = new_axes(ax, type(self).__name__)
        self.figure_ = self.ax_.figure
        attribute, called = ACROSS[x]
        across = getattr(self, attribute)
        order = np.argsort(across, kind="stable")
        sign = -1 if negate_score else 1

        def curve(scores: NDArray, style: dict[str, Any], own: dict[str, Any] | None) -> Any:
            return self.ax_.plot(across[order], sign * scores[order], **style | (own or {}))[0]

        self.line_ = curve(self.scores, STYLES["student"] | {"label": "distilled student"}, line_kw)
        self.baseline_line_ = self.teacher_line_ = None
        if self.baseline_scores is not None:
            style = STYLES["baseline"] | {"label": "same student without a teacher", "linestyle": "--"}
            self.baseline_line_ = curve(self.baseline_scores, style, baseline_kw)
        if self.teacher_score is not None:
            style = {"color": STYLES["teacher"]["color"], "linestyle": ":", "label": "teacher"} | (teacher_kw or {})
            self.teacher_line_ = self.ax_.axhline(sign * self.teacher_score, **style)
        if across.max() > FACTOR * across.min():
            self.ax_.set_xscale("log")
        thousands(self.ax_.xaxis)
        name = self.score_name.removeprefix("negative ") if negate_score else self.score_name
        self.ax_.set(xlabel=called, ylabel=f"{name} ({'lower' if negate_score else 'higher'} is better)")
        self.ax_.legend(**LEGEND)
        return self


class _TeacherClassifier(ClassifierMixin, BaseEstimator):
    """A teacher of any kind as scorers want it."""

    def __init__(self, measured: Measured, classes: Any):
        self.measured, self.classes_ = measured, classes

    def predict_proba(self, X: Any) -> NDArray:
        return self.measured.predictions(X)

    def predict(self, X: Any) -> NDArray:
        if isinstance(self.classes_, list):
            return predicted_labels(self.predict_proba(X))
        return self.classes_[predicted_codes(self.predict_proba(X), self.measured.threshold)]


class _TeacherRegressor(RegressorMixin, BaseEstimator):
    def __init__(self, measured: Measured, y_ndim: int):
        self.measured, self.y_ndim = measured, y_ndim

    def predict(self, X: Any) -> NDArray:
        values = self.measured.predictions(X)
        return values[:, 0] if self.y_ndim == values.shape[1] == 1 else values


def _teacher_score(est: Any, scorer: Any, X: Any, y: Any) -> float | None:
    X, task = checked_rows(est, X), est._fitted.task
    measured = measured_teacher(est, X, [])
    if measured is None:
        return None
    if task.kind == "regression":
        return float(scorer(_TeacherRegressor(measured, task.y_ndim), X, y))
    return float(scorer(_TeacherClassifier(measured, est.classes_), X, y))


def _check(estimator: Any, X_test: Any, y_test: Any, sizes: Any, x: str, n_repeats: int) -> None:
    if not isinstance(estimator, BaseOffline):
        raise TypeError(
            f"estimator must be a DistilledClassifier or DistilledRegressor, got {type(estimator).__name__}. Of a "
            "Pipeline, pass the last step, and rows that the steps before it have transformed."
        )
    if (X_test is None) != (y_test is None):
        raise ValueError("X_test and y_test belong together, got one of them.")
    check_sizes(sizes, estimator.student)
    check_repeats(n_repeats)
    _check_across(x)


def _check_across(x: str) -> None:
    if x not in ACROSS:
        raise ValueError(f"x must be one of {list(ACROSS)}, got x={x!r}.")


def _hold_out(est: Any, X: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any, Any, Any]:
    X, y = checked_training_rows(est, X), y.toarray() if issparse(y) else np.asarray(y)
    labels = task_name(est) == "classification"
    stratify = y if labels and y.ndim == 1 and np.unique(y, return_counts=True)[1].min() >= 2 else None
    train, test = train_test_split(
        np.arange(_num_samples(X)),
        test_size=HELD_OUT,
        random_state=copy.deepcopy(est.random_state),
        stratify=stratify,
    )
    weight = None if sample_weight is None else np.asarray(sample_weight)[train]
    return _safe_indexing(X, train), _safe_indexing(X, test), y[train], y[test], weight


@dataclass(frozen=True)
class _Fit:
    """Fits the estimator with a student of any size, its teacher only once."""

    est: Any
    rows: Rows
    folder: str

    def __call__(self, size: Any) -> Any:
        est, rows = self.est, self.rows
        params = est.get_params(deep=False)
        # the same seeds for each, also from a generator of random numbers, which is not used up
        params |= {"random_state": copy.deepcopy(est.random_state), "keep_teacher": True}
        params |= {
            "student": sized_student(est.student, size),
            "memory": self.folder if est.memory is None else est.memory,
        }
        try:
            return type(est)(**params).fit(rows.X, rows.y, sample_weight=rows.weight)
        except pickle.PicklingError as error:
            raise TypeError(
                "teacher must be one that can be pickled, so that it is fitted only once for all sizes; a lambda in it "
                "cannot be: make it a function of a module."
            ) from error

    def light(self, size: Any, baseline: bool) -> tuple[Any, Any]:
        """The fitted estimator, and its baseline or None, without the teacher, as they come from other processes."""
        est = self(size)
        return est.without_teacher(), light_fit_on_labels(est, self.rows) if baseline else None


def _fit_all(fit: _Fit, sizes: Any, baseline: bool, n_jobs: int | None) -> tuple[Any, list[Any], list[Any]]:
    """The estimator fitted with one student, and with one of each size, the first or last of them; their baselines."""
    first = fit(LARGEST if sizes is None else sizes[0])
    rest = sizes
    if sizes is None:
        module: TabularNet = first.student_.module_
        least = max(SMALLEST, smallest(module.encoding, module.output.out_features))
        rest = [LARGEST, *np.geomspace(least, LARGEST, N_SIZES)[-2::-1].astype(int).tolist()]
    jobs: list[tuple] = [(light_fit_on_labels, first, fit.rows)] if baseline else []
    jobs += [(_Fit.light, fit, size, baseline) for size in rest[1:]]
    made = side_by_side(n_jobs, _call, jobs)
    baselines = [made.pop(0), *(one for _, one in made)] if baseline else []
    fitted = [first, *(est for est, _ in made)]
    return (first, fitted, baselines) if sizes is not None else (first, fitted[::-1], baselines[::-1])


def _call(function: Callable, *arguments: Any) -> Any:
    return function(*arguments)


def _score_name(scoring: Any, task: str) -> str:
    if scoring is None:
        return "accuracy" if task == "classification" else "R2"
    if isinstance(scoring, str):
        return scoring.replace("neg_", "negative ", 1).replace("_", " ")
    return str(getattr(scoring, "__name__", "score"))
