"""Contrastive representation distillation against a recomputation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sklkd.losses import CRDLoss


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1)[:, None]


def contrast(student, teacher, extra, temperature, same=lambda i, j: False) -> float:
    """The loss from embedded rows, pair by pair; ``same(i, j)``: candidate j is no negative of row i."""
    student, candidates = unit(student), unit(np.concatenate([teacher, extra]))
    n_rows, value = len(student), 0.0
    for i in range(n_rows):
        positive = np.exp(student[i] @ candidates[i] / temperature)
        negatives = [j for j in range(len(candidates)) if j != i and not same(i, j)]
        by_student = sum(np.exp(student[i] @ candidates[j] / temperature) for j in negatives)
        by_teacher = sum(np.exp(student[j] @ candidates[i] / temperature) for j in negatives if j < n_rows)
        value -= np.log(positive / (positive + by_student)) + np.log(positive / (positive + by_teacher))
    return value / n_rows


@pytest.mark.parametrize("temperature", [0.07, 1.0])
def test_within_the_batch(temperature):
    rng = np.random.default_rng(0)
    student, teacher = rng.normal(size=(6, 4)), rng.normal(size=(6, 4))
    value = CRDLoss(temperature=temperature)(torch.from_numpy(student), torch.from_numpy(teacher))
    np.testing.assert_allclose(value, contrast(student, teacher, teacher[:0], temperature), rtol=1e-10)


@pytest.mark.parametrize("maps", [False, True])
def test_in_a_fit(maps):
    rng = np.random.default_rng(0)
    size = (2, 2) if maps else ()
    student, teacher = rng.normal(size=(6, 3, *size)), 4 * rng.normal(size=(25, 5, *size)) + 1
    loss = CRDLoss(n_features=7, n_negatives=4, temperature=0.5)
    loss.build(student.shape[1:], teacher.shape[1:])
    loss.double().fit_teacher(torch.from_numpy(teacher))
    # rows 0, 8, 16 and 24 are the stored negatives, the batch has others
    value = loss(torch.from_numpy(student), torch.from_numpy(teacher[1:7]))

    def embed(layer, rows):
        return rows.reshape(len(rows), -1) @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()

    axes = (0, 2, 3) if maps else (0,)
    standardised = (teacher - teacher.mean(axes, keepdims=True)) / teacher.std(axes, keepdims=True)
    embedded = embed(loss.teacher_embedding_, standardised)
    expected = contrast(embed(loss.projector_, student), embedded[1:7], embedded[[0, 8, 16, 24]], 0.5)
    np.testing.assert_allclose(value.item(), expected, rtol=1e-10)


def test_rows_that_the_teacher_cannot_tell_apart_are_no_negatives():
    rng = np.random.default_rng(0)
    student, teacher = rng.normal(size=(6, 4)), rng.normal(size=(6, 4))
    teacher[3] = teacher[1]
    value = CRDLoss(temperature=0.5)(torch.from_numpy(student), torch.from_numpy(teacher))
    expected = contrast(student, teacher, teacher[:0], 0.5, same=lambda i, j: {i, j} == {1, 3})
    np.testing.assert_allclose(value, expected, rtol=1e-10)

    # a row is no negative of itself either where it was stored
    loss = CRDLoss(temperature=0.5, n_negatives=6)
    loss.build((4,), (4,))
    loss.double().fit_teacher(torch.from_numpy(teacher))
    loss.projector_ = loss.teacher_embedding_ = None
    target = loss.prepare(torch.from_numpy(teacher))
    twice = loss.compare(torch.from_numpy(student), target)
    same = lambda i, j: i == j - 6 or {i, j % 6} == {1, 3}  # noqa: E731
    np.testing.assert_allclose(twice, contrast(student, target.numpy(), target.numpy(), 0.5, same), rtol=1e-10)


def test_one_row_alone_has_nothing_to_contrast():
    student = torch.randn(1, 4, requires_grad=True)
    value = CRDLoss()(student, torch.randn(1, 4))
    value.backward()
    assert value == 0 and student.grad.abs().max() == 0


def test_lowest_where_each_row_points_at_its_own_teacher():
    teacher = torch.eye(5)
    at_teacher = CRDLoss()(3 * teacher, teacher)
    assert at_teacher < 1e-4
    assert CRDLoss()(teacher.roll(1, 0), teacher) > 10
    rng = np.random.default_rng(0)
    assert all(CRDLoss()(torch.from_numpy(rng.normal(size=(5, 5))).float(), teacher) > at_teacher for _ in range(20))


def test_stored_negatives():
    teacher = torch.randn(10, 3)
    loss = CRDLoss(n_negatives=100)
    loss.fit_teacher(teacher)
    assert loss.negatives_.shape == (10, 3)
    none = CRDLoss(n_negatives=0)
    none.fit_teacher(teacher)
    assert none.negatives_ is None


def test_cold_similarities_do_not_overflow_in_float32():
    student, teacher = torch.randn(8, 4), torch.randn(8, 4)
    assert torch.isfinite(CRDLoss(temperature=1e-4)(student, teacher))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"temperature": 0}, "temperature must be > 0, got temperature=0"),
        ({"n_features": 0}, "n_features must be >= 1, got n_features=0"),
        ({"n_negatives": -1}, "n_negatives must be >= 0, got n_negatives=-1"),
    ],
)
def test_parameters_out_of_range(params, message):
    with pytest.raises(ValueError, match=message):
        CRDLoss(**params).build((3,), (3,))
