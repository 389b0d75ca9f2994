"""Measures of groups are those of a report of the group's rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from sklkd import distillation_report
from sklkd.report._columns_of import column_by
from sklkd.report._groups import _members


def quality(rows):
    keys = ("score", "log_loss", "brier", "ece", "agreement", "kl")
    return {name: {key: row[key] for key in keys if key in row} for name, row in rows.items()}


def test_a_group_is_measured_as_a_report_of_its_rows(classifier, flowers):
    X_test, y_test = flowers[2:]
    by = np.where(X_test[:, 0] > 5.5, "long", "short")
    report = distillation_report(classifier, X_test, y_test, False, n_repeats=1, by=by)
    assert [group.name for group in report.groups] == ["group = long", "group = short"]
    for group, name in zip(report.groups, ("long", "short"), strict=True):
        rows = by == name
        alone = distillation_report(classifier, X_test[rows], y_test[rows], False, n_repeats=1)
        assert group.n_rows == rows.sum()
        for model, found in quality(group.results.rows).items():
            assert found == pytest.approx({key: alone.rows[model][key] for key in found})
        assert group.results.intervals["student"]["agreement"] == alone.intervals["student"]["agreement"]
        assert group.results.intervals["student"]["kl"] == pytest.approx(alone.intervals["student"]["kl"])
        assert group.results.differences["teacher"]["brier"] == pytest.approx(alone.differences["teacher"]["brier"])
    frame = report.to_frame("groups")
    assert frame.loc[("group = long", "student"), "n_rows"] == (by == "long").sum()
    interval = report.groups[0].results.intervals["student"]["log_loss"]
    assert tuple(frame.loc[("group = long", "student"), ["log_loss_low", "log_loss_high"]]) == interval
    assert "group = long" in str(report) and "group = short" in report.to_html()


def test_groups_of_regression(regressor, bodies):
    X_test, y_test = bodies[2:]
    by = np.arange(len(X_test)) % 2 == 0
    report = distillation_report(regressor, X_test, y_test, False, n_repeats=1, by=by)
    assert [group.name for group in report.groups] == ["group = False", "group = True"]
    error = (y_test[by] - regressor.predict(X_test[by])) ** 2
    expected = np.sqrt(error.mean(axis=0)).mean()
    assert report.groups[1].results.rows["student"]["rmse"] == pytest.approx(expected)


def members(by, X=None):
    column = column_by(by, np.zeros((len(by), 1)) if X is None else X)
    return {name: rows.tolist() for name, rows in _members(column).items()}


@pytest.mark.parametrize("container", [pd.DataFrame, pl.DataFrame])
def test_columns_of_frames(container):
    X = container({"city": ["Rome", "Oslo", None, "Rome"], "size": [1.0, 2.0, 1.0, None]})
    column = column_by("city", X)
    found = {name: rows.tolist() for name, rows in _members(column).items()}
    assert found == {"city = Oslo": [1], "city = Rome": [0, 3], "city is missing": [2]}
    found = {name: rows.tolist() for name, rows in _members(column_by("size", X)).items()}
    assert found == {"size = 1": [0, 2], "size = 2": [1], "size is missing": [3]}


def test_series_keep_their_name():
    assert members(pd.Series([3, 4, 3], name="floor")) == {"floor = 3": [0, 2], "floor = 4": [1]}
    assert members(pd.Series(["b", "a"], dtype="category")) == {"group = a": [1], "group = b": [0]}


def test_a_number_of_many_values_is_cut_into_ranges_of_as_many_rows():
    values = np.random.default_rng(0).permutation(40) / 2
    found = members(values)
    assert list(found) == [
        "group <= 4.5",
        "4.5 < group <= 9.5",
        "9.5 < group <= 14.5",
        "group > 14.5",
    ]
    assert [len(rows) for rows in found.values()] == [10, 10, 10, 10]
    assert values[found["4.5 < group <= 9.5"]].min() == 5 and values[found["4.5 < group <= 9.5"]].max() == 9.5


def test_dates_are_written_as_such():
    days = np.datetime64("2024-01-01") + np.arange(40)
    assert next(iter(members(days))) == "group <= 2024-01-10"


def test_the_largest_groups_are_kept(classifier, flowers):
    X_test, y_test = flowers[2:]
    by = np.array([f"kind {k:02}" for k in np.r_[np.repeat(np.arange(12), 5), np.repeat(3, 9), 99]])
    report = distillation_report(classifier, X_test, y_test, False, n_repeats=1, by=by)
    assert len(report.groups) == 10
    assert report.groups[3].name == "group = kind 03" and report.groups[3].n_rows == 14
    assert any("3 smaller ones, 11 rows, left out" in note for note in report.notes)


@pytest.mark.parametrize(
    "by, message",
    [
        ("x9", r"by must be one of X's columns \['x0', 'x1', 'x2', 'x3'\] or an array, got by='x9'"),
        ([1, 2], r"one value a row, shape \(70,\), got shape \(2,\)"),
        (np.zeros((70, 2)), "one value a row"),
    ],
)
def test_bad_groups(classifier, flowers, by, message):
    X = pd.DataFrame(flowers[2], columns=[f"x{j}" for j in range(4)])
    est = classifier
    with pytest.raises(ValueError, match=message):
        distillation_report(est, X if isinstance(by, str) else flowers[2], flowers[3], False, by=by)


def test_a_name_needs_a_frame(classifier, flowers):
    with pytest.raises(ValueError, match="by='x0' names a column, but X is no frame"):
        distillation_report(classifier, *flowers[2:], False, by="x0")
