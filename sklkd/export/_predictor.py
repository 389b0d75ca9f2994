"""Predictions from an exported file, with no package but ONNX Runtime and NumPy."""

from __future__ import annotations

import json
import threading
from functools import partial
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd._columns._cells import Coded, Lookup, is_missing
from sklkd._columns._reader import ColumnReader
from sklkd._dask import NoRows, takes_dask
from sklkd._decision_rule import predicted_codes, predicted_labels
from sklkd.export._file import check_seal, content_of, describing, unreadable
from sklkd.export._format import FORMAT, KEY, MISSING, UNSEEN, spellings

CHUNK = 512
"""Rows per run: their activations fit the cache, which makes many rows a third faster than one run."""

SEALED_FROM = 4
"""The first format whose files have a digest."""

PROBED = 300
"""Columns that are at most tried with infinity, to find out whether a graph tells by itself: that takes time."""

FARTHEST = 1e30
"""Numbers are clipped there, as the encoder of the estimator clips scaled ones."""

_FLOAT64 = np.dtype(np.float64)

_FAST = {np.dtype(name) for name in ("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8")}


class OnnxPredictor(ColumnReader):
    """Predict from a file that :func:`to_onnx` has written, as the estimator would.

    Neither torch, skorch, scikit-learn nor pandas is imported. Frames of pandas or polars, arrays and lists are read
    as the estimator reads them, frames with their columns in any order and beside others: the same values are missing,
    the same categories unseen, and the same errors are raised for columns that are not there, infinity, strings in
    numeric columns, and missing values that the teacher did not take.

    Parameters
    ----------
    path : str, path or bytes
        The file, or what is in it.
    n_threads : int, default=1
        Threads of one prediction. One is fastest for rows that come one by one, and lets several processes or threads
        predict at once; more pay for many rows at once.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted labels; only for classifiers. Of several labels a row a list of 0 and 1 for each.
    threshold_ : float or None
        The estimator's decision threshold, as it was exported.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of str, shape (n_features,)
        Column names; only where the estimator was fitted on a frame.
    metadata_ : dict
        What the file says about itself: columns, classes, versions, opset.

    Raises
    ------
    ImportError
        Where ONNX Runtime is not installed: it comes with ``sklkd[onnx]``.
    FileNotFoundError
        Where there is no file.
    ValueError
        For a file that :func:`to_onnx` has not written, or a newer version of it, and for one that is damaged.

    Notes
    -----
    One object may serve several threads at once, and pickles, with the file in it, for other processes. For a Dask
    DataFrame or Array predictions are a lazy Dask Array, computed where its parts are.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklkd import DistilledClassifier, OnnxPredictor, to_onnx
    >>> X, y = load_iris(return_X_y=True)
    >>> est = DistilledClassifier(RandomForestClassifier(random_state=0), student="tiny", random_state=0).fit(X, y)
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "student.onnx"
    ...     report = to_onnx(est, path)
    ...     predictor = OnnxPredictor(path)
    >>> bool(abs(predictor.predict_proba(X) - est.predict_proba(X)).max() < 1e-5)
    True
    >>> predictor.predict(X[:2]).tolist()
    [0, 0]
    """

    _by_name = True

    def __init__(self, path: str | PathLike[str] | bytes, *, n_threads: int = 1):
        if not isinstance(n_threads, int) or n_threads < 1:
            raise ValueError(f"n_threads must be a whole number >= 1, got n_threads={n_threads!r}.")
        self.n_threads = n_threads
        if isinstance(path, bytes):
            self._open(path)
        else:
            self._open(content_of(path, "to_onnx"), repr(str(path)))

    def _open(self, content: bytes, where: str = "bytes") -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise ImportError("OnnxPredictor needs ONNX Runtime: pip install 'sklkd[onnx]'.") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.n_threads, 1
        self._content = content
        check_seal(content, "to_onnx", where, SEALED_FROM, FORMAT)
        try:
            # there is nothing to fall back to, which the runtime would print
            self._session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"], enable_fallback=0
            )
        except Exception as error:  # those of the runtime have no base of their own
            why = f"which ONNX Runtime {onnxruntime.__version__} does not open ({error})"
            raise unreadable("to_onnx", where, why) from error
        self.metadata_ = self._metadata(where)
        if self.metadata_["format"] > FORMAT:
            raise ValueError(
                f"path was written by sklkd {self.metadata_['versions']['sklkd']}, whose files this version cannot "
                "read: update sklkd."
            )
        with describing("to_onnx", where):
            self._learn(self.metadata_)
        self._local = threading.local()
        self._graph_tells: bool | None = None

    def _metadata(self, where: str) -> dict[str, Any]:
        try:
            entries = self._session.get_modelmeta().custom_metadata_map
            found = json.loads(entries[KEY]) if KEY in entries else None
        except ValueError as error:  # text that is no UTF-8, or no JSON
            raise unreadable("to_onnx", where, "whose metadata cannot be read") from error
        if not isinstance(found, dict) or not isinstance(found.get("format"), int):
            raise unreadable("to_onnx", where, "an ONNX file of another origin")
        return found

    def _learn(self, metadata: dict[str, Any]) -> None:
        """Restore the columns and the classes."""
        self._multilabel = metadata.get("multilabel", False)
        self._is_classifier = metadata["classes"] is not None or self._multilabel
        if metadata["classes"] is not None:
            self.classes_: Any = np.array(metadata["classes"], dtype=metadata["classes_dtype"])
        elif self._multilabel:
            self.classes_ = [np.arange(2)] * metadata["n_outputs"]
        self._inputs = [one.name for one in self._session.get_inputs()]
        self._output = self._session.get_outputs()[-1].name
        self._n_outputs = metadata["n_outputs"]
        self._one_value = not self._is_classifier and metadata["y_ndim"] == self._n_outputs == 1
        self._dtype = np.dtype(metadata["number_dtype"])
        self._row_shape = tuple(metadata["row_shape"])
        # of arrays that can go to the graph as they are
        self._plain_shape = self._row_shape if metadata["one_tensor"] else None
        self._plain_row = (1, *self._row_shape) if metadata["one_tensor"] else None
        self._allow_nan = metadata["allow_nan"]
        self.n_features_in_ = self._row_shape[0]
        self._names = metadata.get("feature_names")
        if self._names is not None:
            self.feature_names_in_ = np.asarray(self._names, dtype=object)
        self._lookups = {int(j): Lookup(categories) for j, categories in metadata.get("categories", {}).items()}
        self._text = metadata.get("text", [])
        self._lookups |= {j: _Text() for j in self._text}
        self._empty = np.isin(np.arange(self.n_features_in_), metadata.get("empty", []))
        self.times_ = metadata.get("times") or [None] * self.n_features_in_
        self._spelt = {
            # unseen values have the code -1, which reads the end, and missing ones -2
            j: np.array([*spellings(list(lookup), self._name(j)), MISSING, UNSEEN], dtype=object)
            for j, lookup in self._lookups.items()
            if j not in self._text
        }

    @property
    def threshold_(self) -> float | None:
        """For two classes the probability of ``classes_[1]`` from which on it is predicted; None: the larger one."""
        return self.metadata_.get("threshold")

    @takes_dask
    def predict(self, X: Any) -> NDArray[Any]:
        """Labels of classifiers, by the estimator's decision rule; values of regressors.

        Of several labels a row 1 for each with a probability above 0.5, else 0.

        Parameters
        ----------
        X : array, frame or Dask collection of shape (n, n_features)

        Returns
        -------
        ndarray of shape (n,), or (n, n_outputs) for several labels or targets, or quantiles of one
            Labels in the dtype of ``classes_``; values in float64.
        """
        outputs = self._outputs(X)
        if self._multilabel:
            return predicted_labels(outputs)
        if self._is_classifier:
            return self.classes_[predicted_codes(outputs, self.threshold_)]
        return outputs[:, 0] if self._one_value else outputs

    @takes_dask
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probabilities of the classes, in the order of ``classes_``, or of each of several labels.

        Parameters
        ----------
        X : array, frame or Dask collection of shape (n, n_features)

        Returns
        -------
        ndarray of float64, shape (n, n_classes) or (n, n_labels)

        Raises
        ------
        AttributeError
            For regressors.
        """
        if not self._is_classifier:
            raise AttributeError("predict_proba is for classifiers, and the file holds a regressor: call predict.")
        return self._outputs(X)

    def _outputs(self, X: Any) -> NDArray[np.float64]:
        if type(X) is np.ndarray and X.dtype in _FAST:
            outputs = None
            if X.shape == self._plain_row:
                try:
                    run = self._local.run
                except AttributeError:  # the first row of this thread
                    run = self._bound_row().outputs
                outputs = run(X)
            elif X.shape[1:] == self._plain_shape and len(X):
                outputs = self._rows(X)
            if outputs is not None:
                return outputs
        if isinstance(X, NoRows):
            self._feeds(X.like)
            return np.empty((0, self._n_outputs))
        feeds = self._feeds(X)
        n = len(next(iter(feeds.values())))
        if n == 0:
            raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required.")
        parts = []
        for start in range(0, n, CHUNK):
            part = {name: values[start : start + CHUNK] for name, values in feeds.items()}
            parts.append(self._session.run([self._output], part)[0])
        outputs = np.concatenate(parts).astype(np.float64)
        if np.isnan(outputs).any():  # behind steps that do not impute
            raise self._missing_values()
        return outputs

    def _bound_row(self) -> _BoundRow:
        """Memory that is bound once per thread."""
        row = _BoundRow(self._session, self._row_shape, self._dtype, self._n_outputs, self._allow_nan)
        if self._graph_tells is None:
            self._graph_tells = row.graph_tells()
        row.look = not self._graph_tells
        self._local.run = row.outputs
        return row

    def _rows(self, X: NDArray[Any]) -> NDArray[np.float64] | None:
        """The outputs for an array of numbers that goes to the graph as it is; None where some need a closer look."""
        outputs = np.empty((len(X), self._n_outputs))
        for start in range(0, len(X), CHUNK):
            with np.errstate(over="ignore"):
                part = np.ascontiguousarray(X[start : start + CHUNK], self._dtype)
            if np.isinf(part).any() if self._allow_nan else not np.isfinite(part).all():
                return None
            outputs[start : start + CHUNK] = self._session.run([self._output], {"X": part})[0]
        return None if np.isnan(outputs[:, 0]).any() else outputs

    def _feeds(self, X: Any) -> dict[str, NDArray[Any]]:
        """The graph's inputs."""
        if len(self._row_shape) > 1:
            return {self._inputs[0]: self._check_array(np.asarray(X))}
        matrix = self._read(X)
        if not self._allow_nan and np.isnan(matrix).any():
            raise self._missing_values()
        # where the network has long stopped to change; numbers near the end of float32 overflow when they are scaled
        numbers = np.clip(matrix, -FARTHEST, FARTHEST).astype(self._dtype)
        if self._plain_shape is not None:
            return {"X": numbers}
        numeric = (j for j in range(len(self._inputs)) if j not in self._spelt and j not in self._text)
        feeds = {self._inputs[j]: numbers[:, j : j + 1] for j in numeric}
        if self._spelt:
            codes = matrix[:, list(self._spelt)]
            codes = np.where(np.isnan(codes), -2, codes).astype(int)
            for k, (j, spelt) in enumerate(self._spelt.items()):
                feeds[self._inputs[j]] = spelt[codes[:, k], None]
        if self._text:
            table = self._table(X)
            feeds |= {self._inputs[j]: _strings(table.column(j), self._name(j)) for j in self._text}
        return feeds

    def _check_array(self, X: NDArray[Any]) -> NDArray[Any]:
        """An array of more than two dimensions."""
        if X.shape[1:] != self._row_shape:
            expected = ", ".join(map(str, self._row_shape))
            raise ValueError(f"X must have the shape (n, {expected}) that it had at fit, got {X.shape}.")
        X = X.astype(self._dtype)
        if not np.isfinite(X).all():
            raise ValueError("Input X contains NaN, infinity or a value too large for dtype('float32').")
        return X

    def _missing_values(self) -> ValueError:
        if self.metadata_.get("refuses_unseen"):
            return ValueError(
                "Input X contains NaN or another missing value, a category that was not there at fit, or a number "
                "out of range, which a step before the exported estimator takes for an error: set handle_unknown of "
                "its encoders, extrapolation of its splines, or impute first."
            )
        return ValueError(
            "Input X contains NaN or another missing value, which the teacher that the exported estimator was fitted "
            "with does not take: impute it first, or distil a teacher that takes it."
        )

    def __getstate__(self) -> dict[str, Any]:
        return {"content": self._content, "n_threads": self.n_threads}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.n_threads = state["n_threads"]
        self._open(state["content"])


class _Text(Lookup):
    """Any string; what it means is known to the graph alone."""

    def __init__(self) -> None:
        super().__init__([])

    def __missing__(self, value: Any) -> float:
        return np.nan if is_missing(value) else 0.0


def _strings(column: Any, name: str) -> NDArray[np.object_]:
    """A column of strings, (n, 1)."""
    if isinstance(column, Coded):
        known = [*column.values, None]  # what the code -1 reads stands at the end
        values = [known[code] for code in column.codes]
    else:
        values = list(column)
    for value in values:
        if not isinstance(value, str) and not is_missing(value):
            raise ValueError(
                f"Column {name} held strings when it was exported, got a value of type {type(value).__name__}: convert "
                "it to strings."
            )
    spelt = [[value if isinstance(value, str) else MISSING] for value in values]
    return np.array(spelt, dtype=object).reshape(-1, 1)


class _BoundRow:
    """One row's input and output, bound to a session: neither is looked up, checked or allocated again."""

    def __init__(self, session: Any, shape: tuple[int, ...], dtype: np.dtype[Any], n_outputs: int, allow_nan: bool):
        self.allow_nan, self.look = allow_nan, True
        first, output = session.get_outputs()[0], session.get_outputs()[-1]
        self.input = np.zeros((1, *shape), dtype)
        self.flat = self.input.reshape(-1)
        self.output = np.zeros((1, n_outputs), np.float64 if output.type == "tensor(double)" else np.float32)
        # nobody reads the label, but the runtime would have to find memory for it each time
        self.label = np.zeros((1, n_outputs) if len(first.shape) == 2 else 1, np.int64)
        self.binding = session.io_binding()
        bound = [(self.binding.bind_input, "X", self.input), (self.binding.bind_output, output.name, self.output)]
        if first.name != output.name and first.type == "tensor(int64)":
            bound.append((self.binding.bind_output, first.name, self.label))
        for bind, name, array in bound:
            bind(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
        self.run = _runner(session, self.binding)

    def graph_tells(self) -> bool:
        """Whether the graph gives NaN for infinity, and for missing values where they are refused, in every column.

        Most graphs do, by products with 0, so that nobody has to look at the numbers first.
        """
        if self.flat.size > PROBED:
            return False
        for bad in (np.inf, -np.inf) if self.allow_nan else (np.inf, -np.inf, np.nan):
            for j in range(self.flat.size):
                self.flat[:] = 0
                self.flat[j] = bad
                self.run()
                if not np.isnan(self.output[0, 0]):
                    return False
        return True

    def outputs(self, X: NDArray[Any]) -> NDArray[np.float64] | None:
        """Probabilities or values of one row; None where it needs a closer look, as infinity does."""
        if X.dtype is self.input.dtype:
            self.input[...] = X
        else:
            with np.errstate(over="ignore"):
                self.input[...] = X
        if self.look and not np.isfinite(self.flat).all() and not (self.allow_nan and not np.isinf(self.flat).any()):
            return None
        self.run()
        outputs = self.output.astype(_FLOAT64)
        first = outputs.item(0)
        return outputs if first == first else None


def _runner(session: Any, binding: Any) -> Any:
    """A call that runs a binding.

    It goes past the runtime's wrapper in Python, where that is made as it has been for years: its checks, and options
    that are made anew for each call, take a tenth of the time of one row.
    """
    inner, bound = getattr(session, "_sess", None), getattr(binding, "_iobinding", None)
    if inner is None or bound is None:
        return partial(session.run_with_iobinding, binding)
    import onnxruntime  # has been imported for the session

    return partial(inner.run_with_iobinding, bound, onnxruntime.RunOptions())
