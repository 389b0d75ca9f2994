"""Fitting teachers that hold skorch nets: each step sees what it would see without sklkd."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import skorch
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import BaggingRegressor, VotingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from torch import nn

from sklkd.exceptions import SampleWeightWarning
from sklkd.rows import Rows
from sklkd.teachers import TeacherFitter, adapt, fit_teacher

rng = np.random.RandomState(0)
FRAME = pd.DataFrame({"a": rng.normal(size=40), "b": rng.choice(["x", "y", "z"], 40)})
CODED = np.column_stack([FRAME["a"], *(FRAME["b"] == value for value in "xyz")]).astype(np.float64)
TARGET = 3 * CODED[:, 0] + CODED[:, 1] + 5
CODES = (CODED[:, 0] > 0).astype(int) + (CODED[:, 1] > 0)


class Line(nn.Module):
    def __init__(self, n_outputs=1, flat=False, double=False):
        super().__init__()
        self.linear, self.flat = nn.Linear(4, n_outputs), flat
        if double:
            self.double()

    def forward(self, X):
        out = self.linear(X)
        return out[:, 0] if self.flat else out


def regressor(**params):
    return skorch.NeuralNetRegressor(
        Line, max_epochs=4, optimizer=torch.optim.LBFGS, lr=1.0, batch_size=-1, verbose=0, train_split=None, **params
    )


def classifier(kind=skorch.NeuralNetClassifier, criterion=nn.CrossEntropyLoss, n_outputs=3):
    return kind(
        Line,
        module__n_outputs=n_outputs,
        criterion=criterion,
        max_epochs=2,
        optimizer=torch.optim.LBFGS,
        lr=1.0,
        batch_size=-1,
        verbose=0,
        train_split=None,
    )


def by_name():
    return make_column_transformer(("passthrough", ["a"]), (OneHotEncoder(sparse_output=False), ["b"]))


def to_sparse():
    return make_column_transformer(("passthrough", ["a"]), (OneHotEncoder(), ["b"]), sparse_threshold=1.0)


# what holds a net, and what it is given
HOLDERS = {
    "alone": (lambda net: net, CODED),
    "alone, sparse": (lambda net: net, sparse.csr_matrix(CODED)),
    "columns by name": (lambda net: make_pipeline(by_name(), net), FRAME),
    "sparse inside": (lambda net: make_pipeline(to_sparse(), net), FRAME),
    "sparse rows": (lambda net: make_pipeline(FunctionTransformer(), net), sparse.csr_matrix(CODED)),
    "search": (lambda net: GridSearchCV(net, {"lr": [net.lr]}, cv=2), CODED),
    "search of a pipeline": (
        lambda net: GridSearchCV(make_pipeline(by_name(), net), {"columntransformer__remainder": ["drop"]}, cv=2),
        FRAME,
    ),
    "pipeline of a search": (lambda net: make_pipeline(by_name(), GridSearchCV(net, {"lr": [net.lr]}, cv=2)), FRAME),
}


@pytest.mark.parametrize(
    ("holder", "module"),
    [
        *((holder, {}) for holder in HOLDERS),
        *(
            (holder, {name: True})
            for holder in ("alone", "columns by name")
            for name in ("module__flat", "module__double")
        ),
    ],
)
def test_a_regression_net_learns_its_target(holder, module):
    hold, X = HOLDERS[holder]
    with warnings.catch_warnings():
        # a loss that is broadcast over all pairs of rows
        warnings.simplefilter("error")
        fitted = fit_teacher(hold(regressor(**module)), X, TARGET, {}, 0)
    # a broadcast loss would end at the mean of the target
    got = adapt(fitted).outputs(X).values[:, 0]
    assert np.abs(got - TARGET).max() < 0.2


@pytest.mark.parametrize(
    "ensemble",
    [
        lambda net: VotingRegressor([("a", net), ("b", LinearRegression())]),
        lambda net: BaggingRegressor(net, 3, random_state=0),
        lambda net: TransformedTargetRegressor(net, func=lambda y: y / 2, inverse_func=lambda y: 2 * y),
    ],
)
def test_nets_inside_ensembles(ensemble):
    # VotingRegressor takes predictions of shape (n,) alone
    fitted = fit_teacher(ensemble(regressor(module__flat=True)), CODED, TARGET, {}, 0)
    assert np.abs(np.ravel(fitted.predict(CODED)) - TARGET).max() < 0.3


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("binary", [False, True])
def test_a_classification_net(holder, binary):
    hold, X = HOLDERS[holder]
    net = classifier(skorch.NeuralNetBinaryClassifier, nn.BCEWithLogitsLoss, 1) if binary else classifier()
    y = (CODES > 0).astype(int) if binary else CODES
    fitted = fit_teacher(hold(net), X, y, {}, 0)
    proba = adapt(fitted, np.unique(y)).outputs(X).proba
    assert (proba.argmax(axis=1) == y).mean() > 0.85


def test_what_the_user_passed_stays_as_it_is():
    net = regressor()
    pipe = make_pipeline(by_name(), net)
    fit_teacher(clone(pipe), FRAME, TARGET, {}, 0)
    assert net.get_params()["dataset"] is skorch.dataset.Dataset and not hasattr(net, "module_")


def test_integers_as_targets_of_a_regression_net():
    counts = np.round(TARGET).astype(int)
    for hold, X in (HOLDERS["alone"], HOLDERS["columns by name"]):
        fitted = fit_teacher(hold(regressor()), X, counts, {}, 0)
        assert np.abs(adapt(fitted).outputs(X).values[:, 0] - counts).max() < 1


def test_the_generator_of_torch_is_left_alone():
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    fit_teacher(make_pipeline(StandardScaler(), regressor()), CODED, TARGET, {}, 0)
    assert torch.equal(torch.random.get_rng_state(), before)


class Distilled:
    memory = teacher_fit_params = None


def test_the_adapter_has_learnt_from_the_training_rows():
    module = nn.Sequential(nn.Linear(4, 1), nn.Sigmoid())
    rows = Rows(CODED, CODES > 0, None)
    for teacher in (module, [("a", module)]):
        adapter = TeacherFitter(Distilled(), np.array([False, True]), 0).adapt(teacher, teacher, rows)
        member = adapter.members["a"] if isinstance(teacher, list) else adapter
        assert member.reads_as == "probabilities"


def test_the_warning_points_to_the_line_that_fits():
    from sklearn.neighbors import KNeighborsClassifier

    rows = Rows(CODED, CODES, np.ones(40))
    with pytest.warns(SampleWeightWarning) as said:
        TeacherFitter(Distilled(), np.arange(3), 0).fit(KNeighborsClassifier(), rows)
    assert said[0].filename == __file__
