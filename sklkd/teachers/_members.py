"""Several teachers at once: a list of them, voting and stacking."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sklkd.teachers._base import Shape, Teacher
from sklkd.teachers._estimator import EstimatorTeacher
from sklkd.teachers._outputs import Outputs
from sklkd.teachers._rows import Reference
from sklkd.teachers._thresholds import Splits

T = TypeVar("T", bound=Teacher)


class MembersTeacher(Teacher):
    """Named teachers whose predictions are averaged, by name of class.

    Layers: ``"members"`` (n, n_members, n_outputs), the prediction of every member, and each layer of a member as
    ``"name.layer"``.
    """

    default_layer = "members"
    members: dict[str, Teacher]
    weights: NDArray[np.float64]

    @property
    def labels(self) -> Any:
        return self.classes

    @property
    def needs_rows(self) -> bool:  # type: ignore[override]
        return any(member.needs_rows for member in self.members.values())

    def with_reference(self, rows: Reference) -> Teacher:
        return with_members(self, rows)

    @property
    def fallbacks(self) -> list[str]:
        members = [failed for member in self.members.values() for failed in member.fallbacks]
        return list(dict.fromkeys([*self._failures, *members]))

    def predict_proba(self, X: Any) -> np.ndarray:
        return self._mean(member_predictions(self.members, X))

    def _regression(self, X: Any, spread: bool) -> Outputs:
        # the members predict once for both, which is what takes time
        predictions = member_predictions(self.members, X)
        values = self._mean(predictions)
        deviation = np.sqrt(self._mean((predictions - values[:, None]) ** 2)) if spread else None
        return Outputs(values=values, spread=deviation)

    def _mean(self, predictions: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.average(predictions, axis=1, weights=self.weights)

    @property
    def layers(self) -> dict[str, Shape]:
        return member_layers(self.members, self.classes)

    def features(self, X: Any, layer: str | None = None) -> np.ndarray:
        name = self.layer_name(layer)
        return super().features(X, name) if name == "members" else member_features(self.members, X, name)

    def feature(self, X: Any, layer: str) -> np.ndarray:
        predictions = member_predictions(self.members, X)
        return predictions if self.classes is None else self.aligned(predictions)

    def splits(self, X: Any) -> Splits:
        return Splits.union([member.splits(X) for member in self.members.values()], self.weights)

    @property
    def has_out_of_bag(self) -> bool:
        return all(member.has_out_of_bag for member in self.members.values())

    def out_of_bag(self, X: Any, y: Any, sample_weight: Any = None) -> tuple[np.ndarray, np.ndarray]:
        if not self.has_out_of_bag:
            return super().out_of_bag(X, y, sample_weight)
        y = self._labels_of_members(y)
        parts = [member.out_of_bag(X, y, sample_weight) for member in self.members.values()]
        mean = self._mean(np.stack([predictions for predictions, _ in parts], axis=1))
        # A row that a member has always seen is not unseen, though the others had not seen it.
        unseen = np.all([mask for _, mask in parts], axis=0)
        return (mean if self.classes is None else self.aligned(mean)), unseen

    def _labels_of_members(self, y: Any) -> Any:
        return y


class ListTeacher(MembersTeacher):
    """A list of ``(name, teacher)``, each with the same say."""

    def setup(self) -> None:
        estimator = self.estimator
        if not all(isinstance(each, tuple) and len(each) == 2 and isinstance(each[0], str) for each in estimator):
            raise TypeError(f"a list of teachers must hold (name, teacher) pairs, got {estimator!r}.")
        names = [name for name, _ in estimator]
        if len(set(names)) < len(names):
            raise ValueError(f"names in a list of teachers must differ, got {names}.")
        self.name = "the list of teachers"
        self._take(estimator)
        self.weights = np.ones(len(names))

    def _take(self, named: Sequence[tuple[str, Any]]) -> None:
        self.members = {
            name: self.adapted(each, self.classes, seen=self.seen, missing=self.missing) for name, each in named
        }

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        return isinstance(estimator, (list, tuple))


class WeightedTeacher(ListTeacher):
    """``WeightedTeachers``: a list with weights, and with predictions for rows that the members have not seen."""

    def setup(self) -> None:
        if self.seen is None:
            self.seen = getattr(self.estimator, "classes_", None)
        self._take(self.estimator.teachers_)
        self.weights = self.estimator.weights_

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        return hasattr(estimator, "teachers_") and hasattr(estimator, "weights_")

    @property
    def has_out_of_bag(self) -> bool:
        return hasattr(self.estimator, "unseen_") or super().has_out_of_bag

    def out_of_bag(self, X: Any, y: Any, sample_weight: Any = None) -> tuple[np.ndarray, np.ndarray]:
        if not hasattr(self.estimator, "unseen_"):
            return super().out_of_bag(X, y, sample_weight)
        if not self.estimator.was_fitted_on(X, y):
            raise ValueError(
                f"cv='oob' needs the rows that {self.name} was fitted on, in that order, got others; use cv='auto' or, "
                "with an unfitted teacher, cv=5."
            )
        # rows and labels are those of the fit, and so are the classes
        return self._mean(self.estimator.unseen_predictions_), self.estimator.unseen_.copy()


class VotingTeacher(MembersTeacher):
    """``VotingClassifier`` and ``VotingRegressor``, with their weights.

    With hard voting too, predictions are the mean of the members' probabilities: votes alone say little.
    """

    def setup(self) -> None:
        self.members = fitted_members(self)
        estimator = self.estimator
        given = (
            np.ones(len(estimator.estimators)) if estimator.weights is None else np.asarray(estimator.weights, float)
        )
        self.weights = given[[member != "drop" for _, member in estimator.estimators]]

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        return (
            hasattr(estimator, "estimators_")
            and hasattr(estimator, "named_estimators_")
            and hasattr(estimator, "weights")
        )

    @property
    def labels(self) -> Any:
        return getattr(self.estimator, "classes_", None)

    def _labels_of_members(self, y: Any) -> Any:
        """Codes, where the members were fitted on them."""
        if self.classes is None or self.labels is None:
            return y
        member = next(iter(self.members.values()))
        own = np.asarray(self.labels)
        column = dict(zip(self.classes.tolist(), self.columns(len(own)).tolist(), strict=True))
        return np.asarray(member.classes)[[column[label] for label in np.asarray(y).tolist()]]


class StackingTeacher(EstimatorTeacher):
    """``StackingClassifier`` and ``StackingRegressor``: the predictions are the final estimator's.

    Layers: as those of voting, of the members below the final estimator.
    """

    default_layer = "members"

    def setup(self) -> None:
        super().setup()
        self.members = fitted_members(self)

    @property
    def needs_rows(self) -> bool:  # type: ignore[override]
        return any(member.needs_rows for member in self.members.values())

    def with_reference(self, rows: Reference) -> StackingTeacher:
        return with_members(self, rows)

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        return hasattr(estimator, "final_estimator_") and hasattr(estimator, "named_estimators_")

    @property
    def layers(self) -> dict[str, Shape]:
        return member_layers(self.members, self.classes)

    def features(self, X: Any, layer: str | None = None) -> np.ndarray:
        name = self.layer_name(layer)
        return super().features(X, name) if name == "members" else member_features(self.members, X, name)

    def feature(self, X: Any, layer: str) -> np.ndarray:
        predictions = member_predictions(self.members, X)
        return predictions if self.classes is None else self.aligned(predictions)

    def splits(self, X: Any) -> Splits:
        return Splits.union(member.splits(X) for member in self.members.values())


def with_members(teacher: T, rows: Reference) -> T:
    """A copy of a teacher with members whose members have learnt from rows."""
    prepared: Any = copy(teacher)
    prepared._reference = rows
    prepared.members = {name: member.with_reference(rows) for name, member in prepared.members.items()}
    return prepared


def fitted_members(teacher: Teacher) -> dict[str, Teacher]:
    """Adapters of the members of voting or stacking, in the order of the ensemble's classes.

    Members are fitted on codes; one that was kept fitted (frozen, or prefit) may know the classes themselves.
    """
    estimator = teacher.estimator
    names = [name for name, member in estimator.estimators if not (isinstance(member, str) and member == "drop")]
    labels = getattr(estimator, "classes_", None)
    if labels is None or teacher.multilabel:
        return {name: teacher.adapted(each) for name, each in zip(names, estimator.estimators_, strict=True)}
    codes = np.arange(len(labels))
    members = {}
    for name, each in zip(names, estimator.estimators_, strict=True):
        own = getattr(each, "classes_", None)
        coded = own is None or set(np.asarray(own).tolist()) <= set(codes.tolist())
        members[name] = teacher.adapted(each, codes if coded else np.asarray(labels))
    return members


def member_layers(members: dict[str, Teacher], classes: Any) -> dict[str, Shape]:
    layers: dict[str, Shape] = {"members": (len(members), None if classes is None else len(classes))}
    for name, member in members.items():
        layers.update({f"{name}.{layer}": shape for layer, shape in member.layers.items()})
    return layers


def member_features(members: dict[str, Teacher], X: Any, layer: str) -> np.ndarray:
    """The layer ``"name.layer"`` of a member; names may contain dots."""
    name = max((name for name in members if layer.startswith(f"{name}.")), key=len)
    return members[name].features(X, layer[len(name) + 1 :])


def member_predictions(members: dict[str, Teacher], X: Any) -> NDArray[np.float64]:
    """The predictions of all members, (n, n_members, n_outputs), with the members' classes."""
    return np.stack([member.predictions(X) for member in members.values()], axis=1)
