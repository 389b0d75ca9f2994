from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from sklkd.students._cohort import Cohort, Ensemble, JoinedEncoder, join_inputs


class Doubled:
    def __init__(self, factor):
        self.factor = factor

    def transform(self, X):
        return np.asarray(X, dtype=np.float32) * self.factor


def test_one_input_for_all_is_passed_as_it_is():
    X = torch.randn(4, 3)
    inputs, columns = join_inputs([X, X])
    assert inputs is X and columns is None


def test_different_inputs_are_joined_once_each_and_found_again():
    X, maps = torch.randn(4, 3), torch.randn(4, 2, 5)
    inputs, columns = join_inputs([X, maps, X])
    assert inputs.shape == (4, 13)
    cohort = Cohort([nn.Identity() for _ in range(3)], columns)
    for found, given in zip(cohort.inputs(inputs), (X, maps, X), strict=True):
        torch.testing.assert_close(found, given)


def test_outputs_are_those_of_each_network_and_the_first_of_several():
    class Two(nn.Module):
        def forward(self, X):
            return X + 1, X

    X = torch.randn(4, 3)
    first, second = Cohort([nn.Identity(), Two()])(X)
    torch.testing.assert_close(first, X)
    torch.testing.assert_close(second, X + 1)


def test_an_ensemble_combines():
    X = torch.randn(4, 3)
    ensemble = Ensemble(Cohort([nn.Identity(), nn.ReLU()]), lambda outputs: outputs[0] - outputs[1])
    torch.testing.assert_close(ensemble(X), X - X.relu())


@pytest.mark.parametrize("same", [True, False])
def test_the_joined_encoder_gives_what_the_cohort_was_trained_on(same):
    X = np.random.RandomState(0).normal(size=(4, 3))
    one, other = Doubled(1), Doubled(2)
    encoders = [one, one if same else other, one]
    parts = {id(encoder): torch.from_numpy(encoder.transform(X)) for encoder in encoders}
    expected, _ = join_inputs([parts[id(encoder)] for encoder in encoders])
    np.testing.assert_array_equal(JoinedEncoder(encoders).fit(X).transform(X), expected)
