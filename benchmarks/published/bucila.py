"""How much of an ensemble's gain a network keeps: Bucila, Caruana & Niculescu-Mizil (2006), Model Compression, KDD.

    OMP_NUM_THREADS=1 python benchmarks/published/bucila.py --out benchmarks/results/published_bucila.json

Two classes, 4,000 rows for training and 1,000 for validation, up to 20,000 others for testing; the paper's sets that
can be had: adult, covertype (the largest class against the rest), letter.p1 (O against the rest), letter.p2 (A to M
against N to Z). Its loss is the root mean squared distance of the probability of a class to 0 or 1, and the part of the
gain kept

    (network trained on labels - student) / (network trained on labels - ensemble).

The paper's ensemble is selected from thousands of models on the validation rows. Here forests, a booster, a support
vector machine and networks, fitted to the training rows, are averaged by weights found on the validation rows. "as
published" is a network of one hidden layer of 256 units that learns from the ensemble alone, with 80,000 rows of
``MUNGE`` (the paper has 400,000), without bins; "default" is the default student. Each stands beside the same network
trained on labels only, which holds 1,000 of the 5,000 rows out for early stopping.
"""

import argparse
import itertools
import json
import os
import sys
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import pandas as pd
import torch
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

sys.path.insert(0, str(Path(__file__).parents[1] / "quality"))
from common import DATA, codes, scaled

from sklkd import DistilledClassifier
from sklkd.augment import MUNGE
from sklkd.students import TabularStudent
from sklkd.teachers import WeightedTeachers

POSITIVE = {
    "adult": ("adult", lambda target: target == ">50K"),
    "covtype": ("covertype", lambda target: target == target.mode()[0]),
    "letter.p1": ("letter", lambda target: target == "O"),
    "letter.p2": ("letter", lambda target: target <= "M"),
}
"""By the paper's name: the file, and which of its labels are the class to be found."""

TRAIN, VALIDATION, TEST = 4_000, 1_000, 20_000


def load(name, seed):
    """Rows and classes, 0 or 1, of training, validation and test."""
    file, positive = POSITIVE[name]
    frame = pd.read_parquet(DATA / f"{file}.parquet").sample(frac=1, random_state=seed, ignore_index=True)
    y = positive(frame.pop("target").astype(str)).to_numpy(int)
    ends = np.cumsum([0, TRAIN, VALIDATION, TEST])
    return [(frame.iloc[a:b], y[a:b]) for a, b in itertools.pairwise(ends)]


def ensemble(train, validation, seed):
    """Models fitted to the training rows, their weights to the validation rows."""
    nets = BaggingClassifier(MLPClassifier((128,), early_stopping=True), 5, bootstrap=False, random_state=seed)
    members = {
        "forest": make_pipeline(codes(), RandomForestClassifier(300, random_state=seed)),
        "extra trees": make_pipeline(codes(), ExtraTreesClassifier(300, random_state=seed)),
        "booster": make_pipeline(codes(), HistGradientBoostingClassifier(max_iter=300, learning_rate=0.05)),
        "machine": make_pipeline(scaled(), CalibratedClassifierCV(SVC(C=10), ensemble=False)),
        "networks": make_pipeline(scaled(), nets),
    }
    fitted = [(name, model.fit(*train)) for name, model in members.items()]
    return WeightedTeachers(fitted, cv="prefit").fit(*validation)


def students(teacher, seed):
    """Unfitted, by name."""
    plain = make_pipeline(scaled(), TabularStudent(module__hidden=(256,)))
    alone = {"hard_weight": 1, "augment": None, "random_state": seed}
    munge = {"hard_weight": 0, "blend": 0, "augment": MUNGE(n_neighbors=1, local_variance=10), "n_synthetic": 80_000}
    return {
        "published network, labels only": DistilledClassifier(teacher, plain, **alone),
        "as published": DistilledClassifier(teacher, plain, **munge, random_state=seed),
        "default network, labels only": DistilledClassifier(teacher, **alone),
        "default": DistilledClassifier(teacher, random_state=seed),
    }


def rmse(model, X, y):
    """Root mean squared distance of the probability of class 1 to 0 or 1."""
    return float(np.sqrt(np.mean((model.predict_proba(X)[:, 1] - y) ** 2)))


def measure(name, seed):
    """The loss of each model, and the seconds it took."""
    train, validation, test = load(name, seed)
    X, y = pd.concat([train[0], validation[0]]), np.concatenate([train[1], validation[1]])
    start = time.process_time()
    teacher = ensemble(train, validation, seed)
    found = {"ensemble": {"rmse": rmse(teacher, *test), "seconds": time.process_time() - start}}
    for form, student in students(teacher, seed).items():
        start = time.process_time()
        student.fit(X, y)
        seconds = time.process_time() - start
        found[form] = {"rmse": rmse(student, *test), "seconds": seconds}
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", default=list(POSITIVE))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    results = []
    for seed in range(given.seeds):
        for name in given.names:
            results.append({"set": name, "seed": seed, "found": measure(name, seed)})
            print(json.dumps(results[-1]), flush=True)
            if given.out:
                given.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
