"""The distillation of the Keras page, as a loop of a few lines in torch: a plain network, Adam, a temperature.

    OMP_NUM_THREADS=1 python benchmarks/peers/keras_loop.py FOLDER [set ...]

The loss is ``alpha`` = 0.1 times that of the labels and 0.9 times the divergence from the teacher's softened
probabilities, times the square of the temperature; in regression both are squared errors of standardised targets. The
network has two hidden layers, of as many parameters as sklkd's default student has at most. Of three temperatures, that
of the page among them, and of the epochs the one counts that is best on 15 % of the training rows. The teacher predicts
the rows that it was fitted on, as on the page; in the second peer its clones predict rows that they have not seen.
"""

import copy

import numpy as np
import torch
from problem import Student, compete, pickled
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional as F

ALPHA = 0.1
TEMPERATURES = (1, 3, 10)
PARAMETERS = 97_000
EPOCHS, PATIENCE, BATCH = 150, 15, 128


def widest(n_inputs, n_outputs, budget=PARAMETERS):
    """Width of two equal hidden layers: the widest network within the budget."""
    # w² + w (inputs + outputs + 2) + outputs
    half = (n_inputs + n_outputs + 2) / 2
    return int(np.sqrt(half**2 + budget - n_outputs) - half)


def network(n_inputs, n_outputs):
    width = widest(n_inputs, n_outputs)
    return nn.Sequential(
        nn.Linear(n_inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, n_outputs)
    )


def supervised(out, y, labels):
    return F.cross_entropy(out, y) if labels else F.mse_loss(out[:, 0], y)


def distilled(out, y, taught, labels, temperature):
    """The page's loss."""
    if not labels:
        return ALPHA * supervised(out, y, labels) + (1 - ALPHA) * F.mse_loss(out, taught)
    soft = torch.softmax(taught / temperature, 1)
    divergence = F.kl_div(torch.log_softmax(out / temperature, 1), soft, reduction="batchmean")
    return ALPHA * supervised(out, y, labels) + (1 - ALPHA) * temperature**2 * divergence


def train(X, y, taught, held_out, labels, temperature):
    """The network of the epoch that is best on the held-out rows, and its loss there."""
    model = network(X.shape[1], taught.shape[1])
    optimizer = torch.optim.Adam(model.parameters())
    best, state, since = np.inf, None, 0
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(X)).split(BATCH):
            optimizer.zero_grad()
            distilled(model(X[batch]), y[batch], taught[batch], labels, temperature).backward()
            optimizer.step()
        with torch.no_grad():
            now = supervised(model(held_out[0]), held_out[1], labels).item()
        since += 1
        if now < best:
            best, state, since = now, copy.deepcopy(model.state_dict()), 0
        if since == PATIENCE:
            break
    model.load_state_dict(state)
    return best, model


def loop(source):
    """A peer; ``source`` says which of the teacher's predictions it gets."""

    def fit(problem):
        torch.manual_seed(problem.seed)
        labels, X, y, taught = problem.labels, *(problem.train[key] for key in ("scaled", "y", source))
        mean, scale = (0, 1) if labels else (y.mean(), y.std())
        y = torch.as_tensor((y - mean) / scale, dtype=torch.long if labels else torch.float32)
        taught = np.log(np.clip(taught, 1e-7, 1)) if labels else (taught - mean) / scale
        taught, X = (torch.as_tensor(one, dtype=torch.float32) for one in (taught, X))
        rows, held_out = train_test_split(
            np.arange(len(X)), test_size=0.15, random_state=problem.seed, stratify=y if labels else None
        )
        fitted = [
            train(X[rows], y[rows], taught[rows], (X[held_out], y[held_out]), labels, temperature)
            for temperature in (TEMPERATURES if labels else (1,))
        ]
        model = min(fitted, key=lambda pair: pair[0])[1].eval()

        def answer(rows):
            with torch.no_grad():
                out = model(torch.as_tensor(rows))
            return torch.softmax(out.double(), 1).numpy() if labels else out.double().numpy() * scale + mean

        return Student(answer, sum(part.numel() for part in model.parameters()), pickled(model))

    return fit


PEERS = {"Keras loop": loop("taught"), "Keras loop, out-of-sample": loop("out_of_sample")}

if __name__ == "__main__":
    torch.set_num_threads(1)
    compete(__doc__, "scaled", PEERS)
