"""From which libraries an estimator comes, which are recognised without being imported."""

from __future__ import annotations

from typing import Any


def libraries(estimator: Any) -> set[str]:
    """The packages of an estimator's class and of the classes that it inherits."""
    return {parent.__module__.partition(".")[0] for parent in type(estimator).__mro__}
