"""The base of all methods: objects with scikit-learn parameters that say how networks learn from each other."""

from __future__ import annotations

from typing import Any, ClassVar

from sklearn.base import BaseEstimator

from sklkd.losses._base import check_number
from sklkd.losses._checked import check_task


class Method(BaseEstimator):
    """Base of the methods of the online and the self mode.

    ``__init__`` only stores; ``check`` looks at the parameters at fit. A fit never changes a method: the
    estimator trains with a clone, ``method_``.

    Attributes
    ----------
    tasks : tuple of {"classification", "multilabel", "regression"}
        Where the method has a meaning.
    """

    tasks: ClassVar[tuple[str, ...]] = ("classification", "multilabel", "regression")

    def check(self, task: str) -> None:
        """Raise ``ValueError`` or ``TypeError`` for a parameter out of its range, or a task without a meaning."""
        check_task("method", self, task)


def check_fraction(name: str, value: Any) -> None:
    """Raise unless a parameter is a number between 0 and 1."""
    check_number(name, value, 0)
    if value > 1:
        raise ValueError(f"{name} must be <= 1, got {name}={value}.")
