"""Moving targets against the reference values, by hand, and through a training."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy.special import softmax
from skorch.callbacks import Callback

from sklkd import SelfDistilledClassifier, SelfDistilledRegressor
from sklkd.methods import EpochToEpoch
from tests.estimators.problems import classes, quick, targets
from tests.losses import oracle

from . import own

EPOCHS = {2: "alpha_T=0.8, epoch 2 of 10 (from 0)", 9: "alpha_T=0.8, epoch 9 of 10 (from 0)"}


def objective(y, past, **expected):
    made = EpochToEpoch().objective(own.training(y, 4))
    made = own.batch(made, y, (torch.arange(len(y)),), **expected)
    made.past = past.clone()
    return made


@pytest.mark.parametrize("epoch", EPOCHS)
def test_reference_values(epoch):
    y, past = oracle.tensor("y"), oracle.tensor("zt").softmax(1)
    made = objective(y, past, epoch=epoch)
    entry = oracle.entry("PS-KD, target", EPOCHS[epoch])
    np.testing.assert_allclose(made.moved(y, torch.arange(6)), entry["value"], rtol=entry["rtol"])
    entry, logits = oracle.entry("PS-KD, loss", EPOCHS[epoch]), oracle.tensor("zs").requires_grad_()
    value = made(logits, y)
    np.testing.assert_allclose(value.item(), entry["value"], rtol=entry["rtol"])
    value.backward()
    np.testing.assert_allclose(logits.grad.norm(), entry["grad_norm"]["value"], rtol=entry["rtol"])


def test_answers_are_kept_where_the_rows_stand_and_are_the_next_targets():
    y, logits = oracle.tensor("y"), oracle.tensor("zs")
    made = EpochToEpoch().objective(own.training(y, 4))
    index = torch.tensor([4, 1, 3])
    own.batch(made, y[index], (index,))(logits[index], y[index])
    expected = np.eye(4)[y]
    expected[index] = softmax(logits[index].numpy(), axis=1)
    np.testing.assert_allclose(made.past, expected, rtol=1e-12)


def test_the_first_epoch_has_the_labels_as_its_past():
    y, logits = oracle.tensor("y"), oracle.tensor("zs")
    made = own.batch(EpochToEpoch().objective(own.training(y, 4)), y, (torch.arange(6),), n_epochs=1)
    assert made.past_weight == 0.8
    np.testing.assert_allclose(made(logits, y), own.cross_entropy(logits.numpy(), y.numpy()).mean(), rtol=1e-12)


def test_regression_with_weights_by_hand():
    rng = np.random.default_rng(0)
    y, past, answers, weight = rng.normal(size=(5, 2)), rng.normal(size=(5, 2)), rng.normal(size=(5, 2)), np.arange(5.0)
    y, weight = torch.from_numpy(y), torch.from_numpy(weight)
    made = EpochToEpoch(alpha=0.5).objective(own.training(y, 2))
    own.batch(made, y, (torch.arange(5),), weight, epoch=3, n_epochs=8)
    made.past = torch.from_numpy(past)
    share = 0.5 * 4 / 8
    rows = ((answers - (1 - share) * y.numpy() - share * past) ** 2).mean(1)
    np.testing.assert_allclose(made(torch.from_numpy(answers), y), np.average(rows, weights=weight), rtol=1e-12)


class Watch(Callback):
    """Keeps what the objective takes for the past at the beginning of each epoch, and the module's answers there."""

    pasts: list = []

    def on_epoch_begin(self, net, **kwargs):
        self.pasts.append((net.criterion_.past.clone(), net.criterion_.past_weight))


def test_in_a_training_the_past_is_one_epoch_old_and_the_share_rises():
    Watch.pasts.clear()
    X, y = classes(60)
    est = SelfDistilledClassifier(
        quick(5, batch_size=10**6, callbacks=[Watch()]), method=EpochToEpoch(), random_state=0
    ).fit(X, y)
    pasts, shares = zip(*Watch.pasts, strict=True)
    np.testing.assert_allclose(shares, 0.8 * np.arange(1, 6) / 5)
    assert set(np.unique(pasts[0])) == {0, 1}
    # one batch an epoch: the past is what the module said before the last step
    assert all(not torch.equal(a, b) for a, b in itertools.pairwise(pasts))
    np.testing.assert_allclose(pasts[-1].sum(1), 1, rtol=1e-6)
    assert est.n_iter_ == 5


def test_rows_that_the_net_sets_aside_are_not_written():
    from skorch.dataset import ValidSplit

    X, y = classes(60)
    est = SelfDistilledClassifier(quick(4, train_split=ValidSplit(3)), method=EpochToEpoch(), random_state=0).fit(X, y)
    assert {"valid_loss", "train_loss"} <= set(est.history_[-1])


@pytest.mark.parametrize(
    ("estimator", "problem"), [(SelfDistilledClassifier, classes), (SelfDistilledRegressor, targets)]
)
def test_alpha_0_trains_on_labels_and_alpha_changes_the_network(estimator, problem):
    X, y = problem(80)
    fits = [estimator(quick(8), method=EpochToEpoch(alpha=alpha), random_state=0).fit(X, y) for alpha in (0.0, 0.8)]
    assert not np.allclose(fits[0]._outputs(X), fits[1]._outputs(X), atol=1e-4)


@pytest.mark.parametrize("alpha", [-0.1, 1.1])
def test_alpha_out_of_range(alpha):
    X, y = classes(30)
    with pytest.raises(ValueError, match=f"alpha must be .*, got alpha={alpha}"):
        SelfDistilledClassifier(quick(), method=EpochToEpoch(alpha=alpha)).fit(X, y)
