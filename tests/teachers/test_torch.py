"""Torch modules and skorch nets: outputs and layers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import skorch
import torch
from scipy import sparse
from scipy.special import expit, softmax
from torch import nn

from sklkd._torch import LAST_HIDDEN
from sklkd.teachers import adapt, layers

rng = np.random.default_rng(0)
X = rng.normal(size=(30, 4))
CODES = rng.integers(0, 3, size=30)
NAMES = ["a", "b", "c"]


class Net(nn.Module):
    """Activations as functions, dropout, batch norm, and more than one thing returned."""

    def __init__(self, n_outputs=3):
        super().__init__()
        self.first, self.norm = nn.Linear(4, 8), nn.BatchNorm1d(8)
        self.drop, self.last = nn.Dropout(0.5), nn.Linear(8, n_outputs)
        self.unused = nn.Linear(3, 3)

    def forward(self, X):
        hidden = self.drop(torch.tanh(self.norm(self.first(X))))
        return self.last(hidden), hidden


def hooks(module):
    return sum(len(part._forward_hooks) + len(part._forward_pre_hooks) for part in module.modules())


def by_hand(net, X):
    net.eval()
    with torch.no_grad():
        return net(torch.as_tensor(X, dtype=torch.float32))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_dtype_and_mode(dtype):
    torch.manual_seed(0)
    net = Net().to(dtype).train()
    net.norm.eval()
    outputs = adapt(net, NAMES).outputs(X)
    assert net.training and net.drop.training and not net.norm.training
    assert all(p.grad is None and p.dtype == dtype for p in net.parameters())
    net.eval()
    with torch.no_grad():
        expected = net(torch.as_tensor(X).to(dtype))[0].double().numpy()
    assert outputs.proba.dtype == np.float64
    assert np.allclose(outputs.margins, expected)
    assert np.allclose(outputs.proba, softmax(expected, axis=1))


def test_mode_is_restored_after_an_error():
    net = Net().train()
    with pytest.raises(RuntimeError):
        adapt(net, NAMES).outputs(X[:, :2])
    assert net.training and net.drop.training and hooks(net) == 0


def test_batches_do_not_show(monkeypatch):
    net = Net()
    whole = adapt(net, NAMES).outputs(X).margins
    monkeypatch.setattr("sklkd.teachers._torch.BATCH", 7)
    assert np.allclose(adapt(net, NAMES).outputs(X).margins, whole, atol=1e-6)


@pytest.mark.parametrize("container", [pd.DataFrame, sparse.csr_array, lambda X: torch.as_tensor(X), np.float32])
def test_containers(container):
    net = Net()
    assert np.allclose(adapt(net, NAMES).outputs(container(X)).margins, by_hand(net, X)[0], atol=1e-6)


def test_rows_that_must_not_be_written():
    frozen = X.astype(np.float32)
    frozen.flags.writeable = False
    assert np.allclose(adapt(nn.Linear(4, 3), NAMES).outputs(frozen).proba.sum(axis=1), 1)


def test_more_rows_than_a_batch():
    rows = np.tile(X, (50, 1))
    for container in (np.asarray, torch.as_tensor, np.ndarray.tolist, sparse.coo_array):
        net = nn.Linear(4, 3)
        got = adapt(net, NAMES).outputs(container(rows)).margins
        assert np.allclose(got, np.tile(by_hand(net, X), (50, 1)), atol=1e-6)


def test_strings_are_refused():
    with pytest.raises(ValueError, match="a torch teacher takes numbers"):
        adapt(Net(), NAMES).outputs(pd.DataFrame({c: ["x", "y"] for c in "abcd"}))


def test_one_logit_and_regression():
    net = nn.Sequential(nn.Linear(4, 1))
    with torch.no_grad():
        m = net(torch.as_tensor(X, dtype=torch.float32)).numpy()[:, 0].astype(float)
    outputs = adapt(net, ["n", "y"]).outputs(X)
    assert np.allclose(outputs.proba[:, 1], expit(m)) and np.allclose(outputs.margins[:, 1], m / 2)
    assert np.allclose(adapt(net).outputs(X).values, m[:, None])


def test_integers_stay_integers_for_an_embedding():
    net = nn.Sequential(nn.Embedding(5, 2), nn.Flatten(), nn.Linear(4, 3))
    codes = rng.integers(0, 5, size=(10, 2))
    with torch.no_grad():
        expected = net(torch.as_tensor(codes)).numpy()
    assert np.allclose(adapt(net, NAMES).outputs(codes).margins, expected)


def test_images_go_through():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 4 * 4, 3))
    images = rng.normal(size=(5, 1, 6, 6))
    teacher = adapt(net, NAMES)
    assert teacher.outputs(images).margins.shape == (5, 3)
    assert teacher.layers == {"0": (2, 4, 4), "1": (2, 4, 4), "2": (32,), "3": (3,), LAST_HIDDEN: (32,)}
    assert teacher.features(images, "1").shape == (5, 2, 4, 4)
    # nothing says how large an image is before one has been seen
    assert adapt(net, NAMES).layers["0"] == (None,)


def test_logits_that_are_not_finite():
    net = nn.Linear(4, 3)
    nn.init.constant_(net.weight, float("nan"))
    with pytest.raises(ValueError, match="logit that is not finite"):
        adapt(net, NAMES).outputs(X)


def test_surplus_and_missing_outputs():
    net = nn.Linear(4, 3)
    p = softmax(by_hand(net, X).numpy().astype(float), axis=1)[:, [0, 2]]
    assert np.allclose(adapt(net, [0, 2]).outputs(X).proba, p / p.sum(axis=1, keepdims=True))
    with pytest.raises(ValueError, match="3 columns and has no classes_"):
        adapt(net, ["a", "b"]).outputs(X)


def test_layers_through_hooks_that_are_removed():
    net = Net().train()
    teacher = adapt(net, NAMES)
    expected = {"first": (8,), "norm": (8,), "drop": (8,), "last": (3,), LAST_HIDDEN: (8,)}
    assert teacher.layers == layers(net) == expected
    logits, hidden = by_hand(net.train(), X)
    net.train()
    assert np.allclose(teacher.features(X), hidden, atol=1e-6)
    assert np.allclose(teacher.features(X, "last"), logits, atol=1e-6)
    assert np.allclose(teacher.features(X, "first"), net.first(torch.as_tensor(X).float()).detach(), atol=1e-6)
    assert hooks(net) == 0 and net.training
    with pytest.raises(ValueError, match=r"Net has no layer 'second'; it has 'first', 'norm', 'drop', 'last', 'last_h"):
        teacher.features(X, "second")
    with pytest.raises(ValueError, match="no layer 'unused'"):
        teacher.features(X, "unused")


def test_a_linear_model_has_no_hidden_layer():
    with pytest.raises(ValueError, match="no layer 'last_hidden'; it has '0'"):
        adapt(nn.Sequential(nn.Linear(4, 3)), NAMES).features(X)


def classifier(module=Net, criterion=nn.CrossEntropyLoss, **options):
    torch.manual_seed(0)
    options = {"max_epochs": 2, "verbose": 0, "train_split": None, **options}
    return skorch.NeuralNetClassifier(module, criterion=criterion, **options)


class LogitNet(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))


class ProbaNet(LogitNet):
    def forward(self, X):
        return super().forward(X).softmax(dim=1)


def test_skorch_classifier():
    net = classifier(LogitNet).fit(X.astype(np.float32), CODES)
    teacher = adapt(net, NAMES)
    outputs = teacher.outputs(X)
    assert np.allclose(outputs.proba, net.predict_proba(X.astype(np.float32)), atol=1e-6)
    assert np.allclose(outputs.margins, net.forward(X.astype(np.float32)), atol=1e-6)
    hidden = net.module_[1](net.module_[0](torch.as_tensor(X).float())).detach().numpy()
    net.set_params(batch_size=7)
    assert np.allclose(teacher.features(X), hidden, atol=1e-6)
    assert layers(net) == {"0": (8,), "1": (8,), "2": (3,), LAST_HIDDEN: (8,)}
    assert hooks(net.module_) == 0
    assert np.allclose(teacher.outputs(sparse.csr_array(X)).proba, outputs.proba, atol=1e-6)


def test_skorch_module_with_probabilities_has_no_margins():
    net = classifier(ProbaNet, criterion=nn.NLLLoss).fit(X.astype(np.float32), CODES)
    outputs = adapt(net, NAMES).outputs(X)
    assert outputs.margins is None
    assert np.allclose(outputs.proba, net.predict_proba(X.astype(np.float32)), atol=1e-6)


def test_skorch_binary():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 1), nn.Flatten(0))
    net = skorch.NeuralNetBinaryClassifier(module, max_epochs=2, verbose=0, train_split=None)
    net.fit(X.astype(np.float32), (CODES > 0).astype(np.float32))
    outputs = adapt(net, ["n", "y"]).outputs(X)
    m = net.forward(X.astype(np.float32)).numpy().astype(float)
    assert np.allclose(outputs.proba[:, 1], expit(m)) and np.allclose(outputs.margins[:, 1], m / 2)


def test_skorch_regressor_in_its_own_dtype():
    torch.manual_seed(0)
    net = skorch.NeuralNetRegressor(nn.Linear(4, 2).double(), max_epochs=2, verbose=0, train_split=None)
    net.fit(X, X[:, :2])
    assert np.allclose(adapt(net).outputs(X.astype(np.float32)).values, net.predict(X), atol=1e-5)


@pytest.mark.filterwarnings("ignore:The given NumPy array is not writable")  # skorch, of the columns of pandas 3
def test_skorch_gets_frames_as_they_are():
    class Columns(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(2, 3)

        def forward(self, a, b):
            return self.linear(torch.cat([a, b], dim=1).float())

    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1]})
    net = classifier(Columns).fit(frame, CODES)
    expected = net.module_.linear(torch.as_tensor(X[:, :2]).float()).detach().numpy()
    assert np.allclose(adapt(net, NAMES).outputs(frame).margins, expected, atol=1e-6)
