"""The copy of a module that predicts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from sklkd.students import TabularNet
from sklkd.students._double import InFloat32, double_copy, predicts_in_float64
from sklkd.students._forward import forward


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.hidden, self.output = nn.Linear(3, 8), nn.Linear(8, 2)

    def forward(self, X):
        return self.output(self.hidden(X).relu())


class CastsInput(Plain):
    def forward(self, X):
        return super().forward(X.float())


class MakesConstant(Plain):
    def forward(self, X):
        return self.output(self.hidden(X).relu() @ torch.eye(8))


class CastsOutput(Plain):
    def forward(self, X):
        return super().forward(X).float()


class RefusesWithAnError(Plain):
    def forward(self, X):
        assert X.dtype == torch.float32
        return super().forward(X)


class Overflows(Plain):
    """Integers behind the numbers: another type, another answer."""

    def forward(self, X):
        return super().forward(X) + (torch.nan if X.dtype == torch.float64 else 0)


class Disagrees(Plain):
    def forward(self, X):
        return super().forward(X) + (1 if X.dtype == torch.float64 else 0)


class WithFeatures(Plain):
    def forward(self, X):
        return super().forward(X), X


class CastsWithFeatures(CastsInput):
    def forward(self, X):
        return super().forward(X), X


GOOD = [Plain, WithFeatures]
BAD = [CastsInput, MakesConstant, CastsOutput, RefusesWithAnError, Overflows, Disagrees, CastsWithFeatures]


@pytest.mark.parametrize("kind", GOOD + BAD)
def test_every_module_predicts_in_float64(kind):
    module = kind()
    X = torch.randn(5, 3)
    copied = double_copy(module, X)
    found = forward(copied, X.double(), "cpu")
    assert found.dtype == torch.float64
    with torch.no_grad():
        expected = module(X)
    expected = expected[0] if isinstance(expected, tuple) else expected
    np.testing.assert_allclose(found, expected, atol=1e-5)
    # the module itself stays in float32, and in its mode
    assert module.training and next(module.parameters()).dtype == torch.float32
    assert isinstance(copied, InFloat32) is (kind in BAD)
    # where the rows are no longer at hand, what was found before says the same
    again = double_copy(module, float64=predicts_in_float64(module, X))
    np.testing.assert_array_equal(forward(again, X.double(), "cpu"), found)


def test_float64_has_more_digits():
    module = Plain()
    X = torch.randn(5, 3, dtype=torch.float64)
    weights = {name: value.double() for name, value in module.state_dict().items()}
    hidden = (X @ weights["hidden.weight"].T + weights["hidden.bias"]).relu()
    expected = hidden @ weights["output.weight"].T + weights["output.bias"]
    np.testing.assert_allclose(forward(double_copy(module, X.float()), X, "cpu"), expected, rtol=1e-13)


def test_modules_without_parameters_and_tabular_nets():
    X = torch.tensor([[0.5, float("nan"), 1.0]])
    net = TabularNet(3, 2, hidden=(4,), missing=[False, True, False])
    assert predicts_in_float64(net, X)
    assert forward(double_copy(nn.Identity(), X[:, :1]), X[:, :1].double(), "cpu").dtype == torch.float64
