"""Predictions change nothing: threads that share an estimator get the answers of one."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

from sklkd import OnlineDistilledClassifier, SelfDistilledClassifier
from sklkd.methods import (
    BornAgain,
    Codistillation,
    CollaborativeEnsemble,
    DeepToShallow,
    EpochToEpoch,
    GatedEnsemble,
    LastBatch,
    MutualLearning,
    SameClassPairs,
    VirtualTeacher,
)
from sklkd.students import TabularStudent

N_THREADS, N_PREDICTIONS = 3, 100


class Own(nn.Module):
    """Somebody's own network, which the library only knows by watching it."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.one, self.two, self.norm = nn.Linear(n_features, 6), nn.Linear(6, 6), nn.BatchNorm1d(6)
        self.out = nn.Linear(6, n_outputs)

    def forward(self, X):
        return self.out(self.norm(self.two(self.one(X).relu())).relu())


def student(module=None):
    shape = {"module__hidden": (6, 6, 6)} if module is None else {"module": module}
    return TabularStudent("tiny", max_epochs=2, **shape)


def online(method, module=None):
    peers = [(name, student(module)) for name in "ab"]
    return OnlineDistilledClassifier(peers, method=method, deploy="ensemble", random_state=0)


def self_distilled(method, module=None):
    return SelfDistilledClassifier(student(module), method=method, random_state=0)


ONLINE = [MutualLearning(), GatedEnsemble(), CollaborativeEnsemble(), Codistillation()]
SELF = [
    BornAgain(ensemble=True),
    DeepToShallow(),
    EpochToEpoch(),
    LastBatch(),
    SameClassPairs(),
    VirtualTeacher(),
]
CASES = [
    pytest.param(make(method, module), id=f"{type(method).__name__}-{'own' if module else 'default'}")
    for make, methods in ((online, ONLINE), (self_distilled, SELF))
    for method in methods
    for module in (None, Own)
]


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 4))
    return X, (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(int)


@pytest.fixture
def frequent_switches():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def deployed(est):
    """The estimator in each form in which it can be deployed."""
    if isinstance(est, OnlineDistilledClassifier):
        return [est.with_peer(name) for name in [*est.peers_, "ensemble"]]
    return [*(est.cut(name) for name in est.exits_), *est.generations_]


def modules(est):
    """The networks that an estimator holds, anywhere."""
    nets = [
        est.student_,
        *getattr(est, "peers_", {}).values(),
        *(one.student_ for one in getattr(est, "generations_", [])),
    ]
    heads = [exit.head for exit in getattr(est, "exits_", {}).values() if exit is not None]
    kept = [value for value in vars(est).values() if isinstance(value, nn.Module)]
    return [*(net.module_ for net in nets), *heads, *kept]


def state(module):
    """What a prediction must leave as it is: tensors, hooks, training flags, the kinds of all parts."""
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    parts = {
        name: (type(part), part.training, *(tuple(getattr(part, kind)) for kind in hooks))
        for name, part in module.named_modules()
    }
    return parts, {name: value.numpy().tobytes() for name, value in module.state_dict().items()}


@pytest.mark.parametrize("est", CASES)
def test_threads_get_the_predictions_of_one_and_leave_the_networks_alone(est, rows, frequent_switches):
    X, y = rows
    for form in deployed(est.fit(X, y)):
        expected = np.concatenate([form.predict_proba(X[[i]]) for i in range(len(X))])
        before = [state(module) for module in modules(form)]

        def predict(thread, form=form):
            picked = [(i * (thread + 1) + thread) % len(X) for i in range(N_PREDICTIONS)]
            return picked, np.concatenate([form.predict_proba(X[[i]]) for i in picked])

        with ThreadPoolExecutor(N_THREADS) as pool:
            for picked, found in pool.map(predict, range(N_THREADS)):
                np.testing.assert_allclose(found, expected[picked], atol=1e-12)
        assert [state(module) for module in modules(form)] == before


@pytest.mark.parametrize("module", [None, Own])
def test_threads_that_ask_one_network_for_different_exits(module, rows, frequent_switches):
    X, y = rows
    est = self_distilled(DeepToShallow(), module).fit(X, y)
    names = list(est.exits_)
    expected = {name: est.predict_proba(X, exit=name) for name in names}
    before = [state(one) for one in modules(est)]
    with ThreadPoolExecutor(N_THREADS) as pool:
        asked = [names[k % len(names)] for k in range(12)]
        for name, found in zip(asked, pool.map(lambda name: est.predict_proba(X, exit=name), asked), strict=True):
            np.testing.assert_allclose(found, expected[name], atol=1e-12)
    assert [state(one) for one in modules(est)] == before


@pytest.mark.parametrize("module", [None, Own])
def test_the_trained_nets_too(module, rows, frequent_switches):
    """``student_`` is public, and answers in float32."""
    X, y = rows
    est = online(GatedEnsemble(), module).fit(X, y)
    inputs = torch.from_numpy(est.encoder_.transform(X))
    with torch.no_grad():
        expected = est.student_.module_(inputs)

        def predict(thread):
            with torch.no_grad():
                return np.concatenate([est.student_.module_(inputs[[i]]).numpy() for i in range(len(inputs))])

        with ThreadPoolExecutor(N_THREADS) as pool:
            for found in pool.map(predict, range(N_THREADS)):
                np.testing.assert_allclose(found, expected, atol=1e-5)
