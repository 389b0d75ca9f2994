"""Whether a teacher predicts for rows with missing values."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import sparse

from sklkd.teachers._base import Teacher
from sklkd.teachers._rows import take


def accepts_missing(teacher: Teacher, X: Any) -> bool:
    """Whether a teacher predicts for a row with one missing value.

    It is asked for the first row of ``X`` with its first number missing and, where some columns hold no numbers, again
    with the first of these missing.

    Parameters
    ----------
    teacher : Teacher
        The adapter.
    X : array-like, frame or sparse matrix
        At least one row as the user gives them; the others are not looked at.

    Returns
    -------
    bool
        True if it predicted finite numbers each time. Nothing is raised, whatever the teacher does, but MemoryError.
    """
    if not teacher.answers_new_rows:
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return all(len(teacher.outputs(row)) == 1 for row in rows_with_missing(take(X, [0])))
        except MemoryError:  # is no refusal
            raise
        except Exception:  # noqa: BLE001 - it is someone else's code, refusing in its own way
            return False


def rows_with_missing(row: Any) -> Iterator[Any]:
    """One row with a number missing, and with something else missing, as far as it has either."""
    if sparse.issparse(row):
        values = row.toarray().astype(np.float64)
        values[0, 0] = np.nan
        yield type(row)(values)
    elif hasattr(row, "iloc"):
        for j in _first_of_each_kind(row.iloc[0].tolist()):
            changed = row.copy()
            changed.isetitem(j, row.iloc[:, j].where([False]))
            yield changed
    elif hasattr(row, "with_columns"):
        for j in _first_of_each_kind(row.row(0)):
            yield row.with_columns(row.to_series(j).clear(1))
    else:
        cells = np.asarray(row)
        for j in _first_of_each_kind(cells.reshape(1, -1)[0].tolist()):
            kind = np.promote_types(cells.dtype, np.float32) if cells.dtype.kind in "biuf" else object
            changed = cells.astype(kind)
            changed.reshape(1, -1)[0, j] = np.nan
            yield changed


def _first_of_each_kind(cells: Any) -> list[int]:
    numbers = [isinstance(cell, (int, float, np.number)) for cell in cells]
    return [numbers.index(kind) for kind in (True, False) if kind in numbers]
