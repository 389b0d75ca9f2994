"""What is right: an answer that holds, or a clear error; and the counter of cases."""

from __future__ import annotations

import ast
import linecache
import os
import pickle
import traceback
import warnings
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
from sklearn.exceptions import NotFittedError

import sklkd

from .tables import rows_of

HOME = str(Path(sklkd.__file__).parent)
LIBRARIES = ("sklearn", "catboost", "lightgbm", "xgboost")
CLEAR = (ValueError, TypeError, NotFittedError)
LONG = 1500
"""Characters beyond which a message surely holds somebody's data."""


def home_of(filename):
    """The package that a file belongs to, where it is one that may speak to users; else None."""
    if filename.startswith(HOME):
        return "sklkd"
    parts = Path(filename).parts
    return next((name for name in LIBRARIES if name in parts), None)


@cache
def raising_lines(filename):
    """The lines of a file at which a `raise` statement begins or goes on."""
    tree = ast.parse("".join(linecache.getlines(filename)))
    raises = [node for node in ast.walk(tree) if isinstance(node, ast.Raise)]
    return {line for node in raises for line in range(node.lineno, node.end_lineno + 1)}


def judged(error):
    """None for a clear error; else why it is none.

    Clear is what sklkd raises by a statement of its own, and what scikit-learn says of its arguments; what NumPy,
    pandas or torch say when they are given something unforeseen is an accident.
    """
    if not isinstance(error, CLEAR) or isinstance(error, (UnicodeError, np.linalg.LinAlgError)):
        return f"{type(error).__name__} is no error of checks"
    spoken = [frame for frame in traceback.extract_tb(error.__traceback__) if home_of(frame.filename)]
    last = spoken[-1] if spoken else None
    if last is None:
        return "it comes from no library"
    if home_of(last.filename) != "sklkd":
        return None
    if last.lineno not in raising_lines(last.filename):
        return f"it is none that {Path(last.filename).name}:{last.lineno} raises"
    return "the message is as long as data" if len(str(error)) > LONG else None


@contextmanager
def no_accident(*, allowed=()):
    """Runs a call: its error must be clear, and is kept; warnings must not come from arithmetic of sklkd."""
    found, warned = {}, []
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, category, *_: warned.extend(accidents(message, category))
        try:
            yield found
        except allowed as error:
            found["error"] = error
        except Exception as error:
            why = judged(error)
            if why is not None:
                raise AssertionError(f"no clear error: {why}") from error
            found["error"] = error
    assert not warned, f"warnings from within: {warned}"


def accidents(message, category):
    """A warning as text, where it comes from arithmetic of sklkd and not from what a user may change."""
    if not issubclass(category, (RuntimeWarning, DeprecationWarning, FutureWarning)):
        return []
    spoken = [frame for frame in traceback.extract_stack() if home_of(frame.filename)]
    if not spoken or home_of(spoken[-1].filename) != "sklkd":
        return []
    return [f"{category.__name__}: {message} ({Path(spoken[-1].filename).name}:{spoken[-1].lineno})"]


def count(kind, found=None):
    """Where SKLKD_FUZZ_COUNT names a file, write a case there, and whether it was answered."""
    if found is not None:
        kind += ", refused" if "error" in found else ", answered"
    path = os.environ.get("SKLKD_FUZZ_COUNT")
    if path:
        with open(path, "a") as file:
            file.write(kind + "\n")


def answers(est, X):
    """Predictions, and probabilities where there are any."""
    return [est.predict(X), *([est.predict_proba(X)] if hasattr(est, "classes_") else [])]


def check_answers(est, X, n):
    """Finite predictions of the right shape, probabilities that sum to 1, labels that came."""
    told = answers(est, X)
    if not hasattr(est, "classes_"):
        assert len(told[0]) == n and np.isfinite(told[0]).all()
        return told
    predicted, proba = told
    assert np.isfinite(proba).all() and (proba >= 0).all() and (proba <= 1).all()
    if isinstance(est.classes_, list):
        assert predicted.shape == proba.shape == (n, len(est.classes_)) and np.isin(predicted, (0, 1)).all()
    else:
        assert proba.shape == (n, len(est.classes_)) and predicted.shape == (n,)
        np.testing.assert_allclose(proba.sum(1), 1)
        assert set(predicted.tolist()) <= set(est.classes_.tolist())
    return told


def close(got, expected, rtol=1e-6, atol=1e-7):
    """Equal answers: labels where they are no tie, numbers to rounding."""
    for one, other in zip(got, expected, strict=True):
        if other.dtype.kind in "fc":
            size = max(1.0, float(np.abs(other).max())) if other.size else 1.0
            np.testing.assert_allclose(one / size, other / size, rtol=rtol, atol=atol)


def check_fitted(est, X, n):
    """All that holds of an estimator after a fit on X, which must be answered."""
    told = check_answers(est, X, n)
    again = answers(pickle.loads(pickle.dumps(est)), X)
    for one, other in zip(again, told, strict=True):
        np.testing.assert_array_equal(one, other)
    check_alone(est, X, n, told)
    return told


def check_alone(est, X, n, told):
    """A row alone gets the answer that it gets among others."""
    for i in {0, n // 2, n - 1} if n else ():
        one = rows_of(X, [i])
        if one is not None:
            close(answers(est, one), [part[[i]] for part in told])
