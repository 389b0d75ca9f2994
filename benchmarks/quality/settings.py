"""Plain distillation, imitation and blending beside each other, and the same network trained on labels only.

    OMP_NUM_THREADS=1 python benchmarks/quality/settings.py [--rows 3000] [--seeds 1] [--teacher forest] [name ...]

One line a data set and setting: loss (log loss or RMSE) on the 40 % of the rows that are held out, of teacher and
student; the student's loss over the teacher's, minus one; and how well the two agree: the part of the held-out rows
with the teacher's label or, for regression, the part of the variance of the teacher's predictions that the student
reproduces. Then come the weights that the fit has used, and its processor time over that of imitation.
"""

import argparse
import time
import warnings

import numpy as np
from common import KINDS, line, load, loss, make_teacher, outputs

from sklkd import DistilledClassifier, DistilledRegressor

NAMES = ["phoneme", "vehicle", "kin8nm", "concrete"]
SETTINGS = {
    'both "auto"': {},
    "plain: hard_weight=0.1, blend=0": {"hard_weight": 0.1, "blend": 0},
    "imitation: 0, 0": {"hard_weight": 0, "blend": 0},
    "labels only: hard_weight=1": {"hard_weight": 1},
}


def agreement(student, teacher, labels):
    """Of outputs for the same rows: equal labels, or one minus the relative squared difference."""
    if labels:
        return np.mean(student.argmax(1) == teacher.argmax(1))
    return 1 - np.mean((student - teacher) ** 2) / np.var(teacher)


def measure(name, kind, rows, seed):
    """Mean figures of every setting on one split."""
    X, y, train, test, labels = load(name, rows, seed)
    teacher = make_teacher(kind, labels, seed).fit(X.iloc[train], y[train])
    classes = teacher.classes_ if labels else None
    predicted = outputs(teacher, X.iloc[test], labels)
    usual, found = loss(y[test], predicted, labels, classes), {}
    for setting, params in SETTINGS.items():
        est = (DistilledClassifier if labels else DistilledRegressor)(teacher, random_state=seed, **params)
        start = time.process_time()
        est.fit(X.iloc[train], y[train])
        seconds = time.process_time() - start
        own = outputs(est, X.iloc[test], labels)
        left = loss(y[test], own, labels, classes)
        agrees = agreement(own, predicted, labels)
        found[setting] = [usual, left, left / usual - 1, agrees, est.blend_, est.hard_weight_, seconds]
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--teacher", choices=KINDS, default="forest")
    args = parser.parse_args()
    heads = ["teacher", "student", "student / teacher - 1", "agreement", "blend_, hard_weight_", "time"]
    print(line("set, setting", heads) + "\n| --- |" + " --: |" * len(heads))
    for name in args.names:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            runs = [measure(name, args.teacher, args.rows, seed) for seed in range(args.seeds)]
        base = np.mean([run["imitation: 0, 0"][-1] for run in runs])
        for setting in SETTINGS:
            usual, left, change, agrees, blend, hard, seconds = np.mean([run[setting] for run in runs], axis=0)
            figures = [f"{usual:.4g}", f"{left:.4g}", f"{change:+.1%}", f"{agrees:.1%}", f"{blend:.2f}, {hard:.2f}"]
            figures.append(f"{seconds / base:.1f}")
            print(line(f"{name}, {setting}", figures), flush=True)


if __name__ == "__main__":
    main()
