"""Students side by side, of several teachers, on several data sets, with several seeds.

    python benchmarks/quality/compare.py [--rows 12000] [--seeds 3] [--teachers forest net] [--out FILE] [set ...]
    python benchmarks/quality/summary.py FILE [autogluon.json] [--picture FILE.png]

Contestants, all with their defaults:

sklkd           the default student
sklkd tiny      student="tiny", at most 5,000 parameters
labels only     the default student without a teacher (hard_weight=1, augment=None)
tiny, labels only  the tiny one without a teacher
MLP             scikit-learn's MLPClassifier or MLPRegressor on the labels
imodels         imodels' DistilledRegressor with its FIGS as the student, where imodels is installed; it takes
                regression and two classes

What is in FILE already is not measured again, so that a run can be continued.
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
from common import KINDS, codes, load, loss, make_teacher, mlp, outputs, quality
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

from sklkd import DistilledClassifier, DistilledRegressor

try:
    import imodels
except ImportError:
    imodels = None


def sklkd_student(student=None, **params):
    def make(teacher, labels, seed):
        return (DistilledClassifier if labels else DistilledRegressor)(teacher, student, random_state=seed, **params)

    return make


def imodels_student(teacher, labels, seed):
    student = make_pipeline(codes(), imodels.FIGSRegressor(random_state=seed))
    return imodels.DistilledRegressor(FrozenEstimator(teacher), student)


CONTESTANTS = {
    "sklkd": sklkd_student(),
    "sklkd tiny": sklkd_student("tiny"),
    "labels only": sklkd_student(hard_weight=1.0, augment=None),
    "tiny, labels only": sklkd_student("tiny", hard_weight=1.0, augment=None),
    "MLP": lambda teacher, labels, seed: mlp(labels, seed),
}


def answers(model, X, labels):
    """Probabilities or values; of a regressor on two classes, the probability of the second."""
    if labels and not hasattr(model, "predict_proba"):
        second = np.clip(model.predict(X), 0, 1)
        return np.column_stack([1 - second, second])
    return outputs(model, X, labels)


def size(model):
    """Parameters of a network; None for what has no such number."""
    if hasattr(model, "student_"):
        return sum(part.numel() for part in model.student_.module_.parameters())
    return None


def measure(name, kind, rows, seed):
    """One result for the teacher and for each contestant."""
    X, y, train, test, labels = load(name, rows, seed)
    base = {"set": name, "teacher": kind, "seed": seed, "max_rows": rows, "rows": len(train)}

    def result(contestant, model, seconds):
        out = answers(model, X.iloc[test], labels)
        value = loss(y[test], out, labels, classes)
        agreement = float(np.mean(out.argmax(1) == taught.argmax(1))) if labels else None
        found = {"contestant": contestant, "loss": value, "fit_s": seconds, "agreement": agreement}
        return base | found | {"parameters": size(model)}

    start = time.perf_counter()
    teacher = make_teacher(kind, labels, seed).fit(X.iloc[train], y[train])
    seconds = time.perf_counter() - start
    classes = teacher.classes_ if labels else None
    taught = outputs(teacher, X.iloc[test], labels)
    results = [result("teacher", teacher, seconds)]
    contestants = dict(CONTESTANTS)
    if imodels is not None and (not labels or len(classes) == 2):
        contestants["imodels"] = imodels_student
    for contestant, make in contestants.items():
        start = time.perf_counter()
        # 0 and 1, for regressors that learn the second class's probability
        target = np.searchsorted(classes, y[train]) if contestant == "imodels" and labels else y[train]
        model = make(teacher, labels, seed).fit(X.iloc[train], target)
        results.append(result(contestant, model, time.perf_counter() - start))
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", default=quality.NAMES)
    parser.add_argument("--rows", type=int, default=12_000, help="at most so many of a set, 60 %% of them to train on")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--teachers", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--out", type=Path, default=Path("compare.json"))
    args = parser.parse_args()
    results = json.loads(args.out.read_text()) if args.out.exists() else []
    if any(row["max_rows"] != args.rows for row in results):
        parser.error(f"{args.out} was measured with other --rows: name another file.")
    done = {(row["set"], row["teacher"], row["seed"]) for row in results}
    for seed in range(args.seeds):
        for name in args.names:
            for kind in args.teachers:
                if (name, kind, seed) in done:
                    continue
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    found = measure(name, kind, args.rows, seed)
                results += found
                args.out.write_text(json.dumps(results, indent=1))
                losses = ", ".join(f"{row['contestant']} {row['loss']:.4g} ({row['fit_s']:.1f} s)" for row in found)
                print(f"{name} {kind} {seed}: {losses}", flush=True)


if __name__ == "__main__":
    main()
