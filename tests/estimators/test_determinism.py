"""The same seed gives the same bits: in another process, after pickling, in threads, whatever was drawn before."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed, parallel_config
from sklearn.base import clone

from sklkd.augment import MUNGE, GaussianNoise, GibbsSampler, Mixup, ThresholdSampler
from tests.faults.faults import ESTIMATORS, answers, rows_for

ROOT = Path(__file__).parents[2]
SAMPLERS = {type(one).__name__: one for one in (MUNGE(), GibbsSampler(), ThresholdSampler(), Mixup(), GaussianNoise())}
ACROSS_THREADS = 1e-4
"""How far predictions may be apart with another number of threads, in which sums are added up in another order."""

# The folder for the answers, and the names of estimators
PROGRAM = """
import sys
from pathlib import Path
import numpy as np
import torch
from tests.faults.faults import ESTIMATORS, answers, rows_for
np.random.rand(len(sys.argv)), torch.rand(3)
for name in sys.argv[2:]:
    X, y = rows_for(name)
    np.save(Path(sys.argv[1]) / name, answers(ESTIMATORS[name]().fit(X, y), X))
"""


def in_another_process(folder, names, hash_seed="1", n_threads=1):
    """What estimators predict that were fitted in a process of their own."""
    folder.mkdir()
    environment = {"PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": str(n_threads), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PROGRAM, str(folder), *names]
    subprocess.run(command, env=os.environ | environment, cwd=folder, check=True)
    return {name: np.load(folder / f"{name}.npy") for name in names}


def predicted(est, name):
    X, y = rows_for(name)
    return answers(est.fit(X, y), X)


def test_in_another_process_with_other_hashes(tmp_path):
    first, second = (in_another_process(tmp_path / seed, ESTIMATORS, seed) for seed in ("1", "2"))
    for name in ESTIMATORS:
        np.testing.assert_array_equal(first[name], second[name], name)


@pytest.mark.slow
@pytest.mark.parametrize("n_threads", [2, 4])
def test_another_number_of_threads_adds_up_in_another_order(n_threads, tmp_path):
    one, more = (in_another_process(tmp_path / str(n), ESTIMATORS, n_threads=n) for n in (1, n_threads))
    for name in ESTIMATORS:
        scale = max(1.0, float(np.std(one[name])))
        np.testing.assert_allclose(one[name] / scale, more[name] / scale, rtol=0, atol=ACROSS_THREADS, err_msg=name)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_copies_of_the_unfitted_and_the_fitted(name):
    X, _ = rows_for(name)
    unfitted = ESTIMATORS[name]()
    copies = [clone(unfitted), copy.deepcopy(unfitted), pickle.loads(pickle.dumps(unfitted))]
    np.random.seed(7), torch.manual_seed(7)  # noqa: NPY002
    expected = predicted(unfitted, name)
    for one in copies:
        np.random.rand(), torch.rand(1)  # noqa: NPY002
        np.testing.assert_array_equal(predicted(one, name), expected)
    for one in (copy.deepcopy(unfitted), pickle.loads(pickle.dumps(unfitted))):
        np.testing.assert_array_equal(answers(one, X), expected)
        np.testing.assert_array_equal(predicted(one, name), expected)
    unfitted.fit(*rows_for(name, seed=1))
    np.testing.assert_array_equal(predicted(unfitted, name), expected)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_fits_in_threads_of_joblib(name):
    expected = predicted(ESTIMATORS[name](), name)
    fits = [delayed(predicted)(ESTIMATORS[name](), name) for _ in range(3)]
    for found in Parallel(n_jobs=3, backend="threading")(fits):
        np.testing.assert_array_equal(found, expected)


def test_all_kinds_of_estimators_in_threads_at_once():
    expected = {name: predicted(make(), name) for name, make in ESTIMATORS.items()}
    found = Parallel(n_jobs=4, backend="threading")(
        delayed(predicted)(make(), name) for name, make in ESTIMATORS.items()
    )
    for name, one in zip(ESTIMATORS, found, strict=True):
        np.testing.assert_array_equal(one, expected[name], name)


OFFLINE = [name for name in ESTIMATORS if not name.startswith(("online", "self"))]


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.parametrize("cv", [2, "auto", None])
@pytest.mark.parametrize("name", OFFLINE)
def test_jobs_side_by_side(name, cv, backend):
    """Forests that leave their own ``n_jobs`` open add up their trees in the order in which their threads end."""
    params = {"cv": cv, "teacher__n_jobs": 1}
    expected = predicted(ESTIMATORS[name]().set_params(**params), name)
    with parallel_config(backend):
        found = predicted(ESTIMATORS[name]().set_params(**params, n_jobs=2), name)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_synthetic_rows_of_every_sampler(sampler):
    for name in ("offline-classifier", "tree-regressor"):
        made = [ESTIMATORS[name]().set_params(augment=SAMPLERS[sampler], n_synthetic=50, blend=0.5) for _ in range(2)]
        first = predicted(made[0], name)
        np.random.rand(3), torch.rand(3)  # noqa: NPY002
        np.testing.assert_array_equal(first, predicted(made[1], name))
        other = predicted(clone(made[0]).set_params(random_state=1), name)
        assert not np.array_equal(first, other)
