"""TabularNet's encoding against the formulas of the papers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklkd.students import TabularNet

EDGES = [[-1.0, 0.0, 2.0], [], [0.5, 1.0]]


def piecewise(x, edges):
    """Gorishniy et al. 2022, equation 1, clipped at both ends."""
    edges = np.asarray(edges)
    return np.clip((x[:, None] - edges[:-1]) / np.diff(edges), 0, 1)


def test_encoding_is_clip_bins_indicators_and_levels():
    X = np.random.default_rng(0).normal(size=(50, 4)) * 2
    X[:, 3] = np.arange(50) % 4 - 1  # codes of three levels, and -1
    X[7, 0] = X[8, 2] = np.nan
    net = TabularNet(4, 2, edges=[*EDGES, []], cardinalities=[0, 0, 0, 3], missing=[True, False, False, False])
    filled = np.where(np.isnan(X), 0, X)
    numbers = filled[:, :3]
    expected = np.hstack(
        [
            numbers / np.sqrt(1 + (numbers / 3) ** 2),
            piecewise(filled[:, 0], EDGES[0]),
            piecewise(filled[:, 2], EDGES[2]),
            np.isnan(X[:, [0]]),
            X[:, [3]] == np.arange(3),
        ]
    )
    encoded = net.encoding(torch.tensor(X, dtype=torch.float32))
    np.testing.assert_allclose(encoded.numpy(), expected, atol=1e-6)
    assert net.encoding.n_outputs == expected.shape[1]


def test_forward_is_a_multi_layer_perceptron_on_the_encoding():
    torch.manual_seed(0)
    net = TabularNet(3, 2, hidden=(5, 4), edges=EDGES).double()
    X = torch.randn(10, 3, dtype=torch.float64)
    h = net.encoding(X).numpy()
    for layer in (net.hidden[0][0], net.hidden[1][0]):
        z = h @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
        h = z / (1 + np.exp(-z))
    expected = h @ net.output.weight.detach().numpy().T + net.output.bias.detach().numpy()
    np.testing.assert_allclose(net(X).detach().numpy(), expected, rtol=1e-10)


def test_a_step_can_be_followed_at_a_threshold():
    net = TabularNet(1, 1, hidden=(), edges=[[-1.0, 0.299, 0.301, 1.0]])
    with torch.no_grad():
        net.output.weight.copy_(torch.tensor([[0.0, 0.0, 1.0, 0.0]]))
        net.output.bias.zero_()
        out = net(torch.tensor([[0.29], [0.3], [0.31]]))[:, 0]
    np.testing.assert_allclose(out.numpy(), [0, 0.5, 1], atol=1e-3)


def test_narrow_bins_far_from_zero_keep_their_digits():
    edges = np.float32(1000) + np.spacing(np.float32(1000)) * np.arange(5, dtype=np.float32)
    encoding = TabularNet(1, 1, edges=[edges]).encoding
    encoded = encoding(torch.tensor(edges)[:, None])[:, 1:]
    np.testing.assert_array_equal(encoded.numpy(), np.tri(5, 4, -1))


def test_edges_that_are_one_in_float32_make_no_bin():
    encoding = TabularNet(1, 1, edges=[[0.0, 1.0, 1.0 + 1e-12, 2.0]]).encoding
    assert len(encoding.column) == 2
    assert encoding(torch.linspace(-1, 3, 9)[:, None]).isfinite().all()


@given(st.lists(st.integers(-4, 2**24), min_size=2, max_size=6, unique=True))
def test_edges_next_to_zero_have_finite_slopes(steps):
    edges = sorted(float(np.float32(step * 2.0**-149)) for step in steps)
    encoding = TabularNet(1, 1, edges=[edges]).encoding
    assert encoding.slope.isfinite().all() and encoding(torch.tensor([[0.0]])).isfinite().all()


def test_only_weights_are_learnt():
    net = TabularNet(3, 2, hidden=(5,), edges=EDGES)
    names = {name for name, _ in net.named_parameters()}
    assert names == {"hidden.0.0.weight", "hidden.0.0.bias", "output.weight", "output.bias"}


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_dropout_is_off_when_it_answers(dropout):
    net = TabularNet(3, 2, hidden=(64,), dropout=dropout)
    X = torch.randn(4, 3)
    net.train()
    assert torch.equal(net(X), net(X)) == (dropout == 0)
    net.eval()
    assert torch.equal(net(X), net(X))
