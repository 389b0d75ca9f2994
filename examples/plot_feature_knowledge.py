"""
What a forest knows besides its predictions
===========================================

A student can learn more from a teacher than its outputs: from a net, what its hidden layers compute; from trees, in
which leaves a row falls, the predictions of every member, or how the margin grew. This example takes these from a
random forest, and measures what the student has learnt of them on test rows.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.metrics import log_loss, r2_score
from sklearn.model_selection import train_test_split

from sklkd import DistilledClassifier
from sklkd.losses import LeafEmbeddingLoss, SoftTargetLoss
from sklkd.students import TabularStudent
from sklkd.teachers import adapt, layers

# %%
# Layers of a forest
# ------------------
# ``"leaves"`` are the indices of the leaves, ``"leaf_embedding"`` is a dense embedding of them whose inner products
# approximate the share of trees in which two rows are in the same leaf, ``"members"`` are the predictions of every
# tree.

X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, train_size=700, random_state=0, stratify=y)
forest = RandomForestClassifier(200, random_state=0).fit(X, y)
for name, shape in layers(forest).items():
    print(f"{name:15s} {shape}")

# %%
# With and without
# ----------------
# Both students learn from the forest's probabilities only; one of them also from the embedding of its leaves, which the
# last hidden layer has to predict through a linear projector. The projector is trained with the student, is kept in
# ``loss_`` and is not shipped.

student = TabularStudent("tiny", module__hidden=(64, 64))
params = {"student": student, "hard_weight": 0.0, "blend": 0.0, "random_state": 0}
plain = DistilledClassifier(forest, loss=[("kd", SoftTargetLoss())], **params).fit(X, y)
hinted = DistilledClassifier(forest, loss=[("kd", SoftTargetLoss()), ("leaves", LeafEmbeddingLoss())], **params)
hinted.fit(X, y)
students = {"soft targets": plain, "soft targets and leaves": hinted}

for name, est in students.items():
    loss = log_loss(y_test, est.predict_proba(X_test))
    print(f"{name:23s} accuracy {est.score(X_test, y_test):.3f}, log loss {loss:.3f}")

# %%
# What the hidden layer holds
# ---------------------------
# How much of each column of the embedding a linear map can read off the students' hidden layers, on test rows. Columns
# are ordered by how much of the proximities they carry.


def hidden(est, rows):
    module = est.student_.module_
    with torch.no_grad():
        encoded = torch.as_tensor(est.encoder_.transform(rows), dtype=torch.float32)
        return module.hidden(module.encoding(encoded)).numpy()


teacher = adapt(forest, forest.classes_)
embedded, embedded_test = teacher.features(X), teacher.features(X_test)
_, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
for name, est in students.items():
    read = LinearRegression().fit(hidden(est, X), embedded).predict(hidden(est, X_test))
    share = r2_score(embedded_test, read, multioutput="raw_values")
    print(f"{name:23s} R2 {np.average(share, weights=embedded_test.var(0)):.2f} of the embedding")
    ax.plot(np.arange(1, 1 + len(share)), share, "o-", label=name)
ax.set(xlabel="column of the leaf embedding", ylabel="R2 on test rows", ylim=(0, 1))
ax.legend(title="student learns from")
plt.show()
