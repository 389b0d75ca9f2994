"""Where losses on hidden layers read a student."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sklkd._torch import Tap
from sklkd.losses import FitNetLoss, FSPLoss, SimKDLoss, SoftTargetLoss
from sklkd.losses._objective import Objective
from sklkd.students import TabularNet
from sklkd.students._activations import build_losses, put_output_layer, tapped, watch

X = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
SEVEN, FIVE = torch.randn(9, 7), torch.randn(9, 5)  # a teacher's layers


class Functional(nn.Module):
    """Activations are functions, so that no module returns a hidden layer; and it returns more than its answer."""

    def __init__(self):
        super().__init__()
        self.first, self.norm, self.second, self.last = (
            nn.Linear(4, 6),
            nn.BatchNorm1d(6),
            nn.Linear(6, 3),
            nn.Linear(3, 2),
        )

    def hidden(self, X):
        one = F.relu(self.norm(self.first(X)))
        return one, torch.tanh(self.second(one))

    def forward(self, X):
        return self.last(self.hidden(X)[1]), X


def built(module, *losses, features=None):
    objective = Objective([(f"loss{i}", loss) for i, loss in enumerate(losses)], 0.5)
    build_losses(objective, module, X, features or [SEVEN for _ in losses])
    return objective


def read(module, objective):
    with tapped(module, {tap for taps in objective.taps for tap in taps}, objective.features):
        module(X)
        return [[objective.features[tap] for tap in taps] for taps in objective.taps]


def test_the_last_hidden_layer_is_what_the_last_linear_layer_is_given():
    module = Functional().eval()
    objective = built(
        module,
        SoftTargetLoss(),
        FitNetLoss(),
        FSPLoss(),
        features=[None, SEVEN, (SEVEN, FIVE)],
    )
    nothing, one, two = read(module, objective)
    first, second = module.hidden(X)
    assert nothing == []
    torch.testing.assert_close(one, [second])
    torch.testing.assert_close(two, [first, second])
    # watching has changed nothing, and nothing stays behind
    assert objective.features == {}
    assert not any(part._forward_hooks for part in module.modules())
    assert objective.losses[1].projector_.weight.shape == (7, 3)
    assert [part.weight.shape for part in objective.losses[2].projectors_] == [(7, 6), (5, 3)]


def test_watching_leaves_statistics_and_mode_alone():
    module = Functional().train()
    mean = module.norm.running_mean.clone()
    watch(module, X)
    assert module.training and module.norm.training
    torch.testing.assert_close(module.norm.running_mean, mean)


def test_the_default_student():
    module = TabularNet(4, 2, hidden=(8, 6))
    one, two, named = read(
        module,
        built(
            module,
            FitNetLoss(),
            FSPLoss(),
            FitNetLoss(student_layer="hidden.0"),
            features=[SEVEN, (SEVEN, SEVEN), SEVEN],
        ),
    )
    first = module.hidden[0](module.encoding(X))
    second = module.hidden[1](first)
    torch.testing.assert_close(one, [second])
    torch.testing.assert_close(two, [first, second])
    torch.testing.assert_close(named, [first])


def test_between_layers_a_single_hidden_one_goes_with_the_output():
    module = TabularNet(4, 2, hidden=(8,))
    ((hidden, output),) = read(module, built(module, FSPLoss(), features=[(SEVEN, SEVEN)]))
    torch.testing.assert_close(output, module(X))
    torch.testing.assert_close(module.output(hidden), output)


def test_unknown_layers_are_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match=r"of FitNetLoss: the student has no layer 'hiden.0'; it has .*'hidden.0'"):
        built(TabularNet(4, 2, hidden=(8,)), FitNetLoss(student_layer="hiden.0"))
    with pytest.raises(ValueError, match=r"compares hidden layers, but the student has too few.*it has '0'"):
        built(nn.Sequential(nn.Linear(4, 2)), FitNetLoss())


def test_losses_are_built_on_the_training_rows():
    features = 3 * torch.randn(50, 7) + 2
    loss = built(TabularNet(4, 2, hidden=(8,)), FitNetLoss(), features=[features]).losses[0]
    torch.testing.assert_close(loss.standardizer_.mean_, features.mean(0))


def test_the_output_layer_is_replaced_in_place():
    module, layer = Functional(), nn.Linear(3, 2)
    weight = module.last.weight
    put_output_layer(module, X, Tap("last", True), layer)
    assert module.last.weight is weight
    torch.testing.assert_close(module.last.weight, layer.weight)
    torch.testing.assert_close(module.last.bias, layer.bias)


@pytest.mark.parametrize(
    ("tap", "layer"),
    [
        (Tap("second", False), nn.Linear(3, 2)),
        (Tap("first", False), nn.Linear(6, 2)),
        (Tap("last", True), nn.Linear(3, 4)),
    ],
    ids=["before the activation", "another layer", "another size"],
)
def test_an_output_layer_that_does_not_fit_is_refused(tap, layer):
    module = Functional()
    before = module.last.weight.clone()
    with pytest.raises(ValueError, match="can only replace a Linear layer with a bias that ends the student"):
        put_output_layer(module, X, tap, layer)
    torch.testing.assert_close(module.last.weight, before)


def test_simkd_reads_the_teachers_classifier_off_its_answers():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(60, 5, generator=generator).relu()
    features[:, 2] = 0  # a dead unit
    weight, bias = torch.randn(3, 5, generator=generator), torch.randn(3, generator=generator)
    loss = SimKDLoss()
    loss.build((5,), (5,))
    loss.fit_teacher(features)
    layer = loss.output_layer(features, features @ weight.T + bias)
    # the projector starts as the identity on standardised features
    standardised = loss.prepare(features)
    torch.testing.assert_close(layer(standardised), features @ weight.T + bias, rtol=1e-4, atol=1e-4)
    assert torch.allclose(layer.weight[:, 2], torch.zeros(3), atol=1e-5)
