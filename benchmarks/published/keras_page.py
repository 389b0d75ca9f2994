"""The example page of Keras on knowledge distillation (keras.io/examples/vision/knowledge_distillation), with sklkd.

    SKLKD_DATA=../shared/data python benchmarks/published/keras_page.py [--rows 60000] [--seeds 0 1 2 3 4]

Two strided convolutions and a linear layer: 256 and 512 filters in the teacher, 16 and 32 in the student. Adam at its
default rate, batches of 32 (the page defines 64, and does not use it), 5 epochs for the teacher and 3 for the student,
temperature 10, and a weight of 0.1 for the labels. Padding and initial weights are those of Keras. The teacher is
trained once, and its students once a seed: with it, and on labels only. Products of convolutions are in bfloat16 where
the processor has them. Each run goes to the result file as it ends, and is not made again.
"""

import argparse
import pickle
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from mnist import errors, fast_products, load
from runs import RESULTS, Runs
from skorch import NeuralNetClassifier
from torch import nn

from sklkd import DistilledClassifier
from sklkd.losses import SoftTargetLoss

TEACHER, STUDENT = {"filters": 256, "epochs": 5}, {"filters": 16, "epochs": 3}


class ConvNet(nn.Module):
    """Two strided convolutions with pooling between them, and a linear layer."""

    def __init__(self, filters, n_outputs=10):
        super().__init__()
        after = (0, 1, 0, 1)  # "same" padding of an even side is at its end
        self.layers = nn.Sequential(
            nn.ZeroPad2d(after),
            nn.Conv2d(1, filters, 3, stride=2),
            nn.LeakyReLU(0.2),
            nn.ConstantPad2d(after, -np.inf),
            nn.MaxPool2d(2, stride=1),
            nn.ZeroPad2d(after),
            nn.Conv2d(filters, 2 * filters, 3, stride=2),
            nn.Flatten(),
            nn.Linear(2 * filters * 7 * 7, n_outputs),
        )
        for layer in self.layers:
            if hasattr(layer, "weight"):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, X):
        return self.layers(X)


def net(filters, epochs):
    return NeuralNetClassifier(
        ConvNet,
        module__filters=filters,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        max_epochs=epochs,
        batch_size=32,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )


def kept_teacher(folder, images, runs):
    """The fitted teacher for so many images, trained where it is not kept yet."""
    X, y, X_test, y_test = images
    file = Path(folder) / f"keras_teacher_{len(X)}.pkl"
    if not file.exists():
        started = perf_counter()
        torch.manual_seed(0)
        teacher = net(**TEACHER).fit(X, y)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(pickle.dumps(teacher))
        seconds = round(perf_counter() - started)
        runs.add(run="teacher", rows=len(X), seed=0, errors=errors(teacher, X_test, y_test), seconds=seconds)
    return pickle.loads(file.read_bytes())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=range(5))
    parser.add_argument("--filters", type=int, default=TEACHER["filters"], help="of the teacher")
    parser.add_argument("--data", help="mnist.npz, or a file like it")
    parser.add_argument("--kept", default="/tmp/sklkd_published", help="folder of the trained teacher")
    parser.add_argument("--out", default=RESULTS / "published_keras_page.json")
    args = parser.parse_args()
    TEACHER["filters"] = args.filters
    fast_products()
    X, y, X_test, y_test = load(args.data)
    X, X_test = (pixels.reshape(-1, 1, 28, 28) for pixels in (X[: args.rows], X_test))
    y, runs = y[: args.rows], Runs(args.out)
    teacher = kept_teacher(args.kept, (X, y, X_test, y_test), runs)
    params = {"loss": SoftTargetLoss(temperature=10), "blend": 0, "augment": None}
    for seed in args.seeds:
        for run, hard_weight in (("distilled", 0.1), ("labels only", 1.0)):
            if runs.has(run=run, rows=args.rows, seed=seed):
                continue
            started = perf_counter()
            est = DistilledClassifier(teacher, net(**STUDENT), hard_weight=hard_weight, random_state=seed, **params)
            est.fit(X, y)
            seconds = round(perf_counter() - started)
            runs.add(run=run, rows=args.rows, seed=seed, errors=errors(est, X_test, y_test), seconds=seconds)


if __name__ == "__main__":
    main()
