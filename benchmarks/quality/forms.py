"""Forms of the student: how closely each follows the same teacher, by imitation.

    OMP_NUM_THREADS=1 python benchmarks/quality/forms.py [--rows 12000] [--seeds 1] [--out forms.json] [name ...]

One line a data set: the student's loss (log loss, or RMSE) on the 40 % of the rows that are held out, over that of the
teacher of quality.py, minus one; then medians, mean ranks, parameters and the processor's time over the default's.
Labels have no weight (``hard_weight=0, blend=0``), so that only imitation counts. Periodic embeddings need
rtdl_num_embeddings.

default          bins at the teacher's thresholds
quantiles        bins at the columns' quantiles: the teacher does not show its trees
no bins          columns as they are, clipped smoothly, as the first of the default's inputs
periodic s       no bins, periodic embeddings of 24 numbers a column, of which s is the frequencies' scale
periodic, AdamW  the same with s = 1, by AdamW at 3e-3
ReLU, GELU, Mish  other activations than SiLU
two, four layers  of 160 and 108 units instead of three of 128
TabM-mini        the default eight times, in one network: members share all weights but factors of the inputs and the
                 last layer; each learns by its own loss, and the mean of their answers counts (Gorishniy et al. 2025)
"""

from functools import partial

import torch
from common import against_teacher, print_summary, sweep
from rtdl_num_embeddings import PeriodicEmbeddings
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from torch import nn
from torch.optim import AdamW

from sklkd import DistilledClassifier, DistilledRegressor
from sklkd.losses import SoftTargetLoss, TargetLoss
from sklkd.students import TabularNet, TabularStudent

NAMES = ["phoneme", "vehicle", "segment", "kin8nm", "concrete", "electricity", "wine_quality", "adult"]


class NoBins(TabularNet):
    def __init__(self, n_features, n_outputs, *, hidden=(128, 128, 128), edges=None, cardinalities=None, missing=None):
        super().__init__(n_features, n_outputs, hidden=hidden, cardinalities=cardinalities, missing=missing)


class Periodic(NoBins):
    scale = 1.0

    def __init__(self, n_features, n_outputs, *, hidden=(128, 128, 128), edges=None, cardinalities=None, missing=None):
        super().__init__(n_features, n_outputs, hidden=hidden, cardinalities=cardinalities, missing=missing)
        n_numbers, width = len(self.encoding.numeric), 24
        self.periodic = PeriodicEmbeddings(n_numbers, width, frequency_init_scale=self.scale, lite=True)
        first = self.hidden[0][0]
        self.hidden[0][0] = nn.Linear(first.in_features + n_numbers * width, first.out_features)

    def forward(self, X):
        numbers = X.index_select(1, self.encoding.numeric).nan_to_num(0.0)
        return self.output(self.hidden(torch.cat([self.encoding(X), self.periodic(numbers).flatten(1)], 1)))


class PeriodicLow(Periodic):
    scale = 0.1


class ReLU(TabularNet):
    activation = nn.ReLU

    def __init__(self, n_features, n_outputs, *, hidden=(128, 128, 128), edges=None, cardinalities=None, missing=None):
        names = {"edges": edges, "cardinalities": cardinalities, "missing": missing}
        super().__init__(n_features, n_outputs, hidden=hidden, **names)
        for layer in self.hidden:
            layer[1] = self.activation()


class GELU(ReLU):
    activation = nn.GELU


class Mish(ReLU):
    activation = nn.Mish


class TabMMini(TabularNet):
    n_members = 8

    def __init__(self, n_features, n_outputs, *, hidden=(128, 128, 128), edges=None, cardinalities=None, missing=None):
        names = {"edges": edges, "cardinalities": cardinalities, "missing": missing}
        super().__init__(n_features, n_outputs * self.n_members, hidden=hidden, **names)
        self.factors = nn.Parameter(torch.randint(2, (self.n_members, self.encoding.n_outputs)) * 2.0 - 1.0)

    def forward(self, X):
        hidden = self.hidden(self.encoding(X).unsqueeze(1) * self.factors)
        weight = self.output.weight.unflatten(0, (self.n_members, -1))
        out = torch.einsum("nki,koi->nko", hidden, weight) + self.output.bias.unflatten(0, (self.n_members, -1))
        if self.training:
            return out
        return out.softmax(2).mean(1).log() if out.shape[2] > 1 else out.mean(1)


def of_members(kind):
    """The mean of a loss over the members of a TabMMini."""

    class OfMembers(kind):
        def compare(self, student, target, y=None, sample_weight=None):
            return torch.stack([super(OfMembers, self).compare(one, target) for one in student.unbind(1)]).mean()

    return OfMembers()


class Closed(BaseEstimator):
    """A fitted teacher that answers, and shows nothing of its trees."""

    def __init__(self, teacher):
        self.teacher = teacher

    def fit(self, X=None, y=None):
        self.is_fitted_ = True
        return self

    def predict(self, X):
        return self.teacher.predict(X)


class ClosedClassifier(ClassifierMixin, Closed):
    @property
    def classes_(self):
        return self.teacher.classes_

    def predict_proba(self, X):
        return self.teacher.predict_proba(X)


class ClosedRegressor(RegressorMixin, Closed):
    pass


def forms(teacher, X, y, labels):
    """Unfitted students, by name."""
    make = partial(DistilledClassifier if labels else DistilledRegressor, hard_weight=0.0, blend=0.0)
    closed = (ClosedClassifier if labels else ClosedRegressor)(teacher).fit()
    per_member = of_members(SoftTargetLoss if labels else TargetLoss)
    return {
        "default": make(teacher),
        "quantiles": make(closed),
        "no bins": make(teacher, NoBins),
        "periodic .1": make(teacher, PeriodicLow),
        "periodic 1": make(teacher, Periodic),
        "periodic, AdamW": make(teacher, TabularStudent(module=Periodic, optimizer=AdamW, lr=3e-3)),
        "ReLU": make(teacher, ReLU),
        "GELU": make(teacher, GELU),
        "Mish": make(teacher, Mish),
        "two layers": make(teacher, TabularStudent(module__hidden=(160, 160))),
        "four layers": make(teacher, TabularStudent(module__hidden=(108, 108, 108, 108))),
        "TabM-mini": make(teacher, TabMMini, loss=per_member),
    }


if __name__ == "__main__":
    print_summary(sweep(partial(against_teacher, forms), __doc__, NAMES, rows=12_000))
