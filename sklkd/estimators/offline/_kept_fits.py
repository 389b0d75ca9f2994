"""The folder ``checkpoint``: one subfolder for each fit, by data and parameters."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from sklkd._checkpoint import Checkpoint, remove_left_over, write
from sklkd._digest import digest
from sklkd._sklearn import _safe_indexing
from sklkd._version import __version__
from sklkd._warn import warn
from sklkd.estimators._task import of_outputs
from sklkd.exceptions import CheckpointWarning
from sklkd.rows import Rows
from sklkd.teachers import Precomputed, TeacherFitter, is_fitted, is_weighted

# What does not change a student
WITHOUT = ("checkpoint", "memory", "memory_limit", "n_jobs", "verbose", "keep_teacher")
# Rows for which a fitted teacher is asked, and how far its answers may differ, which threads add up in any order
ASKED, CLOSE = 256, 1e-6
FIT = re.compile(r"fit-[0-9a-f]{16}-[0-9a-f]{8}")
FINGERPRINT = "fingerprint.json"


@dataclass(frozen=True)
class Fingerprint:
    """What a fit is recognised by.

    Attributes
    ----------
    items : dict of str to str
        Digests of what the fit is given, by name.
    answers : list
        What fitted teachers answer for some rows, whatever they hold.
    """

    items: dict[str, str]
    answers: list[Any]

    @property
    def folder(self) -> str:
        """The name of the subfolder."""
        return f"{self._start}{digest(self.answers)[:8]}"

    @property
    def _start(self) -> str:
        return f"fit-{digest(self.items)[:16]}-"

    def is_that_of(self, other: dict[str, Any]) -> bool:
        """Whether another one is of the same fit."""
        if other["items"] != self.items or len(other["answers"]) != len(self.answers):
            return False
        pairs = [(np.asarray(a), np.asarray(b)) for a, b in zip(self.answers, other["answers"], strict=True)]
        return all(a.shape == b.shape and np.allclose(a, b, CLOSE, CLOSE, equal_nan=True) for a, b in pairs)

    def differing(self, other: dict[str, Any]) -> list[str]:
        """Names of what another fit was given otherwise."""
        items = other["items"]
        names = [name for name in {**self.items, **items} if self.items.get(name) != items.get(name)]
        return names or ["teacher (its predictions)"]


def fingerprint(estimator: Any, teacher: Any, rows: Rows, fitter: TeacherFitter, others: dict[str, Any]) -> Fingerprint:
    """The fingerprint of a fit.

    Parameters
    ----------
    estimator : DistilledClassifier or DistilledRegressor
    teacher : object
        The one to distil, fitted or not.
    rows : Rows
        All that the fit is given, in the user's terms.
    fitter : TeacherFitter
    others : dict of str to object
        What else the fit is given.
    """
    params = {name: value for name, value in estimator.get_params(deep=False).items() if name not in WITHOUT}
    params["teacher"] = _as_unfitted(estimator.teacher)
    given = {"X": rows.X, "y": rows.y, "sample_weight": rows.weight, **rows.metadata, **others}
    libraries = [version(name) for name in ("numpy", "scipy", "scikit-learn", "torch", "skorch")]
    items = {name: digest(value) for name, value in (given | params).items()}
    items["estimator"] = digest(type(estimator))
    items["versions of libraries"] = digest([__version__, sys.version_info[:2], libraries])
    given = teacher.teachers if is_weighted(teacher) and not is_fitted(teacher) else teacher
    members = given if isinstance(given, list) else [("teacher", given)]
    asked = [one for _, one in members if is_fitted(one) and not isinstance(one, Precomputed)]
    return Fingerprint(items, [_answers(one, rows, fitter) for one in asked])


def _as_unfitted(teacher: Any) -> Any:
    """What says of a teacher what it is: fitted ones are told by their answers."""
    if isinstance(teacher, list):
        return [(name, _as_unfitted(member)) for name, member in teacher]
    if isinstance(teacher, Precomputed) or not is_fitted(teacher):
        return teacher
    params = teacher.get_params(deep=False) if hasattr(teacher, "get_params") else {}
    return digest([type(teacher), params], frozen=False)


def _answers(teacher: Any, rows: Rows, fitter: TeacherFitter) -> list[Any]:
    some = np.unique(np.linspace(0, len(rows) - 1, ASKED).astype(int))
    outputs = fitter.adapt(teacher, teacher, rows).outputs(_safe_indexing(rows.X, some))
    return of_outputs(outputs).tolist()


def check_folder(checkpoint: Any) -> None:
    """Raise where ``checkpoint`` cannot be a folder of kept fits; it is made where it does not exist."""
    if checkpoint is None:
        return
    folder = Path(checkpoint)
    rule = "checkpoint must be a folder that is new, empty or holds earlier fits"
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{rule}, got {str(folder)!r}, which is a file: name another one.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise type(error)(error.errno, f"{rule}, and can be written, got {error.strerror}", str(folder)) from error
    # hidden files are those of the system, and what has not been finished
    others = [one for one in folder.iterdir() if not one.name.startswith(".") and not FIT.fullmatch(one.name)]
    if others:
        what = "another file or folder" if len(others) == 1 else f"{len(others)} other files or folders"
        raise ValueError(f"{rule}, got {str(folder)!r}, which holds {what}: name another one.")


def opened(checkpoint: Any, found: Fingerprint, seeds: Sequence[int]) -> tuple[Checkpoint, list[int]]:
    """The checkpoint of a fit, and its seeds: those that it began with, or the given ones of a new one."""
    folder = Path(checkpoint)
    remove_left_over(folder)
    others = []
    for path in sorted(one for one in folder.iterdir() if FIT.fullmatch(one.name)):
        other = _read(path)
        if other is None:
            continue
        if found.is_that_of(other):
            remove_left_over(path)
            return Checkpoint(path), other["seeds"]
        others.append(other)
    if others:
        names = min((found.differing(other) for other in others), key=len)
        warn(
            f"checkpoint={str(folder)!r} holds no fit with these data and parameters: other than before is "
            f"{', '.join(names)}. The fit starts anew, and is kept beside what is there.",
            CheckpointWarning,
        )
    path = folder / found.folder
    other = _made(path, found, seeds)
    return Checkpoint(path), other["seeds"]


def _made(path: Path, found: Fingerprint, seeds: Sequence[int]) -> dict[str, Any]:
    """Make the subfolder with its fingerprint in it; that of another process which has been first is taken."""
    made = {"items": found.items, "answers": found.answers, "seeds": list(seeds)}
    new = Path(tempfile.mkdtemp(prefix=".", dir=path.parent))
    try:
        write(new / FINGERPRINT, lambda file: file.write(json.dumps(made).encode()))
        try:
            os.rename(new, path)
        except OSError:
            first = _read(path)
            if first is None:
                raise
            return first
        return made
    finally:
        shutil.rmtree(new, ignore_errors=True)  # where it was not renamed


def _read(path: Path) -> dict[str, Any] | None:
    """The fingerprint in a subfolder; with a warning None, and no subfolder, where it cannot be read."""
    try:
        return json.loads((path / FINGERPRINT).read_bytes())
    except FileNotFoundError:
        why = "has no fingerprint"
    except ValueError:
        why = "has a fingerprint that is not as it was written"
    warn(f"checkpoint's subfolder {path} {why} and is removed.", CheckpointWarning)
    shutil.rmtree(path)
    return None
