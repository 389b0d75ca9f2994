"""Agreement of student and teacher as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklkd.estimators._checked_targets import check_weight
from sklkd.report._display import Display
from sklkd.report._formats import bound, level, percent
from sklkd.report._intervals import N_BOOTSTRAP, NAN, Sample, check_confidence, exact_lower_bound
from sklkd.report._picture import LEGEND, STYLES
from sklkd.report._predicted import Predicted
from sklkd.report._reliability import ReliabilityBin, draw_bins, reliability_bins

if TYPE_CHECKING:
    from typing_extensions import Self

MOST_POINTS = 5_000
"""Drawn of values, evenly spaced over the rows; more are a blot."""


class AgreementDisplay(Display):
    """How far student and teacher agree.

    Of classes: how often labels are the same, against the probability of the teacher's; where that is high, a
    disagreement is rare and matters. Of values: the student's against the teacher's. Made by :meth:`from_estimator` or
    :meth:`from_predictions`; all that is drawn is kept in attributes.

    Parameters
    ----------
    bins : list of ReliabilityBin, default=None
        Of classes: bins of the probability of the teacher's label, with the part of the labels that are the same as
        ``accuracy``.
    agreement : float, default=nan
        Over all rows.
    at_least : float, default=nan
        Its exact lower bound; NaN where rows have different weights or several labels.
    confidence : float, default=0.95
        Of the bound and the intervals.
    student, teacher : array of shape (n, n_targets), default=None
        Of values.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D
        One for the bins, or one for each target.
    reference_ : matplotlib Line2D
        The agreement over all rows, or the diagonal.

    See Also
    --------
    distillation_report : Agreement, and where the two differ most.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import ExtraTreesClassifier
    >>> from sklkd import AgreementDisplay, DistilledClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> est = DistilledClassifier(ExtraTreesClassifier(random_state=0), "tiny", random_state=0).fit(X, y)
    >>> display = AgreementDisplay.from_estimator(est, X)
    >>> bool(display.at_least < display.agreement)
    True
    """

    def __init__(
        self,
        *,
        bins: Sequence[ReliabilityBin] | None = None,
        agreement: float = NAN,
        at_least: float = NAN,
        confidence: float = 0.95,
        student: NDArray | None = None,
        teacher: NDArray | None = None,
    ):
        self.bins, self.agreement, self.at_least, self.confidence = bins, agreement, at_least, confidence
        self.student, self.teacher = student, teacher

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        sample_weight: ArrayLike | None = None,
        confidence: float = 0.95,
        ax: Any = None,
    ) -> Self:
        """Predict and draw.

        Parameters
        ----------
        estimator : fitted estimator
            A distilled one that has its teacher, or a Pipeline, search or FrozenEstimator around one.
        X : array, frame or sparse matrix of shape (n, n_features)
            Rows that neither student nor teacher should have seen; labels are not needed.
        sample_weight : array-like of shape (n,), default=None
            Weights of the rows.
        confidence : float, default=0.95
            Of the bound and the intervals.
        ax : matplotlib Axes, default=None
            Where to draw; None: a new figure.

        Returns
        -------
        AgreementDisplay

        Raises
        ------
        ImportError
            Without matplotlib, which ``pip install 'sklkd[plot]'`` brings.
        TypeError
            If there is no distilled estimator in ``estimator``.
        ValueError
            If it has no teacher that can be asked.
        """
        check_confidence(confidence, N_BOOTSTRAP)
        found = Predicted.of(estimator, X)
        teacher = found.known_teacher()
        if found.task.kind == "regression":
            return cls(student=found.student, teacher=teacher, confidence=confidence).plot(ax)
        sure = np.maximum(teacher, 1 - teacher) if found.task.multilabel else teacher.max(axis=1)
        return cls._of_labels(sure, found.same(), check_weight(sample_weight, found.X), confidence).plot(ax)

    @classmethod
    def from_predictions(
        cls,
        student: ArrayLike,
        teacher: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        confidence: float = 0.95,
        ax: Any = None,
    ) -> Self:
        """Draw predictions that are there.

        Parameters
        ----------
        student, teacher : array of shape (n,), (n, n_classes) or (n, n_targets)
            Two columns or more that are not negative and sum to one are probabilities, whose largest decides; all
            others are values.
        sample_weight, confidence, ax
            As in :meth:`from_estimator`.

        Returns
        -------
        AgreementDisplay

        Raises
        ------
        ValueError
            If shapes differ.
        """
        check_confidence(confidence, N_BOOTSTRAP)
        first, second = (np.asarray(one, dtype=np.float64) for one in (student, teacher))
        if first.shape != second.shape or first.ndim not in (1, 2):
            raise ValueError(
                f"student and teacher must have the same shape, (n,) or (n, k), got {first.shape} and {second.shape}."
            )
        first, second = first.reshape(len(first), -1), second.reshape(len(second), -1)
        if not (_are_probabilities(first) and _are_probabilities(second)):
            return cls(student=first, teacher=second, confidence=confidence).plot(ax)
        same = first.argmax(axis=1) == second.argmax(axis=1)
        return cls._of_labels(second.max(axis=1), same, check_weight(sample_weight, first), confidence).plot(ax)

    @classmethod
    def _of_labels(cls, sure: NDArray, same: NDArray[np.bool_], weight: NDArray | None, confidence: float) -> Self:
        n = len(same)
        sample = Sample(n, weight, N_BOOTSTRAP, confidence)
        exact = sample.counts and same.ndim == 1
        return cls(
            bins=reliability_bins(sure, same, sample),
            agreement=float(sample.means(same.reshape(n, -1).mean(axis=1)[:, None])[0]),
            at_least=exact_lower_bound(float(same.sum()), n, confidence) if exact else NAN,
            confidence=confidence,
        )

    def _draw(self) -> None:
        if self.bins is not None:
            self._plot_bins(self.bins)
        else:
            self._plot_values()
        if len(self.lines_) > 1 or self.bins is not None:
            self.ax_.legend(loc="lower right", **LEGEND)

    def _plot_bins(self, bins: Sequence[ReliabilityBin]) -> None:
        text = f"all rows: {percent(self.agreement)}"
        if np.isfinite(self.at_least):
            text += f", at least {bound(self.at_least)} ({level(self.confidence)} confidence)"
        self.reference_ = self.ax_.axhline(self.agreement, color="0.6", linestyle=":", zorder=0, label=text)
        self.lines_ = [draw_bins(self.ax_, bins, STYLES["student"] | {"label": "by the teacher's probability"})]
        self.ax_.set(xlabel="probability of the teacher's label", ylabel="part of the labels that are the same")

    def _plot_values(self) -> None:
        student, teacher = np.asarray(self.student), np.asarray(self.teacher)
        picked = np.linspace(0, len(student) - 1, min(len(student), MOST_POINTS)).astype(np.intp)
        self.lines_ = [
            self.ax_.plot(
                teacher[picked, j],
                student[picked, j],
                linestyle="none",
                marker=".",
                color=f"C{j % 10}",
                alpha=0.5,
                label=f"target {j}",
                rasterized=True,
            )[0]
            for j in range(student.shape[1])
        ]
        ends = [min(student.min(), teacher.min()), max(student.max(), teacher.max())]
        self.reference_ = self.ax_.plot(ends, ends, color="0.6", linestyle=":", zorder=0)[0]
        self.ax_.set(xlabel="teacher", ylabel="student")


def _are_probabilities(rows: NDArray[np.float64]) -> bool:
    return rows.shape[1] > 1 and bool((rows >= 0).all()) and np.allclose(rows.sum(axis=1), 1, atol=1e-4)
