"""Estimators that predict for Dask collections: the same as for the rows in memory, and lazily."""

from __future__ import annotations

import warnings

import cloudpickle
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sklkd import (
    DistilledClassifier,
    DistilledRegressor,
    OnlineDistilledClassifier,
    OnlineDistilledRegressor,
    SelfDistilledClassifier,
    SelfDistilledRegressor,
)
from sklkd.methods import DeepToShallow
from sklkd.students import TabularStudent

from ..frames import ParityClassifier, frame
from .problems import classes, quick, targets

COLUMNS = ("label", "word", "level", "code", "flag", "count", "1", "text", "grade", "when", "took", "month")
PLAIN = {"hard_weight": 0.1, "blend": 0, "augment": None, "random_state": 0}


def student():
    return quick(max_epochs=1)


def peers():
    return [("one", student()), ("two", student())]


X5, WORDS = classes()
LABELS2 = np.stack([X5[:, 0] > 0, X5[:, 1] > 0], axis=1).astype(int)
TARGET, TARGETS2 = targets()[1], targets(n_targets=2)[1]
TREES = {"n_estimators": 3, "random_state": 0}

ESTIMATORS = {
    "offline": lambda: DistilledClassifier(RandomForestClassifier(**TREES), student(), **PLAIN).fit(X5, WORDS),
    "offline, 2 classes": lambda: DistilledClassifier(LogisticRegression(), student(), **PLAIN).fit(X5, WORDS == "ant"),
    "offline, labels": lambda: DistilledClassifier(ExtraTreesClassifier(**TREES), student(), **PLAIN).fit(X5, LABELS2),
    "online": lambda: OnlineDistilledClassifier(peers(), random_state=0).fit(X5, WORDS),
    "self": lambda: SelfDistilledClassifier(student(), random_state=0).fit(X5, WORDS),
    "offline values": lambda: DistilledRegressor(RandomForestRegressor(**TREES), student(), **PLAIN).fit(X5, TARGET),
    "offline, 2 values": lambda: DistilledRegressor(RandomForestRegressor(**TREES), student(), **PLAIN).fit(
        X5, TARGETS2
    ),
    "online values": lambda: OnlineDistilledRegressor(peers(), random_state=0).fit(X5, TARGETS2),
    "self values": lambda: SelfDistilledRegressor(student(), random_state=0).fit(X5, TARGET),
}
METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function")


def same(lazy, expected):
    """What is known before it is computed, and what comes out."""
    assert isinstance(lazy, da.Array) and lazy.dtype == expected.dtype and lazy.shape[1:] == expected.shape[1:]
    found = lazy.compute(scheduler="sync")
    assert found.dtype == expected.dtype and found.shape == expected.shape
    if expected.dtype.kind == "f":
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    else:
        np.testing.assert_array_equal(found, expected)


@pytest.fixture(scope="module")
def fitted():
    made = {}

    def get(name):
        if name not in made:
            made[name] = ESTIMATORS[name]()
        return made[name]

    return get


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_method_gives_what_it_gives_in_memory(fitted, name):
    est, y = fitted(name), {"labels": LABELS2}.get(name.split()[-1], WORDS)
    X = da.from_array(X5, chunks=(50, 3))
    for method in METHODS:
        if hasattr(est, method):
            same(getattr(est, method)(X), getattr(est, method)(X5))
    y = {"2 classes": WORDS == "ant", "labels": LABELS2, "2 values": TARGETS2}.get(name.partition(", ")[2])
    if y is None:
        y = {"offline values": TARGET, "self values": TARGET, "online values": TARGETS2}.get(name, WORDS)
    weight = np.arange(len(y)) % 3
    expected = est.score(X5, y, weight)
    assert est.score(X, da.from_array(y, chunks=40), da.from_array(weight)) == pytest.approx(expected, abs=1e-12)
    assert est.score(X, y, sample_weight=weight) == pytest.approx(expected, abs=1e-12)


@pytest.fixture(scope="module")
def of_frames():
    X = frame(150, 0, COLUMNS)
    y = np.where(np.arange(150) % 2, "odd", "even")
    return DistilledClassifier(ParityClassifier(), student(), **PLAIN).fit(X, y), X


@pytest.mark.parametrize("npartitions", [1, 4])
@pytest.mark.parametrize("method", METHODS)
def test_frames_with_columns_of_every_kind(of_frames, npartitions, method):
    est, X = of_frames
    ddf = dd.from_pandas(X, npartitions=npartitions)
    lazy = getattr(est, method)(ddf)
    assert np.isnan(lazy.shape[0])
    same(lazy, getattr(est, method)(X))


def test_partitions_without_rows_and_of_other_dtypes(of_frames):
    est, X = of_frames
    other = X.iloc[50:100].astype(
        {"level": object, "code": "float64", "count": "float64", "flag": "int64", "label": "f4"}
    )
    parts = [X.iloc[:50], other, X.iloc[:0], X.iloc[100:]]
    ddf = dd.from_map(lambda k: parts[k], range(len(parts)), meta=X.iloc[:0])
    expected = np.concatenate([est.predict_proba(part) for part in parts if len(part)])
    same(est.predict_proba(ddf), expected)
    same(est.predict(ddf[ddf["label"] > 1e9]), est.predict(X)[:0])


def test_wrong_columns_are_the_errors_of_rows_in_memory(of_frames, fitted):
    est, X = of_frames
    for wrong in (X[list(reversed(COLUMNS))], X.drop(columns="level"), X.assign(more=1)):
        with pytest.raises(ValueError) as expected:
            est.predict(wrong)
        with pytest.raises(ValueError) as found:
            est.predict(dd.from_pandas(wrong, npartitions=2))
        assert str(found.value) == str(expected.value)
    with pytest.raises(ValueError, match="5 features"):
        fitted("self").predict(da.zeros((9, 4)))
    with pytest.raises(ValueError, match="1D array"):
        fitted("self").predict(da.zeros(9))


def test_bad_rows_are_an_error_that_names_their_partition(fitted):
    est, X = fitted("offline, 2 classes"), X5.copy()
    X[70, 2] = np.inf
    with pytest.raises(ValueError, match="infinity") as caught:
        est.predict_proba(da.from_array(X, chunks=(50, -1))).compute()
    assert any("block 1" in note for note in caught.value.__notes__)


def test_the_column_that_a_student_reads(fitted):
    X = pd.DataFrame(X5, columns=list("abcde"))
    est = DistilledClassifier(RandomForestClassifier(**TREES), student(), columns=["d", "a"], **PLAIN).fit(X, WORDS)
    for given in (X, X[["d", "a"]], X[["a", "b", "d"]]):
        same(est.predict_proba(dd.from_pandas(given, npartitions=2)), est.predict_proba(X))
    with pytest.raises(ValueError, match="without \\['a'\\]"):
        est.predict(dd.from_pandas(X[["d", "b"]], npartitions=2))


def test_exits_peers_and_thresholds():
    deep = TabularStudent(module__hidden=(8, 8), max_epochs=1)
    est = SelfDistilledClassifier(deep, method=DeepToShallow(), random_state=0).fit(X5, WORDS)
    X = da.from_array(X5, chunks=(50, -1))
    for exit in est.exits_:
        same(est.predict_proba(X, exit=exit), est.predict_proba(X5, exit=exit))
    two = OnlineDistilledClassifier(peers(), random_state=0).fit(X5, WORDS)
    same(two.with_peer("two").predict_proba(X), two.with_peer("two").predict_proba(X5))
    same(two.with_peer("one").predict_proba(X), two.with_peer("one").predict_proba(X5))
    careful = ESTIMATORS["offline, 2 classes"]()
    careful.threshold_ = 0.01
    lazy = careful.predict(X)
    expected = careful.predict(X5)
    assert expected.sum() > 0.5 * len(X5)
    careful.threshold_ = None  # after the call
    same(lazy, expected)


def test_texts_and_sparse_blocks(fitted):
    texts = pd.Series(["good fun", "bad film", "great plot", "dull end"] * 10)
    y = np.arange(40) % 2
    est = DistilledClassifier(
        make_pipeline(TfidfVectorizer(), LogisticRegression()), make_pipeline(TfidfVectorizer(), student()), **PLAIN
    ).fit(texts, y)
    for X in (dd.from_pandas(texts, npartitions=3), da.from_array(texts.to_numpy(dtype=object), chunks=15)):
        same(est.predict_proba(X), est.predict_proba(texts))
        same(est.predict(X), est.predict(texts))
    with pytest.raises(ValueError, match="texts in one dimension"):
        est.predict(da.zeros((4, 2)))
    est = fitted("offline")
    blocks = da.from_array(X5, chunks=(50, -1)).map_blocks(sparse.csr_array)
    same(est.predict_proba(blocks), est.predict_proba(sparse.csr_array(X5)))


def test_neither_teacher_nor_optimizer_goes_to_the_workers():
    forest = RandomForestClassifier(200, random_state=0)
    est = DistilledClassifier(forest, student(), **PLAIN).fit(X5, WORDS)
    lazy = est.predict_proba(da.from_array(X5, chunks=(10, -1)))
    size = len(cloudpickle.dumps(lazy.__dask_graph__()))
    assert len(cloudpickle.dumps(est)) > 500_000 > 200_000 > size
    assert est.teacher_ is not None


def test_the_callers_warning_filters_see_nothing_new(of_frames):
    est, X = of_frames
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        est.predict(dd.from_pandas(X, npartitions=2)).compute()


@pytest.mark.slow
def test_on_a_cluster_of_processes(of_frames):
    from distributed import Client, LocalCluster

    est, X = of_frames
    big = pd.concat([X] * 20, ignore_index=True)
    with LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=":0") as cluster, Client(cluster):
        lazy = est.predict_proba(dd.from_pandas(big, npartitions=8))
        np.testing.assert_allclose(lazy.compute(), est.predict_proba(big), rtol=1e-12)
        y = da.from_array(np.tile(est.predict(X), 20), chunks=900)
        assert est.score(dd.from_pandas(big, npartitions=8), y) == 1
        wrong = dd.from_pandas(big, npartitions=8).assign(took="never")
        with pytest.raises(ValueError, match="took") as caught:
            est.predict(wrong).compute()
        assert any("partition" in note for note in caught.value.__notes__)
