from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from sklkd.methods import CollaborativeEnsemble
from sklkd.transfer import UNLABELLED

from .peers import divergence, numbers, objective, outputs

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
    _, lessons = objective(method, 3, weight=weight).terms(peers, Y)
    z = numbers(peers)
    told = combined("min_logit" if kind == "auto" else kind, z, Y.numpy())
    for k in range(3):
        np.testing.assert_allclose(lessons[k].item(), 0.7 * divergence(told, z[k], 2.0, weight))


@pytest.mark.parametrize("kind", ["auto", "mean", "best"])
def test_regression(kind):
    peers, y = outputs(3, n_outputs=2), torch.randn(6, 2, dtype=torch.float64)
    method = CollaborativeEnsemble(combination=kind)
    _, lessons = objective(method, 3, classification=False).terms(peers, y)
    z = np.stack(numbers(peers))
    told = z.mean(0)
    if kind == "best":
        best = ((z - y.numpy()) ** 2).mean(2).argmin(0)
        told = z[best, np.arange(6)]
    np.testing.assert_allclose([one.item() for one in lessons], [((one - told) ** 2).mean() for one in z])


@pytest.mark.parametrize("kind", ["min_logit", "best"])
def test_rows_without_a_label_get_the_mean(kind):
    peers, y = torch.stack(outputs()).detach(), Y.clone()
    y[[1, 4]] = UNLABELLED
    told = CollaborativeEnsemble(combination=kind).together(peers, y)
    np.testing.assert_allclose(told[[1, 4]], peers.mean(0)[[1, 4]])
    known = CollaborativeEnsemble(combination=kind).together(peers, Y)
    np.testing.assert_allclose(told[[0, 2, 3, 5]], known[[0, 2, 3, 5]])


def test_min_logit_does_not_see_shifts_of_a_peers_logits():
    peers = torch.stack(outputs()).detach()
    shifted = peers + torch.tensor([1.0, -5.0, 3.0])[:, None, None]
    method = CollaborativeEnsemble(combination="min_logit")
    np.testing.assert_allclose(method.together(peers, Y), method.together(shifted, Y), atol=1e-12)


def test_answers_without_labels_are_means():
    peers = outputs()
    np.testing.assert_allclose(CollaborativeEnsemble().combine(peers, True).detach(), np.mean(numbers(peers), axis=0))


@pytest.mark.parametrize(
    ("kind", "task", "message"),
    [
        ("linear", "classification", "combination must be one of .* got combination='linear'"),
        ("min_logit", "regression", "combination='min_logit' needs classes"),
    ],
)
def test_errors(kind, task, message):
    with pytest.raises(ValueError, match=message):
        CollaborativeEnsemble(combination=kind).check(task)
