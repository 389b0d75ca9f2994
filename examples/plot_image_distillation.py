"""
A convolutional teacher and a small one
=======================================

The well-known example of Keras' documentation: a convolutional teacher, and a small student, distilled at temperature
10 with a tenth of the weight on the labels. That page reports, on MNIST, about 97.6 % for the teacher, 97.6 % for the
student without a teacher and 98.1 % for the distilled one. Here are the same three numbers on few images: 300 of the
8x8 digits that scikit-learn bundles.

**What to see:** where labels are few, the distilled student is about a point better in the mean than the same student
without a teacher, and on four of the five splits of the images.

MNIST with all filters takes much longer; its file (``mnist.npz``) is then given as argument::

    python plot_image_distillation.py mnist.npz

Both networks are skorch nets on images of shape (n, 1, height, width); images go to them as they are.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from skorch import NeuralNetClassifier
from skorch.callbacks import EarlyStopping
from skorch.dataset import ValidSplit
from torch import nn

from sklkd import DistilledClassifier
from sklkd.losses import SoftTargetLoss

# %%
# Images
# ------
# Adam's learning rate, the student's filters, temperature and weight are those of the page, batches those it defines.
# Its epochs, 5 and 3, are too few for few images: here each network keeps its best epoch on a fifth of them, which are
# validation rows. The teacher has a quarter of the page's filters, to be quick.

file = sys.argv[1] if len(sys.argv) > 1 else None
if file is None:
    images, labels = load_digits(return_X_y=True)
    images = (images.reshape(-1, 1, 8, 8) / 16).astype(np.float32)
    n_train, teacher_params, student_params = 300, (64, 300), (16, 300)
    stopping = {"train_split": ValidSplit(5, stratified=True), "callbacks": [EarlyStopping(load_best=True)]}
else:
    with np.load(file) as arrays:
        images, labels = (np.concatenate([arrays[f"{name}_train"], arrays[f"{name}_test"]]) for name in "xy")
    images, labels = (images[:, None] / 255).astype(np.float32), labels.astype(np.int64)
    n_train, teacher_params, student_params = 60_000, (256, 5), (16, 3)
    stopping = {"train_split": None}

# %%
# Teacher and student
# -------------------


class ConvNet(nn.Module):
    """Two strided convolutions, max pooling between them, and a linear layer."""

    def __init__(self, filters, n_outputs=10, side=images.shape[-1]):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, filters, 3, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.ZeroPad2d((0, 1, 0, 1)),
            nn.MaxPool2d(2, stride=1),
            nn.Conv2d(filters, 2 * filters, 3, stride=2, padding=1),
        )
        self.output = nn.Linear(2 * filters * (-(-side // 4)) ** 2, n_outputs)

    def forward(self, X):
        return self.output(self.features(X).flatten(1))


def net(filters, epochs):
    return NeuralNetClassifier(
        ConvNet,
        module__filters=filters,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        max_epochs=epochs,
        lr=1e-3,
        batch_size=64,
        iterator_train__shuffle=True,
        verbose=0,
        **stopping,
    )


# %%
# Five splits
# -----------
# The teacher is fitted once for each split of the images into training and test ones. ``hard_weight=0.1, blend=0`` is
# distillation as on that page, ``hard_weight=1`` trains the same student on labels only.

scores = {"teacher": [], "labels only": [], "distilled": []}
for seed in range(5):
    X, X_test, y, y_test = train_test_split(images, labels, train_size=n_train, random_state=seed, stratify=labels)
    torch.manual_seed(seed)
    teacher = net(*teacher_params).fit(X, y)
    params = {"loss": SoftTargetLoss(temperature=10), "random_state": seed}
    distilled = DistilledClassifier(teacher, net(*student_params), hard_weight=0.1, blend=0, **params).fit(X, y)
    baseline = DistilledClassifier(teacher, net(*student_params), hard_weight=1.0, **params).fit(X, y)
    for name, model in zip(scores, (teacher, baseline, distilled), strict=True):
        scores[name].append(100 * model.score(X_test, y_test))

for name, values in scores.items():
    print(f"{name:14s} {np.mean(values):.2f} % +- {np.std(values, ddof=1):.2f}")
gain = np.subtract(scores["distilled"], scores["labels only"])
print(f"gain {gain.mean():+.2f} points, on single splits {gain.min():+.2f} to {gain.max():+.2f}")
sizes = [sum(part.numel() for part in one.module_.parameters()) for one in (teacher, distilled.student_)]
print(f"parameters: {sizes[0]:,} and {sizes[1]:,}")

# %%
# A line joins the three networks of one split.

plt.rcParams["font.size"] = 13
_, ax = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
ax.plot(range(3), [scores[name] for name in ("labels only", "distilled", "teacher")], color="0.7", zorder=1)
for position, (name, color, marker) in enumerate(
    (("labels only", "#D55E00", "s"), ("distilled", "#0072B2", "o"), ("teacher", "0.3", "^"))
):
    ax.plot(np.full(5, position), scores[name], marker, color=color, markersize=9)
ax.set(xticks=range(3), xticklabels=["student,\nlabels only", "student,\ndistilled", "teacher"], xlim=(-0.4, 2.4))
ax.set_ylabel("accuracy on test images, %\n(higher is better)")
plt.show()
