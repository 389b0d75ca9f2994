"""What the published tables on MNIST share: images, networks, and a file of runs that is written as they come.

The images are read from ``mnist.npz`` in the folder SKLKD_DATA, by default ../shared/data beside the repository.
"""

import json
import os
from pathlib import Path

import numpy as np
import torch
from torch import nn

DATA = Path(os.environ.get("SKLKD_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
RESULTS = Path(__file__).resolve().parents[1] / "results"
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


class Runs:
    """Runs in a file, each a dict; one that is there already is not made again."""

    def __init__(self, file):
        self.file = Path(file)
        self.all = json.loads(self.file.read_text()) if self.file.exists() else []

    def has(self, **names):
        return any(names.items() <= run.items() for run in self.all)

    def add(self, **run):
        print(run, flush=True)
        # others may have written meanwhile
        self.all = json.loads(self.file.read_text()) if self.file.exists() else []
        self.all.append(run)
        self.file.write_text(json.dumps(self.all, indent=1) + "\n")
