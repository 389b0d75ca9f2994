"""What scikit-learn's encoders make of the categories that they have learnt."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import OneHotEncoder

from sklkd._sklearn import one_hot_widths
from sklkd.export._compare import about_rows_ignored
from sklkd.export._format import UNSEEN


class CannotWrite(NotImplementedError):
    """Why a transformer has no form in a file."""


def tables_of(encoder: Any) -> Iterator[Any]:
    """For each column what an encoder gives for every category, and then, if it takes one, for an unseen one.

    Of a ``OneHotEncoder`` in CSR format, (n_cells, n_outputs), of others as an array of float64.
    """
    if isinstance(encoder, OneHotEncoder):
        encoder = copy.copy(encoder)
        encoder.sparse_output = True
        start = 0
        for j, width in enumerate(one_hot_widths(encoder)):
            yield _outputs_of_categories(encoder, j)[:, start : start + width].tocsr()
            start += width
        return
    for j in range(encoder.n_features_in_):
        rows = np.asarray(_outputs_of_categories(encoder, j), dtype=np.float64)
        width = rows.shape[1] // encoder.n_features_in_
        yield rows[:, j * width : (j + 1) * width]


def _outputs_of_categories(encoder: Any, j: int) -> Any:
    """All outputs for every category of a column, and then, if the encoder takes one, for an unseen one."""
    known = [learnt(categories) for categories in encoder.categories_]
    cells = known[j].tolist()
    if takes_unseen(encoder):
        cells.append(unseen_of(known[j]))
    dtype = object if any(categories.dtype == object for categories in known) else np.float64
    rows = np.empty((len(cells), len(known)), dtype=dtype)
    for k, categories in enumerate(known):
        rows[:, k] = categories[0]
    rows[:, j] = cells
    with about_rows_ignored():
        found = encoder.transform(rows)
    return found if hasattr(found, "tocsr") else np.asarray(found)


def takes_unseen(encoder: Any) -> bool:
    """Whether a category that was not there at fit is something else than an error."""
    return getattr(encoder, "handle_unknown", "ignore") != "error"


def unseen_of(categories: NDArray) -> Any:
    """A value that is none of these categories."""
    return UNSEEN if categories.dtype == object else np.nanmax(categories, initial=0.0) + 1


def learnt(categories: NDArray) -> NDArray:
    """Categories as float64, or as objects where some are strings."""
    cells = categories.tolist()
    if any(isinstance(one, str) for one in cells) or all(one is None for one in cells):
        return np.array(cells, dtype=object)
    if categories.dtype.kind in "biuf" or all(isinstance(one, (int, float)) for one in cells):
        return np.array(cells, dtype=np.float64)
    raise CannotWrite(f"its categories must be strings or numbers, got {type(cells[0]).__name__}.")
