"""Several labels a row: what teachers say of each, what students learn, and what files give."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_multilabel_classification
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Perceptron
from sklearn.metrics import f1_score, hamming_loss, log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from skorch import NeuralNet
from torch import nn

from sklkd import (
    DistilledClassifier,
    OnnxPredictor,
    distillation_report,
    to_onnx,
)
from sklkd.export import CPredictor, to_c
from sklkd.losses import DKDLoss, FitNetLoss, MultilabelTargetLoss
from sklkd.students import TabularStudent
from sklkd.teachers import Precomputed, adapt

N_LABELS = 4


def quick(**params):
    return TabularStudent("tiny", **{"max_epochs": 40} | params)


def imitate(teacher, X, Y, student=None, **params):
    options = {"hard_weight": 0, "blend": 0, "cv": None, "augment": None, "random_state": 0} | params
    return DistilledClassifier(teacher, quick() if student is None else student, **options).fit(X, Y)


@pytest.fixture(scope="module")
def rows():
    X, Y = make_multilabel_classification(300, 8, n_classes=N_LABELS, n_labels=2, random_state=0)
    return X.astype(float), Y


@pytest.fixture(scope="module")
def forest(rows):
    return RandomForestClassifier(30, min_samples_leaf=3, random_state=0).fit(*rows)


@pytest.fixture(scope="module")
def est(rows, forest):
    return imitate(forest, *rows)


class Net(nn.Module):
    def __init__(self, *, probabilities=False):
        super().__init__()
        self.hidden = nn.Linear(8, 12)
        self.output = nn.Linear(12, N_LABELS)
        self.probabilities = probabilities

    def forward(self, X):
        logits = self.output(self.hidden(X.to(self.output.weight.dtype)).relu())
        return logits.sigmoid() if self.probabilities else logits


def trained(rows, *, probabilities=False):
    X, Y = (torch.as_tensor(part, dtype=torch.float32) for part in rows)
    torch.manual_seed(0)
    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), 0.02)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(net(X), Y).backward()
        optimizer.step()
    net.probabilities = probabilities
    return net


class PredictsProbabilities:
    """As Keras models are: ``predict`` gives probabilities."""

    def __init__(self, teacher):
        self.teacher = teacher

    def predict(self, X):
        return self.teacher.predict_proba(X)


class OwnClassifier(ClassifierMixin, BaseEstimator):
    """A user's own, without ``predict_proba``."""

    def fit(self, X, Y):
        self.inner_ = ExtraTreesClassifier(20, random_state=0).fit(X, Y)
        return self

    def predict(self, X):
        return self.inner_.predict(X).astype(int)


def by_label(proba):
    """scikit-learn's lists of one array a label as one array."""
    return np.stack([each[:, 1] for each in proba], axis=1) if isinstance(proba, list) else np.asarray(proba)


LOGISTIC = LogisticRegression(max_iter=500)
TEACHERS = {
    "forest": RandomForestClassifier(20, random_state=0),
    "trees": ExtraTreesClassifier(20, random_state=0),
    "tree": DecisionTreeClassifier(max_depth=5, random_state=0),
    "boosters": MultiOutputClassifier(HistGradientBoostingClassifier(max_iter=10)),
    "chain": ClassifierChain(LOGISTIC),
    "one-vs-rest": OneVsRestClassifier(LOGISTIC),
    "network": MLPClassifier((10,), max_iter=50, random_state=0),
    "neighbours": KNeighborsClassifier(20),
    "pipeline": make_pipeline(StandardScaler(), RandomForestClassifier(20, random_state=0)),
    "stack": StackingClassifier(
        [("a", ExtraTreesClassifier(10)), ("b", ExtraTreesClassifier(5))], ExtraTreesClassifier(9)
    ),
    "search": GridSearchCV(RandomForestClassifier(10, random_state=0), {"max_depth": [3, 6]}, cv=2),
    "frozen": FrozenEstimator(RandomForestClassifier(20, random_state=0)),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", TEACHERS)
def test_teachers_are_read_label_by_label(name, rows):
    X, Y = rows
    teacher = TEACHERS[name]
    teacher = teacher.estimator.fit(X, Y) if name == "frozen" else teacher.fit(X, Y)
    expected = by_label(teacher.predict_proba(X))
    adapter = adapt(FrozenEstimator(teacher) if name == "frozen" else teacher, multilabel=True).prepared(X)
    np.testing.assert_allclose(adapter.outputs(X).values, expected, rtol=0, atol=1e-12)
    assert adapter.reads_as == "probabilities"
    assert str(adapter.estimand).startswith("class probabilities (")


def test_margins_labels_functions_and_lists_are_read(rows, forest):
    X, Y = rows
    margins = OneVsRestClassifier(LinearSVC(random_state=0)).fit(X, Y)
    own, chain = OwnClassifier().fit(X, Y), ClassifierChain(LOGISTIC).fit(X, Y)
    expected = {
        margins: expit(margins.decision_function(X)),
        MultiOutputClassifier(Perceptron(random_state=0)).fit(X, Y): None,
        own: own.predict(X),
        PredictsProbabilities(chain): chain.predict_proba(X),
        chain.predict_proba: chain.predict_proba(X),
        chain.decision_function: chain.predict_proba(X),
        Precomputed(chain.predict_proba(X)): chain.predict_proba(X),
    }
    for teacher, values in expected.items():
        values = teacher.predict(X) if values is None else values
        adapter = adapt(teacher, multilabel=True).prepared(X)
        np.testing.assert_allclose(adapter.outputs(X).values, values, rtol=0, atol=1e-7)
    both = adapt([("forest", forest), ("chain", chain)], multilabel=True).prepared(X)
    mean = (by_label(forest.predict_proba(X)) + chain.predict_proba(X)) / 2
    np.testing.assert_allclose(both.outputs(X).values, mean)


@pytest.mark.parametrize("probabilities", [False, True])
@pytest.mark.parametrize("kind", ["module", "net"])
def test_torch_teachers_may_end_in_a_sigmoid(kind, probabilities, rows):
    X, Y = rows
    module = trained(rows, probabilities=probabilities)
    with torch.no_grad():
        outputs = module(torch.as_tensor(X, dtype=torch.float32)).numpy()
    teacher = module
    if kind == "net":
        teacher = NeuralNet(Net, nn.BCEWithLogitsLoss, max_epochs=0).initialize()
        teacher.module_.load_state_dict(module.state_dict())
        teacher.module_.probabilities = probabilities
    adapter = adapt(teacher, multilabel=True).prepared(X)
    expected = outputs if probabilities else expit(outputs)
    np.testing.assert_allclose(adapter.outputs(X).values, expected, atol=1e-6)
    est = imitate(teacher, X, Y, loss=[("kd", MultilabelTargetLoss()), ("hint", FitNetLoss(weight=0.1))])
    assert f"taken for {'probabilities' if probabilities else 'logits'}" in str(est.account_)
    assert np.mean((est.predict_proba(X) > 0.5) == (expected > 0.5)) > 0.85


@pytest.mark.parametrize("library", ["xgboost", "catboost"])
def test_boosters_of_several_labels(library, rows):
    X, Y = rows
    if library == "xgboost":
        teacher = pytest.importorskip("xgboost").XGBClassifier(n_estimators=10)
    else:
        options = {"iterations": 10, "loss_function": "MultiLogloss", "verbose": 0, "allow_writing_files": False}
        teacher = pytest.importorskip("catboost").CatBoostClassifier(**options)
    est = imitate(teacher, X, Y)
    expected = est.teacher_.predict_proba(X)
    np.testing.assert_allclose(adapt(est.teacher_, multilabel=True).outputs(X).values, expected)
    assert np.mean((est.predict_proba(X) > 0.5) == (expected > 0.5)) > 0.85


def test_out_of_bag_is_scikit_learns(rows):
    X, Y = rows
    forest = RandomForestClassifier(30, oob_score=True, random_state=0).fit(X, Y)
    predicted, unseen = adapt(forest, multilabel=True).out_of_bag(X, Y)
    np.testing.assert_allclose(predicted[unseen], forest.oob_decision_function_[unseen, 1], atol=1e-12)
    assert unseen.mean() > 0.9
    np.testing.assert_allclose(predicted[~unseen], by_label(forest.predict_proba(X))[~unseen])
    assert imitate(forest, X, Y, cv="auto").cv_ == "oob"
    with pytest.raises(ValueError, match="cv='oob' needs the rows"):
        adapt(forest, multilabel=True).out_of_bag(X[::-1], Y)
    every = np.column_stack([Y, np.ones(len(Y), int)])
    predicted, _ = adapt(RandomForestClassifier(30, random_state=0).fit(X, every), multilabel=True).out_of_bag(X, every)
    assert (predicted[:, N_LABELS] == 1).all()


def test_the_student_follows_the_teacher(rows, forest, est):
    X, Y = rows
    teacher = by_label(forest.predict_proba(X))
    proba = est.predict_proba(X)
    assert proba.shape == Y.shape
    assert ((proba > 0) & (proba < 1)).all()
    assert np.abs(proba - teacher).mean() < 0.1
    assert np.mean((proba > 0.5) == (teacher > 0.5)) > 0.85
    np.testing.assert_array_equal(est.predict(X), proba > 0.5)
    assert not hasattr(est, "decision_function")
    np.testing.assert_allclose(est.predict_log_proba(X), np.log(proba))
    np.testing.assert_allclose(est.student_.predict_proba(est.encoder_.transform(X)), proba, atol=1e-5)
    assert [found.tolist() for found in est.classes_] == [[0, 1]] * N_LABELS
    assert est.score(X, Y) == (est.predict(X) == Y).all(axis=1).mean()
    again = pickle.loads(pickle.dumps(est.without_teacher()))
    np.testing.assert_array_equal(again.predict_proba(X), proba)
    assert est.threshold_ is None
    with pytest.raises(ValueError, match="threshold_ is for two classes, got 4 labels a row"):
        est.threshold_ = 0.3


def test_auto_blends_where_labels_answer_the_teachers_question(rows):
    X, Y = rows
    student = quick()
    weak = RandomForestClassifier(20, max_depth=1, random_state=0)
    blended = DistilledClassifier(weak, student, augment=None, random_state=0).fit(X, Y)
    assert blended.blend_ > 0.3
    losses = blended.account_.losses
    assert losses["mixture"] <= min(losses["teacher"], losses["label-only students"]) + 1e-12
    balanced = RandomForestClassifier(20, class_weight="balanced", min_samples_leaf=10, random_state=0)
    imitated = DistilledClassifier(balanced, student, augment=None, random_state=0).fit(X, Y)
    assert (imitated.blend_, imitated.hard_weight_) == (0, 0)
    assert "reweighted" in imitated.account_.estimand.kind
    mean = by_label(imitated.teacher_.predict_proba(X)).mean(axis=0)
    np.testing.assert_allclose(imitated.predict_proba(X).mean(axis=0), mean, atol=0.05)


def test_labels_alone_teach(rows):
    X, Y = rows
    est = DistilledClassifier(DecisionTreeClassifier(max_depth=1), quick(), hard_weight=1, random_state=0)
    proba = est.fit(X, Y).predict_proba(X)
    prior = np.tile(Y.mean(axis=0), (len(Y), 1))
    assert log_loss(Y.ravel(), proba.ravel()) < 0.8 * log_loss(Y.ravel(), prior.ravel())


@pytest.mark.parametrize(
    "container", [np.array, lambda Y: Y.astype(bool), lambda Y: Y.tolist(), pd.DataFrame, sparse.csr_array]
)
def test_containers_of_labels(container, rows, forest, est):
    X, Y = rows
    np.testing.assert_array_equal(imitate(forest, X, container(Y)).predict_proba(X), est.predict_proba(X))


@pytest.mark.parametrize("teacher", [RandomForestClassifier(10, random_state=0), OneVsRestClassifier(LOGISTIC)])
@pytest.mark.filterwarnings("ignore:Label:UserWarning")
def test_labels_of_all_rows_and_of_none(teacher, rows):
    X, Y = rows
    Y = np.column_stack([np.zeros(len(Y), int), Y[:, :2], np.ones(len(Y), int)])
    proba = imitate(teacher, X, Y).predict_proba(X)
    assert (proba[:, 0] < 0.02).all()
    assert (proba[:, 3] > 0.98).all()
    assert np.mean((proba[:, 1:3] > 0.5) == Y[:, 1:3]) > 0.7


def test_weights_count_as_repeated_rows(rows):
    X, Y = rows
    weight = np.arange(len(X)) % 3
    repeated = np.repeat(np.arange(len(X)), weight)
    teacher = ExtraTreesClassifier(10, random_state=0).fit(X, Y)
    student = quick()
    one = DistilledClassifier(teacher, student, hard_weight=0.5, blend=0, random_state=0)
    two = DistilledClassifier(teacher, student, hard_weight=0.5, blend=0, random_state=0)
    one.fit(X, Y, sample_weight=weight)
    two.fit(X[repeated], Y[repeated])
    np.testing.assert_allclose(one.predict_proba(X), two.predict_proba(X), atol=1e-6)


def test_unlabelled_rows_outputs_and_more_rows(rows, forest):
    X, Y = rows
    wide = np.random.RandomState(0).poisson(X.mean(axis=0), X.shape).astype(float)
    est = imitate(forest, X, Y)
    with_more = DistilledClassifier(forest, quick(), hard_weight=0.3, blend=0, random_state=0)
    with_more.fit(X, Y, X_transfer=wide)

    def distance(model):
        return np.abs(model.predict_proba(wide) - by_label(forest.predict_proba(wide))).mean()

    assert distance(with_more) < distance(est)
    given = DistilledClassifier(student=quick(), hard_weight=0, blend=0, random_state=0)
    given.fit(X, Y, teacher_outputs=by_label(forest.predict_proba(X)))
    assert np.mean((given.predict_proba(X) > 0.5) == (by_label(forest.predict_proba(X)) > 0.5)) > 0.85
    before = with_more.predict_proba(X)
    with_more.partial_fit(X, Y, X_transfer=wide)
    assert np.abs(with_more.predict_proba(X) - before).max() > 1e-6
    with pytest.raises(ValueError, match="y must have 4 columns as in the first call, got 3"):
        with_more.partial_fit(X, Y[:, :3])
    with pytest.raises(ValueError, match="the teacher gives 3 value"):
        given.fit(X, Y, teacher_outputs=by_label(forest.predict_proba(X))[:, :3])
    with pytest.raises(ValueError, match=r"must return the probability of each label, in \[0, 1\]"):
        given.fit(X, Y, teacher_outputs=3 * by_label(forest.predict_proba(X)))


class Own(nn.Module):
    def __init__(self, n_features, n_classes, *, probabilities):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(n_features, 16), nn.ReLU(), nn.Linear(16, n_classes))
        self.probabilities = probabilities

    def forward(self, X):
        logits = self.layers(X)
        return logits.sigmoid() if self.probabilities else logits


@pytest.mark.parametrize("probabilities", [False, True])
def test_students_of_the_users_may_end_in_a_sigmoid(probabilities, rows, forest, tmp_path):
    X, Y = rows
    teacher = by_label(forest.predict_proba(X))
    student = NeuralNet(
        Own, nn.BCEWithLogitsLoss, module__probabilities=probabilities, max_epochs=15, lr=0.01, batch_size=32
    ).set_params(optimizer=torch.optim.Adam)
    est = imitate(forest, X, Y, make_pipeline(StandardScaler(), student))
    proba = est.predict_proba(X)
    assert np.mean((proba > 0.5) == (teacher > 0.5)) > 0.8
    to_onnx(est, tmp_path / "own.onnx")
    np.testing.assert_allclose(OnnxPredictor(tmp_path / "own.onnx").predict_proba(X), proba, atol=1e-5)


@pytest.mark.parametrize("quantize", [None, "int8", "float16"])
def test_onnx_gives_labels_and_their_probabilities(quantize, rows, est, tmp_path):
    X, _ = rows
    report = to_onnx(est, tmp_path / "student.onnx", quantize=quantize)
    predictor = OnnxPredictor(tmp_path / "student.onnx")
    tolerance = 1e-5 if quantize is None else 0.1
    for given in (X, X[:1]):
        proba = predictor.predict_proba(given)
        np.testing.assert_allclose(proba, est.predict_proba(given), atol=tolerance)
        np.testing.assert_array_equal(predictor.predict(given), proba > 0.5)
    assert report.agreement > (0.999 if quantize is None else 0.8)
    assert [found.tolist() for found in predictor.classes_] == [[0, 1]] * N_LABELS
    session = predictor._session
    label, proba = session.run(None, {session.get_inputs()[0].name: X.astype(np.float32)})
    assert label.dtype == np.int64
    np.testing.assert_array_equal(label, proba > 0.5)


@pytest.mark.parametrize("quantize", [None, "int8", "integer"])
def test_c_gives_their_probabilities(quantize, rows, est, tmp_path):
    X, _ = rows
    report = to_c(est, tmp_path / "student.c", quantize=quantize)
    compiled = CPredictor(tmp_path / "student.c")
    proba = compiled.predict_proba(X)
    np.testing.assert_allclose(proba, est.predict_proba(X), atol=1e-5 if quantize is None else 0.1)
    np.testing.assert_array_equal(compiled.predict(X), proba > 0.5)
    assert report.agreement > (0.999 if quantize is None else 0.8)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(compiled)).predict(X), compiled.predict(X))


def test_report_recomputed(rows, forest, est):
    X, Y = rows
    weight = 1 + np.arange(len(X)) % 2
    report = distillation_report(est, X, Y, forest, sample_weight=weight, n_repeats=3)
    student, teacher = report.rows["student"], report.rows["teacher"]
    proba, soft = est.predict_proba(X), by_label(forest.predict_proba(X))
    each = np.repeat(weight, N_LABELS)
    assert student["score"] == pytest.approx(est.score(X, Y, sample_weight=weight))
    assert student["f1"] == pytest.approx(f1_score(Y, proba > 0.5, average="macro", sample_weight=weight))
    assert student["log_loss"] == pytest.approx(log_loss(Y.ravel(), proba.ravel(), sample_weight=each))
    assert teacher["log_loss"] == pytest.approx(log_loss(Y.ravel(), soft.ravel(), sample_weight=each))
    assert report.rows["baseline"]["log_loss"] == pytest.approx(teacher["log_loss"])
    assert student["brier"] == pytest.approx(np.average((proba - Y) ** 2, axis=0, weights=weight).mean())
    assert student["agreement"] == pytest.approx(1 - hamming_loss(soft > 0.5, proba > 0.5, sample_weight=weight))
    soft = np.clip(soft, 1e-300, 1 - 1e-16)
    kl = soft * np.log(soft / proba) + (1 - soft) * np.log((1 - soft) / (1 - proba))
    assert student["kl"] == pytest.approx(np.average(kl.mean(axis=1), weights=weight), rel=1e-6)
    assert "several labels a row, 300 rows" in str(report)


def test_inside_scikit_learn(rows):
    X, Y = rows
    est = DistilledClassifier(
        RandomForestClassifier(10, random_state=0), quick(), hard_weight=0, blend=0, augment=None, random_state=0
    )
    for scoring in ("roc_auc", "average_precision", "f1_macro", "accuracy"):
        for labels in (Y, Y[:, :2]):
            assert cross_val_score(est, X, labels, scoring=scoring, cv=2).mean() > 0.2
    search = GridSearchCV(est, {"loss__temperature": [1.0, 4.0]}, cv=2)
    search.set_params(estimator__loss=MultilabelTargetLoss()).fit(X, Y)
    assert search.predict(X).shape == Y.shape


def test_refusals(rows, forest):
    X, Y = rows
    est = DistilledClassifier(forest, quick(), random_state=0)
    for wrong, message in (
        (2 * Y, "y must have only 0 and 1 in its columns"),
        (np.where(Y == 1, "yes", "no"), "y must have only 0 and 1 in its columns"),
        (np.where(Y == 1, 1.0, np.nan), "y must have only 0 and 1 in its columns"),
        (np.ones_like(Y), "y must have a label that some rows have and others have not"),
        (Y[:-1], "inconsistent numbers of samples"),
    ):
        with pytest.raises(ValueError, match=message):
            est.fit(X, wrong)
    assert not hasattr(est, "student_")
    with pytest.raises(ValueError, match="DKDLoss has no meaning for several labels a row, only for classification"):
        est.set_params(loss=DKDLoss()).fit(X, Y)
    with pytest.raises(ValueError, match="MultilabelTargetLoss has no meaning for classification"):
        DistilledClassifier(forest, loss=MultilabelTargetLoss()).fit(X, Y[:, 0])
    one, three = RandomForestClassifier(5).fit(X, Y[:, 0]), RandomForestClassifier(5).fit(X, Y + (X[:, :1] > 9))
    with pytest.raises(ValueError, match="teacher must be fitted on several labels a row, as y has them"):
        est.set_params(loss=None, teacher=one).fit(X, Y[:, :2])
    with pytest.raises(ValueError, match="teacher must know two values of each label, 0 and 1, got 3 of label 0"):
        est.set_params(teacher=three).fit(X, Y)
