"""Samplers of synthetic rows: what each is worth to the default student of a forest.

    OMP_NUM_THREADS=1 python benchmarks/quality/samplers.py [--rows 3000] [--seeds 1] [--out samplers.json] [name ...]

One line a data set: the student's loss (log loss, or RMSE) on the 40 % of the rows that are held out, over that of its
teacher, a forest of 300 trees, minus one; then mean ranks and the seconds of the fit over those without synthetic rows.
Columns are numbers without gaps, since forests and `NRFI` take nothing else.
"""

import time

import numpy as np
from common import column, line, load, loss, outputs, sweep
from scipy.stats import rankdata
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from sklkd import DistilledClassifier, DistilledRegressor
from sklkd.augment import MUNGE, NRFI, GaussianNoise, GibbsSampler, Mixup, ThresholdSampler
from sklkd.teachers import adapt

NAMES = ["phoneme", "vehicle", "segment", "kin8nm", "concrete", "spambase", "pendigits"]


def samplers(teacher):
    """The samplers that are compared, by name."""
    return {
        "none": None,
        "MUNGE": MUNGE(),
        "Gibbs": GibbsSampler(),
        "Mixup": Mixup(),
        "noise": GaussianNoise(),
        "thresholds": ThresholdSampler(thresholds=adapt(teacher, getattr(teacher, "classes_", None))),
        "NRFI": NRFI(teacher),
        "NRFI, uniform": NRFI(teacher, start="uniform"),
    }


def measure(name, rows, seed):
    frame, y, train, test, labels = load(name, rows, seed)
    X = frame.to_numpy(float)
    kind = RandomForestClassifier if labels else RandomForestRegressor
    forest = kind(300, n_jobs=-1, random_state=seed).fit(X[train], y[train])

    def of(model):
        return loss(y[test], outputs(model, X[test], labels), labels, forest.classes_ if labels else None)

    usual, found = of(forest), {}
    for sampler, augment in samplers(forest).items():
        start = time.perf_counter()
        kind = DistilledClassifier if labels else DistilledRegressor
        est = kind(forest, augment=augment, random_state=seed).fit(X[train], y[train])
        found[sampler] = {"seconds": time.perf_counter() - start, "excess": of(est) / usual - 1}
    return found


def main():
    results = sweep(measure, __doc__, NAMES, rows=3000)
    ranks, seconds = rankdata(column(results, "excess"), axis=1).mean(axis=0), column(results, "seconds")
    print(line("mean rank", [f"{rank:.1f}" for rank in ranks]))
    print(line("fit over that without", [f"{one:.1f}" for one in np.median(seconds / seconds[:, :1], axis=0)]))


if __name__ == "__main__":
    main()
