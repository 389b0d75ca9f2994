"""Predictions from an exported C file, compiled here and called through ctypes."""

from __future__ import annotations

import ctypes
import json
import shutil
import subprocess
import tempfile
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd._columns import ColumnReader
from sklkd._columns._cells import Lookup
from sklkd.export._c_code import FORMAT, MARK

FLAGS = ("-O3", "-march=native", "-fno-math-errno", "-ffp-contract=fast")


class CPredictor(ColumnReader):
    """Compile a file that :func:`to_c` has written, and predict with it as the estimator does.

    Parameters
    ----------
    path : str or path
        The C file.
    compiler : str, default="cc"
        Called once, to make a shared library in a temporary folder.
    flags : sequence of str, default=("-O3", "-march=native", "-fno-math-errno", "-ffp-contract=fast")

    Attributes
    ----------
    classes_ : ndarray
        Only of classifiers.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where the estimator had them.

    Raises
    ------
    FileNotFoundError
        Where there is no such compiler.
    RuntimeError
        Where it fails.
    ValueError
        Where ``path`` was not written by ``to_c``, or by a newer version.

    Notes
    -----
    It is safe in threads, which run side by side: the interpreter's lock is released. A pickle of it holds the path,
    and compiles the file anew.

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

    def __init__(self, path: str | PathLike[str], *, compiler: str = "cc", flags: Any = FLAGS):
        self.path, self.compiler, self.flags = str(path), compiler, tuple(flags)
        about = _metadata(Path(path))
        self._learn(about)
        self._predict = _compiled(Path(path), compiler, self.flags)

    def _learn(self, about: dict[str, Any]) -> None:
        categories = about["categories"]
        self.n_features_in_, self._n_outputs = len(categories), about["n_outputs"]
        self._one_target = about["one_target"]
        if about["classes"] is not None:
            self.classes_ = np.array(about["classes"], dtype=about["dtype"])
        if about["names"] is not None:
            self.feature_names_in_ = np.array(about["names"], dtype=object)
        self._plain = all(found is None for found in categories)
        self._names = about["names"]
        self._lookups = {j: Lookup(found) for j, found in enumerate(categories) if found is not None}
        self._empty = np.isin(np.arange(self.n_features_in_), about["empty"])

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.path, self.compiler, self.flags)

    def encode(self, X: Any) -> NDArray[np.float64]:
        """What the C functions take: numbers as they are, categories as codes, (n, n_features).

        Parameters
        ----------
        X : array or frame of shape (n, n_features)
        """
        return self._read(X)

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probabilities of the classes, (n, n_classes), in the order of ``classes_``.

        Parameters
        ----------
        X : array or frame of shape (n, n_features)
        """
        if not hasattr(self, "classes_"):
            raise AttributeError("predict_proba is for classifiers, and the file holds a regressor: call predict.")
        return self._outputs(X)

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class of each row, (n,), or its values in the units of y, (n,) or (n, n_targets).

        Parameters
        ----------
        X : array or frame of shape (n, n_features)
        """
        outputs = self._outputs(X)
        if hasattr(self, "classes_"):
            return self.classes_[outputs.argmax(axis=1)]
        return outputs[:, 0] if self._one_target else outputs

    def _outputs(self, X: Any) -> NDArray[np.float64]:
        plain = type(X) is np.ndarray and X.dtype.kind in "fiu" and X.ndim == 2 and X.shape[1] == self.n_features_in_
        rows = np.ascontiguousarray(X, dtype=np.float64) if self._plain and plain else self.encode(X)
        n = len(rows)
        out = np.empty((n, self._n_outputs))
        self._predict(rows.__array_interface__["data"][0], n, out.__array_interface__["data"][0])
        # infinity and unwelcome missing values come out as NaN
        if (out.item(0) != out.item(0)) if n == 1 else np.isnan(out[:, 0]).any():
            self._check_finite(rows)
            raise ValueError(
                "Input X contains NaN or another missing value, which the teacher of this student did not take, or "
                "numbers too large for float32 once they are scaled."
            )
        return out


def _again(path: str, compiler: str, flags: tuple[str, ...]) -> CPredictor:
    return CPredictor(path, compiler=compiler, flags=flags)


def _metadata(path: Path) -> dict[str, Any]:
    for line in path.read_text(encoding="ascii").splitlines():
        if line.startswith(f" * {MARK}"):
            about = json.loads(line.removeprefix(f" * {MARK}"))
            if about["format"] > FORMAT:
                raise ValueError(
                    f"path must be a file of a version that is known here, got {path} of a newer one: update sklkd."
                )
            return about
    raise ValueError(f"path must be a file that to_c has written, got {path}.")


def _compiled(path: Path, compiler: str, flags: tuple[str, ...]) -> Any:
    if shutil.which(compiler) is None:
        raise FileNotFoundError(
            f"CPredictor needs a C compiler, and there is no {compiler!r}: install gcc or clang, or name one with "
            "compiler=."
        )
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "student.so"
        command = [compiler, *flags, "-shared", "-fPIC", "-o", str(library), str(path), "-lm"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
        function = ctypes.CDLL(str(library)).sklkd_predict
    function.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]
    function.restype = None
    return function
