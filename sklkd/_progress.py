"""What a fit says while it runs: log records, one bar on standard error, and scikit-learn's callbacks."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing import parent_process
from threading import Lock
from time import perf_counter
from typing import Any

LOGGER = logging.getLogger("sklkd")
LOGGER.addHandler(logging.NullHandler())

WIDTH = 24
"""Characters of the bar; with stage and time the line fits into a terminal of 80 columns."""

SOON = 2.0
"""Seconds left below which they are not told."""

Advance = Callable[[float], None]
"""Told that a part of a stage is done, from 0 to 1, beside what it was told before."""


class Progress:
    """The stages of one fit.

    Parameters
    ----------
    name : str
        Of the estimator.
    stages : sequence of str
        In their order; some may be left out.
    verbose : int, default=0
        0 shows nothing. 1 shows one bar; a line for each stage where standard error is no terminal, or in a worker
        process. More shows these lines everywhere: a bar does not mix with a table of losses.
    estimator, task : object, default=None
        The estimator and its ``CallbackContext``, for scikit-learn's callbacks. None: there are none.

    Attributes
    ----------
    seconds : dict of str to float
        What the stages took that are done.

    Notes
    -----
    Pickled, for another process, it is silent. Of fits inside each other, or in several threads, the first one draws,
    and the others only log.
    """

    def __init__(self, name: str, stages: Sequence[str], verbose: int = 0, *, estimator: Any = None, task: Any = None):
        self.name, self.stages, self.verbose = name, tuple(stages), verbose
        self.estimator, self.task = estimator, task
        self._bar: Bar | None = None
        self._stage, self._done = "", 0.0
        self.seconds: dict[str, float] = {}

    def __reduce__(self) -> Any:
        return _silent, ()

    @contextmanager
    def fit(self) -> Iterator[None]:
        """The whole fit, of which the stages are parts."""
        began, stream = perf_counter(), sys.stderr
        drawn = self.verbose == 1 and stream is not None and stream.isatty() and parent_process() is None
        try:
            if drawn and Bar.free.acquire(blocking=False):
                self._bar = Bar(stream)
            yield
            self._say("fit", perf_counter() - began)
            if self._bar is not None:
                self._bar.draw(1.0, "fitted")
        finally:
            if self._bar is not None:
                self._bar.end()
                Bar.free.release()
            self._bar = None

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """One of the stages."""
        self.note("%s begins", name)
        task = None if self.task is None else self.task.subcontext(task_name=name)
        if task is not None:
            task.call_on_fit_task_begin(estimator=self.estimator)
        self._stage, self._done = name, 0.0
        self.advance(0.0)
        began = perf_counter()
        yield
        self.seconds[name] = perf_counter() - began
        self._say(name, self.seconds[name])
        self.advance(1.0)
        if task is not None:
            task.call_on_fit_task_end(estimator=self.estimator)

    def note(self, message: str, *values: Any) -> None:
        """Log a detail, which names no values of rows."""
        if self.name:
            LOGGER.debug(f"%s: {message}", self.name, *values)

    def pieces(self, n: int) -> Pieces:
        """Tells of ``n`` pieces of the stage, or of a part of it, that take equally long."""
        return Pieces(self, n)

    def advance(self, by: float, part: float = 1.0, left: float | None = None) -> None:
        """Tell that so much more of a part of the stage is done, and for about how many seconds it will go on."""
        label = self._stage
        if left is not None and left >= SOON:
            self.note("%s, about %.0f s left", label, left)
            label = f"{label}, about {left:.0f} s left"
            if self._shows_lines():
                sys.stderr.write(f"{self.name}: {label}\n")
        if self._bar is not None and self._stage in self.stages:
            self._done = min(1.0, self._done + by * part)
            place = self.stages.index(self._stage)
            self._bar.draw((place + self._done) / len(self.stages), label)

    def advances(self, n: int = 1) -> Advance | None:
        """:meth:`advance` for one of ``n`` equal parts of the stage; None where nobody looks."""
        return None if self._bar is None else partial(self.advance, part=1 / n)

    def _say(self, stage: str, seconds: float) -> None:
        """Log that a stage, or the whole fit, is done; and show it, line by line."""
        if not self.name:
            return
        LOGGER.info("%s: %s, %.2f s", self.name, stage, seconds, extra={"stage": stage, "seconds": seconds})
        if self._shows_lines():
            sys.stderr.write(f"{self.name}: {stage}, {seconds:.2f} s\n")

    def _shows_lines(self) -> bool:
        return bool(self.name and self.verbose) and sys.stderr is not None and not Bar.free.locked()


class Pieces:
    """Pieces of a stage that take equally long, of which the time that is left is told.

    Pickled, for another process, they are silent.

    Parameters
    ----------
    progress : Progress
    n : int
        How many.
    """

    def __init__(self, progress: Progress, n: int):
        self.progress, self.n, self.done, self.began = progress, n, 0, perf_counter()

    def advance(self) -> None:
        """Tell that one more is done."""
        self.done += 1
        rest = self.n - self.done
        left = (perf_counter() - self.began) / self.done * rest if rest > 0 else None
        self.progress.advance(1 / self.n, left=left)


class Bar:
    """A line of a terminal that is drawn over itself.

    Parameters
    ----------
    stream : text stream
    """

    free = Lock()
    """Held by the fit that draws."""

    def __init__(self, stream: Any):
        self.stream, self.began, self.line = stream, perf_counter(), ""

    def draw(self, done: float, label: str) -> None:
        """Show what part of all is done, from 0 to 1."""
        filled = int(WIDTH * done)
        bar = "#" * filled + "." * (WIDTH - filled)
        line = f"[{bar}] {int(100 * done):3d} %  {label}, {perf_counter() - self.began:.0f} s"
        if line != self.line:
            self.stream.write("\r" + line.ljust(len(self.line)))
            self.stream.flush()
            self.line = line

    def end(self) -> None:
        """Let what comes next begin on a line of its own."""
        if self.line:
            self.stream.write("\n")


def _silent() -> Progress:
    return SILENT


SILENT = Progress("", ())
"""Of what is no fit of its own: it shows nothing, and logs no stage."""
