"""Regions hold what they say, and are found where there is something to find."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from sklkd import distillation_report
from sklkd.report._intervals import Sample
from sklkd.report._quality import distance_from_teacher
from sklkd.report._regions import find_regions


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    n = 2000
    return pd.DataFrame(
        {
            "age": rng.integers(18, 80, n).astype(float),
            "city": rng.choice(["Oslo", "Paris", "Rome"], n),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), "D"),
            "noise": rng.normal(size=n),
        }
    )


def found(table, where, weight=None):
    rng = np.random.default_rng(1)
    distance = rng.exponential(0.05, len(table)) + np.where(where, 0.5, 0.0)
    return find_regions(table, distance, Sample(len(table), weight, 300, 0.95)), distance


def rows_of(region, table):
    """The rows that meet the conditions as they are written."""
    keep = pd.Series(True, table.index)
    for text in region.conditions:
        text, missing = text.strip("()").removesuffix(" or missing"), text.endswith(" or missing)")
        parts = text.split(" ")
        if "missing" in parts:
            one = table[parts[0]].isna() == ("not" not in parts)
        elif parts[1] == "=" or parts[1:3] == ["is", "not"]:
            one = (table[parts[0]] == parts[-1]) == (parts[1] == "=")
        else:
            low, name, high = {True: (None, parts[0], parts[2]), False: (parts[2], parts[0], None)}[parts[1] == "<="]
            if len(parts) == 5:
                low, name, high = parts[0], parts[2], parts[4]
            column, as_number = table[name], pd.Timestamp if name == "since" else float
            one = pd.Series(True, table.index)
            one &= True if low is None else column > as_number(low)
            one &= True if high is None else column <= as_number(high)
            one |= column.isna() & missing
        keep &= one
    return keep.to_numpy()


@pytest.mark.parametrize("kind", ["category", "number", "both", "date", "missing"])
def test_a_region_is_found_and_its_conditions_hold_its_rows(table, kind):
    table = table.copy()
    if kind == "missing":
        table.loc[::7, "age"] = np.nan
    where = {
        "category": table.city == "Rome",
        "number": table.age > 60,
        "both": (table.age > 40) & (table.age <= 60) & (table.city == "Rome"),
        "date": table.since > pd.Timestamp("2021-06-01"),
        "missing": table.age.isna(),
    }[kind]
    regions, distance = found(table, where)
    assert regions
    for region in regions:
        rows = rows_of(region, table)
        assert rows.sum() == pytest.approx(region.n_rows, abs=3 if kind == "date" else 0)
        assert where[rows].mean() > 0.8
        assert region.distance.low <= region.distance.value <= region.distance.high
        assert region.distance.value == pytest.approx(distance[rows].mean(), abs=0.05)
        assert region.distance.low > distance.mean()
    assert [one.distance.value for one in regions] == sorted((one.distance.value for one in regions), reverse=True)


def test_chance_makes_no_region(table):
    often = [len(found(table.assign(noise=np.random.default_rng(k).normal(size=2000)), False)[0]) for k in range(20)]
    assert np.mean(often) < 1
    assert found(table[:199], table.city[:199] == "Rome")[0] == []


def test_rows_without_weight_do_not_make_a_region(table):
    where = table.city == "Rome"
    weight = np.where(where, 0.0, 1.0)
    assert not any("city = Rome" in region.conditions for region in found(table, where, weight)[0])


@pytest.mark.parametrize("make", [lambda n: csr_array((n, 1000)), lambda n: np.zeros((n, 3, 3)), lambda n: ["a"] * n])
def test_what_has_no_columns_has_no_regions(make):
    X = make(400)
    assert find_regions(X, np.arange(400.0), Sample(400, None, 100, 0.95)) == []


def test_the_rows_that_differ_most(classifier, flowers):
    X_test, y_test = flowers[2:]
    report = distillation_report(classifier, X_test, y_test, False, n_repeats=1)
    gap = np.abs(classifier.predict_proba(X_test) - classifier.teacher_.predict_proba(X_test)).sum(axis=1) / 2
    assert len(report.furthest) == 20
    assert gap[report.furthest].tolist() == pytest.approx(np.sort(gap)[::-1][:20])
    assert report.mean_distance == pytest.approx(gap.mean())
    assert report.regions == []  # for lack of rows


def test_distances():
    student, teacher = np.array([[0.5, 0.5], [1.0, 0.0]]), np.array([[0.5, 0.5], [0.25, 0.75]])
    assert distance_from_teacher(student, teacher, "classification").tolist() == [0, 0.75]
    assert distance_from_teacher(student, teacher, "multilabel").tolist() == [0, 0.75]
    assert distance_from_teacher(student[:, :1], teacher[:, :1], "regression").tolist() == [0, 0.75]
    # of several targets, the units do not matter
    scaled = distance_from_teacher(student * [1, 100], teacher * [1, 100], "regression")
    assert scaled == pytest.approx(distance_from_teacher(student, teacher, "regression"))


def test_rows_as_the_teacher_has_them_differ_nowhere(regressor, bodies):
    report = distillation_report(regressor, *bodies[2:], False, n_repeats=1)
    values = np.abs(regressor.predict(bodies[2]) - regressor.teacher_.predict(bodies[2]))
    scale = regressor.teacher_.predict(bodies[2]).std(axis=0)
    assert report.mean_distance == pytest.approx((values / scale).mean())
