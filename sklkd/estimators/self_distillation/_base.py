"""Self-distillation, a network that is its own teacher: what classifier and regressor share."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral
from typing import TYPE_CHECKING, Any

from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from sklkd._progress import Progress
from sklkd.estimators._fitted_student import FittedStudent
from sklkd.estimators._student_fit import StudentTraining, encoded_rows, labelled_set
from sklkd.estimators._task import Task
from sklkd.estimators._validation import split_for_early_stopping
from sklkd.estimators._without_teacher import BaseWithoutTeacher
from sklkd.methods import EpochToEpoch, LastBatch, SelfMethod
from sklkd.methods._self import Training
from sklkd.rows import Rows
from sklkd.students._exits import cut
from sklkd.students._resolve import resolve_student
from sklkd.students._tabular_student import WITHOUT_TEACHER
from sklkd.students._train import with_module

if TYPE_CHECKING:
    from typing_extensions import Self

OUTPUT = "output"
"""The deepest exit, of every network."""


class BaseSelf(BaseWithoutTeacher):
    """What the self-distilled classifier and regressor share; they differ in labels, outputs and predictions."""

    def __init__(self, student: Any = None, *, method: Any = None, random_state: Any = None, verbose: int = 0):
        self.student = student
        self.method = method
        self.random_state = random_state
        self.verbose = verbose

    def _train(self, rows: Rows, task: Task, seed: int, progress: Progress) -> FittedStudent:
        self.method_ = self._chosen_method(LastBatch(), SelfMethod, task)
        student = resolve_student(self.student)
        rows, validation = split_for_early_stopping(student, rows, task, seed)
        with progress.stage("encoding"):
            encoder, inputs = StudentTraining(student, task, [], seed).prepare(rows, WITHOUT_TEACHER)
            held = None if validation is None else encoded_rows(encoder, validation)
        training = Training(
            student.net,
            labelled_set(inputs, rows),
            task.kind,
            task.n_outputs,
            seed,
            self.verbose,
            held,
            progress,
        )
        with progress.stage("training"):
            learnt = self.method_.train(training)
        self.exits_ = {exit.name: exit for exit in learnt.exits} | {OUTPUT: None}
        deployed = self._fitted_student(encoder, learnt.net, task, rows)
        deployed.others = {
            f"generation {k}": replace(deployed, net=self._for_predictions(net, task), others={})
            for k, net in enumerate(learnt.generations)
        }
        return deployed

    @property
    def generations_(self) -> list[Self]:
        """A fitted estimator for each generation of ``BornAgain``, the first of which was trained on labels only."""
        check_is_fitted(self, "student_")
        return [self._single_exit(student) for student in self._fitted.others.values()]

    def cut(self, exit: int | str) -> Self:
        """A light copy that predicts from an exit of the network, without the layers behind it.

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
        light = self._single_exit(self._ending_at(names[place]))
        light.exits_ = {name: self.exits_[name] for name in names[:place]} | {names[place]: None}
        return light

    def _ending_at(self, name: str) -> FittedStudent:
        """The student without what lies behind an exit, made once for each fit."""
        made, where = self._fitted.exits, self.exits_[name]
        if name not in made:
            student = replace(self._fitted, others={})
            if where is not None:
                net = with_module(self.student_, cut(self.student_.module_, where))
                student = replace(student, net=self._for_predictions(net, student.task))
            made[name] = student
        return made[name]

    def _other_models(self) -> dict[str, Self]:
        exits = {f"exit {name}": self.cut(name) for name in list(self.exits_)[:-1]}
        deployed = self.student_.module_
        others = {name: one for name, one in self._fitted.others.items() if one.net.module_ is not deployed}
        return exits | {name: self._single_exit(student) for name, student in others.items()}

    def _without_distillation(self) -> Self:
        """Unfitted: the same network, trained on labels only; the whole of it, also for one that was cut."""
        return clone(self).set_params(method=EpochToEpoch(alpha=0), verbose=0)

    def _for_deployment(self) -> Any:
        """Without exits and earlier generations."""
        return self._single_exit(replace(self._fitted, others={}))

    def _single_exit(self, student: FittedStudent) -> Any:
        """A copy that predicts with a student, and has no other exits."""
        other = self._predicting_with(student)
        other.exits_ = {OUTPUT: None}
        return other

    def _at(self, exit: int | str | None) -> Any:
        """The estimator itself, or the light one that ends at an exit."""
        return self if exit is None else self.cut(exit)


def _within(place: int, n: int) -> bool:
    return -n <= place < n
