"""
A network that is its own teacher
=================================

There is no other model here: a network learns from one like it that was trained just before, or its shallow layers
learn from its output. The data are 1,000 handwritten digits of MNIST, images of 28x28 pixels, as rows of 784 columns.

**What to see:** later generations have a lower loss than the first, which learnt from labels only, and all of them
together the lowest; one training gives networks of three depths, which cost as many trainings otherwise.

MNIST is shown because single trainings on few images differ much. On the four tables of :doc:`/guide/self_distillation`
``BornAgain`` changed the loss by +1 to +6 %, and by 0 to +2 % with all generations together: it does not help there.
"""

import matplotlib.pyplot as plt
import numpy as np
from _data import mnist
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from sklkd import SelfDistilledClassifier
from sklkd.methods import BornAgain, DeepToShallow, EpochToEpoch
from sklkd.students import TabularStudent

pixels, labels, n_train = mnist()
rows = {"train_size": n_train, "test_size": min(4000, len(labels) - n_train), "stratify": labels}
splits = [train_test_split(pixels, labels, **rows, random_state=seed) for seed in range(4)]


def losses(student, method, networks):
    """Test losses of the networks of an estimator, one row for each split."""
    found = []
    for seed, (X_train, X_test, y_train, y_test) in enumerate(splits):
        est = SelfDistilledClassifier(student, method=method, random_state=seed).fit(X_train, y_train)
        found.append([log_loss(y_test, one.predict_proba(X_test)) for one in networks(est)])
    return np.array(found)


def draw(ax, across, values, style, color, label):
    """Means over the splits, and bars from the best to the worst."""
    middle = values.mean(0)
    reach = [middle - values.min(0), values.max(0) - middle]
    ax.errorbar(across, middle, reach, fmt=style, color=color, capsize=4, markersize=9, label=label)
    print(f"{label:32s}", ", ".join(f"{mean:.3f}" for mean in middle))


def axes():
    _, ax = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
    ax.set_ylabel("test log loss (lower is better)")
    return ax


plt.rcParams["font.size"] = 13

# %%
# Generations
# -----------
# ``BornAgain`` trains a network on labels, a second one of the same size on labels and on the outputs of the first, and
# so on; ``generations_`` has them all. The last one predicts, or with ``ensemble=True`` the mean of all. A network has
# at most 5,000 parameters. A line joins the losses on one of four splits of the rows.

found = losses("tiny", BornAgain(generations=3, ensemble=True), lambda est: [*est.generations_, est])
ax = axes()
ax.plot(range(4), found.T, color="0.7", zorder=1)
names = ("first,\nlabels only", "second", "third", "all three\ntogether")
markers, colors = "sooD", ("#D55E00", "#0072B2", "#0072B2", "#009E73")
for place, (values, marker, color) in enumerate(zip(found.T, markers, colors, strict=True)):
    ax.plot(np.full(len(values), place), values, marker, color=color, markersize=9)
ax.set(xticks=range(4), xticklabels=names, xlabel="generation", xlim=(-0.4, 3.4))
plt.show()
for name, values in zip(
    ("second generation", "third generation", "all three"), found.T[1:] / found[:, 0] - 1, strict=True
):
    print(f"{name:18s} {values.mean():+.1%}, on single splits {values.min():+.1%} to {values.max():+.1%}")

# %%
# Exits
# -----
# ``DeepToShallow`` puts a linear layer after each hidden layer, and trains it on the network's output. One training
# gives several networks: ``predict_proba(X, exit=...)`` predicts from each, and ``cut`` makes an estimator of it,
# without the layers behind. The other line is three trainings on labels only, which are no worse: exits are for
# choosing a size after training, and save trainings, not errors. Points are means over the splits, bars reach from the
# best to the worst.

widths = (32, 32, 64)
exits = losses(
    TabularStudent(module__hidden=widths), DeepToShallow(), lambda est: [est.cut(name) for name in est.exits_]
)
alone = [
    losses(TabularStudent(module__hidden=widths[:depth]), EpochToEpoch(alpha=0), lambda est: [est])
    for depth in (1, 2, 3)
]

ax = axes()
draw(ax, [0.96, 1.96, 2.96], np.hstack(alone), "s--", "#D55E00", "three trainings on labels only")
draw(ax, [1.04, 2.04, 3.04], exits, "o-", "#0072B2", "exits of one network")
ax.set(xticks=[1, 2, 3], xlabel="hidden layers of the network")
ax.legend(frameon=False)
plt.show()
