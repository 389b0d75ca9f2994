"""Which column of a teacher is which class of the student."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def class_columns(
    labels: Sequence[Any] | None,
    n_columns: int,
    classes: np.ndarray,
    *,
    seen: Sequence[Any] | None = None,
    takes_codes: bool = False,
    missing: str = "error",
    teacher: str = "teacher",
) -> np.ndarray:
    """For every class of the student the teacher's column, -1 where it has none.

    Classes are matched by name. A teacher that only takes codes (XGBoost, skorch, torch), or that has seen none of
    the names but as many codes, is read as having been trained on the codes 0..K-1 of the sorted classes.

    Parameters
    ----------
    labels : sequence or None
        The teacher's ``classes_``; None for a teacher that has none.
    n_columns : int
        How many columns its output has.
    classes : ndarray
        The student's sorted classes.
    seen : sequence or None
        The classes that the teacher's codes stand for, where these were not all of ``classes``.
    takes_codes : bool
        Whether this kind of teacher is always trained on codes.
    missing : {"error", "floor", "zero"}
        Whether a class that the teacher has never seen is an error.
    teacher : str
        Its name in messages.
    """
    takes_codes = takes_codes or labels is None
    names = list(range(n_columns)) if labels is None else np.asarray(labels).tolist()
    if len(names) != n_columns:
        raise ValueError(
            f"{teacher} has {len(names)} classes_ but returns {n_columns} columns; there must be one per class."
        )
    names = _names(names, classes.tolist(), seen, takes_codes)
    position = {name: column for column, name in enumerate(names)}
    columns = np.array([position.get(name, -1) for name in classes.tolist()], dtype=np.intp)
    if missing == "error" and (columns < 0).any():
        raise ValueError(_unseen(teacher, names, classes[columns < 0].tolist(), labels is None))
    return columns


def _names(names: list, classes: list, seen: Sequence[Any] | None, takes_codes: bool) -> list:
    """What the teacher's columns are called in the student's terms."""
    if names == list(range(len(names))) and not isinstance(names[0], bool):
        table = classes if seen is None else np.asarray(seen).tolist()
        if len(table) == len(names) and (takes_codes or not set(names) & set(classes)):
            return table
    if not set(names) & set(classes):
        # CatBoost, for one, turns booleans into "False" and "True".
        spelled = {str(name): name for name in classes}
        if set(map(str, names)) & set(spelled):
            return [spelled.get(str(name), name) for name in names]
    return names


def _unseen(teacher: str, names: list, unseen: list, by_position: bool) -> str:
    if by_position:
        return (
            f"{teacher} returns {len(names)} columns and has no classes_, so that they cannot be matched with the "
            f"classes of y (no column for {unseen[0]!r}); give it as many outputs as y has classes, or a classes_."
        )
    some = ", ".join(map(repr, unseen[:5])) + (", ..." if len(unseen) > 5 else "")
    return (
        f"{teacher} has never seen class {some} of y (its classes_: {', '.join(map(repr, names[:10]))}); "
        "refit it or drop these rows."
    )
