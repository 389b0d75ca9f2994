"""The files that predictors open, and the digest by which they tell that they are as they were written."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

SEAL = "digest"
"""The entry of a file's metadata that holds the digest of all the rest."""

UNSEALED = "0" * 32

_FORMAT = re.compile(rb'"format": ?(\d{1,9})\b')
_SEAL = re.compile(rb'"%s": ?"([0-9a-f]{32})"' % SEAL.encode())


def sealed(content: bytes) -> bytes:
    """The content of a file, with its digest where its metadata have ``UNSEALED``."""
    found = _seal_of(content)
    if found is None:
        raise ValueError("content must have metadata with a place for its digest, got none.")
    start, end = found
    return content[:start] + _digest(content, start, end) + content[end:]


def check_seal(content: bytes, writer: str, where: str, first: int, last: int) -> None:
    """Raise where a file is not what was written.

    It tells of damage, before anything reads or runs what is damaged, and not of malice: whoever changes a file can
    change the digest as well.

    Parameters
    ----------
    content : bytes
    writer : str
        The function that writes such files.
    where : str
        The file's name.
    first, last : int
        The formats that are known to have a digest.

    Raises
    ------
    ValueError
        Where the digest is another one, or missing.
    """
    says = _FORMAT.search(content)
    found = _seal_of(content)
    if says is None or not first <= int(says[1]) <= last:
        return
    if found is None or content[slice(*found)] != _digest(content, *found):
        raise unreadable(writer, where, "which has been changed or damaged since, as its digest tells")


def _seal_of(content: bytes) -> tuple[int, int] | None:
    """Where the digest stands: metadata come last in a graph, whose strings might look like them."""
    found = list(_SEAL.finditer(content))
    return found[-1].span(1) if found else None


def _digest(content: bytes, start: int, end: int) -> bytes:
    found = hashlib.blake2b(content[:start], digest_size=len(UNSEALED) // 2)
    found.update(content[end:])
    return found.hexdigest().encode()


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


@contextmanager
def describing(writer: str, where: str) -> Iterator[None]:
    """Raise the error of :func:`unreadable` where metadata are not as written; without a digest they may be."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise unreadable(writer, where, "which does not describe its columns as such files do") from error
