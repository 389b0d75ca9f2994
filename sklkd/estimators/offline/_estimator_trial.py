"""Whether a student that is no network is better with the teacher, with synthetic rows, or on labels alone.

A small network, or a single tree, gains from soft targets for any teacher that is better than itself. An ensemble that
averages already may lose by them, and by synthetic rows, on which it spends trees: that is found out by fitting it on a
part of the rows, beside a clone of the teacher that has seen no more (benchmarks/README.md, "Students of other kinds").
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from sklkd.estimators._teacher_layers import TeacherLayers
from sklkd.estimators._training import AnyTrained
from sklkd.estimators._validation import validation_loss
from sklkd.estimators.offline._blending import Blending, BlendingDecision
from sklkd.rows import Rows
from sklkd.teachers import Teacher

LABELS, REAL, ALL = "student on labels alone", "student without synthetic rows", "student"


@dataclass(frozen=True, eq=False)
class EstimatorTrial:
    """Fits the student in three ways on a part of the rows, and looks at the others.

    Attributes
    ----------
    decision : BlendingDecision
        Has made the blending.
    blending : Blending
    teacher : Teacher
        The adapter of the fitted teacher, of which losses ask what it estimates.
    synthetic : callable or None
        Makes synthetic rows like given ones; None: there are to be none.
    optional : bool
        Whether synthetic rows may be left out.
    """

    decision: BlendingDecision
    blending: Blending
    teacher: Teacher
    synthetic: Callable[[Rows], Rows] | None
    optional: bool

    def better(self) -> Blending:
        """The blending, or what is better than it on validation rows; as it is where nothing can be tried."""
        losses = self.decision.checkpoint.kept("trial", self._losses)
        account = self.blending.account
        if isinstance(losses, str):
            reason = (
                f"{account.reason}; the student was not tried in other ways, because a clone of the teacher could not "
                f"be fitted on a part of the rows ({losses})"
            )
            return replace(self.blending, account=replace(account, reason=reason))
        best = min(losses, key=lambda name: losses[name])
        account = replace(account, losses={**account.losses, **losses})
        if best == LABELS:
            reason = "the student is better on labels alone than with the teacher, on validation rows"
            return Blending(replace(account, blend=0.0, hard_weight=1.0, reason=reason))
        return replace(self.blending, account=account, synthetic=best == ALL or self.synthetic is None)

    def _losses(self) -> dict[str, float] | str:
        """Losses on validation rows, by what the student was fitted on, or the name of the error of a clone."""
        decision, losses = self.decision, defaultdict[str, list[float]](list)
        with warnings.catch_warnings():
            # a clone's complaints are those of the teacher, which has made them already
            warnings.simplefilter("ignore")
            try:
                parts = decision.trials()
            except Exception as error:  # noqa: BLE001 - teachers of any kind fail in any way
                return type(error).__name__
        for k, (seen, held, clone) in enumerate(parts):
            for name, trained in self._students(k, seen, clone):
                losses[name].append(validation_loss(trained.predictions(held), held, decision.task))
        return {name: float(np.mean(found)) for name, found in losses.items()}

    def _students(self, k: int, seen: Rows, clone: Callable[[Rows], Rows]) -> Iterator[tuple[str, AnyTrained]]:
        """The student fitted on rows that a clone of the teacher labels."""
        decision, blending = self.decision, self.blending
        alone = decision.label_student(k)
        yield LABELS, alone
        if blending.students:
            blending = replace(blending, students=(alone,))
        layers = TeacherLayers(decision.losses, self.teacher, decision.task)

        def fitted(kind: str, real: Rows, others: list[Rows]) -> AnyTrained:
            others = [blending.targets(replace(part, columns=real.columns)) for part in others]
            real = blending.with_labels(real, decision.task)
            return decision.new_training(k, kind).fit(real, others, layers, blending.hard_weight)

        if self.synthetic is None or self.optional:
            yield REAL, fitted("real", seen, [])
        if self.synthetic is not None:
            yield ALL, fitted("synthetic", seen, [clone(self.synthetic(seen))])
