"""Networks that learn from each other or from themselves, as published, on MNIST: each against the same network alone.

    SKLKD_DATA=../shared/data python benchmarks/published/networks_on_mnist.py [--rows 10000] [--seeds 0 1 2 3 4]
    SKLKD_DATA=../shared/data python benchmarks/published/networks_on_mnist.py --validate
    python benchmarks/tables.py networks_on_mnist

Deep mutual learning (Zhang et al. 2018): two networks, each with the divergence from the other, at weight and
temperature 1. Born-again networks (Furlanello et al. 2018): three generations, each with the labels and the generation
before at equal weights, and the mean of the three. PS-KD (Kim et al. 2021): targets that move from the labels to the
network's own outputs of one epoch earlier, up to a weight of 0.8. The papers have CIFAR and convolutional networks,
which need a GPU; here a network of two hidden layers of 400 units learns the first ``--rows`` images. As in the papers
it is trained by SGD with Nesterov momentum 0.9 and weight decay 5e-4, whose learning rate is divided by ten twice.
``--validate`` holds out the last 10,000 training images in the place of the test images: learning rate, batch size and
epochs were chosen there, for the network alone. Matrix products are in bfloat16 where the processor has them. Each run
goes to the result file as it ends, and is not made again.
"""

import argparse
from time import perf_counter

import torch
from mnist import Mlp, fast_products, load, without_test
from runs import RESULTS, Runs
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from skorch import NeuralNetClassifier
from skorch.callbacks import LRScheduler
from torch import nn

from sklkd import OnlineDistilledClassifier, SelfDistilledClassifier
from sklkd.methods import BornAgain, EpochToEpoch, MutualLearning

TRAINING = {"lr": 0.1, "batch_size": 128, "max_epochs": 30}


def network(scheduled=True):
    """The network with pixels as they are, its rate falling after half and three quarters of the epochs."""
    drops = [TRAINING["max_epochs"] // 2, 3 * TRAINING["max_epochs"] // 4]
    schedule = LRScheduler(torch.optim.lr_scheduler.MultiStepLR, milestones=drops)
    net = NeuralNetClassifier(
        Mlp,
        module__hidden=400,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.SGD,
        optimizer__momentum=0.9,
        optimizer__nesterov=True,
        optimizer__weight_decay=5e-4,
        optimizer__fused=True,
        iterator_train__shuffle=True,
        train_split=None,
        callbacks=[("schedule", schedule)] if scheduled else None,
        verbose=0,
        **TRAINING,
    )
    return make_pipeline("passthrough", net)


def mutual(X, y, seed):
    # the callbacks of the first are those of all
    peers = [("first", network()), ("second", network(scheduled=False))]
    est = OnlineDistilledClassifier(peers, method=MutualLearning(), deploy="first", random_state=seed)
    est.fit(X, y)
    return [("mutual learning, one of two", est), ("mutual learning, one of two", est.with_peer("second"))]


def born_again(X, y, seed):
    est = SelfDistilledClassifier(network(), method=BornAgain(generations=3, ensemble=True), random_state=seed)
    est.fit(X, y)
    names = ("alone", "born-again, second generation", "born-again, third generation")
    return [*zip(names, est.generations_, strict=True), ("born-again, mean of all", est)]


def epoch_to_epoch(X, y, seed):
    est = SelfDistilledClassifier(network(), method=EpochToEpoch(alpha=0.8), random_state=seed)
    return [("PS-KD", est.fit(X, y))]


FITS = {fit.__name__: fit for fit in (mutual, born_again, epoch_to_epoch)}


def run(fit, images, rows, seed, runs):
    X, y, X_test, y_test = images
    started = perf_counter()
    fitted = FITS[fit](X[:rows], y[:rows], seed)
    seconds = round(perf_counter() - started)
    for place, (name, est) in enumerate(fitted):
        proba = est.predict_proba(X_test)
        wrong = int((proba.argmax(axis=1) != y_test).sum())
        loss = float(log_loss(y_test, proba))
        found = {"errors": wrong, "log_loss": loss, "seconds": seconds}
        runs.add(fit=fit, place=place, name=name, rows=rows, seed=seed, **found, **TRAINING)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=range(5))
    parser.add_argument("--fits", nargs="+", default=list(FITS), choices=FITS)
    parser.add_argument("--lr", type=float, default=TRAINING["lr"])
    parser.add_argument("--batch", type=int, default=TRAINING["batch_size"])
    parser.add_argument("--epochs", type=int, default=TRAINING["max_epochs"])
    parser.add_argument("--validate", action="store_true")
    parser.add_argument("--data", help="mnist.npz, or a file like it")
    parser.add_argument("--out", default=RESULTS / "published_networks_on_mnist.json")
    args = parser.parse_args()
    TRAINING.update(lr=args.lr, batch_size=args.batch, max_epochs=args.epochs)
    fast_products()
    images = load(args.data)
    images = without_test(*images[:2]) if args.validate else images
    runs = Runs(args.out)
    for seed in args.seeds:
        for fit in args.fits:
            if not runs.has(fit=fit, rows=args.rows, seed=seed, **TRAINING):
                run(fit, images, args.rows, seed, runs)


if __name__ == "__main__":
    main()
