"""Self-distillation, a network that is its own teacher: what classifier and regressor share."""

from __future__ import annotations

import copy
from numbers import Integral
from typing import Any, Self

from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from sklkd.estimators._hard_weight import hold_out_to_stop
from sklkd.estimators._merge import Merged
from sklkd.estimators._teach import encoded_rows, prepare, transfer_set
from sklkd.estimators._unaided import BaseUnaided
from sklkd.methods import EpochToEpoch, LastBatch, SelfMethod
from sklkd.methods._self import Training
from sklkd.students._exits import cut
from sklkd.students._resolve import resolve_student
from sklkd.students._train import with_module

OUTPUT = "output"
"""The deepest exit, of every network."""


class BaseSelf(BaseUnaided):
    """What the self-distilled classifier and regressor share; they differ in labels, outputs and predictions."""

    def __init__(self, student: Any = None, *, method: Any = None, random_state: Any = None, verbose: int = 0):
        self.student = student
        self.method = method
        self.random_state = random_state
        self.verbose = verbose

    def _train(self, merged: Merged, seed: int) -> None:
        self.method_ = self._chosen_method(LastBatch(), SelfMethod)
        student, task = resolve_student(self.student), self._wanted()
        merged, held = hold_out_to_stop(student, merged, task, seed)
        self.encoder_, inputs = prepare(student, task, merged)
        rows = transfer_set(inputs, merged.y, merged.weight)
        judges = None if held is None else encoded_rows(self.encoder_, held)
        learnt = self.method_.train(
            Training(student.net, rows, task.classification, task.n_outputs, seed, self.verbose, judges)
        )
        self.student_ = learnt.net
        self.exits_ = {exit.name: exit for exit in learnt.exits} | {OUTPUT: None}
        self._generations = [self._finished(net) for net in learnt.generations]

    @property
    def generations_(self) -> list[Self]:
        """A fitted estimator for each generation of ``BornAgain``, the first of which has learnt from labels alone."""
        check_is_fitted(self, "student_")
        return [self._answering_with(net) for net in self._generations]

    def cut(self, exit: int | str) -> Self:
        """A light copy that answers from an exit of the network, without the layers behind it.

        Parameters
        ----------
        exit : int or str
            A name in ``exits_``, or its place there: 0 is the shallowest, -1 the output.

        Returns
        -------
        SelfDistilledClassifier or SelfDistilledRegressor
            Its ``exits_`` are those up to this one.
        """
        check_is_fitted(self, "student_")
        names = list(self.exits_)
        known = exit in names if isinstance(exit, str) else isinstance(exit, Integral) and _within(exit, len(names))
        if not known or isinstance(exit, bool):
            raise ValueError(
                f"exit must be one of {names}, or its place, from {-len(names)} to {len(names) - 1}, got "
                f"exit={exit!r}. Exits before the output come from method=DeepToShallow()."
            )
        place = names.index(exit) if isinstance(exit, str) else range(len(names))[exit]
        where = self.exits_[names[place]]
        net = self.student_
        if where is not None:
            net = self._finished(with_module(net, cut(net.module_, where)))
        light = self._answering_with(net)
        light.exits_ = {name: self.exits_[name] for name in names[:place]} | {names[place]: None}
        return light

    def _parts(self) -> dict[str, Self]:
        exits = {f"exit {name}": self.cut(name) for name in list(self.exits_)[:-1]}
        others = [net for net in self._generations if net.module_ is not self.student_.module_]
        return exits | {f"generation {k}": self._answering_with(net) for k, net in enumerate(others)}

    def _alone(self) -> Self:
        """Unfitted: the same network, the whole of it also for one that was cut, trained on labels alone."""
        return clone(self).set_params(method=EpochToEpoch(alpha=0), verbose=0)

    def _light(self) -> Any:
        """Without exits and earlier generations."""
        return self._answering_with(self.student_)

    def _answering_with(self, net: Any) -> Any:
        other = copy.copy(self)
        other.student_, other.history_, other._generations = net, net.history, []
        other.exits_ = {OUTPUT: None}
        other._keep_float64()
        return other

    def _at(self, exit: int | str | None) -> Any:
        """The estimator itself, or the light one that ends at an exit."""
        return self if exit is None else self.cut(exit)


def _within(place: int, n: int) -> bool:
    return -n <= place < n
