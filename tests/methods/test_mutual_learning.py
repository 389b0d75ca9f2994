from __future__ import annotations

import numpy as np
import pytest
import torch

from sklkd.losses import (
    CRDLoss,
    DKDLoss,
    FactorTransferLoss,
    FitNetLoss,
    LeafEmbeddingLoss,
    LogitMSELoss,
    SimKDLoss,
    SoftTargetLoss,
    SPLoss,
    TargetLoss,
    VIDLoss,
)
from sklkd.methods import MutualLearning

from ..losses.oracle import entry, tensor
from .peers import cross_entropy, divergence, numbers, objective, outputs


@pytest.mark.parametrize(("peer", "ordinal", "own"), [(0, "first", "zs"), (1, "second", "zt")])
def test_reference_of_two_peers(peer, ordinal, own):
    logits = {name: tensor(name).requires_grad_(name == own) for name in ("zs", "zt")}
    labels, losses = objective(MutualLearning()).terms([logits["zs"], logits["zt"]], tensor("y"))
    part = entry(f"DML, KL part of the {ordinal} peer")
    np.testing.assert_allclose(losses[peer].item(), part["value"], rtol=part["rtol"])
    total = entry(f"DML, total of the {ordinal} peer")
    term = labels[peer] + losses[peer]
    np.testing.assert_allclose(term.item(), total["value"], rtol=total["rtol"])
    term.backward()
    np.testing.assert_allclose(logits[own].grad.norm(), total["grad_norm"]["value"], rtol=total["rtol"])


def test_reference_of_three_peers_is_a_mean():
    _, losses = objective(MutualLearning(), 3).terms([tensor("zs"), tensor("zt"), tensor("zu")], tensor("y"))
    np.testing.assert_allclose(losses[0].item(), entry("DML, KL part of the first of three peers")["value"], rtol=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_terms_by_hand(temperature, weighted):
    peers, y = outputs(), torch.tensor([0, 1, 2, 3, 0, 1])
    weight = torch.arange(1.0, 7.0, dtype=torch.float64) if weighted else None
    labels, losses = objective(MutualLearning(temperature=temperature, weight=0.5), 3, weight=weight).terms(peers, y)
    z = numbers(peers)
    for k in range(3):
        np.testing.assert_allclose(labels[k].item(), cross_entropy(z[k], y.numpy(), weight))
        target = [divergence(z[j], z[k], temperature, weight) for j in range(3) if j != k]
        np.testing.assert_allclose(losses[k].item(), 0.5 * np.mean(target))


def test_regression_is_squared_differences():
    peers, y = outputs(3, n_outputs=2), torch.randn(6, 2, dtype=torch.float64)
    labels, losses = objective(MutualLearning(), 3, "regression").terms(peers, y)
    z = numbers(peers)
    np.testing.assert_allclose(labels[1].item(), ((z[1] - y.numpy()) ** 2).mean())
    np.testing.assert_allclose(losses[1].item(), np.mean([((z[1] - z[j]) ** 2).mean() for j in (0, 2)]))


def test_given_weights_are_shares_among_the_others():
    peers, y = outputs(), torch.zeros(6, dtype=torch.int64)
    made = objective(MutualLearning(peer_weights={"peer0": 3.0, "peer2": 0.0}), 3)
    made.teacher_weights = made.method.teacher_weights(made.peers)
    _, losses = made.terms(peers, y)
    z = numbers(peers)
    np.testing.assert_allclose(losses[0].item(), divergence(z[1], z[0]))
    np.testing.assert_allclose(losses[1].item(), divergence(z[0], z[1]))
    np.testing.assert_allclose(losses[2].item(), (3 * divergence(z[0], z[2]) + divergence(z[1], z[2])) / 4)


def test_a_peer_whom_nobody_teaches_learns_alone():
    made = objective(MutualLearning(peer_weights={"peer1": 0}), 2)
    made.teacher_weights = made.method.teacher_weights(made.peers)
    _, losses = made.terms(outputs(2), torch.zeros(6, dtype=torch.int64))
    assert losses[0].item() == 0 and losses[1].item() > 0


def test_without_weight_there_are_no_lessons():
    assert objective(MutualLearning(weight=0)).terms(outputs(2), torch.zeros(6, dtype=torch.int64))[1] == []


@pytest.mark.parametrize(
    ("method", "task", "message"),
    [
        (MutualLearning(temperature=0), "classification", "temperature must be > 0, got temperature=0"),
        (MutualLearning(weight=-1), "classification", "weight must be >= 0, got weight=-1"),
        (MutualLearning(temperature=2, loss=LogitMSELoss()), "classification", "temperature belongs to the default"),
        (MutualLearning(peer_weights={"a": -1}), "classification", "must be >= 0"),
        (MutualLearning(peer_weights=[1, 2]), "classification", "peer_weights must be a dict of names to numbers"),
        (MutualLearning(loss=DKDLoss()), "regression", "DKDLoss has no meaning for regression"),
        (MutualLearning(loss=SimKDLoss()), "classification", "needs a pretrained teacher"),
        (MutualLearning(loss=FactorTransferLoss()), "regression", "needs a pretrained teacher"),
        (MutualLearning(loss=LeafEmbeddingLoss()), "classification", "needs a pretrained teacher"),
        (MutualLearning(loss=FitNetLoss(init_epochs=2)), "classification", "needs a pretrained teacher"),
        (MutualLearning(loss=TargetLoss(kind="gaussian")), "regression", "needs a pretrained teacher"),
        (MutualLearning(loss=[("weight", SPLoss())]), "classification", "rename it"),
    ],
)
def test_errors(method, task, message):
    with pytest.raises((TypeError, ValueError), match=message):
        method.check(task)


def test_peer_weights_must_name_peers():
    with pytest.raises(ValueError, match=r"peer_weights must name peers, which are \['a', 'b'\], got \['c'\]"):
        MutualLearning(peer_weights={"c": 1.0}).teacher_weights(["a", "b"])


def test_parameters_of_named_losses():
    method = MutualLearning(loss=[("kd", SoftTargetLoss()), ("sp", SPLoss())])
    method.set_params(kd__temperature=4.0, sp__weight=0.5)
    assert method.loss[0][1].temperature == 4.0 and method.get_params()["sp__weight"] == 0.5


SUITABLE = [FitNetLoss(), SPLoss(), VIDLoss(), CRDLoss(), DKDLoss(), LogitMSELoss()]


@pytest.mark.parametrize("loss", SUITABLE, ids=lambda loss: type(loss).__name__)
def test_losses_pass_the_check(loss):
    MutualLearning(loss=loss).check("classification")
