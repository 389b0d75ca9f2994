"""The account of what a fit has decided, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sklkd.teachers import Estimand


@dataclass(frozen=True)
class DistillationAccount:
    """What the teacher was taken for, and what weight labels and label-only students have beside it.

    Attributes
    ----------
    estimand : Estimand
        What the teacher estimates, and where that is known from.
    blend : float
        Weight of the label-only students in the targets.
    hard_weight : float
        Weight of the labels' own term in the loss.
    reason : str
        What the two rest on, a sentence.
    n_validation : int, default=0
        Validation rows that neither teacher nor label-only students have seen; 0: nothing was validated.
    losses : dict of str to float
        Losses on these rows of the ``"teacher"``, the ``"label-only students"`` and their best ``"mixture"``: log loss,
        or the root mean squared error in units of the targets' standard deviation. Empty if nothing was validated.
    notes : tuple of str
        What else was noticed: outputs that were taken for probabilities, knowledge that could not be read, the decision
        threshold that is inherited, a wide sparse table without synthetic rows.
    """

    estimand: Estimand
    blend: float
    hard_weight: float
    reason: str
    n_validation: int = 0
    losses: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [
            f"Teacher: {self.estimand}.",
            f"blend={self.blend:g}, hard_weight={self.hard_weight:g}: {self.reason}.",
        ]
        if self.losses:
            found = ", ".join(f"{name} {loss:.4g}" for name, loss in self.losses.items())
            lines.append(f"Loss on {self.n_validation} validation rows: {found}.")
        return "\n".join([*lines, *(f"{note}." for note in self.notes)])
