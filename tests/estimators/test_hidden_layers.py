"""Losses on hidden layers and relations, inside the estimators."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.ensemble import (
    BaggingRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import sklkd.losses
from sklkd import DistilledClassifier, DistilledRegressor
from sklkd.augment import GaussianNoise
from sklkd.estimators._teacher_layers import TeacherLayers
from sklkd.losses import (
    FitNetLoss,
    FSPLoss,
    LeafEmbeddingLoss,
    OFDLoss,
    RKDDistanceLoss,
    SimKDLoss,
    SoftTargetLoss,
    SPLoss,
)
from sklkd.losses._feature import FeatureLoss
from sklkd.students import TabularStudent
from sklkd.students._activations import tapped
from sklkd.teachers import Precomputed, adapt

from .problems import Net, classes, quick, skorch_net, targets

EVERY_LOSS = [getattr(sklkd.losses, name) for name in sklkd.losses.__all__ if name != "Loss"]
LAYERED = [loss for loss in EVERY_LOSS if loss.knowledge != "response"]
X, Y = classes(200)
XR, YR = targets(200)
STANDARDISED = (YR - YR.mean()) / YR.std()  # what a net reaches in few epochs
CLASSIFIERS = {
    "net of other widths": make_pipeline(StandardScaler(), MLPClassifier((24, 12), max_iter=80, random_state=0)),
    "forest": RandomForestClassifier(12, random_state=0),
    "booster": GradientBoostingClassifier(n_estimators=6, random_state=0),
    "voting": VotingClassifier([("rf", RandomForestClassifier(5, random_state=0)), ("lr", LogisticRegression())]),
}
REGRESSORS = {
    "net of other widths": make_pipeline(
        StandardScaler(), MLPRegressor(hidden_layer_sizes=(24, 12), max_iter=80, random_state=0)
    ),
    "forest": RandomForestRegressor(12, random_state=0),
    "booster": HistGradientBoostingRegressor(max_iter=6),
    "bagging": BaggingRegressor(n_estimators=5, random_state=0),
}
PARAMS = {"augment": None, "random_state": 0}
every_layered_loss = pytest.mark.parametrize("loss", LAYERED, ids=lambda loss: loss.__name__)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def short(**params):
    return quick(10, batch_size=64, **params)


def plain(loss):
    """Without label-only students, which no loss of layers trains. SimKDLoss takes no hard_weight."""
    return {"hard_weight": "auto" if loss is SimKDLoss else 0.1, "blend": 0, **PARAMS}


def has_leaves(kind):
    return kind in ("forest", "booster", "bagging")


@cache
def of_labels_alone(kind):
    return DistilledClassifier(CLASSIFIERS[kind], short(), hard_weight=1.0, **PARAMS).fit(X, Y).decision_function(X)


@every_layered_loss
@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_every_loss_trains_a_classifier(loss, kind):
    est = DistilledClassifier(CLASSIFIERS[kind], short(), loss=loss(weight=0.1), **plain(loss))
    if loss is LeafEmbeddingLoss and not has_leaves(kind):
        with pytest.raises(ValueError, match="has no layer 'leaf_embedding'; it has"):
            est.fit(X, Y)
        return
    assert est.fit(X, Y).score(X, Y) > 0.45
    assert not np.allclose(est.decision_function(X), of_labels_alone(kind), atol=1e-3)


@every_layered_loss
@pytest.mark.parametrize("kind", REGRESSORS)
def test_every_loss_trains_a_regressor(loss, kind):
    if loss is LeafEmbeddingLoss and not has_leaves(kind):
        return
    est = DistilledRegressor(REGRESSORS[kind], short(), loss=loss(weight=0.1), **plain(loss)).fit(XR, STANDARDISED)
    assert est.score(XR, STANDARDISED) > 0.3


@pytest.mark.parametrize("loss", [LeafEmbeddingLoss(), FSPLoss(weight=0.01), SPLoss()], ids=repr)
def test_search_over_a_named_loss(loss):
    teacher = RandomForestClassifier(10, random_state=0)
    est = DistilledClassifier(teacher, short(), loss=[("kd", SoftTargetLoss()), ("hidden", loss)], **plain(loss))
    grid = {"hidden__weight": [0.0, 0.1], "kd__temperature": [1.0, 2.0]}
    search = GridSearchCV(est, grid, cv=2, error_score="raise").fit(X, Y)
    assert len(np.unique(search.cv_results_["mean_test_score"])) > 1
    assert search.best_estimator_.loss_[1][1].weight == search.best_params_["hidden__weight"]


def test_what_losses_learn_is_in_loss_and_not_in_what_is_shipped():
    est = DistilledClassifier(RandomForestClassifier(10, random_state=0), short(), loss=FitNetLoss(), **PARAMS)
    est.fit(X, Y)
    start = est.student_.module_.hidden[-1][0].out_features
    assert est.loss_.projector_.weight.shape == (32, start)
    assert est.loss.projector_ is None
    plain = clone(est).set_params(loss=None).fit(X, Y)
    names = [{name: part.shape for name, part in one.student_.module_.state_dict().items()} for one in (est, plain)]
    assert names[0] == names[1]
    light = est.without_teacher()
    assert light.loss_.projector_ is None and len(list(light.student_.criterion_.parameters())) == 0
    np.testing.assert_array_equal(light.predict_proba(X), est.predict_proba(X))


def test_projectors_are_trained_by_the_students_optimizer():
    class Kept(FitNetLoss):
        def build(self, student_shape, teacher_shape):
            super().build(student_shape, teacher_shape)
            self.start = self.projector_.weight.detach().clone()

    est = DistilledClassifier(RandomForestClassifier(10, random_state=0), short(), loss=Kept(), **PARAMS).fit(X, Y)
    assert not torch.allclose(est.loss_.start, est.loss_.projector_.weight, atol=1e-3)


def test_the_teacher_is_asked_once_for_each_layer_and_lot_of_rows():
    asked = []

    class Counting(type(adapt(RandomForestClassifier(2).fit(X, Y), np.unique(Y)))):
        def features(self, X, layer=None):
            asked.append((len(X), layer))
            return super().features(X, layer)

    teacher = Counting(RandomForestClassifier(10, random_state=0).fit(X, Y), np.unique(Y))
    loss = [("a", FitNetLoss()), ("b", LeafEmbeddingLoss()), ("c", SPLoss()), ("kd", SoftTargetLoss())]
    est = DistilledClassifier(
        teacher, short(), loss=loss, augment=GaussianNoise(), hard_weight=0.1, blend=0, random_state=0
    )
    est.fit(X, Y, X_transfer=X[:30] + 0.1)
    synthetic = sorted({n for n, _ in asked} - {200, 30})
    assert len(synthetic) == 1
    expected = [(n, layer) for n in (200, 30, *synthetic) for layer in ("leaf_embedding", "leaves")]
    assert sorted(asked) == sorted(expected)


class Seen(FeatureLoss):
    """It keeps what it was given."""

    def __init__(self, *, weight=1.0, student_layer=None, teacher_layer=None):
        super().__init__(weight=weight, student_layer=student_layer, teacher_layer=teacher_layer)
        self.fitted, self.prepared, self.pairs = [], [], []

    def fit_teacher(self, teacher):
        self.fitted.append(teacher)

    def prepare(self, teacher):
        self.prepared.append(teacher)
        return teacher

    def compare(self, student, target, y=None, sample_weight=None):
        self.pairs.append((student.detach(), target))
        return student.square().mean()


def test_each_row_meets_its_own_features():
    teacher = RandomForestClassifier(10, random_state=0).fit(X, Y)
    est = DistilledClassifier(
        teacher, quick(1), loss=Seen(teacher_layer="output"), hard_weight=0.1, blend=0, random_state=0
    )
    est.set_params(augment=None).fit(X, Y, X_transfer=X[:50] + 0.3)
    rows = np.concatenate([X, X[:50] + 0.3])
    # the output layer holds the teacher's logits: those of the rows at hand, in whatever order they came
    # (out-of-bag for the training rows, so that only the others are as the teacher answers now)
    (fitted,), (prepared,) = est.loss_.fitted, est.loss_.prepared
    assert len(fitted) == 200 and len(prepared) == 250
    expected = adapt(teacher, est.classes_).outputs(rows[200:]).logits
    np.testing.assert_allclose(prepared[200:], expected, rtol=1e-5, atol=1e-7)
    targets = torch.cat([target for _, target in est.loss_.pairs])
    np.testing.assert_array_equal(np.sort(targets, axis=0), np.sort(prepared, axis=0))


@pytest.mark.filterwarnings("ignore::sklkd.exceptions.TeacherWarning")  # the teacher is not trained
def test_student_and_teacher_features_of_a_batch_are_of_the_same_rows():
    class Same(nn.Module):
        def __init__(self, n_features, n_outputs):
            super().__init__()
            self.same, self.out = nn.Identity(), nn.Linear(n_features, n_outputs)

        def forward(self, X):
            return self.out(self.same(X))

    class Rows(nn.Module):
        def __init__(self):
            super().__init__()
            self.same, self.out = nn.Identity(), nn.Linear(5, 3)

        def forward(self, X):
            return self.out(self.same(X))

    loss = Seen(student_layer="same", teacher_layer="same")
    est = DistilledClassifier(
        Rows(), skorch_net(module=Same, batch_size=32), loss=loss, hard_weight=0.5, blend=0, **PARAMS
    )
    est.fit(X, Y, X_transfer=X[:50] + 0.3)
    for student, teacher in est.loss_.pairs:
        # the student sees scaled columns: the same rows are in the same order
        scaled = est.encoder_.transform(teacher.double().numpy())
        np.testing.assert_allclose(student, scaled, atol=1e-4)


def test_values_of_members_are_in_units_of_the_target():
    """A loss on them must not depend on whether the target is in metres or in millimetres."""
    teacher = BaggingRegressor(n_estimators=4, random_state=0)
    predictions, loss = [], OFDLoss(weight=0.1, teacher_layer="members")
    for unit in (1.0, 1024.0):
        est = DistilledRegressor(teacher, short(), loss=loss, **PARAMS).fit(XR, YR * unit)
        predictions.append(est.predict(XR) / unit)
    np.testing.assert_allclose(*predictions, rtol=1e-3)


def test_without_a_loss_on_outputs_labels_have_half_the_weight():
    teacher = RandomForestClassifier(5, random_state=0)
    est = DistilledClassifier(teacher, quick(), loss=SPLoss(), **PARAMS).fit(X, Y)
    assert est.hard_weight_ == 0.5 and "no loss compares outputs" in est.hard_weight_reason_
    with pytest.raises(ValueError, match=r"hard_weight must be > 0 with losses on hidden layers alone \(SPLoss\)"):
        est.set_params(hard_weight=0, blend=0).fit(X, Y)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_simkd_answers_with_the_teachers_classifier(task):
    if task == "classification":
        teacher, D, x, y = MLPClassifier((8,), max_iter=200, random_state=0), DistilledClassifier, X, Y
    else:
        teacher, D, x, y = MLPRegressor(hidden_layer_sizes=(8,), random_state=0), DistilledRegressor, XR, STANDARDISED
    teacher.fit(x, y)
    est = D(teacher, short(), loss=SimKDLoss(), **PARAMS).fit(x, y)
    assert est.hard_weight_ == 0 and "SimKDLoss trains alone" in est.hard_weight_reason_
    # by hand: the student's last hidden layer, projected, in the teacher's scale, into the teacher's own last layer
    module, store = est.student_.module_, {}
    with torch.no_grad(), tapped(module, {est.student_.criterion_.taps[0][0]}, store):
        module(torch.as_tensor(est.encoder_.transform(x), dtype=torch.float32))
        (hidden,) = store.values()
        scale = est.loss_.standardizer_
        projected = (est.loss_.projector_(hidden) * scale.scale_ + scale.mean_).double().numpy()
    expected = projected @ teacher.coefs_[-1] + teacher.intercepts_[-1]
    if task == "classification":
        answer = est.decision_function(x)
        expected, answer = (part - part.mean(1, keepdims=True) for part in (expected, answer))
        np.testing.assert_allclose(answer, expected, atol=2e-2)
    else:
        np.testing.assert_allclose(est.predict(x), expected[:, 0], atol=2e-2)


def test_simkd_is_passed_by_itself():
    teacher = MLPClassifier((8,), max_iter=20, random_state=0)
    both = [("kd", SoftTargetLoss()), ("sim", SimKDLoss())]
    with pytest.raises(ValueError, match="SimKDLoss trains alone, without labels or other losses; got 2 losses"):
        DistilledClassifier(teacher, quick(), loss=both).fit(X, Y)
    with pytest.raises(ValueError, match=r"SimKDLoss trains alone, .* got hard_weight=0.3"):
        DistilledClassifier(teacher, quick(), loss=SimKDLoss(), hard_weight=0.3, blend=0).fit(X, Y)
    with pytest.raises(ValueError, match=r"can only replace a Linear layer .* that ends the student"):
        loss = SimKDLoss(student_layer="hidden.0")
        DistilledClassifier(teacher, quick(module__hidden=(4, 3)), loss=loss, **PARAMS).fit(X, Y)


def test_a_first_stage_must_leave_epochs_for_the_output():
    est = DistilledClassifier(LogisticRegression(), quick(3), loss=FitNetLoss(init_epochs=3, teacher_layer="output"))
    with pytest.raises(ValueError, match=r"first stage of FitNetLoss .* got 3 epochs in all"):
        est.fit(X, Y)
    est.set_params(loss__init_epochs=2, **PARAMS).fit(X, Y)


def test_a_first_stage_trains_the_hint_and_not_the_output():
    module = {}

    class Watching(FitNetLoss):
        def compare(self, student, target, y=None, sample_weight=None):
            module.setdefault("values", []).append(super().compare(student, target).item())
            return super().compare(student, target, y, sample_weight)

    params = {"loss": Watching(init_epochs=8), "augment": None, "random_state": 0}
    DistilledClassifier(RandomForestClassifier(10, random_state=0), short(), **params).fit(X, Y)
    # 4 batches an epoch, and none any more in the last two epochs
    assert len(module["values"]) == 8 * 4
    assert np.mean(module["values"][-4:]) < 0.9 * np.mean(module["values"][:4])


def test_partial_fit_goes_on_with_what_was_learnt():
    est = DistilledClassifier(RandomForestClassifier(10, random_state=0), short(), loss=FitNetLoss(), **PARAMS)
    est.partial_fit(X[:100], Y[:100], classes=np.unique(Y))
    before = est.loss_.projector_.weight.detach().clone(), est.loss_.standardizer_.mean_.clone()
    est.partial_fit(X[100:], Y[100:])
    after = est.loss_.projector_.weight, est.loss_.standardizer_.mean_
    assert est.n_iter_ == 20
    torch.testing.assert_close(after[1], before[1])
    assert 0 < (after[0] - before[0]).abs().max() < 1


def test_layers_that_do_not_exist_are_refused_with_those_that_do():
    forest = RandomForestClassifier(5, random_state=0)
    with pytest.raises(ValueError, match=r"has no layer 'leafs'; it has 'leaves', 'leaf_embedding', 'members'"):
        DistilledClassifier(forest, quick(), loss=FitNetLoss(teacher_layer="leafs")).fit(X, Y)
    with pytest.raises(ValueError, match=r"the student has no layer 'h'; it has .*'hidden.0'"):
        DistilledClassifier(forest, quick(), loss=FitNetLoss(student_layer="h"), **PARAMS).fit(X, Y)
    with pytest.raises(TypeError, match="codes such as leaf indices are not numbers"):
        DistilledClassifier(forest, quick(), loss=FitNetLoss(teacher_layer="leaves"), **PARAMS).fit(X, Y)
    with pytest.raises(ValueError, match="LinearRegression has no layers; use a loss that compares outputs"):
        DistilledRegressor(LinearRegression(), quick(), loss=RKDDistanceLoss()).fit(XR, YR)
    with pytest.raises(ValueError, match="Precomputed has no layers"):
        DistilledClassifier(Precomputed(np.eye(3)[np.arange(200) % 3]), quick(), loss=SPLoss()).fit(X, Y)


def test_a_failed_layer_leaves_a_fitted_estimator_as_it_was():
    est = DistilledClassifier(RandomForestClassifier(5, random_state=0), quick(), **PARAMS).fit(X, Y)
    before = est.predict_proba(X)
    with pytest.raises(ValueError, match="no layer 'nowhere'"):
        est.set_params(loss=FitNetLoss(teacher_layer="nowhere")).fit(X, Y)
    np.testing.assert_array_equal(est.predict_proba(X), before)


def test_a_teachers_answer_is_a_layer_of_every_teacher():
    teacher = LogisticRegression().fit(X, Y)
    loss = RKDDistanceLoss(teacher_layer="output")
    layers = TeacherLayers([("loss", loss)], adapt(teacher, np.unique(Y)))
    outputs = adapt(teacher, np.unique(Y)).outputs(X)
    np.testing.assert_allclose(layers.of(X, outputs)[0], outputs.logits, rtol=1e-5)
    DistilledClassifier(teacher, quick(), loss=loss, **PARAMS).fit(X, Y)


@pytest.mark.filterwarnings("ignore::sklkd.exceptions.TeacherWarning")  # the teacher is not trained
def test_convolutional_maps():
    images = np.random.default_rng(0).normal(size=(60, 1, 8, 8)).astype(np.float32)
    labels = (images[:, 0, :4].mean((1, 2)) > 0).astype(int)

    class Conv(nn.Module):
        def __init__(self, n_outputs=2, width=6):
            super().__init__()
            self.first, self.second = nn.Conv2d(1, width, 3, stride=2), nn.Conv2d(width, width, 3)
            self.out = nn.Linear(width, n_outputs)

        def forward(self, X):
            return self.out(self.second(self.first(X).relu()).relu().mean((2, 3)))

    student, pair = skorch_net(module=Conv, module__width=3), ("first", "second")
    for loss in (
        FitNetLoss(student_layer="first", teacher_layer="first"),
        FSPLoss(student_layer=pair, teacher_layer=pair),
    ):
        est = DistilledClassifier(Conv(), student, loss=loss, hard_weight=0.5, blend=0, random_state=0).fit(
            images, labels
        )
        assert est.predict_proba(images).shape == (60, 2)


def test_a_user_module_of_its_own():
    loss = [("hint", FitNetLoss()), ("kd", SoftTargetLoss())]
    est = DistilledClassifier(RandomForestClassifier(5, random_state=0), Net, loss=loss, **plain(loss)).fit(X, Y)
    assert est.student_.criterion_.taps == [(("body.2", True),), ()]


class Detached:
    """Mixed into a loss: it learns its own parts, and nothing of it reaches the student."""

    def compare(self, student, target, y=None, sample_weight=None):
        student = student.detach() if isinstance(student, torch.Tensor) else tuple(part.detach() for part in student)
        return super().compare(student, target, y, sample_weight)


def unseen_value(est, X):
    """The loss between student and teacher on rows that neither has seen."""
    (_, loss), taps = est.loss_[-1], est.student_.criterion_.taps[-1]
    # the embedding of leaves is learnt by the adapter, on the training rows
    adapter = est._fitted.teacher
    layers = TeacherLayers([("", loss)], adapter).of(X, adapter.outputs(X))[0]
    module, store = est.student_.module_, {}
    with torch.no_grad(), tapped(module, set(taps), store):
        module(torch.as_tensor(est.encoder_.transform(X), dtype=torch.float32))
        student = tuple(store[tap] for tap in taps)
        return loss.compare(student if loss.n_layers > 1 else student[0], loss.prepare(layers)).item()


@pytest.mark.slow
@every_layered_loss
@pytest.mark.parametrize("kind", ["net of other widths", "forest"])
def test_a_training_with_a_loss_brings_its_quantity_closer_on_unseen_rows(loss, kind):
    """Against a training in which only the loss's own parts learn, from a student that it does not touch."""
    if loss is LeafEmbeddingLoss and not has_leaves(kind):
        return
    x, y = classes(900)
    teacher = CLASSIFIERS[kind]
    if kind == "forest":
        # leaves of few deep trees say little of rows that these have not seen
        teacher = RandomForestClassifier(60, min_samples_leaf=5, random_state=0)
    teacher.fit(x[:600], y[:600])
    values = []
    for one in (loss, type(loss.__name__, (Detached, loss), {"__init__": loss.__init__})):
        losses = [("kd", SoftTargetLoss())] * (not loss.always_alone)
        losses = [*losses, ("hidden", one(weight=WEIGHTS.get(loss.__name__, 1.0)))]
        student = TabularStudent("tiny", max_epochs=6, batch_size=64)
        est = DistilledClassifier(teacher, student, loss=losses, hard_weight=0.0, blend=0, random_state=0).fit(
            x[:600], y[:600]
        )
        values.append(unseen_value(est, x[600:]))
    assert values[0] < values[1]


# small values need large weights, as their papers have them
WEIGHTS = {"SPLoss": 3000.0, "PKTLoss": 30000.0, "CCLoss": 100.0, "AttentionTransferLoss": 1000.0, "NSTLoss": 50.0}
