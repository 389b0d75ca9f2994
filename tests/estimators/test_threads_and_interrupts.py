"""Fits and predictions in threads, and fits that the user ends."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from joblib import Parallel, delayed
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from skorch.callbacks import Callback
from torch import nn

from sklkd import DistilledClassifier, DistilledRegressor, OnlineDistilledClassifier, SelfDistilledClassifier
from sklkd.students import TabularStudent

from .problems import classes, quick, targets


class Dropped(nn.Module):
    """Draws from torch's global generator as it trains."""

    def __init__(self, n_features=4, n_outputs=3):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(n_features, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, n_outputs))

    def forward(self, X):
        return self.layers(X)


def test_fits_in_threads_equal_those_one_after_the_other():
    X, y = classes()
    outputs = np.eye(3)[np.unique(y, return_inverse=True)[1]] * 0.7 + 0.1

    def fit(seed):
        student = TabularStudent(module=Dropped, max_epochs=3)
        est = DistilledClassifier(None, student, hard_weight=0.1, blend=0, random_state=seed)
        return est.fit(X, y, teacher_outputs=outputs).predict_proba(X)

    expected = [fit(seed) for seed in range(6)]
    found = Parallel(n_jobs=3, backend="threading")(delayed(fit)(seed) for seed in range(6))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "est",
    [
        DistilledClassifier(GaussianNB(), quick(3), augment=None),
        OnlineDistilledClassifier([("a", quick(3)), ("b", quick(3))], deploy="ensemble"),
        SelfDistilledClassifier(quick(3)),
    ],
    ids=["offline", "online", "self"],
)
def test_predictions_in_threads_equal_those_of_one(est):
    X, y = classes()
    est = copy.deepcopy(est).set_params(random_state=0)
    est.fit(X, y)
    rows = [X[i : i + 1] for i in range(len(X))] * 3
    expected = [est.predict_proba(row) for row in rows]
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(est.predict_proba, rows))
    np.testing.assert_array_equal(found, expected)


class Interrupted(Callback):
    """The user presses Ctrl-C in the second epoch."""

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 2:
            _pressed()


def _pressed():
    """As Python does it, wherever the program is: not in a callback's own line."""
    raise KeyboardInterrupt


@pytest.mark.parametrize("Estimator", [DistilledClassifier, DistilledRegressor, SelfDistilledClassifier])
def test_an_interrupt_ends_the_fit_and_leaves_the_old_state(Estimator):
    X, y = targets() if Estimator is DistilledRegressor else classes()
    params = {"random_state": 0}
    if Estimator is not SelfDistilledClassifier:
        trees = DecisionTreeRegressor if Estimator is DistilledRegressor else DecisionTreeClassifier
        params |= {"teacher": trees(max_depth=3), "augment": None}
    est = Estimator(student=quick(3), **params).fit(X, y)
    before, student = est.predict(X), est.student_
    est.set_params(student=TabularStudent("tiny", max_epochs=4, callbacks=[("stop", Interrupted())]))
    with pytest.raises(KeyboardInterrupt):
        est.fit(X, y)
    assert est.student_ is student
    np.testing.assert_array_equal(est.predict(X), before)
