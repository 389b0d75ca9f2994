from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax

from sklkd import OnlineDistilledClassifier
from sklkd.methods import CollaborativeEnsemble
from sklkd.methods._collaborative_ensemble import best_mixture
from sklkd.transfer import UNLABELLED
from tests.estimators.problems import classes, quick

from .peers import cross_entropy, divergence, numbers, objective, outputs

Y = torch.tensor([0, 1, 2, 3, 0, 1])


def combined(kind, z, y):
    if kind == "mean":
        return np.mean(z, axis=0)
    out = np.empty_like(z[0])
    for i in range(len(y)):
        if kind == "min_logit":
            for c in range(out.shape[1]):
                out[i, c] = min(one[i, c] - one[i, y[i]] for one in z)
        else:
            out[i] = min((one[i] for one in z), key=lambda row: -log_softmax(row)[y[i]])
    return out


@pytest.mark.parametrize("kind", ["auto", "min_logit", "mean", "best"])
def test_terms_by_hand(kind):
    peers = outputs()
    weight = torch.arange(1.0, 7.0, dtype=torch.float64)
    method = CollaborativeEnsemble(temperature=2.0, weight=0.7, combination=kind)
    _, losses = objective(method, 3, weight=weight).terms(peers, Y)
    z = numbers(peers)
    target = combined("min_logit" if kind == "auto" else kind, z, Y.numpy())
    for k in range(3):
        np.testing.assert_allclose(losses[k].item(), 0.7 * divergence(target, z[k], 2.0, weight))


@pytest.mark.parametrize("kind", ["auto", "mean", "best", "linear"])
def test_regression(kind):
    peers, y = outputs(3, n_outputs=2), torch.randn(6, 2, dtype=torch.float64)
    method = CollaborativeEnsemble(combination=kind)
    _, losses = objective(method, 3, "regression").terms(peers, y)
    z = np.stack(numbers(peers))
    target = z.mean(0)
    if kind == "best":
        best = ((z - y.numpy()) ** 2).mean(2).argmin(0)
        target = z[best, np.arange(6)]
    if kind == "linear":
        target = np.tensordot(best_mixture(torch.from_numpy(z), y, None), z, 1)
        others = np.random.RandomState(0).dirichlet(np.ones(3), 200)
        of_others = np.square(np.tensordot(others, z, 1) - y.numpy()).mean((1, 2))
        assert np.square(target - y.numpy()).mean() <= of_others.min() + 1e-6
    np.testing.assert_allclose([one.item() for one in losses], [((one - target) ** 2).mean() for one in z])


@pytest.mark.parametrize("kind", ["min_logit", "linear", "best"])
def test_rows_without_a_label_get_the_mean(kind):
    peers, y = torch.stack(outputs()).detach(), Y.clone()
    y[[1, 4]] = UNLABELLED
    target = CollaborativeEnsemble(combination=kind).together(peers, y)
    np.testing.assert_allclose(target[[1, 4]], peers.mean(0)[[1, 4]])
    rest = [0, 2, 3, 5]
    known = CollaborativeEnsemble(combination=kind).together(peers[:, rest], Y[rest])
    np.testing.assert_allclose(target[rest], known)


def test_linear_weighs_peers_so_that_the_batch_loses_least():
    peers, weight = torch.stack(outputs(2)).detach(), torch.arange(1.0, 7.0, dtype=torch.float64)
    z, rows = peers.numpy(), weight.numpy()
    # by hand: all weights of two peers, in thousandths
    grid = np.linspace(0, 1, 1001)
    losses = [cross_entropy(a * z[0] + (1 - a) * z[1], Y.numpy(), rows) for a in grid]
    assert 0 < int(np.argmin(losses)) < 1000
    best = grid[int(np.argmin(losses))]
    np.testing.assert_allclose(best_mixture(peers, Y, weight), [best, 1 - best], atol=2e-3)
    target = CollaborativeEnsemble(combination="linear").together(peers, Y, weight)
    np.testing.assert_allclose(target, best * z[0] + (1 - best) * z[1], atol=0.01)


def test_weights_are_none_below_0_and_go_to_the_peer_that_is_right():
    right = torch.nn.functional.one_hot(Y, 4).double()
    wrong = torch.roll(right, 1, 1)
    np.testing.assert_allclose(best_mixture(torch.stack([wrong, right]), right, None), [0, 1], atol=1e-6)
    np.testing.assert_allclose(best_mixture(torch.stack([right, right]), right, None), [0.5, 0.5])


def test_general_goes_by_rows_on_which_no_peer_is_trained():
    X, y = classes(200)
    seen = []

    class Look(CollaborativeEnsemble):
        def begin_epoch(self, made, net, rows):
            super().begin_epoch(made, net, rows)
            with torch.no_grad():
                answers = torch.stack(net.module_.eval()(made.held.inputs)).numpy()
            net.module_.train()
            seen.append((len(rows), made.held, answers, made.mixture))

    given = [("a", quick(4, lr=0.02)), ("b", quick(4, module__hidden=(4,)))]
    est = OnlineDistilledClassifier(given, method=Look(combination="general"), deploy="a", random_state=0).fit(X, y)
    assert len(seen) == 4 and np.isfinite(est.predict_proba(X)).all()
    for n_rows, held, answers, mixture in seen:
        assert (n_rows, len(held)) == (180, 20)
        error = softmax(answers, axis=2) - np.eye(3)[held.y.numpy()]
        grid = np.linspace(0, 1, 1001)
        squares = [np.square(a * error[0] + (1 - a) * error[1]).mean() for a in grid]
        np.testing.assert_allclose(mixture[0], grid[int(np.argmin(squares))], atol=2e-3)
    # and the peers are target the mixture of their logits
    peers = torch.stack(outputs(2)).detach()
    target = CollaborativeEnsemble(combination="general").together(peers, Y, None, [0.3, 0.7])
    np.testing.assert_allclose(target, 0.3 * peers[0] + 0.7 * peers[1])


def test_min_logit_does_not_see_shifts_of_a_peers_logits():
    peers = torch.stack(outputs()).detach()
    shifted = peers + torch.tensor([1.0, -5.0, 3.0])[:, None, None]
    method = CollaborativeEnsemble(combination="min_logit")
    np.testing.assert_allclose(method.together(peers, Y), method.together(shifted, Y), atol=1e-12)


def test_answers_without_labels_are_means():
    peers = outputs()
    np.testing.assert_allclose(
        CollaborativeEnsemble().combine(peers, "classification").detach(), np.mean(numbers(peers), axis=0)
    )


@pytest.mark.parametrize(
    ("kind", "task", "message"),
    [
        ("median", "classification", "combination must be one of .* got combination='median'"),
        ("min_logit", "regression", "combination='min_logit' needs classes or labels"),
    ],
)
def test_errors(kind, task, message):
    with pytest.raises(ValueError, match=message):
        CollaborativeEnsemble(combination=kind).check(task)
