"""Fits that were interrupted go on from their folder, and end with the same student."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from skorch.callbacks import Callback, EarlyStopping, EpochScoring, LRScheduler
from skorch.dataset import ValidSplit
from torch import nn

from sklkd import DistilledClassifier, DistilledRegressor
from sklkd.augment import GaussianNoise
from sklkd.exceptions import CheckpointWarning
from sklkd.losses import FitNetLoss, SoftTargetLoss, VIDLoss
from sklkd.students import TabularStudent

from ..problems import Net, classes, skorch_net, targets


class Interrupt(Callback):
    """The user presses Ctrl-C in the epoch number ``at`` of a fit, counted over all its students."""

    at = 0
    begun = 0

    def on_epoch_begin(self, net, **kwargs):
        Interrupt.begun += 1
        if Interrupt.begun == Interrupt.at:
            _pressed()


def _pressed():
    """As Python does it, wherever the program is: not in a callback's own line."""
    raise KeyboardInterrupt


class Teacher(RandomForestClassifier):
    """Counts its fits and predictions; at call number ``at`` of either it raises."""

    at = 0
    calls: list = []

    def fit(self, X, y, sample_weight=None):
        self._called("fit")
        return super().fit(X, y, sample_weight)

    def predict_proba(self, X):
        self._called("predict")
        return super().predict_proba(X)

    @classmethod
    def _called(cls, what):
        cls.calls.append(what)
        if len(cls.calls) == cls.at:
            raise MemoryError


@pytest.fixture(autouse=True)
def _counts_from_0():
    Interrupt.at = Interrupt.begun = Teacher.at = 0
    Teacher.calls.clear()


def student(max_epochs=4, **params):
    shape = {} if "module" in params else {"module__hidden": (16,)}
    return TabularStudent("tiny", max_epochs=max_epochs, callbacks=[("interrupt", Interrupt())], **shape | params)


def estimator(**params):
    params = {"blend": 0.5, "hard_weight": 0.1, "n_synthetic": 100, "random_state": 0, **params}
    params = {"teacher": Teacher(5), "student": student(), **params}
    return DistilledClassifier(**params)


def interrupted(est, X, y, at, **fit_params):
    Interrupt.at, Interrupt.begun = at, 0
    with pytest.raises(KeyboardInterrupt):
        est.fit(X, y, **fit_params)
    Interrupt.at = Interrupt.begun = 0


def assert_same(est, expected, X):
    predict = "predict_proba" if hasattr(est, "predict_proba") else "predict"
    np.testing.assert_array_equal(getattr(est, predict)(X), getattr(expected, predict)(X))
    names = [name for name in expected.history_[-1] if name not in ("dur", "batches")]
    assert est.history_[:, names] == expected.history_[:, names]
    assert est.history_[:, "batches", :, "train_loss"] == expected.history_[:, "batches", :, "train_loss"]
    assert str(est.account_) == str(expected.account_)


@pytest.mark.parametrize("at", [2, 17, 20])
def test_a_fit_goes_on_in_every_student(tmp_path, at):
    X, y = classes()
    params = {"hard_weight": "auto" if at == 17 else 0.1}
    expected = estimator(**params).fit(X, y)
    n_epochs = Interrupt.begun
    assert n_epochs == 20  # four label-only students and the last one
    est = estimator(**params, checkpoint=tmp_path / "new" / "folder")
    interrupted(est, X, y, at)
    Teacher.calls.clear()
    est.fit(X, y)
    assert_same(est, expected, X)
    assert Interrupt.begun <= n_epochs - (at - 1) // 4 * 4
    assert Teacher.calls.count("fit") == 0
    Interrupt.begun = 0
    Teacher.calls.clear()
    assert_same(est.fit(X, y), expected, X)
    assert Interrupt.begun == Teacher.calls.count("fit") == 0


@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_what_other_students_learn_on_validation_rows_is_kept_apart(tmp_path, kind):
    """A tree is fitted on the same rows with the teacher, with synthetic rows, and without either."""
    make, X, y = {
        "classifier": (DistilledClassifier(RandomForestClassifier(5), DecisionTreeClassifier(max_depth=4)), *classes()),
        "regressor": (DistilledRegressor(RandomForestRegressor(5), DecisionTreeRegressor(max_depth=4)), *targets()),
    }[kind]
    expected = clone(make.set_params(random_state=0)).fit(X, y)
    assert len(set(expected.account_.losses.values())) > 4
    for _ in range(2):
        found = clone(make).set_params(checkpoint=tmp_path).fit(X, y)
        assert str(found.account_) == str(expected.account_)
        np.testing.assert_array_equal(found.predict(X), expected.predict(X))


def test_epochs_are_kept_as_they_come(tmp_path):
    X, y = classes()
    one = estimator(blend=0, hard_weight=0, student=student(6), checkpoint=tmp_path)
    interrupted(one, X, y, 6)
    one.fit(X, y)
    assert Interrupt.begun < 6
    assert len(one.history_) == 6


@pytest.mark.parametrize("at", [1, 2, 4, 7, 9])
def test_a_fit_whose_teacher_failed_goes_on(tmp_path, at):
    X, y = classes()
    params = {"cv": 3, "student": student(2), "blend": 0}
    expected = estimator(**params).fit(X, y)
    # its own fit, three folds, a row with a missing value, and the synthetic rows
    assert len(Teacher.calls) == 9
    Teacher.calls.clear()
    Teacher.at = at
    est = estimator(**params, checkpoint=tmp_path)
    with pytest.raises(MemoryError):
        est.fit(X, y)
    done = list(Teacher.calls)
    Teacher.at = 0
    Teacher.calls.clear()
    est.fit(X, y)
    assert_same(est, expected, X)
    # a fold whose predictions have failed is fitted again, and nothing else
    finished = done.count("fit") - (done[-1] == "fit" or (done[-1] == "predict" and at < 8))
    assert Teacher.calls.count("fit") == 4 - finished


def test_unlabelled_rows_columns_and_weights(tmp_path):
    X, y = classes()
    weight = np.random.RandomState(0).uniform(0.5, 2, len(X))
    given = {"sample_weight": weight, "X_transfer": X[:50] + 0.1}
    params = {"columns": 3, "augment": GaussianNoise(), "n_synthetic": 100}
    expected = estimator(**params).fit(X, y, **given)
    est = estimator(**params, checkpoint=tmp_path)
    interrupted(est, X, y, Interrupt.begun, **given)
    Teacher.calls.clear()
    est.fit(X, y, **given)
    assert_same(est, expected, X)
    assert Teacher.calls == []


def test_regression_with_several_targets_and_labels_only(tmp_path):
    X, y = targets(n_targets=2)
    for name, params in {"blend": {"blend": 0.3, "hard_weight": 0.1}, "labels": {"hard_weight": 1}}.items():
        params |= {"teacher": RandomForestRegressor(5), "student": student(), "random_state": 0}
        Interrupt.begun = 0
        expected = DistilledRegressor(**params).fit(X, y)
        est = DistilledRegressor(**params, checkpoint=tmp_path / name)
        interrupted(est, X, y, Interrupt.begun)
        assert_same(est.fit(X, y), expected, X)


@pytest.mark.parametrize("as_given", [pd.DataFrame, sparse.csr_matrix], ids=["frame", "sparse"])
def test_other_containers(tmp_path, as_given):
    X, y = classes()
    X = as_given(np.round(X))
    if isinstance(X, pd.DataFrame):
        X.columns = [f"c{j}" for j in range(X.shape[1])]
        X["c0"] = X["c0"].astype(int).astype(str)
        teacher = None
        outputs = 0.6 * (y[:, None] == np.unique(y)) + 0.4 * np.random.RandomState(0).dirichlet(np.ones(3), len(X))
    else:
        teacher, outputs = Teacher(5), None
    expected = estimator(teacher=teacher).fit(X, y, teacher_outputs=outputs)
    est = estimator(teacher=teacher, checkpoint=tmp_path)
    interrupted(est, X, y, Interrupt.begun, teacher_outputs=outputs)
    assert_same(est.fit(X, y, teacher_outputs=outputs), expected, X)


class Dropped(nn.Module):
    """Draws as it trains, and holds more than tensors."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(n_features, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5))
        self.memory = nn.LSTM(8, 8, batch_first=True)
        self.last = nn.Linear(8, n_outputs)
        self.n_calls, self.sizes = 0, []

    def forward(self, X):
        if self.training:
            self.n_calls += 1
            self.sizes.append(len(X))
        return self.last(self.memory(self.layers(X)[:, None])[0][:, 0]) * (1 + self.n_calls / 100)


class Averaged(Callback):
    """Ends with the mean of the weights of all epochs."""

    def on_train_begin(self, net, **kwargs):
        self.mean_, self.n_epochs_ = copy.deepcopy(net.module_), 0

    def on_epoch_end(self, net, **kwargs):
        self.n_epochs_ += 1
        with torch.no_grad():
            for mean, weight in zip(self.mean_.parameters(), net.module_.parameters(), strict=True):
                mean.lerp_(weight, 1 / self.n_epochs_)

    def on_train_end(self, net, **kwargs):
        net.module_.load_state_dict(self.mean_.state_dict())


def noise(net, X, y):
    """A score that draws from NumPy's global generator."""
    return np.random.rand()  # noqa: NPY002


OWN = {
    "schedule": [("lr", LRScheduler(policy="StepLR", step_size=2, gamma=0.5))],
    "by events": [("lr", LRScheduler(policy="ReduceLROnPlateau", monitor="train_loss", patience=0))],
    "stopped": [("stop", EarlyStopping(patience=2, threshold=0.5, load_best=True))],
    "averaged": [("mean", Averaged())],
    "scored": [("noise", EpochScoring(noise, name="noise", use_caching=False))],
}


@pytest.mark.parametrize("name", OWN)
def test_nets_of_ones_own_go_on_with_their_callbacks(tmp_path, name):
    X, y = classes()
    split = ValidSplit(0.2, stratified=True)  # draws anew in every fit
    callbacks = [*OWN[name], ("interrupt", Interrupt())]
    net = skorch_net(module=Dropped, max_epochs=8, batch_size=16, train_split=split, callbacks=callbacks)
    params = {"student": net, "blend": 0}

    def fit(est):
        np.random.seed(0)  # noqa: NPY002
        return est.fit(X, y)

    expected = fit(estimator(**params))
    est = estimator(**params, checkpoint=tmp_path)
    np.random.seed(0)  # noqa: NPY002
    interrupted(est, X, y, min(6, Interrupt.begun))  # early stopping may have ended it
    np.random.seed(1)  # noqa: NPY002
    est.fit(X, y)
    assert_same(est, expected, X)
    assert est.student_.module_.sizes == expected.student_.module_.sizes


def test_losses_that_learn_go_on(tmp_path):
    X, y = classes()
    teacher = MLPClassifier((8, 8), max_iter=20, random_state=0, tol=1)
    loss = [("kd", SoftTargetLoss()), ("hint", FitNetLoss(student_layer="body.0")), ("vid", VIDLoss())]
    params = {"teacher": teacher, "student": student(5, module=Net), "loss": loss, "blend": 0}
    expected = estimator(**params).fit(X, y)
    n_epochs = Interrupt.begun
    est = estimator(**params, checkpoint=tmp_path)
    interrupted(est, X, y, n_epochs)
    est.fit(X, y)
    assert_same(est, expected, X)
    for (_, one), (_, other) in zip(est.loss_, expected.loss_, strict=True):
        for learnt, value in other.state_dict().items():
            assert torch.equal(one.state_dict()[learnt], value)


class Unpicklable(Callback):
    """Holds what pickle does not take, and changes the training by it."""

    def on_train_begin(self, net, **kwargs):
        self.epochs = (i for i in range(100))

    def on_epoch_begin(self, net, **kwargs):
        net.optimizer_.param_groups[0]["lr"] = 0.01 / (1 + next(self.epochs))


def test_a_training_that_cannot_be_kept_is_repeated(tmp_path):
    X, y = classes()
    net = skorch_net(callbacks=[("odd", Unpicklable()), ("interrupt", Interrupt())])
    expected = estimator(student=net, blend=0).fit(X, y)
    est = estimator(student=net, blend=0, checkpoint=tmp_path)
    Interrupt.begun = 0
    with pytest.warns(CheckpointWarning, match="generator"):
        interrupted(est, X, y, 4)
    with pytest.warns(CheckpointWarning, match="generator"):
        est.fit(X, y)
    assert_same(est, expected, X)
    assert Interrupt.begun == 5


def test_a_teacher_that_cannot_be_kept_is_an_error(tmp_path):
    class Local(RandomForestClassifier):
        pass

    X, y = classes()
    with pytest.raises(TypeError, match=r"checkpoint.*teacher"):
        estimator(teacher=Local(3), checkpoint=tmp_path).fit(X, y)


@pytest.mark.slow
def test_other_data_or_parameters_start_anew_and_say_so(tmp_path):
    X, y = classes()
    params = {"student": student(2), "blend": 0}
    est = estimator(**params, checkpoint=tmp_path).fit(X, y)
    changed = {
        "X": (X + 1e-9, y, {}),
        "y": (X, np.roll(y, 1), {}),
        "sample_weight": (X, y, {"sample_weight": np.arange(1.0, 1 + len(y))}),
        "X_transfer": (X, y, {"X_transfer": X[:9]}),
    }
    for name, (X_other, y_other, given) in changed.items():
        with pytest.warns(CheckpointWarning, match=f"before is {name}. "):
            found = est.fit(X_other, y_other, **given).predict_proba(X)
        expected = estimator(**params).fit(X_other, y_other, **given).predict_proba(X)
        np.testing.assert_array_equal(found, expected)
    others = {"n_synthetic": 150, "hard_weight": 0.3, "random_state": 1, "student": student(3), "teacher": Teacher(4)}
    for name, value in others.items():
        with pytest.warns(CheckpointWarning, match=f"before is {name}. "):
            found = estimator(**params | {name: value}, checkpoint=tmp_path).fit(X, y).predict_proba(X)
        np.testing.assert_array_equal(found, estimator(**params | {name: value}).fit(X, y).predict_proba(X))
    # every one of them is there still
    Interrupt.begun = 0
    est.fit(X, y)
    estimator(**params | others, checkpoint=tmp_path / "other").fit(X, y)
    assert Interrupt.begun == 3


def test_what_does_not_change_the_student_may_change(tmp_path):
    X, y = classes()
    estimator(blend=0, checkpoint=tmp_path).fit(X, y)
    Interrupt.begun = 0
    other = {"n_jobs": 2, "keep_teacher": False, "memory_limit": "1GB", "checkpoint": str(tmp_path)}
    estimator(blend=0, **other).fit(X, y)
    assert Interrupt.begun == 0


def test_a_fitted_teacher_is_known_by_its_answers(tmp_path):
    X, y = classes()
    params = {"blend": 0, "hard_weight": 0}

    def forest(**changes):
        return Teacher(5, random_state=0).set_params(**changes).fit(X, y)

    first = forest()
    est = estimator(teacher=first, **params, checkpoint=tmp_path)
    interrupted(est, X, y, 3)
    again = forest()
    est = estimator(teacher=again, **params, checkpoint=tmp_path).fit(X, y)
    assert est.teacher_ is again
    assert Interrupt.begun < 4
    assert_same(est, estimator(teacher=first, **params).fit(X, y), X)
    other = Teacher(5, random_state=0).fit(X[:100], y[:100])
    with pytest.warns(CheckpointWarning, match="teacher"):
        found = estimator(teacher=other, **params, checkpoint=tmp_path).fit(X, y)
    assert_same(found, estimator(teacher=other, **params).fit(X, y), X)


def test_without_a_random_state_the_seeds_are_kept(tmp_path):
    X, y = classes()
    est = estimator(random_state=None, checkpoint=tmp_path / "one")
    interrupted(est, X, y, 18)
    first = est.fit(X, y).predict_proba(X)
    assert Interrupt.begun < 5
    np.testing.assert_array_equal(est.fit(X, y).predict_proba(X), first)
    other = estimator(random_state=None, checkpoint=tmp_path / "other").fit(X, y).predict_proba(X)
    assert not np.array_equal(other, first)


def test_folds_and_candidates_of_a_search_never_mix(tmp_path):
    X, y = classes()

    def search(**params):
        est = estimator(blend=0, n_synthetic=50, **params)
        return GridSearchCV(est, {"hard_weight": [0.1, 0.5]}, cv=2, scoring="neg_log_loss")

    expected = search().fit(X, y)
    with pytest.warns(CheckpointWarning):  # folds have other data
        found = search(checkpoint=tmp_path).fit(X, y)
    np.testing.assert_array_equal(found.predict_proba(X), expected.predict_proba(X))
    for name in ("split0_test_score", "split1_test_score"):
        np.testing.assert_array_equal(found.cv_results_[name], expected.cv_results_[name])
    Interrupt.begun = 0
    search(checkpoint=tmp_path).fit(X, y)
    assert Interrupt.begun == 0


def test_damaged_files_are_made_again(tmp_path):
    X, y = classes()
    est = estimator(blend=0, checkpoint=tmp_path).fit(X, y)
    expected = est.predict_proba(X)
    for path in sorted(tmp_path.rglob("*.*")):
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.warns(CheckpointWarning, match=path.parent.name):
            est.fit(X, y)
        np.testing.assert_array_equal(est.predict_proba(X), expected)


def test_what_is_no_folder_of_fits_is_refused_before_anything_else(tmp_path):
    X, y = classes()
    file = tmp_path / "file"
    file.write_text("mine")
    for checkpoint in (file, tmp_path, file / "folder"):
        with pytest.raises((ValueError, OSError), match="checkpoint"):
            estimator(checkpoint=checkpoint).fit(X, y)
    assert Teacher.calls == []
    assert file.read_text() == "mine"
    with pytest.raises(ValueError, match="checkpoint"):
        estimator(checkpoint=3).fit(X, y)


def test_a_fit_that_fails_leaves_the_estimator_and_a_folder_that_can_be_used(tmp_path):
    X, y = classes()
    est = estimator(checkpoint=tmp_path, blend=0).fit(X, y)
    before = est.student_
    est.set_params(hard_weight=0.7)
    with pytest.warns(CheckpointWarning, match="hard_weight"):
        interrupted(est, X, y, 2)
    assert est.student_ is before
    assert_same(est.fit(X, y), estimator(blend=0, hard_weight=0.7).fit(X, y), X)
