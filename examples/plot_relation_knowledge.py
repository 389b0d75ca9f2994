"""
Which rows are similar to a forest
==================================

Two rows are similar to a forest if many of its trees put them into the same leaf; the share of such trees is the
*proximity*, a matrix over rows that needs no features. A student can learn such relations: rows that are similar to the
forest shall be near each other in its own hidden layer.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from sklkd import DistilledClassifier
from sklkd.losses import SoftTargetLoss, SPLoss
from sklkd.students import TabularStudent

# %%
# The teacher's matrix
# --------------------
# ``SPLoss``, ``PKTLoss`` and ``CCLoss`` read the leaves of trees by themselves, and compute the matrix for the rows of
# a batch; it is never computed for all rows at once. With nets they compare hidden layers.

X, y = load_wine(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, test_size=0.5, random_state=0, stratify=y)
forest = RandomForestClassifier(200, random_state=0).fit(X, y)

student = TabularStudent("tiny")
params = {"student": student, "hard_weight": 0.0, "blend": 0.0, "random_state": 0}
plain = DistilledClassifier(forest, loss=[("kd", SoftTargetLoss())], **params).fit(X, y)
related = DistilledClassifier(forest, loss=[("kd", SoftTargetLoss()), ("sp", SPLoss(weight=1000.0))], **params)
related.fit(X, y)

# %%
# On test rows
# ------------
# The forest's matrix, and the cosines of the students' hidden layers. Rows are sorted by class.


def cosines(est, rows):
    module = est.student_.module_
    with torch.no_grad():
        encoded = torch.as_tensor(est.encoder_.transform(rows), dtype=torch.float32)
        hidden = module.hidden(module.encoding(encoded)).numpy()
    hidden /= np.linalg.norm(hidden, axis=1, keepdims=True)
    return hidden @ hidden.T


rows = X_test[np.argsort(y_test)]
leaves = forest.apply(rows)
matrices = {
    "forest: proximity": (leaves[:, None] == leaves[None]).mean(2),
    "student: soft targets": cosines(plain, rows),
    "student: and SPLoss": cosines(related, rows),
}
upper = np.triu_indices(len(rows), 1)
for name, est in {"soft targets": plain, "and SPLoss": related}.items():
    correlation = np.corrcoef(matrices[f"student: {name}"][upper], matrices["forest: proximity"][upper])[0, 1]
    loss = log_loss(y_test, est.predict_proba(X_test))
    print(f"{name:13s} correlation with the proximity {correlation:.2f}, log loss {loss:.3f}")

_, axes = plt.subplots(1, 3, figsize=(10, 3.4), layout="constrained")
for ax, (title, matrix) in zip(axes, matrices.items(), strict=True):
    image = ax.imshow(matrix, cmap="magma", vmin=0, vmax=1)
    ax.set(title=title, xticks=[], yticks=[])
plt.colorbar(image, ax=axes, label="similarity (negative cosines as 0)")
plt.show()
