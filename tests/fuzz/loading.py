"""Load changed files in a process of its own, which may crash or hang:

    python -m tests.fuzz.loading FOLDER KIND FIRST N

The folder holds a valid file of each kind, rows and the answers for them. Case by case a line of JSON goes to the
output: the seed before it begins, then what came of it.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path

import numpy as np

from .mutations import mutated, mutated_archive

KINDS = ("onnx", "onnx without digest", "c", "skops", "checkpoint")
RUNS = {"os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "subprocess.Popen", "pty.spawn"}
"""What a program does that runs another."""


def load(kind, path, X):
    """The answers of what a file holds."""
    if kind.startswith("onnx"):
        from sklkd import OnnxPredictor

        return OnnxPredictor(path).predict_proba(X)
    if kind == "c":
        from sklkd import CPredictor

        return CPredictor(path, flags=("-O0",)).predict_proba(X)
    if kind == "skops":
        import skops.io

        from .trusted import TRUSTED

        return skops.io.load(path, trusted=TRUSTED).predict_proba(X)
    from sklkd._checkpoint import Checkpoint

    return Checkpoint(path.parent).load(path.name.removesuffix(".pickle"))


def outcome(kind, path, X, expected):
    """What came of it: "right", "other" for other answers, or the error, and whether it is a ValueError on the file."""
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            got = load(kind, path, X)
    except Exception as error:  # noqa: BLE001 - any may come of a damaged file, and is counted
        clear = isinstance(error, ValueError) and path.name in str(error)
        return {"error": type(error).__name__, "clear": clear, "says": str(error)[:200]}
    if kind == "checkpoint":
        if got is None:
            clear = any(path.name in str(one.message) for one in told)
            return {"error": "CheckpointWarning", "clear": clear, "says": ""}
        return "right" if np.array_equal(got[0], expected) else "other"
    same = got.shape == expected.shape and np.allclose(got, expected, atol=1e-5)
    return "right" if same else "other"


def tell(found):
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


def main(folder, kind, first, n):
    folder, ran = Path(folder), []
    content = (folder / kind).read_bytes()
    X, expected = np.load(folder / "X.npy"), np.load(folder / "expected.npy")
    path = folder / f"changed{os.getpid()}.pickle"
    change = mutated_archive if kind == "skops" else mutated
    own = kind == "c"  # the compiler
    sys.addaudithook(lambda event, _: ran.append(event) if event in RUNS and not own else None)
    for seed in range(int(first), int(first) + int(n)):
        tell({"seed": seed})
        path.write_bytes(change(content, seed))
        found = outcome(kind, path, X, expected)
        tell({"seed": seed, "came": found, "ran": ran})
        ran.clear()
    path.unlink()


if __name__ == "__main__":
    main(*sys.argv[1:])
