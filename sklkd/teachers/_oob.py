"""Out-of-bag predictions of ensembles that were bagged, from what they stored, without a refit.

An ensemble stores how its bags were drawn, but not the rows. That the rows at hand are those that it was fitted on, in
that order, is verified: by their number, and in a few trees by what their leaves learnt from the rows of their bag, or,
with other members, by the out-of-bag predictions and score that the ensemble found itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import r2_score
from sklearn.utils.class_weight import compute_sample_weight

from sklkd._sklearn import _num_samples, n_fitted_rows
from sklkd.teachers._base import Teacher
from sklkd.teachers._rows import take

VERIFIED = 5
"""Members in which the rows are looked for."""


def average_unseen(
    teacher: Teacher,
    X: Any,
    bags: Sequence[NDArray[np.integer]],
    predict: Callable[[int, NDArray[np.intp]], NDArray[np.float64]],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Out-of-bag predictions with the student's classes, and which of them are; the others are the ordinary ones.

    Parameters
    ----------
    teacher : Teacher
        The ensemble.
    X : array-like, frame or sparse matrix of n rows
    bags : sequence of integer arrays
        The rows that each member was fitted on.
    predict : callable
        ``predict(i, rows)`` is what member i predicts for these row numbers, in the ensemble's own order of classes.
    """
    mean, unseen = mean_unseen(teacher, _num_samples(X), bags, predict)
    return completed(teacher, X, mean, unseen), unseen


def mean_unseen(
    teacher: Teacher,
    n: int,
    bags: Sequence[NDArray[np.integer]],
    predict: Callable[[int, NDArray[np.intp]], NDArray[np.float64]],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The mean prediction of the members that have not seen a row, in the ensemble's order, and where there is one."""
    votes = np.zeros(n)
    total: NDArray[np.float64] | None = None
    for i, bag in enumerate(bags):
        outside = np.ones(n, dtype=bool)
        outside[bag] = False
        rows = np.flatnonzero(outside)
        if len(rows) == 0:
            continue
        predicted = predict(i, rows)
        if total is None:
            total = np.zeros((n, predicted.shape[1]))
        total[rows] += predicted
        votes[rows] += 1
    if total is None:
        raise ValueError(f"every member of {teacher.name} has seen every row; use cv=5 or cv='auto'.")
    return total / np.maximum(votes, 1.0)[:, None], votes > 0


def completed(teacher: Teacher, X: Any, mean: NDArray[np.float64], unseen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Out-of-bag means with the student's classes; rows that every member has seen get the ordinary prediction."""
    predicted = mean.copy()
    if teacher.classes is not None:
        predicted[~unseen] = 1 / predicted.shape[1]
        predicted = teacher.aligned(predicted)
    if not unseen.all():
        predicted[~unseen] = teacher.predictions(take(X, np.flatnonzero(~unseen)))
    return predicted


def same_scores(
    ensemble: Any, mean: NDArray[np.float64], unseen: NDArray[np.bool_], target: NDArray[np.float64]
) -> bool:
    """Whether out-of-bag predictions, and their score on the targets, are those that an ensemble found at fit.

    Parameters
    ----------
    ensemble : estimator
        Fitted with ``oob_score=True``.
    mean : ndarray of shape (n, n_outputs)
        In the ensemble's own order.
    unseen : ndarray of bool, shape (n,)
    target : ndarray of shape (n, n_outputs)
        0/1 columns of the ensemble's classes, or targets.
    """
    if hasattr(ensemble, "oob_decision_function_"):
        stored = ensemble.oob_decision_function_
        score = np.mean(np.where(unseen[:, None], mean, 0.0).argmax(axis=1) == target.argmax(axis=1))
    else:
        stored = np.reshape(ensemble.oob_prediction_, (len(mean), -1))
        score = r2_score(target, np.where(unseen[:, None], mean, 0.0))
    same = np.allclose(stored[unseen], mean[unseen], rtol=1e-6, atol=1e-9 * (1 + np.abs(mean).max()))
    return bool(same and np.isclose(score, ensemble.oob_score_, rtol=1e-6, atol=1e-9))


def check_count(teacher: Teacher, n: int) -> None:
    """An error unless the ensemble was fitted on ``n`` rows."""
    fitted = n_fitted_rows(teacher.estimator)
    if n != fitted:
        raise not_its_rows(teacher, f"it was fitted on {fitted} rows, X has {n}")


def not_its_rows(teacher: Teacher, reason: str) -> ValueError:
    return ValueError(
        f"cv='oob' needs the rows that {teacher.name} was fitted on, in that order, with their labels, and these are "
        f"not verifiably those: {reason}; pass those rows, or use cv='auto' or, with an unfitted teacher, cv=5."
    )


def encoded(teacher: Teacher, y: Any) -> NDArray[np.float64]:
    """Labels as 0/1 columns in the teacher's own order of classes, or targets as columns, (n, n_outputs)."""
    y = np.asarray(y)
    if teacher.classes is None:
        return y.reshape(len(y), -1).astype(np.float64)
    n_columns = len(teacher.labels)
    column = dict(zip(teacher.classes.tolist(), teacher.columns(n_columns).tolist(), strict=True))
    return np.eye(n_columns)[[column[label] for label in y.tolist()]]


def spaced(n: int) -> list[int]:
    """A few of ``n`` members, evenly spaced."""
    return np.unique(np.linspace(0, n - 1, VERIFIED).astype(int)).tolist()


def row_weights(
    estimator: Any, bag: NDArray[np.integer], target: NDArray[np.float64], sample_weight: Any
) -> list[NDArray[np.float64]]:
    """With which weights a member may have been fitted on its bag.

    Whether weights of rows and of classes multiply the counts or are the odds of being drawn is up to the version of
    scikit-learn; the rows themselves are the same either way.
    """
    counts = np.bincount(bag, minlength=len(target)).astype(np.float64)
    weights = [counts]
    class_weight = getattr(estimator, "class_weight", None)
    if class_weight is not None:
        several = isinstance(estimator.classes_, list)
        labels = target if several else np.asarray(estimator.classes_)[target.argmax(axis=1)]
        if class_weight == "balanced_subsample":
            by_class = compute_sample_weight("balanced", labels, indices=bag)
        else:
            by_class = compute_sample_weight(class_weight, labels)
        weights.append(counts * by_class)
    if sample_weight is not None:
        weights += [each * np.asarray(sample_weight, dtype=np.float64) for each in weights]
    return weights


def tree_has_seen(
    tree: Any,
    learnt: NDArray[np.float64],
    leaves: NDArray[np.integer],
    target: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> bool:
    """Whether a scikit-learn tree can have been fitted on these rows.

    Each of its leaves must hold as many rows as it was fitted with, and its value must be their weighted mean. Trees of
    medians, and those whose values were pushed into a monotone order, are compared in the root alone.

    Parameters
    ----------
    tree : estimator with ``tree_``
    learnt : ndarray of shape (n_nodes, n_outputs)
        What it predicts in each of its nodes.
    leaves : ndarray of shape (n,)
        Into which leaf it puts every row.
    target : ndarray of shape (n, n_outputs)
        Targets, or 0/1 columns of the tree's classes.
    weights : ndarray of shape (n,)
        0 for rows that are not in its bag.
    """
    inside = weights > 0
    leaves, target, weights = leaves[inside], target[inside], weights[inside]
    nodes = tree.tree_
    is_leaf = nodes.children_left < 0
    if (np.bincount(leaves, minlength=nodes.node_count) != nodes.n_node_samples)[is_leaf].any():
        return False
    scale = 1e-6 * (1e-12 + np.abs(target).max())
    if tree.criterion == "absolute_error":
        repeated = np.repeat(target, weights.astype(int), axis=0)
        return bool(np.allclose(np.median(repeated, axis=0), learnt[0], rtol=0, atol=scale))
    if tree.monotonic_cst is not None:
        return bool(np.allclose(np.average(target, axis=0, weights=weights), learnt[0], rtol=0, atol=scale))
    mass = np.bincount(leaves, weights, minlength=nodes.node_count)[is_leaf]
    sums = [np.bincount(leaves, weights * column, minlength=nodes.node_count)[is_leaf] for column in target.T]
    return bool(
        np.allclose(np.stack(sums, axis=1), learnt[is_leaf] * mass[:, None], rtol=0, atol=scale * mass[:, None])
    )
