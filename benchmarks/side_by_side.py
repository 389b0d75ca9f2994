"""Time of a fit with ``n_jobs`` over that without, by the clock, and whether the student is the same.

    python benchmarks/side_by_side.py [--n-jobs 2] [--rows 1900]

One line each for four label-only students of a kept teacher, for a booster's four folds of ``cv``, and for a
``CompressionCurveDisplay`` of five sizes. Workers are started before, so that their start does not count.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.datasets import make_classification
from sklearn.ensemble import GradientBoostingClassifier

from sklkd import CompressionCurveDisplay, DistilledClassifier


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--rows", type=int, default=1_900)
    args = parser.parse_args()
    X, y = make_classification(args.rows, 20, n_informative=8, random_state=0)
    booster = GradientBoostingClassifier(random_state=0)
    kept = GradientBoostingClassifier(random_state=0).fit(X, y)

    def students(n_jobs: int | None) -> Any:
        given = {"blend": 0.5, "hard_weight": 0.1, "augment": None}
        return DistilledClassifier(kept, n_jobs=n_jobs, random_state=0, **given).fit(X, y).predict_proba(X)

    def folds(n_jobs: int | None) -> Any:
        given = {"blend": 0, "hard_weight": 0.1, "augment": None, "cv": 4}
        return DistilledClassifier(booster, n_jobs=n_jobs, random_state=0, **given).fit(X, y).predict_proba(X)

    def curve(n_jobs: int | None) -> Any:
        est = DistilledClassifier(kept, blend=0, hard_weight=0.1, augment=None, random_state=0)
        sizes = [4_000, 2_000, 3_000, 6_000, 8_000]
        return CompressionCurveDisplay.from_estimator(est, X, y, X_test=X, y_test=y, sizes=sizes, n_jobs=n_jobs).scores

    # loads what the first fit loads, in every worker
    Parallel(args.n_jobs)(delayed(students)(None) for _ in range(args.n_jobs))
    students(None)
    for name, fit in {"label-only students": students, "folds": folds, "curve": curve}.items():
        print(f"{name:20s} {compare(fit, args.n_jobs)}", flush=True)


def compare(fit: Callable[[int | None], Any], n_jobs: int) -> str:
    seconds, found = [], []
    for jobs in (None, n_jobs):
        start = time.perf_counter()
        found.append(fit(jobs))
        seconds.append(time.perf_counter() - start)
    same = "the same" if np.array_equal(*found) else "NOT the same"
    return f"{seconds[0]:6.1f} s alone, {seconds[1] / seconds[0]:.2f} of it with n_jobs={n_jobs}; {same}"


if __name__ == "__main__":
    main()
