"""Leaf embeddings: a standardised hint with a layer of its own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sklkd.losses import LeafEmbeddingLoss
from tests.losses import oracle


@pytest.mark.parametrize("entry", oracle.entries("FitNet"), ids=lambda entry: entry["on"])
def test_the_values_of_a_hint(entry):
    oracle.assert_matches(LeafEmbeddingLoss(), entry)


def test_reads_the_leaf_embedding_unless_told_otherwise():
    assert LeafEmbeddingLoss().get_params()["teacher_layer"] == "leaf_embedding"
    assert LeafEmbeddingLoss().student_layer is None
    assert LeafEmbeddingLoss(teacher_layer="margins").teacher_layer == "margins"


def test_a_column_of_the_embedding_counts_by_its_variance():
    rng = np.random.default_rng(0)
    embedding = rng.normal(size=(50, 3)) * [100.0, 1.0, 0.01]
    loss = LeafEmbeddingLoss()
    loss.build((2,), (3,))
    loss.double().fit_teacher(torch.from_numpy(embedding))
    student = torch.zeros(50, 2).double()
    bias = loss.projector_.bias.detach().numpy()
    # a student of zeros predicts the bias, whatever the column
    value = loss(student, torch.from_numpy(embedding)).item()
    share = embedding.var(0) / embedding.var(0).mean()
    np.testing.assert_allclose(value, np.mean(share + bias**2), rtol=1e-10)


def test_a_constant_embedding_is_left_as_it_is():
    loss = LeafEmbeddingLoss()
    loss.build((2,), (3,))
    loss.fit_teacher(torch.full((4, 3), 2.0))
    assert torch.equal(loss.prepare(torch.full((4, 3), 3.0)), torch.ones(4, 3))


def test_leaf_indices_are_refused():
    with pytest.raises(TypeError, match="leaf indices are not numbers"):
        LeafEmbeddingLoss().fit_teacher(torch.arange(12).view(4, 3))
