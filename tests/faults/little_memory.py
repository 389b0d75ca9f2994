"""Fits of one of ESTIMATORS on many rows, each with a little more memory than the one before, and what came of each.

A process of its own, since what one has once taken from the system is there for its next fit.
"""

from __future__ import annotations

import copy
import gc
import os
import signal
import subprocess
import sys
import tempfile
import warnings
from collections import Counter

import numpy as np
import torch

from tests.faults.faults import (
    ESTIMATORS,
    ROOT,
    answers,
    changed,
    is_that_of,
    memory_left,
    of_process,
    rows_for,
    state_of,
)

N_ROWS = 30_000
LEAST, ENOUGH = 17, 30
"""Powers of two, in bytes."""
REFUSED, TOLD_BY_TORCH = "MemoryError, all as before", "RuntimeError of torch, all as before"
FITTED = "fitted"
CRASH = "the process is lost: scikit-learn's search for neighbours crashes"
"""Its compiled code goes on after an allocation that has failed; seldom met."""


def came_of(name: str, step: float) -> Counter:
    """How often each of these came, with 2 ** step times the memory in each fit."""
    command = [sys.executable, "-m", "tests.faults.little_memory", name, str(step)]
    with tempfile.TemporaryDirectory() as own:
        surroundings = os.environ | {"TMPDIR": own, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, text=True, check=False)
    came = Counter(done.stdout.splitlines())
    if done.returncode:
        crashed = done.returncode == -signal.SIGSEGV and "_pairwise_distances_reduction" in done.stderr
        came[CRASH if crashed else f"ended by {done.returncode}: {done.stderr[-1000:]}"] += 1
    return came


def main(name: str, step: float) -> None:
    torch.set_num_threads(1)
    X, y = rows_for(name)
    est = ESTIMATORS[name]().fit(X, y)
    expected, state, rng = answers(est, X), state_of(est), np.random.default_rng(0)
    rows = rng.integers(len(X), size=N_ROWS)
    X_more = X[rows] + rng.normal(scale=0.01, size=(N_ROWS, X.shape[1]))
    copy.deepcopy(est).fit(X, y)  # what is imported late, and what libraries keep for themselves
    before = of_process()
    for n_bytes in 2.0 ** np.arange(LEAST, ENOUGH, step):
        gc.collect()
        try:
            with memory_left(int(n_bytes)):
                est.fit(X_more, y[rows])
        except MemoryError:
            came = REFUSED
        except RuntimeError as error:
            came = TOLD_BY_TORCH if "allocate memory" in str(error) else str(error)
        else:
            sys.stdout.write(f"{FITTED}\n")
            return
        same = is_that_of(state, est) and np.array_equal(answers(est, X), expected) and not changed(before)
        sys.stdout.write(f"{came if same else came.partition(',')[0] + ', not as before'}\n")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(sys.argv[1], float(sys.argv[2]))
