"""Dates, durations and periods as numbers of seconds, and back."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklkd._columns import ColumnCodec
from sklkd.students import InputEncoder
from sklkd.students._calendar import calendar_parts

SECONDS = st.integers(-(2**33), 2**33)
"""From 1697 to 2242."""

PANDAS = {
    "ns": lambda t: t.astype("datetime64[ns]"),
    "us": lambda t: t.astype("datetime64[us]"),
    "s": lambda t: t.astype("datetime64[s]"),
    "days": lambda t: t.dt.floor("D"),
    "zone": lambda t: t.dt.tz_localize("UTC"),
    "arrow": lambda t: t.astype("timestamp[us][pyarrow]"),
    "arrow zone": lambda t: t.dt.tz_localize("Asia/Tokyo").astype("timestamp[us, tz=Asia/Tokyo][pyarrow]"),
    "month": lambda t: t.dt.to_period("M"),
    "week": lambda t: t.dt.to_period("W-SUN"),
    "duration": lambda t: t - pd.Timestamp("2000-01-01"),
    "date objects": lambda t: t.dt.date.astype(object),
    "datetime objects": lambda t: pd.Series([None if pd.isna(c) else c.to_pydatetime() for c in t], dtype=object),
    "timedelta objects": lambda t: pd.Series([dt.timedelta(hours=h) for h in range(len(t))], dtype=object),
    "numpy objects": lambda t: pd.Series([np.datetime64(h, "h") for h in range(len(t))], dtype=object),
}
POLARS = {
    "us": lambda c: c.cast(pl.Datetime("us")),
    "ms": lambda c: c.cast(pl.Datetime("ms")),
    "ns": lambda c: c.cast(pl.Datetime("ns")),
    "zone": lambda c: c.cast(pl.Datetime("us")).dt.replace_time_zone("Asia/Tokyo"),
    "date": lambda c: c.cast(pl.Datetime("us")).cast(pl.Date),
    "duration": lambda c: c - c.min(),
    "time": lambda c: c.cast(pl.Datetime("us")).dt.time(),
}


def moments(n=60, seed=0):
    """Hours of two years, some missing."""
    rng = np.random.RandomState(seed)
    hours = pd.Series(pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.randint(0, 2 * 365 * 24, n), unit="h"))
    return hours.where(rng.rand(n) > 0.2)


def cells():
    return [None if pd.isna(cell) else cell.to_pydatetime() for cell in moments()]


def frames():
    for name, make in PANDAS.items():
        column = make(moments()).rename("t")
        yield pytest.param(pd.DataFrame({"t": column, "x": np.arange(60.0)}), id=f"pandas {name}")
    for name, make in POLARS.items():
        column = make(pl.Series("t", cells(), dtype=pl.Datetime("us")))
        yield pytest.param(pl.DataFrame({"t": column, "x": np.arange(60.0)}), id=f"polars {name}")


def same(a, b):
    return a.equals(b) if hasattr(a, "iloc") else a.equals(b) and a.schema == b.schema


@pytest.mark.parametrize("X", list(frames()))
def test_times_come_back_as_they_were(X):
    codec = ColumnCodec()
    Z = codec.fit_transform(X)
    assert codec.times_[0] in ("dates", "durations") and codec.times_[1] is None
    assert codec.missing_[0] == np.isnan(Z[:, 0]).any()
    assert same(codec.inverse_transform(Z), X)
    np.testing.assert_array_equal(codec.transform(X), Z)
    # numbers in between become times that the column could have had
    between = Z + np.random.RandomState(1).uniform(-9_999, 9_999, Z.shape) * [1, 0]
    table = codec.inverse_transform(between)
    np.testing.assert_array_equal(codec.storable(between), codec.transform(table))
    ours = table["t"].dtype if hasattr(table, "iloc") else table.schema["t"]
    assert ours == (X["t"].dtype if hasattr(X, "iloc") else X.schema["t"])


@given(st.lists(SECONDS, min_size=2, max_size=20), st.sampled_from([1, 60, 3600, 86_400]))
def test_seconds_are_those_since_1970_in_the_columns_own_steps(seconds, step):
    seconds = np.array(seconds) // step * step
    X = pd.DataFrame({"t": seconds.astype("M8[s]"), "d": seconds.astype("m8[s]")})
    codec = ColumnCodec()
    Z = codec.fit_transform(X)
    np.testing.assert_array_equal(Z, np.stack([seconds, seconds], axis=1))
    assert codec.integer_.all() and codec.times_ == ["dates", "durations"]
    off = np.random.RandomState(0).uniform(-step / 2.1, step / 2.1, Z.shape)
    np.testing.assert_array_equal(codec.storable(Z + off), Z)


def test_containers_of_the_same_times_are_the_same():
    whole = moments().dt.round("us")
    codec = ColumnCodec().fit(pd.DataFrame({"t": whole}))
    Z = codec.transform(pd.DataFrame({"t": whole}))
    for other in (
        pd.DataFrame({"t": whole.dt.tz_localize("America/Lima")}),  # by their own clock
        pd.DataFrame({"t": whole.astype(object)}),
        pl.DataFrame({"t": pl.Series(cells(), dtype=pl.Datetime("ms"))}),
        Z,
    ):
        np.testing.assert_array_equal(codec.transform(other), Z)


@pytest.mark.parametrize(
    ("column", "match"),
    [
        (pd.Series([1.0, 2.0]), "Column 't' must hold dates, as at fit, got other cells"),
        (pd.Series(["a", "b"]), "Column 't' was numeric at fit"),
        (pd.Series([pd.Timedelta(1), pd.Timedelta(2)]), "Column 't' must hold dates, as at fit, got durations"),
        (pd.Series(["a", "b"], dtype="category"), "Column 't' must hold dates, as at fit, got other cells"),
    ],
)
def test_other_columns_than_at_fit(column, match):
    codec = ColumnCodec().fit(pd.DataFrame({"t": moments()}))
    with pytest.raises(ValueError, match=match):
        codec.transform(pd.DataFrame({"t": column}))
    plain = ColumnCodec().fit(pd.DataFrame({"t": [1.0, 2.0]}))
    with pytest.raises(ValueError, match="must hold no dates or durations, as at fit, got dates"):
        plain.transform(pd.DataFrame({"t": moments()}))


@pytest.mark.parametrize(
    "cells",
    [
        [dt.date(2020, 1, 1), "a"],
        [dt.date(2020, 1, 1), 1.5],
        [dt.date(2020, 1, 1), dt.timedelta(1)],
        [dt.time(1), dt.time(2)],
    ],
)
def test_columns_of_times_hold_nothing_else(cells):
    with pytest.raises(ValueError, match=r"Column 't' must hold dates alone, or durations alone"):
        ColumnCodec().fit(pd.DataFrame({"t": pd.Series(cells, dtype=object)}))


def test_zones_of_objects_are_not_lost():
    zoned = pd.Series([dt.datetime(2020, 1, 1, tzinfo=dt.UTC)] * 2, dtype=object)
    with pytest.raises(ValueError, match=r"time zone must be in a column of dates.*pandas\.to_datetime"):
        ColumnCodec().fit(pd.DataFrame({"t": zoned}))


@given(st.lists(st.datetimes(dt.datetime(1600, 1, 1), dt.datetime(2399, 12, 31)), min_size=1, max_size=20))
@settings(max_examples=300)
def test_the_calendar_is_the_standard_librarys(dates):
    seconds = np.array(dates, "M8[us]").view(np.int64) / 1e6
    for parts, date in zip(calendar_parts(seconds), dates, strict=True):
        march = dt.datetime(date.year - (date.month < 3), 3, 1)
        midnight = dt.datetime(date.year, date.month, date.day)
        assert parts[:3].tolist() == [(date - march).days, date.day, date.weekday()]
        assert parts[3] == pytest.approx((date - midnight).total_seconds(), abs=1e-5)


def test_the_encoder_takes_dates_apart():
    X = pd.DataFrame(
        {"word": list("ab") * 30, "t": moments(), "d": moments(seed=1).dt.floor("D"), "x": np.arange(60.0)}
    )
    encoder = InputEncoder().fit(X)
    # no time of day in whole days
    assert encoder.calendar_ == [(1, 0), (1, 1), (1, 2), (1, 3), (2, 0), (2, 1), (2, 2)]
    assert encoder.cardinalities_ == [2] + [0] * 10
    assert encoder.missing_.tolist() == [False, True, True, False] + [False] * 7
    out = encoder.transform(X)
    assert out.shape == (60, 11) and out.dtype == np.float32
    weekday = X["t"].dt.day_of_week.to_numpy(float)
    np.testing.assert_allclose(out[:, 6], (weekday - encoder.center_[6]) / encoder.scale_[6], rtol=1e-6)
    wide = InputEncoder(one_hot=True).fit(X).transform(X)
    assert wide.shape == (60, 10 + 2 + 2) and np.isfinite(wide).all()
    # one day, and what does not differ tells nothing
    assert InputEncoder().fit(pd.DataFrame({"t": pd.to_datetime(["2020-02-01"] * 3)})).calendar_ == []
