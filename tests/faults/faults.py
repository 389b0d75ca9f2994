"""Faults made on purpose, and what has to be as before after them; the tests and benchmarks/faults.py share them."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import sklkd
from sklkd import (
    DistilledClassifier,
    DistilledRegressor,
    OnlineDistilledClassifier,
    OnlineDistilledRegressor,
    SelfDistilledClassifier,
    SelfDistilledRegressor,
    distillation_report,
    to_c,
    to_onnx,
)
from sklkd._torch import generator_kept
from tests.estimators.problems import classes, quick, targets

ROOT = Path(__file__).parents[2]
SOURCES = str(Path(sklkd.__file__).parent)
BOTH = {"cv": 2, "random_state": 0}

ESTIMATORS: dict[str, Callable[[], Any]] = {
    "offline-classifier": lambda: DistilledClassifier(ExtraTreesClassifier(3), quick(2), **BOTH),
    "offline-regressor": lambda: DistilledRegressor(ExtraTreesRegressor(3), quick(2), **BOTH),
    "tree-classifier": lambda: DistilledClassifier(
        ExtraTreesClassifier(3), DecisionTreeClassifier(max_depth=4), **BOTH
    ),
    "tree-regressor": lambda: DistilledRegressor(ExtraTreesRegressor(3), DecisionTreeRegressor(max_depth=4), **BOTH),
    "online-classifier": lambda: OnlineDistilledClassifier([("a", quick(2)), ("b", quick(2))], random_state=0),
    "online-regressor": lambda: OnlineDistilledRegressor([("a", quick(2)), ("b", quick(2))], random_state=0),
    "self-classifier": lambda: SelfDistilledClassifier(quick(2), random_state=0),
    "self-regressor": lambda: SelfDistilledRegressor(quick(2), random_state=0),
}


def rows_for(name: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows and labels or targets for one of the estimators."""
    return (classes if name.endswith("classifier") else targets)(n=90, seed=seed)


def answers(est: Any, X: np.ndarray) -> np.ndarray:
    """What an estimator or a predictor says most with."""
    return est.predict_proba(X) if hasattr(est, "classes_") else est.predict(X)


# What a fault must leave as it was


def of_process() -> dict[str, Any]:
    """What is the whole process's, and no fit's to change."""
    return {
        "torch's threads": torch.get_num_threads(),
        "torch's generator": torch.get_rng_state().numpy().tobytes(),
        "NumPy's generator": repr(np.random.get_state()),  # noqa: NPY002
        "warnings' filters": list(warnings.filters),
        "environment": dict(os.environ),
        "NumPy's errors": np.geterr(),
        "denormal numbers": bool(torch.tensor(1e-310, dtype=torch.float64) * 1 == 0),
        "gradients": torch.is_grad_enabled(),
        "default dtype": torch.get_default_dtype(),
        "handler of SIGINT": signal.getsignal(signal.SIGINT),
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "working directory": os.getcwd(),
        "temporary files": sorted(os.listdir(tempfile.gettempdir())),
    }


def overlap() -> None:
    """Two sections that keep torch's generator and draw; the one that began first ends first."""
    first, second = generator_kept(), generator_kept()
    first.__enter__()
    torch.manual_seed(3)
    second.__enter__()
    torch.manual_seed(4)
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)


def changed(before: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What of :func:`of_process` is no longer as it was."""
    now = of_process()
    return {name: (before[name], now[name]) for name in now if now[name] != before[name]}


def state_of(est: Any) -> dict[str, Any]:
    return dict(vars(est))


def is_that_of(state: dict[str, Any], est: Any) -> bool:
    """Whether an estimator holds the very objects that it held."""
    return vars(est).keys() == state.keys() and all(vars(est)[name] is value for name, value in state.items())


# Interruptions


class Calls:
    """Counts the calls of functions of the library, and raises KeyboardInterrupt at one of them.

    That is where Python itself runs the handler of a signal: when a function begins. What cleans up behind a ``with``
    is let through, since a signal that comes there cannot be told from one that comes twice; so are generators,
    in which Python ignores what is raised when they are collected.
    """

    def __init__(self, at: int | None = None):
        self.at, self.n = at, 0

    def __call__(self, frame: Any, event: str, value: Any) -> None:
        if event != "call" or not frame.f_code.co_filename.startswith(SOURCES):
            return
        self.n += 1
        if self.at is not None and self.n >= self.at and not cleans_up(frame):
            self.at = None
            raise KeyboardInterrupt

    def run(self, call: Callable[[], Any]) -> Any:
        sys.setprofile(self)
        try:
            return call()
        finally:
            sys.setprofile(None)


def cleans_up(frame: Any) -> bool:
    """Whether a frame is part of the end of a ``with``, or of an object, in which Python itself drops exceptions."""
    while frame is not None:
        if frame.f_code.co_name in ("__exit__", "__del__", "<genexpr>") or frame.f_code.co_filename == weakref.__file__:
            return True
        frame = frame.f_back
    return False


def harm_of(est: Any, call: Callable[[], Any], at: int) -> list[str] | None:
    """What an interruption at one of the library's calls has changed, of an estimator and of the process.

    None where the call has ended before.
    """
    before, state, calls = of_process(), state_of(est), Calls(at)
    try:
        calls.run(call)
    except KeyboardInterrupt:
        return [*changed(before), *([] if is_that_of(state, est) else ["the estimator"])]
    return ["the interruption was lost"] if calls.at is None else None


def n_calls(call: Callable[[], Any]) -> int:
    """How many functions of the library are called."""
    calls = Calls()
    calls.run(call)
    return calls.n


# A disk that is full


@contextmanager
def files_of_at_most(n_bytes: int) -> Iterator[None]:
    """While it lasts the system refuses to let a file grow beyond so many bytes, as a full disk does."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


WRITERS: dict[str, Callable[..., Any]] = {
    "to_onnx": lambda est, X, y, path: to_onnx(est, path),
    "to_c": lambda est, X, y, path: to_c(est, path),
    "to_c with a header": lambda est, X, y, path: to_c(
        est, path, quantize="integer", X=X, header=path.with_suffix(".h")
    ),
    "to_html": lambda est, X, y, path: distillation_report(est, X, y, False, n_repeats=1).to_html(path),
}


def everything_in(folder: Path) -> dict[str, bytes]:
    """The files under a folder with their contents."""
    return {str(one.relative_to(folder)): one.read_bytes() for one in sorted(folder.rglob("*")) if one.is_file()}


# A machine that has too little memory


@contextmanager
def memory_left(n_bytes: int) -> Iterator[None]:
    """While it lasts the system gives this process so many bytes more, and then no more."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


# Teachers that fail

ANSWERS: dict[str, Callable[[np.ndarray], Any]] = {
    "a row too few": lambda out: out[:-1],
    "a row too many": lambda out: np.concatenate([out, out[:1]]),
    "a column too few": lambda out: out[:, :-1] if out.ndim > 1 else out[:0],
    "a column too many": lambda out: np.column_stack([out, out]),
    "a missing value": lambda out: np.where(np.arange(out.size).reshape(out.shape) == 0, np.nan, out),
    "infinity": lambda out: np.where(np.arange(out.size).reshape(out.shape) == 0, np.inf, out),
    "text": lambda out: np.full(out.shape, "much"),
    "None": lambda out: None,
    "another depth": lambda out: out[None],
}
ERRORS = {"MemoryError": MemoryError, "RuntimeError": RuntimeError, "TimeoutError": TimeoutError}


class Faulty:
    """Answers otherwise, or not at all, at call number ``at``, counted over all its instances."""

    at = 0
    n = 0
    fault: Callable[[np.ndarray], Any]

    @classmethod
    def set(cls, fault: str | None, at: int = 0) -> None:
        """Let the call number ``at`` from now on be one of ``ANSWERS`` or ``ERRORS``."""
        cls.at, cls.n, cls.fault = at, 0, fault

    def changed(self, out: np.ndarray) -> Any:
        Faulty.n += 1
        if Faulty.n != Faulty.at:
            return out
        if Faulty.fault in ERRORS:
            raise ERRORS[Faulty.fault]("the teacher has failed")
        return ANSWERS[Faulty.fault](out)


class FaultyClassifier(Faulty, ClassifierMixin, BaseEstimator):
    def fit(self, X: Any, y: Any) -> Any:
        self.model_ = ExtraTreesClassifier(3, random_state=0).fit(X, y)
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, X: Any) -> Any:
        return self.changed(self.model_.predict_proba(X))

    def predict(self, X: Any) -> Any:
        return self.model_.predict(X)


class FaultyRegressor(Faulty, RegressorMixin, BaseEstimator):
    def fit(self, X: Any, y: Any) -> Any:
        self.model_ = ExtraTreesRegressor(3, random_state=0).fit(X, y)
        return self

    def predict(self, X: Any) -> Any:
        return self.changed(self.model_.predict(X))


# Files that are damaged, and files that two processes write

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda content: b"",
    "cut to a half": lambda content: content[: len(content) // 2],
    "cut by a byte": lambda content: content[:-1],
    "zeroed": lambda content: bytes(len(content)),
    "doubled": lambda content: content + content,
    "another kind": lambda content: b"PK\x03\x04" + content,
}


def of_two_writers(models: list[Any], writer: str, path: Path, n_rounds: int) -> tuple[int, int]:
    """Two processes write one file again and again, and it is read all the while: reads, and reads of a mixture."""
    X, y = rows_for("offline-classifier")
    wholes = []
    for model in models:
        WRITERS[writer](model, X, y, path)
        wholes.append(path.read_bytes())
    children = []
    for model in models:
        child = os.fork()
        if child == 0:
            for _ in range(n_rounds):
                WRITERS[writer](model, X, y, path)
            os._exit(0)
        children.append(child)
    n = n_mixed = 0
    while children:
        n += 1
        n_mixed += path.read_bytes() not in wholes
        children = [child for child in children if os.waitpid(child, os.WNOHANG)[0] == 0]
    return n, n_mixed
