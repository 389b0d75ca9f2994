"""How good a teacher is on rows that it has not seen, found out by clones of it that are fitted without them."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd._checkpoint import Checkpoint
from sklkd._sklearn import _routing_enabled
from sklkd.estimators._task import Task, of_outputs
from sklkd.estimators._validation import validation_loss
from sklkd.knowledge import outputs_of
from sklkd.rows import Rows
from sklkd.teachers import Teacher, TeacherFitter, can_clone, is_costly, reduced_teacher, unfrozen

REDUCED_FAILED, FAILED = 0.15, 0.5
"""A clone has failed where its loss on rows that it and the teacher have seen is above the teacher's by more than this
part of its loss on unseen rows: 0.11 at most where it has not, 0.2 to 1 where it, or one of its members, has diverged
(benchmarks/README.md, "Clones that fail"). A reduced one can be replaced; of few rows a whole one may miss as much."""
ROUNDING = 1e-9
"""Losses of perfect teachers differ by that."""
COMPARED = 2_000
COSTLY = 4
"""On about how many of the rows that both have seen this is looked at; of a costly teacher on one for so many held."""
MOST = 200_000
"""Rows that a clone is fitted on; of more it tells the same, and boosters hold them twice in float64."""


@dataclass(frozen=True, eq=False)
class TeacherClones:
    """How clones of a teacher are fitted on parts of the rows, to find out how good it is on rows it has not seen.

    Attributes
    ----------
    teacher : object
        As the user passed it.
    fitter : TeacherFitter
    task : Task
    """

    teacher: Any
    fitter: TeacherFitter
    task: Task

    def unfitted(self) -> TeacherClones:
        """The same without what the teacher has learnt, which other processes need not be sent."""
        if _routing_enabled():
            return self  # what the teacher requests is asked of the estimator
        fitter, estimator = copy.copy(self.fitter), copy.copy(self.fitter.estimator)
        fitter.estimator, estimator.teacher = estimator, unfrozen(self.teacher)
        return replace(self, teacher=estimator.teacher, fitter=fitter)

    def attempt(self, seen: Rows, held: Rows, checkpoint: Checkpoint) -> NDArray | str | None:
        """As :meth:`predictions`, or the name of the error that the clone ends in; either is kept."""

        def tried() -> NDArray | str | None:
            try:
                return self.predictions(seen, held)
            except Exception as error:  # noqa: BLE001 - teachers of any kind fail in any way
                return type(error).__name__

        return checkpoint.kept("outputs", tried)

    def predictions(self, seen: Rows, held: Rows) -> NDArray | None:
        """What the teacher would predict for held rows if it had seen the others alone.

        That is what a reduced clone predicts, or a whole one where the reduced one fails: where much of its loss on
        unseen rows is there on seen ones too and is not the teacher's, as with boosters that diverge on rare classes.
        None if the whole clone fails as well. A teacher that is worse on held rows, seen or not, than a clone that has
        not seen them is none that such a clone stands for, as one that was fitted on other columns: these are its own
        outputs.
        """
        whole = unfrozen(self.teacher)
        reduced = reduced_teacher(whole)
        compared = max(1, len(held) // COSTLY) if is_costly(whole) else COMPARED
        some = seen.take(np.arange(0, len(seen), math.ceil(len(seen) / compared)))
        usual = validation_loss(of_outputs(some.outputs), some, self.task)
        for draft in [reduced] if reduced is whole else [reduced, whole]:
            predicted, again = self._of_clone(draft, seen, [held, some])
            excess = validation_loss(again, some, self.task) - usual
            failed = REDUCED_FAILED if draft is not whole else FAILED
            if excess <= failed * validation_loss(predicted, held, self.task) + ROUNDING:
                return max(predicted, of_outputs(held.outputs), key=lambda one: validation_loss(one, held, self.task))
        return None

    def labelled(self, seen: Rows) -> tuple[Rows, Callable[[Rows], Rows]]:
        """Rows with the outputs of a clone that is fitted on them, out of bag if it has such; and how others get its.

        Raises
        ------
        ValueError
            Where the teacher cannot be cloned; and whatever its fit raises.
        """
        if not can_clone(self.teacher):
            raise ValueError("the teacher cannot be cloned.")
        seen = seen.few(MOST)
        clone, rows = self._fitted(reduced_teacher(unfrozen(self.teacher)), seen)
        found: Any = outputs_of(clone, rows, "auto").outputs

        def label(others: Rows) -> Rows:
            return replace(others, outputs=self.task.standardize(clone.outputs(others.X)))

        return replace(seen, outputs=self.task.standardize(found)), label

    def _of_clone(self, draft: Any, seen: Rows, parts: Sequence[Rows]) -> list[NDArray]:
        clone, rows = self._fitted(draft, seen.few(MOST))
        answers = self.fitter.answers(draft, rows, refit=True)
        return [of_outputs(self.task.standardize(answers.of(clone, part.X, spread=False))) for part in parts]

    def _fitted(self, draft: Any, seen: Rows) -> tuple[Teacher, Rows]:
        """The adapter of a clone, and the rows that it was fitted on, in the user's terms."""
        equal = seen.weight is None or bool(np.all(seen.weight == seen.weight[0]))
        rows = Rows(seen.X, self.task.decode(seen.y), None if equal else seen.weight, metadata=seen.metadata)
        return self.fitter.adapt(self.teacher, self.fitter.fit(draft, rows, refit=True), rows, refit=True), rows
