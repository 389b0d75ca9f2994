"""The last batch: which rows come twice, and the consistency by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from sklkd import SelfDistilledClassifier, SelfDistilledRegressor
from sklkd.methods import LastBatch
from sklkd.transfer import TransferSet
from tests.estimators.problems import classes, quick, targets

from . import own


def run(objective, y, answers, weight=None):
    """Values of the objective on batches whose first rows are the last one's new ones."""
    values = []
    objective.double().train()
    for new, answer in zip(y, answers, strict=True):
        old = objective.last[0] if objective.last is not None else None
        labels = new if old is None else torch.cat([old.y, new])
        objective.rows = TransferSet(
            torch.zeros(len(labels), 1), labels, None if weight is None else weight[len(labels)]
        )
        values.append(objective(answer, labels))
    return values


def test_classes_by_hand():
    rng = np.random.default_rng(0)
    y = [torch.from_numpy(rng.integers(3, size=n)) for n in (4, 4, 2)]
    answers = [rng.normal(size=(n, 3)) for n in (4, 8, 6)]
    leaves = [torch.from_numpy(answer).requires_grad_() for answer in answers]
    made = LastBatch(temperature=2.0, alpha=0.5).objective(own.training(y[0], 3))
    values = run(made, y, leaves)
    labels = [y[0], torch.cat(y[:2]), torch.cat(y[1:])]
    target = [None, answers[0], answers[1][4:]]
    for value, codes, answer, last in zip(values, labels, answers, target, strict=True):
        expected = own.cross_entropy(answer, codes.numpy()).mean()
        if last is not None:
            expected += 0.5 * own.divergence(last, answer[:4], 2.0).mean()
        np.testing.assert_allclose(value.item(), expected, rtol=1e-12)
    # nothing flows back into what was said before
    grads = torch.autograd.grad(values[1], leaves[:2], allow_unused=True)
    assert grads[0] is None and grads[1].abs().sum() > 0


def test_regression_with_weights_by_hand():
    rng = np.random.default_rng(0)
    y = [torch.from_numpy(rng.normal(size=(3, 1))) for _ in range(2)]
    answers = [rng.normal(size=(n, 1)) for n in (3, 6)]
    weight = {n: torch.from_numpy(rng.uniform(size=n)) for n in (3, 6)}
    made = LastBatch(alpha=2.0).objective(own.training(y[0], 1))
    values = run(made, y, [torch.from_numpy(answer) for answer in answers], weight)
    hard = np.average(((answers[1] - torch.cat(y).numpy()) ** 2)[:, 0], weights=weight[6])
    kept = np.average(((answers[1][:3] - answers[0]) ** 2)[:, 0], weights=weight[6][:3])
    np.testing.assert_allclose(values[1], hard + 2 * kept, rtol=1e-12)


class Batches(Callback):
    """Keeps the rows of each batch."""

    seen: list = []

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        if training:
            self.seen.append(batch[0].clone())


def test_half_of_each_batch_is_the_last_ones_other_half():
    Batches.seen.clear()
    X, y = targets(50)
    est = SelfDistilledRegressor(
        quick(3, batch_size=20, callbacks=[Batches()]), method=LastBatch(), random_state=0
    ).fit(X, y)
    assert [len(rows) for rows in Batches.seen] == [20, 40, 30, 30, 40, 30, 30, 40, 30]
    new = Batches.seen[0]
    for rows in Batches.seen[1:]:
        assert torch.equal(rows[: len(new)], new)
        new = rows[len(new) :]
    # as many steps as without the method, and every row is new once an epoch
    assert est.n_iter_ == 3
    epoch = torch.cat([Batches.seen[0], Batches.seen[1][20:], Batches.seen[2][20:]])
    assert len(torch.unique(epoch, dim=0)) == 50


def test_the_last_rows_are_not_kept_in_the_fitted_estimator():
    X, y = classes(60)
    est = SelfDistilledClassifier(quick(), method=LastBatch(), random_state=0).fit(X, y)
    assert not hasattr(est.student_.criterion_, "last")


def test_alpha_out_of_range():
    X, y = classes(30)
    with pytest.raises(ValueError, match="alpha must be >= 0, got alpha=-1"):
        SelfDistilledClassifier(quick(), method=LastBatch(alpha=-1)).fit(X, y)
