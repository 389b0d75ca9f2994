"""SimKD: the hint, and the teacher's classifier reused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sklkd.losses import SimKDLoss
from tests.losses import oracle


@pytest.mark.parametrize("entry", oracle.entries("FitNet"), ids=lambda entry: entry["on"])
def test_the_values_of_a_hint(entry):
    oracle.assert_matches(SimKDLoss(), entry)


@pytest.mark.parametrize("maps", [False, True])
def test_head_is_the_teachers_classifier_on_the_projected_student(maps):
    torch.manual_seed(0)
    size = (2, 3) if maps else ()
    teacher = 5 * torch.randn(30, 4, *size).double() + 2
    student = torch.randn(8, 6, *size).double()
    weight, bias = torch.randn(3, 4).double(), torch.randn(3).double()
    loss = SimKDLoss()
    loss.build((6, *size), (4, *size))
    loss.double().fit_teacher(teacher)
    head = loss.head(weight, bias)

    # long way: project, undo the standardisation, average the positions, classify
    axes = (0, 2, 3) if maps else (0,)
    mean, std = teacher.numpy().mean(axes, keepdims=True), teacher.numpy().std(axes, keepdims=True)
    predicted = loss.projector_(student).detach().numpy() * std + mean
    if maps:
        predicted, student = predicted.mean((2, 3)), student.mean((2, 3))
    expected = predicted @ weight.numpy().T + bias.numpy()
    np.testing.assert_allclose(head(student).detach(), expected, rtol=1e-10)
    assert head.weight.shape == (3, 6) and head.weight.requires_grad


def test_head_of_equal_widths_without_a_projector():
    weight, bias = torch.randn(3, 4), torch.randn(3)
    head = SimKDLoss().head(weight, bias)
    torch.testing.assert_close(head(torch.ones(1, 4)), weight.sum(1)[None] + bias)


def test_a_student_that_learns_the_hint_answers_as_the_teacher():
    torch.manual_seed(0)
    student = torch.randn(200, 6)
    teacher = student @ torch.randn(6, 4) + 1
    weight, bias = torch.randn(3, 4), torch.randn(3)
    loss = SimKDLoss()
    loss.build((6,), (4,))
    loss.fit_teacher(teacher)
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.05)
    for _ in range(500):
        optimizer.zero_grad()
        loss(student, teacher).backward()
        optimizer.step()
    torch.testing.assert_close(loss.head(weight, bias)(student), teacher @ weight.T + bias, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(
    ("weight", "bias", "message"),
    [
        (torch.ones(3, 5), torch.ones(3), "one column for each of the 4 teacher features of the loss, got 5"),
        (torch.ones(3, 4), torch.ones(4), r"weight must have shape \(n_outputs, n_features\)"),
        (torch.ones(4), torch.ones(4), r"weight must have shape \(n_outputs, n_features\)"),
    ],
)
def test_weights_of_another_classifier(weight, bias, message):
    loss = SimKDLoss()
    loss.build((6,), (4,))
    with pytest.raises(ValueError, match=message):
        loss.head(weight, bias)
