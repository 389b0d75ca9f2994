"""Outputs to targets and back, for every support."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import make_regression
from sklearn.linear_model import LinearRegression, Ridge

from sklkd import DistilledRegressor
from sklkd.losses import TargetLoss
from sklkd.losses._objective import Objective
from sklkd.students import TabularStudent
from sklkd.students._scaling import SUPPORTS, TargetScaling, order_of
from sklkd.students._train import use_scaling
from sklkd.transfer import TransferSet


@st.composite
def scalings(draw, supports=SUPPORTS):
    """Centers and scales over many orders of magnitude, where the support allows."""
    support = draw(st.sampled_from(supports))
    n = draw(st.integers(1, 3))
    if support == "unit":
        center = [draw(st.floats(0.001, 0.999)) for _ in range(n)]
        scale = [draw(st.floats(0.01, 1)) * (one * (1 - one)) ** 0.5 for one in center]
    else:
        center = [10.0 ** draw(st.floats(-20, 20)) for _ in range(n)]
        scale = [one * 10.0 ** draw(st.floats(-2, 2)) for one in center]
        if support == "real":
            center = [one * draw(st.sampled_from([-1, 0, 1])) for one in center]
    return TargetScaling(np.array(center), np.array(scale), support)


outputs = st.floats(-1e3, 1e3) | st.floats(-3, 3) | st.sampled_from([0.0, -1e30, -1e6])


@given(scalings(), outputs)
def test_training_and_predictions_say_the_same(scaling, output):
    z = np.full((2, len(scaling.center)), output)
    expected = scaling.standardize(scaling.values(z))
    slack = 1e-12 * (1 + np.abs(scaling.center / scaling.scale))  # the mean is taken off
    found = scaling.standardized(torch.from_numpy(z)).numpy()
    assert (np.abs(found - expected) <= slack + 1e-12 * np.abs(expected)).all()
    single = scaling.standardized(torch.from_numpy(z).float())
    assert single.dtype == torch.float32
    assert (np.abs(single.numpy() - found) <= 1e-5 * slack / 1e-12 + 1e-3 * np.abs(found)).all()


@given(scalings())
def test_an_output_of_zero_is_the_mean(scaling):
    zero = np.zeros((1, len(scaling.center)))
    np.testing.assert_allclose(scaling.values(zero)[0], scaling.center, rtol=1e-12)
    np.testing.assert_allclose(scaling.standardized(torch.from_numpy(zero)), 0, atol=1e-12)


@given(scalings(), outputs, outputs)
def test_values_stay_in_the_support_and_grow_with_the_output(scaling, low, high):
    low, high = sorted([low, high])
    shape = (1, len(scaling.center))
    values = [scaling.values(np.full(shape, one)) for one in (low, high)]
    assert (values[0] <= values[1]).all()
    for value in values:
        assert np.isfinite(value).all()
        if scaling.support == "positive":
            assert (value > 0).all() and (value.astype(np.float32) > 0).all()
        if scaling.support == "unit":
            assert (value >= 0).all() and (value <= 1).all()


@given(scalings(), st.floats(-8, 8))
def test_gradients_are_those_of_the_values(scaling, output):
    z = torch.full((1, len(scaling.center)), output, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(scaling.standardized, (z,), atol=1e-4, rtol=1e-3)


@given(scalings())
def test_an_output_of_one_is_no_more_than_about_a_standard_deviation(scaling):
    z = torch.zeros((1, len(scaling.center)), dtype=torch.float64, requires_grad=True)
    scaling.standardized(z).sum().backward()
    wide = scaling.gain == 1
    ratio = np.abs(scaling.center / scaling.scale)
    expected = {"real": np.ones_like(ratio), "positive": np.minimum(ratio, 1.0)}.get(scaling.support)
    if expected is None:
        expected = np.where(wide, scaling.center * (1 - scaling.center) / scaling.scale, 1.0)
    np.testing.assert_allclose(z.grad[0], expected, rtol=1e-9)


def test_positive_values_far_below_the_mean_are_still_moved():
    # their logarithm is the output, so that an output of 1 is a factor, wherever it starts
    scaling = TargetScaling(np.array([3.0]), np.array([9.0]), "positive")
    values = scaling.values(np.array([[-10.0], [-9.0]]))
    assert values[1] / values[0] == pytest.approx(np.e)


@pytest.mark.parametrize(
    ("center", "scale", "support", "message"),
    [
        ([1.0], [1.0], "log", "support must be one of"),
        ([1.0], [1.0, 2.0], "real", "same|both have shape"),
        ([1.0], [0.0], "real", "scale finite and > 0"),
        ([np.nan], [1.0], "real", "center must be finite"),
        ([0.0], [1.0], "positive", "mean is > 0"),
        ([1.5], [1.0], "unit", r"in \[0, 1\]"),
    ],
)
def test_scalings_that_cannot_be(center, scale, support, message):
    with pytest.raises(ValueError, match=message):
        TargetScaling(np.array(center), np.array(scale), support)


@pytest.mark.parametrize("support", SUPPORTS)
def test_a_net_answers_in_the_units_of_the_targets(support):
    X, y = make_regression(60, 3, random_state=0)
    student = TabularStudent("tiny", max_epochs=2)
    est = DistilledRegressor(LinearRegression(), student, hard_weight=0.1, augment=None, random_state=0).fit(X, y)
    scaling = TargetScaling(np.array([0.3]), np.array([0.2]), support)
    use_scaling(est.student_, scaling)
    inputs = est.encoder_.transform(X)
    with torch.no_grad():
        outputs = est.student_.module_(torch.from_numpy(inputs)).numpy()
    for net in (est.student_, pickle.loads(pickle.dumps(est.without_teacher().student_))):
        predicted = net.predict(inputs)
        assert predicted.dtype == np.float64
        np.testing.assert_allclose(predicted, scaling.values(outputs), rtol=1e-6)
        assert net.module_.target_mean.item() == 0.3 and net.module_.target_scale.item() == 0.2


def test_labels_and_losses_compare_standardized_predictions():
    scaling = TargetScaling(np.array([2.0]), np.array([4.0]), "positive")
    output, y = torch.tensor([[0.5], [-1.0]]), torch.tensor([[0.1], [float("nan")]])
    objective = Objective([("target", TargetLoss(weight=2.0))], 0.25, link=scaling.standardized)
    objective.rows = TransferSet(torch.zeros(2, 1), y, None, [torch.tensor([[0.3], [0.7]])])
    given_ = scaling.standardize(scaling.values(output.numpy()))
    expected = 0.25 * (given_[0, 0] - 0.1) ** 2 + 0.75 * 2 * np.mean((given_[:, 0] - [0.3, 0.7]) ** 2)
    assert objective(output, y).item() == pytest.approx(expected, rel=1e-5)
    assert objective.validation_losses([output], y, None)[0].item() == pytest.approx(
        (given_[0, 0] - 0.1) ** 2, rel=1e-5
    )


def test_rates_are_learnt_where_they_are_small():
    # over four orders of magnitude, and none at or below 0
    rng = np.random.RandomState(0)
    X = rng.uniform(-1, 1, (600, 2))
    rate = np.exp(4 * X[:, 0])
    scaling = TargetScaling([rate.mean()], [rate.std()], "positive")
    module = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.SiLU(), torch.nn.Linear(16, 1))
    torch.manual_seed(0)
    for layer in (module[0], module[2]):
        layer.reset_parameters()
    objective = Objective([], 1.0, link=scaling.standardized)
    inputs, y = torch.from_numpy(X).float(), torch.from_numpy(scaling.standardize(rate[:, None])).float()
    optimizer = torch.optim.Adam(module.parameters(), 0.02)
    for _ in range(600):
        optimizer.zero_grad()
        objective(module(inputs), y).backward()
        optimizer.step()
    with torch.no_grad():
        predicted = scaling.values(module(inputs).numpy())[:, 0]
    line = Ridge().fit(X, rate).predict(X)
    assert (predicted > 0).all() and (line <= 0).any()
    assert np.median(np.abs(np.log(predicted / rate))) < 0.3


@given(
    st.lists(st.floats(0.01, 0.99), min_size=2, max_size=5, unique=True),
    st.sampled_from(SUPPORTS),
    st.integers(0, 2**31 - 1),
)
def test_quantiles_never_cross_and_cost_no_more(levels, support, seed):
    rng = np.random.RandomState(seed)
    n = len(levels)
    ordered = TargetScaling(np.full(n, 0.4), np.full(n, 0.3), support, order_of(levels))
    plain = TargetScaling(np.full(n, 0.4), np.full(n, 0.3), support)
    z, y = rng.randn(20, n), rng.rand(20, 1)
    values, level = ordered.values(z), np.array(levels)
    by_level = values[:, np.argsort(levels)]
    assert (np.diff(by_level, axis=1) >= 0).all()
    assert np.allclose(by_level, np.sort(plain.values(z), axis=1))

    def pinball(found):
        return np.maximum(level * (y - found), (level - 1) * (y - found)).mean(axis=1)

    assert (pinball(values) <= pinball(plain.values(z)) + 1e-12).all()
    in_training = ordered.standardized(torch.from_numpy(z)).numpy()
    assert np.allclose(in_training, ordered.standardize(values)) and np.allclose(ordered.ordered(values), values)


def test_an_order_is_that_of_the_outputs_of_one_target():
    assert order_of((0.9, 0.1, 0.5)) == (2, 0, 1) and order_of((0.9,)) == order_of(()) == ()
    for center, order in (([0.0, 1.0], (0, 1)), ([0.0, 0.0], (0, 2)), ([0.0, 0.0], (1,))):
        with pytest.raises(ValueError, match="order must be the places of 2 outputs of one target"):
            TargetScaling(np.array(center), np.ones(2), order=order)
