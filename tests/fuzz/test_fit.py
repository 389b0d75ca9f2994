"""Any table, target and weights at fit: a model that holds, or a clear error that leaves the old one."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from .checks import answers, check_fitted, count, no_accident
from .models import STRATEGIES, cases, fitted_before
from .tables import labels, tables, targets, weights

KINDS = {"Classifier": labels, "Regressor": targets}
MODES = [(kind, mode) for kind in KINDS for mode in STRATEGIES]
N_CASES = {"distilled": 300, "online": 80, "alone": 80}


def check_fit(data, kind, mode):
    X, n = data.draw(tables(), label="X, n")
    y = data.draw(KINDS[kind](n), label="y")
    weight = data.draw(weights(n), label="sample_weight")
    est = data.draw(STRATEGIES[mode](kind), label="est")
    old, asked = fitted_before(kind, mode)
    expected = answers(old, asked)
    # the estimator of before with other parameters: scikit-learn's way to fit again
    tried = copy.copy(old).set_params(**est.get_params(deep=False))
    before = dict(vars(tried))
    with no_accident() as found:
        tried.fit(X, y, **{} if weight is None else {"sample_weight": weight})
    count(f"fit, {mode} {kind}", found)
    if "error" not in found:
        with no_accident() as then:
            check_fitted(tried, X, n)
        assert "error" not in then, then
        return
    assert vars(tried).keys() == before.keys() and all(vars(tried)[name] is before[name] for name in before)
    for one, other in zip(answers(tried, asked), expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "mode"), MODES)
def test_a_fit_holds_or_says_why_not(kind, mode):
    @cases(N_CASES[mode])
    @given(st.data())
    def check(data):
        check_fit(data, kind, mode)

    check()


@pytest.mark.parametrize(("kind", "mode"), MODES)
def test_some_fits(kind, mode):
    @cases(3)
    @given(st.data())
    def check(data):
        check_fit(data, kind, mode)

    check()
