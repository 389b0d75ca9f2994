"""The files that predictors open."""

from __future__ import annotations

from os import PathLike
from pathlib import Path


def content_of(path: str | PathLike[str], writer: str) -> bytes:
    """What is in a file.

    Parameters
    ----------
    path : str or path
    writer : str
        The function that writes such files.

    Raises
    ------
    FileNotFoundError
        Where there is none.
    ValueError
        For a folder and for an empty file.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"path must be a file that sklkd.{writer} has written, got the folder {str(path)!r}: name it.")
    content = path.read_bytes()
    if not content:
        raise unreadable(writer, repr(str(path)), "which is empty")
    return content


def unreadable(writer: str, where: str, why: str) -> ValueError:
    """The error about a file that was not written so, or has been damaged since."""
    return ValueError(
        f"path must be a whole file that sklkd.{writer} has written, got {where}, {why}: copy it again in binary mode, "
        f"or export the estimator again."
    )
