"""Faults made on purpose: what was tried, how often, and what came of it.

    OMP_NUM_THREADS=1 python benchmarks/faults.py [what ...] [--out benchmarks/results/faults.json]

Each fault is one of tests/faults, made more often than the tests make it; names of functions here choose some. Data and
students are tiny: what matters is that a fault ends in an error that says so, with the old state, the old file and the
process as they were, or in the same answer. Results are written after each.
"""

import argparse
import copy
import json
import random
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from sklkd import CPredictor, DistilledClassifier, OnnxPredictor, to_c, to_onnx
from tests.estimators.problems import quick
from tests.faults.faults import (
    ANSWERS,
    ERRORS,
    ESTIMATORS,
    WRITERS,
    Faulty,
    FaultyClassifier,
    answers,
    changed,
    everything_in,
    files_of_at_most,
    harm_of,
    is_that_of,
    n_calls,
    of_process,
    of_two_writers,
    rows_for,
    state_of,
)
from tests.faults.little_memory import came_of

RESULTS = Path(__file__).with_name("results")
KIND = "offline-classifier"
AS_BEFORE = "KeyboardInterrupt, all as before"
SECONDS, THREADS = 60, 16
N_MOMENTS, N_RANDOM = 6, 100
"""Interruptions of each call, and at random moments of one fit."""


def fitted(seed=0):
    return ESTIMATORS[KIND]().set_params(random_state=seed).fit(*rows_for(KIND))


def full_disk(folder):
    """A file is written again, with room for less than it needs"""
    est, (X, y), found = fitted(), rows_for(KIND), Counter()
    for number, (writer, write) in enumerate(WRITERS.items()):
        own = folder / str(number)
        own.mkdir()
        write(est, X, y, own / "student.out")
        before = everything_in(own)
        for share in np.linspace(0, 0.99, 10):
            try:
                with files_of_at_most(int(share * len(before["student.out"]))):
                    write(est, X, y, own / "student.out")
                came = f"no error from {writer}"
            except OSError:
                came = "OSError, the old file whole" if everything_in(own) == before else f"{writer}: the file is lost"
            found[came] += 1
    return found


def full_disk_of_a_checkpoint(folder):
    """A fit keeps its checkpoint on a disk with no room, and is fitted again with room"""
    X, y = rows_for(KIND)
    expected, found = answers(fitted(), X), Counter()
    for n_bytes in (0, 300, 1_000, 3_000, 10_000):
        est = ESTIMATORS[KIND]().set_params(checkpoint=folder / str(n_bytes))
        try:
            with files_of_at_most(n_bytes):
                est.fit(X, y)
            came = "fitted"
        except OSError:
            came = "OSError, then the student of an unbroken fit"
        same = np.array_equal(answers(est.fit(X, y), X), expected)
        found[came if same else "another student"] += 1
    return found


def failing_teachers(folder):
    """A teacher fails, or answers otherwise, at its n-th question in a fit"""
    X, y = rows_for(KIND)
    make = lambda: DistilledClassifier(FaultyClassifier(), quick(1), random_state=0)  # noqa: E731
    Faulty.set(None)
    est = make().fit(X, y)
    n_questions, expected, found = Faulty.n, answers(est, X), Counter()
    for fault in (*ERRORS, *ANSWERS):
        for at in range(1, n_questions + 1):
            state, other = state_of(est), copy.deepcopy(est)
            Faulty.set(fault, at)
            try:
                other.fit(X, y)
            except (ValueError, *ERRORS.values()):
                came = "an error of the teacher, the old state" if is_that_of(state, est) else "the state is lost"
            else:
                same = np.array_equal(answers(other, X), expected)
                told = other.account_.reason.startswith("constants, because a clone")
                came = "the same student" if same else "constants, and the account says why" if told else "another one"
            found[came] += 1
    Faulty.set(None)
    return found


def interrupted_calls(folder):
    """Ctrl-C as a function of the library begins: fits of eight estimators, predictions, exports"""
    found, rng = Counter(), np.random.default_rng(0)
    for name, make in ESTIMATORS.items():
        X, y = rows_for(name)
        est = make().fit(X, y)
        calls = [lambda est=est, X=X, y=y: est.fit(X, y), lambda est=est, X=X: est.predict(X)]
        if name == KIND:
            calls += [lambda est=est: to_onnx(est, folder / "s.onnx"), lambda est=est: to_c(est, folder / "s.c")]
        for call in calls:
            n = n_calls(call)
            for at in rng.choice(n, min(n, N_MOMENTS), replace=False) + 1:
                harm = harm_of(est, call, int(at))
                found["ended before" if harm is None else ", ".join(harm) or AS_BEFORE] += 1
    return found


def interrupted_at_random(folder):
    """SIGINT at a random moment of a fit, and a fit after it"""
    X, y = rows_for(KIND)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    est, moments, found = fitted(), random.Random(0), Counter()
    expected = answers(est, X)
    begun = time.perf_counter()
    fitted()
    whole = time.perf_counter() - begun
    for _ in range(N_RANDOM):
        state, before = state_of(est), of_process()
        try:
            signal.setitimer(signal.ITIMER_REAL, moments.uniform(0, whole))
            est.fit(X, y)
            came = "ended before"
        except KeyboardInterrupt:
            harm = [*changed(before), *([] if is_that_of(state, est) else ["the estimator"])]
            came = ", ".join(harm) or AS_BEFORE
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        found[came] += 1
    same = np.array_equal(answers(est.fit(X, y), X), expected)
    found["then the same student" if same else "then another student"] += 1
    return found


def two_writers(folder):
    """Two processes write one file again and again; it is read all the while"""
    models, found = [fitted(0), fitted(1)], Counter()
    for writer in ("to_onnx", "to_c"):
        n, n_mixed = of_two_writers(models, writer, folder / writer, 20)
        found.update({"the whole file of one": n - n_mixed, "a mixture": n_mixed})
    return found


def threads(folder):
    """16 threads ask one estimator, OnnxPredictor and CPredictor for a minute"""
    est, (X, _) = fitted(), rows_for(KIND)
    to_onnx(est, folder / "s.onnx")
    to_c(est, folder / "s.c")
    models = [est, OnnxPredictor(folder / "s.onnx"), CPredictor(folder / "s.c")]
    asked = [X[i : i + 1 + i % 5] for i in range(len(X))]
    expected = [[answers(model, rows) for rows in asked] for model in models]
    end, found, lock = time.monotonic() + SECONDS, Counter(), threading.Lock()

    def ask(number):
        own, rng = Counter(), random.Random(number)
        while time.monotonic() < end:
            k, i = rng.randrange(len(models)), rng.randrange(len(asked))
            same = np.array_equal(answers(models[k], asked[i]), expected[k][i])
            own["the answer of one thread" if same else "another answer"] += 1
        with lock:
            found.update(own)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(ask, range(THREADS)))
    return found


def little_memory(folder):
    """Fits of eight estimators on 30,000 rows with too little memory, each time a little more, until it is enough"""
    return sum((came_of(name, step=0.5) for name in ESTIMATORS), Counter())


FAULTS = {
    made.__name__: made
    for made in (
        full_disk,
        threads,
        interrupted_calls,
        failing_teachers,
        full_disk_of_a_checkpoint,
        two_writers,
        interrupted_at_random,
        little_memory,
    )
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", default=list(FAULTS), help=", ".join(FAULTS))
    parser.add_argument("--out", default=RESULTS / "faults.json", type=Path)
    args = parser.parse_args()
    results = json.loads(args.out.read_text()) if args.out.exists() else {}
    warnings.simplefilter("ignore")
    for name in args.what:
        with tempfile.TemporaryDirectory() as folder:
            tempfile.tempdir = folder
            (Path(folder) / "own").mkdir()
            found = FAULTS[name](Path(folder) / "own")
            tempfile.tempdir = None
        results[name] = {"what": FAULTS[name].__doc__, "came": dict(found)}
        print(name, dict(found), flush=True)
        args.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
