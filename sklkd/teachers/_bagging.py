"""Bagging of any estimator."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import check_array
from sklearn.utils.validation import has_fit_parameter

from sklkd._sklearn import _num_samples
from sklkd.teachers._base import Shape
from sklkd.teachers._estimator import EstimatorTeacher
from sklkd.teachers._leaves import LeafTeacher
from sklkd.teachers._meta import inner_splits
from sklkd.teachers._oob import average_unseen, check_count, encoded, not_its_rows, row_weights, spaced, tree_has_seen
from sklkd.teachers._thresholds import Splits


class BaggingTeacher(EstimatorTeacher):
    """``BaggingClassifier`` or ``BaggingRegressor``, with or without a choice of columns for each member.

    Layer: ``"members"`` (n, n_members, n_outputs), the answer of every member.
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
        """The answer of every member, (n, n_members, n_outputs)."""
        X = _as_bagging_sees(X)
        answers = [self._member(i, X) for i in range(len(self.estimator.estimators_))]
        if self.classes is not None:
            answers = [self.aligned(answer) for answer in answers]
        return np.stack(answers, axis=1)

    def _member(self, i: int, X: Any) -> NDArray[np.float64]:
        """Probabilities (or votes, as Bagging counts them) in the ensemble's order of classes, or values."""
        member, X = self.estimator.estimators_[i], X[:, self.estimator.estimators_features_[i]]
        if self.classes is None:
            return np.asarray(member.predict(X), dtype=np.float64).reshape(_num_samples(X), -1)
        width = len(self.estimator.classes_)
        if not hasattr(member, "predict_proba"):
            return np.eye(width)[member.predict(X)]
        answer = np.zeros((_num_samples(X), width))
        # Members are fitted on codes, and may have missed a class in their bag.
        answer[:, member.classes_] = member.predict_proba(X)
        return answer

    def spread(self, X: Any) -> NDArray[np.float64]:
        return self.members(X).std(axis=1)

    @property
    def layers(self) -> dict[str, Shape]:
        return {"members": self.members_shape}

    @property
    def members_shape(self) -> Shape:
        """Of one row of the members' answers."""
        return len(self.estimator.estimators_), None if self.classes is None else len(self.classes)

    def feature(self, X: Any, layer: str) -> np.ndarray:
        return self.members(X)

    def splits(self, X: Any) -> Splits:
        X = _as_bagging_sees(X)
        pairs = zip(self.estimator.estimators_, self.estimator.estimators_features_, strict=True)
        return Splits.union(inner_splits(member, X[:, columns]).renamed(columns) for member, columns in pairs)

    @property
    def has_out_of_bag(self) -> bool:
        return bool(self.estimator.bootstrap or self.estimator._max_samples < self.estimator._n_samples)

    def out_of_bag(self, X: Any, y: Any, sample_weight: Any = None) -> tuple[np.ndarray, np.ndarray]:
        if not self.has_out_of_bag:
            return super().out_of_bag(X, y, sample_weight)
        check_count(self, _num_samples(X))
        rows, target = _as_bagging_sees(X), encoded(self, y)
        bags = self.estimator.estimators_samples_
        for i in spaced(len(bags)):
            weights = row_weights(self.estimator.estimators_[i], bags[i], target, sample_weight)
            if not any(self._has_seen(i, rows, target, bags[i], each) for each in weights):
                raise not_its_rows(self, f"member {i} has learnt from other rows")
            if not hasattr(self.estimator.estimators_[i], "tree_"):
                break
        return average_unseen(self, X, bags, lambda i, at: self._member(i, rows[at]))

    def _has_seen(
        self, i: int, X: Any, target: NDArray[np.float64], bag: NDArray[np.integer], weights: NDArray[np.float64]
    ) -> bool:
        member, X = self.estimator.estimators_[i], X[:, self.estimator.estimators_features_[i]]
        if not hasattr(member, "tree_"):
            return self._same_when_refitted(member, X, target, bag, weights)
        columns = member.classes_ if self.classes is not None else slice(None)
        return tree_has_seen(member, member.apply(X), target[:, columns], weights)

    def _same_when_refitted(
        self, member: Any, X: Any, target: NDArray[np.float64], bag: NDArray[np.integer], weights: NDArray[np.float64]
    ) -> bool:
        """Whether a member that shows no rows, such as a linear model, comes out the same when it is fitted again."""
        y = target.argmax(axis=1) if self.classes is not None else np.squeeze(target, axis=1)
        again = clone(member)
        with warnings.catch_warnings():
            # Its first fit has warned.
            warnings.simplefilter("ignore")
            if has_fit_parameter(member, "sample_weight"):
                again.fit(X, y, sample_weight=weights)
            else:
                again.fit(X[bag], y[bag])
        method = next(m for m in ("predict_proba", "decision_function", "predict") if hasattr(member, m))
        old, new = getattr(member, method)(X), getattr(again, method)(X)
        return bool(np.shape(old) == np.shape(new) and np.allclose(old, new, rtol=1e-4, atol=1e-6))


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


def _as_bagging_sees(X: Any) -> Any:
    """The array that Bagging makes of the user's rows, out of which it cuts columns."""
    return check_array(X, accept_sparse="csr", dtype=None, ensure_all_finite=False)
