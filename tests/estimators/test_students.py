"""Every kind of student, and what of it stays the user's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, RobustScaler, StandardScaler
from sklearn.utils import get_tags
from skorch import NeuralNet, NeuralNetBinaryClassifier, NeuralNetClassifier, NeuralNetRegressor
from skorch.callbacks import Callback, EarlyStopping, EpochScoring, LRScheduler
from skorch.dataset import ValidSplit
from torch import nn
from torch.utils.data import DataLoader

from sklkd import DistilledClassifier, DistilledRegressor
from sklkd.exceptions import DivergedError
from sklkd.losses import SoftTargetLoss
from sklkd.students import TabularNet, TabularStudent

from .problems import Net, classes, quick, skorch_net, targets

PARAMS = {"hard_weight": 0.1, "blend": 0, "random_state": 0}


class Several(Net):
    """It returns more than its answer."""

    def forward(self, X):
        return super().forward(X), X


class Named(Net):
    """It calls its outputs classes, or targets."""

    def __init__(self, n_features, n_classes=None, n_targets=None):
        assert (n_classes is None) != (n_targets is None)
        super().__init__(n_features, n_classes or n_targets)


STUDENTS = {
    "None": None,
    "tiny": "tiny",
    "small": "small",
    "module": Net,
    "module with names": Named,
    "module with several outputs": Several,
    "TabularNet": TabularNet,
    "TabularStudent": TabularStudent(size="tiny", max_epochs=40, module__hidden=(8,)),
    "net": skorch_net(max_epochs=40),
    "classifier net": NeuralNetClassifier(
        Net, criterion=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=0.01, max_epochs=40, verbose=0
    ),
    "regressor net": NeuralNetRegressor(Net, optimizer=torch.optim.Adam, lr=0.01, max_epochs=40, verbose=0),
    "pipeline": make_pipeline(RobustScaler(), skorch_net(max_epochs=40)),
    "pipeline of one": make_pipeline(skorch_net(max_epochs=40)),
    "pipeline with TabularNet": make_pipeline(StandardScaler(), TabularStudent(size="tiny", max_epochs=40)),
}


@pytest.mark.parametrize("kind", STUDENTS)
def test_classifiers(kind):
    X, y = classes(200)
    est = DistilledClassifier(ExtraTreesClassifier(10, random_state=0), STUDENTS[kind], **PARAMS).fit(X, y)
    assert accuracy_score(est.teacher_.predict(X), est.predict(X)) > 0.6
    proba = est.predict_proba(X)
    np.testing.assert_allclose(est.student_.predict_proba(est.encoder_.transform(X)), proba, atol=1e-5)
    assert isinstance(est.student_, NeuralNet) and est.student_.initialized_ and not est.student_.module_.training
    assert len(est.history_) == est.n_iter_ == len(est.student_.history)
    if isinstance(STUDENTS[kind], NeuralNetClassifier):
        np.testing.assert_array_equal(est.student_.predict(est.encoder_.transform(X)), proba.argmax(1))


@pytest.mark.parametrize("passing", [None, "passthrough"])
@pytest.mark.parametrize("steps", [(), (RobustScaler(),)], ids=["alone", "before another"])
@pytest.mark.parametrize("last", [skorch_net(max_epochs=3), LogisticRegression()], ids=["network", "classifier"])
def test_steps_that_change_nothing(passing, steps, last):
    X, y = classes(200)
    X[::9, 1] = np.nan
    teacher = HistGradientBoostingClassifier(max_iter=5)
    fits = [
        DistilledClassifier(teacher, make_pipeline(first, *steps, last), **PARAMS).fit(X, y)
        for first in (passing, FunctionTransformer())
    ]
    np.testing.assert_array_equal(*(est.predict_proba(X) for est in fits))
    assert get_tags(fits[0]).input_tags.allow_nan


@pytest.mark.parametrize("kind", [kind for kind in STUDENTS if kind != "classifier net"])
@pytest.mark.parametrize("n_targets", [1, 2])
def test_regressors(kind, n_targets):
    X, y = targets(200, n_targets=n_targets)
    est = DistilledRegressor(ExtraTreesRegressor(10, random_state=0), STUDENTS[kind], **PARAMS).fit(X, y)
    assert r2_score(y, est.predict(X)) > 0.5
    own = est.student_.predict(est.encoder_.transform(X))
    np.testing.assert_allclose(own.reshape(y.shape), est.predict(X), rtol=1e-5, atol=1e-5 * y.std())
    scale = est.student_.module_.target_scale, est.student_.module_.target_mean
    np.testing.assert_allclose(scale[0], y.std(axis=0), rtol=0.05)
    np.testing.assert_allclose(scale[1], y.mean(axis=0), rtol=0.05)


def test_sizes():
    X, y = classes(300, n_features=12)
    sizes = {}
    for size in ("tiny", "small", "base"):
        student = TabularStudent(size, max_epochs=1)
        est = DistilledClassifier(ExtraTreesClassifier(5, random_state=0), student, **PARAMS).fit(X, y)
        sizes[size] = sum(value.numel() for value in est.student_.module_.parameters())
    assert sizes["tiny"] <= 5_000 < sizes["small"] <= 100_000 < sizes["base"] <= 400_000


def test_the_users_student_is_not_trained_or_changed():
    X, y = classes()
    net = skorch_net()
    pipe = make_pipeline(RobustScaler(), skorch_net())
    for student in (net, pipe):
        est = DistilledClassifier(LogisticRegression(), student, **PARAMS).fit(X, y)
        assert est.student is student
    assert not net.initialized_ and net.criterion is nn.CrossEntropyLoss and type(net) is NeuralNet
    assert not hasattr(pipe[0], "center_") and not pipe[1].initialized_
    assert isinstance(est.student_, NeuralNet) and type(est.student_).__name__ == "NeuralNet"


def test_module_arguments_of_the_user_stay():
    X, y = classes()
    est = DistilledClassifier(LogisticRegression(), skorch_net(module__width=3), **PARAMS).fit(X, y)
    assert est.student_.module_.body[0].out_features == 3 and est.student_.module_.body[0].in_features == 5
    assert est.student_.module_.body[2].out_features == 3
    est = DistilledClassifier(LogisticRegression(), quick(module__hidden=(3, 4)), **PARAMS).fit(X, y)
    assert [layer[0].out_features for layer in est.student_.module_.hidden] == [3, 4]


def test_an_initialised_net_is_trained_anew():
    X, y = classes()
    net = skorch_net(module__n_features=5, module__n_outputs=3).initialize()
    weights = net.module_.body[0].weight.detach().clone()
    est = DistilledClassifier(LogisticRegression(), net, **PARAMS).fit(X, y)
    assert est.student_ is not net and torch.equal(net.module_.body[0].weight, weights)


class Watcher(Callback):
    """Notes what it is told."""

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        self.calls = ["begin"]

    def on_epoch_end(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        self.calls.append("epoch")

    def on_batch_end(self, net, batch=None, training=False, **kwargs):
        X, y = batch
        assert len(X) == len(y)
        self.calls.append("batch" if training else "valid batch")

    def on_grad_computed(self, net, named_parameters, X=None, y=None, **kwargs):
        assert all(value.grad is not None for _, value in named_parameters)

    def on_train_end(self, net, X=None, y=None, **kwargs):
        self.calls.append("end")


def test_callbacks():
    X, y = classes(100)
    net = skorch_net(max_epochs=2, batch_size=30, callbacks=[("watcher", Watcher())])
    est = DistilledClassifier(LogisticRegression(), net, augment=None, **PARAMS).fit(X, y)
    calls = dict(est.student_.callbacks_)["watcher"].calls
    assert calls == ["begin", *["batch"] * 4, "epoch", *["batch"] * 4, "epoch", "end"]


def test_early_stopping_on_rows_held_out():
    X, y = classes(300)
    held = {}

    class Look(Callback):
        def on_train_begin(self, net, X=None, y=None, **kwargs):
            held["rows"] = X

        def on_epoch_end(self, net, dataset_train=None, dataset_valid=None, **kwargs):
            held["train"], held["valid"] = len(dataset_train), len(dataset_valid)
            assert dataset_valid.labelled().all()  # synthetic rows are for training

    net = skorch_net(
        max_epochs=200,
        lr=0.05,
        train_split=ValidSplit(0.2, stratified=False),
        callbacks=[Look(), EarlyStopping(patience=3), EpochScoring(agreement, name="agreement", lower_is_better=False)],
    )
    est = DistilledClassifier(LogisticRegression(), net, **PARAMS).fit(X, y)
    assert held["valid"] == 60 and held["train"] == len(held["rows"]) - 60 > 1000
    assert 4 <= est.n_iter_ < 200
    assert {"train_loss", "valid_loss", "agreement"} <= set(est.history_[0])


def agreement(net, X, y=None):
    rows = X.inputs if hasattr(X, "inputs") else X
    return float(net.forward(rows).argmax(1).float().mean())


def test_schedulers():
    X, y = classes()
    rates = []

    class Rates(Callback):
        def on_batch_end(self, net, training=False, **kwargs):
            rates.append(net.optimizer_.param_groups[0]["lr"])

    decay = LRScheduler("StepLR", step_size=1, gamma=0.5)
    net = skorch_net(max_epochs=3, lr=0.08, callbacks=[decay, Rates()])
    DistilledClassifier(LogisticRegression(), net, augment=None, **PARAMS).fit(X, y)
    assert rates == pytest.approx([0.08, 0.04, 0.02])
    rates.clear()
    student = TabularStudent("tiny", max_epochs=50, lr=0.01, callbacks=[Rates()])
    DistilledClassifier(LogisticRegression(), student, augment=None, **PARAMS).fit(X, y)
    assert max(rates) <= 0.01 and rates[0] < rates[2] and rates[-1] < 1e-4 and np.argmax(rates) < 10


def test_skorch_shows_its_epochs_from_verbose_2_on(capsys):
    X, y = classes()
    for student in (quick(), skorch_net()):
        DistilledClassifier(LogisticRegression(), student, verbose=1, **PARAMS).fit(X, y)
        shown = capsys.readouterr()
        assert "train_loss" not in shown.out + shown.err
        DistilledClassifier(LogisticRegression(), student, verbose=2, **PARAMS).fit(X, y)
        assert "train_loss" in capsys.readouterr().out
    silent = skorch_net(callbacks="disable")
    DistilledClassifier(LogisticRegression(), silent, verbose=2, **PARAMS).fit(X, y)
    shown = capsys.readouterr()
    assert shown.out == "" and "train_loss" not in shown.err and "student" in shown.err


class OwnStep(NeuralNet):
    """Its own step and its own loss."""

    steps = 0
    asked = 0

    def train_step(self, batch, **fit_params):
        OwnStep.steps += 1
        return super().train_step(batch, **fit_params)

    def get_loss(self, y_pred, y_true, X=None, training=False):
        OwnStep.asked += 1
        loss = super().get_loss(y_pred, y_true, X=X, training=training)
        return loss + 1e-3 * sum(value.square().sum() for value in self.module_.parameters())


def test_overridden_steps_are_honoured():
    X, y = classes()
    OwnStep.steps = OwnStep.asked = 0
    params = {"max_epochs": 4, "lr": 0.01, "train_split": None, "verbose": 0, "optimizer": torch.optim.Adam}
    est = DistilledClassifier(LogisticRegression(), OwnStep(Net, nn.CrossEntropyLoss, **params), augment=None, **PARAMS)
    est.fit(X, y)
    assert OwnStep.steps == OwnStep.asked == 4
    plain = clone(est).set_params(student=NeuralNet(Net, nn.CrossEntropyLoss, **params)).fit(X, y)
    assert not np.array_equal(plain.predict_proba(X), est.predict_proba(X))
    assert isinstance(est.student_, OwnStep)


def test_a_loader_of_the_user():
    sizes = []

    class Loader(DataLoader):
        def __init__(self, dataset, **kwargs):
            sizes.append((len(dataset), kwargs.get("batch_size"), kwargs.get("shuffle")))
            super().__init__(dataset, **kwargs)

    X, y = classes(100)
    net = skorch_net(batch_size=25, iterator_train=Loader, iterator_train__drop_last=True)
    est = DistilledClassifier(LogisticRegression(), net, augment=None, **PARAMS).fit(X, y)
    assert sizes and all(size == (100, 25, True) for size in sizes)
    assert est.score(X, y) > 0.3


def test_batches_of_one_and_of_all():
    X, y = classes(33)
    for batch_size in (-1, 1, 32):
        net = skorch_net(batch_size=batch_size)
        est = DistilledClassifier(LogisticRegression(), net, augment=None, **PARAMS).fit(X, y)
        assert np.isfinite(est.predict_proba(X)).all()


class Wrong(nn.Module):
    def __init__(self, n_features):
        super().__init__()
        self.layer = nn.Linear(n_features, 7)

    def forward(self, X):
        return self.layer(X)


def test_wrong_output_width():
    X, y = classes()
    for student in (Wrong, skorch_net(module=Wrong), skorch_net(module__n_outputs=2)):
        with pytest.raises(
            ValueError,
            match=r"student must give 3 outputs per row \(one logit per class.*let its module take n_outputs",
        ):
            DistilledClassifier(LogisticRegression(), student, **PARAMS).fit(X, y)
    binary = NeuralNetBinaryClassifier(Net, module__n_outputs=1, verbose=0)
    Xb, yb = classes(labels=["no", "yes"])
    with pytest.raises(ValueError, match="student must give 2 outputs per row"):
        DistilledClassifier(LogisticRegression(), binary, **PARAMS).fit(Xb, yb)


def test_divergence():
    X, y = classes()
    net = skorch_net(optimizer=torch.optim.SGD, lr=1e30)
    with pytest.raises(
        DivergedError, match=r"the student's training diverged in epoch \d+: .* Lower its learning rate"
    ):
        DistilledClassifier(LogisticRegression(), net, augment=None, **PARAMS).fit(X, y)
    Xr, yr = targets()
    with pytest.raises(DivergedError, match="diverged"):
        net = skorch_net(nn.MSELoss, optimizer=torch.optim.SGD, lr=1e30)
        DistilledRegressor(Ridge(), net, augment=None, **PARAMS).fit(Xr, yr)


def test_students_that_are_none():
    X, y = classes()
    for student in (
        Net(5, 3),
        StandardScaler(),
        3,
        NeuralNet,
        make_pipeline(StandardScaler(), RobustScaler()),
    ):
        with pytest.raises(TypeError, match="student must be None, a preset name"):
            DistilledClassifier(LogisticRegression(), student).fit(X, y)
    with pytest.raises(
        ValueError, match=r"student must be one of the presets \['tiny', 'small', 'base'\], got student='huge'"
    ):
        DistilledClassifier(LogisticRegression(), "huge").fit(X, y)
    with pytest.raises(ValueError, match="size must be one of"):
        DistilledClassifier(LogisticRegression(), TabularStudent("huge")).fit(X, y)


def test_the_students_own_criterion_plays_no_part():
    X, y = classes()
    plain = DistilledClassifier(LogisticRegression(), skorch_net(), loss=SoftTargetLoss(), **PARAMS).fit(X, y)
    other = DistilledClassifier(LogisticRegression(), skorch_net(nn.NLLLoss), loss=SoftTargetLoss(), **PARAMS).fit(X, y)
    np.testing.assert_array_equal(plain.predict_proba(X), other.predict_proba(X))
