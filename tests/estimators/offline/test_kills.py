"""Fits that are killed at any moment end with the student of a fit that was not."""

import json
import os
import signal
import subprocess
import sys

import pytest

KILLS = int(os.environ.get("SKLKD_KILLS", "50"))

# One process imports everything once; each attempt is a child of it, so that a kill costs no more than what it ends
PROGRAM = """
import json, os, random, shutil, signal, sys, time, warnings
from pathlib import Path
import numpy as np
from sklearn.datasets import load_diabetes, load_wine
from sklearn.ensemble import ExtraTreesRegressor, RandomForestClassifier
from sklkd import DistilledClassifier, DistilledRegressor
from sklkd.students import TabularStudent

kind, folder, n_kills = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
if kind == "classifier":
    X, y = load_wine(return_X_y=True)
    est = DistilledClassifier(RandomForestClassifier(40), TabularStudent("tiny", max_epochs=15), cv=3, random_state=0)
else:
    X, y = load_diabetes(return_X_y=True)
    est = DistilledRegressor(ExtraTreesRegressor(30, min_samples_leaf=3), TabularStudent(max_epochs=6))
    est.set_params(random_state=0, columns=8)
est.set_params(n_synthetic=800)

def attempt(checkpoint):
    # the child's number; what it ends with is in a file
    child = os.fork()
    if child:
        return child
    warnings.simplefilter("error")
    est.set_params(checkpoint=checkpoint).fit(X, y)
    predicted = est.predict_proba(X) if kind == "classifier" else est.predict(X)
    losses = np.array(est.history_[:, "train_loss"])
    with open(folder / "ended", "wb") as file:
        np.savez(file, predicted, losses, np.array(str(est.account_)))
    os._exit(0)

def ended(child, seconds=None):
    begun = time.monotonic()
    while True:
        number, status = os.waitpid(child, os.WNOHANG)
        if number:
            assert status == 0, status
            return True
        if seconds is not None and time.monotonic() - begun > seconds:
            return False
        time.sleep(0.001)

def result():
    with np.load(folder / "ended") as found:
        arrays = [found[name].tobytes() for name in found.files]
    os.unlink(folder / "ended")
    return arrays

ended(attempt(None))
expected = result()
begun = time.monotonic()
ended(attempt(folder / "whole"))
whole = time.monotonic() - begun
same = [result() == expected]
moments = random.Random(0)
kills = 0
while kills < n_kills:
    checkpoint = folder / f"killed-{kills}"
    for _ in range(min(5, n_kills - kills)):
        child = attempt(checkpoint)
        if ended(child, moments.uniform(0, whole)):
            break
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        kills += 1
    else:
        ended(attempt(checkpoint))
    same.append(result() == expected)
    shutil.rmtree(checkpoint)
print(json.dumps({"kills": kills, "same": same}))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork") or not hasattr(signal, "SIGKILL"), reason="a system without fork")
@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_a_fit_that_is_killed_again_and_again_ends_with_the_same_student(kind, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, kind, str(tmp_path), str(KILLS // 2)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["kills"] == KILLS // 2
    assert all(found["same"])
    assert len(found["same"]) > KILLS // 10
