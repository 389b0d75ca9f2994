"""The default student's epochs and learning rate."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.datasets import load_iris
from sklearn.ensemble import ExtraTreesClassifier, RandomForestRegressor
from sklearn.metrics import r2_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder
from skorch.callbacks import Callback
from torch.optim import SGD, AdamW

from sklkd import DistilledClassifier, DistilledRegressor
from sklkd.students import Muon, TabularStudent
from sklkd.students._tabular_student import LABELS_ONLY, WITH_TEACHER, WITHOUT_TEACHER


@pytest.mark.parametrize(
    ("n_labelled", "n_rows", "expected"),
    [
        (100, 100, 100),
        (100, 1100, math.ceil(10_000 / 1100)),
        (500, 40_500, 7),
        (7_200, 47_200, 7),
        (50, 1_000_050, 1),
        (15_000, 55_000, 6),
        (120_000, 240_000, 5),
    ],
)
def test_epochs_by_budget(n_labelled, n_rows, expected):
    assert TabularStudent().epochs(n_labelled, n_rows) == expected
    assert TabularStudent(max_epochs=3).epochs(n_labelled, n_rows) == 3


@pytest.mark.parametrize(("n", "expected"), [(100, 200), (1_000, 100), (10_000, 10), (80_000, 6), (640_000, 3)])
def test_epochs_for_labels_alone(n, expected):
    assert TabularStudent().epochs(n, n, labels_only=True) == expected


@pytest.mark.parametrize(
    ("n", "recipe", "optimizer", "batch", "lr"),
    [
        (10_000, WITH_TEACHER, Muon, 1024, 0.02),
        (300, WITH_TEACHER, Muon, 128, 0.02),
        (1_000, WITH_TEACHER, Muon, 256, 0.02),
        (3_000, WITH_TEACHER, Muon, 512, 0.02),
        (50, WITH_TEACHER, Muon, 128, 0.02),
        (24_999, LABELS_ONLY, AdamW, 256, 0.006),
        (25_000, LABELS_ONLY, Muon, 512, 0.014),
        (50, WITHOUT_TEACHER, Muon, 256, 0.005),
    ],
)
def test_optimizers_batches_and_rates(n, recipe, optimizer, batch, lr):
    student = TabularStudent()
    student.settle(n, recipe)
    assert (student.optimizer, student.batch_size, student.lr) == (optimizer, batch, lr)
    given = TabularStudent(optimizer=SGD, lr=0.1, batch_size=7)
    given.settle(n, recipe)
    assert (given.optimizer, given.batch_size, given.lr) == (SGD, 7, 0.1)


def test_the_weight_decay_of_many_labels():
    for student, decay in ((TabularStudent(), 0.3), (TabularStudent(optimizer__weight_decay=0.1), 0.1)):
        student.settle(30_000, LABELS_ONLY)
        assert student.get_params()["optimizer__weight_decay"] == decay
    few, other, sparse = TabularStudent(), TabularStudent(optimizer=SGD), TabularStudent(module__sparse=True)
    few.settle(300, LABELS_ONLY)
    other.settle(30_000, LABELS_ONLY)
    sparse.settle(30_000, LABELS_ONLY)
    assert not any("optimizer__weight_decay" in one.get_params() for one in (few, other, sparse))
    assert (few.optimizer, other.optimizer, sparse.optimizer) == (AdamW, SGD, AdamW)


@pytest.mark.parametrize("width", [8, 32, 64, 128])
def test_updates_of_narrow_networks_are_as_large(width):
    rate = WITH_TEACHER.peak((width, width))
    layer = torch.nn.Linear(width, width, bias=False, dtype=torch.float64)
    before = layer.weight.detach().clone()
    layer.weight.grad = torch.randn(width, width, dtype=torch.float64, generator=torch.manual_seed(0))
    Muon(layer.parameters(), lr=rate, weight_decay=0.0).step()
    moved = torch.linalg.matrix_norm(layer.weight.detach() - before, 2).item()
    # the iteration leaves singular values between about 0.7 and 1.2
    assert moved == pytest.approx(0.2 * 0.02 * 128**0.5, rel=0.3)


def test_wide_and_other_networks_have_the_same_rate():
    assert WITH_TEACHER.peak((256, 256)) == WITH_TEACHER.peak(()) == WITH_TEACHER.peak((128,)) == 0.02
    assert LABELS_ONLY.peak((8,)) == 0.006
    assert WITHOUT_TEACHER.peak((8,)) == 0.005


@pytest.mark.parametrize(("student", "rate"), [("tiny", 0.04), (None, 0.02), (TabularStudent("tiny", lr=0.01), 0.01)])
def test_rate_follows_the_width(student, rate):
    X, y = load_iris(return_X_y=True)
    est = DistilledClassifier(GaussianNB(), student, hard_weight=0, augment=None, random_state=0).fit(X, y)
    assert est.student_.lr == pytest.approx(rate)


def test_labels_alone_are_learnt_by_another_optimizer():
    X, y = load_iris(return_X_y=True)
    for weight, optimizer in ((1, AdamW), (0.5, Muon)):
        est = DistilledClassifier(
            GaussianNB(), TabularStudent("tiny", max_epochs=1), hard_weight=weight, random_state=0
        ).fit(X, y)
        assert est.student_.optimizer is optimizer and est.student.optimizer == "auto"


def test_unknown_size():
    with pytest.raises(ValueError, match=r"size must be one of .*'tiny'.*got size='huge'"):
        TabularStudent(size="huge").preset()


class Rates(Callback):
    def on_train_begin(self, net, **kwargs):
        self.rates = []

    def on_batch_end(self, net, training=False, **kwargs):
        if training:
            self.rates.append(net.optimizer_.param_groups[0]["lr"])


def test_learning_rate_warms_up_and_falls_as_a_cosine():
    X, y = load_iris(return_X_y=True)
    student = TabularStudent(size="tiny", max_epochs=40, batch_size=30, lr=0.01, callbacks=[("rates", Rates())])
    est = DistilledClassifier(
        ExtraTreesClassifier(5, random_state=0), student, hard_weight=1, augment=None, random_state=0
    )
    rates = dict(est.fit(X, y).student_.callbacks_)["rates"].rates
    progress = [(step + 0.5) / len(rates) for step in range(len(rates))]
    expected = [0.01 * (p / 0.05 if p < 0.05 else 0.5 + 0.5 * math.cos(math.pi * (p - 0.05) / 0.95)) for p in progress]
    assert rates == pytest.approx(expected)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"size": "tiny"}, 255),
        ({"size": "small"}, 1121),
        ({"max_parameters": 10_000}, 360),
        ({"max_bytes": 40_000}, 360),
        ({"max_parameters": 10_000, "max_bytes": 4_000}, 114),
    ],
)
def test_larger_networks_have_room_for_more_levels(params, expected):
    assert TabularStudent(**params).most_levels() == expected


def test_a_column_of_many_levels_is_followed():
    # what a level adds has no order, so that 200 of them have to be learnt one by one
    rng = np.random.default_rng(0)
    effect = rng.normal(size=200)
    level = np.r_[np.arange(200), np.arange(200), rng.integers(200, size=1600)]
    number = rng.normal(size=2000)
    X = pd.DataFrame({"number": number, "few": number > 0, "level": [f"l{one}" for one in level]})
    y = effect[level] + number
    teacher = make_pipeline(OrdinalEncoder(), RandomForestRegressor(30, random_state=0)).fit(X, y)
    est = DistilledRegressor(teacher, hard_weight=0.0, blend=0, random_state=0).fit(X, y)
    assert r2_score(teacher.predict(X), est.predict(X)) > 0.97
    (tables,) = [group["lookups"] for group in est.student_.optimizer_.param_groups if group["lookups"] is not None]
    assert len(tables) == 200
    inputs = est.student_.module_.encoding(torch.as_tensor(est.encoder_.transform(X)))
    # one of them is 1 in each row
    assert_array_equal(inputs[:, tables].sum(1), np.ones(2000))
