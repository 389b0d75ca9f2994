"""The hint between a network's own layers against the reference values and a recomputation."""

from __future__ import annotations

import numpy as np
import torch

from sklkd.losses import ActiveHintLoss
from tests.losses import oracle


def test_reference_value_is_the_sum_of_two_exits():
    # the file has a sum over rows, columns and exits, the loss a mean over rows and columns
    entry = oracle.entry("BYOT, feature part")
    deep, shallow = oracle.tensor("ft"), [oracle.tensor("fs").requires_grad_(), oracle.tensor("fs2")]
    total = sum(ActiveHintLoss()(layer, deep) * deep.numel() for layer in shallow)
    np.testing.assert_allclose(total.item(), entry["value"], rtol=entry["rtol"])
    total.backward()
    assert entry["grad_norm"]["wrt"] == "fs"
    np.testing.assert_allclose(shallow[0].grad.norm(), entry["grad_norm"]["value"], rtol=entry["rtol"])


def test_weighted_rows_by_hand():
    rng = np.random.default_rng(0)
    student, teacher, weight = rng.normal(size=(7, 4)), rng.normal(size=(7, 4)), rng.uniform(size=7)
    squares = np.where((student > 0) | (teacher > 0), (student - teacher) ** 2, 0).mean(1)
    value = ActiveHintLoss()(*map(torch.from_numpy, (student, teacher)), sample_weight=torch.from_numpy(weight))
    np.testing.assert_allclose(value, (weight * squares).sum() / weight.sum(), rtol=1e-12)
