"""A fit from Parquet in a process whose memory is limited: time per row, and the most memory that it took.

    python benchmarks/parquet.py 1_000_000                       # writes the set, and fits from it
    python benchmarks/parquet.py 1_000_000 --memory              # the same rows in memory, without a limit
    python benchmarks/parquet.py 1_000_000 --limit DATA 4        # GiB of RLIMIT_DATA; AS: of addresses

The rows are 20 columns in float32 and a binary label, written in chunks, so that no process ever holds all of them.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

COLUMNS = [f"x{j}" for j in range(20)]
CHUNK = 100_000
"""Rows of a file, which is one partition."""
TEACHER_ROWS = 50_000


def rows(number: int, n: int) -> dict[str, np.ndarray]:
    """Some rows of the set, the same for the same number."""
    rng = np.random.default_rng([0, number])
    X = rng.standard_normal((n, len(COLUMNS)), dtype=np.float32)
    score = X[:, 0] * X[:, 1] + np.sin(2 * X[:, 2]) + X[:, 3] - 0.5 * X[:, 4] ** 2
    y = (score + rng.standard_normal(n) > 0).astype(np.int64)
    return dict(zip(COLUMNS, X.T, strict=True)) | {"y": y}


def write(folder: Path, n: int) -> None:
    """The set as one file a chunk."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for number, start in enumerate(range(0, n, CHUNK)):
        pq.write_table(pa.table(rows(number, min(CHUNK, n - start))), folder / f"part-{number:05d}.parquet")


def table(number: int, n: int):
    """Rows as a frame, and their labels."""
    import pandas as pd

    frame = pd.DataFrame(rows(number, n))
    return frame[COLUMNS], frame["y"]


def fit(folder: Path, n: int, in_memory: bool) -> dict[str, float]:
    """One fit of the default student; seconds, memory and log loss on rows that it has not seen."""
    import pandas as pd
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import log_loss

    from sklkd import DistilledClassifier

    teacher = HistGradientBoostingClassifier(random_state=0).fit(*table(2**31 - 2, TEACHER_ROWS))
    est = DistilledClassifier(teacher, random_state=0)
    held, truth = table(2**31 - 1, 50_000)
    if in_memory:
        frame = pd.read_parquet(folder)
        X, y = frame[COLUMNS], frame.pop("y")
    else:
        import dask.dataframe as dd

        frame = dd.read_parquet(folder)
        X, y = frame[COLUMNS], frame["y"]
    start, before = time.perf_counter(), peak()
    est.fit(X, y)
    seconds = time.perf_counter() - start
    return {
        "rows": n,
        "seconds": round(seconds, 1),
        "microseconds a row": round(seconds / n * 1e6, 1),
        "peak MiB before": before,
        "peak MiB": peak(),
        "epochs": est.n_iter_,
        "log loss": round(log_loss(truth, est.predict_proba(held)), 4),
        "teacher's": round(log_loss(truth, teacher.predict_proba(held)), 4),
    }


def peak() -> int:
    """The most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=int)
    parser.add_argument("--memory", action="store_true", help="fit to the rows in memory")
    parser.add_argument("--limit", nargs=2, default=("DATA", "4"), metavar=("KIND", "GIB"))
    parser.add_argument("--folder", type=Path, help="of the set, where it is there already")
    args = parser.parse_args()
    if args.folder is not None:
        if not args.memory:
            kind, gib = args.limit
            most = int(float(gib) * 1024**3)
            resource.setrlimit(getattr(resource, f"RLIMIT_{kind}"), (most, most))
        print(json.dumps(fit(args.folder, args.rows, args.memory)))
        return
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), args.rows)
        # a process of its own: what was written does not count; without this folder, whose sparse.py Dask would import
        subprocess.run([sys.executable, "-P", __file__, *sys.argv[1:], "--folder", folder], check=True)


if __name__ == "__main__":
    main()
