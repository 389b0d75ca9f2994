"""
What a student keeps of a forest's geometry
===========================================

Two rows are similar to a forest if many of its trees put them into the same leaf; the share of such trees is their
*proximity*. So a forest can say which training rows are most like a new one. A student that learns from probabilities
only need not keep this; a second loss can ask for it. The data are the handwritten digits that scikit-learn bundles,
of which 500 train.

**What to see:** with a loss on the forest's leaves, the student's hidden layer keeps more of the forest's geometry, on
every split of the rows. Its predictions do not become better by this.

It does so on handwritten digits drawn with a pen and on segments of images, too, but not on printed letters, where the
student of the probabilities alone kept more neighbours (6.3 of 10, and 6.0 with the loss on leaves).
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import normalize

from sklkd import DistilledClassifier
from sklkd.losses import LeafEmbeddingLoss, SoftTargetLoss, SPLoss
from sklkd.students import TabularStudent
from sklkd.teachers import layers

# %%
# What a student can learn from
# -----------------------------
# ``"leaves"`` are the indices of the leaves, ``"leaf_embedding"`` is a dense embedding of them whose inner products
# approximate the proximity, ``"members"`` are the predictions of every tree.

X, y = load_digits(return_X_y=True)
for name, shape in layers(RandomForestClassifier(100, random_state=0).fit(X, y)).items():
    print(f"{name:15s} {shape}")

# %%
# ``LeafEmbeddingLoss`` is a loss on features: the last hidden layer has to predict the embedding, through a linear
# projector that is trained with the student, is kept in ``loss_`` and is not shipped. ``SPLoss`` is a loss on
# relations: the matrices of similarities within a batch shall agree; it reads the leaves by itself, and has the weight
# of its paper.

losses = {
    "soft targets": [],
    "and LeafEmbeddingLoss": [("leaves", LeafEmbeddingLoss())],
    "and SPLoss": [("relations", SPLoss(weight=3000))],
}

# %%
# On test rows
# ------------
# Three measures. *Neighbours*: of the ten training rows that are most similar to a test row in the student's hidden
# layer (by the cosine), how many are among the forest's ten? *Similarities*: the correlation of these cosines with the
# proximities. And the log loss of the predictions.


def hidden(est, rows):
    """The last hidden layer, each row of length one."""
    module = est.student_.module_
    with torch.no_grad():
        encoded = torch.as_tensor(est.encoder_.transform(rows), dtype=torch.float32)
        return normalize(module.hidden(module.encoding(encoded)).numpy())


def most_similar(similarities):
    """Marks the ten training rows that are most similar to each test row."""
    marked = np.zeros(similarities.shape, dtype=bool)
    np.put_along_axis(marked, np.argsort(-similarities, axis=1, kind="stable")[:, :10], True, axis=1)
    return marked


student = TabularStudent("tiny", module__hidden=(64, 64))
seeds = range(3)
found = np.empty((3, len(losses), len(seeds)))
for seed in seeds:
    X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=500, random_state=seed, stratify=y)
    forest = RandomForestClassifier(100, random_state=seed).fit(X_train, y_train)
    proximity = (forest.apply(X_test)[:, None] == forest.apply(X_train)[None]).mean(2)
    for row, extra in enumerate(losses.values()):
        loss = [("kd", SoftTargetLoss()), *extra]
        est = DistilledClassifier(forest, student, loss=loss, hard_weight=0, blend=0, random_state=seed).fit(
            X_train, y_train
        )
        cosines = hidden(est, X_test) @ hidden(est, X_train).T
        found[:, row, seed] = (
            10 * most_similar(proximity)[most_similar(cosines)].mean(),
            np.corrcoef(cosines.ravel(), proximity.ravel())[0, 1],
            log_loss(y_test, est.predict_proba(X_test)),
        )

for name, values in zip(losses, found.mean(2).T, strict=True):
    print("{:22s} neighbours {:.1f} of 10, similarities {:.2f}, log loss {:.3f}".format(name, *values))

# %%
# Points are single splits, joined by lines. ``LeafEmbeddingLoss`` keeps neighbours best, ``SPLoss`` the similarities as
# a whole, of which most are small.

plt.rcParams["font.size"] = 13
_, axes = plt.subplots(1, 3, figsize=(10, 4.2), layout="constrained")
titles = ("neighbours kept, of 10\n(higher is better)", "correlation of similarities\n(higher is better)")
for ax, values, title in zip(axes, found, (*titles, "test log loss\n(lower is better)"), strict=True):
    ax.plot(range(3), values, color="0.7", zorder=1)
    for position, (color, marker) in enumerate((("#D55E00", "s"), ("#0072B2", "o"), ("#009E73", "^"))):
        ax.plot(np.full(len(seeds), position), values[position], marker, color=color, markersize=9)
    ax.set(
        title=title, xticks=range(3), xticklabels=["soft\ntargets", "and\nleaves", "and\nrelations"], xlim=(-0.4, 2.4)
    )
axes[2].set_ylim(0, 1.25 * found[2].max())
plt.show()
