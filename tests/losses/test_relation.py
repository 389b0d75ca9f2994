"""Relations that trees state themselves: in how many of them two rows meet."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import OneHotEncoder

from sklkd.losses import CCLoss, FSPLoss, PKTLoss, RKDDistanceLoss, SPLoss
from sklkd.losses._relation import proximity

SIMILARITY = [SPLoss(), PKTLoss(), CCLoss(), CCLoss(gamma=2.0, order=4)]


def one_hot(leaves):
    """The 0/1 vectors of leaves, of norm 1, whose inner products are the proximities."""
    return torch.from_numpy(OneHotEncoder(sparse_output=False).fit_transform(leaves) / np.sqrt(leaves.shape[1]))


@pytest.mark.parametrize("loss", SIMILARITY, ids=repr)
def test_leaves_stand_for_the_vectors_whose_cosines_are_the_proximities(loss):
    X, y = load_iris(return_X_y=True)
    leaves = RandomForestClassifier(15, random_state=0).fit(X, y).apply(X)[::3]
    student = torch.randn(len(leaves), 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    student.requires_grad_()
    value = loss(student, torch.from_numpy(leaves))
    expected = loss(student, one_hot(leaves))
    torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-14)
    gradients = (torch.autograd.grad(one, student)[0] for one in (value, expected))
    torch.testing.assert_close(*gradients, rtol=1e-8, atol=1e-14)
    # and it is 0 for a student that has these cosines
    torch.testing.assert_close(loss(one_hot(leaves), torch.from_numpy(leaves)), torch.zeros((), dtype=torch.float64))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=1, max_size=9))
def test_proximity_is_the_share_of_trees_in_which_rows_meet(rows):
    leaves = torch.tensor(rows, dtype=torch.int32)
    expected = (leaves[:, None] == leaves[None]).double().mean(2)
    torch.testing.assert_close(proximity(leaves, torch.float64), expected)


def test_large_leaf_numbers_are_told_apart_in_float32():
    leaves = torch.tensor([[2**23, 2**23 + 1], [2**23 + 1, 2**23 + 1]], dtype=torch.int32)
    assert proximity(leaves).tolist() == [[1.0, 0.5], [0.5, 1.0]]


def test_other_losses_refuse_leaves():
    leaves, student = torch.zeros(4, 2, dtype=torch.int64), torch.zeros(4, 2)
    with pytest.raises(TypeError, match="codes such as leaf indices are not numbers"):
        RKDDistanceLoss()(student, leaves)


def test_two_layers_must_be_named():
    with pytest.raises(ValueError, match="student_layer must name two layers, got student_layer=\\('a',\\)"):
        FSPLoss(student_layer=("a",)).check()
