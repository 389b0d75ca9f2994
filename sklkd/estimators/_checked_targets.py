"""Checked labels, targets and weights."""

from __future__ import annotations

from numbers import Number
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils import assert_all_finite, check_array, check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from sklkd._sklearn import check_no_text, checked_weights
from sklkd.students._scaling import TargetScaling

FARTHEST = 100.0
"""Standard deviations from the mean within which predictions should be finite."""


def check_classes(X: Any, y: Any, classes: Any = None) -> tuple[NDArray, NDArray]:
    """Labels of shape (n,), and the sorted classes.

    Raises
    ------
    ValueError
        If y is missing or continuous, has one class only, or has a class that ``classes`` lacks.
    """
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None.")
    y = column_or_1d(y, warn=True)
    check_consistent_length(X, y)
    _check_labels(y)
    found = np.unique(y)
    known = found if classes is None else np.unique(classes)
    unknown = found[~np.isin(found, known)]
    if len(unknown):
        raise ValueError(f"y must have classes={known.tolist()}, got {len(unknown)} that are not among them.")
    if len(known) < 2:
        raise ValueError(
            "y must have at least 2 classes, got 1 class. There is nothing to distil; sklearn.dummy.DummyClassifier "
            "predicts a constant."
        )
    return y, known


def _check_labels(y: NDArray) -> None:
    """Raise for labels that are missing, infinite or continuous."""
    for label in y.tolist() if y.dtype.kind == "O" else []:
        if not isinstance(label, (str, Number, np.generic)) or label != label:
            raise ValueError(
                "Input y contains NaN, None or other objects than strings and numbers, such as one of "
                f"{type(label).__name__}. Rows without a label can be passed as X_transfer."
            )
    assert_all_finite(y, input_name="y")
    check_classification_targets(y)


def has_several_columns(y: Any) -> bool:
    """Whether labels have more than one column."""
    shape = getattr(y, "shape", None)
    if shape is None and isinstance(y, (list, tuple)) and len(y) and isinstance(y[0], (list, tuple, np.ndarray)):
        shape = (len(y), len(y[0]))
    return shape is not None and len(shape) == 2 and shape[1] > 1


def check_labels(X: Any, y: Any, classes: list[NDArray] | None = None) -> tuple[NDArray, list[NDArray]]:
    """Several labels a row as integers 0 and 1 of shape (n, n_labels), and for each the sorted values that it has.

    Raises
    ------
    ValueError
        If y has other values than 0 and 1 or False and True, another number of labels than ``classes``, or if no label
        varies.
    """
    y = y.toarray() if issparse(y) else np.asarray(y)
    check_consistent_length(X, y)
    if y.ndim != 2 or not np.isin(y, (0, 1)).all():
        raise ValueError(
            "y must have only 0 and 1 in its columns, one for each of several labels that a row can have, got others: "
            "sklearn.preprocessing.MultiLabelBinarizer makes them of lists of labels; columns that are questions of "
            "their own need an estimator each, as of sklearn.multioutput.MultiOutputClassifier."
        )
    if classes is not None and y.shape[1] != len(classes):
        raise ValueError(f"y must have {len(classes)} columns as in the first call, got {y.shape[1]}.")
    y = y.astype(int)
    if classes is None:
        classes = [np.unique(column) for column in y.T]
        if all(len(found) == 1 for found in classes):
            raise ValueError("y must have a label that some rows have and others have not, got none.")
    return y, classes


def label_scaling(y: NDArray, weight: NDArray | None) -> TargetScaling:
    """What makes probabilities of a network's outputs: an output of 0 is about the part of the rows with a label."""
    weight = np.ones(len(y)) if weight is None else weight
    return label_scaling_of(weight @ y, weight.sum(), weight.mean())


def label_scaling_of(with_label: NDArray, total: float, mean: float) -> TargetScaling:
    """The same from sums: the weight of the rows that have each label, that of all, and the mean weight of a row."""
    # off 0 and 1, of which there are no logits
    share = (with_label + 0.5 * mean) / (total + mean)
    return TargetScaling(share, np.sqrt(share * (1 - share)), "unit")


def check_targets(X: Any, y: Any, like: tuple[int, int] | None = None) -> NDArray:
    """Targets in float64 of shape (n,) or (n, n_targets).

    Parameters
    ----------
    X, y
    like : (int, int) or None
        Dimensions and number of the targets of a first call, which they must have.

    Raises
    ------
    ValueError
        If y is missing, not finite, of another shape than before, or one row alone.
    """
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None.")
    check_no_text(y, "y")
    y = np.asarray(check_array(y, ensure_2d=False, dtype="numeric", input_name="y"), dtype=np.float64)
    check_consistent_length(X, y)
    if len(y) < 2 and like is None:
        raise ValueError("X and y must have at least 2 rows, got 1 sample: there is nothing to learn from.")
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    if y.ndim > 2:
        raise ValueError(f"y must have shape (n,) or (n, n_targets), got shape {y.shape}.")
    if like is not None and like != (y.ndim, 1 if y.ndim == 1 else y.shape[1]):
        first = "(n,)" if like[0] == 1 else f"(n, {like[1]})"
        raise ValueError(f"y must have shape {first} as in the first call, got shape {y.shape}.")
    return y


def check_scale(y: NDArray, weight: NDArray | None) -> tuple[NDArray, NDArray]:
    """Weighted mean and standard deviation of each target, of shape (n_targets,).

    Raises
    ------
    ValueError
        If all targets are constant, to 1e-12 of their mean, or vary too little for float64. One constant column of
        several is allowed; its scale is 1.
    """
    center, scale = weighted_moments(y, weight)
    check_varies(center, scale, len(y))
    return center, usable_scale(center, scale)


def weighted_moments(y: NDArray, weight: NDArray | None) -> tuple[NDArray, NDArray]:
    """Weighted mean and standard deviation of each column."""
    # in units of a power of two, which loses no digits, so that squares of huge or tiny targets are in range
    _, exponent = np.frexp(np.abs(y).max(axis=0))
    y_scaled = np.ldexp(y, -exponent)
    center = np.average(y_scaled, axis=0, weights=weight)
    scale = np.sqrt(np.average((y_scaled - center) ** 2, axis=0, weights=weight))
    constant = ~(scale > 1e-12 * np.abs(center))
    return np.ldexp(center, exponent), np.where(constant, 0.0, np.ldexp(scale, exponent))


def check_varies(center: NDArray, scale: NDArray, n_rows: int) -> None:
    """Raise where no target varies, or one less than float64 resolves, or more than it holds."""
    constant = _constant(center, scale)
    if not (scale[~constant] * 1e-3 > 0).all():
        raise ValueError(
            f"y must vary by more than float64 resolves, got a standard deviation of {scale.tolist()}: give it in "
            "smaller units."
        )
    with np.errstate(over="ignore"):
        farthest = np.abs(center) + FARTHEST * scale
    if not np.isfinite(farthest).all():
        raise ValueError(
            f"y must leave room for predictions in float64, got a mean of {center.tolist()} and a standard deviation "
            f"of {scale.tolist()}: give it in larger units."
        )
    if constant.all():
        raise ValueError(
            f"y must vary, got {n_rows} rows that are all the same. There is nothing to distil; "
            "sklearn.dummy.DummyRegressor predicts a constant."
        )


def usable_scale(center: NDArray, scale: NDArray) -> NDArray:
    """The scale of each target; of a constant one among others it is 1."""
    return np.where(_constant(center, scale), 1.0, scale)


def _constant(center: NDArray, scale: NDArray) -> NDArray:
    return ~(scale > 1e-12 * np.abs(center))


def check_weighted_classes(y: NDArray, weight: NDArray) -> None:
    """Raise where y has several classes, but only one of them with a weight."""
    weighted = np.unique(y[weight > 0])
    if len(weighted) == 1 and len(np.unique(y)) > 1:
        raise ValueError(
            "y must have at least 2 classes with a sample_weight > 0, got 1 class. There is nothing to distil: give "
            "weight to rows of another, or take sklearn.dummy.DummyClassifier."
        )


def check_weight(sample_weight: Any, X: Any) -> NDArray | None:
    """Row weights in float64, or None.

    Raises
    ------
    ValueError
        If a weight is negative or not finite, or all are 0.
    """
    return None if sample_weight is None else checked_weights(sample_weight, X, np.float64)
