"""The estimator that turns a user's table into a matrix and back."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from sklkd._columns._cells import (
    Coded,
    Lookup,
    as_array,
    cell_types,
    common_type,
    first_rows,
    fits_float32,
    sorted_categories,
    times_of,
    to_numbers,
)
from sklkd._columns._reader import ColumnReader, are_strings
from sklkd._columns._sparse import WIDE
from sklkd._columns._tables import Column, open_table
from sklkd._columns._times import Times, grain_of
from sklkd._sklearn import _fit_context

BLOCK = 2**16
"""Values of a matrix that are looked at together: they fit the cache."""


class ColumnCodec(ColumnReader, TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Turn the user's table into one float64 matrix, and such a matrix back into the user's table.

    The matrix of a sparse table of more than 500 columns is a ``csr_array``, from which the table is not made again;
    that of any other is an array.

    Numeric columns go through as they are (booleans as 0 and 1), categories become the codes 0 to K - 1 of their
    sorted values, a category that ``fit`` did not see becomes -1, dates become seconds since 1970 by their own clock
    (whatever their time zone), durations seconds, periods the seconds of their start, and whatever says "missing" (NaN,
    None, ``pandas.NA``, a polars null) becomes NaN. The strings ``"None"``, ``"nan"`` and ``"3.0"`` are categories like
    any other.

    The input may be a NumPy array (numeric, string, or object, which is read column by column: all cells numbers or
    missing, or else categories), a pandas or polars frame, a SciPy sparse matrix, or a list of lists. ``transform``
    accepts another kind of container than ``fit`` saw, as long as its columns are the same, in the same order. Neither
    pandas nor polars is imported.

    Parameters
    ----------
    invertible : bool, default=True
        Whether to keep what ``inverse_transform`` needs: column names, dtypes and one sample of every category, in the
        user's own container. With False the fitted object pickles without pandas and polars.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns, d.
    feature_names_in_ : ndarray of str, shape (d,)
        Column names; only where the container has them and all are strings.
    categories_ : list of (ndarray or None), length d
        None for a numeric column, else the sorted distinct values, missing ones left out.
    times_ : list of ({"dates", "durations"} or None), length d
        What a column holds, if either.
    integer_ : ndarray of bool, shape (d,)
        Numeric columns in which every value that ``fit`` saw is a whole number, whatever the dtype.
    missing_ : ndarray of bool, shape (d,)
        Columns in which ``fit`` saw a missing value.
    sparse_ : bool
        Whether ``fit`` saw a sparse table of more than 500 columns, so that matrices are in CSR format.

    Notes
    -----
    Whole numbers beyond 2**53 lose their last digits. A column that is missing throughout is numeric, whatever its
    dtype, and strings that turn up in it later count as missing: nothing has been learnt about it.

    Examples
    --------
    >>> import numpy as np
    >>> from sklkd._columns import ColumnCodec
    >>> X = np.array([[1.5, "red"], [2.5, None], [None, "blue"]], dtype=object)
    >>> codec = ColumnCodec().fit(X)
    >>> codec.transform(X)
    array([[1.5, 1. ],
           [2.5, nan],
           [nan, 0. ]])
    >>> codec.inverse_transform(codec.transform(X)).tolist()
    [[1.5, 'red'], [2.5, None], [None, 'blue']]
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {"invertible": ["boolean"]}

    def __init__(self, *, invertible: bool = True):
        self.invertible = invertible

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.sparse = True
        tags.input_tags.string = tags.input_tags.categorical = True
        return tags

    def fit(self, X: Any, y: Any = None) -> ColumnCodec:
        """Learn kinds, categories and container of the columns of ``X`` (n, d); ``y`` is ignored.

        Raises ``ValueError`` for infinity, complex numbers, and dates beside other cells in one column, and
        ``TypeError`` for cells that are neither strings nor numbers nor times.
        """
        self.fit_transform(X)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """Fit to ``X`` (n, d) and return its matrix: float64, shape (n, d)."""
        Z = self.fit_narrow(X)
        return Z if self.sparse_ else np.array(Z, dtype=np.float64, order="C")

    def fit_narrow(self, X: Any, empty: Callable[..., NDArray[Any]] = np.empty) -> Any:
        """As ``fit_transform``, for a matrix to read alone, which takes as little memory as can be.

        It is float32 where that holds every value exactly, and the user's own array where that has numbers alone.

        Parameters
        ----------
        X : array, frame or sparse matrix of shape (n, d)
        empty : callable, default=numpy.empty
            Makes an array of a shape and a dtype, to be filled.
        """
        table = open_table(X)
        n, d = table.shape
        for size, what in ((n, "sample"), (d, "feature")):
            if size == 0:
                raise ValueError(f"Found array with 0 {what}(s) (shape={(n, d)}) while a minimum of 1 is required.")
        self._names = table.names
        self.n_features_in_ = d
        if are_strings(self._names):
            self.feature_names_in_ = np.asarray(self._names, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        self.categories_: list[NDArray[Any] | None] = [None] * d
        self.times_: list[str | None] = [None] * d
        self._lookups: dict[int, Lookup] = {}
        self._objects: dict[int, tuple[type, Any]] = {}
        self.sparse_ = table.wide_sparse
        Z = table.csr() if self.sparse_ else table.numbers()
        if Z is None:
            Z = self._learn_columns(table, empty)
        if self.sparse_:
            self._learn_entries(Z)
        else:
            self._learn_values(Z)
        if self.invertible:
            rows = {j: first_rows(Z[:, j], len(lookup)) for j, lookup in self._lookups.items()}
            grains = {
                j: (kind, grain_of(Z[:, j].astype(float))) for j, kind in enumerate(self.times_) if kind is not None
            }
            self._template = table.keep(rows, self._objects, grains)
        return Z

    def transform(self, X: Any) -> Any:
        """The matrix of ``X`` (n, d): float64, shape (n, d), a copy, in CSR format where ``sparse_``; n may be 0."""
        check_is_fitted(self, "categories_")
        return self._read(X)

    def inverse_transform(self, Z: NDArray[np.float64]) -> Any:
        """The table of a matrix (n, d): the container, names and dtypes of ``fit``, with whole numbers rounded.

        Raises ``ValueError`` where a code stands for no category, or a value is missing that the dtype cannot miss.
        """
        check_is_fitted(self, "categories_")
        self._check_invertible()
        Z = np.asarray(Z, dtype=np.float64)
        if Z.ndim != 2 or Z.shape[1] != self.n_features_in_:
            raise ValueError(f"Z must have shape (n, {self.n_features_in_}), got {Z.shape}.")
        for j, lookup in self._lookups.items():
            codes = Z[:, j]
            bad = ~(np.isnan(codes) | ((codes >= 0) & (codes < len(lookup)) & (codes == np.rint(codes))))
            if bad.any():
                raise ValueError(
                    f"Column {self._name(j)} of Z must hold codes 0 to {len(lookup) - 1}, got {codes[bad][0]:g}; "
                    "-1 stands for a category that fit did not see, which cannot be restored."
                )
        return self._template.fill(self._template.with_whole_grains(Z))

    def storable(self, Z: NDArray[np.float64]) -> NDArray[np.float64]:
        """The matrix that ``transform`` reads from the table of ``inverse_transform(Z)``, without making the table.

        Numbers are rounded to what the dtypes of ``fit`` hold.
        """
        check_is_fitted(self, "categories_")
        self._check_invertible()
        return self._template.stored(self._template.with_whole_grains(np.asarray(Z, dtype=np.float64)))

    def without_template(self) -> ColumnCodec:
        """A copy that has learnt the same, with ``invertible=False``: it pickles without pandas and polars."""
        check_is_fitted(self, "categories_")
        light = copy.copy(self)
        light.invertible = False
        for name in ("_template", "_objects"):
            light.__dict__.pop(name, None)
        return light

    def learn_categories(self, j: int, categories: list[Any]) -> None:
        """Let a column hold these categories, whose codes count from 0."""
        self.categories_[j] = np.array([*categories, None], dtype=object)[:-1]
        self._lookups[j] = Lookup(categories)

    def codes_of(self, j: int, categories: NDArray[Any]) -> NDArray[np.intp]:
        """The codes of some categories of a column."""
        return self._lookups[j].codes(categories.tolist(), self._name(j)).astype(np.intp)

    def kinds(self) -> list[str | None]:
        """What each column holds: "categories", "numbers", "dates" or "durations"; None if it is missing throughout."""
        known = zip(self.categories_, self.times_, self._empty.tolist(), strict=True)
        return [
            None if empty else "numbers" if categories is None and time is None else time or "categories"
            for categories, time, empty in known
        ]

    def united(self, others: Sequence[ColumnCodec]) -> ColumnCodec:
        """A copy, with ``invertible=False``, that has learnt what it and others have, each of a part of a table's rows.

        Their ``kinds`` are the same, but for columns that are missing throughout a part.
        """
        every = [self, *others]
        whole = self.without_template()
        whole.categories_, whole.times_, whole._lookups = list(self.categories_), list(self.times_), {}
        for j in range(self.n_features_in_):
            seen = [one for one in every if not one._empty[j]]
            whole.categories_[j], whole.times_[j] = None, seen[0].times_[j] if seen else None
            if seen and j in seen[0]._lookups:
                categories = sorted_categories([cell for one in seen for cell in one._lookups[j]])
                whole.categories_[j], whole._lookups[j] = as_array(categories), Lookup(categories)
        whole._empty = np.all([one._empty for one in every], axis=0)
        whole.missing_ = np.any([one.missing_ for one in every], axis=0)
        whole.integer_ = np.all([one.integer_ | one._empty for one in every], axis=0) & ~whole._empty
        return whole

    def of_columns(self, indices: NDArray[np.intp]) -> ColumnCodec:
        """A copy that has learnt the same of some columns, in this order, with ``invertible=False``."""
        some = self.without_template()
        some.n_features_in_ = len(indices)
        some.sparse_ = self.sparse_ and len(indices) > WIDE
        some._names = None if self._names is None else [self._names[j] for j in indices]
        if hasattr(self, "feature_names_in_"):
            some.feature_names_in_ = self.feature_names_in_[indices]
        some.categories_ = [self.categories_[j] for j in indices]
        some.times_ = [self.times_[j] for j in indices]
        some._lookups = {k: self._lookups[j] for k, j in enumerate(indices) if j in self._lookups}
        some._empty, some.missing_ = self._empty[indices], self.missing_[indices]
        some.integer_ = self.integer_[indices]
        return some

    def __getstate__(self) -> dict[str, Any]:
        # categories_ says the same, in arrays that skops stores; of a wide sparse table there are none
        left_out = {"_lookups", *(("categories_", "times_") if self.sparse_ else ())}
        return {name: value for name, value in super().__getstate__().items() if name not in left_out}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if state.get("sparse_"):
            none = [None] * state["n_features_in_"]
            state = state | {"categories_": none, "times_": list(none)}
        super().__setstate__(state)
        known = enumerate(state.get("categories_", []))
        self._lookups = {j: Lookup(categories.tolist()) for j, categories in known if categories is not None}

    def _check_invertible(self) -> None:
        if not self.invertible:
            raise ValueError("inverse_transform needs what fit saw: set invertible=True, got invertible=False.")
        if self.sparse_:
            raise ValueError(f"inverse_transform is for dense tables, and sparse ones of at most {WIDE} columns.")

    def _learn_values(self, Z: NDArray[np.float64]) -> None:
        """Which columns hold missing values, and which whole numbers alone."""
        empty, missing, whole = np.ones(Z.shape[1], bool), np.zeros(Z.shape[1], bool), np.ones(Z.shape[1], bool)
        # some rows at a time, so that no copy of a large matrix is made
        for start in range(0, len(Z), max(1, BLOCK // Z.shape[1])):
            rows = Z[start : start + max(1, BLOCK // Z.shape[1])]
            self._check_finite(rows)
            absent = np.isnan(rows)
            empty &= absent.all(axis=0)
            missing |= absent.any(axis=0)
            whole &= ((rows == np.rint(rows)) | absent).all(axis=0)
        numeric = np.array([categories is None for categories in self.categories_])
        self._empty, self.missing_, self.integer_ = empty, missing, whole & ~empty & numeric

    def _learn_entries(self, Z: Any) -> None:
        """The same of a matrix in CSR format."""
        self._check_finite(Z)
        n, d = Z.shape
        absent = np.isnan(Z.data)
        n_missing = np.bincount(Z.indices[absent], minlength=d)
        broken = ~absent & (Z.data != np.rint(Z.data))
        self._empty, self.missing_ = n_missing == n, n_missing > 0
        self.integer_ = (np.bincount(Z.indices[broken], minlength=d) == 0) & ~self._empty

    def _learn_columns(self, table: Any, empty: Callable[..., NDArray[Any]]) -> NDArray[Any]:
        """Decide on the kinds of all columns, and return their numbers and codes."""
        Z = empty(table.shape, np.float32)
        for j in range(table.shape[1]):
            column = self._learn_column(j, table.column(j))
            if Z.dtype != np.float64 and not fits_float32(column):
                narrow, Z = Z, empty(table.shape, np.float64)
                Z[:, :j] = narrow[:, :j]
            Z[:, j] = column
        return Z

    def _learn_column(self, j: int, column: Column) -> NDArray[np.float64]:
        """Decide on the kind of a column, remember it, and return its numbers or codes."""
        if isinstance(column, np.ndarray):
            return column
        if isinstance(column, Times):
            self.times_[j] = column.kind
            return column.seconds
        if isinstance(column, Coded):
            seen = column.used
            if not seen:
                self._objects[j] = (type(None), None)
                return np.full(len(column.codes), np.nan)
        else:
            types, missing_cell = cell_types(column, self._name(j))
            if not any(issubclass(kind, str) for kind in types):
                self._objects[j] = (common_type(types), missing_cell)
                times = times_of(column, types)
                if times is not None:
                    return self._learn_column(j, times)
                return to_numbers(column)
            seen = column
        self._lookups[j] = Lookup(sorted_categories(seen))
        self.categories_[j] = as_array(list(self._lookups[j]))
        return self._code_column(j, column)
