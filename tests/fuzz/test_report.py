"""Any rows to measure on: a report whose numbers hold, or a clear error."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklkd import distillation_report

from .checks import count, no_accident
from .models import cases, fitted_before
from .tables import labels, tables, targets, weights

KINDS = {"Classifier": labels, "Regressor": targets}


@st.composite
def rows_like(draw, X):
    """Rows as the estimator takes them, some with something odd in them."""
    n = draw(st.sampled_from([40, 20, 3, 2, 1]))
    made = np.random.RandomState(draw(st.integers(0, 99))).standard_normal((n, X.shape[1]))
    odd = draw(st.sampled_from([None, None, None, 1e30, np.nan, np.inf, 0.0, "same"]))
    if odd == "same":
        made[:] = made[0]
    elif odd is not None:
        made[draw(st.integers(0, n - 1)), 0] = odd
    return made, n


def check_report(data, kind, mode):
    est, asked = fitted_before(kind, mode)
    X, n = data.draw(st.one_of(*[rows_like(asked)] * 4, tables()), label="X, n")
    y = data.draw(KINDS[kind](n), label="y")
    weight = data.draw(weights(n), label="sample_weight")
    baseline = data.draw(st.sampled_from([False, False, False, True]), label="baseline")
    with no_accident() as found:
        report = distillation_report(est, X, y, baseline, sample_weight=weight, n_repeats=1, n_bootstrap=100)
    count(f"report, {mode} {kind}", found)
    if "error" in found:
        return
    with no_accident() as then:
        text, page = str(report), report.to_html() if hasattr(report, "to_html") else ""
    assert "error" not in then and text and page is not None


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["distilled", "online", "alone"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_report_holds_or_says_why_not(kind, mode):
    @cases(40)
    @given(st.data())
    def check(data):
        check_report(data, kind, mode)

    check()


@pytest.mark.parametrize("kind", KINDS)
def test_some_reports(kind):
    @cases(2)
    @given(st.data())
    def check(data):
        check_report(data, kind, "distilled")

    check()
