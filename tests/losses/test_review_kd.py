"""Knowledge review against the reference values and a recomputation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sklkd.losses import ReviewKDLoss
from tests.losses import oracle

ONE, TWO = oracle.entries("ReviewKD HCL")


def test_reference_value_of_one_map():
    assert ONE["on"] == "gs vs gt"
    oracle.assert_matches(ReviewKDLoss(), {**ONE, "on": "gs, gt"})
    oracle.assert_matches(ReviewKDLoss(), {**ONE, "on": "(gs,), (gt,)"})


def test_reference_value_of_two_maps():
    assert TWO["on"] == "gs, gs2 vs gt, gt2"
    oracle.assert_matches(ReviewKDLoss(), {**TWO, "on": "(gs, gs2), (gt, gt2)"})


@pytest.mark.parametrize("side", [1, 2, 3, 4, 5, 8])
def test_recomputed(side):
    rng = np.random.default_rng(0)
    student, teacher = rng.normal(size=(2, 3, side, side)), rng.normal(size=(2, 3, side, side))

    def pool(maps, size):
        # adaptive windows: from floor(i n / k) to ceil((i + 1) n / k), which overlap where k does not divide n
        windows = [slice(i * side // size, -(-(i + 1) * side // size)) for i in range(size)]
        return np.stack([np.stack([maps[:, :, a, b].mean((2, 3)) for b in windows], -1) for a in windows], -2)

    total, weight, weight_sum = np.mean((student - teacher) ** 2), 1.0, 1.0
    for size in (4, 2, 1):
        if size < side:
            weight /= 2
            total += weight * np.mean((pool(student, size) - pool(teacher, size)) ** 2)
            weight_sum += weight
    value = ReviewKDLoss()(torch.from_numpy(student), torch.from_numpy(teacher))
    np.testing.assert_allclose(value, total / weight_sum, rtol=1e-12)


def test_vectors_are_compared_by_mean_squares():
    student, teacher = (oracle.tensor("fs"), oracle.tensor("fs2")), (oracle.tensor("ft"), oracle.tensor("ft2"))
    expected = sum(np.mean((s.numpy() - t.numpy()) ** 2) for s, t in zip(student, teacher, strict=True))
    np.testing.assert_allclose(ReviewKDLoss()(student, teacher), expected, rtol=1e-12)


def built(student, teacher) -> ReviewKDLoss:
    torch.manual_seed(0)
    loss = ReviewKDLoss(n_channels=4)
    loss.build(tuple(layer.shape[1:] for layer in student), tuple(layer.shape[1:] for layer in teacher))
    loss.fit_teacher(teacher)
    return loss


def test_fusion_of_vectors_recomputed():
    rng = np.random.default_rng(0)
    student = tuple(torch.from_numpy(rng.normal(size=(6, width))).float() for width in (5, 3))
    teacher = tuple(torch.from_numpy(rng.normal(size=(6, width))).float() for width in (7, 2))
    loss = built(student, teacher)
    value = loss(student, teacher).item()

    def linear(layer, rows):
        return rows @ layer.weight.detach().numpy()[:, :, 0, 0].T + layer.bias.detach().numpy()

    shallow, deep = loss.fusions_
    assert deep.gate is None
    from_deep = linear(deep.enter, student[1].numpy())
    entered = linear(shallow.enter, student[0].numpy())
    gates = 1 / (1 + np.exp(-linear(shallow.gate, np.concatenate([entered, from_deep], 1))))
    mixed = gates[:, :1] * entered + gates[:, 1:] * from_deep
    outputs = linear(shallow.leave, mixed), linear(deep.leave, from_deep)
    targets = [(t.numpy() - t.numpy().mean(0)) / t.numpy().std(0) for t in teacher]
    expected = sum(np.mean((o - t) ** 2) for o, t in zip(outputs, targets, strict=True))
    np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_maps_of_any_sizes_are_fused():
    student = torch.randn(4, 3, 8, 8), torch.randn(4, 6, 4, 4), torch.randn(4, 5)
    teacher = torch.randn(4, 2, 6, 6), torch.randn(4, 4, 3, 3), torch.randn(4, 7)
    loss = built(student, teacher)
    value = loss(student, teacher)
    value.backward()
    assert torch.isfinite(value)
    for name, parameter in loss.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def test_the_deep_layer_helps_the_shallow_one():
    student = tuple(layer.requires_grad_() for layer in (torch.randn(6, 5), torch.randn(6, 3)))
    teacher = torch.randn(6, 7), torch.randn(6, 2)
    loss = built(student, teacher)
    shallow = loss.fusions_[0]
    _, deeper = loss.fusions_[1](student[1], None)
    shallow(student[0], deeper)[0].sum().backward()
    assert student[1].grad.abs().sum() > 0


def test_warmup():
    np.testing.assert_allclose([ReviewKDLoss(warmup=4).ramp(epoch) for epoch in range(6)], [0.25, 0.5, 0.75, 1, 1, 1])
    assert ReviewKDLoss(warmup=0).ramp(0) == 1
    assert not ReviewKDLoss().alone(0)


def test_as_many_layers_on_both_sides():
    layer = torch.zeros(2, 3)
    message = "as many layers of the student as of the teacher, got 1 and 2"
    with pytest.raises(ValueError, match=message):
        ReviewKDLoss()(layer, (layer, layer))
    with pytest.raises(ValueError, match=message):
        ReviewKDLoss().build((3,), ((3,), (3,)))


def test_unequal_shapes_need_fusions():
    with pytest.raises(ValueError, match=r"(?s)got \(2, 3\) and \(2, 4\). Call build"):
        ReviewKDLoss()(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(ValueError, match="the same rows"):
        ReviewKDLoss()(torch.zeros(2, 3), torch.zeros(1, 3))


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"warmup": -1}, ValueError, "warmup must be >= 0, got warmup=-1"),
        ({"n_channels": 0}, ValueError, "n_channels must be >= 1, got n_channels=0"),
        ({"warmup": 2.5}, TypeError, "warmup must be an integer, got warmup=2.5"),
    ],
)
def test_parameters_out_of_range(params, error, message):
    with pytest.raises(error, match=message):
        ReviewKDLoss(**params)(torch.ones(1, 2), torch.ones(1, 2))
