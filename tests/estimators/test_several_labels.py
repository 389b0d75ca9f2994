"""Several labels a row in the modes without a pretrained teacher; teachers' are in offline/test_multilabel.py."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import make_multilabel_classification
from sklearn.metrics import f1_score
from sklearn.model_selection import cross_val_score
from torch import nn

from sklkd import (
    OnlineDistilledClassifier,
    OnnxPredictor,
    SelfDistilledClassifier,
    distillation_report,
    to_onnx,
)
from sklkd.losses import SoftTargetLoss, SPLoss
from sklkd.methods import (
    BornAgain,
    Codistillation,
    CollaborativeEnsemble,
    DeepToShallow,
    EpochToEpoch,
    GatedEnsemble,
    LastBatch,
    MutualLearning,
    SameClassPairs,
    VirtualTeacher,
)

from .problems import Net, quick, skorch_net

N_LABELS = 4
ONLINE = [
    MutualLearning(),
    MutualLearning(loss=SPLoss()),
    GatedEnsemble(),
    CollaborativeEnsemble(),
    CollaborativeEnsemble(combination="general"),
    Codistillation(),
]
SELF = [LastBatch(), EpochToEpoch(), DeepToShallow(), BornAgain(), BornAgain(ensemble=True)]


def name_of(given):
    return f"{type(given).__name__}-{given.method}" if hasattr(given, "method") else ""


def student(epochs=40):
    return quick(epochs, module__hidden=(24, 24), batch_size=32, lr=0.01)


def online(method=None, deploy="ensemble", given=None):
    given = student() if given is None else given
    return OnlineDistilledClassifier([("a", given), ("b", given)], method=method, deploy=deploy, random_state=0)


def alone(method=None, given=None):
    return SelfDistilledClassifier(student() if given is None else given, method=method, random_state=0)


ALL = [*(online(method) for method in ONLINE), online(deploy="best"), *(alone(method) for method in SELF)]


@pytest.fixture(scope="module")
def rows():
    X, Y = make_multilabel_classification(300, 8, n_classes=N_LABELS, n_labels=2, random_state=0)
    return X, Y


def log_loss_of(proba, Y):
    return -np.log(np.where(Y == 1, proba, 1 - proba)).mean()


@pytest.mark.parametrize("est", ALL, ids=name_of)
def test_they_learn_and_files_give_the_same(est, rows, tmp_path):
    X, Y = rows
    est.fit(X, Y)
    proba = est.predict_proba(X)
    assert log_loss_of(proba, Y) < 0.75 * log_loss_of(np.tile(Y.mean(0), (len(Y), 1)), Y)
    assert [found.tolist() for found in est.classes_] == [[0, 1]] * N_LABELS
    np.testing.assert_array_equal(est.predict(X), proba > 0.5)
    np.testing.assert_allclose(est.predict_log_proba(X), np.log(proba), rtol=1e-6)
    assert not hasattr(est, "decision_function")
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(est)).predict_proba(X), proba)
    to_onnx(est, tmp_path / "s.onnx")
    file = OnnxPredictor(tmp_path / "s.onnx")
    np.testing.assert_allclose(file.predict_proba(X), proba, atol=1e-6)
    np.testing.assert_array_equal(file.predict(X), est.predict(X))


def test_all_peers_predict_their_mean_probability(rows):
    X, Y = rows
    est = online().fit(X, Y)
    each = [est.with_peer(name).predict_proba(X) for name in "ab"]
    np.testing.assert_allclose(est.predict_proba(X), np.mean(each, axis=0), atol=1e-7)


def test_the_best_peer_is_that_with_the_least_log_loss(rows):
    est = online(deploy="best", given=student(1)).fit(*rows)
    assert est.peer_losses_[est.deployed_] == min(est.peer_losses_.values()) > 0


def test_exits_and_generations_predict_labels(rows):
    X, Y = rows
    est = alone(DeepToShallow()).fit(X, Y)
    first, last = est.exits_
    np.testing.assert_array_equal(est.predict_proba(X, exit=last), est.predict_proba(X))
    early = est.predict_proba(X, exit=first)
    assert early.shape == Y.shape and log_loss_of(early, Y) < log_loss_of(np.full(Y.shape, 0.5), Y)
    np.testing.assert_array_equal(est.cut(first).predict(X), early > 0.5)
    generations = alone(BornAgain(ensemble=True)).fit(X, Y)
    each = [one.predict_proba(X) for one in generations.generations_]
    np.testing.assert_allclose(generations.predict_proba(X), np.mean(each, axis=0), atol=1e-7)


@pytest.mark.parametrize(
    "est", [online(MutualLearning(), given=student(3)), alone(LastBatch(), student(3))], ids=name_of
)
def test_weights_count_as_repeated_rows_and_containers_do_not_matter(est, rows):
    X, Y = rows
    weight = np.random.RandomState(0).randint(3, size=len(X))
    expected = est.fit(np.repeat(X, weight, axis=0), np.repeat(Y, weight, axis=0)).predict_proba(X)
    for given in (Y, Y.astype(bool), sparse.csr_matrix(Y)):
        proba = est.fit(X, given, sample_weight=weight).predict_proba(X)
        np.testing.assert_allclose(proba, expected, atol=1e-5)


@pytest.mark.parametrize("est", [online(given=student(3)), alone(given=student(3))], ids=name_of)
def test_report_with_the_same_networks_without_distillation(est, rows):
    X, Y = rows
    report = distillation_report(est.fit(X, Y), X, Y, X_train=X, y_train=Y)
    assert report.rows["student"]["f1"] == pytest.approx(f1_score(Y, est.predict(X), average="macro"))
    assert report.rows["student"]["log_loss"] == pytest.approx(log_loss_of(est.predict_proba(X), Y))
    assert "several labels a row, 300 rows" in str(report)


class EndsInSigmoid(Net):
    def forward(self, X):
        return super().forward(X).sigmoid()


@pytest.mark.parametrize("module", [Net, EndsInSigmoid])
def test_networks_of_the_users(module, rows):
    X, Y = rows
    net = skorch_net(nn.BCEWithLogitsLoss, module=module, max_epochs=40, lr=0.02)
    for est in (alone(given=net), online(given=net)):
        assert log_loss_of(est.fit(X, Y).predict_proba(X), Y) < 0.6


def test_inside_scikit_learn(rows):
    X, Y = rows
    for est in (alone(), online()):
        for labels in (Y, Y[:, :2]):
            assert cross_val_score(est, X, labels, scoring="roc_auc", cv=2).mean() > 0.7


@pytest.mark.parametrize(
    ("est", "message"),
    [
        (alone(VirtualTeacher()), "VirtualTeacher has no meaning for several labels a row"),
        (alone(SameClassPairs()), "SameClassPairs has no meaning for several labels a row"),
        (alone(BornAgain(loss=SoftTargetLoss())), "loss must compare the outputs of one network for several labels"),
        (online(MutualLearning(loss=SoftTargetLoss())), "SoftTargetLoss has no meaning for several labels a row"),
    ],
    ids=name_of,
)
def test_what_is_for_classes_alone_says_so_and_the_tags_too(est, message, rows):
    assert not est.__sklearn_tags__().classifier_tags.multi_label
    with pytest.raises(ValueError, match=message):
        est.fit(*rows)


def test_the_tags_say_what_is_taken():
    assert all(est.__sklearn_tags__().classifier_tags.multi_label for est in ALL)
