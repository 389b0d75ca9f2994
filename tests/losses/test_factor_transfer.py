"""Factor transfer against the reference values and a recomputation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sklkd.losses import FactorTransferLoss
from tests.losses import oracle


@pytest.fixture(autouse=True)
def short_autoencoder(monkeypatch):
    # only one test asks how well the paraphraser is trained
    monkeypatch.setattr("sklkd.losses._factor_transfer.STEPS", 20)


@pytest.mark.parametrize("entry", oracle.entries("FactorTransfer"), ids=lambda e: f"{e['params']} {e['on']}")
def test_reference_values(entry):
    oracle.assert_matches(FactorTransferLoss(p=int(entry["params"][2])), entry)


@pytest.mark.parametrize("p", [1, 2])
def test_recomputed_in_a_fit(p):
    rng = np.random.default_rng(0)
    student, teacher = torch.from_numpy(rng.normal(size=(20, 4))), torch.from_numpy(rng.normal(size=(20, 6)))
    loss = FactorTransferLoss(p=p)
    loss.build((4,), (6,))
    loss.double().fit_teacher(teacher)
    s, t = loss.projector_(student).detach().numpy(), loss.prepare(teacher).numpy()
    assert s.shape == t.shape == (20, 3)

    difference = s / np.linalg.norm(s, axis=1)[:, None] - t / np.linalg.norm(t, axis=1)[:, None]
    expected = np.abs(difference).mean() if p == 1 else np.sqrt((difference**2).sum(1)).mean()
    np.testing.assert_allclose(loss(student, teacher).item(), expected, rtol=1e-12)


def unexplained(factors: torch.Tensor, features: torch.Tensor) -> float:
    """Share of the features' variance that a linear reading of the factors does not give back."""
    factors = torch.cat([factors, torch.ones(len(factors), 1)], 1)
    residuals = factors @ torch.linalg.lstsq(factors, features).solution - features
    return (residuals.square().sum() / (features - features.mean(0)).square().sum()).item()


def test_the_paraphraser_keeps_what_matters_and_is_frozen(monkeypatch):
    trained, untrained = [], []
    for seed in range(3):
        torch.manual_seed(seed)
        # six columns of rank two: three factors can hold all that there is
        teacher = torch.randn(500, 2) @ torch.randn(2, 6) + 3
        for results, steps in ((trained, 500), (untrained, 0)):
            monkeypatch.setattr("sklkd.losses._factor_transfer.STEPS", steps)
            loss = FactorTransferLoss()
            loss.fit_teacher(teacher)
            assert not any(parameter.requires_grad for parameter in loss.parameters())
            results.append(unexplained(loss.prepare(teacher), teacher))
    assert max(trained) < 0.05 and sum(trained) < 0.3 * sum(untrained), (trained, untrained)


def test_fit_works_where_gradients_are_off():
    loss = FactorTransferLoss()
    loss.build((4,), (6,))
    with torch.no_grad():
        loss.fit_teacher(torch.randn(10, 6))
    assert loss(torch.randn(10, 4), torch.randn(10, 6)) > 0


@pytest.mark.parametrize(("rate", "n_factors"), [(0.01, 1), (0.5, 3), (0.75, 4), (1, 6)])
def test_number_of_factors(rate, n_factors):
    loss = FactorTransferLoss(rate=rate)
    loss.build((4, 2, 2), (6, 2, 2))
    loss.fit_teacher(torch.randn(10, 6, 2, 2))
    assert loss.prepare(torch.randn(10, 6, 2, 2)).shape == (10, n_factors, 2, 2)


def test_built_without_its_paraphraser():
    loss = FactorTransferLoss()
    loss.build((4,), (6,))
    with pytest.raises(ValueError, match=r"call fit_teacher\(features\)"):
        loss(torch.randn(10, 4), torch.randn(10, 6))


@pytest.mark.parametrize(
    ("params", "message"),
    [({"p": 3}, "p must be 1 or 2, got p=3"), ({"p": True}, "p must be 1 or 2"), ({"rate": 0}, "rate must be > 0")],
)
def test_parameters_out_of_range(params, message):
    with pytest.raises(ValueError, match=message):
        FactorTransferLoss(**params)(torch.ones(1, 2), torch.ones(1, 2))
