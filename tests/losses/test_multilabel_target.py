"""Soft targets of several labels a row."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit, rel_entr

from sklkd.losses import MultilabelTargetLoss, SoftTargetLoss
from sklkd.teachers import Outputs

LOGITS = arrays(np.float64, (5, 3), elements=st.floats(-8, 8))


@given(LOGITS, LOGITS, st.sampled_from([1.0, 2.0, 7.5]))
def test_formula(student, teacher, temperature):
    p, q = expit(teacher / temperature), expit(student / temperature)
    expected = temperature**2 * (rel_entr(p, q) + rel_entr(1 - p, 1 - q)).mean()
    value = MultilabelTargetLoss(temperature=temperature)(torch.tensor(student), torch.tensor(teacher))
    assert float(value) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(LOGITS, LOGITS)
def test_each_label_is_a_question_of_two_classes(student, teacher):
    def two(logits):
        return torch.stack([torch.zeros(logits.size), torch.tensor(logits.ravel())], dim=1)

    value = MultilabelTargetLoss(temperature=3)(torch.tensor(student), torch.tensor(teacher))
    assert float(value) == pytest.approx(float(SoftTargetLoss(temperature=3)(two(student), two(teacher))), abs=1e-9)


@given(LOGITS, LOGITS)
def test_gradient_is_the_difference_of_probabilities(student, teacher):
    given_logits = torch.tensor(student, requires_grad=True)
    MultilabelTargetLoss()(given_logits, torch.tensor(teacher)).backward()
    np.testing.assert_allclose(given_logits.grad, (expit(student) - expit(teacher)) / student.size, atol=1e-12)


def test_certain_teachers():
    # at temperature 1 as they are; else clipped, so that there are odds
    outputs = Outputs(values=np.array([[0.0, 1.0, 0.5]]))
    proba, negative_entropy = MultilabelTargetLoss().target(outputs)
    assert proba.tolist() == [[0.0, 1.0, 0.5]]
    assert float(negative_entropy) == pytest.approx(np.log(0.5) / 3)
    soft, _ = MultilabelTargetLoss(temperature=4).target(outputs)
    odds = 1e-4 / (1 - 1e-4)
    np.testing.assert_allclose(soft, [[1 / (1 + odds**-0.25), 1 / (1 + odds**0.25), 0.5]], rtol=1e-5)


@pytest.mark.parametrize("temperature", [0, -1.0, float("nan")])
def test_temperature_is_checked(temperature):
    with pytest.raises(ValueError, match="temperature must be > 0"):
        MultilabelTargetLoss(temperature=temperature).check()
