"""The base of all samplers: fitted to rows, they draw new ones like them."""

from __future__ import annotations

from abc import abstractmethod
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklkd._columns import WIDE, ColumnCodec, identical_rows
from sklkd._sklearn import _fit_context, checked_weights


def _is_coded(sampler: Sampler) -> bool:
    """Whether ``fit`` and ``sample`` do what their coded forms do: not in a subclass with its own."""
    return type(sampler).fit is Sampler.fit and type(sampler).sample is Sampler.sample


class Sampler(BaseEstimator):
    """Base of all samplers: synthetic rows for the teacher to label.

    A sampler is fitted to a table and draws new rows in the same container, with the same columns and dtypes: whole
    numbers stay whole, only categories that ``fit`` saw are drawn, a value is only missing where real ones are. Labels
    are never looked at: the teacher gives new ones.

    To write a sampler, store the parameters in ``__init__``, describe them in ``_parameter_constraints``, and define
    ``_sample_matrix``; what can be prepared goes into ``_fit_matrix``. Both work on the matrix of
    :class:`~sklkd._columns.ColumnCodec`: numbers, codes of categories, NaN where something is missing. Who has that
    matrix already calls ``fit_coded`` and ``sample_coded``, which do the same as ``fit`` and ``sample`` without the
    way through the user's container.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns, d.
    feature_names_in_ : ndarray of str, shape (d,)
        Column names, where the container has them and all are strings.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags = ColumnCodec().__sklearn_tags__().input_tags
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, *, sample_weight: NDArray | None = None) -> Sampler:
        """Learn from the rows of ``X`` (n, d).

        Parameters
        ----------
        X : NumPy array, pandas or polars frame, SciPy sparse matrix, shape (n, d)
            Numbers, strings, categories and booleans; values may be missing.
        y : ignored
            Present for the convention only.
        sample_weight : array of shape (n,), default=None
            How often each row counts: a weight of 2 and a repeated row are the same.

        Returns
        -------
        self
        """
        codec = ColumnCodec()
        return self._fit_rows(codec, codec.fit_transform(X), sample_weight, X)

    @available_if(_is_coded)
    @_fit_context(prefer_skip_nested_validation=True)
    def fit_coded(
        self, codec: ColumnCodec, coded: NDArray[np.float64], sample_weight: NDArray | None = None, *, X: Any = None
    ) -> Sampler:
        """As ``fit``, for rows that a fitted codec has turned into a matrix.

        Parameters
        ----------
        codec : ColumnCodec
            Fitted, invertible, on these rows or more.
        coded : ndarray of float64, shape (n, d)
            The rows as ``codec.transform`` gives them.
        sample_weight : array of shape (n,), default=None
            As in ``fit``.
        X : container of shape (n, d), default=None
            The rows before, for samplers that ask a teacher about them. None: made of the matrix where needed.

        Returns
        -------
        self
        """
        if not codec.invertible:
            raise ValueError("codec must have been fitted with invertible=True, got invertible=False.")
        return self._fit_rows(codec, coded, sample_weight, X)

    def sample(self, n: int, random_state: int | np.random.RandomState | None = None) -> Any:
        """Draw rows.

        Parameters
        ----------
        n : int
            How many, at least 0.
        random_state : int, RandomState or None, default=None
            Seed; None draws other rows every time.

        Returns
        -------
        X : container of the kind that ``fit`` saw, shape (n, d)
        """
        return self._codec_of_fit().inverse_transform(self._draw(n, random_state))

    @available_if(_is_coded)
    def sample_coded(self, n: int, random_state: int | np.random.RandomState | None = None) -> NDArray[np.float64]:
        """The rows that ``sample`` draws with this seed, as the codec's matrix: float64, shape (n, d)."""
        return self._codec_of_fit().storable(self._draw(n, random_state))

    def _codec_of_fit(self) -> ColumnCodec:
        check_is_fitted(self, "n_features_in_")
        return self._codec

    def _draw(self, n: int, random_state: Any) -> NDArray[np.float64]:
        if not isinstance(n, Integral) or isinstance(n, bool):
            raise TypeError(f"n must be an int, got n={n!r}.")
        if n < 0:
            raise ValueError(f"n must be >= 0, got n={n}.")
        seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
        return self._sample_matrix(int(n), np.random.default_rng(seed))

    def _fit_rows(self, codec: ColumnCodec, Z: NDArray[np.float64], sample_weight: NDArray | None, X: Any) -> Sampler:
        if codec.sparse_:
            raise ValueError(
                f"{type(self).__name__} takes sparse tables of at most {WIDE} columns, got {codec.n_features_in_:,}: "
                "pass X.toarray() where that has room, or to a distilled estimator augment='auto', or more rows as "
                "X_transfer."
            )
        Z = np.asarray(Z, dtype=np.float64)
        self._codec = codec
        self.n_features_in_ = codec.n_features_in_
        if hasattr(codec, "feature_names_in_"):
            self.feature_names_in_ = codec.feature_names_in_
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        # Distinct rows in an order of their own, so that a seed gives the same sample however the rows were ordered.
        first, inverse = identical_rows(Z)
        self._rows = Z[first]
        weight = None
        if sample_weight is not None:
            weight = checked_weights(sample_weight, Z)
        self._copies = np.bincount(inverse, weight)
        self._categorical = np.array([categories is not None for categories in codec.categories_])
        self._fit_matrix(X)
        return self

    def _fit_matrix(self, X: Any) -> None:
        """Prepare what does not change from sample to sample, from ``self._rows`` (distinct rows).

        ``X`` is the user's table; None where only the matrix is known.
        """

    @abstractmethod
    def _sample_matrix(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw n rows as a matrix (n, d) of the codec."""

    def _draw_rows(self, n: int, rng: np.random.Generator) -> NDArray[np.intp]:
        """Indices (n,) of real rows in random order: each as often as it counts, up to one."""
        ends = np.cumsum(self._copies, dtype=float)
        grid = (np.arange(n) + rng.random()) * (ends[-1] / max(n, 1))
        return rng.permutation(np.minimum(np.searchsorted(ends, grid, side="right"), len(ends) - 1))

    def _legal(self, Z: NDArray[np.float64]) -> NDArray[np.float64]:
        """Drawn numbers, in place: rounded where all real ones are whole, and inside the range of the real ones."""
        whole = self._codec.integer_
        Z[:, whole] = np.rint(Z[:, whole])
        return np.clip(Z, *self._range, out=Z)

    @property
    def _range(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Smallest and largest real number of every column (d,); 0 where all are missing."""
        missing = np.isnan(self._rows)
        empty = missing.all(axis=0)
        low = np.where(missing, np.inf, self._rows).min(axis=0)
        high = np.where(missing, -np.inf, self._rows).max(axis=0)
        return np.where(empty, 0.0, low), np.where(empty, 0.0, high)
