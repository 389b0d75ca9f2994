"""Columns by which rows are told apart, and how their values are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd._columns import DATES, ColumnCodec
from sklkd._sklearn import _num_samples


@dataclass(frozen=True, eq=False)
class Columns:
    """A table as numbers, with what is needed to write its values.

    Attributes
    ----------
    values : ndarray of shape (n, d)
        Numbers, codes of categories, or seconds; NaN where missing.
    names : list of str
    categories : list of (ndarray or None)
    times : list of (str or None)
        "dates" or "durations".
    """

    values: NDArray[np.float64]
    names: list[str]
    categories: list[Any]
    times: list[Any]

    @classmethod
    def of(cls, X: Any) -> Columns | None:
        """Those of a table; None for what has no columns to speak of: images, texts, wide sparse matrices."""
        shape = getattr(X, "shape", None) or np.shape(X)
        if len(shape) != 2:
            return None
        codec = ColumnCodec(invertible=False)
        values = codec.fit_transform(X)
        if codec.sparse_:
            return None
        names = getattr(codec, "feature_names_in_", None)
        names = [f"column {j}" for j in range(values.shape[1])] if names is None else list(map(str, names))
        return cls(values, names, list(codec.categories_), list(codec.times_))

    def written(self, j: int, value: float) -> str:
        """One value of a column."""
        if self.categories[j] is not None:
            return str(self.categories[j][int(value)])
        if self.times[j] is not None:
            seconds = np.timedelta64(round(value), "s")
            if self.times[j] != DATES:
                return str(seconds.astype(object))
            return str(np.datetime64(0, "s") + seconds).removesuffix("T00:00:00").replace("T", " ")
        return f"{value:.6g}"


def column_by(by: Any, X: Any) -> Columns:
    """The one column by which rows are grouped.

    Raises
    ------
    ValueError
        If there is no such column, or there is not one value a row.
    """
    if isinstance(by, str):
        names = getattr(X, "columns", None)
        if names is None:
            raise ValueError(f"by={by!r} names a column, but X is no frame: pass the values, one a row.")
        if by not in list(names):
            raise ValueError(f"by must be one of X's columns {list(map(str, names))} or an array, got by={by!r}.")
        table, name = X[[by]], by
    else:
        name = str(getattr(by, "name", None) or "group")
        array = np.asarray(by)
        if array.shape != (_num_samples(X),):
            raise ValueError(f"by must have one value a row, shape ({_num_samples(X)},), got shape {array.shape}.")
        if array.dtype.kind == "b":
            array = array.astype(str)
        elif array.dtype.kind in "mM":
            array = array.astype(f"{array.dtype.kind}8[us]").astype(object)
        table = array[:, None]
    found = Columns.of(table)
    if found is None:
        raise ValueError("by must be a column of numbers, categories or dates.")
    return Columns(found.values, [name], found.categories, found.times)
