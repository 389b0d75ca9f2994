"""Locale, time zone, clock, home and other variables of the environment change nothing that is learnt or written."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from .faults import ROOT, everything_in

pytest.importorskip("onnx")

# Given a folder: what students predict, and their files, from names and labels beyond ASCII
ELSEWHERE = r"""
import itertools, locale, os, sys, time
from pathlib import Path
locale.setlocale(locale.LC_ALL, "")
if "CLOCK" in os.environ:
    hours = itertools.count()
    time.time = lambda: float(os.environ["CLOCK"]) - 3600 * next(hours)  # set back again and again
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.pipeline import make_pipeline
from sklkd import CPredictor, DistilledClassifier, OnnxPredictor, distillation_report, to_c, to_onnx
from tests.estimators.problems import classes, quick
folder, extras = Path(sys.argv[1]), sys.argv[2:]
X, y = classes(90)
X = pd.DataFrame(X, columns=["gr\u00f6\u00dfe", "Stra\u00dfe 1", "x", "\u65e5\u672c", "\u0130"])
y = np.array(["\u00fcber", "\u65e5", "no"])[np.unique(y, return_inverse=True)[1]]
X["at"] = pd.Timestamp("2026-03-29 00:30") + pd.to_timedelta(np.arange(90), "h")  # where summer time begins
def made(name, teacher, X):
    est = DistilledClassifier(teacher, quick(2), cv=2, random_state=0, checkpoint=folder / f"kept {name}").fit(X, y)
    proba = [est.predict_proba(X)]
    for kind, write, model in (("onnx", to_onnx, OnnxPredictor), ("c", to_c, CPredictor)):
        write(est, folder / f"{name} student.{kind}")
        proba.append(model(folder / f"{name} student.{kind}").predict_proba(X))
    np.save(folder / f"{name}.npy", np.stack(proba))
    return est
numbers = make_column_transformer(("drop", ["at"]), remainder="passthrough")
est = made("frame", make_pipeline(numbers, ExtraTreesClassifier(3, random_state=0)), X)
if "catboost" in extras:
    from catboost import CatBoostClassifier
    made("catboost", CatBoostClassifier(iterations=5, random_seed=0, verbose=0, allow_writing_files=False),
         X.drop(columns="at"))
report = distillation_report(est, X, y, n_repeats=1)
report.to_html(folder / "report.html")
print(report, est, repr(est))
"""
GERMAN = "de_DE.UTF-8"
SURROUNDINGS: dict[str, dict[str, str | None]] = {
    "C locale, ASCII output, another order of sets, no home": {
        "LC_ALL": "C",
        "PYTHONIOENCODING": "ascii:backslashreplace",
        "PYTHONHASHSEED": "12345",
        "HOME": None,
        "XDG_CACHE_HOME": None,
    },
    "ASCII files, beyond the date line, a clock of 1980": {
        "LC_ALL": "C",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONUTF8": "0",
        "PYTHONIOENCODING": "utf-8",
        "TZ": "Pacific/Apia",
        "CLOCK": "3.2e8",
    },
    "decimal comma": {"LC_ALL": GERMAN},
    "summer time, a clock of 2100, without asserts, a home that is not there": {
        "TZ": "Europe/Berlin",
        "CLOCK": "4.1e9",
        "PYTHONOPTIMIZE": "1",
        "HOME": "/nonexistent",
    },
}


def elsewhere(folder, surroundings):
    """What a process with other variables in its environment writes, by name."""
    folder.mkdir(parents=True)
    names = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"} | surroundings
    if names.get("LC_ALL") == GERMAN:
        names["LOCPATH"] = str(folder.parent)
        made = subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", folder.parent / GERMAN], check=False)
        assert made.returncode <= 1  # 1: with warnings
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(folder), *filter(find_spec, ["catboost"])],
        env={name: value for name, value in names.items() if value is not None},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # reports and checkpoints hold times of the fit
    return {name: content for name, content in everything_in(folder).items() if not name.endswith((".html", ".pickle"))}


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return elsewhere(tmp_path_factory.mktemp("here") / "a folder with spaces and ü", {})


@pytest.mark.slow
@pytest.mark.parametrize("name", SURROUNDINGS)
def test_surroundings_change_no_answer_and_no_file(name, tmp_path, expected):
    if SURROUNDINGS[name].get("LC_ALL") == GERMAN and not Path("/usr/share/i18n/locales/de_DE").exists():
        pytest.skip("a system without descriptions of locales")
    assert {"frame.npy", "frame student.onnx", "frame student.c"} <= set(expected)
    assert elsewhere(tmp_path / "there", SURROUNDINGS[name]) == expected
