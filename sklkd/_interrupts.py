"""Ctrl-C ends a fit, also where a model inside it takes that for the end of its own training."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupts_heard() -> Iterator[None]:
    """Raise KeyboardInterrupt at the end, if one was raised by a signal inside and did not come out.

    scikit-learn's MLPs and skorch's nets stop their training then, and go on as if it were whole. Signals reach the
    main thread alone; in others, and where the program does not let SIGINT raise, nothing is changed.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    raised = []

    def handler(number: int, frame: FrameType | None) -> None:
        try:
            before(number, frame)
        except KeyboardInterrupt:
            raised.append(number)
            raise

    try:
        signal.signal(signal.SIGINT, handler)
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if raised:
        raise KeyboardInterrupt
