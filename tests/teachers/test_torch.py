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
    assert teacher.prepared(images).layers == {
        "0": (2, 4, 4),
        "1": (2, 4, 4),
        "2": (32,),
        "3": (3,),
        LAST_HIDDEN: (32,),
    }
    assert teacher.features(images, "1").shape == (5, 2, 4, 4)
    # nothing says how large an image is before one has been seen, and an adapter keeps nothing of what it was asked
    assert teacher.layers["0"] == (None,)


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


class OutputNet(nn.Module):
    """Logits, and what is made of them."""

    def __init__(self, n_outputs=3, last=None):
        super().__init__()
        self.linear, self.last = nn.Linear(4, n_outputs), nn.Identity() if last is None else last

    def forward(self, X):
        return self.last(self.linear(X))


class Narrow(nn.Module):
    """Logits that all happen to lie in [0, 1]."""

    def __init__(self, n_outputs):
        super().__init__()
        self.linear = nn.Linear(4, n_outputs)
        nn.init.constant_(self.linear.weight, 0.01)
        nn.init.constant_(self.linear.bias, 0.5)

    def forward(self, X):
        return self.linear(X)


# number of outputs, the last module, what it is read as, and the probabilities from the logits
ENDS = {
    "sigmoid": (1, nn.Sigmoid(), "probabilities", lambda z: np.hstack([expit(-z), expit(z)])),
    "sigmoid, flat": (
        1,
        nn.Sequential(nn.Sigmoid(), nn.Flatten(0)),
        "probabilities",
        lambda z: np.hstack([expit(-z), expit(z)]),
    ),
    "softmax of two": (2, nn.Softmax(dim=1), "probabilities", lambda z: softmax(z, axis=1)),
    "softmax": (3, nn.Softmax(dim=1), "probabilities", lambda z: softmax(z, axis=1)),
    "log-softmax": (3, nn.LogSoftmax(dim=1), "log-probabilities", lambda z: softmax(z, axis=1)),
    "sigmoids": (3, nn.Sigmoid(), "one-vs-rest probabilities", lambda z: expit(z) / expit(z).sum(1, keepdims=True)),
    "logit": (1, None, "logits", lambda z: np.hstack([expit(-z), expit(z)])),
    "logits": (3, None, "logits", lambda z: softmax(z, axis=1)),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
@pytest.mark.parametrize("end", ENDS)
def test_what_a_module_returns_is_seen_from_its_outputs(end, dtype):
    n_outputs, last, reading, probabilities = ENDS[end]
    torch.manual_seed(0)
    net = OutputNet(n_outputs, last).to(dtype)
    with torch.no_grad():
        logits = net.linear(torch.as_tensor(X).to(dtype)).double().numpy()
    teacher = adapt(net, NAMES[: max(n_outputs, 2)]).prepared(X)
    assert teacher.reads_as == reading
    outputs = teacher.outputs(X)
    assert np.allclose(outputs.proba, probabilities(logits), atol=2e-3 if dtype == torch.float16 else 1e-6)
    assert (outputs.margins is None) == ("log" not in end)
    # rows that come alone, and an adapter that has seen none, read them alike
    assert np.allclose(teacher.outputs(X[:1]).proba, outputs.proba[:1])
    assert np.allclose(adapt(net, NAMES[: max(n_outputs, 2)]).outputs(X).proba, outputs.proba)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_logits_that_happen_to_lie_between_0_and_1(n_outputs):
    teacher = adapt(Narrow(n_outputs), NAMES[: max(n_outputs, 2)]).prepared(X)
    assert teacher.reads_as == "logits" and teacher.outputs(X).margins is not None


class Focal(nn.Module):
    """A criterion on logits of which skorch does not know that it is one."""

    def forward(self, logits, y):
        return nn.functional.cross_entropy(logits, y)


@pytest.mark.parametrize(
    ("kind", "module", "criterion", "end"),
    [
        (skorch.NeuralNetClassifier, OutputNet(3, nn.Softmax(dim=1)), nn.NLLLoss, "softmax"),
        (skorch.NeuralNetClassifier, OutputNet(3, nn.Softmax(dim=1)), nn.CrossEntropyLoss, "softmax"),
        (skorch.NeuralNetClassifier, OutputNet(3), nn.CrossEntropyLoss, "logits"),
        (skorch.NeuralNetClassifier, OutputNet(3), Focal, "logits"),
        (skorch.NeuralNetBinaryClassifier, OutputNet(1, nn.Sigmoid()), nn.BCELoss, "sigmoid"),
        (skorch.NeuralNetBinaryClassifier, OutputNet(1), nn.BCEWithLogitsLoss, "logit"),
    ],
)
def test_what_the_module_of_a_net_returns(kind, module, criterion, end):
    binary = kind is skorch.NeuralNetBinaryClassifier
    net = kind(module, criterion=criterion, max_epochs=1, verbose=0, train_split=None)
    net.fit(X.astype(np.float32), (CODES > 0).astype(np.float32) if binary else CODES)
    with torch.no_grad():
        logits = net.module_.linear(torch.as_tensor(X).float()).double().numpy()
    teacher = adapt(net, NAMES[:2] if binary else NAMES).prepared(X)
    assert teacher.reads_as == ENDS[end][2]
    assert np.allclose(teacher.outputs(X).proba, ENDS[end][3](logits), atol=1e-6)


def test_a_regressor_in_0_to_1_gives_values():
    net = OutputNet(1, nn.Sigmoid())
    teacher = adapt(net).prepared(X)
    assert teacher.reads_as == "values" and np.allclose(teacher.outputs(X).values, by_hand(net, X), atol=1e-6)


def test_an_adapter_keeps_nothing_of_what_it_was_asked():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 4 * 4, 1), nn.Sigmoid())
    teacher = adapt(net, NAMES[:2])
    before = dict(vars(teacher))
    teacher.outputs(rng.normal(size=(5, 1, 6, 6)))
    teacher.features(rng.normal(size=(5, 1, 6, 6)), "0")
    assert vars(teacher) == before and teacher.reads_as is None
