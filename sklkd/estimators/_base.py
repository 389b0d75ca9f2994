"""What all distilled estimators share: parameters, tags, checked input, all-or-nothing fits."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted, validate_data

from sklkd._columns import checked_texts, has_one_dimension
from sklkd._dask import NoRows
from sklkd._documentation import page_of_estimators
from sklkd._named import NamedObjects
from sklkd._progress import Progress
from sklkd._sklearn import CALLBACK_STATE, CallbackSupportMixin, fit_task
from sklkd._torch import generator_kept
from sklkd._version import __version__
from sklkd.estimators._fitted_student import FittedStudent
from sklkd.estimators._task import Task
from sklkd.students import InputEncoder

if TYPE_CHECKING:
    from typing_extensions import Self

STATE_FORMAT = 4
"""Counts up when saved estimators change so that other versions would misread them."""


class BaseDistilled(NamedObjects, CallbackSupportMixin, BaseEstimator):
    """Base of the distilled estimators.

    All that a fit learns and is not a public attribute is in ``_fitted``, which report and export read too.
    """

    _fitted: FittedStudent
    encoder_: Any
    student_: Any
    fit_seconds_: dict[str, float]
    verbose: int

    # scikit-learn's diagram of an estimator links to its page, and an empty address is no link
    _doc_link_module = "sklkd"

    @property
    def _doc_link_template(self) -> str:
        return page_of_estimators()

    def _unfitted_copy(self) -> Any:
        """A copy with the parameters and nothing that a fit has left, to be fitted in this one's place."""
        other = object.__new__(type(self))
        # scikit-learn keeps requests in private attributes, which stay; callbacks need not go to other processes
        left = CALLBACK_STATE | {"_fitted"}
        other.__dict__.update({k: v for k, v in self.__dict__.items() if not k.endswith("_") and k not in left})
        return other

    @contextmanager
    def _fitting(self, fitted: Any, stages: Sequence[str], X: Any, y: Any, sample_weight: Any) -> Iterator[Progress]:
        """A fit into a copy, whose stages are logged, shown, and told to scikit-learn's callbacks."""
        task = fit_task(self, len(stages))
        given = {"estimator": self, "X": X, "y": y, "metadata": {"sample_weight": sample_weight}}
        if task is not None:
            task.call_on_fit_task_begin(**given)
        progress = Progress(type(self).__name__, stages, self.verbose, estimator=self, task=task)
        with progress.fit():
            yield progress
        fitted.fit_seconds_ = progress.seconds
        if task is not None:
            task.call_on_fit_task_end(**given, reconstruction_attributes=lambda: vars(fitted))

    def _replace_by(self, fitted: Any) -> Self:
        """Take over what a copy has learnt; a fit that fails does not come here, and leaves everything as it was."""
        self.__dict__ = fitted.__dict__ | {k: v for k, v in self.__dict__.items() if k in CALLBACK_STATE}
        return self

    def _deploy(self, fitted: FittedStudent) -> None:
        """Let predictions come from this student."""
        self._fitted = fitted
        self.encoder_, self.student_ = fitted.encoder, fitted.net
        if fitted.is_net:
            self.history_ = fitted.net.history

    def _predicting_with(self, fitted: FittedStudent) -> Any:
        """A copy whose predictions come from another trained student."""
        other = copy.copy(self)
        other._deploy(fitted)
        return other

    def _check_X(self, X: Any, *, reset: bool, allow_nan: bool) -> Any:
        """X as the teacher gets it: frames and sparse matrices as they are, everything else as an array."""
        if hasattr(X, "collect_schema") and not hasattr(X, "shape"):
            raise TypeError("X must hold its rows, got a lazy frame: pass X.collect().")
        if hasattr(X, "__dask_graph__"):
            raise TypeError("X must hold its rows, got a Dask collection: pass X.compute().")
        if has_one_dimension(X):
            return self._check_texts(X, reset=reset)
        if not reset and not hasattr(self, "n_features_in_"):
            raise ValueError("X must be texts in one dimension, such as a list of str or a Series, as fit was given.")
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

    def _check_texts(self, X: Any, *, reset: bool) -> Any:
        """Texts, one a row, where the students have steps that read them."""
        texts = checked_texts(X)
        if texts is None or (not reset and hasattr(self, "n_features_in_")):
            raise ValueError(
                "Expected 2D array, got 1D array instead. Reshape your data: use numpy.reshape(X, (-1, 1)) if it is "
                "one column, or (1, -1) if it is one row."
            )
        if not all(isinstance(student, Pipeline) and len(student.steps) > 1 for student in self._students()):
            raise ValueError(
                "student must have steps that read texts where X holds them, such as Pipeline([('tfidf', "
                "TfidfVectorizer()), ('net', TabularStudent())])."
            )
        return texts

    def _outputs(self, X: Any) -> NDArray[np.float64]:
        """The student's outputs in float64, of shape (n, n_outputs)."""
        if not hasattr(self, "student_"):  # the check itself asks for all tags
            check_is_fitted(self, "student_")
        if isinstance(X, NoRows):
            return self._outputs_of_none(X.like)
        asked = self._with_own_columns()
        if self._fitted.columns is not None:
            X = self._fitted.columns.of(X)
        if not asked._is_plain(X):
            X = asked._check_X(X, reset=False, allow_nan=self._fitted.handles_missing)
        return self._fitted.outputs(X)

    def _outputs_of_none(self, like: Any) -> NDArray[np.float64]:
        """Empty outputs, after a look at the columns of a container without rows."""
        if has_one_dimension(like) == hasattr(self, "n_features_in_"):
            self._check_X(like, reset=False, allow_nan=True)  # says what is wrong
        if not has_one_dimension(like):
            like = like if self._fitted.columns is None else self._fitted.columns.of(like)
            validate_data(self._with_own_columns(), like, reset=False, skip_check_array=True)
        return np.empty((0, self._fitted.task.n_outputs))

    def _with_own_columns(self) -> Self:
        """The same, fitted as it were on the columns that the student reads."""
        columns = self._fitted.columns
        if columns is None:
            return self
        other = copy.copy(self)
        other.n_features_in_ = len(columns.indices)
        if columns.names is not None:
            other.feature_names_in_ = columns.names
        return other

    def _is_plain(self, X: Any) -> bool:
        """Whether X is a matrix of numbers that scikit-learn's checks, most of a row's time, would give back as it is.

        The default encoder looks for infinity and missing values itself.
        """
        return (
            type(X) is np.ndarray
            and X.ndim == 2
            and X.dtype.kind in "fiu"
            and X.shape[1] == getattr(self, "n_features_in_", None)
            and len(X) > 0
            and not hasattr(self, "feature_names_in_")
            and isinstance(self.encoder_, InputEncoder)
        )

    def __getstate__(self) -> dict[str, Any]:
        return dict(super().__getstate__()) | {"_saved": {"format": STATE_FORMAT, "sklkd": __version__}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        saved = state.pop("_saved", {"format": STATE_FORMAT})
        if saved["format"] != STATE_FORMAT:
            what = "update sklkd" if saved["format"] > STATE_FORMAT else "fit it again"
            raise ValueError(
                f"The {type(self).__name__} was saved by sklkd {saved['sklkd']}, whose files version {__version__} "
                f"cannot read: {what}."
            )
        super().__setstate__(state)

    @property
    def n_iter_(self) -> Any:
        """Epochs that the student has trained, or what an estimator that is no network counts."""
        return len(self.history_) if self._fitted.is_net else self.student_.n_iter_

    def _for_deployment(self) -> Any:
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
                steps = [step for _, step in student.steps[:-1] if step is not None and step != "passthrough"]
                tags.input_tags.sparse &= all(get_tags(step).input_tags.sparse for step in steps)
                tags.input_tags.allow_nan &= not steps or get_tags(steps[0]).input_tags.allow_nan
        tags.non_deterministic = False
        return tags

    def _takes_several_labels(self) -> bool:
        """Whether a classifier's y may have a column for each of several labels, by its parameters."""
        raise NotImplementedError

    # What classifiers and regressors define.

    _task_name: str

    def _check_y(self, X: Any, y: Any, classes: Any) -> NDArray:
        """Checked labels or targets; ``classes_`` is set."""
        raise NotImplementedError

    def _check_more_y(self, X: Any, y: Any, classes: Any) -> NDArray:
        """Labels or targets that go with those of the fit."""
        raise NotImplementedError

    def _make_task(self, y: NDArray, weight: NDArray | None) -> Task:
        """What a student has to predict."""
        raise NotImplementedError

    def _set_nonlinearity(self, net: Any, task: Task) -> None:
        """Let a trained net predict probabilities, or targets in their units."""
        raise NotImplementedError


@contextmanager
def untouched_generators(random_state: Any) -> Iterator[None]:
    """Leave torch's global generators as they are, from which nets draw even when they only predict.

    Without a ``random_state`` they run on, so that another fit is another draw.
    """
    if random_state is None:
        yield
        return
    with generator_kept():
        yield


def _has_text(rows: Any) -> bool:
    """Whether a list of rows has a value that is no number."""
    if not all(isinstance(row, (list, tuple)) for row in rows):
        return False
    return any(isinstance(value, str) or value is None for row in rows for value in row)
