"""What a long computation has done so far, kept in a folder as it comes."""

from __future__ import annotations

import hashlib
import pickle
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sklkd import _whole_files
from sklkd._warn import warn
from sklkd.exceptions import CheckpointWarning

CHUNK = 2**20
OLD = 3600.0
"""Seconds after which a temporary file was left by a process that is gone."""
# What pickle raises for an object that it does not take, and for bytes that it cannot read
REFUSED = (pickle.PicklingError, TypeError, AttributeError)
UNREADABLE = (pickle.UnpicklingError, EOFError, AttributeError, ImportError, KeyError)


class NotPicklableError(TypeError):
    """Something that is to be kept cannot be pickled."""


class NotKeptError(OSError):
    """The file of something that is to be kept cannot be written: the disk is full, say."""


class Checkpoint:
    """Keeps results under names in a folder, each in a file that is there as a whole or not at all.

    It can be sent to other processes, whose files are written in the same way.

    Parameters
    ----------
    folder : Path
        It exists.
    prefix : str, default=""
        Of all names.
    """

    keeps = True

    def __init__(self, folder: Path, prefix: str = ""):
        self.folder, self.prefix = folder, prefix

    def part(self, name: str) -> Checkpoint:
        """The same folder for a part of the computation, whose names are its own."""
        return Checkpoint(self.folder, f"{self.prefix}{name}.")

    def kept(self, name: str, make: Callable[[], Any]) -> Any:
        """What was kept under a name; it is made, and kept, where nothing was.

        Raises
        ------
        NotPicklableError
            A TypeError, for what cannot be pickled.
        """
        found = self.load(name)
        if found is None:
            # in a list, since None may be what was made
            found = [make()]
            self.keep(name, found)
        return found[0]

    def load(self, name: str, held: Mapping[str, Any] | None = None) -> Any:
        """What :meth:`keep` was given; None where that is nothing, or, with a warning, where it cannot be read."""
        path = self._path(name)
        try:
            with path.open("rb") as file:
                if file.read(_SIZE) == _digest_of_rest(file):
                    file.seek(_SIZE)
                    return _Unpickler(file, held or {}).load()
            why = "it is not as it was written"
        except FileNotFoundError:
            return None
        except UNREADABLE as error:
            why = f"{type(error).__name__} on reading it"
        warn(f"the checkpoint's file {path} cannot be used ({why}); what it held is made again.", CheckpointWarning)
        return None

    def keep(self, name: str, value: Any, held: Mapping[str, Any] | None = None) -> None:
        """Keep a value in place of the one before.

        Parameters
        ----------
        name : str
        value : object
        held : dict of str to object, default=None
            What is not written where the value holds it, but is given to :meth:`load` again under the same name.
        """
        path = self._path(name)
        try:
            write(path, lambda file: _dump(value, file, held or {}))
        except REFUSED as error:
            raise NotPicklableError(
                f"checkpoint keeps {self.prefix}{name} by pickling it, which {type(error).__name__} ended: let it "
                "hold no lambdas, open files or the like, or set checkpoint=None."
            ) from error

    def _path(self, name: str) -> Path:
        return self.folder / f"{quote(self.prefix + name, safe='')}.pickle"


class NoCheckpoint(Checkpoint):
    """Keeps nothing."""

    keeps = False

    def __init__(self) -> None:
        super().__init__(Path())

    def part(self, name: str) -> Checkpoint:
        return self

    def kept(self, name: str, make: Callable[[], Any]) -> Any:
        return make()


NOTHING_KEPT = NoCheckpoint()


def write(path: Path, fill: Callable[[Any], Any]) -> None:
    """Write one whole file of a checkpoint, for the user's eyes alone.

    Raises
    ------
    NotKeptError
        The old file is there as it was.
    """
    try:
        _whole_files.write({path: fill}, "checkpoint cannot keep", mode=0o600)
    except OSError as error:
        raise NotKeptError(*error.args, error.filename) from error


def remove_left_over(folder: Path) -> None:
    """Remove what processes that were killed while they wrote have left."""
    for path in folder.glob(".*"):
        try:
            if time.time() - path.stat().st_mtime < OLD:
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
        except FileNotFoundError:  # another process has done so
            continue


_SIZE = 16


def _hash() -> Any:
    return hashlib.blake2b(digest_size=_SIZE)


def _dump(value: Any, file: Any, held: Mapping[str, Any]) -> None:
    """The digest of the pickle, and the pickle."""
    file.write(bytes(_SIZE))
    found = _Hashed(file)
    _Pickler(found, held).dump(value)
    file.seek(0)
    file.write(found.hash.digest())


def _digest_of_rest(file: Any) -> bytes:
    found = _hash()
    while part := file.read(CHUNK):
        found.update(part)
    return found.digest()


class _Hashed:
    """A file to write to, and the digest of what was written."""

    def __init__(self, file: Any):
        self.file, self.hash = file, _hash()

    def write(self, data: Any) -> int:
        self.hash.update(data)
        return self.file.write(data)


class _Pickler(pickle.Pickler):
    def __init__(self, file: Any, held: Mapping[str, Any]):
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self.names = {id(one): name for name, one in held.items()}

    def persistent_id(self, obj: Any) -> str | None:
        return self.names.get(id(obj))


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: Any, held: Mapping[str, Any]):
        super().__init__(file)
        self.held = held

    def persistent_load(self, name: str) -> Any:
        return self.held[name]
