"""Generations: the first is the network alone, the next one is what offline distillation makes of it."""

from __future__ import annotations

import numpy as np
import pytest

from sklkd import SelfDistilledClassifier, SelfDistilledRegressor
from sklkd.losses import DKDLoss, FitNetLoss, LogitMSELoss, SoftTargetLoss, TargetLoss
from sklkd.methods import BornAgain, EpochToEpoch
from sklkd.methods import _born_again as module
from sklkd.teachers import Outputs
from tests.estimators.problems import classes, quick, targets

CASES = [(SelfDistilledClassifier, classes), (SelfDistilledRegressor, targets)]


def answers(est, X):
    return est.predict_proba(X) if hasattr(est, "predict_proba") else est.predict(X)


@pytest.mark.parametrize(("estimator", "problem"), CASES)
def test_the_first_generation_is_the_network_alone(estimator, problem):
    X, y = problem(80)
    est = estimator(quick(), method=BornAgain(generations=3), random_state=0).fit(X, y)
    alone = estimator(quick(), method=EpochToEpoch(alpha=0), random_state=0).fit(X, y)
    np.testing.assert_allclose(answers(est.generations_[0], X), answers(alone, X), rtol=1e-5)
    target = [answers(one, X) for one in est.generations_]
    assert (
        len(target) == 3
        and not np.allclose(target[0], target[1], rtol=1e-3)
        and not np.allclose(target[1], target[2], rtol=1e-3)
    )
    np.testing.assert_array_equal(answers(est, X), target[-1])
    assert est.generations_[0].generations_ == []


@pytest.mark.parametrize(("estimator", "problem"), CASES)
def test_the_ensemble_is_the_mean_of_the_generations(estimator, problem):
    X, y = problem(80)
    est = estimator(quick(), method=BornAgain(generations=3, ensemble=True), random_state=0).fit(X, y)
    target = [answers(one, X) for one in est.generations_]
    np.testing.assert_allclose(answers(est, X), np.mean(target, axis=0), rtol=1e-9)
    # the skorch net itself answers the same
    direct = est.student_.predict_proba(est.encoder_.transform(X))
    np.testing.assert_allclose(direct.reshape(answers(est, X).shape), answers(est, X), rtol=1e-4, atol=1e-5)


def test_a_generation_is_taught_what_the_last_one_says_of_the_rows(monkeypatch):
    asked = []
    original = module.training_outputs
    monkeypatch.setattr(module, "training_outputs", lambda net, training: asked.append(net) or original(net, training))
    X, y = classes(80)
    est = SelfDistilledClassifier(quick(), method=BornAgain(generations=3), random_state=0).fit(X, y)
    assert len(asked) == 2
    for net, generation in zip(asked, est.generations_, strict=False):
        np.testing.assert_allclose(
            net.module_(net.module_.output.weight.new_tensor(est.encoder_.transform(X[:3]))).softmax(1).detach(),
            generation.predict_proba(X[:3]),
            atol=1e-5,
        )


def test_without_labels_a_generation_learns_the_last_one_alone(monkeypatch):
    X, y = classes(120)
    target = Outputs(proba=np.tile([0.2, 0.3, 0.5], (120, 1)))
    monkeypatch.setattr(module, "training_outputs", lambda net, training: target)
    est = SelfDistilledClassifier(quick(100, lr=0.02), method=BornAgain(hard_weight=0), random_state=0).fit(X, y)
    np.testing.assert_allclose(est.predict_proba(X), target.proba, atol=0.02)
    half = SelfDistilledClassifier(quick(100, lr=0.02), method=BornAgain(hard_weight=0.5), random_state=0).fit(X, y)
    # where the labels count as much, the mean probability of a class of its rows is about half way between
    mean = np.mean([half.predict_proba(X[y == label])[:, k].mean() for k, label in enumerate(half.classes_)])
    assert 0.5 < mean < 0.75


@pytest.mark.parametrize("loss", [SoftTargetLoss(temperature=4), LogitMSELoss(), DKDLoss()])
def test_losses_of_outputs(loss):
    X, y = classes(60)
    est = SelfDistilledClassifier(quick(), method=BornAgain(loss=loss), random_state=0).fit(X, y)
    default = SelfDistilledClassifier(quick(), method=BornAgain(), random_state=0).fit(X, y)
    assert not np.allclose(est.predict_proba(X), default.predict_proba(X), rtol=1e-4)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"generations": 0}, "generations must be >= 1, got generations=0"),
        ({"generations": 1.5}, "generations must be an integer"),
        ({"hard_weight": 1}, "hard_weight must be < 1"),
        ({"loss": FitNetLoss()}, "loss must compare the outputs"),
        ({"loss": TargetLoss()}, "loss must compare the outputs of one network for classification"),
        ({"loss": "kd"}, "loss must be a Loss"),
        ({"ensemble": "yes"}, "ensemble must be True or False"),
    ],
)
def test_parameters_out_of_range(params, message):
    X, y = classes(30)
    with pytest.raises((ValueError, TypeError), match=message):
        SelfDistilledClassifier(quick(), method=BornAgain(**params)).fit(X, y)
