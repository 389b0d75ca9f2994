from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax

from sklkd.losses import CorrectedTargetLoss
from sklkd.losses._corrected_target import corrected_target

from .oracle import array, entry, tensor


@pytest.mark.parametrize("c", [0.1, 1, 10])
def test_reference_targets(c):
    reference = entry("CorrectedTarget, probability scale", f"c={c}")
    target = corrected_target(tensor("p"), tensor("yp"), c, "probability")
    np.testing.assert_allclose(target, reference["value"], rtol=reference["rtol"])


def test_reference_targets_on_the_log_scale():
    reference = entry("CorrectedTarget, log scale, bounded")
    target = corrected_target(tensor("p"), tensor("yp"), 1, "log")
    np.testing.assert_allclose(target, reference["value"], rtol=reference["rtol"])
    # an infinite c gives the orthogonal correction, up to the clip (there in every place)
    orthogonal = np.array(entry("CorrectedTarget, log scale, orthogonal")["value"])
    target = corrected_target(tensor("p"), tensor("yp"), np.inf, "log").numpy()
    clipped = array("p") < 1 / 500
    np.testing.assert_allclose(target[~clipped], orthogonal[~clipped], rtol=1e-6)
    np.testing.assert_allclose(target[clipped], orthogonal[clipped], atol=1.001)


def test_reference_targets_of_classes():
    # the public code compares raw outputs with them
    reference = entry("CorrectedTarget, classes, probability scale")
    truth = torch.nn.functional.one_hot(tensor("y"), 4).double()
    target = corrected_target(tensor("zt").softmax(1), truth, 1, "probability")
    np.testing.assert_allclose((tensor("zs") - target).square().mean(), reference["value"], rtol=reference["rtol"])


def test_reference_loss():
    # both classes of a binary problem have the same squared difference
    student, teacher = (torch.stack([1 - tensor(name), tensor(name)], 1).log() for name in ("sp", "p"))
    value = CorrectedTargetLoss()(student, teacher, tensor("yp"))
    np.testing.assert_allclose(value, entry("CorrectedTarget, probability scale, squared loss")["value"], rtol=1e-9)


@pytest.mark.parametrize("scale", ["probability", "log"])
@pytest.mark.parametrize("c", [0.3, 1.0, np.inf])
def test_recomputed(scale, c):
    rng = np.random.default_rng(0)
    student, teacher = 3 * rng.normal(size=(2, 20, 3))
    y, weight = rng.integers(3, size=20), rng.exponential(size=20)
    p, error = softmax(teacher, axis=1), np.eye(3)[y] - softmax(teacher, axis=1)
    step = error if np.isinf(c) else error * c / (c + error**2)
    if scale == "probability":
        rows = (softmax(student, axis=1) - (p + step)) ** 2
    else:
        clipped = np.maximum(p, 1 / 500)
        rows = (log_softmax(student, axis=1) - (np.log(clipped) + step / clipped)) ** 2
    assert (p < 1 / 500).any()
    arguments = [torch.from_numpy(a) for a in (student, teacher, y)]
    loss = CorrectedTargetLoss(c=c, scale=scale)
    np.testing.assert_allclose(loss(*arguments), rows.mean(), rtol=1e-10)
    weighted = loss(*arguments, sample_weight=torch.from_numpy(weight))
    np.testing.assert_allclose(weighted, np.average(rows.mean(1), weights=weight), rtol=1e-10)


def test_target_lies_between_teacher_and_label():
    p, truth = tensor("p"), tensor("yp").double()
    target = corrected_target(p, truth, 1, "probability")
    assert ((target - p) * (truth - target) >= 0).all()
    torch.testing.assert_close(corrected_target(p, truth, 1e-12, "probability"), p)
    torch.testing.assert_close(corrected_target(p, truth, np.inf, "probability"), truth)


def test_rows_without_a_label_keep_the_teacher():
    teacher = tensor("zt")
    unlabelled = torch.full((6,), -100)
    assert CorrectedTargetLoss()(teacher, teacher, unlabelled) == 0
    y = tensor("y")
    some = torch.where(torch.arange(6) < 3, y, -100)
    value = CorrectedTargetLoss()(teacher, teacher, some)
    torch.testing.assert_close(value, CorrectedTargetLoss()(teacher[:3], teacher[:3], y[:3]) / 2)


def test_certain_teachers():
    proba = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    student = torch.zeros(2, 2, dtype=torch.float64, requires_grad=True)
    for scale in ("probability", "log"):
        value = CorrectedTargetLoss(scale=scale)(student, proba.log(), torch.tensor([0, 0]))
        assert value.isfinite()
        assert torch.autograd.grad(value, student)[0].isfinite().all()


def test_parameters_are_checked():
    arguments = tensor("zs"), tensor("zt"), tensor("y")
    with pytest.raises(ValueError, match=r"c must be > 0, got c=0\."):
        CorrectedTargetLoss(c=0)(*arguments)
    with pytest.raises(ValueError, match=r"scale must be one of 'probability', 'log', got scale='logit'\."):
        CorrectedTargetLoss(scale="logit")(*arguments)
