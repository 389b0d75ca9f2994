from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import rel_entr, softmax

from sklkd.losses import LogitMSELoss, SoftTargetLoss

from .oracle import array, assert_matches, call, entry, tensor

LOGITS = arrays(np.float64, (4, 3), elements=st.floats(-30, 30))


@pytest.mark.parametrize("temperature", [1, 2, 4, 20])
def test_reference(temperature):
    assert_matches(SoftTargetLoss(temperature=temperature), entry("SoftTarget", f"T={temperature}"))


def test_reference_of_two_classes():
    assert_matches(SoftTargetLoss(temperature=4), entry("SoftTarget", "T=4, binary"))


@pytest.mark.parametrize("temperature", [2, 4])
def test_reference_standardised(temperature):
    loss = SoftTargetLoss(temperature=temperature, standardize=True)
    assert_matches(loss, entry("SoftTarget, standardised logits", f"T={temperature}"))


def test_is_cross_entropy_less_the_teachers_entropy():
    reference = entry("CrossEntropy with soft targets")
    teacher = softmax(array("zt"), axis=1)
    entropy = -(teacher * np.log(teacher)).sum(1).mean()
    value, grad_norm = call(SoftTargetLoss(), reference)
    np.testing.assert_allclose(value + entropy, reference["value"], rtol=1e-12)
    np.testing.assert_allclose(grad_norm, reference["grad_norm"]["value"], rtol=1e-12)


@given(LOGITS, LOGITS, st.sampled_from([0.5, 1, 3]), arrays(np.float64, 4, elements=st.floats(0.1, 3)))
def test_recomputed(student, teacher, temperature, weight):
    rows = temperature**2 * rel_entr(
        softmax(teacher / temperature, axis=1), softmax(student / temperature, axis=1)
    ).sum(1)
    loss = SoftTargetLoss(temperature=temperature)
    student, teacher = torch.from_numpy(student), torch.from_numpy(teacher)
    value = loss(student, teacher)
    np.testing.assert_allclose(value, rows.mean(), rtol=1e-9, atol=1e-12)
    assert value >= -1e-12
    weighted = loss(student, teacher, sample_weight=torch.from_numpy(weight))
    np.testing.assert_allclose(weighted, (rows * weight).sum() / weight.sum(), rtol=1e-9, atol=1e-12)


def test_certain_teachers_are_taken_exactly():
    proba = np.array([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])
    loss = SoftTargetLoss()
    target = loss.target(SimpleNamespace(proba=proba, logits=np.full((2, 3), np.nan)))
    assert target[0].tolist() == proba.tolist()
    np.testing.assert_allclose(target[1], [0, -np.log(2)], rtol=1e-6)
    student = torch.tensor([[2.0, 0.0, -1.0], [0.0, 1.0, 3.0]], requires_grad=True)
    value = loss.compare(student, target)
    q = softmax(student.detach().numpy(), axis=1)
    np.testing.assert_allclose(value.item(), (-np.log(q[0, 0]) + rel_entr(proba[1], q[1]).sum()) / 2, rtol=1e-6)
    value.backward()
    np.testing.assert_allclose(student.grad, (q - proba) / 2, rtol=1e-5, atol=1e-7)
    # as logits, -inf is a probability of 0
    logits = torch.tensor([[0.0, -np.inf, -np.inf]], dtype=torch.float64)
    assert loss(torch.zeros(1, 3, dtype=torch.float64), logits).item() == pytest.approx(np.log(3))


def test_targets_at_other_temperatures_come_from_logits():
    logits = np.array([[4.0, 0.0, -2.0]])
    proba, _ = SoftTargetLoss(temperature=2).target(SimpleNamespace(proba=None, logits=logits))
    np.testing.assert_allclose(proba, softmax(logits / 2, axis=1), rtol=1e-6)


def test_tends_to_half_of_the_centred_squared_difference():
    student, teacher = tensor("zs"), tensor("zt")
    warm = SoftTargetLoss(temperature=1e4)(student, teacher)
    torch.testing.assert_close(warm, LogitMSELoss()(student, teacher) / 2, rtol=1e-3, atol=0)


@pytest.mark.parametrize("temperature", [1, 20])
def test_float32(temperature):
    loss = SoftTargetLoss(temperature=temperature)
    value = loss(tensor("zs").float(), tensor("zt").float())
    np.testing.assert_allclose(value, entry("SoftTarget", f"T={temperature}")["value"], rtol=1e-4)


def test_standardised_logits_have_no_scale():
    loss = SoftTargetLoss(temperature=2, standardize=True)
    student, teacher = tensor("zs"), tensor("zt")
    torch.testing.assert_close(loss(7 * student + 3, 0.2 * teacher - 1), loss(student, teacher))


def test_standardised_constant_rows_have_bounded_gradients():
    student = torch.zeros(6, 4, dtype=torch.float64, requires_grad=True)
    value = SoftTargetLoss(temperature=2, standardize=True)(student, tensor("zt"))
    value.backward()
    assert value.isfinite() and 0 < student.grad.norm() < 1e3


def test_two_standardised_logits_are_refused():
    loss = SoftTargetLoss(standardize=True)
    message = "standardize=True needs at least 3 classes, got 2: .* Use standardize=False"
    with pytest.raises(ValueError, match=message):
        loss(tensor("zs2"), tensor("zt2"))
    with pytest.raises(ValueError, match=message):
        loss.target(SimpleNamespace(proba=None, logits=array("zt2")))


@pytest.mark.parametrize(
    ("temperature", "error", "message"),
    [
        (0, ValueError, "temperature must be > 0, got temperature=0."),
        (-1.5, ValueError, "temperature must be > 0, got temperature=-1.5."),
        (np.nan, ValueError, "temperature must be > 0, got temperature=nan."),
        (np.inf, ValueError, "temperature must be finite, got temperature=inf."),
        ("4", TypeError, "temperature must be a number, got temperature='4'."),
    ],
)
def test_temperature_is_checked(temperature, error, message):
    with pytest.raises(error, match=message):
        SoftTargetLoss(temperature=temperature)(tensor("zs"), tensor("zt"))


def test_numpy_numbers_are_numbers():
    loss = SoftTargetLoss(temperature=np.float32(4), weight=np.int64(2))
    assert_matches(loss, entry("SoftTarget", "T=4"))
