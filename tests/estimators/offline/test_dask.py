"""The offline estimators are fitted to Dask collections."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_multilabel_classification
from sklearn.ensemble import ExtraTreesRegressor, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import log_loss
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder
from torch import nn

from sklkd import (
    DistilledClassifier,
    DistilledRegressor,
    OnlineDistilledClassifier,
    SelfDistilledClassifier,
)
from sklkd.losses import FitNetLoss, SimKDLoss, SoftTargetLoss
from sklkd.teachers import Precomputed

from ..problems import Net, classes, quick, targets

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")

FEW = {"sklkd.sample-rows": 200}


@pytest.fixture
def few_decide():
    """Decisions on 200 rows, so that the others are labelled partition by partition."""
    with dask.config.set(FEW):
        yield


def arrays(X, *others, chunk=90):
    return [da.from_array(one, chunks=(chunk, *one.shape[1:])) for one in (X, *others)]


def frame(X, names="abcde"):
    return pd.DataFrame(X, columns=list(names))


def frames(*tables, n=7):
    return [dd.from_pandas(table, npartitions=n, sort=False) for table in tables]


def of_parts(*parts, meta=None):
    """A collection whose partitions are what they are, whatever it says of itself."""
    delayed = [dask.delayed(part) for part in parts]
    return dd.from_delayed(delayed, meta=parts[0].iloc[:0] if meta is None else meta, verify_meta=False)


def distil(X, y, teacher, *, student=None, kind=DistilledClassifier, weight=None, **params):
    params = {"augment": None, "hard_weight": 0.1, "blend": 0, "random_state": 0} | params
    return kind(teacher, student or quick(), **params).fit(X, y, sample_weight=weight)


def mixed(n=700, seed=0):
    """A frame of numbers, strings and categories with missing values, and labels."""
    rng = np.random.RandomState(seed)
    X = pd.DataFrame(
        {
            "size": rng.normal(size=n),
            "word": rng.choice(["red", "green", "blue"], n),
            "level": pd.Categorical(rng.choice(["low", "high"], n)),
            "count": rng.randint(0, 9, n),
        }
    )
    X.loc[rng.rand(n) < 0.1, "size"] = np.nan
    y = np.where(X["size"].fillna(1) + (X["word"] == "red") - (X["level"] == "low") > 0, "yes", "no")
    return X, pd.Series(y, name="answer")


def of_mixed():
    """An unfitted teacher of such rows."""
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = make_column_transformer((codes, ["word", "level"]), remainder="passthrough")
    return make_pipeline(columns, RandomForestClassifier(20, random_state=0))


def shown(est):
    return est.predict_proba if hasattr(est, "predict_proba") else est.predict


@pytest.mark.parametrize("container", ["array", "frame"])
@pytest.mark.parametrize("fitted", [True, False])
def test_rows_that_all_fit_into_the_sample_give_the_student_of_the_rows_in_memory(container, fitted):
    X, y = classes(400)
    if container == "frame":
        X, y = frame(X), pd.Series(y)
        collections = frames(X, y)
    else:
        collections = arrays(X, y)
    teacher = RandomForestClassifier(10, random_state=0)
    teacher = teacher.fit(X, y) if fitted else teacher
    expected = distil(X, y, teacher, augment="auto", n_synthetic=200, hard_weight="auto", blend="auto")
    est = distil(*collections, teacher, augment="auto", n_synthetic=200, hard_weight="auto", blend="auto")
    np.testing.assert_array_equal(est.predict_proba(X), expected.predict_proba(X))
    assert est.teacher_refitted_ is not fitted and est.cv_ == expected.cv_
    assert est.classes_.tolist() == ["ant", "bee", "cat"] and est.n_features_in_ == 5
    assert hasattr(est, "feature_names_in_") == (container == "frame")
    assert est.account_ == expected.account_


@pytest.mark.parametrize("n_targets", [1, 2])
@pytest.mark.parametrize("container", ["array", "frame"])
def test_targets_keep_their_mean_scale_and_shape(few_decide, container, n_targets):
    X, y = targets(900, n_targets=n_targets)
    teacher = LinearRegression().fit(frame(X) if container == "frame" else X, y)
    if container == "frame":
        table = pd.Series(y) if n_targets == 1 else pd.DataFrame(y, columns=["p", "q"])
        collections = frames(frame(X), table)
    else:
        collections = arrays(X, y)
    est = distil(*collections, teacher, kind=DistilledRegressor, student=quick(40))
    given = frame(X) if container == "frame" else X
    assert est.predict(given).shape == y.shape and est.score(given, y) > 0.9
    module = est.student_.module_
    np.testing.assert_allclose(module.target_mean, y.reshape(900, -1).mean(0), rtol=1e-12)
    np.testing.assert_allclose(module.target_scale, y.reshape(900, -1).std(0), rtol=1e-12)


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_scales_of_any_unit(few_decide, unit):
    X, y = targets(400)
    est = distil(*arrays(X, y * unit), KNeighborsRegressor().fit(X, y * unit), kind=DistilledRegressor)
    np.testing.assert_allclose(est.student_.module_.target_scale, y.std() * unit, rtol=1e-12)


@pytest.mark.slow
def test_as_good_as_the_fit_in_memory_within_the_spread_of_seeds(few_decide):
    X, y = classes(1500)
    teacher = RandomForestClassifier(20, min_samples_leaf=3, random_state=0).fit(X[:1000], y[:1000])
    seeds = range(3)

    def losses(*rows):
        fits = [
            distil(*rows, teacher, student=quick(30), random_state=seed, augment="auto", n_synthetic=500)
            for seed in seeds
        ]
        return np.array([log_loss(y[1000:], est.predict_proba(X[1000:])) for est in fits])

    in_memory, on_dask = losses(X[:1000], y[:1000]), losses(*arrays(X[:1000], y[:1000]))
    frequencies = np.tile(np.unique(y[:1000], return_counts=True)[1] / 1000, (500, 1))
    assert in_memory.max() < 0.7 * log_loss(y[1000:], frequencies)
    assert abs(on_dask.mean() - in_memory.mean()) < max(np.ptp(in_memory), 0.03)


@pytest.mark.parametrize("weights", [{"hard_weight": 1}, {"hard_weight": 0, "blend": 1}])
def test_labels_of_all_rows_are_learnt_not_those_of_the_sample_alone(few_decide, weights):
    X, y = classes(1500)
    teacher = GaussianNB().fit(X, y)
    small = distil(X[:200], y[:200], teacher, student=quick(30), **weights)
    whole = distil(*arrays(X[:1200], y[:1200]), teacher, student=quick(30), **weights)
    held = [log_loss(y[1200:], est.predict_proba(X[1200:])) for est in (small, whole)]
    assert held[1] < held[0]


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_the_same_student_by_every_scheduler(few_decide, scheduler):
    X, y = classes(700)
    teacher = RandomForestClassifier(10, random_state=0).fit(X, y)
    first = distil(*arrays(X, y), teacher, hard_weight="auto", blend=0.5)
    with dask.config.set(scheduler=scheduler):
        again = distil(*arrays(X, y), teacher, hard_weight="auto", blend=0.5)
    np.testing.assert_array_equal(first.predict_proba(X), again.predict_proba(X))
    other = distil(*arrays(X, y), teacher, hard_weight="auto", blend=0.5, random_state=1)
    assert np.abs(first.predict_proba(X) - other.predict_proba(X)).max() > 1e-4


def test_arrays_in_files_give_the_same_student(few_decide):
    X, y = classes(700)
    teacher = LogisticRegression().fit(X, y)
    fits = [distil(*arrays(X, y), teacher, memory_limit=limit) for limit in (0, "auto")]
    np.testing.assert_array_equal(*(est.predict_proba(X) for est in fits))


def test_frames_of_numbers_strings_and_categories(few_decide):
    X, y = mixed()
    teacher = of_mixed().fit(X, y)
    est = distil(*frames(X, y), teacher, student=quick(40))
    assert est.feature_names_in_.tolist() == ["size", "word", "level", "count"]
    assert est.classes_.tolist() == ["no", "yes"]
    assert est.score(X, y) > 0.9
    assert np.isfinite(est.predict_proba(X.assign(word="never seen"))).all()


def test_categories_and_missing_values_of_late_partitions_alone(few_decide):
    X, _ = mixed(2000)
    X["size"] = X["size"].fillna(0)
    X.loc[1900:, "word"] = "late"
    X.loc[1990:, "size"] = np.nan
    y = pd.Series(np.where((X["word"] == "late") | (X["word"] == "red"), "yes", "no"))
    est = distil(*frames(X, y, n=20), of_mixed().fit(X, y), student=quick(30))
    assert est.encoder_.codec_.categories_[1].tolist() == ["blue", "green", "late", "red"]
    assert est.encoder_.cardinalities_[1] == 4 and est.encoder_.missing_[0]
    assert (est.predict(X[1900:]) == "yes").all()
    none_late = X[:100].assign(word="green")
    assert (est.predict(none_late) == "no").all()


def test_categories_that_no_row_of_the_sample_has():
    X, _ = mixed(2000)
    X.loc[1995:, "word"] = "rare"
    y = pd.Series(np.where(X["word"] == "red", "yes", "no"))
    teacher = of_mixed().fit(X, y)
    with dask.config.set({"sklkd.sample-rows": 20}):
        est = distil(*frames(X, y, n=20), teacher)
    assert "rare" in est.encoder_.codec_.categories_[1].tolist()
    assert est.predict(X[1995:]).shape == (5,)


def test_partitions_without_rows_change_nothing(few_decide):
    X, y = mixed()
    teacher = of_mixed().fit(X, y)
    tables = [X.iloc[:300], X.iloc[300:], X.iloc[:0]], [y.iloc[:300], y.iloc[300:], y.iloc[:0]]
    empty = distil(*(of_parts(*table) for table in tables), teacher)
    without = distil(*(of_parts(*table[:2]) for table in tables), teacher)
    np.testing.assert_array_equal(empty.predict_proba(X), without.predict_proba(X))


def test_a_collection_without_any_row():
    X, y = mixed()
    with pytest.raises(ValueError, match="X must have rows"):
        distil(of_parts(X.iloc[:0]), of_parts(y.iloc[:0]), of_mixed())


def test_several_labels_a_row(few_decide):
    X, y = make_multilabel_classification(600, 6, n_classes=3, random_state=0)
    teacher = KNeighborsClassifier().fit(X, y)
    est = distil(*arrays(X, y), teacher, student=quick(30))
    assert [found.tolist() for found in est.classes_] == [[0, 1]] * 3
    assert est.predict_proba(X).shape == (600, 3) and (est.predict(X) == y).mean() > 0.7


def test_the_unit_of_weights_does_not_matter_and_weights_do(few_decide):
    X, y = classes(700)
    weight = np.random.RandomState(0).rand(700)
    weight[::5] = 0
    teacher = LogisticRegression().fit(X, y)
    one, two, equal = (
        distil(*arrays(X, y), teacher, weight=w, hard_weight=0.5)
        for w in (arrays(weight)[0], arrays(weight * 8)[0], None)
    )
    np.testing.assert_allclose(one.predict_proba(X), two.predict_proba(X), atol=1e-5)
    assert np.abs(one.predict_proba(X) - equal.predict_proba(X)).max() > 1e-3


def test_identical_rows_of_a_partition_are_one():
    X, y = classes(300)
    doubled, labels = np.repeat(X, 2, axis=0), np.repeat(y, 2)
    teacher = LogisticRegression().fit(X, y)
    with dask.config.set({"sklkd.sample-rows": 2}):
        once = distil(*arrays(X, y, chunk=100), teacher, student=quick(60, lr=0.01))
        twice = distil(*arrays(doubled, labels, chunk=200), teacher, student=quick(60, lr=0.01))
    assert np.abs(once.predict_proba(X) - teacher.predict_proba(X)).mean() < 0.1
    assert np.abs(once.predict_proba(X) - twice.predict_proba(X)).mean() < 0.05


@pytest.mark.filterwarnings("ignore::sklkd.exceptions.TeacherWarning")
def test_teachers_hidden_layers(few_decide):
    X, y = classes(700)
    X = X.astype(np.float32)
    torch.manual_seed(0)
    teacher = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3))
    losses = [("kd", SoftTargetLoss()), ("hint", FitNetLoss(teacher_layer="1", weight=0.1))]
    fits = [distil(*arrays(X, y, chunk=20), teacher, loss=losses) for _ in range(2)]
    np.testing.assert_array_equal(*(est.predict_proba(X) for est in fits))
    assert teacher.training


def test_the_account_says_what_was_decided_on_the_sample(few_decide):
    X, y = classes(700)
    notes = " ".join(distil(*arrays(X, y), GaussianNB()).account_.notes)
    assert "200 of 700" in notes and "teacher was fitted on this sample" in notes
    notes = " ".join(distil(*arrays(X, y), GaussianNB().fit(X, y)).account_.notes)
    assert "200 of 700" in notes and "teacher was fitted" not in notes


def test_columns_and_unlabelled_rows(few_decide):
    X, y = mixed()
    est = DistilledClassifier(of_mixed().fit(X, y), quick(), columns=["word", "size"], random_state=0)
    est.fit(*frames(X, y), X_transfer=X.iloc[:50])
    assert est.predict(X[["size", "word"]]).shape == (700,)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"cv": 3}, "cv must be 'auto' or None"),
        ({"cv": "oob"}, "cv must be 'auto' or None"),
        ({"teacher": Precomputed(np.ones((700, 3)) / 3)}, "Precomputed"),
        ({"loss": SimKDLoss(), "hard_weight": "auto"}, "SimKDLoss"),
    ],
)
def test_what_needs_all_rows_in_one_place(few_decide, params, message):
    X, y = classes(700)
    teacher = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))
    with pytest.raises(ValueError, match=message):
        distil(*arrays(X.astype(np.float32), y), params.pop("teacher", teacher), **params)


def test_what_fit_is_given_beside_collections():
    X, y = classes(300)
    table, labels = arrays(X, y)
    est = DistilledClassifier(GaussianNB().fit(X, y), quick())
    with pytest.raises(ValueError, match="teacher_outputs must be None"):
        est.fit(table, labels, teacher_outputs=np.ones((300, 3)) / 3)
    with pytest.raises(ValueError, match="groups must be None"):
        est.fit(table, labels, groups=y)
    with pytest.raises(TypeError, match="X_transfer must hold its rows"):
        est.fit(table, labels, X_transfer=table)
    with pytest.raises(TypeError, match="partial_fit takes rows in memory"):
        est.partial_fit(table, labels)
    with pytest.raises(TypeError, match="y must be a Dask"):
        est.fit(table, y)
    with pytest.raises(TypeError, match="X must be a Dask"):
        est.fit(X, labels)
    with pytest.raises(TypeError, match="sample_weight must be a Dask"):
        est.fit(table, labels, sample_weight=np.ones(300))
    with pytest.raises(TypeError, match="two dimensions"):
        est.fit(labels, labels)


def test_partitions_that_do_not_match():
    X, y = classes(300)
    est = DistilledClassifier(GaussianNB().fit(X, y), quick())
    table, labels = arrays(X, y)
    for other in (labels.rechunk(100), labels.rechunk((60, 90, 90, 60))):
        with pytest.raises(ValueError, match="same partitions"):
            est.fit(table, other)
    sizes = [(X[:200], y[:200]), (X[200:], y[200:290])]
    parts = [[frame(rows), pd.Series(answers)] for rows, answers in sizes]
    with pytest.raises(ValueError, match=r"partition 1 .* could not be read") as caught:
        est.fit(of_parts(*(rows for rows, _ in parts)), of_parts(*(answers for _, answers in parts)))
    assert "100 and 90 in partition 1" in str(caught.value.__cause__)


def broken(what):
    """A frame in partitions of 100 rows of which number 3 is another than the collection says."""
    X, y = classes(500)
    tables = [frame(X[start : start + 100]) for start in range(0, 500, 100)]
    labels = [pd.Series(y[start : start + 100]) for start in range(0, 500, 100)]
    tables[3], labels[3] = {
        "columns": lambda rows, y: (rows.rename(columns={"b": "z"}), y),
        "fewer columns": lambda rows, y: (rows.drop(columns="e"), y),
        "dtype": lambda rows, y: (rows.assign(b=rows["b"].astype(str)), y),
        "dtype of y": lambda rows, y: (rows, pd.Series(np.arange(100.0))),
        "infinity": lambda rows, y: (rows.assign(b=np.inf), y),
        "label": lambda rows, y: (rows, y.where(y.index > 0)),
    }[what](tables[3], labels[3])
    return of_parts(*tables), of_parts(*labels)


@pytest.mark.parametrize("what", ["columns", "fewer columns", "dtype", "dtype of y", "infinity", "label"])
def test_a_partition_that_is_no_good_is_named_and_nothing_is_changed(few_decide, what):
    X, y = classes(500)
    est = DistilledClassifier(GaussianNB().fit(frame(X), y), quick(), augment=None, random_state=0)
    est.fit(frame(X), y)
    before, state = est.predict_proba(frame(X)), dict(vars(est))
    with pytest.raises(ValueError, match=r"partition 3 .* could not be read") as caught:
        est.fit(*broken(what))
    assert isinstance(caught.value.__cause__, ValueError)
    assert vars(est) == state
    np.testing.assert_array_equal(est.predict_proba(frame(X)), before)


def test_strings_in_one_partition_and_numbers_in_another():
    X, y = classes(300)
    X = X.astype(object)
    X[200:, 1] = X[200:, 1].astype(str)
    with pytest.raises(ValueError, match=r"Column 1 must hold cells of one kind .* partition 0 .* partition 2"):
        distil(*arrays(X, y, chunk=100), GaussianNB())


def test_a_class_that_the_sample_lacks():
    X, y = classes(1000)
    y = y.astype(object)
    y[555] = "zebra"
    with dask.config.set({"sklkd.sample-rows": 100}):
        unfitted = distil(*arrays(X, y), GaussianNB(), hard_weight="auto", blend="auto")
        fitted = distil(*arrays(X, y), GaussianNB().fit(X, y), hard_weight="auto", blend="auto")
    for est in (unfitted, fitted):
        assert est.classes_.tolist() == ["ant", "bee", "cat", "zebra"]
        assert est.predict_proba(X).shape == (1000, 4)
    assert set(unfitted.teacher_.classes_) == {"ant", "bee", "cat"}


def test_chunks_of_unknown_length(few_decide):
    X, y = classes(700)
    (table,) = frames(frame(X))
    teacher = GaussianNB().fit(X, y)
    known, unknown = (
        distil(*rows, teacher) for rows in (arrays(X, y, chunk=100), (table.to_dask_array(), arrays(y, chunk=100)[0]))
    )
    np.testing.assert_array_equal(known.predict_proba(X), unknown.predict_proba(X))


class Raising(ClassifierMixin, BaseEstimator):
    """A fitted teacher that fails for rows of a kind, of which the sample has none."""

    def __init__(self, error=ZeroDivisionError):
        self.error = error
        self.classes_ = np.array(["ant", "bee", "cat"])

    def fit(self, X, y):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def predict_proba(self, X):
        if (np.asarray(X)[:, 0] > 1e6).any():
            raise self.error("somewhere deep down")
        return np.tile([0.2, 0.3, 0.5], (len(X), 1))


@pytest.mark.filterwarnings("ignore::sklkd.exceptions.TeacherWarning")
@pytest.mark.parametrize(("error", "kind"), [(ZeroDivisionError, RuntimeError), (ValueError, ValueError)])
def test_a_teacher_that_raises_in_one_partition(error, kind):
    X, y = classes(1000)
    X[777, 0] = 1e9
    est = DistilledClassifier(Raising(error), quick(), augment=None, hard_weight=0.1, blend=0, random_state=0)
    with dask.config.set({"sklkd.sample-rows": 10}), pytest.raises(kind, match=r"partition 7 .* labelled") as caught:
        est.fit(*arrays(X, y, chunk=100))
    assert isinstance(caught.value.__cause__, error)
    assert not hasattr(est, "student_") and not hasattr(est, "classes_")


def test_what_cannot_be_read_is_named(few_decide):
    X, y = classes(300)

    @dask.delayed
    def read(k):
        if k == 1:
            raise OSError("the file is gone")
        return X[k * 100 : (k + 1) * 100]

    table = da.concatenate([da.from_delayed(read(k), (100, 5), dtype=float) for k in range(3)])
    with pytest.raises(OSError, match=r"partition 1 .* read"):
        distil(table, arrays(y, chunk=100)[0], GaussianNB().fit(X, y))


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the system cannot reserve a file's space")
def test_a_full_disk(few_decide):
    import resource

    X, y = classes(2000)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
        with pytest.raises(OSError, match="memory_limit"):
            distil(*arrays(X, y), GaussianNB().fit(X, y), memory_limit=0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("n", [0, "many"])
def test_the_size_of_the_sample_is_checked(n):
    X, y = classes(300)
    with dask.config.set({"sklkd.sample-rows": n}), pytest.raises(ValueError, match=r"sklkd.sample-rows"):
        distil(*arrays(X, y), GaussianNB().fit(X, y))


def test_one_class_and_constant_targets():
    X, y = classes(300)
    with pytest.raises(ValueError, match="at least 2 classes"):
        distil(*arrays(X, np.where(y == "", y, "ant")), GaussianNB().fit(X, y))
    with pytest.raises(ValueError, match="y must vary"):
        distil(*arrays(X, np.full(300, 2.5)), LinearRegression().fit(X, X[:, 0]), kind=DistilledRegressor)
    with pytest.raises(ValueError, match="sample_weight must have a weight > 0"):
        distil(*arrays(X, y), GaussianNB().fit(X, y), weight=arrays(np.zeros(300))[0])


@contextmanager
def running(n_workers, processes=True):
    """A cluster on this machine."""
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": n_workers, "threads_per_worker": 1, "processes": processes, "dashboard_address": ":0"}
    with distributed.LocalCluster(**options) as made, distributed.Client(made) as client:
        yield client


@pytest.fixture(scope="module")
def cluster():
    with running(2) as client:
        yield client


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["classes", "targets", "frame"])
def test_the_same_student_on_a_cluster(few_decide, cluster, kind):
    if kind == "targets":
        X, y = targets(700)
        fit = (arrays(X, y), ExtraTreesRegressor(10, random_state=0).fit(X, y))
        options = {"kind": DistilledRegressor}
    elif kind == "frame":
        X, y = mixed()
        fit, options = (frames(X, y), of_mixed().fit(X, y)), {"hard_weight": "auto", "blend": 0.5, "augment": "auto"}
    else:
        X, y = classes(700)
        fit, options = (arrays(X, y), RandomForestClassifier(10, random_state=0).fit(X, y)), {}
    on_cluster = distil(*fit[0], fit[1], **options)
    with dask.config.set(scheduler="threads"):
        here = distil(*fit[0], fit[1], **options)
    np.testing.assert_allclose(shown(on_cluster)(X), shown(here)(X), rtol=1e-6, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("n_workers", [1, 2])
def test_a_worker_that_is_killed_changes_nothing(few_decide, n_workers, tmp_path):
    X, y = classes(1100)
    chunks = (100, 100, 100, 100, 100, 123, 100, 100, 100, 177)
    table, labels = da.from_array(X, chunks=(chunks, 5)), da.from_array(y, chunks=(chunks,))
    reference = GaussianNB().fit(X, y)
    killed, main = str(tmp_path / "killed"), os.getpid()

    def teacher(rows):
        # partition 5, without the 22 or 23 rows that are in the sample, takes its first worker with it
        if len(rows) in (100, 101) and os.getpid() != main and not os.path.exists(killed):
            with open(killed, "w"):
                pass
            os.kill(os.getpid(), signal.SIGKILL)
        return reference.predict_proba(rows)

    with running(n_workers):
        survived = distil(table, labels, teacher)
    assert os.path.exists(killed)
    with dask.config.set(scheduler="synchronous"):
        expected = distil(table, labels, teacher)
    np.testing.assert_allclose(survived.predict_proba(X), expected.predict_proba(X), rtol=1e-6, atol=1e-7)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklkd.exceptions.TeacherWarning")
def test_a_failure_on_a_cluster_names_the_partition(cluster):
    X, y = classes(1000)
    X[777, 0] = 1e9

    def teacher(rows):
        if (rows[:, 0] > 1e6).any():
            raise ZeroDivisionError("somewhere deep down")
        return np.tile([0.2, 0.3, 0.5], (len(rows), 1))

    with dask.config.set({"sklkd.sample-rows": 10}), pytest.raises(RuntimeError, match=r"partition 7 .* labelled"):
        distil(*arrays(X, y, chunk=100), teacher)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Parameter n_jobs will be ignored")
@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_teachers_that_are_fitted_on_the_collections(few_decide, library):
    X, y = classes(900)
    if library == "xgboost":
        teacher = pytest.importorskip("xgboost.dask").DaskXGBClassifier(n_estimators=20)
    else:
        teacher = pytest.importorskip("lightgbm").DaskLGBMClassifier(n_estimators=20, verbose=-1, n_jobs=None)
    with running(1, processes=False):
        est = distil(*arrays(X, y), teacher, student=quick(30))
    assert est.teacher_refitted_ and not type(est.teacher_).__name__.startswith("Dask")
    # it has seen all rows, not the sample alone
    assert (est.teacher_.predict(X) == np.unique(y, return_inverse=True)[1]).mean() > 0.9
    assert est.classes_.tolist() == ["ant", "bee", "cat"] and est.score(X, y) > 0.7


@pytest.mark.parametrize("estimator", [OnlineDistilledClassifier([quick(), quick()]), SelfDistilledClassifier(quick())])
def test_other_modes_say_what_to_pass(estimator):
    X, y = classes(300)
    with pytest.raises(TypeError, match=r"Dask collection: pass X.compute\(\)"):
        estimator.fit(*arrays(X, y))


def test_networks_of_the_users_own(few_decide):
    X, y = classes(500)
    est = distil(*arrays(X, y), GaussianNB().fit(X, y), student=Net)
    assert est.predict_proba(X).shape == (500, 3)
