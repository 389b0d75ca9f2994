"""Splits, interruptions and callbacks of the user's own nets."""

from __future__ import annotations

import signal
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris, make_regression
from sklearn.linear_model import LinearRegression, LogisticRegression
from skorch import NeuralNet, NeuralNetClassifier, NeuralNetRegressor
from skorch.callbacks import Callback, EarlyStopping
from skorch.dataset import Dataset, ValidSplit
from skorch.helper import predefined_split
from torch import nn
from torch.utils.data import TensorDataset

from sklkd import DistilledClassifier, DistilledRegressor, OnlineDistilledClassifier, SelfDistilledClassifier
from sklkd.losses._objective import Objective
from sklkd.students import TabularStudent
from sklkd.students._scaling import TargetScaling
from sklkd.students._train import initialize
from sklkd.transfer import TransferSet


class Net(nn.Module):
    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.layer = nn.Linear(n_features, n_outputs)

    def forward(self, X):
        return self.layer(X)


def flowers():
    return load_iris(return_X_y=True)


def distilled(net):
    return DistilledClassifier(
        LogisticRegression(max_iter=1000), net, hard_weight=0.5, augment=None, random_state=0
    )  # fmt: skip


# splits


@pytest.mark.parametrize("made", ["skorch's Dataset", "tensors"])
@pytest.mark.parametrize(
    "net",
    [partial(NeuralNetClassifier, Net, max_epochs=3, verbose=0), partial(TabularStudent, "tiny", max_epochs=3)],
    ids=["own", "tabular"],
)
def test_a_predefined_split_of_a_classifier(net, made):
    X, y = flowers()
    held = slice(0, None, 7)
    dataset = Dataset(X[held], y[held])
    if made == "tensors":
        dataset = TensorDataset(torch.from_numpy(X[held]), torch.from_numpy(y[held]))
    est = distilled(net(train_split=predefined_split(dataset))).fit(X, y)
    assert len(est.history_) == 3
    # rows of the split are encoded as those of the fit; it is what the labels say of the last epoch's network
    proba = est.student_.predict_proba(est.encoder_.transform(X[held]))
    expected = -np.log(proba[np.arange(len(proba)), y[held]]).mean()
    assert est.history_[-1, "valid_loss"] == pytest.approx(expected, rel=1e-4)
    plain = distilled(net(train_split=None)).fit(X, y)
    np.testing.assert_allclose(est.predict_proba(X), plain.predict_proba(X), rtol=1e-6)  # and all rows train


def test_a_predefined_split_of_a_regressor_is_standardized():
    X, y = torch.randn(40, 2), torch.randn(40, 1)
    scaling = TargetScaling([5.0], [3.0])
    values = scaling.values(y.numpy())
    dataset = Dataset(X.numpy(), values[:, 0])
    net = NeuralNetRegressor(Net(2, 1), verbose=0, train_split=predefined_split(dataset))
    net = initialize(net, Objective([], 1.0, link=scaling.standardized), X[:2], [], 0, 0)
    rows = TransferSet(X, y)
    train, valid = net.get_split_datasets(rows)
    assert train is rows
    torch.testing.assert_close(valid.inputs, X)
    torch.testing.assert_close(valid.y, y)


def test_a_predefined_split_of_a_distilled_regressor():
    X, y = make_regression(60, 3, random_state=0)
    net = NeuralNetRegressor(Net, max_epochs=2, verbose=0, train_split=predefined_split(Dataset(X[:9], y[:9])))
    est = DistilledRegressor(LinearRegression(), net, hard_weight=0.5, augment=None, random_state=0).fit(X, y)
    assert np.isfinite(est.history_[-1, "valid_loss"])


class Rates(Callback):
    def on_train_begin(self, net, **kwargs):
        self.rates = []

    def on_batch_end(self, net, training=False, **kwargs):
        if training:
            self.rates.append(net.optimizer_.param_groups[0]["lr"])


@pytest.mark.parametrize("split", [None, ValidSplit(2), ValidSplit(5)], ids=["none", "halves", "fifths"])
def test_the_cosine_reaches_its_end(split):
    X, y = flowers()
    student = TabularStudent(
        "tiny", max_epochs=10, batch_size=10, lr=0.01, train_split=split, callbacks=[("rates", Rates())]
    )
    rates = dict(distilled(student).fit(X, y).student_.callbacks_)["rates"].rates
    assert max(rates) == pytest.approx(0.01, rel=0.02)
    assert rates[-1] < 0.01 * (3 / len(rates)) ** 2


# interruptions


class InterruptedByTheUser(Callback):
    """As Ctrl-C while a callback runs."""

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            signal.raise_signal(signal.SIGINT)


class StopsByItself(Callback):
    """As skorch's callbacks end a training."""

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            raise KeyboardInterrupt


class InterruptedInTheModule(Net):
    passes = 0

    def forward(self, X):
        if self.training:
            self.passes += 1
            if self.passes == 3:
                raise KeyboardInterrupt
        return super().forward(X)


def nets(module=Net, **params):
    params = {"max_epochs": 6, "verbose": 0, "train_split": None, **params}
    return NeuralNetClassifier(module, **params)


@pytest.fixture
def heard_signals():
    """SIGINT raises KeyboardInterrupt, also where the tests run in the background of a shell, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard_signals")
@pytest.mark.parametrize(
    "net", [nets(callbacks=[InterruptedByTheUser()]), nets(InterruptedInTheModule)], ids=["callback", "module"]
)
@pytest.mark.parametrize(
    "made",
    [
        distilled,
        lambda net: SelfDistilledClassifier(net, random_state=0),
        lambda net: OnlineDistilledClassifier([("a", net), ("b", nets())], random_state=0),
    ],
    ids=["offline", "self", "online"],
)
def test_an_interruption_reaches_the_user_and_leaves_the_old_state(made, net):
    X, y = flowers()
    good = nets()
    est = made(good).fit(X, y)
    proba = est.predict_proba(X)
    est.set_params(**{name: value for name, value in made(net).get_params(deep=False).items()})
    state = dict(vars(est))
    with pytest.raises(KeyboardInterrupt):
        est.fit(X, y)
    assert vars(est).keys() == state.keys() and all(vars(est)[name] is state[name] for name in state)
    np.testing.assert_array_equal(est.predict_proba(X), proba)
    # and the next fit is a whole one
    if est.get_params(deep=False).get("student") is not None:
        assert est.set_params(student=good).fit(X, y).n_iter_ == 6


def test_callbacks_end_a_training_as_in_skorch():
    X, y = flowers()
    est = distilled(nets(callbacks=[StopsByItself()])).fit(X, y)
    assert est.n_iter_ == 2
    stopping = EarlyStopping("train_loss", patience=2, threshold=10.0, threshold_mode="abs")
    assert distilled(nets(callbacks=[stopping], max_epochs=50)).fit(X, y).n_iter_ < 50


def test_a_net_by_itself_is_interrupted_too():
    X, y = torch.randn(20, 2), torch.randn(20, 1)
    net = NeuralNet(InterruptedInTheModule(2, 1), nn.MSELoss, verbose=0, train_split=None, max_epochs=6)
    net = initialize(net, Objective([], 1.0), X[:2], [], 0, 0)
    with pytest.raises(KeyboardInterrupt):
        net.partial_fit(TransferSet(X, y))
    net.partial_fit(TransferSet(X, y))  # the interruption is over
