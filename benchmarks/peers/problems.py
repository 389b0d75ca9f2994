"""Write what every peer gets: the rows of quality.py, its teacher fitted, and the teacher's predictions.

    OMP_NUM_THREADS=1 python benchmarks/peers/problems.py FOLDER [--rows 4000] [--seeds 1] [--teacher voting] [set ...]

Each of the scripts beside this one reads the folder in its own environment, and adds to benchmarks/results/peers.json:

    OMP_NUM_THREADS=1 python benchmarks/peers/sklkd_students.py FOLDER [set ...]

A problem that is in FOLDER already is not written again.
"""

import argparse
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "quality"))
from common import KINDS, codes, load, make_teacher, quality, scaled
from problem import write


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", default=quality.NAMES)
    parser.add_argument("--rows", type=int, default=4_000, help="at most so many of a set, 60 %% of them to train on")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--teacher", choices=KINDS, default="voting")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    for seed in range(given.seeds):
        for name in given.names:
            folder = given.folder / f"{name}-{given.teacher}-{given.rows}-{seed}"
            if (folder / "about.json").exists():
                continue
            X, y, train, test, labels = load(name, given.rows, seed)
            about = {"set": name, "teacher": given.teacher, "seed": seed, "max_rows": given.rows, "labels": labels}
            teacher = make_teacher(given.teacher, labels, seed)
            write(folder, X, y, train, test, teacher, {"codes": codes(), "scaled": scaled()}, about)
            print(folder.name, flush=True)


if __name__ == "__main__":
    main()
