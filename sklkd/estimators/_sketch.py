"""Clones of a teacher that are fitted to find out how good it is, not to teach."""

from __future__ import annotations

from typing import Any

from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from torch import nn

from sklkd.teachers import Precomputed

MEMBERS, ROUNDS, FASTEST = 100, 30, 0.3  # a sketch's members, least rounds and largest rate


def sketch(teacher: Any) -> Any:
    """A teacher that costs a third and answers nearly as well: fewer trees.

    Bagged ensembles get 100 members, boosters a third of their rounds at three times the rate, wherever they stand in
    the teacher; everything else stays as it is.
    """
    if isinstance(teacher, list):
        return [(name, sketch(member)) for name, member in teacher]
    params = teacher.get_params(deep=True)
    fewer: dict[str, Any] = {}
    for name, rounds in params.items():
        prefix, _, last = name.rpartition("__")
        if last not in ("n_estimators", "max_iter", "iterations") or not isinstance(rounds, int):
            continue
        key = f"{prefix}__learning_rate" if prefix else "learning_rate"
        rate = params.get(key)
        if isinstance(rate, float) and rounds >= 3 * ROUNDS and 3 * rate <= FASTEST + 1e-9:
            fewer |= {name: rounds // 3, key: 3 * rate}
        elif key not in params and last == "n_estimators" and rounds > MEMBERS:
            fewer[name] = MEMBERS
    return clone(teacher).set_params(**fewer) if fewer else teacher


def can_clone(teacher: Any) -> bool:
    """Whether an unfitted clone of a teacher can be had."""
    if isinstance(teacher, list):
        return all(can_clone(member) for _, member in teacher)
    if isinstance(teacher, (nn.Module, Precomputed)) or not all(hasattr(teacher, one) for one in ("get_params", "fit")):
        return False
    # a distilled estimator without its teacher, or that learnt from given outputs
    return not (hasattr(teacher, "student_") and getattr(teacher, "teacher", teacher) is None)


def thawed(teacher: Any) -> Any:
    """A teacher whose clone is unfitted."""
    if isinstance(teacher, list):
        return [(name, thawed(member)) for name, member in teacher]
    return teacher.estimator if isinstance(teacher, FrozenEstimator) else teacher
