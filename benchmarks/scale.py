"""Time and memory of a default fit over rows, columns, classes, trees and workers, beside the teacher's own fit.

    OMP_NUM_THREADS=2 python benchmarks/scale.py [rows] [columns] [classes] [trees] [workers] [--largest 1000000]
        [--out benchmarks/results/scale.json]

Each case is a process of its own: made data, a HistGradientBoostingClassifier (for ``trees`` a forest, of which the
depth is bounded so that its size is that of its trees), and DistilledClassifier(teacher) with all defaults. Memory is
the highest resident memory above that before the fit. Exponents are slopes of logarithms over the last factor of ten.
``workers`` is the time in which the workers of a Dask cluster label the same rows. Where the Python of an environment
with AutoGluon is named by SKLKD_AUTOGLUON, its ``distill`` is measured on the same rows, too (scale_autogluon.py).
docs/pictures/scale.py draws benchmarks/results/scale.json.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

USUAL = {"rows": 30_000, "columns": 30, "classes": 2, "trees": 0, "workers": 0}
PARTITION = 20_000
AXES = {
    "rows": (10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000),
    "columns": (10, 30, 100, 300),
    "classes": (2, 5, 20, 100),
    "trees": (30, 100, 300, 1_000),
    "workers": (1, 2),
}


def made(n, n_columns, n_classes):
    """Rows in float32 whose classes trees learn well, and never without error; made in pieces."""
    import numpy as np

    rng = np.random.default_rng(0)
    weights, waves = rng.normal(size=(2, n_columns, n_classes)) / math.sqrt(n_columns)
    X, y = np.empty((n, n_columns), np.float32), np.empty(n, int)
    for start in range(0, n, 100_000):
        Z = rng.normal(size=(min(100_000, n - start), n_columns))
        score = Z @ weights + np.sin(3 * Z[:, :5] @ waves[:5]) + rng.gumbel(scale=0.2, size=(len(Z), n_classes))
        X[start : start + len(Z)], y[start : start + len(Z)] = Z, score.argmax(1)
    return X, y


class Peak:
    """Seconds, and the highest resident memory in bytes above that at the start, while the block runs."""

    def resident(self):
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def watch(self):
        while not self.done.wait(0.005):
            self.high = max(self.high, self.resident())

    def __enter__(self):
        self.done, self.start, self.base = threading.Event(), time.perf_counter(), self.resident()
        self.high, self.thread = self.base, threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.seconds = time.perf_counter() - self.start
        self.done.set()
        self.thread.join()
        self.bytes = self.high - self.base


def make_teacher(trees):
    """A booster, or a forest of so many trees."""
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

    if trees:
        return RandomForestClassifier(trees, max_depth=12, n_jobs=-1, random_state=0)
    return HistGradientBoostingClassifier(max_iter=100, early_stopping=False, random_state=0)


def run_case(rows, columns, classes, trees, workers):
    """What one fit takes; printed as JSON."""
    from sklkd import DistilledClassifier

    warnings.simplefilter("ignore")
    X, y = made(rows, columns, classes)
    teacher = make_teacher(trees)
    if workers:
        # of one thread; only its answers are timed, for forty times the rows
        return {"seconds": labelled(teacher.set_params(n_jobs=1).fit(X, y), rows * 40, columns, workers)}
    with Peak() as taught:
        teacher.fit(X, y)
    # what is imported and compiled once is no matter of size
    DistilledClassifier(teacher, "tiny", random_state=0).fit(X[:2_000], y[:2_000])
    with Peak() as peak:
        DistilledClassifier(teacher, random_state=0).fit(X, y)
    return {
        "seconds": peak.seconds,
        "bytes": peak.bytes,
        "bytes_of_X": X.nbytes,
        "teacher_seconds": taught.seconds,
        "teacher_bytes": taught.bytes,
    }


def labelled(teacher, rows, columns, n_workers):
    """Seconds in which the workers of a cluster ask a teacher for rows, by what a fit of Dask collections asks with."""
    from dask.delayed import delayed
    from distributed import Client, LocalCluster

    from sklkd.estimators.offline._workers import on_workers

    with LocalCluster(n_workers=n_workers, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster):
        parts = [(number, delayed(normal)(number, columns)) for number in range(rows // PARTITION)]
        list(on_workers(ask, teacher, parts[: 2 * n_workers], "labelled"))  # workers have imported what they need
        start = time.perf_counter()
        list(on_workers(ask, teacher, parts, "labelled"))
        return time.perf_counter() - start


def normal(number, columns):
    import numpy as np

    return np.random.default_rng(number).normal(size=(PARTITION, columns)).astype(np.float32)


def ask(teacher, number, rows):
    return teacher.predict_proba(rows).sum()


def measure(case):
    print(case, flush=True)
    given = [f"--{name}={value}" for name, value in case.items()]
    # without this folder, whose sparse.py Dask would import
    command = [sys.executable, "-P", __file__, "case", *given]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    if "SKLKD_AUTOGLUON" in os.environ and not case["workers"]:
        peer = [os.environ["SKLKD_AUTOGLUON"], Path(__file__).with_name("scale_autogluon.py"), *given[:-1]]
        done = subprocess.run(peer, capture_output=True, text=True, check=True)
        found |= json.loads(done.stdout.splitlines()[-1])
    print("   ", {name: round(value, 2) for name, value in found.items()}, flush=True)
    return found


def exponent(sizes, values):
    """The slope of logarithms over the last factor of ten, or of all where there is less."""
    first = max((i for i, size in enumerate(sizes) if size <= sizes[-1] / 10), default=0)
    if len(sizes) < 2 or min(values) <= 0:
        return math.nan
    return math.log(values[-1] / values[first]) / math.log(sizes[-1] / sizes[first])


def table(results):
    for axis, cases in results.items():
        sizes = [case[axis] for case in cases]
        print(f"\n{axis}: " + ", ".join(f"{name} {value:,}" for name, value in USUAL.items() if name != axis and value))
        names = [name for name in cases[0] if name not in USUAL]
        print("    ".join([f"{axis:>12}", *names]))
        for case in cases:
            cells = [f"{case[name] / 2**20:,.0f} MB" if "bytes" in name else f"{case[name]:,.1f} s" for name in names]
            print("    ".join([f"{case[axis]:>12,}", *cells]))
        if axis != "workers":
            for name in names:
                if name == "bytes_of_X":
                    continue
                print(f"exponent of {name}: {exponent(sizes, [case[name] for case in cases]):.2f}")
        else:
            print(f"{cases[0]['seconds'] / cases[-1]['seconds']:.2f} times as fast by {sizes[-1]} as by {sizes[0]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("axes", nargs="*", default=list(AXES), help="case, or any of " + ", ".join(AXES))
    parser.add_argument("--largest", type=int, default=1_000_000, help="rows")
    parser.add_argument("--out", type=Path)
    for name, value in USUAL.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    given = parser.parse_args()
    if given.axes == ["case"]:
        print(json.dumps(run_case(*(getattr(given, name) for name in USUAL))))
        return
    # axes that are not measured now stay as they are in the file
    results = json.loads(given.out.read_text()) if given.out and given.out.exists() else {}
    for axis in given.axes:
        sizes = [size for size in AXES[axis] if axis != "rows" or size <= given.largest]
        cases = [{name: getattr(given, name) for name in USUAL} | {axis: size} for size in sizes]
        if axis == "workers":
            cases = [case | {"trees": 300} for case in cases]
        results[axis] = [case | measure(case) for case in cases]
        if given.out:
            given.out.parent.mkdir(parents=True, exist_ok=True)
            given.out.write_text(json.dumps(results, indent=1) + "\n")
    table({axis: results[axis] for axis in given.axes})


if __name__ == "__main__":
    main()
