"""What holds for all methods of the online mode."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax
from sklearn.base import clone
from torch import nn

from sklkd.methods import Codistillation, CollaborativeEnsemble, GatedEnsemble, MutualLearning
from sklkd.methods._online import build_between
from sklkd.students._cohort import Cohort

from .peers import objective, outputs

APART = [
    MutualLearning(),
    MutualLearning(temperature=3.0),
    CollaborativeEnsemble(),
    CollaborativeEnsemble(combination="mean"),
    CollaborativeEnsemble(combination="best"),
    CollaborativeEnsemble(combination="linear"),
    Codistillation(),
]


def problem(task="classification", n=8):
    torch.manual_seed(0)
    cohort = Cohort([nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 4)) for _ in range(3)])
    y = {
        "classification": torch.arange(n) % 4,
        "multilabel": (torch.arange(4 * n) % 3 == 0).long().reshape(n, 4),
        "regression": torch.randn(n, 4),
    }[task]
    target = torch.rand(n, 3, 4).softmax(2)
    return cohort, torch.randn(n, 3), y, [target]


@pytest.mark.parametrize("task", ["classification", "multilabel", "regression"])
@pytest.mark.parametrize("method", APART, ids=str)
def test_no_gradient_flows_from_one_peers_term_into_another_peer(method, task):
    cohort, X, y, target = problem(task)
    made = objective(method, 3, task, targets=target)
    labels, losses = made.terms(cohort(X), y)
    assert len(losses) == 3
    for k in range(3):
        # each of the two by itself has to reach its own peer, and no other
        for term in (labels[k], losses[k]):
            for j, peer in enumerate(cohort.peers):
                grads = torch.autograd.grad(term, list(peer.parameters()), retain_graph=True, allow_unused=True)
                moved = any(grad is not None and bool(grad.any()) for grad in grads)
                assert moved == (j == k)


@pytest.mark.parametrize("method", [*APART, GatedEnsemble()], ids=str)
def test_what_is_minimised_is_the_sum_of_the_terms(method):
    peers, y = outputs(3), torch.arange(6) % 4
    target = torch.full((6, 3, 4), 0.25, dtype=torch.float64)
    made = objective(method, 3, targets=[target])
    given = [*peers, torch.randn(6, 3, dtype=torch.float64)] if isinstance(method, GatedEnsemble) else peers
    labels, losses = made.terms(given, y)
    np.testing.assert_allclose(made(given, y).item(), sum(labels).item() + sum(losses).item())
    # rows set aside are target by labels alone
    np.testing.assert_allclose(made.eval()(given, y).item(), sum(labels).item())


def test_methods_clone_and_show_their_parameters():
    for method in (*APART, GatedEnsemble()):
        assert clone(method).get_params() == method.get_params()
        assert method.set_params(temperature=5.0).temperature == 5.0


def test_an_ensemble_answers_with_the_mean_probability():
    peers = outputs()
    answer = MutualLearning().combine(peers, "classification").detach().numpy()
    expected = np.mean([softmax(one.detach().numpy(), axis=1) for one in peers], axis=0)
    np.testing.assert_allclose(softmax(answer, axis=1), expected)
    of_labels = MutualLearning().combine(peers, "multilabel").detach().numpy()
    np.testing.assert_allclose(expit(of_labels), np.mean([expit(one.detach().numpy()) for one in peers], axis=0))
    values = MutualLearning().combine(peers, "regression").detach().numpy()
    np.testing.assert_allclose(values, np.mean([one.detach().numpy() for one in peers], axis=0))


@pytest.mark.parametrize(
    ("bad", "named"),
    [({1: float("nan")}, "peer 'peer1'"), ({0: float("inf"), 2: float("nan")}, "peers 'peer0', 'peer2'")],
)
def test_who_diverged_first(bad, named):
    made = objective(MutualLearning(), 3)
    y = torch.zeros(6, dtype=torch.int64)
    made(outputs(3), y)
    spoilt = [one.detach() * bad.get(k, 1.0) for k, one in enumerate(outputs(3))]
    made(spoilt, y)
    # by then all are spoilt
    made([one * float("nan") for one in spoilt], y)
    assert made.diverged() == named


def test_gradients_are_clipped_peer_by_peer():
    cohort, X, _, _ = problem()
    made = objective(MutualLearning(), 3)
    build_between(made, cohort, X, [])
    assert [[name for name, _ in group] for group in made.groups] == [
        [f"peers.{k}.{part}" for part in ("0.weight", "0.bias", "2.weight", "2.bias")] for k in range(3)
    ]


def test_what_branches_share_is_clipped_by_itself():
    cohort, X, _, _ = problem()
    joined = GatedEnsemble().join(cohort, X)
    made = objective(GatedEnsemble(), 3)
    build_between(made, joined, X, [])
    grouped = [{name for name, _ in group} for group in made.groups]
    assert grouped == [
        {"peers.0.0.weight", "peers.0.0.bias"},
        *({f"peers.{k}.2.weight", f"peers.{k}.2.bias"} for k in range(3)),
        {"gate.weight", "gate.bias"},
    ]
