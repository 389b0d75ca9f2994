"""Label-only students, clones and folds side by side, in threads, processes and on a cluster."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import torch
from joblib import effective_n_jobs, parallel_config
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklkd import DistilledClassifier
from sklkd.students import TabularStudent

from ..problems import classes, skorch_net

BACKENDS = {"processes": "loky", "threads": "threading"}


@pytest.fixture(autouse=True)
def two_threads():
    """Whatever the machine has: sums then depend on how many are used."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def cluster():
    """A client of two worker processes."""
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": ":0"}
    with distributed.LocalCluster(**options) as made, distributed.Client(made) as client:
        yield client


def witness_student(max_epochs=2):
    """A student whose module keeps which process has made it, and in how many threads it was trained.

    Its class is local, so that workers get the class itself and not its name.
    """

    class Witness(nn.Module):
        def __init__(self, n_features, n_outputs):
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(n_features, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, n_outputs))
            self.register_buffer("process", torch.tensor(os.getpid()))
            self.register_buffer("threads", torch.tensor(0))

        def forward(self, X):
            if self.training:
                self.threads.fill_(torch.get_num_threads())
            return self.layers(X)

    return TabularStudent(module=Witness, max_epochs=max_epochs)


def witnesses(est):
    """Processes and numbers of threads of the label-only students."""
    modules = [student.net.module_ for student in est.label_students_]
    return {int(one.process) for one in modules}, {int(one.threads) for one in modules}


def assert_same(one, other):
    assert one.blend_ == other.blend_ > 0 and len(one.label_students_) == len(other.label_students_) > 1
    for first, second in zip(one.label_students_, other.label_students_, strict=True):
        for name, value in first.net.module_.state_dict().items():
            if name not in ("process", "threads"):
                assert torch.equal(value, second.net.module_.state_dict()[name]), name
    X = classes(400)[0]
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))


def decided(n_jobs, student=None, **params):
    """All label-only students, and clones of the teacher."""
    X, y = classes(400)
    teacher = GradientBoostingClassifier(n_estimators=3, random_state=0).fit(X, y)
    student = TabularStudent("small", max_epochs=2) if student is None else student
    return DistilledClassifier(teacher, student, augment=None, n_jobs=n_jobs, random_state=0, **params).fit(X, y)


@pytest.fixture(scope="module")
def alone():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield decided(None)
    torch.set_num_threads(before)


@pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS)
def test_students_and_account_are_those_of_one_after_the_other(backend, alone):
    with parallel_config(backend):
        found = decided(2)
    assert_same(found, alone)
    assert found.account_ == alone.account_


@pytest.mark.slow
def test_a_cluster_gives_the_same_from_its_own_processes(cluster, alone):
    with parallel_config("dask"):
        assert_same(decided(None), alone)
        processes, threads = witnesses(decided(None, witness_student(), blend=0.5, hard_weight=0.1))
    assert processes <= set(cluster.run(os.getpid).values()) and threads == {1}


@pytest.mark.parametrize(("n_jobs", "here"), [(None, True), (2, False)])
def test_students_are_trained_in_other_processes_in_their_share_of_the_threads(n_jobs, here):
    processes, threads = witnesses(decided(n_jobs, witness_student(), blend=0.5, hard_weight=0.1))
    assert torch.get_num_threads() == 2  # put back
    assert (processes == {os.getpid()}) == here and (os.getpid() in processes) == here
    assert threads == {1}


def test_light_students_come_back(alone):
    with parallel_config("loky"):
        found = decided(2)
    for student in found.label_students_:
        assert student.net.optimizer_ is None and student.net.callbacks == "disable"


class Counting(LogisticRegression):
    """Writes down where it is fitted, and in how many jobs of joblib it could be."""

    def __init__(self, folder=None):
        super().__init__()
        self.folder = folder

    def fit(self, X, y):
        from threadpoolctl import threadpool_info

        pools = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp"]
        seen = {"process": os.getpid(), "jobs": effective_n_jobs(-1), "pools": pools, "rows": len(X)}
        (self.folder / f"{len(X)}-{hash(X.tobytes())}.json").write_text(json.dumps(seen))
        return super().fit(X, y)


@pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS)
def test_teachers_of_folds_have_their_share_of_the_threads(backend, tmp_path):
    X, y = classes(90)
    with parallel_config(backend):
        est = DistilledClassifier(
            Counting(tmp_path), "tiny", cv=3, hard_weight=0, blend=0, augment=None, n_jobs=2, random_state=0
        )
        est.set_params(student=TabularStudent("tiny", max_epochs=1)).fit(X, y)
    seen = [json.loads(path.read_text()) for path in tmp_path.iterdir()]
    folds = [one for one in seen if one["rows"] < 90]
    assert len(folds) == 3
    for one in folds:
        assert one["jobs"] == 1 and set(one["pools"]) == {1}
        assert (one["process"] == os.getpid()) == (backend == "threading")


@pytest.mark.parametrize(
    ("backend", "steps"),
    [("loky", []), ("threading", []), pytest.param("loky", [StandardScaler()], marks=pytest.mark.slow)],
    ids=["processes", "threads", "pipeline in processes"],
)
def test_nets_as_teachers_of_folds_give_the_same(backend, steps):
    X, y = classes(300)

    def fit(n_jobs):
        net = skorch_net(module__n_features=5, module__n_outputs=3, module__width=64, max_epochs=3)
        teacher = make_pipeline(*steps, net) if steps else net
        student = TabularStudent("tiny", max_epochs=2)
        est = DistilledClassifier(teacher, student, cv=4, hard_weight=0.1, blend=0, n_jobs=n_jobs, random_state=0)
        return est.fit(X.astype("float32"), y).predict_proba(X)

    with parallel_config(backend):
        np.testing.assert_array_equal(fit(3), fit(None))


class Failing(LogisticRegression):
    """Fits all rows, and no part of them."""

    def fit(self, X, y):
        if len(X) < 400:
            raise RuntimeError("only the whole of it")
        return super().fit(X, y)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_clone_that_fails_leads_to_constants_wherever_it_does(n_jobs):
    X, y = classes(400)
    student = TabularStudent("tiny", max_epochs=1)
    est = DistilledClassifier(Failing(), student, augment=None, n_jobs=n_jobs, random_state=0).fit(X, y)
    assert est.blend_ == 0 and est.hard_weight_ == 0.1
    assert "RuntimeError" in est.account_.reason
