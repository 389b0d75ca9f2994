"""Networks that are trained together: peers, what is deployed, and what the estimators promise."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import softmax
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNet
from skorch.callbacks import Callback
from torch import nn

from sklkd import DistilledClassifier, OnlineDistilledClassifier, OnlineDistilledRegressor
from sklkd.exceptions import DivergedError
from sklkd.losses import FitNetLoss, RKDDistanceLoss, SoftTargetLoss, SPLoss
from sklkd.methods import Codistillation, CollaborativeEnsemble, GatedEnsemble, MutualLearning
from sklkd.students import Muon, TabularStudent

from .problems import LABELS, Net, classes, quick, skorch_net, targets

METHODS = [MutualLearning(), GatedEnsemble(), CollaborativeEnsemble(), Codistillation()]


def peers(n=2, max_epochs=5, **params):
    return [(name, quick(max_epochs, **params)) for name in "abcd"[:n]]


def fitted(problem=None, given=None, estimator=OnlineDistilledClassifier, **params):
    X, y = problem or classes()
    return estimator(given or peers(), **{"random_state": 0} | params).fit(X, y)


def test_an_int_makes_default_students_with_different_seeds():
    X, y = classes(60)
    est = OnlineDistilledClassifier(3, method=MutualLearning(weight=0), random_state=0)
    est = est.fit(X[:20], y[:20])
    assert list(est.peers_) == ["peer0", "peer1", "peer2"]
    first = [net.module_.output.weight.detach().numpy() for net in est.peers_.values()]
    assert first[0].shape == (3, 128) and not np.allclose(first[0], first[1])


def test_a_peer_that_is_not_taught_is_trained_as_it_would_be_in_any_other_company():
    X, y = classes()
    alone = MutualLearning(weight=0)
    small = fitted((X, y), peers(2), method=alone, deploy="a")
    large = [("a", quick(5)), ("b", TabularStudent("small", max_epochs=5, lr=0.1, optimizer__weight_decay=0.5))]
    other = fitted((X, y), large, method=alone, deploy="a")
    np.testing.assert_allclose(small.predict_proba(X), other.predict_proba(X), atol=1e-6)
    taught = fitted((X, y), large, deploy="a")
    assert not np.allclose(taught.predict_proba(X), other.predict_proba(X), atol=1e-3)


def test_optimizer_options_are_each_nets_own():
    given = [("a", quick(1, lr=0.02)), ("b", quick(1, lr=0.005, optimizer__weight_decay=0.3))]
    seen = []

    class Look(Callback):
        def on_train_begin(self, net, **kwargs):
            seen.extend((group["lr"], group["weight_decay"]) for group in net.optimizer_.param_groups)

        def on_batch_end(self, net, training=False, **kwargs):
            seen.append([group["lr"] for group in net.optimizer_.param_groups])

    given[0][1].set_params(callbacks=[Look()])
    fitted(given=given)
    assert seen[:2] == [(0.02, 0.01), (0.005, 0.3)]
    # the schedule keeps their ratio
    np.testing.assert_allclose(seen[2][0], 4 * seen[2][1])


@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
@pytest.mark.parametrize("deploy", ["best", "smallest", "b", "ensemble"])
def test_what_is_deployed(method, deploy):
    X, y = classes()
    est = fitted((X, y), peers(3), method=method, deploy=deploy)
    names = {"best": min(est.peer_losses_, key=est.peer_losses_.get, default=None), "smallest": "a"}
    assert est.deployed_ == names.get(deploy, deploy)
    proba = est.predict_proba(X)
    np.testing.assert_allclose(est.student_.predict_proba(est.encoder_.transform(X)), proba, atol=1e-5)
    np.testing.assert_array_equal(est.with_peer(est.deployed_).predict_proba(X), proba)
    again = pickle.loads(pickle.dumps(est))
    np.testing.assert_array_equal(again.predict_proba(X), proba)
    np.testing.assert_array_equal(est.without_peers().predict_proba(X), proba)
    assert len(est.history_) == est.n_iter_ == 5


def test_the_smallest_has_the_fewest_parameters():
    given = [("a", quick(2, module__hidden=(9,))), ("b", quick(2, module__hidden=(5,)))]
    assert fitted(given=given, deploy="smallest").deployed_ == "b"


def test_best_goes_by_rows_that_nobody_was_trained_on():
    # labels are noise, so that a peer that learns them by heart is bad on other rows and good on its own
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(150, 5)), rng.randint(2, size=150)
    given = [
        ("eager", TabularStudent("small", max_epochs=60, lr=0.02)),
        ("lazy", TabularStudent("small", max_epochs=60, lr=1e-6)),
    ]
    est = fitted((X, y), given, method=MutualLearning(weight=0), validation_fraction=0.3)
    assert est.deployed_ == "lazy"
    assert est.peer_losses_["lazy"] < est.peer_losses_["eager"]
    assert est.with_peer("eager").score(X, y) > 0.8


def test_few_rows_are_all_trained_on():
    X, y = classes(40)
    given = fitted((X, y))
    for name, loss in given.peer_losses_.items():
        proba = given.with_peer(name).predict_proba(X)
        expected = -np.log(proba[np.arange(40), np.searchsorted(LABELS, y)]).mean()
        np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_the_ensemble_of_mutual_learning_is_the_mean_probability():
    X, y = classes()
    est = fitted((X, y), deploy="ensemble")
    each = [est.with_peer(name).predict_proba(X) for name in est.peers_]
    np.testing.assert_allclose(est.predict_proba(X), np.mean(each, axis=0))


def test_regression_in_units_and_with_several_targets():
    X, y = targets(n_targets=2)
    est = fitted((X, y), peers(2, 150, lr=0.02), OnlineDistilledRegressor, deploy="ensemble")
    assert est.score(X, y) > 0.8
    each = [est.with_peer(name).predict(X) for name in est.peers_]
    # one in arrays, the other in torch: a prediction near 0 of a target that spans hundreds has fewer digits
    np.testing.assert_allclose(est.predict(X), np.mean(each, axis=0), atol=1e-8 * np.ptp(y))
    np.testing.assert_allclose(est.student_.predict(est.encoder_.transform(X)), est.predict(X), rtol=1e-5, atol=1e-3)


def test_mutual_learning_brings_peers_closer():
    X, y = classes(300, labels=LABELS)

    def apart(method):
        est = fitted((X, y), peers(2, 60), method=method, deploy="a")
        return np.abs(est.with_peer("a").predict_proba(X) - est.with_peer("b").predict_proba(X)).mean()

    distances = [apart(MutualLearning(weight=weight)) for weight in (0, 1, 10)]
    assert distances[0] > 1.2 * distances[1] > 1.2 * distances[2]


@pytest.mark.parametrize("method", [CollaborativeEnsemble(), Codistillation(burn_in=0.1)], ids=str)
def test_other_methods_bring_peers_closer(method):
    X, y = classes(300, labels=LABELS)

    def apart(weight):
        est = fitted((X, y), peers(2, 60, lr=0.02), method=clone(method).set_params(weight=weight), deploy="a")
        return np.abs(est.with_peer("a").predict_proba(X) - est.with_peer("b").predict_proba(X)).mean()

    assert apart(0) > 1.2 * apart(3.0)


def test_branches_share_their_trunk_after_training():
    given = [(name, TabularStudent("small", max_epochs=3)) for name in "ab"]
    est = fitted(given=given, method=GatedEnsemble())
    a, b = (net.module_ for net in est.peers_.values())
    for layer in ("hidden.0.0", "hidden.1.0"):
        torch.testing.assert_close(a.get_submodule(layer).weight, b.get_submodule(layer).weight)
    assert not torch.allclose(a.output.weight, b.output.weight)


@pytest.mark.parametrize(
    "loss",
    [
        FitNetLoss(),
        SPLoss(weight=10.0),
        RKDDistanceLoss(),
        [("kd", SoftTargetLoss(temperature=2)), ("hint", FitNetLoss())],
    ],
    ids=str,
)
def test_losses_of_the_library_between_peers_of_different_sizes(loss):
    given = [("large", quick(4, module__hidden=(12, 7))), ("small", quick(4, module__hidden=(5,)))]
    X, y = classes()
    with_loss = fitted((X, y), given, method=MutualLearning(loss=loss), deploy="small")
    without = fitted((X, y), given, method=MutualLearning(weight=0), deploy="small")
    assert not np.allclose(with_loss.predict_proba(X), without.predict_proba(X), atol=1e-4)
    # what pairs learn is not part of what answers
    assert {name for name, _ in with_loss.student_.module_.named_parameters()} == {
        name for name, _ in without.student_.module_.named_parameters()
    }


def test_a_loss_reads_the_student_layer_of_who_learns_and_the_teacher_layer_of_who_teaches():
    X, y = classes()
    given = [(name, quick(2, module__hidden=hidden)) for name, hidden in (("a", (12, 7)), ("b", (5, 6)))]
    seen = []

    class Look(MutualLearning):
        def build(self, objective, cohort, sample):
            super().build(objective, cohort, sample)
            seen.extend([tap.path for taps in pair.taps for tap in taps] for pair in objective.between)

    method = Look(loss=FitNetLoss(student_layer="hidden.0", teacher_layer="hidden.1"))
    fitted((X, y), given, method=method)
    assert seen == [["peers.0.hidden.0", "peers.1.hidden.1"], ["peers.1.hidden.0", "peers.0.hidden.1"]]
    for side in ("student", "teacher"):
        method = MutualLearning(loss=FitNetLoss(**{f"{side}_layer": "hidden.1"}))
        shallow = [given[0], ("b", quick(2))]
        with pytest.raises(
            ValueError, match=rf"peer 'b': {side}_layer of FitNetLoss: the {side} has no layer 'hidden.1'"
        ):
            fitted((X, y), shallow, method=method)


def test_hints_between_peers_bring_their_layers_closer():
    X, y = classes(300)
    given = [(name, quick(60, module__hidden=(6,))) for name in "ab"]

    def apart(method):
        est = fitted((X, y), given, method=method, deploy="a")
        sides = [
            softmax(net.module_.hidden(net.module_.encoding(inputs)).detach().numpy(), axis=1)
            for net in est.peers_.values()
            for inputs in [torch.from_numpy(est.encoder_.transform(X))]
        ]
        grams = [side @ side.T / np.linalg.norm(side @ side.T) for side in sides]
        return np.abs(grams[0] - grams[1]).mean()

    assert apart(MutualLearning(loss=SPLoss(weight=3000.0))) < 0.8 * apart(MutualLearning(weight=0))


def test_networks_of_every_kind_train_together():
    X, y = classes()
    net = skorch_net(max_epochs=4, batch_size=256)
    net.set_params(optimizer=Muon)
    given = [
        ("tabular", quick(4)),
        ("module", TabularStudent(module=Net, max_epochs=4)),
        ("skorch", net),
        ("steps", make_pipeline(StandardScaler(), clone(net))),
    ]
    est = fitted((X, y), given, deploy="ensemble")
    each = []
    for name in est.peers_:
        one = est.with_peer(name)
        each.append(one.predict_proba(X))
        np.testing.assert_allclose(one.student_.predict_proba(one.encoder_.transform(X)), each[-1], atol=1e-5)
    np.testing.assert_allclose(est.predict_proba(X), np.mean(each, axis=0), atol=1e-6)
    again = pickle.loads(pickle.dumps(est))
    np.testing.assert_array_equal(again.predict_proba(X), est.predict_proba(X))


class Images(nn.Module):
    def __init__(self, n_outputs, width=4):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, width, 3), nn.ReLU(), nn.Conv2d(width, width, 3), nn.ReLU())
        self.head = nn.Linear(width, n_outputs)

    def forward(self, X):
        return self.head(self.body(X).mean((2, 3)))


def test_images_to_networks_that_take_them():
    X, y = load_digits(return_X_y=True)
    X = X[:100].reshape(-1, 1, 8, 8)
    given = [(name, TabularStudent(module=Images, max_epochs=2)) for name in "ab"]
    for method in (MutualLearning(), GatedEnsemble()):
        est = OnlineDistilledClassifier(given, method=method, deploy="ensemble", random_state=0).fit(X, y[:100])
        assert est.predict_proba(X).shape == (100, 10)
    with pytest.raises(ValueError, match=r"peer 'a': student must be a network of your own"):
        OnlineDistilledClassifier(peers()).fit(X, y[:100])


def test_frames_with_categories_and_gaps():
    rng = np.random.RandomState(0)
    X = pd.DataFrame({"number": rng.normal(size=120), "colour": rng.choice(["red", "green"], 120)})
    X.loc[::7, "number"] = np.nan
    y = np.where(X["number"].isna() | ((X["number"] > 0) & (X["colour"] == "red")), "yes", "no")
    X["colour"] = X["colour"].astype("category")
    given = [("a", quick(150, lr=0.03)), ("b", TabularStudent(module=Net, max_epochs=150, lr=0.03))]
    est = fitted((X, y), given, deploy="ensemble")
    assert est.score(X, y) > 0.9
    new = pd.DataFrame({"number": [np.nan, 1.0], "colour": ["blue", None]})
    assert np.isfinite(est.predict_proba(new)).all()
    assert list(est.feature_names_in_) == ["number", "colour"]


def test_a_peer_whose_steps_take_no_gaps_says_so_when_it_is_deployed():
    from sklearn.decomposition import PCA

    X, y = classes()
    net = skorch_net(max_epochs=5, batch_size=256)
    net.set_params(optimizer=Muon)
    est = fitted((X, y), [("a", quick(5)), ("b", make_pipeline(PCA(2), net))], deploy="a")
    row = np.where(np.arange(5) == 1, np.nan, X[:1])
    assert est.predict(row).shape == (1,)
    for name in ("b", "ensemble"):
        with pytest.raises(ValueError, match="NaN"):
            est.with_peer(name).predict(row)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
@pytest.mark.parametrize("deploy", ["best", "ensemble"])
def test_weights_are_repetitions(method, deploy):
    X, y = classes(90)
    weight = np.random.RandomState(0).randint(0, 4, size=90)
    params = {"method": method, "deploy": deploy, "random_state": 0}
    weighted = OnlineDistilledClassifier(peers(), **params).fit(X, y, sample_weight=weight)
    rows = np.random.RandomState(1).permutation(np.repeat(np.arange(90), weight))
    repeated = OnlineDistilledClassifier(peers(), **params).fit(X[rows], y[rows])
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-6)


def test_a_grid_over_the_methods_and_a_peers_parameters():
    X, y = classes()
    est = OnlineDistilledClassifier(peers(), method=MutualLearning(), random_state=0)
    grid = {"method__temperature": [1.0, 2.0], "b__lr": [0.01, 0.02]}
    search = GridSearchCV(est, grid, cv=2).fit(X, y)
    best = search.best_estimator_
    assert best.peers_["b"].lr == dict(best.peers)["b"].lr == search.best_params_["b__lr"]
    assert best.method_.temperature == search.best_params_["method__temperature"]
    est.set_params(a=quick(7), b__max_epochs=7)
    assert dict(est.peers)["a"].max_epochs == 7 and dict(est.peers)["b"].max_epochs == 7


@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
def test_fits_are_repeatable_and_leave_torchs_generator_alone(method):
    X, y = classes()
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    given = [(name, quick(3, module__dropout=0.2)) for name in "ab"]
    first = fitted((X, y), given, method=method, deploy="ensemble")
    assert torch.equal(before, torch.random.get_rng_state())
    torch.rand(3)
    second = clone(first).fit(X, y)
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    other = clone(first).set_params(random_state=1).fit(X, y)
    assert not np.allclose(first.predict_proba(X), other.predict_proba(X))


def test_the_users_objects_are_not_trained():
    given, method = peers(), MutualLearning(loss=FitNetLoss())
    est = fitted(given=given, method=method)
    assert not any(net.initialized_ for _, net in given)
    assert est.method_ is not method and not list(method.loss.parameters())


@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
def test_a_peer_that_diverges_is_named(method):
    given = [("sound", quick(3)), ("wild", quick(3, lr=1e30))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(DivergedError, match="peer 'wild'"):
            fitted(given=given, method=method)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"peers": 1}, ValueError, "peers must be at least 2, got 1"),
        ({"peers": True}, TypeError, "peers must be an integer or a list"),
        ({"peers": "small"}, TypeError, "peers must be an integer or a list"),
        ({"peers": [quick(), quick()]}, TypeError, "in the list"),
        ({"peers": [("a", None), ("a", None)]}, ValueError, "rename it"),
        ({"peers": [("best", None), ("b", None)]}, ValueError, "rename it"),
        ({"peers": [("deploy", None), ("b", None)]}, ValueError, "rename it"),
        ({"peers": [("a", "huge"), ("b", None)]}, ValueError, "peer 'a': student must be one of the presets"),
        (
            {"peers": [("a", quick(2)), ("b", quick(3))]},
            ValueError,
            "max_epochs must be the same for all, got a: 2, b: 3",
        ),
        ({"peers": [("a", quick()), ("b", quick(batch_size=8))]}, ValueError, "batch_size must be the same for all"),
        (
            {"peers": [("a", quick()), ("b", quick(optimizer=torch.optim.Adam))]},
            ValueError,
            "optimizer must be the same for all, got a: Muon, b: Adam",
        ),
        (
            {"peers": [("a", quick()), ("b", quick(callbacks=[Callback()]))]},
            ValueError,
            "callbacks belong to the first",
        ),
        (
            {"peers": [("a", quick()), ("b", quick(module=nn.Linear, module__in_features=5, module__out_features=2))]},
            ValueError,
            "peer 'b': student must give",
        ),
        ({"deploy": "c"}, ValueError, r"deploy must be one of .*'a', 'b'\], got deploy='c'"),
        ({"method": "dml"}, TypeError, r"such as MutualLearning\(\), got 'dml'"),
        ({"method": SoftTargetLoss()}, TypeError, r"such as MutualLearning\(\)"),
        ({"method": MutualLearning(temperature=0)}, ValueError, "temperature must be > 0, got temperature=0"),
        ({"validation_fraction": 1.0}, ValueError, "validation_fraction"),
        ({"method": MutualLearning(peer_weights={"z": 1})}, ValueError, "peer_weights must name peers"),
    ],
)
def test_errors(params, error, message):
    X, y = classes()
    est = OnlineDistilledClassifier(peers(), random_state=0).set_params(**params)
    with pytest.raises(error, match=message):
        est.fit(X, y)
    assert not hasattr(est, "student_")


def test_names_of_answers():
    with pytest.raises(ValueError, match=r"name must be one of \['a', 'b', 'ensemble'\], got name='c'"):
        fitted().with_peer("c")


def test_a_failed_fit_leaves_the_estimator_as_it_was():
    X, y = classes()
    est = fitted((X, y))
    before = est.predict_proba(X)
    with pytest.raises(ValueError):
        est.fit(X, np.full(len(y), "ant"))
    np.testing.assert_array_equal(est.predict_proba(X), before)


def test_a_fitted_one_is_a_teacher():
    X, y = classes()
    teacher = fitted((X, y), peers(2, 40))
    student = DistilledClassifier(teacher, quick(40), augment=None, hard_weight=0, blend=0, random_state=0).fit(X, y)
    assert student.teacher_ is teacher
    assert np.mean(student.predict(X) == teacher.predict(X)) > 0.85


def test_deployed_nets_are_plain_skorch_nets():
    est = fitted()
    assert isinstance(est.student_, NeuralNet) and isinstance(est.student_, TabularStudent)
