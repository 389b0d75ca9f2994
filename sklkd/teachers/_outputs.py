"""The outputs of a teacher."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

FLOOR = 1e-4
"""The smallest probability of which a logarithm is taken, and what a class that a fold never saw is given.

Trees and small forests predict 0 and 1; log 0 is no target. 1e-4 is far below what such a teacher can tell apart (one
vote of a thousand trees is 1e-3) and keeps logits within about nine units.
"""

IN_UNITS_OF_Y = ("values", "spread")
"""What float32 may not hold: it may be far from 0, with small differences."""


@dataclass(frozen=True, eq=False)
class Outputs:
    """A teacher's outputs for n rows, in float64; those that a fit collects for all its rows in float32 for classes.

    Parameters
    ----------
    proba : ndarray of shape (n, n_classes), optional
        Classification: probabilities. Rows sum to one, columns follow the student's ``classes_``.
    margins : ndarray of shape (n, n_classes), optional
        Classification: raw margins, for teachers that have them, with ``softmax(margins) == proba``.
    values : ndarray of shape (n, n_targets), optional
        Regression: predicted values.
    spread : ndarray of shape (n, n_targets), optional
        Regression: standard deviation over an ensemble's members. Computed only when it is asked for.

    Examples
    --------
    >>> import numpy as np
    >>> from sklkd.teachers import Outputs
    >>> outputs = Outputs(proba=np.array([[0.0, 1.0], [0.5, 0.5]]))
    >>> len(outputs)
    2
    >>> outputs.logits.round(2)
    array([[-9.21, -0.  ],
           [-0.69, -0.69]])
    """

    proba: np.ndarray | None = None
    margins: np.ndarray | None = None
    values: np.ndarray | None = None
    spread: np.ndarray | None = None

    @property
    def logits(self) -> np.ndarray:
        """Margins where the teacher has them, else the logarithm of its probabilities, floored at ``FLOOR``."""
        if self.margins is not None:
            return self.margins
        if self.proba is None:
            raise ValueError("a regression teacher's outputs have no logits; use values.")
        floored = np.maximum(self.proba, FLOOR)
        return np.log(floored / floored.sum(axis=1, keepdims=True))

    def __len__(self) -> int:
        return len(self.proba if self.proba is not None else self.values)  # type: ignore[arg-type]

    def take(self, index: Any) -> Outputs:
        """The outputs of the rows in ``index`` (a slice, a mask or integers)."""
        return Outputs(**{name: part[index] for name, part in self._parts()})

    @staticmethod
    def concatenate(outputs: Sequence[Outputs]) -> Outputs:
        """Outputs one after the other; a part that some of them lack, such as margins, is left out."""
        if len(outputs) == 1:
            return outputs[0]
        for one in outputs:
            _check_alike(one, outputs[0])
        shared = set.intersection(*({name for name, _ in one._parts()} for one in outputs))
        return Outputs(**{name: np.concatenate([getattr(one, name) for one in outputs]) for name in shared})

    @staticmethod
    def collected(outputs: Iterable[Outputs], n: int, empty: Callable[..., np.ndarray]) -> Outputs:
        """The same, each written as it comes to arrays for n rows that ``empty`` makes: those of classes in float32."""
        made: dict[str, np.ndarray] = {}
        start = 0
        for one in outputs:
            parts = dict(one._parts())
            if start == 0:
                like = one
                kinds = {
                    name: np.float32 if name in ("proba", "margins") else part.dtype for name, part in parts.items()
                }
                made = {name: empty((n, *part.shape[1:]), kinds[name]) for name, part in parts.items()}
            _check_alike(one, like)
            made = {name: whole for name, whole in made.items() if name in parts}
            for name, whole in made.items():
                whole[start : start + len(one)] = parts[name]
            start += len(one)
        return Outputs(**made)

    def _parts(self) -> list[tuple[str, np.ndarray]]:
        held = ((field.name, getattr(self, field.name)) for field in fields(self))
        return [(name, part) for name, part in held if part is not None]


def _check_alike(one: Outputs, other: Outputs) -> None:
    """Raise where a teacher has given more columns for some rows than for others."""
    of_other = dict(other._parts())
    for name, part in one._parts():
        if name in of_other and part.shape[1:] != of_other[name].shape[1:]:
            raise ValueError(
                f"the teacher must give as many values per row for all rows, got {part.shape[1]} for some and "
                f"{of_other[name].shape[1]} for others."
            )
