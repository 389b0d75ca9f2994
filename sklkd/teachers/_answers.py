"""Answers of costly teachers, cached as their fits are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklkd._sklearn import _num_samples
from sklkd.teachers._base import Teacher
from sklkd.teachers._outputs import Outputs


@dataclass(frozen=True)
class Answers:
    """Asks a fitted teacher, or the cache for what it has answered before.

    Attributes
    ----------
    memory : joblib.Memory or None, default=None
    key : str or None, default=None
        Stands for the unfitted teacher and all that it was fitted on. None: nothing is cached.
    """

    memory: Any = None
    key: str | None = None

    def of(self, teacher: Teacher, X: Any, *, spread: bool, empty: Callable[..., np.ndarray] | None = None) -> Outputs:
        """``teacher.outputs(X, spread=spread, empty=empty)``."""
        if self.key is None:
            return teacher.outputs(X, spread=spread, empty=empty)
        found = self.memory.cache(ask, ignore=["teacher"])(self.key, X, spread, teacher)
        return found if empty is None else Outputs.collected([found], _num_samples(X), empty)


def ask(key: str, X: Any, spread: bool, teacher: Teacher) -> Outputs:
    """The outputs of a teacher for which a key stands; a function of its own so that joblib can cache it."""
    return teacher.outputs(X, spread=spread)
