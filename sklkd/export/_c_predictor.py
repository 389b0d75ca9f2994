"""Predictions from an exported C file, compiled here and called through ctypes."""

from __future__ import annotations

import ctypes
import json
import platform
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd._columns import ColumnReader
from sklkd._columns._cells import Lookup
from sklkd._dask import NoRows, takes_dask
from sklkd._decision_rule import predicted_codes, predicted_labels
from sklkd.export._file import check_seal, content_of, describing, unreadable
from sklkd.export._fixed_point import FixedPoint
from sklkd.export._format import C_FORMAT, KEY

FLAGS: tuple[str, ...] = ("-O3", "-march=native", "-funroll-loops", "-fno-math-errno", "-ffp-contract=fast")
if platform.machine() in ("x86_64", "AMD64"):
    FLAGS += ("-mprefer-vector-width=512",)  # compilers prefer 256 on some of the processors that have them

SEALED_FROM = 5
"""The first format whose files have a digest."""

CHUNK = 512
"""Rows per call, where they have to be made float64 first: they are then still in the cache."""


class CPredictor(ColumnReader):
    """Compile a file that :func:`to_c` has written, and predict with it as the estimator does.

    Neither torch, skorch, scikit-learn, ONNX Runtime nor pandas is imported.

    Parameters
    ----------
    path : str or path
        The C file.
    compiler : str, default="cc"
        Called once, to make a shared library in a temporary folder.
    flags : sequence of str, default=("-O3", "-march=native", "-funroll-loops", "-fno-math-errno", "-ffp-contract=fast")
        For the machine that compiles, which is the one that predicts; on x86 also ``-mprefer-vector-width=512``.

    Attributes
    ----------
    classes_ : ndarray
        Only of classifiers; of several labels a row a list of 0 and 1 for each.
    threshold_ : float or None
        The estimator's decision threshold, as it was exported.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where the estimator had them.

    Raises
    ------
    FileNotFoundError
        Where there is no such file, or no such compiler.
    RuntimeError
        Where the compiler fails.
    ValueError
        Where ``path`` was not written by ``to_c``, or by a newer version, or ends before the code.

    Notes
    -----
    It is safe in threads, which run side by side: the interpreter's lock is released. A pickle holds the file and
    compiles it anew. For a Dask DataFrame or Array predictions are a lazy Dask Array, computed where its parts are.

    A C file is code: compile only files that you have written yourself, or have read.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import ExtraTreesClassifier
    >>> from sklkd import DistilledClassifier
    >>> from sklkd.export import CPredictor, to_c
    >>> X, y = load_iris(return_X_y=True)
    >>> est = DistilledClassifier(ExtraTreesClassifier(random_state=0), "tiny", random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = to_c(est, Path(folder) / "iris.c")
    ...     compiled = CPredictor(report.path)
    >>> bool((compiled.predict(X) == est.predict(X)).all())
    True
    """

    _by_name = True

    def __init__(self, path: str | PathLike[str], *, compiler: str = "cc", flags: Sequence[str] = FLAGS):
        where = repr(str(path))
        try:
            content = content_of(path, "to_c").decode("ascii")
        except UnicodeDecodeError as error:
            raise unreadable("to_c", where, "which is no C file of it") from error
        self._open(content, compiler, tuple(flags), where)

    def _open(self, content: str, compiler: str, flags: tuple[str, ...], where: str = "a pickled one") -> None:
        self._content, self.compiler, self.flags = content, compiler, flags
        about = _metadata(content, where)
        # line ends are those of the machine
        check_seal(content.replace("\r\n", "\n").encode("ascii"), "to_c", where, SEALED_FROM, C_FORMAT)
        with describing("to_c", where):
            self._learn(about)
        self._library = library = _compiled(content, compiler, flags)
        self._predict, self._predict_one = library.sklkd_predict, library.sklkd_predict_one
        self._predict.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]
        self._predict.restype = self._predict_one.restype = None
        self._local = threading.local()

    def _learn(self, about: dict[str, Any]) -> None:
        """Restore the columns and the classes."""
        categories = about["categories"]
        self.n_features_in_, self._n_outputs = len(categories), about["n_outputs"]
        self._one_target = about["one_target"]
        self._threshold, self._multilabel = about.get("threshold"), about.get("multilabel", False)
        if about["classes"] is not None:
            self.classes_: Any = np.array(about["classes"], dtype=about["dtype"])
        elif self._multilabel:
            self.classes_ = [np.arange(2)] * self._n_outputs
        self._names = about["names"]
        if self._names is not None:
            self.feature_names_in_ = np.array(self._names, dtype=object)
        self._lookups = {j: Lookup(found) for j, found in enumerate(categories) if found is not None}
        self._empty = np.isin(np.arange(self.n_features_in_), about["empty"])
        self.times_ = about.get("times") or [None] * self.n_features_in_
        integer = about.get("integer")
        self._fixed_point: FixedPoint | None = None
        if integer:
            classification = about["classes"] is not None
            self._fixed_point = FixedPoint(integer["columns"], integer["outputs"], classification=classification)
            self._allow_missing = integer["missing"]
        self._row = None if self._lookups or integer else (1, self.n_features_in_)

    @property
    def threshold_(self) -> float | None:
        """For two classes the probability of ``classes_[1]`` from which on it is predicted; None: the larger one."""
        return self._threshold

    @takes_dask
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probabilities of the classes, (n, n_classes), in the order of ``classes_``, or of each of several labels.

        Parameters
        ----------
        X : array, frame or Dask collection of shape (n, n_features)
        """
        if not hasattr(self, "classes_"):
            raise AttributeError("predict_proba is for classifiers, and the file holds a regressor: call predict.")
        return self._outputs(X)

    @takes_dask
    def predict(self, X: Any) -> NDArray[Any]:
        """The class of each row by the estimator's decision rule, (n,), or values in the units of y.

        Of several labels a row 1 for each with a probability above 0.5, else 0, (n, n_labels). Values have shape (n,),
        or (n, n_outputs) for several targets, or quantiles of one.

        Parameters
        ----------
        X : array, frame or Dask collection of shape (n, n_features)
        """
        outputs = self._outputs(X)
        if self._multilabel:
            return predicted_labels(outputs)
        if hasattr(self, "classes_"):
            return self.classes_[predicted_codes(outputs, self._threshold)]
        return outputs[:, 0] if self._one_target else outputs

    def encode(self, X: Any) -> NDArray[Any]:
        """What the C functions take: numbers as they are, categories as codes, (n, n_features).

        Of a file without floating point these are int32: numbers times ``2**shift`` of their column, rounded.

        Parameters
        ----------
        X : array or frame of shape (n, n_features)
        """
        rows = self._read(X)
        return rows if self._fixed_point is None else self._fixed_point.rows(rows)

    def _outputs(self, X: Any) -> NDArray[np.float64]:
        if self._fixed_point is not None:
            return self._outputs_in_integers(X, self._fixed_point)
        rows = X
        if type(X) is np.ndarray and self._row is not None and X.dtype.kind in "fiu":
            if X.shape == self._row:
                taken, given, run = getattr(self._local, "bound", None) or self._bind()
                taken[:] = X
                run()
                first = given.item(0)
                if first == first:
                    return given.copy()
        elif isinstance(X, NoRows):
            rows = self._read(X.like)
        else:
            rows = self._read(X)
        if rows.shape[1:] != (self.n_features_in_,):
            self._read(X)  # says what is wrong
        out = np.empty((len(rows), self._n_outputs))
        target = out.ctypes.data
        if rows.dtype == np.float64 and rows.flags.c_contiguous and rows.flags.aligned:
            self._predict(rows.ctypes.data, len(rows), target)
        else:
            part = np.empty((min(CHUNK, len(rows)), self.n_features_in_))
            source = part.ctypes.data
            for start in range(0, len(rows), CHUNK):
                n = min(CHUNK, len(rows) - start)
                part[:n] = rows[start : start + n]
                self._predict(source, n, target + start * out.strides[0])
        # infinity and unwelcome missing values come out as NaN
        if np.isnan(out[:, 0]).any():
            self._check_finite(self._read(X))
            raise ValueError(
                "Input X contains NaN or another missing value, which the teacher of this student did not take, or "
                "numbers too large for float32 once they are scaled."
            )
        return out

    def _outputs_in_integers(self, X: Any, fixed_point: FixedPoint) -> NDArray[np.float64]:
        rows = self._read(X.like if isinstance(X, NoRows) else X)
        numeric = [j for j in range(self.n_features_in_) if j not in self._lookups and not self._empty[j]]
        if not self._allow_missing and np.isnan(rows[:, numeric]).any():
            raise ValueError(
                "Input X contains NaN or another missing value, which the teacher of this student did not take."
            )
        given, out = fixed_point.rows(rows), np.empty((len(rows), self._n_outputs), dtype=np.int32)
        self._predict(given.ctypes.data, len(given), out.ctypes.data)
        return fixed_point.outputs(out)

    def _bind(self) -> tuple[NDArray[np.float64], NDArray[np.float64], Any]:
        """One row's input, its output, and a call that knows both, once per thread: most of what a call costs."""
        taken, given = np.empty((1, self.n_features_in_)), np.empty((1, self._n_outputs))
        pointers = (ctypes.c_void_p(one.ctypes.data) for one in (taken, given))
        self._local.bound = taken, given, partial(self._predict_one, *pointers)
        return self._local.bound

    def __getstate__(self) -> dict[str, Any]:
        return {"content": self._content, "compiler": self.compiler, "flags": self.flags}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._open(state["content"], state["compiler"], state["flags"])


def _metadata(content: str, where: str) -> dict[str, Any]:
    mark = f" * {KEY}: "
    for line in content.splitlines():
        if line.startswith(mark):
            try:
                about = json.loads(line.removeprefix(mark))
            except json.JSONDecodeError as error:
                raise unreadable("to_c", where, "which ends too early") from error
            if not isinstance(about, dict) or not isinstance(about.get("format"), int):
                break
            if about["format"] > C_FORMAT:
                raise ValueError(
                    f"path was written by sklkd {about['version']}, whose files this version cannot read: update sklkd."
                )
            return about
    raise unreadable("to_c", where, "a file of another origin")


def _compiled(content: str, compiler: str, flags: tuple[str, ...]) -> Any:
    """The file as a shared library."""
    if shutil.which(compiler) is None:
        raise FileNotFoundError(
            f"CPredictor needs a C compiler, and there is no {compiler!r}: install gcc or clang, or name one with "
            "compiler=."
        )
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder) / "student.c", Path(folder) / "student.so"
        source.write_text(content, encoding="ascii")
        command = [compiler, *flags, "-shared", "-fPIC", "-o", str(library), str(source), "-lm"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
        return ctypes.CDLL(str(library))
