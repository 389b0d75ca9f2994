"""C files in integers alone: how they agree with the estimator and the file of 8 bits, and what they take on a device.

    OMP_NUM_THREADS=1 python benchmarks/integer_c.py [--sets phoneme letter ...] [--rows 12000]

Tiny students of forests of 100 trees, on test rows, and on 10,000 rows of 30 numeric columns and 5 classes. Flash,
stack and instructions are those of programs for a Cortex-M0+ and a Cortex-M4, run by QEMU (``emulator.py`` says which
tools that needs). Set SKLKD_DATA to the folder of the data sets.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import pandas as pd
from emulator import CPUS, Device
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.pipeline import make_pipeline

from sklkd import CPredictor, DistilledClassifier, DistilledRegressor, to_c

sys.path.insert(0, str(Path(__file__).parent / "quality"))
import common

SETS = ("made up", "phoneme", "letter", "adult", "california_housing", "bike_sharing")
TIMED = 300


def problem(name, rows):
    """Training rows and targets, test rows, and whether the targets are labels."""
    if name == "made up":
        X, y = make_classification(12_000, 30, n_informative=10, n_classes=5, random_state=0)
        X = pd.DataFrame(X).add_prefix("x")
        return X[:2000], y[:2000], X[2000:], True
    X, y, train, test, labels = common.load(name, rows, 0)
    return X.iloc[train], y[train], X.iloc[test], labels


def distilled(X, y, labels):
    kind = RandomForestClassifier if labels else RandomForestRegressor
    teacher = make_pipeline(common.codes(), kind(100, n_jobs=1, random_state=0))
    estimator = DistilledClassifier if labels else DistilledRegressor
    return estimator(teacher, "tiny", random_state=0).fit(X, y)


def on_devices(folder, rows):
    """Bytes of flash and stack, and thousands of instructions for a row, on each processor."""
    cells = []
    for cpu in CPUS:
        device = Device(folder, cpu)
        flash = device.flash_bytes()
        _, _, stack, instructions = device.run(rows)
        cells.append(f"{flash:,} | {stack:,} | {instructions / 1000:.0f}")
    return " | ".join(cells)


def compared(name, rows):
    X, y, test, labels = problem(name, rows)
    est = distilled(X, y, labels)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        eight, whole = folder / "eight", folder / "whole"
        for one in (eight, whole):
            one.mkdir()
        reports = [
            to_c(est, one / "s.c", X=test, quantize=how, header=one / "s.h")
            for one, how in ((eight, "int8"), (whole, "integer"))
        ]
        in_floats, in_integers = CPredictor(eight / "s.c"), CPredictor(whole / "s.c")
        expected, got = in_floats._outputs(test), in_integers._outputs(test)
        if labels:
            top = np.sort(np.log(expected), axis=1)
            ties = int((top[:, -1] - top[:, -2] <= reports[1].resolution).sum())
            differ = int((in_floats.predict(test) != in_integers.predict(test)).sum())
            against = f"{differ} of {len(test):,} | {ties}"
        else:
            scale = est._fitted.task.scaling.scale
            against = f"{np.abs((got - expected) / scale).max():.1e} sd | "
        agreement = " | ".join(f"{100 * report.agreement:.2f}" for report in reports)
        least = np.asarray(in_floats.encode(test)[:TIMED], dtype=np.float32)
        print(f"| {name} | {agreement} | {against} | {reports[1].resolution:.1e} | ", end="")
        print(f"{reports[1].multiply_adds:,} | {on_devices(whole, in_integers.encode(test)[:TIMED])} |", flush=True)
        print(f"| the same, int8 | | | | | | {reports[0].multiply_adds:,} | {on_devices(eight, least)} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--rows", type=int, default=12_000)
    arguments = parser.parse_args()
    print("| set | int8, % | integer, % | integer against int8 | ties | resolution | multiply-adds |", end="")
    print("".join(f" {cpu}: flash | stack | thousand instructions |" for cpu in CPUS))
    print("| --- |" + " --: |" * 12)
    for one in arguments.sets:
        compared(one, arguments.rows)
