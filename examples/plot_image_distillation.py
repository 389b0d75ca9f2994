"""
A convolutional teacher and a small one
=======================================

The well-known example of Keras' documentation: a teacher of two 3x3 convolutions with 256 and 512 filters and a student
with 16 and 32, distilled at temperature 10 with a tenth of the weight on the labels. That page reports, on MNIST, about
97.6 % for the teacher, 97.6 % for the student without a teacher and 98.1 % for the distilled one. Here are the same
three numbers over five seeds, on scikit-learn's digits, or on MNIST where its file (``mnist.npz``) is given as
argument::

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
from torch import nn

from sklkd import DistilledClassifier
from sklkd.losses import SoftTargetLoss

# %%
# Images
# ------
# The digits have 8x8 pixels and 1,797 rows, of which 1,200 train. For MNIST's 60,000 rows the epochs are
# those of the page; on the few digits the teacher gets three times, and the student twenty times as many.

file = sys.argv[1] if len(sys.argv) > 1 else None
if file is None:
    images, labels = load_digits(return_X_y=True)
    images = (images.reshape(-1, 1, 8, 8) / 16).astype(np.float32)
    X, X_test, y, y_test = train_test_split(images, labels, train_size=1200, random_state=0, stratify=labels)
    teacher_epochs, student_epochs = 15, 60
else:
    with np.load(file) as arrays:
        X, X_test = ((arrays[part][:, None] / 255).astype(np.float32) for part in ("x_train", "x_test"))
        y, y_test = arrays["y_train"].astype(np.int64), arrays["y_test"].astype(np.int64)
    teacher_epochs, student_epochs = 5, 3

# %%
# Teacher and student
# -------------------


class ConvNet(nn.Module):
    """Two strided convolutions, max pooling between them, and a linear layer."""

    def __init__(self, first, second, n_outputs=10, side=X.shape[-1]):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, first, 3, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.ZeroPad2d((0, 1, 0, 1)),
            nn.MaxPool2d(2, stride=1),
            nn.Conv2d(first, second, 3, stride=2, padding=1),
        )
        self.output = nn.Linear(second * (-(-side // 4)) ** 2, n_outputs)

    def forward(self, X):
        return self.output(self.features(X).flatten(1))


def net(first, second, epochs):
    return NeuralNetClassifier(
        ConvNet,
        module__first=first,
        module__second=second,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        max_epochs=epochs,
        lr=1e-3,
        batch_size=64,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )


# %%
# Five seeds
# ----------
# The teacher is fitted once for each seed. ``hard_weight=0.1, blend=0`` is distillation as on that page,
# ``hard_weight=1`` trains the same student on labels only.

scores = {"teacher": [], "labels only": [], "distilled": []}
for seed in range(5):
    torch.manual_seed(seed)
    teacher = net(256, 512, teacher_epochs).fit(X, y)
    params = {"loss": SoftTargetLoss(temperature=10), "random_state": seed}
    distilled = DistilledClassifier(teacher, net(16, 32, student_epochs), hard_weight=0.1, blend=0, **params).fit(X, y)
    baseline = DistilledClassifier(teacher, net(16, 32, student_epochs), hard_weight=1.0, **params).fit(X, y)
    for name, model in zip(scores, (teacher, baseline, distilled), strict=True):
        scores[name].append(100 * model.score(X_test, y_test))

for name, values in scores.items():
    print(f"{name:14s} {np.mean(values):.2f} % +- {np.std(values):.2f}")
sizes = [sum(part.numel() for part in one.module_.parameters()) for one in (teacher, distilled.student_)]
print(f"parameters: {sizes[0]:,} and {sizes[1]:,}")

# %%
# Every point is a seed; the bars are the means.

_, ax = plt.subplots(figsize=(5, 3.5), layout="constrained")
for position, values in enumerate(scores.values()):
    ax.plot(np.full(5, position) + np.linspace(-0.1, 0.1, 5), values, "o", color=f"C{position}", alpha=0.7)
    ax.hlines(np.mean(values), position - 0.25, position + 0.25, color=f"C{position}")
ax.set(xticks=range(3), xticklabels=scores, ylabel="accuracy on test images, %")
plt.show()
