"""
Train a teacher together with its student
=========================================

A large network and a small one start at the same time. Both learn from the labels and from the other's current
outputs; no pretrained teacher is needed. Afterwards the small one is deployed. The data are the handwritten
digits that scikit-learn bundles, of which 300 rows train.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from sklkd import OnlineDistilledClassifier, distillation_report
from sklkd.methods import CollaborativeEnsemble, GatedEnsemble, MutualLearning

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=300, stratify=y, random_state=0)

# %%
# Teacher and student
# -------------------
# ``peers`` names the networks, ``deploy`` says which of them predicts afterwards. The teacher has up to 100,000
# parameters, the student up to 5,000.

peers = [("teacher", "small"), ("student", "tiny")]
together = OnlineDistilledClassifier(peers, deploy="student", random_state=0)
together.fit(X_train, y_train)

# %%
# The report measures both, and their ensemble, against the same networks without distillation: with the same seeds
# and batches, but each trained on labels only.

report = distillation_report(together, X_test, y_test, X_train=X_train, y_train=y_train)
print(report)
report.plot(x="parameters")
plt.show()

# %%
# Methods
# -------
# Methods are objects. The branches of ``GatedEnsemble``, which share a trunk, have to be the same network, and so are
# all here: three small students, of which one is deployed. With weight 0 each learns from labels only.

three = [(name, "tiny") for name in ("a", "b", "c")]
methods = {
    "labels only": MutualLearning(weight=0),
    "mutual learning": MutualLearning(),
    "gated ensemble": GatedEnsemble(),
    "collaborative ensemble": CollaborativeEnsemble(),
}


def losses(est):
    """Test loss of each network."""
    return [log_loss(y_test, est.with_peer(name).predict_proba(X_test)) for name in est.peers_]


found = {}
for name, method in methods.items():
    est = OnlineDistilledClassifier(three, method=method, deploy="a", random_state=0).fit(X_train, y_train)
    one = np.mean(losses(est))
    everyone = log_loss(y_test, est.with_peer("ensemble").predict_proba(X_test))
    found[name] = one, everyone

# %%
# One split and one seed decide little: ``benchmarks/modes.py`` measures on several of both.

places = np.arange(len(found))
one, everyone = np.array(list(found.values())).T
plt.barh(places + 0.2, one, 0.4, label="one network (mean)")
plt.barh(places - 0.2, everyone, 0.4, label="all three")
plt.yticks(places, list(found))
plt.xlabel("log loss on test rows")
plt.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
plt.tight_layout()
plt.show()

# %%
# Shipping it
# -----------
# ``without_peers()`` is the estimator to pickle: it contains only the deployed network.

light = together.without_peers()
assert np.array_equal(light.predict_proba(X_test), together.predict_proba(X_test))
