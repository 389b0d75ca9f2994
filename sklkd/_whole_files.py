"""Files that are there as a whole or not at all, whatever ends the process that writes them."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any


def write(files: Mapping[Path, Callable[[Any], Any]], failed: str, mode: int = 0o666) -> None:
    """Write files so that a process or a machine that stops at any moment leaves the old ones or the new ones.

    None is put in its place before all are written. Links are followed; what is no file, such as a pipe, is written to
    as it is.

    Parameters
    ----------
    files : dict of Path to callable
        For each path what writes it, to a file that is open in binary mode and can be sought in.
    failed : str
        What an error says of the file whose name follows, such as "to_onnx cannot write".
    mode : int, default=0o666
        Of new files, less what the process masks; a file that is replaced keeps its own.

    Raises
    ------
    OSError
        Where the disk is full, say. It names the file and the cause; the old files are there as they were.
    """
    temporary: dict[Path, Path] = {}
    path = Path()
    try:
        for path, fill in files.items():
            if _is_special(path):
                with path.open("wb") as file:
                    fill(file)
            else:
                place = path.resolve()
                temporary[place] = place.parent / f".{secrets.token_hex(8)}"
                _fill(temporary[place], fill, _mode_of(place), mode)
        for path, new in temporary.items():
            os.replace(new, path)
    except OSError as error:
        raise type(error)(error.errno, f"{failed} {path.name}: {error.strerror}", str(path)) from error
    finally:
        for new in temporary.values():
            with suppress(FileNotFoundError):  # it is in its place, or was never made
                new.unlink()


def _fill(path: Path, fill: Callable[[Any], Any], of_old: int | None, mode: int) -> None:
    """Write a new file, down to the disk."""
    with open(path, "x+b", opener=lambda name, flags: os.open(name, flags, mode)) as file:
        if of_old is not None:
            path.chmod(of_old)
        fill(file)
        file.flush()
        os.fsync(file.fileno())


def _mode_of(path: Path) -> int | None:
    return stat.S_IMODE(path.stat().st_mode) if path.exists() else None


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()
