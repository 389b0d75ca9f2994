"""Wide sparse tables stay sparse from the user's container up to the trained network, and in its predictions."""

from __future__ import annotations

import pickle
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import skops.io
import torch
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.decomposition import TruncatedSVD
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.pipeline import Pipeline, make_pipeline
from torch import nn

from sklkd import (
    CPredictor,
    DistilledClassifier,
    DistilledRegressor,
    OnlineDistilledClassifier,
    OnlineDistilledRegressor,
    OnnxPredictor,
    SelfDistilledClassifier,
    SelfDistilledRegressor,
    to_c,
    to_onnx,
)
from sklkd._sparse_rows import SparseRows, concatenate
from sklkd.augment import MUNGE
from sklkd.losses import FitNetLoss, SoftTargetLoss
from sklkd.methods import BornAgain, Codistillation, DeepToShallow, SameClassPairs
from sklkd.students import InputEncoder, TabularNet, TabularStudent

N, D = 120, 600


def quick(n_epochs=2, **params):
    return TabularStudent("tiny", max_epochs=n_epochs, **params)


def words(n=N, d=D, seed=0, per_row=12):
    """Counts of words, and two classes of which each word is a hint."""
    rng = np.random.default_rng(seed)
    frequency = 1 / (5 + np.arange(d))
    columns = rng.choice(d, size=(n, per_row), p=frequency / frequency.sum())
    X = sparse.csr_array((np.ones(columns.size), (np.repeat(np.arange(n), per_row), columns.ravel())), shape=(n, d))
    X.sum_duplicates()
    X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)  # as forests want them
    hint = np.random.default_rng(1).normal(size=d)
    return X, (X @ hint > 0).astype(int)


def linear():
    return LogisticRegression(C=10)


def classifier(teacher=None, student=None, **params):
    params = {"hard_weight": 0.1, "blend": 0, "random_state": 0} | params
    return DistilledClassifier(teacher or linear(), student or quick(), **params)


CONTAINERS = [sparse.csr_matrix, sparse.csc_matrix, sparse.csc_array, sparse.coo_array, sparse.lil_array]


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_container_gives_the_same_student(container):
    X, y = words()
    expected = classifier().fit(X, y).predict_proba(X)
    est = classifier().fit(container(X), y)
    assert isinstance(est.student_.module_, TabularNet) and len(est.student_.module_.hidden) == 1
    np.testing.assert_allclose(est.predict_proba(container(X)), expected, atol=1e-6)
    np.testing.assert_allclose(est.predict_proba(X.toarray()), est.predict_proba(X), atol=1e-12)
    one = est.predict_proba(X[[3]])
    np.testing.assert_allclose(one[0], est.predict_proba(X)[3], atol=1e-12)


def test_the_public_parts_give_the_prediction():
    X, y = words()
    est = classifier().fit(X, y)
    encoded = est.encoder_.transform(X)
    assert sparse.issparse(encoded) and encoded.dtype == np.float32 and abs(encoded).max() == 1
    np.testing.assert_allclose(est.student_.predict_proba(encoded), est.predict_proba(X), atol=1e-5)


def test_explicit_zeros_repeated_entries_and_integers_are_nothing_else():
    X, y = words()
    split = X.tocoo()
    split = sparse.coo_array(
        (
            np.r_[split.data - 1, np.ones(split.nnz), 0, 0].astype(int),
            (np.r_[split.row, split.row, 0, 1], np.r_[split.col, split.col, D - 1, D - 1]),
        ),
        shape=X.shape,
    )
    assert split.nnz > X.nnz
    expected = classifier().fit(X, y).predict_proba(X)
    np.testing.assert_allclose(classifier().fit(split, y).predict_proba(split), expected, atol=1e-6)


class Watching(ClassifierMixin, BaseEstimator):
    """A teacher that remembers what containers it was given."""

    seen: list = []

    def fit(self, X, y):
        self.seen.append(type(X))
        self.inner_ = linear().fit(X, y)
        self.classes_ = self.inner_.classes_
        return self

    def predict_proba(self, X):
        self.seen.append(type(X))
        return self.inner_.predict_proba(X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def test_the_teacher_gets_the_users_container():
    X, y = words()
    Watching.seen.clear()
    DistilledClassifier(Watching(), quick(), random_state=0).fit(sparse.csc_matrix(X), y)
    assert Watching.seen[0] is sparse.csc_matrix and all(issubclass(one, sparse.spmatrix) for one in Watching.seen)


def test_nothing_dense_of_the_tables_size_is_made():
    X, y = words(n=400, d=100_000)
    dense = 8 * X.shape[0] * X.shape[1]
    teacher = DummyClassifier(strategy="prior").fit(X, y)
    est = classifier(teacher, quick(1), augment="auto", hard_weight="auto", blend="auto")
    tracemalloc.start()
    try:
        est.fit(X, y)
        est.predict_proba(X)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # a few numbers for each column, and of every entry some copies
    assert peak < 0.2 * dense, f"{peak / dense:.2f} of the dense table"


@pytest.mark.parametrize("fitted_on", ["dense", "sparse"])
def test_predictions_are_made_in_pieces(fitted_on, monkeypatch):
    monkeypatch.setattr("sklkd.estimators._fitted_student.SPARSE_ROWS", 50)
    X, y = words()
    est = classifier(augment=None).fit(X.toarray() if fitted_on == "dense" else X, y)
    sizes = []
    read = type(est.encoder_.codec_).transform
    monkeypatch.setattr(
        type(est.encoder_.codec_), "transform", lambda self, X: sizes.append(X.shape[0]) or read(self, X)
    )
    np.testing.assert_allclose(est.predict_proba(X.tocsc()), est.predict_proba(X.toarray()), atol=1e-12)
    assert sizes == [50, 50, 20, 120]


@pytest.mark.parametrize("make", [DistilledClassifier, OnlineDistilledClassifier, SelfDistilledClassifier])
def test_a_weight_of_two_and_a_repeated_row_are_the_same(make):
    X, y = words()
    weight = np.random.RandomState(0).randint(3, size=N)
    repeated = np.repeat(np.arange(N), weight)
    # of a fitted teacher, which weights cannot change
    est = classifier(linear().fit(X, y)) if make is DistilledClassifier else make(random_state=0)
    if make is OnlineDistilledClassifier:
        est.set_params(peers=[("a", quick()), ("b", quick())])
    elif make is SelfDistilledClassifier:
        est.set_params(student=quick())
    weighted = est.fit(X, y, sample_weight=weight).predict_proba(X)
    shuffled = np.random.RandomState(1).permutation(repeated)
    np.testing.assert_allclose(est.fit(X[shuffled], y[shuffled]).predict_proba(X), weighted, atol=1e-6)


def test_columns_that_fit_never_saw_change_nothing():
    X, y = words()
    X = sparse.csr_array(sparse.hstack([X, sparse.csr_array((N, 3))]))
    est = classifier().fit(X, y)
    other = X.tolil()
    other[:, -3:] = 7.0
    np.testing.assert_allclose(est.predict_proba(other), est.predict_proba(X), atol=1e-12)


def test_what_was_decided_is_said():
    X, y = words()
    est = classifier().fit(X, y)
    assert est.augment_ is None
    assert "No synthetic rows were made: X is sparse" in str(est.account_) and "600 columns" in str(est.account_)
    assert "No synthetic rows" not in str(classifier(augment=None).fit(X, y).account_)
    with pytest.raises(ValueError, match=r"MUNGE takes sparse tables of at most 500 columns, got 600.*X_transfer"):
        classifier(augment=MUNGE()).fit(X, y)


class Resampled(BaseEstimator):
    """A sampler of the user's own, which keeps the container."""

    def fit(self, X):
        self.X_ = X.tocsr()
        return self

    def sample(self, n, random_state=None):
        return self.X_[np.random.RandomState(random_state).randint(self.X_.shape[0], size=n)]


def test_unlabelled_rows_and_a_sampler_of_the_users_own():
    X, y = words()
    X_transfer, _ = words(seed=3)
    est = classifier().fit(X, y, X_transfer=X_transfer)
    assert np.isfinite(est.predict_proba(X)).all()
    assert "No synthetic rows" not in str(classifier(augment=Resampled()).fit(X, y).account_)


def test_a_narrow_sparse_table_is_read_as_a_dense_one():
    X, y = words(d=400)
    est = classifier(augment=None).fit(X, y)
    assert len(est.student_.module_.hidden) > 1
    np.testing.assert_allclose(classifier(augment=None).fit(X.toarray(), y).predict_proba(X), est.predict_proba(X))


def test_the_student_learns_what_its_teacher_knows():
    X, y = words(n=900)
    train, test = slice(0, 600), slice(600, None)
    for teacher in (linear(), RandomForestClassifier(50, random_state=0)):
        est = DistilledClassifier(teacher, quick(30, batch_size=64), random_state=0).fit(X[train], y[train])
        of_student = log_loss(y[test], est.predict_proba(X[test]))
        assert of_student < log_loss(y[test], est.teacher_.predict_proba(X[test])) + 0.05


def test_missing_values_have_indicators():
    X, y = words()
    X = X.tolil()
    X[::5, 2] = np.nan
    X = X.tocsr()
    est = SelfDistilledClassifier(quick(60, batch_size=32), random_state=0)
    est.fit(X, np.arange(N) % 5 == 0)
    proba = est.predict_proba(X)
    assert (proba[::5, 1] > 0.5).all() and len(est.student_.module_.encoding.with_missing) == 1
    np.testing.assert_allclose(est.predict_proba(X.toarray()), proba, atol=1e-12)
    encoded = est.encoder_.transform(X)
    np.testing.assert_allclose(est.student_.predict_proba(encoded), proba, atol=1e-5)
    assert est.predict(X[[0]]).tolist() == [True]
    with pytest.raises(ValueError, match="NaN"):
        classifier().fit(words()[0], y).predict(X)


@pytest.mark.parametrize("container", [sparse.csr_array, sparse.csc_matrix])
def test_regressors(container):
    X, _ = words(n=400)
    y = X @ np.random.default_rng(0).normal(size=D)
    est = DistilledRegressor(Ridge(), quick(60, batch_size=64), blend=0, random_state=0).fit(container(X), y)
    assert est.score(X, y) > 0.8
    np.testing.assert_allclose(est.predict(X.toarray()), est.predict(X), rtol=1e-9)
    two = DistilledRegressor(Ridge().fit(X, np.c_[y, -y]), quick(), blend=0, random_state=0).fit(X, np.c_[y, -y])
    assert two.predict(X).shape == (400, 2)


ONLINE = [None, Codistillation(burn_in=0.4)]
SELF = [None, BornAgain(generations=2), SameClassPairs(), DeepToShallow(layers=["hidden.0"])]


@pytest.mark.parametrize("method", ONLINE)
def test_online(method):
    X, y = words()
    peers = [("a", quick(3)), ("b", quick(3, module__hidden=(8, 8)))]
    est = OnlineDistilledClassifier(peers, method=method, random_state=0).fit(X, y)
    for name in ("a", "b", "ensemble"):
        other = est.with_peer(name)
        np.testing.assert_allclose(other.predict_proba(X.toarray()), other.predict_proba(X), atol=1e-6)
    est = OnlineDistilledRegressor(peers, random_state=0).fit(X, y)
    np.testing.assert_allclose(est.predict(X.toarray()), est.predict(X), atol=1e-6)


@pytest.mark.parametrize("method", SELF)
def test_self(method):
    X, y = words()
    student = quick(3, module__hidden=(8, 8))
    est = SelfDistilledClassifier(student, method=method, random_state=0).fit(X, y)
    np.testing.assert_allclose(est.predict_proba(X.toarray()), est.predict_proba(X), atol=1e-6)
    if method is None:
        regressor = SelfDistilledRegressor(student, random_state=0).fit(X, y)
        np.testing.assert_allclose(regressor.predict(X.toarray()), regressor.predict(X), atol=1e-6)


class Plain(nn.Module):
    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.output = nn.Linear(n_features, n_outputs)

    def forward(self, X):
        return self.output(X)


def test_networks_of_the_users_own_get_dense_batches():
    X, y = words()
    est = classifier(student=quick(module=Plain)).fit(X, y)
    assert isinstance(est.encoder_.transform(X), np.ndarray)
    np.testing.assert_allclose(est.predict_proba(X.toarray()), est.predict_proba(X), atol=1e-6)
    mixed = OnlineDistilledClassifier([("a", quick()), ("b", quick(module=Plain))], random_state=0).fit(X, y)
    for name in ("a", "b", "ensemble"):
        other = mixed.with_peer(name)
        np.testing.assert_allclose(other.predict_proba(X.toarray()), other.predict_proba(X), atol=1e-6)


def test_hidden_layers_and_a_net_that_teaches():
    X, y = words()
    teacher = classifier().fit(X, y)
    est = classifier(teacher, loss=[("soft", SoftTargetLoss()), ("hint", FitNetLoss())]).fit(X, y)
    np.testing.assert_allclose(est.predict_proba(X.toarray()), est.predict_proba(X), atol=1e-6)


def test_bins_of_the_users_own_are_refused():
    X, y = words()
    with pytest.raises(ValueError, match="leave out module__edges"):
        classifier(student=quick(module__edges=[[0.0, 0.5, 1.0]] * D)).fit(X, y)


def test_budgets_are_kept():
    X, y = words()
    est = classifier(student=TabularStudent(max_parameters=6_000, max_epochs=1)).fit(X, y)
    assert 5_000 < sum(part.numel() for part in est.student_.module_.parameters()) <= 6_000


def test_partial_fit():
    X, y = words()
    est = classifier().partial_fit(X, y, classes=[0, 1])
    before = est.predict_proba(X)
    est.partial_fit(X[:40], y[:40]).partial_fit(X[40:80].toarray(), y[40:80])
    assert np.abs(est.predict_proba(X) - before).max() > 0


def test_steps_of_the_students_own():
    X, y = words()
    steps = Pipeline([("tfidf", TfidfTransformer()), ("net", quick())])
    est = classifier(student=steps).fit(X, y)
    encoded = est.encoder_.transform(X)
    assert sparse.issparse(encoded) and est.student_.module_.sparse
    np.testing.assert_allclose(est.student_.predict_proba(encoded), est.predict_proba(X), atol=1e-5)
    np.testing.assert_allclose(est.predict_proba(X.toarray()), est.predict_proba(X), atol=1e-6)
    data = skops.io.dumps(est.without_teacher())
    loaded = skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data))
    np.testing.assert_array_equal(loaded.predict_proba(X), est.predict_proba(X))
    plain = classifier(student=Pipeline([("tfidf", TfidfTransformer()), ("net", quick(module=Plain))])).fit(X, y)
    assert isinstance(plain.encoder_.transform(X), np.ndarray)
    reduced = classifier(student=Pipeline([("svd", TruncatedSVD(5)), ("net", quick())])).fit(X, y)
    np.testing.assert_allclose(reduced.predict_proba(X.tocsc()), reduced.predict_proba(X), atol=1e-6)


def test_texts_whose_vectorizer_gives_many_columns():
    X = [f"{a} {b} {a}{b}" for a in "abcdefghijklmnopqrstuvwxyz" for b in "abcdefghijklmnopqrstuvwxyz"]
    y = [text[0] < text[2] for text in X]
    vectorizer = TfidfVectorizer(token_pattern=r"\w+")
    steps = Pipeline([("tfidf", vectorizer), ("net", quick())])
    est = classifier(make_pipeline(clone(vectorizer), linear()), steps).fit(X, y)
    assert est.student_.module_.sparse and est.predict_proba(X).shape == (len(X), 2)
    steps = Pipeline([("nothing", "passthrough"), *steps.steps])
    same = classifier(make_pipeline(clone(vectorizer), linear()), steps).fit(X, y)
    np.testing.assert_array_equal(same.predict_proba(X), est.predict_proba(X))


def test_steps_that_make_sparse_rows_are_predicted_for_without_torch(monkeypatch):
    X, y = words()
    est = classifier(student=Pipeline([("tfidf", TfidfTransformer()), ("net", quick())])).fit(X, y)
    expected = est.student_.predict_proba(est.encoder_.transform(X))
    monkeypatch.setattr(TabularNet, "forward", None)
    np.testing.assert_allclose(est.predict_proba(X), expected, atol=1e-5)
    np.testing.assert_allclose(est.predict_proba(X[:1]), expected[:1], atol=1e-5)


@pytest.mark.parametrize("export", [to_onnx, to_c])
def test_exports_take_dense_rows(export, tmp_path):
    X, y = words()
    est = classifier().fit(X, y)
    path = str(tmp_path / ("student.onnx" if export is to_onnx else "student.c"))
    export(est, path)
    predictor = OnnxPredictor(path) if export is to_onnx else CPredictor(path)
    np.testing.assert_allclose(predictor.predict_proba(X.toarray()), est.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize("unfitted", [True, False])
def test_saving(unfitted):
    X, y = words()
    est = classifier(linear() if unfitted else linear().fit(X, y), cv=3 if unfitted else "auto").fit(X, y)
    expected = est.predict_proba(X)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(est)).predict_proba(X), expected)
    data = skops.io.dumps(est.without_teacher())
    loaded = skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data))
    np.testing.assert_array_equal(loaded.predict_proba(X), expected)
    np.testing.assert_array_equal(loaded.predict_proba(X.toarray()), expected)
    further = pickle.loads(pickle.dumps(est)).partial_fit(X, y).predict_proba(X)
    np.testing.assert_allclose(est.partial_fit(X, y).predict_proba(X), further, atol=1e-6)


def test_the_encoder_by_itself():
    X, _ = words()
    X = -3 * X
    plain, one_hot = InputEncoder().fit(X), InputEncoder(one_hot=True).fit(X)
    largest = np.maximum(np.abs(X.toarray()).max(axis=0), 1)
    np.testing.assert_allclose(plain.transform(X).toarray(), X.toarray() / largest, rtol=1e-6)
    assert isinstance(one_hot.transform(X), np.ndarray)
    np.testing.assert_array_equal(plain.transform(X.toarray()).toarray(), plain.transform(X).toarray())


def test_sparse_rows_are_those_of_the_matrix():
    matrix = sparse.random(40, 9, density=0.3, format="csr", random_state=0)
    dense = torch.from_numpy(matrix.toarray())
    rows, weight = SparseRows.from_csr(matrix, np.float64), torch.randn(9, 4, dtype=torch.float64, requires_grad=True)
    order = torch.randperm(40)
    for index in (slice(3, 20), slice(5, 5), slice(30, 99), order, dense[:, 0] > 0, order[:0], torch.tensor([7, 7])):
        assert rows[index].shape == dense[index].shape
        torch.testing.assert_close(rows[index].to_dense(), dense[index])
        torch.testing.assert_close(rows[index].times(weight), dense[index] @ weight)
    joined = concatenate([rows[:7], rows[7:7], rows[order]])
    torch.testing.assert_close(joined.to_dense(), torch.cat([dense[:7], dense[order]]))
    assert [len(part) for part in rows.split(16)] == [16, 16, 8]
    (of_rows,) = torch.autograd.grad(rows.times(weight).square().sum(), weight)
    (of_dense,) = torch.autograd.grad((dense @ weight).square().sum(), weight)
    torch.testing.assert_close(of_rows, of_dense)


FIT = """
import resource
from sklearn.linear_model import LogisticRegression
from sklkd import DistilledClassifier
from tests.estimators.test_sparse import words
X, y = words(1000, 10_000, per_row=75)
DistilledClassifier(LogisticRegression(C=10), random_state=0).fit(X, y)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_the_memory_of_ten_thousand_columns():
    found = subprocess.run([sys.executable, "-c", FIT], capture_output=True, text=True, check=True)
    assert int(found.stdout) < 2**20, f"{int(found.stdout) / 2**20:.2f} GiB"
