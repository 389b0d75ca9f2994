"""Changed files: a clear error or the right answer, no crash, no hang, and no code that is run."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import skops.io

from sklkd import CPredictor, DistilledClassifier, OnnxPredictor, to_c, to_onnx
from sklkd._checkpoint import Checkpoint
from tests.estimators.problems import quick
from tests.estimators.test_saving import CLASSIFIER, TRUSTED

from .checks import count
from .models import PLAIN, AnyClassifier, cases

ROOT = Path(__file__).parents[2]
LIMIT = 300
"""Seconds for all cases of a process."""


def write_valid_files(folder):
    """A file of every kind, rows, and the answers for them."""
    X = np.random.RandomState(0).standard_normal((20, 3))
    est = DistilledClassifier(AnyClassifier(), quick(1), **PLAIN).fit(X, np.array(["a", "b"])[np.arange(20) % 2])
    np.save(folder / "X.npy", X)
    np.save(folder / "expected.npy", est.predict_proba(X))
    to_onnx(est, folder / "onnx")
    model = onnx.load(folder / "onnx")
    about = json.loads(model.metadata_props[0].value) | {"format": 3}
    del about["digest"]
    about = {"feature_names": None, "categories": {}, "text": [], "empty": []} | about
    model.metadata_props[0].value = json.dumps(about)
    onnx.save(model, folder / "onnx without digest")
    to_c(est, folder / "c")
    skops.io.dump(est.without_teacher(), folder / "skops")
    Checkpoint(folder).keep("kept", [est.predict_proba(X)])
    (folder / "kept.pickle").rename(folder / "checkpoint")
    return folder


def came(folder, kind, first, n):
    """What came of each case: (seed, outcome, what was run); a last one where the process crashed or hung."""
    command = [sys.executable, "-m", "tests.fuzz.loading", str(folder), kind, str(first), str(n)]
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"PYTHONPATH": paths}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            out, said = process.communicate(timeout=LIMIT)
            ended = f"the process ended with {process.returncode}: {said[-2000:]!r}" if process.returncode else None
        except subprocess.TimeoutExpired:
            process.kill()
            out, _ = process.communicate()
            ended = "the process hung"
    lines = [json.loads(line) for line in out.splitlines() if line.startswith(b'{"seed"')]
    told = [(line["seed"], line["came"], line["ran"]) for line in lines if "came" in line]
    return told + ([(lines[-1]["seed"] if lines else None, ended, [])] if ended else [])


def faults(kind, told):
    """The cases that should not be: of skops the words are its own, and a member may be replaced by a valid one."""
    for seed, found, ran in told:
        if ran or (isinstance(found, str) and found not in ("right", "other")):
            yield seed, found, ran
        elif kind in ("onnx", "c", "checkpoint") and found != "right" and not (found != "other" and found["clear"]):
            yield seed, found, ran


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_valid_files(tmp_path_factory.mktemp("files"))


def check_bytes(folder, kind, n):
    told = came(folder, kind, 0, n)
    for _ in told:
        count(f"bytes, {kind}")
    assert not list(faults(kind, told))
    assert len(told) == n


KINDS = ["onnx", "c", "skops", "checkpoint"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_changed_files_are_told_or_right(folder, kind):
    check_bytes(folder, kind, cases(40 if kind == "skops" else 300).max_examples)


@pytest.mark.parametrize("kind", ["onnx", "checkpoint"])
def test_some_changed_files(folder, kind):
    check_bytes(folder, kind, 20)


class Runs:
    """A pickle that makes a folder when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("read", [OnnxPredictor, CPredictor, skops.io.load], ids=lambda read: read.__name__)
def test_pickles_in_place_of_files_are_refused(tmp_path, read):
    path, made = tmp_path / "file", tmp_path / "made"
    path.write_bytes(pickle.dumps(Runs(made)))
    with pytest.raises(Exception, match="file"):
        read(path)
    assert not made.exists()


def test_a_pickle_in_place_of_a_checkpoint_is_refused(tmp_path):
    """It is read only behind its digest."""
    Checkpoint(tmp_path).keep("kept", 1)
    made = tmp_path / "made"
    (tmp_path / "kept.pickle").write_bytes(pickle.dumps(Runs(made)))
    with pytest.warns(Warning, match="kept"):
        assert Checkpoint(tmp_path).load("kept") is None
    assert not made.exists()


def test_types_that_are_not_trusted_are_refused(tmp_path, folder):
    """An owner who trusts the estimator's types trusts no other."""
    content = skops.io.dumps([skops.io.load(folder / "skops", trusted=[*TRUSTED, *CLASSIFIER]), os.mkdir])
    with pytest.raises(skops.io.exceptions.UntrustedTypesFoundException, match="mkdir"):
        skops.io.loads(content, trusted=[*TRUSTED, *CLASSIFIER])
