"""Students of the modes without a pretrained teacher, as files."""

from __future__ import annotations

import numpy as np
import pytest

from sklkd import OnlineDistilledClassifier, SelfDistilledClassifier, SelfDistilledRegressor
from sklkd.methods import BornAgain, DeepToShallow
from sklkd.students import TabularStudent

from .conftest import assert_parity, quick


def deep():
    return TabularStudent("tiny", max_epochs=2, module__hidden=(6, 7, 8))


@pytest.mark.parametrize("exit", [0, 1, "output"])
def test_exits(problem, ship, exit):
    X, y = problem
    est = SelfDistilledClassifier(deep(), method=DeepToShallow(), random_state=0).fit(X, y)
    assert_parity(est.cut(exit), ship(est.cut(exit))[0], X)


def test_generations_together(problem, ship):
    X, y = problem
    est = SelfDistilledClassifier(quick(), method=BornAgain(ensemble=True), random_state=0).fit(X, y)
    for one in (est, *est.generations_):
        assert_parity(one, ship(one)[0], X)


def test_values_in_their_units(problem, ship):
    X, _ = problem
    est = SelfDistilledRegressor(quick(), random_state=0).fit(X, 1000 + 50 * X[:, 0])
    np.testing.assert_allclose(ship(est)[0].predict(X).ravel(), est.predict(X), rtol=1e-5)


@pytest.mark.parametrize("deploy", ["a", "ensemble"])
def test_peers(problem, ship, deploy):
    X, y = problem
    est = OnlineDistilledClassifier([("a", quick()), ("b", deep())], deploy=deploy, random_state=0).fit(X, y)
    assert_parity(est, ship(est)[0], X)
