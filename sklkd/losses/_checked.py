"""Losses as the user passes them: one, or a list of named ones."""

from __future__ import annotations

from typing import Any

from sklearn.base import clone

from sklkd._named import check_names
from sklkd.losses._base import Loss


def named_task(task: str) -> str:
    """What a task is called in messages."""
    return "several labels a row" if task == "multilabel" else task


def check_task(parameter: str, one: Any, task: str) -> None:
    """Raise ``ValueError`` where a loss or a method has no meaning for a task."""
    if task not in one.tasks:
        raise ValueError(
            f"{parameter}: {type(one).__name__} has no meaning for {named_task(task)}, only for "
            f"{' and '.join(map(named_task, one.tasks))}."
        )


def check_losses(loss: Any, default: Loss, task: str, reserved: set[str]) -> list[tuple[str, Loss]]:
    """Fresh clones of the losses, named, their parameters checked.

    Raises
    ------
    TypeError
        Where something is not a :class:`~sklkd.losses.Loss`.
    ValueError
        Where a name repeats, contains "__" or is a parameter's, or a loss has no meaning for the task.
    """
    if isinstance(loss, list):
        check_names("loss", loss, reserved)
    pairs = loss if isinstance(loss, list) else [("loss", default if loss is None else loss)]
    for _, one in pairs:
        if not isinstance(one, Loss):
            raise TypeError(f"loss must be a Loss of sklkd.losses or a list of (name, Loss), got {one!r}.")
        check_task("loss", one, task)
        one.check()
    return [(name, clone(one)) for name, one in pairs]
