"""Ways to train the student: how closely each brings the same network to the same teacher, by imitation.

    OMP_NUM_THREADS=1 python benchmarks/quality/training.py [--rows 12000] [--seeds 1] [--out training.json] [name ...]

One line a data set, as of forms.py: the loss on rows held out over that of the teacher of quality.py, minus one.

default             300,000 visits to real rows and one pool of 40,000 synthetic ones; the rate falls to 0 as a cosine
fresh rows          new synthetic rows each epoch, asked of the teacher
linear              the rate falls to 0 in a straight line
constant            it stays at its peak after the warm-up
EMA                 the exponential average of the weights, over about 50 steps, is what is kept
averaged            a constant rate, and the mean of the weights over the last quarter of the steps (SWA)
closest             of up to 20 epochs, the one with the least loss on 4,000 further synthetic rows; four that are no
                    better end the training
constant, closest   the same at a constant rate
half, twice         150,000 and 600,000 visits
"""

import copy
import math
from functools import partial

import torch
from common import against_teacher, print_summary, sweep
from skorch.callbacks import Callback

from sklkd import DistilledClassifier, DistilledRegressor
from sklkd.augment import MUNGE
from sklkd.estimators._distil import COPIES, SYNTHETIC_ROWS
from sklkd.losses import SoftTargetLoss, TargetLoss
from sklkd.students import InputEncoder, TabularStudent, WarmupCosine
from sklkd.teachers import Outputs
from sklkd.transfer import map_tensors

NAMES = ["phoneme", "vehicle", "segment", "kin8nm", "concrete", "electricity", "wine_quality", "adult"]
HELD, PATIENCE = 4_000, 4


class FreshRows(Callback):
    """Put new rows in the place of the synthetic ones after each epoch; ``draw(n, seed)`` makes and teaches them."""

    def __init__(self, draw):
        self.draw = draw

    def on_epoch_end(self, net, dataset_train=None, **kwargs):
        rows, (inputs, target) = dataset_train, self.draw(int((~dataset_train.labelled()).sum()), len(net.history))
        rows.inputs[-len(inputs) :] = inputs
        for old, new in zip(flat(rows.targets[0]), flat(target), strict=True):
            old[-len(inputs) :] = new


class Linear(WarmupCosine):
    """A rate that falls to 0 in a straight line."""

    def fall(self, done):
        return 1 - done


class Constant(WarmupCosine):
    """A rate that stays at its peak."""

    def fall(self, done):
        return 1.0


class Average(Callback):
    """End with an average of the weights: exponential, or the mean from a part of the training on."""

    def __init__(self, decay=None, start=0.0):
        self.decay, self.start = decay, start

    def on_train_begin(self, net, X=None, **kwargs):
        self.average_, self.n_, self.step_ = None, 0, 0
        self.n_steps_ = net.n_epochs_ * len(net.get_iterator(X, training=True))

    def on_batch_end(self, net, training=False, **kwargs):
        self.step_ += 1
        if not training or self.step_ <= self.start * self.n_steps_:
            return
        self.n_ += 1
        now = [part.detach() for part in net.module_.parameters()]
        if self.average_ is None:
            self.average_ = [part.clone() for part in now]
        share = 1 / self.n_ if self.decay is None else max(1 - self.decay, 1 / self.n_)
        for mean, part in zip(self.average_, now, strict=True):
            mean.lerp_(part, share)

    def on_train_end(self, net, **kwargs):
        with torch.no_grad():
            for mean, part in zip(self.average_, net.module_.parameters(), strict=True):
                part.copy_(mean)


class KeepClosest(Callback):
    """Go back to the epoch that was closest to the teacher on rows of ``draw``; end when there is no closer one."""

    def __init__(self, draw):
        self.draw = draw

    def on_train_begin(self, net, **kwargs):
        self.inputs_, self.target_ = self.draw(HELD, 0)
        self.least_, self.since_, self.state_ = math.inf, 0, None

    def on_epoch_end(self, net, **kwargs):
        net.module_.eval()
        with torch.no_grad():
            loss = net.criterion_.losses[0].compare(net.module_(self.inputs_), self.target_).item()
        self.since_ += 1
        if loss < self.least_:
            self.least_, self.since_, self.state_ = loss, 0, copy.deepcopy(net.module_.state_dict())
        if self.since_ >= PATIENCE:
            raise KeyboardInterrupt

    def on_train_end(self, net, **kwargs):
        net.module_.load_state_dict(self.state_)


def flat(target):
    parts = []
    map_tensors(parts.append, target)
    return parts


def ways(teacher, X, y, labels):
    """Unfitted students, by name."""
    make = partial(DistilledClassifier if labels else DistilledRegressor, teacher, hard_weight=0.0, blend=0.0)
    encoder, sampler, loss = InputEncoder().fit(X), MUNGE().fit(X), SoftTargetLoss() if labels else TargetLoss()

    def draw(n, seed):
        rows = sampler.sample(n, random_state=seed)
        if labels:
            outputs = Outputs(proba=teacher.predict_proba(rows))
        else:
            outputs = Outputs(values=((teacher.predict(rows) - y.mean()) / y.std())[:, None])
        return torch.from_numpy(encoder.transform(rows)), loss.target(outputs)

    n_synthetic = min(COPIES * len(X), max(SYNTHETIC_ROWS, len(X)))
    epochs = TabularStudent().epochs(len(X), len(X) + n_synthetic)

    def student(*callbacks, **params):
        return TabularStudent(callbacks=list(callbacks), **params)

    return {
        "default": make(),
        "fresh rows": make(student(FreshRows(draw))),
        "linear": make(student(callbacks__schedule=Linear())),
        "constant": make(student(callbacks__schedule=Constant())),
        "EMA": make(student(Average(decay=0.98))),
        "averaged": make(student(Average(start=0.75), callbacks__schedule=Constant())),
        "closest": make(student(KeepClosest(draw), max_epochs=20)),
        "constant, closest": make(student(KeepClosest(draw), max_epochs=20, callbacks__schedule=Constant())),
        "half": make(student(max_epochs=max(1, round(epochs / 2)))),
        "twice": make(student(max_epochs=2 * epochs)),
    }


if __name__ == "__main__":
    print_summary(sweep(partial(against_teacher, ways), __doc__, NAMES, rows=12_000))
