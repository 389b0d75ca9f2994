"""Several labels a row: each is a question of two classes, so that every method says of it what it says of those."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sklkd.methods import (
    BornAgain,
    Codistillation,
    CollaborativeEnsemble,
    DeepToShallow,
    EpochToEpoch,
    GatedEnsemble,
    LastBatch,
    MutualLearning,
    SameClassPairs,
    VirtualTeacher,
)
from sklkd.methods._born_again import training_outputs
from sklkd.methods._collaborative_ensemble import COMBINATIONS

from . import own
from .peers import objective

COMBINED = [CollaborativeEnsemble(combination=one) for one in COMBINATIONS]
WEIGHT = torch.arange(1.0, 9.0, dtype=torch.float64)


def labels(n_labels, n=8, seed=0):
    return torch.from_numpy(np.random.RandomState(seed).randint(2, size=(n, n_labels)))


def logits(n_labels, n_peers=3, n=8, seed=1):
    return list(torch.from_numpy(2 * np.random.RandomState(seed).normal(size=(n_peers, n, n_labels))))


def of_two_classes(logit):
    """One label's logits (n,) as those of two classes."""
    return torch.stack([torch.zeros_like(logit), logit], 1)


def terms(method, outputs, y, task, targets=()):
    made = objective(method, 3, task, epoch=3, n_epochs=10, weight=WEIGHT, targets=targets)
    made.mixture = [0.2, 0.3, 0.5]
    own_losses, distillation_losses = made.terms(outputs, y)
    return torch.stack([*own_losses, *distillation_losses])


@pytest.mark.parametrize(
    ("method", "n_labels"),
    [
        *((method, 1) for method in COMBINED),
        # these weigh whole rows or batches, others each label by itself
        *((method, 4) for method in COMBINED if method.combination not in ("linear", "best")),
        (MutualLearning(), 4),
        (MutualLearning(temperature=3.0, weight=0.4), 4),
        (GatedEnsemble(), 4),
    ],
    ids=str,
)
def test_peers_learn_labels_as_so_many_questions_of_two_classes(method, n_labels):
    outputs, y = logits(n_labels), labels(n_labels)
    gate = logits(3, 1, seed=2) if isinstance(method, GatedEnsemble) else []
    found = terms(method, [*outputs, *gate], y, "multilabel")
    parts = [
        terms(method, [*(of_two_classes(one[:, k]) for one in outputs), *gate], y[:, k], "classification")
        for k in range(n_labels)
    ]
    torch.testing.assert_close(found, torch.stack(parts).mean(0))


def test_peers_learn_labels_from_stored_predictions():
    outputs, y = logits(4), labels(4)
    stored = torch.from_numpy(np.random.RandomState(3).uniform(size=(8, 3, 4)))
    found = terms(Codistillation(temperature=2.0), outputs, y, "multilabel", [stored])
    parts = [
        terms(
            Codistillation(temperature=2.0),
            [of_two_classes(one[:, k]) for one in outputs],
            y[:, k],
            "classification",
            [torch.stack([1 - stored[:, :, k], stored[:, :, k]], 2)],
        )
        for k in range(4)
    ]
    torch.testing.assert_close(found, torch.stack(parts).mean(0))


def test_rows_without_labels_have_the_mean_of_the_peers_as_target():
    outputs, y = torch.stack(logits(4)), labels(4)
    y[2] = -1
    for method in COMBINED:
        target = method.together(outputs, y, WEIGHT, [0.2, 0.3, 0.5])
        torch.testing.assert_close(target[2], outputs[:, 2].mean(0))


def epoch_to_epoch(y_pred, past, y):
    index = torch.arange(len(y))
    made = own.batch(EpochToEpoch().objective(own.training(y, y_pred.shape[1])), y, (index,), WEIGHT, epoch=4)
    made.past = past.clone()
    return made(y_pred, y), made.past


def test_moved_targets_of_each_label():
    y_pred, past, y = logits(4, 1)[0], torch.rand(8, 4, dtype=torch.float64), labels(4)
    found, kept = epoch_to_epoch(y_pred, past, y)
    torch.testing.assert_close(kept, y_pred.sigmoid())
    parts = [
        epoch_to_epoch(of_two_classes(y_pred[:, k]), torch.stack([1 - past[:, k], past[:, k]], 1), y[:, k])[0]
        for k in range(4)
    ]
    torch.testing.assert_close(found, torch.stack(parts).mean())


def last_batch(before, now, y, n_outputs):
    made = own.batch(LastBatch(temperature=2.0).objective(own.training(y, n_outputs)), y, (), WEIGHT)
    made(before, y)
    made.rows = made.last[0]
    return made(torch.cat([now, now])[: len(y)], y)


def test_last_predictions_of_each_label():
    (before, now), y = logits(4, 2), labels(4)
    parts = [last_batch(of_two_classes(before[:, k]), of_two_classes(now[:, k]), y[:, k], 2) for k in range(4)]
    torch.testing.assert_close(last_batch(before, now, y, 4), torch.stack(parts).mean())


def test_exits_learn_the_deepest_probability_of_each_label():
    shallow, deep = logits(4, 2)
    y = labels(4)

    def soft(shallow, deep, y, n_outputs):
        made = own.batch(DeepToShallow().objective(own.training(y, n_outputs)), y, (), WEIGHT)
        return made.soft([shallow], deep), made.labels([shallow, deep], y)

    found = soft(shallow, deep, y, 4)
    parts = [soft(of_two_classes(shallow[:, k]), of_two_classes(deep[:, k]), y[:, k], 2) for k in range(4)]
    for k, value in enumerate(found):
        torch.testing.assert_close(value, torch.stack([part[k] for part in parts]).mean())


def test_a_generation_learns_the_probabilities_of_the_one_before():
    inputs = torch.randn(8, 3)
    training = own.training(labels(4), 4, inputs=inputs)
    module = torch.nn.Linear(3, 4)
    values = training_outputs(own.net_of(module), training).values
    np.testing.assert_allclose(values, module(inputs).sigmoid().detach().numpy(), rtol=1e-6)
    BornAgain().check("multilabel")


@pytest.mark.parametrize("method", [VirtualTeacher(), SameClassPairs()], ids=str)
def test_methods_of_classes_say_so(method):
    with pytest.raises(ValueError, match="has no meaning for several labels a row, only for classification"):
        method.check("multilabel")
