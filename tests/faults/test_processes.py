"""Workers that are killed, forked and spawned processes, and threads that share a model."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from joblib import parallel_config
from joblib.externals.loky.process_executor import TerminatedWorkerError
from torch import nn

from sklkd import CPredictor, DistilledClassifier, OnnxPredictor, to_c, to_onnx
from sklkd.students import TabularStudent
from tests.estimators.problems import classes, quick

from .faults import ESTIMATORS, ROOT, FaultyClassifier, answers, changed, is_that_of, of_process, rows_for, state_of


class KilledTeacher(FaultyClassifier):
    """The system ends its process for want of memory, wherever it is fitted but in the user's."""

    def __init__(self, process=None):
        self.process = process

    def fit(self, X, y):
        if os.getpid() != self.process:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(X, y)


class KilledStudent(nn.Module):
    """So does this network's."""

    def __init__(self, process, n_features=5, n_outputs=3):
        super().__init__()
        self.process, self.layer = process, nn.Linear(n_features, n_outputs)

    def forward(self, X):
        if self.training and os.getpid() != self.process:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.layer(X)


KILLED = {
    "fold": lambda here: DistilledClassifier(KilledTeacher(here), quick(1), cv=2, blend=0.5),
    "student": lambda here: DistilledClassifier(
        FaultyClassifier(), TabularStudent(module=KilledStudent, module__process=here, max_epochs=1), blend=0.5
    ),
}


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="a system without SIGKILL")
@pytest.mark.parametrize("what", KILLED)
def test_a_worker_that_is_killed_ends_the_fit_and_leaves_the_old_state(what):
    X, y = classes(120)
    est = KILLED[what](os.getpid()).set_params(random_state=0, hard_weight=0.1)
    expected = est.fit(X, y).predict_proba(X)
    est.set_params(n_jobs=2)
    state, before = state_of(est), of_process()
    with parallel_config("loky"), pytest.raises(TerminatedWorkerError, match="SIGKILL"):
        est.fit(X, y)
    # joblib has threads of its own, and other processes use the same folder for temporary files
    assert is_that_of(state, est) and set(changed(before)) <= {"threads", "temporary files"}
    np.testing.assert_array_equal(est.predict_proba(X), expected)
    np.testing.assert_array_equal(est.set_params(n_jobs=None).fit(X, y).predict_proba(X), expected)


# A process that has used OpenMP's threads forks; what its children predict and fit is compared with its own
FORKED = """
import json, os, sys, time
import numpy as np
import torch
torch.set_num_threads(2)
from tests.faults.faults import ESTIMATORS, answers, rows_for

def ends_well(call):
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if call() else 1)
        finally:
            os._exit(2)
    for _ in range(6000):
        number, status = os.waitpid(child, os.WNOHANG)
        if number:
            return status == 0
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return "hangs"

found = {}
for name in sys.argv[1:]:
    X, y = rows_for(name)
    many = np.tile(X, (500, 1))
    est = ESTIMATORS[name]().fit(X, y)
    expected = answers(est, many)
    scale = max(1.0, float(expected.std()))
    close = lambda other: np.allclose(answers(other, many) / scale, expected / scale, rtol=0, atol=1e-4)
    found[name] = [ends_well(lambda: close(est)), ends_well(lambda: close(ESTIMATORS[name]().fit(X, y)))]
print(json.dumps(found))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_a_forked_child_predicts_and_fits():
    names = ["offline-classifier", "tree-regressor", "self-classifier", "online-regressor"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "2"}
    command = [sys.executable, "-c", FORKED, *names]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {name: [True, True] for name in names}


def answers_of(content, X):
    return answers(pickle.loads(content), X)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_pools_of_processes_predict_the_same(method, tmp_path):
    pytest.importorskip("onnx")
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip("a system without it")
    models = {}
    for name in ("offline-classifier", "tree-regressor"):
        X, y = rows_for(name)
        est = ESTIMATORS[name]().fit(X, y)
        to_onnx(est, tmp_path / f"{name}.onnx")
        models[name] = est, X
        models[f"{name} in ONNX"] = OnnxPredictor(tmp_path / f"{name}.onnx"), X
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
        found = {name: pool.submit(answers_of, pickle.dumps(model), X) for name, (model, X) in models.items()}
        for name, (model, X) in models.items():
            np.testing.assert_array_equal(found[name].result(timeout=120), answers(model, X), name)


@pytest.mark.parametrize("name", ["offline-classifier", "online-regressor"])
def test_16_threads_share_one_model(name, tmp_path):
    pytest.importorskip("onnx")
    X, y = rows_for(name)
    est = ESTIMATORS[name]().fit(X, y)
    models = {"estimator": est}
    if name.startswith("offline"):
        to_onnx(est, tmp_path / "student.onnx")
        to_c(est, tmp_path / "student.c")
        models |= {"ONNX": OnnxPredictor(tmp_path / "student.onnx"), "C": CPredictor(tmp_path / "student.c")}
    asked = [X[i : i + 1 + i % 5] for i in range(len(X))] * 4
    with ThreadPoolExecutor(16) as pool:
        for what, model in models.items():
            expected = [answers(model, rows) for rows in asked]
            for one, other in zip(
                pool.map(lambda rows, model=model: answers(model, rows), asked), expected, strict=True
            ):
                np.testing.assert_array_equal(one, other, what)
