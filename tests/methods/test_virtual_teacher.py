"""The virtual teacher against the reference values and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sklkd import SelfDistilledClassifier, SelfDistilledRegressor
from sklkd.methods import EpochToEpoch, VirtualTeacher
from tests.estimators.problems import classes, quick, targets
from tests.losses import oracle

from . import own


def value_and_gradient(**params):
    y, logits = oracle.tensor("y"), oracle.tensor("zs").requires_grad_()
    made = own.batch(VirtualTeacher(**params).objective(own.training(y, 4)), y)
    # made in float32 for trainings
    value = made(logits, y)
    value.backward()
    return value.item(), logits.grad.norm()


@pytest.mark.parametrize(
    ("loss", "temperature"),
    [("Tf-KD, virtual teacher as probabilities", 1), ("Tf-KD, regularisation part, paper form", 20)],
)
def test_reference_values_of_the_paper(loss, temperature):
    entry = oracle.entry(loss)
    np.testing.assert_allclose(value_and_gradient(temperature=temperature, alpha=1)[0], entry["value"], rtol=2e-5)


def test_the_authors_code_is_a_confidence_without_a_temperature():
    confidence = np.exp(0.99 / 20) / (np.exp(0.99 / 20) + 3 * np.exp(0.01 / 3 / 20))
    value, gradient = value_and_gradient(temperature=1, alpha=1, confidence=confidence)
    entry = oracle.entry("Tf-KD, regularisation part, authors' code")
    np.testing.assert_allclose(value / 4, entry["value"], rtol=1e-5)
    np.testing.assert_allclose(gradient / 4, entry["grad_norm"]["value"], rtol=1e-5)
    # (1 - 0.1) of the labels and 0.1 / 4 of the teacher, in our terms times a factor
    factor = 0.9 + 0.1 / 4
    value, gradient = value_and_gradient(temperature=1, alpha=0.1 / 4 / factor, confidence=confidence)
    entry = oracle.entry("Tf-KD, total, authors' code")
    np.testing.assert_allclose(factor * value, entry["value"], rtol=1e-5)
    np.testing.assert_allclose(factor * gradient, entry["grad_norm"]["value"], rtol=1e-5)


def test_weighted_rows_by_hand():
    logits, y, weight = oracle.tensor("zs"), oracle.tensor("y"), torch.arange(1, 7).double()
    made = own.batch(VirtualTeacher(temperature=3, alpha=0.3, confidence=0.9).objective(own.training(y, 4)), y)
    made.rows.weight = weight
    teacher = np.log(np.where(np.eye(4)[y] > 0, 0.9, 0.1 / 3))
    rows = 0.7 * own.cross_entropy(logits.numpy(), y.numpy()) + 0.3 * own.divergence(teacher, logits.numpy(), 3)
    np.testing.assert_allclose(made(logits, y), np.average(rows, weights=weight), rtol=1e-5)


def test_alpha_0_is_the_network_that_learns_from_labels():
    X, y = classes(60)
    methods = VirtualTeacher(alpha=0), EpochToEpoch(alpha=0)
    a, b = (SelfDistilledClassifier(quick(), method=method, random_state=0).fit(X, y) for method in methods)
    np.testing.assert_allclose(a.predict_proba(X), b.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"temperature": 0}, "temperature must be > 0, got temperature=0"),
        ({"confidence": 1}, "confidence must be < 1, got confidence=1"),
        ({"confidence": 0.3}, "confidence must be > 1 / 3 with 3 classes"),
    ],
)
def test_parameters_out_of_range(params, message):
    X, y = classes(30)
    with pytest.raises(ValueError, match=message):
        SelfDistilledClassifier(quick(), method=VirtualTeacher(**params)).fit(X, y)


def test_no_meaning_for_regression():
    X, y = targets(30)
    with pytest.raises(ValueError, match="method: VirtualTeacher has no meaning for regression, only for classif"):
        SelfDistilledRegressor(quick(), method=VirtualTeacher()).fit(X, y)
