"""What all distilled estimators share: parameters, tags, checked input, all-or-nothing fits, float64 predictions."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted, validate_data

from sklkd._named import NamedObjects
from sklkd._version import __version__
from sklkd.students import InputEncoder
from sklkd.students._folded import Folded, fold
from sklkd.students._forward import forward

_FITTED = {
    "_adapter",
    "_allow_nan",
    "_answers",
    "_center",
    "_float64",
    "_generations",
    "_kept_tags",
    "_scale",
    "_y_ndim",
}

STATE_FORMAT = 1
"""Counts up when saved estimators change so that older versions would misread them."""


class BaseDistilled(NamedObjects, BaseEstimator):
    """Base of the distilled estimators."""

    def _fresh(self) -> Any:
        """A copy with the parameters and nothing that a fit has left, to be fitted in this one's place."""
        work = object.__new__(type(self))
        # scikit-learn keeps requests and callbacks in private attributes, which stay
        state = {k: v for k, v in self.__dict__.items() if not k.endswith("_") and k not in _FITTED}
        work.__dict__.update(state)
        return work

    def _fit_anew(self, *args: Any) -> Self:
        """Fit a fresh copy and take over what it has learnt, so that a fit that fails leaves everything as it was."""
        fitted = self._fresh()
        fitted._first_fit(*args)
        self.__dict__ = fitted.__dict__
        return self

    def _first_fit(self, *args: Any) -> None:
        """Learn everything; what is given is up to the mode."""
        raise NotImplementedError

    def _check_X(self, X: Any, *, reset: bool, allow_nan: bool) -> Any:
        """X as the teacher gets it: frames and sparse matrices as they are, everything else as an array."""
        if hasattr(X, "collect_schema") and not hasattr(X, "shape"):
            raise TypeError("X must hold its rows, got a lazy frame: pass X.collect().")
        if hasattr(X, "columns") and hasattr(X, "dtypes"):
            if X.shape[0] < 1 or X.shape[1] < 1:
                raise ValueError(
                    f"Found array with {X.shape[0]} sample(s) and {X.shape[1]} feature(s) (shape={X.shape}) while a "
                    f"minimum of 1 is required by {type(self).__name__}."
                )
            return validate_data(self, X, reset=reset, skip_check_array=True)
        if isinstance(X, (list, tuple)) and _has_text(X):
            # as an array of strings, its numbers would become text too
            X = np.array(X, dtype=object)
        text = getattr(getattr(X, "dtype", None), "kind", None) in ("O", "U", "S", "T")
        return validate_data(
            self,
            X,
            reset=reset,
            accept_sparse=["csr", "csc"] if get_tags(self).input_tags.sparse else False,
            dtype=None if text else "numeric",
            ensure_all_finite="allow-nan" if allow_nan else True,
            allow_nd=True,
        )

    def _encode(self, X: Any) -> NDArray:
        """Checked rows as the student takes them."""
        if isinstance(self.encoder_, InputEncoder):
            return self.encoder_.transform_coded(self._code(X))
        if not self._allow_nan and _frame_has_gap(X):
            raise self._missing_values()
        return self.encoder_.transform(X)

    def _code(self, X: Any) -> NDArray[np.float64]:
        """Rows as the codec of the default encoder gives them."""
        coded = self.encoder_.codec_.transform(X)
        if not self._allow_nan and np.isnan(coded).any():
            raise self._missing_values()
        return coded

    def _missing_values(self) -> ValueError:
        return ValueError(
            f"Input X contains NaN or another missing value, which the student's own encoding that "
            f"{type(self).__name__} was fitted with does not take: impute it first, or in a step of the student."
        )

    def _raw(self, X: Any) -> NDArray[np.float64]:
        """The student's outputs in float64, logits or standardised targets, of shape (n, n_outputs)."""
        check_is_fitted(self, "student_")
        if not self._is_plain(X):
            X = self._check_X(X, reset=False, allow_nan=self._allow_nan)
        if isinstance(self._float64, Folded):
            return self._float64.outputs(self._code(X))
        # the order in memory decides how products are summed
        inputs = torch.from_numpy(np.ascontiguousarray(self._encode(X), dtype=np.float64))
        device = next(self._float64.parameters(), inputs).device
        return forward(self._float64, inputs, device).numpy()

    def _is_plain(self, X: Any) -> bool:
        """Whether X is a matrix of numbers that scikit-learn's checks, most of a row's time, would give back as it is.

        The default encoder looks for infinity and missing values itself.
        """
        return (
            type(X) is np.ndarray
            and X.ndim == 2
            and X.dtype.kind in "fiu"
            and X.shape[1] == self.n_features_in_
            and len(X) > 0
            and not hasattr(self, "feature_names_in_")
            and isinstance(self.encoder_, InputEncoder)
        )

    def _keep_float64(self) -> None:
        """Keep the trained network in float64, for predictions that do not depend on how rows are batched."""
        module = self.student_.module_
        on_cpu = all(part.device.type == "cpu" for part in module.parameters())
        folded = fold(self.encoder_, module) if on_cpu else None
        self._float64 = copy.deepcopy(module).double().eval() if folded is None else folded

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        state.pop("_float64", None)
        return state | {"_saved": {"format": STATE_FORMAT, "sklkd": __version__}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        saved = state.pop("_saved", {"format": STATE_FORMAT})
        if saved["format"] > STATE_FORMAT:
            raise ValueError(
                f"The {type(self).__name__} was saved by sklkd {saved['sklkd']}, whose files version {__version__} "
                "cannot read: update sklkd."
            )
        super().__setstate__(state)
        if hasattr(self, "student_"):
            self._keep_float64()

    @property
    def n_iter_(self) -> int:
        """Epochs that the student has trained."""
        return len(self.history_)

    def _light(self) -> Any:
        """What predicts the same, and holds no more than it needs for that."""
        return self

    def _students(self) -> list[Any]:
        """What the user passed as students; the steps of Pipelines get the rows as well."""
        return [self.student]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.sparse = True
        for student in self._students():
            if isinstance(student, Pipeline) and len(student.steps) > 1:
                # what a Pipeline says of missing values is no more than a default
                steps = student.steps[:-1]
                tags.input_tags.sparse &= get_tags(Pipeline(steps)).input_tags.sparse
                tags.input_tags.allow_nan &= get_tags(steps[0][1]).input_tags.allow_nan
        tags.non_deterministic = False
        return tags


@contextmanager
def untouched_generators(random_state: Any) -> Iterator[None]:
    """Leave torch's global generators as they are, from which nets draw even when they only answer.

    Without a ``random_state`` they run on, so that another fit is another draw.
    """
    if random_state is None:
        yield
        return
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices):
        yield


def tags_of(teacher: Any) -> Any:
    """A teacher's own tags, or scikit-learn's defaults."""
    known = hasattr(teacher, "__sklearn_tags__") and not isinstance(teacher, type)
    return get_tags(teacher if known else BaseEstimator())


def _has_text(rows: Any) -> bool:
    """Whether a list of rows has a cell that is no number."""
    if not all(isinstance(row, (list, tuple)) for row in rows):
        return False
    return any(isinstance(cell, str) or cell is None for row in rows for cell in row)


def _frame_has_gap(X: Any) -> bool:
    """Whether a frame has a missing value; arrays have been checked for them."""
    if hasattr(X, "isna"):
        return bool(X.isna().to_numpy().any())
    if hasattr(X, "get_columns"):
        columns = X.get_columns()
        return any(one.null_count() > 0 or (one.dtype.is_float() and bool(one.is_nan().any())) for one in columns)
    return False
