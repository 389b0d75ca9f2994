"""The scripts of published tables on MNIST run, on random images for an epoch, and make no run twice."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

SCRIPTS = Path(__file__).parents[1] / "benchmarks" / "published"
# A script, its arguments, and how many runs it makes
CASES = {
    "hinton_mnist": (["--teacher-epochs", "1", "--epochs", "2", "--seeds", "0"], 4),
    "networks_on_mnist": (["--epochs", "4", "--seeds", "1", "--rows", "120"], 7),
    "keras_page": (["--seeds", "1", "--filters", "4"], 3),
}


@pytest.fixture
def images(tmp_path):
    """A file like that of MNIST."""
    rng = np.random.RandomState(0)
    arrays = {}
    for part, n in (("train", 120), ("test", 30)):
        X = rng.randint(256, size=(n, 28, 28)).astype(np.uint8)
        arrays |= {f"x_{part}": X, f"y_{part}": np.arange(n, dtype=np.uint8) % 10}
    np.savez(tmp_path / "images.npz", **arrays)
    return tmp_path / "images.npz"


@pytest.fixture
def precision():
    before = torch.get_float32_matmul_precision(), torch.backends.mkldnn.conv.fp32_precision
    yield
    torch.set_float32_matmul_precision(before[0])
    torch.backends.mkldnn.conv.fp32_precision = before[1]


@pytest.mark.filterwarnings("ignore::sklkd.exceptions.TeacherWarning")
@pytest.mark.parametrize("name", CASES)
def test_a_script_runs_and_repeats_nothing(name, images, precision, tmp_path, monkeypatch):
    arguments, n_runs = CASES[name]
    monkeypatch.syspath_prepend(SCRIPTS)
    script, out = import_module(name), tmp_path / "runs.json"
    for parameters in [value for value in vars(script).values() if isinstance(value, dict)]:
        # the arguments set some of these
        for key in parameters:
            monkeypatch.setitem(parameters, key, parameters[key])
    kept = [] if name == "networks_on_mnist" else ["--kept", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", [name, "--data", str(images), "--out", str(out), *kept, *arguments])
    script.main()
    runs = json.loads(out.read_text())
    assert len(runs) == n_runs and all(0 <= run["errors"] <= 30 for run in runs)
    script.main()
    assert json.loads(out.read_text()) == runs
