"""
A network that is its own teacher
=================================

There is no other model here. A network learns from its own output, and can then be cut after any of its hidden layers,
which makes it smaller and faster. Other methods soften the labels that it learns from. The data are the handwritten
digits that scikit-learn bundles, of which 400 rows train.
"""

import time

import matplotlib.pyplot as plt
from sklearn.calibration import calibration_curve
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split

from sklkd import SelfDistilledClassifier
from sklkd.methods import BornAgain, DeepToShallow, EpochToEpoch, SameClassPairs, VirtualTeacher
from sklkd.students import TabularStudent

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=400, stratify=y, random_state=0)

# %%
# Exits
# -----
# ``DeepToShallow`` puts a linear layer after each hidden layer, and trains it on the network's output. One training
# gives four networks: ``predict_proba(X, exit=...)`` predicts from each, and ``cut`` makes an estimator of it, without
# the layers behind. What that costs in accuracy depends on the data: here the last layer adds little.

student = TabularStudent(module__hidden=(8, 32, 128, 128))
exits = SelfDistilledClassifier(student, method=DeepToShallow(), random_state=0).fit(X_train, y_train)


def seconds(est, rows, repeats=20):
    """The fastest of some runs."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        est.predict_proba(rows)
        taken.append(time.perf_counter() - start)
    return min(taken)


cuts = {name: exits.cut(name) for name in exits.exits_}
sizes = [sum(p.numel() for p in cut.student_.module_.parameters()) for cut in cuts.values()]
accuracy = [accuracy_score(y_test, cut.predict(X_test)) for cut in cuts.values()]
times = [1e6 * seconds(cut, X_test) / len(X_test) for cut in cuts.values()]
for row in zip(cuts, sizes, accuracy, times, strict=True):
    print("{:9} {:7,} parameters, accuracy {:.3f}, {:.1f} us a row".format(*row))

_, ax = plt.subplots(figsize=(5.6, 3.8), layout="constrained")
ax.plot(times, accuracy, "o-")
for name, x, height in zip(cuts, times, accuracy, strict=True):
    ax.annotate(name, (x, height), textcoords="offset points", xytext=(4, -12))
ax.set(xlabel="microseconds a row, in one batch", ylabel="accuracy on test rows", title="Exits of one network")
ax.margins(x=0.15, y=0.2)
plt.show()

# %%
# Calibration
# -----------
# A network that sees the labels of few rows again and again becomes overconfident. The default student stops before
# that goes far, and methods that soften the labels, each in its own way, may do better. With too much softening it
# becomes underconfident, as with ``VirtualTeacher`` here. ``EpochToEpoch(alpha=0)`` is the network trained on labels
# only.

methods = {
    "labels only": EpochToEpoch(alpha=0),
    "EpochToEpoch": EpochToEpoch(),
    "VirtualTeacher": VirtualTeacher(),
    "SameClassPairs": SameClassPairs(),
    "BornAgain, ensemble": BornAgain(generations=3, ensemble=True),
}
_, ax = plt.subplots(figsize=(5.6, 5), layout="constrained")
ax.plot([0, 1], [0, 1], "0.7", linestyle=":")
for name, method in methods.items():
    est = SelfDistilledClassifier(method=method, random_state=0).fit(X_train, y_train)
    proba = est.predict_proba(X_test)
    right = est.classes_[proba.argmax(1)] == y_test
    frequency, confidence = calibration_curve(right, proba.max(1), n_bins=6, strategy="quantile")
    ax.plot(confidence, frequency, "o-", label=name)
    difference = proba.max(1).mean() - right.mean()
    loss = log_loss(y_test, proba)
    print(f"{name:20} accuracy {right.mean():.3f}, log loss {loss:.3f}, overconfident by {difference:+.3f}")
ax.set(xlabel="confidence", ylabel="accuracy", xlim=(0.5, 1.01), ylim=(0.5, 1.01))
ax.legend()
plt.show()
