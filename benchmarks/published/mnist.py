"""What the published tables on MNIST share: images and networks.

The images are read from ``mnist.npz`` in the folder SKLKD_DATA, by default ../shared/data beside the repository.
"""

import numpy as np
import torch
from runs import DATA
from torch import nn

VALIDATION = 10_000  # the last of the 60,000 training images, on which hyperparameters were chosen


def load(file=None):
    """Pixels in [0, 1] and digits: those for training, then those for testing."""
    with np.load(file or DATA / "mnist.npz") as arrays:
        parts = [(arrays[f"x_{part}"], arrays[f"y_{part}"].astype(np.int64)) for part in ("train", "test")]
    return [array for X, y in parts for array in (X.reshape(len(X), -1).astype(np.float32) / 255, y)]


def without_test(X, y):
    """The training images in two: those to fit, and validation rows in the place of the test images."""
    return X[:-VALIDATION], y[:-VALIDATION], X[-VALIDATION:], y[-VALIDATION:]


class Mlp(nn.Module):
    """Two hidden layers of rectified linear units."""

    def __init__(self, hidden=800, n_features=784, n_outputs=10):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_features, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, n_outputs),
        )

    def forward(self, X):
        return self.layers(X)


def fast_products():
    """Products of matrices and convolutions of float32 in bfloat16 with float32 sums, where the processor has them."""
    torch.set_float32_matmul_precision("medium")
    torch.backends.mkldnn.conv.fp32_precision = "bf16"


def errors(model, X, y):
    """How many labels are wrong."""
    return int((model.predict(X) != y).sum())
