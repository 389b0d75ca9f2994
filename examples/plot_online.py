"""
Networks that learn from each other
===================================

Small networks start at the same time; each learns from the labels and from the others' current outputs. No pretrained
teacher is needed. The data are 1,000 handwritten digits of MNIST, images of 28x28 pixels, as rows of 784 columns;
a network has at most 5,000 parameters.

**What to see:** a network that learns with others has a lower loss than the same network trained on labels only, on
every split of the rows.

MNIST is shown because networks that learn from few images differ, and so have something to learn from each other. On
the four tables of :doc:`/guide/online` they hardly do: there mutual learning changed the loss by -1 to +5 %.
"""

import matplotlib.pyplot as plt
import numpy as np
from _data import mnist
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from sklkd import OnlineDistilledClassifier
from sklkd.methods import MutualLearning

pixels, labels, n_train = mnist()
rows = {"train_size": n_train, "test_size": min(4000, len(labels) - n_train), "stratify": labels}

# %%
# Alone and together
# ------------------
# ``peers`` names the networks, ``deploy`` says which of them predicts afterwards, and methods are objects. With weight
# 0 each network learns from labels only, with the same first weights and batches.

methods = {"labels only": MutualLearning(weight=0), "learning from each other": MutualLearning()}
counts, seeds = (2, 4), range(3)
losses = {name: np.empty((len(counts), len(seeds))) for name in methods}
for seed in seeds:
    X_train, X_test, y_train, y_test = train_test_split(pixels, labels, **rows, random_state=seed)
    for row, count in enumerate(counts):
        peers = [(f"net{j}", "tiny") for j in range(count)]
        for name, method in methods.items():
            est = OnlineDistilledClassifier(peers, method=method, deploy="net0", random_state=seed)
            est.fit(X_train, y_train)
            each = [log_loss(y_test, est.with_peer(peer).predict_proba(X_test)) for peer in est.peers_]
            losses[name][row, seed] = np.mean(each)

alone, together = losses.values()
for count, before, after in zip(counts, alone, together, strict=True):
    change = after / before - 1
    print(
        f"{count} networks: test log loss {before.mean():.3f} alone, {after.mean():.3f} together; "
        f"change {change.mean():+.1%}, on single splits {change.min():+.1%} to {change.max():+.1%}"
    )

# %%
# Points are means over the networks, one for each split of the rows; a line joins those of one split.

plt.rcParams["font.size"] = 13
_, axes = plt.subplots(1, len(counts), figsize=(7, 4.2), sharey=True, layout="constrained")
for ax, count, before, after in zip(axes, counts, alone, together, strict=True):
    ax.plot([0, 1], [before, after], color="0.6", zorder=1)
    ax.plot(np.zeros(len(seeds)), before, "s", color="#D55E00", markersize=9)
    ax.plot(np.ones(len(seeds)), after, "o", color="#0072B2", markersize=9)
    ax.set(xticks=[0, 1], xticklabels=["labels only", "with others"], xlim=(-0.5, 1.5), title=f"{count} networks")
axes[0].set_ylabel("test log loss of one network\n(lower is better)")
plt.show()

# %%
# Shipping it
# -----------
# The last estimator has four networks that learnt together, and also predicts with all of them, as ``"ensemble"``.
# ``without_peers()`` is the estimator to pickle: it contains only the deployed network.

for name in ("net0", "ensemble"):
    print(f"{name}: log loss {log_loss(y_test, est.with_peer(name).predict_proba(X_test)):.3f}")
light = est.without_peers()
assert np.array_equal(light.predict_proba(X_test), est.predict_proba(X_test))
