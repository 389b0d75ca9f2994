"""Where the time of a default fit goes, over that of the teacher's own fit.

    OMP_NUM_THREADS=1 python benchmarks/fit_time.py [--rows 2000 20000 100000] [--teachers booster forest mixture]

One line for each number of rows and each teacher, 30 columns and 5 classes: processor seconds of the teacher's fit, the
student's fit over it, and what part of the student's fit goes to fitting clones of the teacher, to the teacher's
predictions, to students trained on labels only, to the student itself, and to the rest. Processor seconds sum over
threads, and so hardly depend on what else the machine does; ``--wall`` measures by the clock, for an idle one.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any
from unittest.mock import patch

from sklearn.datasets import make_classification
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from skorch import NeuralNet

from sklkd import DistilledClassifier

PHASES = ("clones", "predictions", "label students", "student")


def make_teacher(kind: str) -> Any:
    """An unfitted teacher: the booster as scikit-learn sets it, a forest, or a vote of three."""
    if kind == "booster":
        return HistGradientBoostingClassifier(random_state=0)
    forest = RandomForestClassifier(300, n_jobs=-1, random_state=0)
    if kind == "forest":
        return forest
    booster = HistGradientBoostingClassifier(max_iter=300, learning_rate=0.05, random_state=0)
    trees = ExtraTreesClassifier(300, n_jobs=-1, random_state=0)
    return VotingClassifier([("rf", forest), ("et", trees), ("hgb", booster)], voting="soft")


@contextmanager
def phases(teacher: type, clock: Callable[[], float]) -> Iterator[dict[str, float]]:
    """Seconds by phase while the block runs; of calls inside calls, as of a vote's members, the outermost counts."""
    spent, inside = dict.fromkeys(PHASES, 0.0), [False]

    def timed(method: Callable, phase: Callable[[Any], str]) -> Callable:
        @wraps(method)
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            if inside[0]:
                return method(self, *args, **kwargs)
            inside[0], start = True, clock()
            try:
                return method(self, *args, **kwargs)
            finally:
                spent[phase(self)] += clock() - start
                inside[0] = False

        return call

    def trained(net: Any) -> str:
        return "label students" if net.criterion_.hard_weight == 1 else "student"

    calls = [
        (teacher, "fit", lambda _: "clones"),
        (teacher, "predict_proba", lambda _: "predictions"),
        (NeuralNet, "partial_fit", trained),
    ]
    with ExitStack() as stack:
        for owner, name, phase in calls:
            stack.enter_context(patch.object(owner, name, timed(getattr(owner, name), phase)))
        yield spent


def measure(n_rows: int, kind: str, clock: Callable[[], float]) -> str:
    X, y = make_classification(n_rows, 30, n_informative=15, n_classes=5, random_state=0)
    X = X.astype("float32")
    start = clock()
    teacher = make_teacher(kind).fit(X, y)
    own = clock() - start
    with phases(type(teacher), clock) as spent:
        start = clock()
        DistilledClassifier(teacher, random_state=0).fit(X, y)
        fit = clock() - start
    parts = {**spent, "rest": fit - sum(spent.values())}
    shares = ", ".join(f"{name} {part / fit:.0%}" for name, part in parts.items())
    return f"{n_rows:8,d} rows, {kind:8s} teacher {own:6.1f} s, fit over it {fit / own:5.2f}: {shares}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[2_000, 20_000, 100_000])
    parser.add_argument("--teachers", nargs="+", default=["booster", "mixture"])
    parser.add_argument("--wall", action="store_true", help="seconds by the clock, on an idle machine")
    args = parser.parse_args()
    # the first fit loads what later ones find loaded
    X, y = make_classification(200, random_state=0)
    DistilledClassifier(HistGradientBoostingClassifier(max_iter=5), "tiny", random_state=0).fit(X, y)
    for n_rows in args.rows:
        for kind in args.teachers:
            print(measure(n_rows, kind, time.perf_counter if args.wall else time.process_time), flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
