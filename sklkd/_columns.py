"""The user's columns, and the one float64 matrix that everything inside works on."""

from __future__ import annotations

import datetime
import numbers
from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from sklkd._sklearn import _fit_context

UNSEEN = -1.0
"""Code of a category that fit did not see."""

_DATES = (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64)


class ColumnCodec(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):
    """Turn the user's table into one float64 matrix, and such a matrix back into the user's table.

    Numeric columns go through as they are (booleans as 0 and 1), categories become the codes 0 to K - 1 of their
    sorted values, a category that ``fit`` did not see becomes -1, and whatever says "missing" (NaN, None,
    ``pandas.NA``, a polars null) becomes NaN. The strings ``"None"``, ``"nan"`` and ``"3.0"`` are categories like any
    other.

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
    integer_ : ndarray of bool, shape (d,)
        Numeric columns in which every value that ``fit`` saw is a whole number, whatever the dtype.
    missing_ : ndarray of bool, shape (d,)
        Columns in which ``fit`` saw a missing value.

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

        Raises ``ValueError`` for dates (convert them first), infinity and complex numbers, and ``TypeError`` for cells
        that are neither strings nor numbers.
        """
        self.fit_transform(X)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X: Any, y: Any = None) -> NDArray[np.float64]:
        """Fit to ``X`` (n, d) and return its matrix: float64, shape (n, d)."""
        table = _open(X)
        n, d = table.shape
        for size, what in ((n, "sample"), (d, "feature")):
            if size == 0:
                raise ValueError(f"Found array with 0 {what}(s) (shape={(n, d)}) while a minimum of 1 is required.")
        self._names = table.names
        self.n_features_in_ = d
        if self._names is not None and all(isinstance(name, str) for name in self._names):
            self.feature_names_in_ = np.asarray(self._names, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        self.categories_: list[NDArray[Any] | None] = [None] * d
        self._lookups: dict[int, _Lookup] = {}
        self._objects: dict[int, tuple[type, Any]] = {}
        Z = table.matrix()
        if Z is None:
            Z = np.empty((n, d))
            for j in range(d):
                Z[:, j] = self._learn_column(j, *table.column(j))
        self._check_finite(Z)
        missing = np.isnan(Z)
        numeric = np.array([categories is None for categories in self.categories_])
        self.missing_ = missing.any(axis=0)
        self.integer_ = ((Z == np.rint(Z)) | missing).all(axis=0) & ~missing.all(axis=0) & numeric
        if self.invertible:
            rows = {j: _first_rows(Z[:, j], len(lookup)) for j, lookup in self._lookups.items()}
            self._template = table.keep(rows, self._objects)
        return Z

    def transform(self, X: Any) -> NDArray[np.float64]:
        """The matrix of ``X`` (n, d): float64, shape (n, d), a copy; n may be 0."""
        check_is_fitted(self, "categories_")
        table = _open(X)
        d = table.shape[1]
        if d != self.n_features_in_:
            expected = self.n_features_in_
            raise ValueError(f"X has {d} features, but ColumnCodec is expecting {expected} features as input.")
        if table.names is not None and self._names is not None and table.names != self._names:
            j = next(j for j in range(d) if table.names[j] != self._names[j])
            raise ValueError(
                "The feature names should match those that were passed during fit, in the same order: "
                f"column {j} is {table.names[j]!r}, and was {self._names[j]!r}."
            )
        Z = table.matrix()
        if Z is None:
            Z = np.empty(table.shape)
            for j in range(d):
                Z[:, j] = self._code_column(j, table.column(j)[0])
        else:
            for j in self._lookups:
                Z[:, j] = self._code_column(j, Z[:, j])
        self._check_finite(Z)
        return Z

    def inverse_transform(self, Z: NDArray[np.float64]) -> Any:
        """The table of a matrix (n, d): the container, names and dtypes of ``fit``, with whole numbers rounded.

        Raises ``ValueError`` where a code stands for no category, or a value is missing that the dtype cannot miss.
        """
        check_is_fitted(self, "categories_")
        if not self.invertible:
            raise ValueError("inverse_transform needs what fit saw: set invertible=True, got invertible=False.")
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
        return self._template.fill(Z)

    def _name(self, j: int) -> str:
        return str(j) if self._names is None else repr(self._names[j])

    def _learn_column(self, j: int, values: Any, declared: bool) -> NDArray[np.float64]:
        """Decide on the kind of a column, remember it, and return its numbers or codes."""
        if isinstance(values, np.ndarray):
            return values
        if not declared:
            types, gap = _cell_types(values, self._name(j))
            if not any(issubclass(kind, str) for kind in types):
                self._objects[j] = (_common_type(types), gap)
                return _numbers(values)
        lookup = _Lookup(_sorted_categories(values, self._name(j)))
        if not lookup:
            self._objects[j] = (type(None), values[0])
            return np.full(len(values), np.nan)
        self._lookups[j] = lookup
        self.categories_[j] = _as_array(list(lookup))
        return lookup.codes(values, self._name(j))

    def _code_column(self, j: int, values: Any) -> NDArray[np.float64]:
        if j in self._lookups:
            cells = values.tolist() if isinstance(values, np.ndarray) else values
            return self._lookups[j].codes(cells, self._name(j))
        if isinstance(values, np.ndarray):
            return values
        types, _ = _cell_types(values, self._name(j))
        if any(issubclass(kind, str) for kind in types):
            if j in self._objects and self._objects[j][0] is type(None):
                return np.array([np.nan if isinstance(v, str) or _is_missing(v) else float(v) for v in values])
            example = next(v for v in values if isinstance(v, str))
            raise ValueError(
                f"Column {self._name(j)} was numeric at fit and must be numeric, got the string {example!r}; convert "
                "it to numbers, or fit with the column as strings."
            )
        return _numbers(values)

    def _check_finite(self, Z: NDArray[np.float64]) -> None:
        if not np.isfinite(Z).all():
            infinite = np.isinf(Z).any(axis=0)
            if infinite.any():
                raise ValueError(
                    "Input X contains infinity or a value too large for dtype('float64') "
                    f"(column {self._name(int(infinite.argmax()))}); replace it first."
                )


def identical_rows(Z: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Group the identical rows of a matrix, in an order that does not depend on the order of the rows.

    NaN equals NaN and -0.0 equals 0.0. The groups are ordered by a hash of their content, which looks random; two
    matrices that hold the same rows, in whatever order and however often, give the same groups in the same order.

    Parameters
    ----------
    Z : ndarray of float64, shape (n, d)

    Returns
    -------
    first : ndarray of intp, shape (n_groups,)
        Row that stands for every group, the earliest one.
    inverse : ndarray of intp, shape (n,)
        Group of every row.

    Examples
    --------
    >>> first, inverse = identical_rows(np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0]]))
    >>> sorted(first.tolist()), bool(inverse[0] == inverse[2] != inverse[1])
    ([0, 1], True)
    """
    n, d = Z.shape
    if n == 0 or d == 0:
        return np.arange(min(n, 1)), np.zeros(n, dtype=np.intp)
    bits = np.where(np.isnan(Z), np.nan, np.asarray(Z, dtype=np.float64) + 0.0).view(np.uint64)
    keys = _row_hashes(bits)
    order = np.argsort(keys, kind="stable")
    starts = np.r_[True, keys[order[1:]] != keys[order[:-1]]]
    if (bits[order[1:]] != bits[order[:-1]]).any(axis=1)[~starts[1:]].any():
        # Two different rows share a hash: once in 2**64 pairs by chance. Sort by the content itself.
        order = np.lexsort(bits.T[::-1])
        starts = np.r_[True, (bits[order[1:]] != bits[order[:-1]]).any(axis=1)]
    inverse = np.empty(n, dtype=np.intp)
    inverse[order] = np.cumsum(starts) - 1
    return order[starts], inverse


def _row_hashes(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A 64-bit hash of every row: the cells mixed as in splitmix64, with another odd factor for every column."""
    factors = np.arange(1, 2 * bits.shape[1], 2, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = bits ^ (bits >> np.uint64(32))
    mixed *= factors | np.uint64(1)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(32)
    mixed *= np.uint64(0x94D049BB133111EB)
    return mixed.sum(axis=1, dtype=np.uint64)


class _Lookup(dict):
    """Category -> code; a cell that is not there is missing (NaN) or unseen (-1)."""

    def __init__(self, categories: Iterable[Any]):
        super().__init__((category, float(code)) for code, category in enumerate(categories))

    def __missing__(self, cell: Any) -> float:
        return np.nan if _is_missing(cell) else UNSEEN

    def __reduce__(self) -> tuple[Any, ...]:
        return _Lookup, (list(self),)

    def codes(self, cells: list[Any], name: str) -> NDArray[np.float64]:
        try:
            return np.fromiter(map(self.__getitem__, cells), np.float64, len(cells))
        except TypeError:  # a cell that cannot be hashed
            _cell_types(cells, name)
            raise


def _is_missing(cell: Any) -> bool:
    # pandas' NA is neither equal to itself nor different from itself, so it is known by its name.
    return cell is None or type(cell).__name__ in ("NAType", "NaTType") or bool(cell != cell)


def _cell_types(cells: list[Any], name: str) -> tuple[set[type], Any]:
    """Types of the cells that are not missing, all of them strings or numbers, and the first missing cell."""
    types = set(map(type, cells))
    gaps = {kind for kind in types if kind is type(None) or kind.__name__ in ("NAType", "NaTType")}
    types -= gaps
    for kind in types:
        if issubclass(kind, _DATES):
            raise ValueError(f"Column {name} holds dates or durations ({kind.__name__}); convert it to numbers first.")
        if issubclass(kind, numbers.Complex) and not issubclass(kind, numbers.Real):
            raise ValueError(f"Complex data not supported: column {name} holds {kind.__name__}.")
        if not issubclass(kind, (str, numbers.Number, np.bool_)):
            raise TypeError(f"Column {name}: argument must be a string or a number, not {kind.__name__!r}.")
    inexact = any(issubclass(kind, numbers.Number) and not issubclass(kind, numbers.Integral) for kind in types)
    gap = next((cell for cell in cells if _is_missing(cell)), None) if gaps or inexact else None
    if inexact and gap is not None and all(_is_missing(cell) for cell in cells if isinstance(cell, numbers.Number)):
        types = {kind for kind in types if issubclass(kind, str)}  # the only "numbers" were NaN
    return types, gap


def _common_type(types: set[type]) -> type:
    if not types:
        return type(None)
    for kind, accepted in ((bool, (bool, np.bool_)), (int, numbers.Integral)):
        if all(issubclass(t, accepted) for t in types):
            return kind
    return float


def _numbers(cells: list[Any]) -> NDArray[np.float64]:
    return np.array([np.nan if _is_missing(cell) else cell for cell in cells], dtype=np.float64)


def _sorted_categories(cells: list[Any], name: str) -> list[Any]:
    try:
        values = [cell for cell in set(cells) if not _is_missing(cell)]
    except TypeError:
        _cell_types(cells, name)
        raise
    mixed = len({_rank(value) for value in values}) > 1
    return sorted(values, key=lambda value: (_rank(value), value)) if mixed else sorted(values)


def _rank(value: Any) -> str:
    if isinstance(value, (numbers.Number, np.bool_)):
        return ""
    return "str" if isinstance(value, str) else type(value).__name__


def _as_array(values: list[Any]) -> NDArray[Any]:
    if values and all(isinstance(value, (numbers.Number, np.bool_)) for value in values):
        return np.array(values)
    array = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):  # slice assignment would unpack tuples and intervals
        array[i] = value
    return array


def _first_rows(codes: NDArray[np.float64], n_categories: int) -> NDArray[np.intp]:
    """Row in which every category comes first, and at the end the first row that misses it (-1 where none does)."""
    first = np.full(n_categories + 1, -1, dtype=np.intp)
    first[_slots(codes, n_categories)[::-1]] = np.arange(len(codes) - 1, -1, -1)
    return first


def _slots(codes: NDArray[np.float64], n_categories: int) -> NDArray[np.intp]:
    return np.where(np.isnan(codes), n_categories, codes).astype(np.intp)


def _cast(values: NDArray[np.float64], dtype: np.dtype[Any], what: str) -> NDArray[Any]:
    """Numbers in a NumPy dtype, rounded and clipped to what it can hold."""
    if dtype.kind == "f":
        return values.astype(dtype)
    if np.isnan(values).any():
        raise ValueError(f"{what} has dtype {dtype}, which cannot hold a missing value, got NaN.")
    if dtype.kind == "b":
        return values > 0.5
    low, high = float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
    if int(high) > np.iinfo(dtype).max:  # 2**63 - 1 rounds up to 2**63
        high = float(np.nextafter(high, 0.0))
    return np.clip(np.rint(values), low, high).astype(dtype)


def _objects(values: NDArray[np.float64], kind: type, gap: Any) -> NDArray[Any]:
    """Numbers as Python objects of one type, with the user's own object where they are missing."""
    missing = np.isnan(values)
    cells = values.astype(object)
    if kind in (bool, int):
        cells = np.array([kind(value) for value in np.rint(np.where(missing, 0.0, values))], dtype=object)
    cells[missing] = gap
    return cells


class _Table:
    """A user's container: read column by column, then emptied and kept as the mould of others like it."""

    names: list[Any] | None = None
    shape: tuple[int, int]

    def keep(self, rows: dict[int, NDArray[np.intp]], objects: dict[int, tuple[type, Any]]) -> _Table:
        """Forget all rows but one of every category of every column in ``rows``."""
        self.pools = {j: self.take(j, index) for j, index in rows.items()}
        self.objects = objects
        self.clear()
        return self


class _Array(_Table):
    """A NumPy array, or what becomes one."""

    def __init__(self, X: Any):
        if isinstance(X, np.ma.MaskedArray):
            raise TypeError("Masked arrays are not supported; pass X.astype(float).filled(numpy.nan).")
        if isinstance(X, np.matrix):
            raise TypeError("np.matrix is not supported; pass numpy.asarray(X).")
        array = np.asarray(X)
        if array.dtype.kind in "US" and not isinstance(X, np.ndarray):
            array = np.asarray(X, dtype=object)  # NumPy turns the numbers in a list of mixed cells into strings
        _check_dimensions(array)
        _check_dtype(array.dtype, "X")
        self.array = array
        self.shape = array.shape

    def matrix(self) -> NDArray[np.float64] | None:
        return self.array.astype(np.float64, order="C") if self.array.dtype.kind in "fiub" else None

    def column(self, j: int) -> tuple[Any, bool]:
        return self.array[:, j].tolist(), False

    def take(self, j: int, rows: NDArray[np.intp]) -> NDArray[Any]:
        pool = self.array[rows, j]
        if rows[-1] < 0 and self.array.dtype.kind == "O":
            pool[-1] = None
        return pool

    def clear(self) -> None:
        self.array = self.array[:0].copy()

    def fill(self, Z: NDArray[np.float64]) -> NDArray[Any]:
        dtype = self.array.dtype
        if dtype.kind in "fiub":
            return _cast(Z, dtype, "X")
        if dtype.kind == "U" and np.isnan(Z).any():
            raise ValueError(f"X has dtype {dtype}, which cannot hold a missing value, got NaN.")
        out = np.empty(Z.shape, dtype=dtype)
        for j, values in enumerate(Z.T):
            pool = self.pools.get(j)
            out[:, j] = _objects(values, *self.objects[j]) if pool is None else pool[_slots(values, len(pool) - 1)]
        return out


class _Sparse(_Table):
    """A SciPy sparse matrix or array; what is not stored is 0."""

    def __init__(self, X: Any):
        _check_dimensions(X)
        _check_dtype(X.dtype, "X")
        self.data = X
        self.shape = X.shape

    def matrix(self) -> NDArray[np.float64]:
        return self.data.toarray(order="C").astype(np.float64, copy=False)

    def column(self, j: int) -> tuple[Any, bool]:
        return self.data[:, [j]].toarray().ravel(), False

    def take(self, j: int, rows: NDArray[np.intp]) -> NDArray[Any]:
        return self.column(j)[0][rows]

    def clear(self) -> None:
        csr = sparse.csr_array if isinstance(self.data, sparse.sparray) else sparse.csr_matrix
        self.data = csr((0, self.shape[1]), dtype=self.data.dtype)

    def fill(self, Z: NDArray[np.float64]) -> Any:
        return type(self.data)(_cast(Z, self.data.dtype, "X"))


class _Pandas(_Table):
    """A pandas frame, or one that behaves like it."""

    def __init__(self, X: Any):
        self.frame = X
        self.shape = X.shape
        self.names = X.columns.tolist()
        self.dtypes = X.dtypes.tolist()
        for name, dtype in zip(self.names, self.dtypes, strict=True):
            _check_dtype(dtype, f"Column {name!r}")

    def matrix(self) -> NDArray[np.float64] | None:
        if all(isinstance(dtype, np.dtype) and dtype.kind in "fiub" for dtype in self.dtypes):
            return np.array(self.frame.to_numpy(dtype=np.float64), order="C")
        return None

    def column(self, j: int) -> tuple[Any, bool]:
        series = self.frame.iloc[:, j]
        if self.dtypes[j].kind in "fiub":
            return series.to_numpy(dtype=np.float64, na_value=np.nan), False
        return series.tolist(), self.dtypes[j].name == "category"

    def take(self, j: int, rows: NDArray[np.intp]) -> Any:
        return self.frame.iloc[:, j].array.take(rows, allow_fill=True)  # -1: missing

    def clear(self) -> None:
        self.frame = self.frame.iloc[:0].copy()

    def fill(self, Z: NDArray[np.float64]) -> Any:
        frame = type(self.frame)({j: self._series(j, values) for j, values in enumerate(Z.T)})
        frame.columns = self.frame.columns
        return frame

    def _series(self, j: int, values: NDArray[np.float64]) -> Any:
        dtype, what = self.dtypes[j], f"Column {self.names[j]!r}"
        if j in self.pools:
            pool = self.pools[j]
            return pool.take(_slots(values, len(pool) - 1))
        if j in self.objects:
            cells = _objects(values, *self.objects[j])
        elif isinstance(dtype, np.dtype):
            return _cast(values, dtype, what)
        else:  # nullable, Arrow and sparse dtypes: None is missing in all of them
            missing = np.isnan(values)
            cells = _cast(np.where(missing, 0.0, values), np.dtype(dtype.kind), what).astype(object)
            cells[missing] = None
        return type(self.frame.iloc[:, j])(cells, dtype=dtype)


_POLARS_DTYPES = {"Boolean": "bool", "Int128": "int64", "UInt128": "uint64"}
"""NumPy dtypes through which numbers become a polars column, where the names differ."""


def _kind(dtype: Any) -> str:
    return dtype.base_type().__name__


class _Polars(_Table):
    """A polars frame."""

    def __init__(self, X: Any):
        self.frame = X
        self.shape = X.shape
        self.names = list(X.columns)
        self.dtypes = list(X.dtypes)
        for name, dtype in zip(self.names, self.dtypes, strict=True):
            if dtype.is_temporal():
                raise ValueError(f"Column {name!r} holds dates or durations ({dtype}); convert it to numbers first.")
        self.null = [series.null_count() > 0 for series in X.get_columns()]

    def matrix(self) -> NDArray[np.float64] | None:
        return None

    def column(self, j: int) -> tuple[Any, bool]:
        series = self.frame.to_series(j)
        dtype = self.dtypes[j]
        if dtype.is_numeric() or _kind(dtype) == "Boolean":
            return series.cast(float).to_numpy(), False
        return series.to_list(), _kind(dtype) in ("Categorical", "Enum")

    def take(self, j: int, rows: NDArray[np.intp]) -> Any:
        return self.frame.to_series(j).gather([None if row < 0 else int(row) for row in rows])

    def clear(self) -> None:
        self.frame = self.frame.clear()

    def fill(self, Z: NDArray[np.float64]) -> Any:
        return type(self.frame)([self._series(j, values) for j, values in enumerate(Z.T)])

    def _series(self, j: int, values: NDArray[np.float64]) -> Any:
        if j in self.pools:
            pool = self.pools[j]
            return pool.gather(_slots(values, len(pool) - 1))
        name, dtype, make = self.names[j], self.dtypes[j], type(self.frame.to_series(j))
        if j in self.objects:
            return make(name, _objects(values, *self.objects[j]).tolist(), dtype=dtype)
        missing = np.isnan(values)
        if dtype.is_float() and not self.null[j]:
            return make(name, values).cast(dtype)
        values = np.where(missing, 0.0, values)
        if not dtype.is_float() and not dtype.is_decimal():
            values = _cast(values, np.dtype(_POLARS_DTYPES.get(_kind(dtype), _kind(dtype).lower())), f"Column {name!r}")
        return make(name, values).cast(dtype).scatter(np.flatnonzero(missing), None)


def _open(X: Any) -> Any:
    """The reader of a container, recognised by its methods: pandas and polars are never imported."""
    if isinstance(X, np.ndarray):
        return _Array(X)
    if sparse.issparse(X):
        return _Sparse(X)
    if hasattr(X, "iloc") and hasattr(X, "dtypes"):
        if len(X.shape) != 2:
            raise ValueError("Expected 2D array, got 1D array instead: a Series. Reshape your data: use X.to_frame().")
        return _Pandas(X)
    if hasattr(X, "get_columns") and hasattr(X, "schema"):
        return _Polars(X)
    if hasattr(X, "collect") and hasattr(X, "collect_schema"):
        raise TypeError("X is a lazy frame; pass X.collect().")
    return _Array(X)


def _check_dimensions(X: Any) -> None:
    if X.ndim < 2:
        kind = "scalar" if X.ndim == 0 else "1D"
        raise ValueError(
            f"Expected 2D array, got {kind} array instead. Reshape your data: use X.reshape(-1, 1) if it is one "
            "column, or X.reshape(1, -1) if it is one row."
        )
    if X.ndim > 2:
        raise ValueError(f"Found array with dim {X.ndim}, while dim <= 2 is required.")


def _check_dtype(dtype: Any, what: str) -> None:
    if dtype.kind in "mM":
        raise ValueError(f"{what} holds dates or durations ({dtype}); convert it to numbers first.")
    if dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {what} has dtype {dtype}.")
    if dtype.kind in "SV":
        kind = dtype.type.__name__
        raise TypeError(f"{what} has dtype {dtype}; argument must be a string or a number, not {kind!r}.")
