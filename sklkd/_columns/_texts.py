"""Texts as rows: a list, a series or an array of one dimension, which steps of teacher and student read."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def has_one_dimension(X: Any) -> bool:
    """Whether X is a series, an array of one dimension, or a list with a text in it."""
    if isinstance(X, (list, tuple)):
        return any(isinstance(row, str) for row in X)
    return len(getattr(X, "shape", ())) == 1


def checked_texts(X: Any) -> Any:
    """X itself, as an array where it is a list; None where nothing in it is a text.

    Raises
    ------
    ValueError
        If only some of the rows are texts.
    """
    cells = list(X)
    texts = [isinstance(cell, str) for cell in cells]
    if not any(texts):
        return None
    if not all(texts):
        i = texts.index(False)
        raise ValueError(
            f"X of one dimension must hold texts, got {type(cells[i]).__name__} in row {i:,}: put '' in the place of "
            "missing texts, or pass a frame if there are several columns."
        )
    return np.array(cells, dtype=object) if isinstance(X, (list, tuple)) else X


def text_codes(X: Any) -> NDArray[np.float64]:
    """For each text the number of its place among the distinct ones, sorted; of shape (n, 1)."""
    return np.unique(np.asarray(X, dtype=object), return_inverse=True)[1].reshape(-1, 1).astype(np.float64)
