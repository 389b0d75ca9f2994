from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import softmax
from torch import nn

from sklkd.methods import GatedEnsemble
from sklkd.students import TabularNet
from sklkd.students._cohort import Cohort

from ..losses.oracle import entry, tensor
from .peers import cross_entropy, divergence, numbers, objective, outputs


def branches():
    return [tensor("zs").requires_grad_(), tensor("zt"), tensor("zu"), tensor("gate")]


def test_reference():
    made = objective(GatedEnsemble(ramp_up=0), 3)
    logits = branches()
    labels, losses = made.terms(logits, tensor("y"))
    part, total = entry("ONE, KL part"), entry("ONE, total")
    np.testing.assert_allclose(sum(losses[:3]).item(), part["value"], rtol=part["rtol"])
    value = sum(labels) + sum(losses)
    np.testing.assert_allclose(value.item(), total["value"], rtol=total["rtol"])
    np.testing.assert_allclose(made(logits, tensor("y")).item(), total["value"], rtol=total["rtol"])
    value.backward()
    np.testing.assert_allclose(logits[0].grad.norm(), total["grad_norm"]["value"], rtol=total["rtol"])


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_terms_by_hand(task):
    classification = task == "classification"
    *branches, gate = outputs(4, n_outputs=3)
    rng = np.random.RandomState(1)
    y = torch.from_numpy(rng.randint(3, size=6) if classification else rng.normal(size=(6, 3)))
    weight = torch.arange(1.0, 7.0, dtype=torch.float64)
    method = GatedEnsemble(temperature=2.0, weight=0.5, ramp_up=0.5)
    made = objective(method, 3, task, epoch=2, n_epochs=10, weight=weight)
    labels, losses = made.terms([*branches, gate], y)
    *z, gate = numbers([*branches, gate])
    together = sum(softmax(gate, axis=1)[:, [b]] * z[b] for b in range(3))

    def squared(a, b):
        return np.average(np.square(a - b).mean(1), weights=weight)

    for b in range(3):
        target = divergence(together, z[b], 2.0, weight) if classification else squared(together, z[b])
        # after 2 of the 5 epochs of the ramp
        np.testing.assert_allclose(losses[b].item(), 0.5 * math.exp(-5 * 0.6**2) * target)
    for found, own in zip([*labels, losses[3]], [*z, together], strict=True):
        expected = cross_entropy(own, y.numpy(), weight) if classification else squared(own, y.numpy())
        np.testing.assert_allclose(found.item(), expected)


def test_the_ensemble_is_a_mean_of_logits_weighted_row_by_row():
    *z, gate = (one.detach().numpy() for one in branches())
    share = np.exp(gate) / np.exp(gate).sum(1, keepdims=True)
    expected = sum(share[:, [b]] * z[b] for b in range(3))
    np.testing.assert_allclose(GatedEnsemble().combine(branches(), "classification").detach(), expected)


def test_ramp_up():
    method = GatedEnsemble(ramp_up=0.5)
    assert method.ramp(objective(method, epoch=0, n_epochs=10)) == pytest.approx(math.exp(-5))
    assert method.ramp(objective(method, epoch=2, n_epochs=10)) == pytest.approx(math.exp(-5 * 0.6**2))
    assert method.ramp(objective(method, epoch=7, n_epochs=10)) == 1
    # the paper's 80 of 300 epochs
    assert GatedEnsemble().ramp(objective(method, epoch=40, n_epochs=300)) == pytest.approx(math.exp(-5 / 4))


def net(hidden=(7, 6, 5), seed=0):
    torch.manual_seed(seed)
    return TabularNet(3, 4, hidden=hidden)


def joined(method=None, n=3, make=net, sample=None):
    sample = torch.randn(2, 3) if sample is None else sample
    return (method or GatedEnsemble()).join(Cohort([make(seed=seed) for seed in range(n)]), sample)


def shared(cohort):
    """Names of the parameters that the second peer has in common with the first."""
    first = {id(p) for p in cohort.peers[0].parameters()}
    return {name for name, p in cohort.peers[1].named_parameters() if id(p) in first}


@pytest.mark.parametrize(
    ("trunk", "hidden", "names"),
    [
        (None, (7, 6, 5), {"hidden.0.0", "hidden.1.0"}),
        (None, (7,), {"hidden.0.0"}),
        ("hidden.0", (7, 6, 5), {"hidden.0.0"}),
        ("hidden.2", (7, 6, 5), {"hidden.0.0", "hidden.1.0", "hidden.2.0"}),
    ],
)
def test_what_the_branches_share(trunk, hidden, names):
    cohort = joined(GatedEnsemble(trunk=trunk), make=lambda seed: net(hidden, seed))
    assert shared(cohort) == {f"{name}.{part}" for name in names for part in ("weight", "bias")}


def test_the_gate_reads_what_the_trunk_gives():
    cohort = joined()
    X = torch.randn(5, 3)
    first = cohort.peers[0]
    trunk = first.hidden[1](first.hidden[0](first.encoding(X)))
    torch.testing.assert_close(cohort(X)[-1], cohort.gate(trunk))
    torch.testing.assert_close(cohort(X)[1], cohort.peers[1](X))
    assert len(cohort(X)) == 4


class Maps(nn.Module):
    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.body = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Conv2d(3, 5, 3), nn.ReLU())
        self.head = nn.Linear(5, 4)

    def forward(self, X):
        return self.head(self.body(X).mean((2, 3)))


def test_a_gate_on_maps_reads_their_means():
    X = torch.randn(2, 1, 8, 8)
    cohort = joined(make=Maps, sample=X)
    first = cohort.peers[0]
    torch.testing.assert_close(cohort(X)[-1], cohort.gate(first.body[1](first.body[0](X)).mean((2, 3))))


def test_gate_trunk_and_branches_learn():
    torch.manual_seed(0)
    cohort, X, y = joined(), torch.randn(6, 3), torch.arange(6) % 4
    made = objective(GatedEnsemble(ramp_up=0), 3)
    _, losses = made.terms(cohort(X), y)
    parts = {
        "gate": cohort.gate.weight,
        "trunk": cohort.peers[0].hidden[0][0].weight,
        **{f"branch{k}": cohort.peers[k].output.weight for k in range(3)},
    }

    def reached(term):
        gradients = torch.autograd.grad(term, parts.values(), retain_graph=True, allow_unused=True)
        return {name for name, grad in zip(parts, gradients, strict=True) if grad is not None and bool(grad.any())}

    # each branch's divergence from the ensemble moves the branch and what it stands on, nothing else
    assert [reached(loss) for loss in losses[:3]] == [{"trunk", f"branch{k}"} for k in range(3)]
    assert reached(losses[3]) == set(parts)


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (GatedEnsemble(trunk="body"), "the peers have no layer 'body'; they have"),
        (GatedEnsemble(trunk="output"), "trunk must leave layers on both sides"),
        (GatedEnsemble(trunk="encoding"), "trunk must leave"),
    ],
)
def test_trunk_must_leave_something_on_both_sides(method, message):
    if method.trunk == "encoding":
        # nothing in it is learnt, but it is a layer: the gate reads the encoded columns
        assert shared(joined(method)) == set()
        return
    with pytest.raises(ValueError, match=message):
        joined(method)


def test_branches_must_be_the_same_network():
    with pytest.raises(ValueError, match="all peers must be the same student"):
        GatedEnsemble().join(Cohort([net(), net((3, 3, 3))]), torch.randn(2, 3))


def test_a_linear_network_has_no_trunk():
    with pytest.raises(ValueError, match="needs a network with a hidden layer"):
        joined(make=lambda seed: nn.Sequential(nn.Linear(3, 4)))


@pytest.mark.parametrize("ramp_up", [-0.1, 1.5])
def test_ramp_up_is_a_share(ramp_up):
    with pytest.raises(ValueError, match="ramp_up must be"):
        GatedEnsemble(ramp_up=ramp_up).check("classification")
