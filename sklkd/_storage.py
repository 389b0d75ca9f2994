"""Large arrays: in memory, and past a budget in files that are gone afterwards."""

from __future__ import annotations

import errno
import math
import os
import re
import tempfile
import weakref
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

PART = 4
"""Of the machine's memory one part in so many holds arrays: the teacher, the user's rows and the system need theirs."""

UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


class Storage:
    """Gives arrays to be written: in memory as long as all together stay within a budget, else in files.

    The files have no name, so that they are gone with the last use of the array, however the process ends.

    Parameters
    ----------
    memory_limit : int, str or "auto", default="auto"
        See :func:`bytes_of`.
    """

    def __init__(self, memory_limit: int | str = "auto"):
        self.limit = bytes_of(memory_limit)
        self.used = 0

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """An array with any content.

        Raises
        ------
        OSError
            Where it goes to a file for which the disk has no room.
        MemoryError
            Where the system gives less memory than ``memory_limit`` has left.
        """
        dtype = np.dtype(dtype)
        n_bytes = math.prod(shape) * dtype.itemsize
        if n_bytes == 0 or self.used + n_bytes <= self.limit:
            made = self._in_memory(shape, dtype, n_bytes)
            self.used += n_bytes
            weakref.finalize(made, self._release, n_bytes)
            return made
        return in_file(shape, dtype)

    def _in_memory(self, shape: tuple[int, ...], dtype: np.dtype, n_bytes: int) -> NDArray[Any]:
        try:
            return np.empty(shape, dtype)
        except MemoryError as error:
            raise MemoryError(
                f"memory_limit lets an array of {n_bytes:,} bytes be held, which the system has no memory for: set "
                f"memory_limit below {n_bytes:,}, which sends it to a file, or lower n_synthetic."
            ) from error

    def _release(self, n_bytes: int) -> None:
        self.used -= n_bytes


def in_file(shape: tuple[int, ...], dtype: np.dtype) -> NDArray[Any]:
    """An array in a file of the folder for temporary files."""
    n_bytes = math.prod(shape) * dtype.itemsize
    folder = tempfile.gettempdir()
    with tempfile.TemporaryFile(prefix="sklkd-", dir=folder) as file:
        try:
            if hasattr(os, "posix_fallocate"):
                # a disk that is full shows here, not at some later write, where it would end the process
                os.posix_fallocate(file.fileno(), 0, n_bytes)
            return np.memmap(file, dtype, mode="r+", shape=shape)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            raise OSError(
                error.errno,
                f"memory_limit sends an array of {n_bytes:,} bytes to a file in {folder}, where there is no room for "
                "it: raise memory_limit, free the disk, or name another folder by the environment variable TMPDIR",
            ) from error


def bytes_of(memory_limit: int | str) -> int:
    """A budget in bytes: a number, a string such as ``"4GiB"`` or ``"500 MB"``, or "auto".

    "auto" is a quarter of the memory that the process may have: the machine's, or less where the system limits it.
    """
    if not isinstance(memory_limit, str):
        return int(memory_limit)
    if memory_limit == "auto":
        return memory_of_process() // PART
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*", memory_limit, re.IGNORECASE)
    if found is None:
        raise ValueError(
            "memory_limit must be 'auto', a number of bytes, or a string such as '500MB' or '4GiB', got "
            f"memory_limit={memory_limit!r}."
        )
    number, unit, binary = found.groups()
    return int(float(number) * (1024 if binary else 1000) ** UNITS[unit.lower()])


def memory_of_process() -> int:
    """The memory in bytes that this process may have: the machine's, or less by a limit on it or on its container."""
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")] if hasattr(os, "sysconf") else [8 * 1024**3]
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        path = Path("/sys/fs/cgroup") / name
        text = path.read_text().strip() if path.is_file() else "max"
        limits += [int(text)] if text.isdigit() else []
    try:
        import resource
    except ImportError:  # Windows
        return min(limits)
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        soft, _ = resource.getrlimit(kind)
        limits += [soft] if soft != resource.RLIM_INFINITY else []
    return min(limits)
