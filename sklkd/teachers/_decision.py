"""From which probability on a teacher predicts the second of two classes."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from sklkd.teachers._base import Teacher
from sklkd.teachers._estimand_reader import origin
from sklkd.teachers._rows import sample

COMPARED = 2_000
"""Rows on which a teacher's labels are compared with its probabilities."""

LARGEST = ("sklearn", "xgboost", "lightgbm", "imblearn")
"""Libraries whose classifiers predict the class of the largest probability, unless they hold other classifiers."""
OTHERWISE = ("SVC", "NuSVC")
"""Those of them whose probabilities are made apart from their labels."""


def decision_threshold(teacher: Teacher, X: Any) -> float | None:
    """The probability of ``classes[1]`` at or above which the teacher's own ``predict`` gives ``classes[1]``.

    A ``FixedThresholdClassifier`` or ``TunedThresholdClassifierCV`` says it, at any depth of pipelines, searches and
    frozen estimators; a threshold on ``decision_function`` is moved to the probability that the teacher gives at that
    margin. Other teachers are asked for labels, unless they are known to predict the class of the largest probability.

    Parameters
    ----------
    teacher : Teacher
        The adapter of a classifier, with the student's classes.
    X : array-like, frame or sparse matrix
        Rows as the teacher takes them, of which up to 2,000 are asked.

    Returns
    -------
    float or None
        None if it predicts the class of the largest probability, if there are not two classes, if the teacher has no
        ``predict`` that gives labels (or it fails), or if no threshold reproduces the labels.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.model_selection import FixedThresholdClassifier
    >>> from sklkd.teachers import adapt, decision_threshold
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = FixedThresholdClassifier(GaussianNB(), threshold=0.2).fit(X, y)
    >>> decision_threshold(adapt(model, [0, 1]), X)
    0.2
    """
    if teacher.classes is None or len(teacher.classes) != 2 or not teacher.answers_new_rows:
        return None
    X = sample(X, COMPARED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            holder, rows = _innermost(teacher.estimator, X)
            if not hasattr(holder, "predict") or _takes_the_largest(holder):
                return None
            if hasattr(holder, "estimator_") and hasattr(holder, "response_method"):
                stated = _stated(teacher, holder, rows, X)
                if stated is not None:
                    return stated
            elif hasattr(holder, "threshold") and origin(holder)[0] == "skorch":
                # Above it, not at it.
                return None if holder.threshold == 0.5 else float(np.nextafter(holder.threshold, 2))
            return _observed(_codes(teacher, holder.predict(rows)), teacher.predictions(X)[:, 1])
        except Exception:  # noqa: BLE001 - predict of a foreign model, without which a student can be had
            return None


def _innermost(estimator: Any, X: Any) -> tuple[Any, Any]:
    """What decides inside pipelines, searches and frozen estimators, and the rows as it sees them."""
    if hasattr(estimator, "best_estimator_"):
        return _innermost(estimator.best_estimator_, X)
    if type(estimator).__name__ == "FrozenEstimator":
        return _innermost(estimator.estimator, X)
    if hasattr(estimator, "steps"):
        for _, step in estimator.steps[:-1]:
            # As in the adapter: steps that only resample do so at fit alone.
            if step is not None and step != "passthrough" and hasattr(step, "transform"):
                X = step.transform(X)
        return _innermost(estimator.steps[-1][1], X)
    return estimator, X


def _takes_the_largest(estimator: Any) -> bool:
    """Whether a classifier is known to predict the class of its largest probability, without asking it."""
    library, own_class = origin(estimator)
    if library == "catboost":
        return estimator.get_probability_threshold() == 0.5
    if library not in LARGEST or not own_class or type(estimator).__name__ in OTHERWISE:
        return False
    holds_others = any(hasattr(estimator, key) for key in ("estimator_", "estimators_", "final_estimator_"))
    # The members of forests and boosters are regressors or trees, whose labels nobody asks for.
    return not holds_others or hasattr(estimator, "criterion") or hasattr(estimator, "loss")


def _stated(teacher: Teacher, holder: Any, rows: Any, X: Any) -> float | None:
    """The threshold of scikit-learn's threshold classifiers; None if it does not reproduce their labels.

    Which class it is for is a parameter, or a matter of the metric that tuned it: the one that fits the labels.
    """
    proba, labels = teacher.predictions(X), _codes(teacher, holder.predict(rows))
    given = holder.best_threshold_ if hasattr(holder, "best_threshold_") else holder.threshold
    by_margin = holder.response_method == "decision_function" or not hasattr(holder.estimator_, "predict_proba")
    if given == "auto":
        given = 0.0 if by_margin else 0.5
    pos_label = getattr(holder, "pos_label", None)
    first = 1 if pos_label is None else int(_codes(teacher, [pos_label])[0])
    for positive in (first, 1 - first):
        threshold: float | None = float(given)
        if by_margin:
            threshold = _as_probability(teacher, holder.estimator_.decision_function(rows), given, proba, positive)
        if threshold is None:
            continue
        if positive == 0:
            threshold = _mirrored(threshold)
        if np.array_equal(labels, proba[:, 1] >= threshold):
            return threshold
    return None


def _mirrored(threshold: float) -> float:
    """The smallest number p whose 1 - p, in floating point, is below a threshold: the other class starts there."""
    low, high = 1 - threshold - 1e-9, 1 - threshold + 1e-9
    while np.nextafter(low, 2) < high:
        middle = (low + high) / 2
        low, high = (low, middle) if 1 - middle < threshold else (middle, high)
    return high


def _as_probability(
    teacher: Teacher, margins: Any, threshold: float, proba: NDArray[np.float64], positive: int
) -> float | None:
    """The probability of a class at a threshold on the margin for it; None if the two do not rise together."""
    # The margin is for the second of the teacher's own classes.
    own = int(teacher.columns(2)[positive])
    score = np.asarray(margins, dtype=np.float64) * (1 if own == 1 else -1)
    of_class = proba[:, positive]
    if np.allclose(of_class, expit(score), rtol=0, atol=1e-9):
        return float(expit(threshold))
    above = score >= threshold
    low = of_class[~above].max(initial=0.0)
    high = of_class[above].min(initial=1.0)
    if low >= high:
        return None
    ends = [
        score[~above].max(initial=min(threshold, score.min())),
        score[above].min(initial=max(threshold, score.max())),
    ]
    return float(np.clip(np.interp(threshold, ends, [low, high]), np.nextafter(low, 2), high))


def _observed(labels: NDArray[np.intp], proba: NDArray[np.float64]) -> float | None:
    """The shortest decimal that parts the probabilities as the labels do; None if the largest does, or none does."""
    if np.array_equal(labels, proba > 0.5):
        return None
    low = proba[labels == 0].max(initial=0.0)
    high = proba[labels == 1].min(initial=1.0)
    if low >= high:
        return None
    for digits in range(1, 16):
        candidate = round((low + high) / 2, digits)
        if low < candidate <= high:
            return float(candidate)
    return float(high)


def _codes(teacher: Teacher, labels: Any) -> NDArray[np.intp]:
    """Labels of the teacher as positions in ``teacher.classes``."""
    assert teacher.classes is not None
    labels = np.asarray(labels)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise ValueError(f"predict of {teacher.name} must return one label per row, got shape {labels.shape}.")
    columns = teacher.columns(2).tolist()
    own = teacher.classes if teacher.labels is None else np.asarray(teacher.labels)
    names = own.tolist()
    # Classes by their own names, else as text (CatBoost's booleans), else as codes.
    tables = [{name: j for j, name in enumerate(names)}, {str(name): j for j, name in enumerate(names)}, {0: 0, 1: 1}]
    for table, keys in zip(
        tables, (labels.tolist(), [str(label) for label in labels.tolist()], labels.tolist()), strict=True
    ):
        if all(key in table for key in keys):
            position = [columns.index(table[key]) for key in keys]
            return np.asarray(position, dtype=np.intp)
    raise ValueError(f"predict of {teacher.name} returned what is none of its classes.")
