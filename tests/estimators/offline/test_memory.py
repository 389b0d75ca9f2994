"""Fits whose tables go to files past a budget, and what a fit takes of memory."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from sklkd import DistilledClassifier, DistilledRegressor
from sklkd.losses import RKDDistanceLoss, SoftTargetLoss
from sklkd.students import TabularStudent

QUICK = TabularStudent("tiny", max_epochs=4)


def frame(n=300, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "a": rng.normal(size=n),
            "b": rng.choice(["x", "y", None], n),
            "c": rng.integers(0, 9, n),
            "d": pd.date_range("2026-01-01", periods=n, freq="7h"),
        }
    )
    X.loc[::7, "a"] = np.nan
    return X, (X.c + rng.normal(size=n) > 4).to_numpy().astype(int)


def numbers(n=300, seed=0):
    X = np.random.default_rng(seed).normal(size=(n, 4)).astype(np.float32)
    return X, X[:, 0] + X[:, 1] ** 2


class Categories(ClassifierMixin, BaseEstimator):
    """A teacher of the user's own that reads two columns, and looks which files its process has mapped."""

    mapped = False

    def fit(self, X, y):
        self.classes_, self.mean_ = np.unique(y), y.mean()
        return self

    def predict_proba(self, X):
        maps = Path("/proc/self/maps")
        type(self).mapped |= maps.exists() and tempfile.gettempdir() in maps.read_text()
        p = np.clip(0.1 + 0.8 * (X["c"] / 9 * 0.8 + (X["b"] == "x") * 0.2).to_numpy(), 0, 1)
        return np.stack([1 - p, p], axis=1)


FITS = {
    "categories, dates and gaps": (DistilledClassifier(Categories(), QUICK), frame),
    "out-of-bag": (DistilledRegressor(RandomForestRegressor(10, random_state=0), QUICK), numbers),
    "cross-fitted": (DistilledRegressor(RandomForestRegressor(10, random_state=0), QUICK, cv=3), numbers),
    "labels only": (DistilledRegressor(RandomForestRegressor(10), QUICK, hard_weight=1), numbers),
    "several losses": (
        DistilledClassifier(
            RandomForestClassifier(10, random_state=0),
            QUICK,
            loss=[("kd", SoftTargetLoss()), ("rkd", RKDDistanceLoss(teacher_layer="members"))],
        ),
        lambda: (numbers()[0], numbers()[1] > 1),
    ),
    "some columns": (
        DistilledRegressor(RandomForestRegressor(10, random_state=0), QUICK, columns=[0, 1]),
        numbers,
    ),
}


@pytest.mark.parametrize("name", FITS)
def test_the_student_is_the_same_with_all_tables_in_files(name, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    est, data = FITS[name]
    X, y = data()
    est.set_params(random_state=0)
    answer = "predict_proba" if isinstance(est, DistilledClassifier) else "predict"
    in_memory = getattr(est.set_params(memory_limit="1GB").fit(X, y), answer)(X)
    in_files = getattr(est.set_params(memory_limit=0).fit(X, y), answer)(X)
    np.testing.assert_array_equal(in_memory, in_files)
    assert list(tmp_path.glob("sklkd*")) == []


@pytest.mark.skipif(sys.platform != "linux", reason="asks the system which files are mapped")
def test_tables_are_in_files_past_the_budget_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    X, y = frame()
    for limit, expected in ((10**9, False), (0, True)):
        Categories.mapped = False
        DistilledClassifier(Categories(), QUICK, memory_limit=limit, random_state=0).fit(X, y)
        assert Categories.mapped == expected


def test_a_budget_that_is_none_leaves_the_estimator_as_it_was():
    X, y = numbers()
    est = DistilledRegressor(RandomForestRegressor(10, random_state=0), QUICK, random_state=0).fit(X, y)
    before = est.predict(X)
    with pytest.raises(ValueError, match=r"memory_limit must be .* got memory_limit='a lot'"):
        est.set_params(memory_limit="a lot").fit(X[:100], y[:100])
    np.testing.assert_array_equal(est.predict(X), before)


@pytest.mark.parametrize("n", [0, 7])
def test_as_many_synthetic_rows_as_are_asked_for(n):
    asked = []

    def teacher(X):
        asked.append(len(X))
        return X[:, 0]

    X, y = numbers()
    est = DistilledRegressor(teacher, QUICK, hard_weight=0, blend=0, n_synthetic=n, random_state=0).fit(X, y)
    assert (est.augment_ is None) == (n == 0)
    assert (n in asked) == (n > 0) and 3_000 not in asked


PROGRAM = """
import resource, sys, warnings
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklkd import DistilledClassifier
from sklkd.students import TabularStudent
warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
X = rng.normal(size=(300_000, 30)).astype(np.float32)
y = (X[:, 0] + X[:, 1] ** 2 + rng.normal(size=len(X)) > 1).astype(int)
teacher = HistGradientBoostingClassifier(max_iter=5, random_state=0).fit(X, y)
est = DistilledClassifier(teacher, TabularStudent(max_epochs=1), random_state=0)
est.fit(X[:1_000], y[:1_000])
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # the highest memory counts from here
def highest():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) * 1024
start = highest()
est.fit(X, y)
print((highest() - start) / X.nbytes, X.nbytes)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks the system for the highest memory")
def test_a_fit_takes_a_few_times_the_table():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    times, n_bytes = map(float, done.stdout.split())
    assert times <= 5 + 150e6 / n_bytes
