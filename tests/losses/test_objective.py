"""What a training minimises, batch by batch and stage by stage."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from sklkd.losses import Loss, ReviewKDLoss
from sklkd.losses._feature import FeatureLoss, InitialStage
from sklkd.losses._objective import Objective, hard_loss


class Constant(Loss):
    """A loss on outputs whose value is a number, with the student in it so that there is a gradient."""

    def __init__(self, value=1.0, weight=1.0):
        super().__init__(weight=weight)
        self.value = value

    def compare(self, student, target, y=None, sample_weight=None):
        return self.value + 0 * student.sum()


class WarmConstant(Constant):
    def ramp(self, epoch):
        return min(1.0, epoch / 4)


class FirstConstant(InitialStage, Constant):
    init_epochs = 2


class Layers(FeatureLoss):
    """It returns the sum of what it is given of the student."""

    def compare(self, student, target, y=None, sample_weight=None):
        return student.sum()


class TwoLayers(Layers):
    n_layers = 2

    def compare(self, student, target, y=None, sample_weight=None):
        first, second = student
        return first.sum() - second.sum()


LOGITS, Y = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 1])


def objective(losses, hard_weight, taps=None, epoch=0, weight=None):
    made = Objective([(f"loss{i}", loss) for i, loss in enumerate(losses)], hard_weight, taps)
    made.rows = SimpleNamespace(weight=weight, targets=[None] * len(losses))
    made.epoch = epoch
    return made


def hard():
    return hard_loss(LOGITS, Y, None)


def test_labels_and_losses_are_weighted_and_summed():
    both = objective([Constant(3.0, weight=2.0), Constant(5.0)], 0.25)
    torch.testing.assert_close(both(LOGITS, Y), 0.25 * hard() + 0.75 * (2 * 3.0 + 5.0))
    torch.testing.assert_close(objective([Constant(3.0)], 0.0)(LOGITS, Y), torch.tensor(3.0))
    torch.testing.assert_close(objective([], 1.0)(LOGITS, Y), hard())


@pytest.mark.parametrize(("epoch", "share"), [(0, 0.0), (1, 0.25), (4, 1.0), (9, 1.0)])
def test_a_ramp_multiplies_the_weight(epoch, share):
    value = objective([WarmConstant(3.0, weight=2.0)], 0.5, epoch=epoch)(LOGITS, Y)
    torch.testing.assert_close(value, 0.5 * hard() + 0.5 * share * 6.0)


def test_review_kd_warms_up():
    assert [ReviewKDLoss(warmup=4).ramp(epoch) for epoch in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]


@pytest.mark.parametrize("hard_weight", [0.0, 0.5])
def test_a_first_stage_trains_its_losses_alone_and_afterwards_the_others(hard_weight):
    made = objective([FirstConstant(3.0, weight=2.0), Constant(5.0)], hard_weight)
    for made.epoch in (0, 1):
        torch.testing.assert_close(made(LOGITS, Y), torch.tensor(6.0))
    made.epoch = 2
    torch.testing.assert_close(made(LOGITS, Y), hard_weight * hard() + (1 - hard_weight) * 5.0)


def test_losses_on_layers_are_given_what_is_read_at_their_taps():
    made = objective([Layers(), TwoLayers()], 0.0, [("a",), ("a", "b")])
    made.features |= {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([10.0])}
    torch.testing.assert_close(made(LOGITS, Y), torch.tensor(3.0 + (3.0 - 10.0)))


def test_layer_names_are_checked():
    with pytest.raises(TypeError, match="student_layer must be the name of a layer or None, got student_layer=3"):
        Layers(student_layer=3).check()
    with pytest.raises(TypeError, match=r"teacher_layer must be a tuple of names of layers or None, got .*='a'"):
        TwoLayers(teacher_layer="a").check()
