"""Reliability of teacher and student as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from sklkd.estimators._access import checked_labels
from sklkd.estimators._checked_targets import check_weight
from sklkd.report._display import Display
from sklkd.report._intervals import N_BOOTSTRAP, Sample, check_confidence
from sklkd.report._picture import LEGEND, STYLES
from sklkd.report._predicted import Predicted
from sklkd.report._reliability import ReliabilityBin, draw_bins, reliability_bins, sure_and_right

if TYPE_CHECKING:
    from typing_extensions import Self


class ReliabilityDisplay(Display):
    """How often predictions of each probability are right, of student and teacher.

    Made by :meth:`from_estimator` or :meth:`from_predictions`; all that is drawn is kept in attributes.

    Parameters
    ----------
    reliability : dict of str to list of ReliabilityBin
        For "teacher" and "student", or one of them, the bins in which there are predictions, as in
        ``DistillationReport.reliability``.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : dict of str to matplotlib Line2D
        For each model.
    diagonal_ : matplotlib Line2D
        Where probabilities are those with which predictions are right.

    See Also
    --------
    distillation_report : Has the same numbers.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import ExtraTreesClassifier
    >>> from sklkd import DistilledClassifier, ReliabilityDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> est = DistilledClassifier(ExtraTreesClassifier(random_state=0), "tiny", random_state=0).fit(X, y)
    >>> display = ReliabilityDisplay.from_estimator(est, X, y)
    >>> list(display.lines_)
    ['teacher', 'student']
    """

    def __init__(self, *, reliability: Mapping[str, Sequence[ReliabilityBin]]):
        self.reliability = reliability

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        confidence: float = 0.95,
        ax: Any = None,
    ) -> Self:
        """Predict and draw.

        Parameters
        ----------
        estimator : fitted classifier
            A distilled one, or a Pipeline, search or FrozenEstimator around one.
        X : array, frame or sparse matrix of shape (n, n_features)
            Rows that neither student nor teacher should have seen.
        y : array of shape (n,) or (n, n_labels)
            Their labels.
        sample_weight : array-like of shape (n,), default=None
            Weights of the rows.
        confidence : float, default=0.95
            Of the intervals: exact ones, or by the bootstrap where rows have weights or several labels.
        ax : matplotlib Axes, default=None
            Where to draw; None: a new figure.

        Returns
        -------
        ReliabilityDisplay

        Raises
        ------
        ImportError
            Without matplotlib, which ``pip install 'sklkd[plot]'`` brings.
        TypeError
            If there is no distilled classifier in ``estimator``.
        """
        check_confidence(confidence, N_BOOTSTRAP)
        found = Predicted.of(estimator, X)
        if found.task.kind == "regression":
            raise TypeError("estimator must be a classifier, got a regressor, which has no probabilities.")
        y, weight = checked_labels(found.est, found.X, y), check_weight(sample_weight, found.X)
        sample = Sample(len(y), weight, N_BOOTSTRAP, confidence)
        both = {"teacher": found.teacher, "student": found.student}
        classes = found.task.classes
        made = {
            name: reliability_bins(*sure_and_right(one, y, classes), sample)
            for name, one in both.items()
            if one is not None
        }
        return cls(reliability=made).plot(ax)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_proba: ArrayLike,
        *,
        teacher_proba: ArrayLike | None = None,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        confidence: float = 0.95,
        ax: Any = None,
    ) -> Self:
        """Draw predictions that are there.

        Parameters
        ----------
        y_true : array of shape (n,)
            Labels.
        y_proba : array of shape (n, n_classes)
            The student's probabilities.
        teacher_proba : array of shape (n, n_classes), default=None
            The teacher's.
        classes : array of shape (n_classes,), default=None
            What the columns stand for; None: the sorted distinct labels.
        sample_weight, confidence, ax
            As in :meth:`from_estimator`.

        Returns
        -------
        ReliabilityDisplay

        Raises
        ------
        ValueError
            If shapes do not go together.
        """
        check_confidence(confidence, N_BOOTSTRAP)
        y = np.asarray(y_true)
        names = np.unique(y) if classes is None else np.asarray(classes)
        sample = Sample(len(y), check_weight(sample_weight, y), N_BOOTSTRAP, confidence)
        made = {}
        for name, given in (("teacher", teacher_proba), ("student", y_proba)):
            if given is None:
                continue
            proba = np.asarray(given, dtype=np.float64)
            if proba.shape != (len(y), len(names)):
                raise ValueError(
                    f"the {name}'s probabilities must have shape (n, n_classes) = {(len(y), len(names))}, got "
                    f"{proba.shape}: pass classes where y_true lacks some."
                )
            made[name] = reliability_bins(*sure_and_right(proba, y, names), sample)
        return cls(reliability=made).plot(ax)

    def _draw(self) -> None:
        least = min((one.low for bins in self.reliability.values() for one in bins), default=0.0)
        self.diagonal_ = self.ax_.plot([least, 1], [least, 1], linestyle=":", color="0.6", zorder=0)[0]
        self.lines_ = {
            name: draw_bins(self.ax_, bins, STYLES[name] | {"label": name}) for name, bins in self.reliability.items()
        }
        self.ax_.set(xlabel="probability of the predicted class", ylabel="part that is right")
        self.ax_.legend(**LEGEND)
