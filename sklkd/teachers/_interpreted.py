"""Teachers whose outputs have to be interpreted: nothing but the numbers says whether they are probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd.teachers._base import Teacher
from sklkd.teachers._checked_outputs import checked_numbers
from sklkd.teachers._reading import reading_of, to_probabilities


class InterpretedTeacher(Teacher):
    """Base of adapters that give ``raw`` outputs, which are read as probabilities or logits by what they look like.

    The reading is decided once, on up to 256 of the rows that the adapter is prepared with; ``reads_as`` tells it.
    """

    needs_rows = interprets = True

    def raw(self, X: Any) -> Any:
        """What the model returns: (n,), (n, 1) or (n, n_classes)."""
        raise NotImplementedError

    def read(self, rows: Any) -> str:
        """What the outputs mean, from those for some rows."""
        return reading_of(self._checked_raw(rows))

    def reading(self, X: Any) -> str:
        """What the outputs mean, from the rows that the adapter was prepared with, or from these where it was not."""
        known: Any = self._known(X)
        return known.learnt("reading", known.read, X)

    @property
    def reads_as(self) -> str | None:
        if self.classes is None:
            return "values"
        if self._reference is None:
            return None
        rows = self._reference.few()
        return self._learnt.get("reading") if rows is None else self.reading(rows)

    def predict_proba(self, X: Any) -> Any:
        return to_probabilities(self._checked_raw(X), self.reading(X))

    def predict(self, X: Any) -> Any:
        return self.raw(X)

    def _checked_raw(self, X: Any) -> NDArray[np.float64]:
        return checked_numbers(self.raw(X), X, f"predict of {self.name}")
