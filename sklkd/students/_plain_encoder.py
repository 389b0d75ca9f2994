"""From the user's columns to the input of a student that is no network: numbers in their own units."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.utils.validation import check_is_fitted

from sklkd._columns import DATES, dense, is_csr
from sklkd.students._calendar import PARTS
from sklkd.students._encoder import MANY, InputEncoder

YEAR, HOUR = 365.25 * 86_400, 3_600.0
"""In seconds."""


class PlainEncoder(InputEncoder):
    """Leave numbers as they are, and make columns of 0 and 1 of categories.

    A table of numbers without missing values comes out as it is, in float64. Categories become one column of 0 and 1
    for each level that is kept, one for the rare and one for missing ones, as those of :class:`InputEncoder`. Dates are
    years since the beginning of their median's, with the parts of the calendar behind all columns: days, and the time
    of day in hours.

    Parameters
    ----------
    keep_missing : bool, default=False
        Whether missing numbers stay NaN, for estimators that take them. False: the median takes their place, and each
        column in which fit saw some gets an indicator.
    keep_sparse : bool, default=False
        Whether a sparse table of more than 500 columns stays sparse, for estimators that take one. False: it is made
        dense.
    max_categories : int, default=64
        Levels kept per column, the most frequent first.
    """

    def __init__(self, *, keep_missing: bool = False, keep_sparse: bool = False, max_categories: int = MANY):
        super().__init__(one_hot=True, max_categories=max_categories)
        self.keep_missing = keep_missing
        self.keep_sparse = keep_sparse

    def fit_coded(self, codec: Any, Z: Any, *args: Any, **kwargs: Any) -> PlainEncoder:
        """As of :class:`InputEncoder`."""
        super().fit_coded(codec, Z, *args, **kwargs)
        self.zero_, self.unit_ = np.zeros(len(self.center_)), np.ones(len(self.center_))
        dates = [] if codec.sparse_ else [j for j, kind in enumerate(codec.times_) if kind == DATES]
        # from the first of January of the median's year on
        self.zero_[dates] = self.center_[dates].astype("datetime64[s]").astype("datetime64[Y]").astype("datetime64[s]")
        self.unit_[dates] = YEAR
        for j, (_, k) in enumerate(self.calendar_, self.n_features_in_):
            self.unit_[j] = HOUR if PARTS[k] == "time of day" else 1.0
        return self

    def transform_coded(self, Z: Any) -> Any:
        """As ``transform``, for rows that the codec has already turned into a matrix: float64."""
        if is_csr(Z):
            if self.keep_sparse:
                return csr_matrix((Z.data.astype(float), Z.indices, Z.indptr), shape=Z.shape)
            Z = dense(Z)
        Z = self.widened(Z)
        numeric = self._numeric
        numbers = (Z[:, numeric] - self.zero_[numeric]) / self.unit_[numeric]
        parts = [numbers]
        if not self.keep_missing:
            absent = np.isnan(numbers)
            middle = (self.center_ - self.zero_) / self.unit_
            parts = [np.where(absent, middle[numeric], numbers), absent[:, self.missing_[numeric]].astype(float)]
        for j in np.flatnonzero(~numeric).tolist():
            codes = self.level_codes(Z, j)
            parts.append((codes[:, None] == np.arange(self.cardinalities_[j])).astype(float))
        return np.hstack(parts)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Names of the columns that ``transform`` gives.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the user's columns. None: those of the frame that it was fitted on, else x0, x1, ...

        Returns
        -------
        ndarray of object
        """
        check_is_fitted(self, "center_")
        if input_features is None:
            input_features = getattr(self.codec_, "feature_names_in_", None)
        if input_features is None:
            input_features = [f"x{j}" for j in range(self.n_features_in_)]
        columns = [*map(str, input_features), *(f"{input_features[j]}: {PARTS[k]}" for j, k in self.calendar_)]
        for j in np.flatnonzero(self.unit_ == YEAR):
            columns[j] += f": years since {self.zero_[j].astype('datetime64[s]').astype('datetime64[D]')}"
        numeric = self._numeric
        names = [name for name, one in zip(columns, numeric, strict=True) if one]
        if not self.keep_missing:
            names += [f"{columns[j]} is missing" for j in np.flatnonzero(numeric & self.missing_)]
        for j in np.flatnonzero(~numeric).tolist():
            names += [f"{columns[j]} is {level}" for level in self._level_names(j)]
        return np.array(names, dtype=object)

    @property
    def _numeric(self) -> NDArray[np.bool_]:
        return np.array([levels is None for levels in self._levels])

    def _level_names(self, j: int) -> list[str]:
        """What each code of a column of categories stands for."""
        categories, levels = self.codec_.categories_[j], self._levels[j]
        assert categories is not None and levels is not None
        names = []
        for code in range(self.cardinalities_[j]):
            of_code = np.flatnonzero(levels[:-2] == code)
            if levels[-2] == code:
                names.append("missing")
            else:
                names.append(str(categories[of_code[0]]) if levels[-1] != code else "another")
        return names
