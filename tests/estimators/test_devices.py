"""Students on devices. The one of :mod:`devices` runs everywhere: it has no float64, as mps, and does not mix devices.

What these tests show is that no float64 reaches the device, that nothing there meets a tensor on the CPU, and that
predictions are those of a student on the CPU. They do not show that a real device has every operation.
"""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.datasets import make_multilabel_classification
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from torch import nn

import sklkd.losses
from sklkd import (
    DistilledClassifier,
    DistilledRegressor,
    OnlineDistilledClassifier,
    OnlineDistilledRegressor,
    SelfDistilledClassifier,
    SelfDistilledRegressor,
    _device,
)
from sklkd.losses import FitNetLoss, KDSVDLoss, LeafEmbeddingLoss, SimKDLoss, SoftTargetLoss, SPLoss, TargetLoss
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
from sklkd.transfer import Slices, TransferSet

from .devices import DEVICE, NAME, Device, DeviceTensor
from .problems import classes, quick, skorch_net, targets

X, Y = classes(64)
XR, YR = targets(64)
FOREST = RandomForestClassifier(8, random_state=0)
LOSSES = [getattr(sklkd.losses, name) for name in sklkd.losses.__all__ if name != "Loss"]
QUICK = [SoftTargetLoss, FitNetLoss, KDSVDLoss, SimKDLoss]
ONLINE = [
    MutualLearning(),
    MutualLearning(loss=SPLoss()),
    GatedEnsemble(),
    CollaborativeEnsemble(),
    CollaborativeEnsemble(combination="min_logit"),
    CollaborativeEnsemble(combination="general"),
    Codistillation(),
]
SELF = [
    EpochToEpoch(),
    DeepToShallow(),
    BornAgain(),
    BornAgain(ensemble=True),
    LastBatch(),
    VirtualTeacher(),
    SameClassPairs(),
]
FEW = {"n_synthetic": 60, "random_state": 0}  # in some hundred steps rounding grows to 0.1
REAL = [
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")),
    pytest.param("mps", marks=pytest.mark.skipif(not torch.backends.mps.is_available(), reason="needs MPS")),
]
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def student(device, **params):
    return quick(2, device=device, **{"module__hidden": (8, 9, 7), "batch_size": 32} | params)


def agree(make, X, y, predict="predict_proba"):
    """The same fit on the CPU and on the device, and the device's estimator after a pickle."""
    expected = getattr(make("cpu").fit(X, y), predict)(X)
    with Device() as device:
        est = make(NAME).fit(X, y)
        assert device.copies["in"] > 0
        assert isinstance(next(est.student_.module_.parameters()), DeviceTensor)
        found = getattr(est, predict)(X)
        again = getattr(est.student_, predict)(est.encoder_.transform(X))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-3 * np.abs(expected).max())
    np.testing.assert_allclose(again.reshape(found.shape), found, rtol=1e-4, atol=1e-5 * np.abs(found).max())


def quiet(loss):
    """The parameters with which a loss trains by itself."""
    alone = loss is SimKDLoss
    return {"loss": loss(), "augment": None, "blend": 0, "hard_weight": "auto" if alone else 0.1, "random_state": 0}


def of_layers(loss):
    return loss.knowledge != "response" and loss is not LeafEmbeddingLoss


def cases(every, *quick):
    """All of them, those that are not quick marked as slow."""
    marks = [() if any(one is other for other in quick) else (pytest.mark.slow,) for one in every]
    return [
        pytest.param(one, marks=mark, id=getattr(one, "__name__", str(one)))
        for one, mark in zip(every, marks, strict=True)
    ]


@pytest.mark.parametrize("loss", cases([one for one in LOSSES if "classification" in one.tasks], *QUICK))
def test_every_loss_of_classes(loss):
    teacher = MLPClassifier((12, 8), max_iter=20, random_state=0) if of_layers(loss) else FOREST
    agree(lambda device: DistilledClassifier(teacher, student(device), **quiet(loss)), X, Y)


@pytest.mark.parametrize("loss", cases([one for one in LOSSES if "regression" in one.tasks], TargetLoss))
def test_every_loss_of_real_targets(loss):
    forest = RandomForestRegressor(8, random_state=0)
    net = MLPRegressor(hidden_layer_sizes=(12, 8), max_iter=20, random_state=0)
    teacher = net if of_layers(loss) else forest
    scaled = (YR - YR.mean()) / YR.std()
    agree(lambda device: DistilledRegressor(teacher, student(device), **quiet(loss)), XR, scaled, "predict")


@pytest.mark.slow
def test_all_that_auto_decides():
    agree(lambda device: DistilledClassifier(FOREST, student(device), **FEW), X, Y)
    agree(lambda device: DistilledClassifier(FOREST, student(device), hard_weight=1, **FEW), X, Y)


@pytest.mark.slow
def test_several_labels_and_sparse_rows():
    X, Y = make_multilabel_classification(90, 6, n_classes=3, random_state=0)
    agree(lambda device: DistilledClassifier(FOREST, student(device), **FEW), X, Y)
    wide = sparse.random_array((90, 600), density=0.02, rng=np.random.default_rng(0), format="csr")
    y = np.asarray(wide[:, :300].sum(1) > wide[:, 300:].sum(1)).astype(int).ravel()
    narrow = {"module__hidden": (8,)}
    agree(lambda device: DistilledClassifier(FOREST, student(device, **narrow), **FEW), wide, y)


@pytest.mark.parametrize("method", cases(ONLINE, ONLINE[-1]))
def test_every_method_of_networks_that_learn_from_each_other(method):
    def make(kind):
        return lambda device: kind(
            [("a", student(device)), ("b", student(device))], method=method, deploy="ensemble", random_state=0
        )

    agree(make(OnlineDistilledClassifier), X, Y)
    if getattr(method, "combination", "") != "min_logit":
        agree(make(OnlineDistilledRegressor), XR, YR, "predict")


@pytest.mark.parametrize("method", cases(SELF, SELF[1]))
def test_every_method_of_a_network_that_teaches_itself(method):
    agree(lambda device: SelfDistilledClassifier(student(device), method=method, random_state=0), X, Y)
    if not isinstance(method, (VirtualTeacher, SameClassPairs)):
        agree(lambda device: SelfDistilledRegressor(student(device), method=method, random_state=0), XR, YR, "predict")


def test_a_net_of_the_users_own():
    def make(device):
        net = skorch_net(device=device, optimizer=torch.optim.SGD, batch_size=32)
        return DistilledClassifier(FOREST, net, loss=SoftTargetLoss(), blend=0, hard_weight=0.1, random_state=0)

    expected = make("cpu").fit(X, Y).predict_proba(X)
    with Device():
        found = make(NAME).fit(X, Y).predict_proba(X)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_the_device_refuses_float64_and_mixed_devices():
    with Device():
        with pytest.raises(TypeError, match="no float64"):
            torch.zeros(2, dtype=torch.float64).to(NAME)
        with pytest.raises(RuntimeError, match="two devices"):
            nn.Linear(2, 1).to(NAME)(torch.zeros(3, 2))
        assert not _device.has_float64(DEVICE)
    assert _device.has_float64(torch.device("cpu"))


def rows_of(n):
    return TransferSet(torch.arange(2.0 * n).reshape(n, 2), torch.arange(n), torch.ones(n))


@pytest.mark.parametrize(("room", "copies"), [(True, 3), (False, 3 * 4)])
def test_rows_are_moved_at_once_where_they_fit_and_batch_by_batch_where_not(room, copies, monkeypatch):
    monkeypatch.setattr("sklkd.transfer.fits", lambda device, n_bytes: room)
    for shuffle in (False, True):
        with Device() as device:
            batches = list(Slices(rows_of(14), 4, shuffle, DEVICE))
            numbers = torch.cat([batch.rows.y for batch in batches]).cpu()
            inputs = torch.cat([batch.rows.inputs for batch in batches]).cpu()
            assert all(isinstance(batch.rows.weight, DeviceTensor) for batch in batches)
        # beside the two that were copied back, and the numbers of the order
        assert device.copies["in"] - (room and shuffle) == copies
        assert numbers.tolist() == list(range(14)) or shuffle
        assert sorted(numbers.tolist()) == list(range(14)) and torch.equal(inputs[:, 0], 2.0 * numbers)


def test_what_fits_leaves_room_for_another_order_and_the_training(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1_000, 4_000))
    assert _device.fits(torch.device("cuda"), 400)
    assert not _device.fits(torch.device("cuda"), 401)
    assert not _device.fits(torch.device("xpu"), 1)


def test_the_size_of_a_set_counts_targets_in_tuples():
    rows = TransferSet(torch.zeros(4, 3), torch.zeros(4, dtype=torch.long), None, [(torch.zeros(4, 2), torch.zeros(4))])
    assert rows.nbytes == 4 * (4 * 3 + 8 + 4 * 2 + 4)


@pytest.mark.parametrize("device", REAL)
@pytest.mark.parametrize("kind", ["classes", "targets"])
def test_a_real_device_agrees_with_the_cpu(device, kind):
    if kind == "classes":
        make, X, y = DistilledClassifier, *classes(400)
        teacher = RandomForestClassifier(20, random_state=0)
    else:
        make, X, y = DistilledRegressor, *targets(400)
        teacher = RandomForestRegressor(20, random_state=0)
    est, other = (
        make(teacher, TabularStudent("tiny", device=where, max_epochs=30), random_state=0).fit(X, y)
        for where in (device, "cpu")
    )
    assert next(est.student_.module_.parameters()).device.type == device
    assert est.score(X, y) == pytest.approx(other.score(X, y), abs=0.03)
    again = pickle.loads(pickle.dumps(est.without_teacher()))
    np.testing.assert_allclose(again.predict(X) == est.predict(X), 1)
