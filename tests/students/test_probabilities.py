"""Modules that return probabilities, as skorch's own convention has it, beside those that return logits."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn.datasets import load_iris, make_regression
from sklearn.linear_model import LinearRegression, LogisticRegression
from skorch import NeuralNetClassifier, NeuralNetRegressor
from torch import nn

from sklkd import (
    DistilledClassifier,
    DistilledRegressor,
    OnlineDistilledClassifier,
    OnnxPredictor,
    SelfDistilledClassifier,
    to_onnx,
)
from sklkd.students import TabularStudent
from sklkd.students._probabilities import gives_probabilities, return_logits

ENDS = {"logits": nn.Identity(), "log_softmax": nn.LogSoftmax(1), "softmax": nn.Softmax(1)}


class Net(nn.Module):
    def __init__(self, n_features, n_outputs, end="logits", several=False):
        super().__init__()
        self.hidden, self.output = nn.Linear(n_features, 8), nn.Linear(8, n_outputs)
        self.end, self.several = ENDS[end], several

    def forward(self, X):
        hidden = self.hidden(X).relu()
        output = self.end(self.output(hidden))
        return (output, hidden) if self.several else output


def student(end, several=False):
    return NeuralNetClassifier(Net, module__end=end, module__several=several, max_epochs=8, lr=0.5, verbose=0,
                               train_split=None)  # fmt: skip


@pytest.fixture(scope="module")
def flowers():
    return load_iris(return_X_y=True)


def distilled(net, **params):
    teacher = LogisticRegression(max_iter=1000)
    return DistilledClassifier(teacher, net, hard_weight=0.3, augment=None, random_state=0, **params)


def test_every_end_is_the_same_student(flowers):
    X, y = flowers
    proba = {end: distilled(student(end)).fit(X, y).predict_proba(X) for end in ENDS}
    assert (proba["logits"].argmax(1) == y).mean() > 0.6
    np.testing.assert_allclose(proba["log_softmax"], proba["logits"], atol=1e-4)
    np.testing.assert_allclose(proba["softmax"], proba["logits"], atol=1e-4)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("end", ENDS)
def test_estimator_net_module_copies_and_file_agree(flowers, end, several, tmp_path):
    X, y = flowers
    est = distilled(student(end, several)).fit(X, y)
    proba = est.predict_proba(X)
    assert est.student_.gives_probabilities_ is (end == "softmax")
    np.testing.assert_allclose(est.student_.predict_proba(est.encoder_.transform(X)), proba, atol=1e-5)
    # the module's own parameters, by hand
    state = {name: value.double().numpy() for name, value in est.student_.module_.state_dict().items()}
    hidden = np.maximum(est.encoder_.transform(X) @ state["hidden.weight"].T + state["hidden.bias"], 0)
    np.testing.assert_allclose(softmax(hidden @ state["output.weight"].T + state["output.bias"], 1), proba, atol=1e-5)
    for other in (pickle.loads(pickle.dumps(est)), copy.deepcopy(est), est.without_teacher()):
        np.testing.assert_array_equal(other.predict_proba(X), proba)
    to_onnx(est, tmp_path / "student.onnx")
    np.testing.assert_allclose(OnnxPredictor(tmp_path / "student.onnx").predict_proba(X), proba, atol=1e-5)


@pytest.mark.parametrize("end", ENDS)
def test_training_goes_on_with_the_same_module(flowers, end):
    X, y = flowers
    est = distilled(student(end)).fit(X, y)
    before = est.score(X, y)
    for _ in range(3):
        est.partial_fit(X, y)
    assert len(est.student_.module_._forward_hooks) == (end == "softmax")
    assert est.score(X, y) >= before - 0.05


@pytest.mark.parametrize(
    "made",
    [lambda net: SelfDistilledClassifier(net, random_state=0),
     lambda net: OnlineDistilledClassifier([("a", net), ("b", net)], random_state=0)],
    ids=["self", "online"],
)  # fmt: skip
def test_the_other_modes_too(flowers, made):
    X, y = flowers
    found = [made(student(end)).fit(X, y).predict_proba(X) for end in ("logits", "softmax")]
    np.testing.assert_allclose(found[1], found[0], atol=1e-3)


def test_a_module_class_that_ends_in_a_softmax(flowers):
    X, y = flowers
    fits = [distilled(TabularStudent(module=Net, module__end=end, max_epochs=20)).fit(X, y) for end in ENDS]
    assert [est.student_.gives_probabilities_ for est in fits] == [False, False, True]
    np.testing.assert_allclose(fits[2].predict_proba(X), fits[0].predict_proba(X), atol=1e-4)


def test_a_single_probability_is_an_error(flowers):
    X, y = flowers
    net = NeuralNetClassifier(nn.Sequential(nn.Linear(4, 1), nn.Sigmoid()), verbose=0)
    with pytest.raises(ValueError, match="student must give 2 outputs per row"):
        distilled(net).fit(X[:100], y[:100])


def test_shares_of_a_whole_are_targets_in_regression():
    X, y = make_regression(80, 3, n_targets=2, random_state=0)
    net = NeuralNetRegressor(Net, module__end="softmax", max_epochs=1, verbose=0, train_split=None)
    est = DistilledRegressor(LinearRegression(), net, hard_weight=0.3, augment=None, random_state=0).fit(X, y)
    assert not est.student_.gives_probabilities_


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[0.2, 0.8], [1.0, 0.0]], True),
        ([[0.2, 0.8], [1.5, -0.5]], False),
        ([[0.2, 0.8], [0.5, 0.4]], False),
        ([[1.0], [1.0]], False),
        ([[-0.5, -0.9], [-1.0, -0.1]], False),
        ([[float("nan"), 0.5], [0.5, 0.5]], False),
    ],
)
def test_what_probabilities_are(rows, expected):
    class Constant(nn.Module):
        def forward(self, X):
            return torch.tensor(rows)

    assert gives_probabilities(Constant(), torch.zeros(2, 3)) is expected


def test_a_probability_that_has_underflowed_has_a_finite_logarithm():
    module = nn.Softmax(1)
    return_logits(module)
    return_logits(module)  # once is enough
    logits = module(torch.tensor([[0.0, 200.0]], requires_grad=True))
    assert logits.isfinite().all()
    np.testing.assert_allclose(logits.softmax(1).detach(), [[0, 1]], atol=1e-30)


class Bounded(nn.Module):
    """Whose outputs happen to lie in [0, 1], as of two columns of logits."""

    def __init__(self, *, squashed):
        super().__init__()
        self.output = nn.Linear(3, 2)
        nn.init.constant_(self.output.weight, 1e-3)
        nn.init.constant_(self.output.bias, 0.5)
        self.squashed = squashed

    def forward(self, X):
        logits = self.output(X.tanh())
        return logits.sigmoid() if self.squashed else logits


@pytest.mark.parametrize("squashed", [True, False])
def test_probabilities_of_several_labels_are_told_from_logits_in_the_unit_interval(squashed):
    module, rows = Bounded(squashed=squashed), torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    assert gives_probabilities(module, rows, "multilabel") is squashed
    assert not gives_probabilities(module, rows, "regression")
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    return_logits(module, "multilabel")
    expected = module.output(rows.tanh())
    if squashed:
        torch.testing.assert_close(module(rows), expected, rtol=1e-4, atol=1e-5)
