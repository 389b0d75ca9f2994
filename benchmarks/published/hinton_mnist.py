"""Hinton, Vinyals and Dean (2015), section 3: what a student on MNIST learns from soft targets, with sklkd's estimator.

    SKLKD_DATA=../shared/data python benchmarks/published/hinton_mnist.py [--seeds 0 1 2 3 4] [--runs soft_targets]
    SKLKD_DATA=../shared/data python benchmarks/published/hinton_mnist.py --validate --out validated.json
    python benchmarks/tables.py hinton_mnist

The paper's teacher has two hidden layers of 1,200 units, dropout, a limit on the norm of each unit's weights, and sees
the training images shifted by up to two pixels. Its student has two layers of 800 units and no regularisation, sees the
60,000 images as they are, and learns the teacher's soft targets at temperature 20, or the labels only. Without threes
in the images that it learns from, the bias of class 3 is then raised to what makes the errors on the test images
fewest, as the paper does, and also to what makes those on the training images fewest.

One teacher is trained, in plain torch, and kept in ``--kept``. Every student is a ``DistilledClassifier``; "defaults"
is one with all parameters left at their defaults. Each run goes to the result file as it ends, and is not made again.
``--validate`` holds out the last 10,000 training images from the student, in the place of the test images: its
hyperparameters were chosen there. Matrix products are in bfloat16 where the processor has them.
"""

import argparse
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from mnist import Mlp, errors, fast_products, load, without_test
from runs import RESULTS, Runs
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch import NeuralNetClassifier
from skorch.callbacks import LRScheduler
from torch import nn
from torch.nn import functional as F

from sklkd import DistilledClassifier
from sklkd.losses import SoftTargetLoss
from sklkd.students import Muon

TEACHER = {"epochs": 120, "batch": 500, "lr": 2e-3, "norm": 3.0, "dropout": (0.1, 0.4, 0.4), "shift": 2}
STUDENT = {"optimizer": "SGD", "epochs": 60, "batch": 100, "lr": 2.5e-2, "mean": 0.1307, "deviation": 0.3081}
"""Chosen on validation rows; the last two are what is taken off a pixel, and what it is divided by."""

OPTIMIZERS = {
    "SGD": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "Adam": (torch.optim.Adam, {"fused": True}),
    "Muon": (Muon, {}),
}


class Dropout(nn.Module):
    """Dropout whose mask takes one random byte for each unit: several times as fast as torch's on a CPU."""

    def __init__(self, share):
        super().__init__()
        self.least = round(256 * share)

    def forward(self, X):
        if not self.training:
            return X
        noise = torch.empty(-(-X.numel() // 8), dtype=torch.int64).random_(-(2**63), None).view(torch.uint8)
        kept = noise[: X.numel()].view_as(X) >= self.least
        return X * kept * (256 / (256 - self.least))


class Teacher(Mlp):
    """The paper's teacher."""

    def __init__(self):
        super().__init__(1200)
        first, relu, second, relu_too, last = self.layers
        before, between, after = map(Dropout, TEACHER["dropout"])
        self.layers = nn.Sequential(before, first, relu, between, second, relu_too, after, last)


class Shifted:
    """Images shifted at random, each by its own number of pixels."""

    def __init__(self, X, by):
        self.by, self.side = by, 28 + 2 * by
        self.padded = F.pad(torch.from_numpy(X).view(-1, 28, 28).bfloat16(), [by] * 4).flatten(1)
        self.pixels = (torch.arange(28)[:, None] * self.side + torch.arange(28)).flatten()

    def __getitem__(self, rows):
        down, right = torch.randint(2 * self.by + 1, (2, len(rows), 1))
        return self.padded[rows[:, None], self.pixels + down * self.side + right]


@torch.no_grad()
def limit_norms(layer, most):
    """Scale the weights of each unit whose norm is above the limit."""
    layer.weight.mul_((most / layer.weight.norm(dim=1, keepdim=True)).clamp(max=1))


def train_teacher(X, y, seed=0):
    """The teacher in plain torch."""
    torch.manual_seed(seed)
    teacher, images, y = Teacher(), Shifted(X, TEACHER["shift"]), torch.from_numpy(y)
    optimizer = torch.optim.Adam(teacher.parameters(), TEACHER["lr"], fused=True)
    n_steps = TEACHER["epochs"] * -(-len(y) // TEACHER["batch"])
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, TEACHER["lr"], n_steps, pct_start=0.1, cycle_momentum=False, final_div_factor=1e4
    )
    limited = [part for part in teacher.modules() if isinstance(part, nn.Linear)][:-1]
    for _ in range(TEACHER["epochs"]):
        for step, rows in enumerate(torch.randperm(len(y)).split(TEACHER["batch"])):
            with torch.autocast("cpu", torch.bfloat16):
                outputs = teacher(images[rows])
            optimizer.zero_grad()
            F.cross_entropy(outputs.float(), y[rows]).backward()
            optimizer.step()
            schedule.step()
            if step % 10 == 0:
                for layer in limited:
                    limit_norms(layer, TEACHER["norm"])
    return teacher.eval()


def kept_teacher(folder, images, runs):
    """The teacher, trained where it is not kept yet."""
    X, y, X_test, y_test = images
    file = Path(folder) / "hinton_teacher.pt"
    if not file.exists():
        started = perf_counter()
        teacher = train_teacher(X, y)
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.save(teacher.state_dict(), file)
        with torch.no_grad():
            wrong = int((teacher(torch.from_numpy(X_test)).numpy().argmax(1) != y_test).sum())
        runs.add(run="teacher", seed=0, errors=wrong, seconds=round(perf_counter() - started))
    teacher = Teacher()
    teacher.load_state_dict(torch.load(file))
    return teacher.eval()


def student(seed, **more):
    """The student behind its estimator: its rate falls as a cosine, and nothing regularises it."""
    schedule = LRScheduler(
        torch.optim.lr_scheduler.OneCycleLR,
        max_lr=STUDENT["lr"],
        total_steps=STUDENT["epochs"] * -(-more.pop("n_rows") // STUDENT["batch"]),
        pct_start=0.1,
        cycle_momentum=False,
        step_every="batch",
    )
    optimizer, own = OPTIMIZERS[STUDENT["optimizer"]]
    net = NeuralNetClassifier(
        Mlp,
        module__hidden=800,
        criterion=nn.CrossEntropyLoss,
        optimizer=optimizer,
        optimizer__weight_decay=0,
        **{f"optimizer__{name}": value for name, value in own.items()},
        lr=STUDENT["lr"],
        max_epochs=STUDENT["epochs"],
        batch_size=STUDENT["batch"],
        iterator_train__shuffle=True,
        train_split=None,
        callbacks=[("schedule", schedule)],
        verbose=0,
    )
    return DistilledClassifier(
        student=make_pipeline(FunctionTransformer(standardised), net), blend=0, augment=None, random_state=seed, **more
    )


def standardised(X):
    return (X - np.float32(STUDENT["mean"])) / np.float32(STUDENT["deviation"])


def soft_targets(seed, teacher, X, y):
    loss = SoftTargetLoss(temperature=20)
    return student(seed, teacher=teacher, loss=loss, hard_weight=0, n_rows=len(X)).fit(X, y)


def labels_only(seed, teacher, X, y):
    return student(seed, teacher=teacher, hard_weight=1, n_rows=len(X)).fit(X, y)


def no_threes(seed, teacher, X, y):
    X, y, loss = X[y != 3], y[y != 3], SoftTargetLoss(temperature=20)
    est = student(seed, teacher=teacher, loss=loss, hard_weight=0, n_rows=len(X))
    # unlike fit, it is told of digits that are not there
    return est.partial_fit(X, y, classes=np.arange(10))


def defaults(seed, teacher, X, y):
    return DistilledClassifier(teacher, random_state=seed).fit(X, y)


STUDENTS = {fit.__name__: fit for fit in (soft_targets, labels_only, no_threes, defaults)}


def raised_bias(est, X, y):
    """By how much the bias of class 3 is raised for the fewest errors."""
    logits = np.log(est.predict_proba(X))
    steps = np.arange(0, 10.01, 0.1)
    return round(float(min(steps, key=lambda step: wrong_with_bias(logits, y, step))), 1)


def wrong_with_bias(logits, y, step):
    return int(((logits + step * (np.arange(10) == 3)).argmax(axis=1) != y).sum())


def of_threes(est, images):
    """Errors of a student that has seen no three: among threes, and with a bias chosen on either images."""
    X, y, X_test, y_test = images
    found = {"errors_of_threes": errors(est, X_test[y_test == 3], y_test[y_test == 3])}
    logits = np.log(est.predict_proba(X_test))
    for name, rows in (("test", (X_test, y_test)), ("training", (X, y))):
        step = raised_bias(est, *rows)
        found[f"bias_of_{name}_images"] = {"raised_by": step, "errors": wrong_with_bias(logits, y_test, step)}
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, nargs="+", default=range(5))
    parser.add_argument("--runs", nargs="+", default=["soft_targets", "labels_only", "no_threes"], choices=STUDENTS)
    for name, value in STUDENT.items():
        parser.add_argument(f"--{name}", type=type(value), default=value, help="of the student")
    parser.add_argument("--teacher-epochs", type=int)
    parser.add_argument("--validate", action="store_true")
    parser.add_argument("--data", help="mnist.npz, or a file like it")
    parser.add_argument("--kept", default="/tmp/sklkd_published", help="folder of the trained teacher")
    parser.add_argument("--out", default=RESULTS / "published_hinton_mnist.json")
    args = parser.parse_args()
    TEACHER["epochs"] = args.teacher_epochs or TEACHER["epochs"]
    STUDENT.update((name, getattr(args, name)) for name in STUDENT)
    fast_products()
    images, runs = load(args.data), Runs(args.out)
    teacher = kept_teacher(args.kept, images, runs)
    if args.validate:
        images = without_test(*images[:2])
    for run in args.runs:
        for seed in args.seeds:
            params = {} if run == "defaults" else STUDENT
            if runs.has(run=run, seed=seed, **params):
                continue
            started = perf_counter()
            est = STUDENTS[run](seed, teacher, *images[:2])
            seconds = round(perf_counter() - started)
            found = of_threes(est, images) if run == "no_threes" else {}
            runs.add(run=run, seed=seed, errors=errors(est, *images[2:]), **found, seconds=seconds, **params)


if __name__ == "__main__":
    main()
