"""Bagging of any estimator."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array

from sklkd._sklearn import _num_samples, bags_leave_rows_out
from sklkd.teachers._base import Shape, Teacher
from sklkd.teachers._estimator import EstimatorTeacher
from sklkd.teachers._fallback import falls_back, or_value_error
from sklkd.teachers._leaves import LeafTeacher
from sklkd.teachers._meta import inner_splits
from sklkd.teachers._oob import (
    check_count,
    completed,
    encoded,
    mean_unseen,
    not_its_rows,
    row_weights,
    same_scores,
    spaced,
    tree_has_seen,
)
from sklkd.teachers._thresholds import Splits
from sklkd.teachers._trees import node_values


class BaggingTeacher(EstimatorTeacher):
    """``BaggingClassifier`` or ``BaggingRegressor``, with or without a choice of columns for each member.

    Layer: ``"members"`` (n, n_members, n_outputs), the prediction of every member.
    """

    default_layer = "members"

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        return hasattr(estimator, "estimators_features_")

    def margins(self, X: Any) -> None:
        # Its decision_function is the mean of the members' margins, or of their log-probabilities; predict_proba is
        # the mean of their probabilities.
        return None

    def members(self, X: Any) -> NDArray[np.float64]:
        """The prediction of every member, (n, n_members, n_outputs)."""
        X = _as_bagging_sees(X)
        predictions = np.stack([self._member(i, X) for i in range(len(self.estimator.estimators_))], axis=1)
        return predictions if self.classes is None else self.aligned(predictions)

    def _member(self, i: int, X: Any) -> NDArray[np.float64]:
        """Probabilities (or votes, as Bagging counts them) in the ensemble's order of classes, or values."""
        member, X = self.estimator.estimators_[i], X[:, self.estimator.estimators_features_[i]]
        if self.classes is None:
            return np.asarray(member.predict(X), dtype=np.float64).reshape(_num_samples(X), -1)
        width = len(self.estimator.classes_)
        if not hasattr(member, "predict_proba"):
            return np.eye(width)[member.predict(X)]
        proba = np.zeros((_num_samples(X), width))
        # Members are fitted on codes, and may have missed a class in their bag.
        proba[:, member.classes_] = member.predict_proba(X)
        return proba

    def spread(self, X: Any) -> NDArray[np.float64]:
        return self.members(X).std(axis=1)

    @property
    def layers(self) -> dict[str, Shape]:
        return {"members": self.members_shape}

    @property
    def members_shape(self) -> Shape:
        """Of one row of the members' predictions."""
        return len(self.estimator.estimators_), None if self.classes is None else len(self.classes)

    def feature(self, X: Any, layer: str) -> np.ndarray:
        return self.members(X)

    @falls_back("splits", Splits.none)
    def splits(self, X: Any) -> Splits:
        return bagged_splits(self, X)

    @property
    @falls_back("out-of-bag", bool)
    def has_out_of_bag(self) -> bool:
        return bags_leave_rows_out(self.estimator) and (self._has_trees or hasattr(self.estimator, "oob_score_"))

    @property
    def _has_trees(self) -> bool:
        return all(hasattr(member, "tree_") for member in self.estimator.estimators_)

    @or_value_error
    def out_of_bag(self, X: Any, y: Any, sample_weight: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """As of a forest, with members of any kind.

        That the rows are those of the fit is verified in the leaves of trees. Members that show no rows, such as linear
        models, are verified by the ensemble's own out-of-bag predictions and score: it must have been fitted with
        ``oob_score=True``.
        """
        if not bags_leave_rows_out(self.estimator):
            return super().out_of_bag(X, y, sample_weight)
        if not self.has_out_of_bag:
            member = type(self.estimator.estimators_[0]).__name__
            raise ValueError(
                f"cv='oob' needs a {self.name} whose rows can be verified, and its members ({member}) do not show "
                "which rows they were fitted on: fit it with oob_score=True, or use cv='auto' or, unfitted, cv=5."
            )
        check_count(self, _num_samples(X))
        rows, target = _as_bagging_sees(X), encoded(self, y)
        bags = self.estimator.estimators_samples_
        if self._has_trees:
            self._verify_trees(rows, target, sample_weight)
        mean, unseen = mean_unseen(self, len(target), bags, lambda i, at: self._member(i, rows[at]))
        if not self._has_trees and not same_scores(self.estimator, mean, unseen, target):
            raise not_its_rows(self, "its own out-of-bag predictions or their score differ")
        return completed(self, X, mean, unseen), unseen

    def _verify_trees(self, rows: Any, target: NDArray[np.float64], sample_weight: Any) -> None:
        """An error unless a few of the trees were fitted on these rows."""
        bags = self.estimator.estimators_samples_
        for i in spaced(len(bags)):
            tree, columns = self.estimator.estimators_[i], self.estimator.estimators_features_[i]
            weights = row_weights(tree, bags[i], target, sample_weight)
            classes = tree.classes_ if self.classes is not None else slice(None)
            leaves = tree.apply(rows[:, columns])
            learnt = node_values(tree)
            if not any(tree_has_seen(tree, learnt, leaves, target[:, classes], each) for each in weights):
                raise not_its_rows(self, f"member {i} was fitted on other rows")


class BaggedTreesTeacher(LeafTeacher, BaggingTeacher):
    """Bagging of decision trees, with the leaves of a forest besides."""

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        return BaggingTeacher.accepts(estimator) and all(hasattr(each, "tree_") for each in estimator.estimators_)

    @property
    def n_trees(self) -> int:
        return len(self.estimator.estimators_)

    def leaves(self, X: Any) -> NDArray[np.integer]:
        X = _as_bagging_sees(X)
        pairs = zip(self.estimator.estimators_, self.estimator.estimators_features_, strict=True)
        return np.stack([tree.apply(X[:, columns]) for tree, columns in pairs], axis=1)

    @property
    def layers(self) -> dict[str, Shape]:
        return {**super().layers, "members": self.members_shape}

    def feature(self, X: Any, layer: str) -> np.ndarray:
        return self.members(X) if layer == "members" else super().feature(X, layer)


def bagged_splits(teacher: Teacher, X: Any) -> Splits:
    """Splits of the members of a Bagging, in the columns of ``X``."""
    X, ensemble = _as_bagging_sees(X), teacher.estimator
    pairs = zip(ensemble.estimators_, ensemble.estimators_features_, strict=True)
    return Splits.union(inner_splits(teacher, member, X[:, columns]).renamed(columns) for member, columns in pairs)


def _as_bagging_sees(X: Any) -> Any:
    """The array that Bagging makes of the user's rows, out of which it cuts columns."""
    return check_array(X, accept_sparse="csr", dtype=None, ensure_all_finite=False)
