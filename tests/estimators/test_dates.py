"""Dates, durations and periods: the default student takes them apart, and steps get them as they are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklkd import (
    CPredictor,
    DistilledClassifier,
    DistilledRegressor,
    OnlineDistilledClassifier,
    OnnxPredictor,
    SelfDistilledClassifier,
    to_c,
    to_onnx,
)

from .problems import quick


def visits(n=600, seed=0):
    """Hours, how long something took and its month; the label hangs on weekday and time of day."""
    rng = np.random.RandomState(seed)
    when = pd.Series(pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.randint(0, 2 * 365 * 24, n), unit="h"))
    took = pd.to_timedelta(rng.randint(1, 500, n), unit="min")
    X = pd.DataFrame({"when": when, "took": took, "month": when.dt.to_period("M"), "x": rng.randn(n)})
    return X, np.where((when.dt.day_of_week < 5) & when.dt.hour.between(8, 17), "open", "closed")


def as_numbers(X):
    """What somebody's own step makes of it; it fails if it is not given dates."""
    when = X["when"]
    return pd.DataFrame(
        {
            "day": when.dt.day_of_week,
            "hour": when.dt.hour,
            "minutes": X["took"].dt.total_seconds() / 60,
            "month": X["month"].dt.month,
            "x": X["x"],
        }
    ).to_numpy(float)


def teacher():
    booster = HistGradientBoostingClassifier(max_iter=30, min_samples_leaf=5, random_state=0)
    return make_pipeline(FunctionTransformer(as_numbers), booster)


def learner():
    return quick(40, batch_size=32, lr=0.02)


@pytest.fixture(scope="module")
def fitted():
    X, y = visits()
    return DistilledClassifier(teacher(), quick(60, module__hidden=(32,)), random_state=0).fit(X, y)


def test_the_default_student_reads_the_calendar(fitted):
    rows, y = visits(seed=1)
    assert fitted.score(rows, y) > 0.9
    # synthetic rows had dates, which the teacher's steps take
    assert type(fitted.augment_).__name__ == "MUNGE"
    gap = rows.assign(when=rows["when"].where(np.arange(len(rows)) > 2))
    assert np.isfinite(fitted.predict_proba(gap)).all()


def test_the_same_in_every_file(fitted, tmp_path):
    rows, _ = visits(seed=1)
    rows.loc[:9, "when"] = pd.NaT
    expected = fitted.predict_proba(rows)
    report = to_onnx(fitted, tmp_path / "visits.onnx")
    assert report.numbers == "float64"
    to_c(fitted, tmp_path / "visits.c")
    for predictor in (OnnxPredictor(tmp_path / "visits.onnx"), CPredictor(tmp_path / "visits.c")):
        np.testing.assert_allclose(predictor.predict_proba(rows), expected, rtol=0, atol=1e-5)
        np.testing.assert_allclose(predictor.predict_proba(rows.iloc[[50]]), expected[[50]], rtol=0, atol=1e-5)
        with pytest.raises(ValueError, match="Column 'when' must hold dates, as at fit"):
            predictor.predict(rows.assign(when=1.0))


def test_steps_get_dates_as_they_are():
    X, y = visits(200)
    student = Pipeline([("numbers", FunctionTransformer(as_numbers)), ("net", quick(40))])
    est = DistilledClassifier(teacher(), student, hard_weight=0.1, blend=0, random_state=0).fit(X, y)
    assert est.score(X, y) > 0.75


@pytest.mark.parametrize(
    "est",
    [SelfDistilledClassifier(learner()), OnlineDistilledClassifier([("a", learner()), ("b", learner())])],
    ids=["self", "online"],
)
def test_modes_without_a_teacher(est):
    X, y = visits(300)
    assert clone(est).set_params(random_state=0).fit(X, y).score(X, y) > 0.75


def test_polars_and_other_units():
    X, _ = visits(200)
    y = np.asarray(X["when"].dt.hour + X["x"], dtype=float)
    polars = pl.DataFrame(
        {
            "when": pl.Series([cell.to_pydatetime() for cell in X["when"]], dtype=pl.Datetime("ms")),
            "took": pl.Series([cell.to_pytimedelta() for cell in X["took"]]),
            "x": X["x"].tolist(),
        }
    )
    pandas = X[["when", "took", "x"]].astype({"when": "datetime64[s]"})

    def hours(rows):
        return np.column_stack([rows["when"].dt.hour(), rows["x"]]).astype(float)

    def hours_of_pandas(rows):
        return np.column_stack([rows["when"].dt.hour, rows["x"]]).astype(float)

    forest = RandomForestRegressor(10, random_state=0)
    made = [
        DistilledRegressor(make_pipeline(FunctionTransformer(step), forest), quick(), random_state=0).fit(rows, y)
        for step, rows in ((hours, polars), (hours_of_pandas, pandas))
    ]
    np.testing.assert_allclose(made[0].predict(polars), made[1].predict(pandas), rtol=1e-9)
    np.testing.assert_array_equal(made[0].predict(pandas), made[0].predict(polars))
