"""The default student as a skorch net: TabularNet with the recipe that trains it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

from skorch import NeuralNet
from skorch.callbacks import Callback, EpochTimer, GradientNormClipping, PassthroughScoring
from torch import nn
from torch.optim import AdamW, Optimizer

from sklkd._device import device_of
from sklkd._torch import fuses
from sklkd.students._encoder import MANY
from sklkd.students._muon import Muon
from sklkd.students._plain_state import PICKLED, has_plain_state, plain_state, restore, unwrapped, wrapped
from sklkd.students._sizes import SIZES, NetInputs, Plan, Size, largest_plan, preset_plan
from sklkd.students._tabular_net import TabularNet

# Rows that a training visits in all, for up to MANY_ROWS labelled rows; beyond, visits grow with this power of their
# number (benchmarks/README.md, "Time of a fit"). Small sets are visited at most PASSES times. Labels only need fewer
# visits: they are noisy, and early stopping ends the training.
VISITS, PASSES = 300_000, 100
LABEL_VISITS, MOST_LABEL_PASSES = 100_000, 200
LABEL_PASSES = 6  # at least, where many rows make LABEL_VISITS less
MANY_ROWS, GROWTH = 15_000, 2 / 3
MANY_LABELS, VERY_MANY = 25_000, 80_000  # from the second on, visits for labels only grow with the power GROWTH
ALL_PASSES = 7  # over all rows, where few labelled ones make PASSES of them less
LEAST_BATCH = 128
# Levels of all columns that a network may have are this times the root of its parameters: 255, 1,121 and 2,277 for the
# presets. The least network of a budget, with four times as many weights, then fits wherever one of 64 levels does
LEVELS = 3.6


@dataclass(frozen=True)
class Recipe:
    """What "auto" stands for.

    Attributes
    ----------
    optimizer : type
    lr : float
        The peak, for hidden layers of ``width`` units.
    batch_size : int
        Small sets get smaller batches, down to 128, for at least ``steps`` of them in PASSES passes.
    steps : int
    weight_decay : float or None
        None: the optimizer's own.
    width : int or None
        Narrower networks have larger rates, by the root of the ratio: an orthogonal update of n x n weights has a
        spectral norm of 0.2 lr sqrt(n), which should not depend on the width (Yang et al. 2023, "A spectral condition
        for feature learning"). Else narrow networks end before they can be sure of anything. None: all have the same.
    of_many : Recipe or None
        The one to take for MANY_LABELS rows and more, unless they are sparse. None: the same.
    """

    optimizer: type[Optimizer]
    lr: float
    batch_size: int
    steps: int = 0
    weight_decay: float | None = None
    width: int | None = None
    of_many: Recipe | None = None

    def peak(self, hidden: Sequence[int]) -> float:
        """The learning rate of a network with hidden layers of these widths."""
        if self.width is None or not hidden:
            return self.lr
        return self.lr * max(1.0, self.width / max(hidden)) ** 0.5


WITH_TEACHER = Recipe(Muon, 2e-2, 1024, steps=300, width=128)
# The teacher alone is followed closer in smaller batches, by 0.5 to 1.7 points of agreement on five of six sets
# (benchmarks/README.md, "Imitation")
IMITATION = Recipe(Muon, 2e-2, 512, steps=300, width=128)
# Label-only students are better blended in when trained by AdamW than by Muon on 6 of 8 sets, by 11 % on kin8nm, and a
# step takes less than half the time. Of many rows Muon needs fewer and larger batches, and much weight decay, without
# which it memorises wrong labels; rare columns of sparse rows would decay too (benchmarks/README.md, "Time of a
# fit")
LABELS_ONLY = Recipe(AdamW, 6e-3, 256, of_many=Recipe(Muon, 1.4e-2, 512, weight_decay=0.3, width=128))
WITHOUT_TEACHER = Recipe(Muon, 5e-3, 256)  # networks that teach each other, or themselves


class TabularStudent(NeuralNet):
    """The default student: :class:`TabularNet`, Muon, warm-up and cosine decay, epochs by budget.

    It is an ordinary skorch net, meant to be passed as ``student`` so that its parameters can be set and searched
    (``student__module__hidden``, ``student__lr``, ``student__max_epochs``). The module's ``n_features``,
    ``n_outputs``, ``edges``, ``cardinalities`` and ``missing`` are filled in at fit, and its ``hidden``, where it is
    not given, by ``size``.

    Parameters
    ----------
    size : {"tiny", "small", "base"}, default="small"
        Budget of parameters: 5,000, 97,000 or 400,000. One-hot columns and outputs come first, so very wide data or
        many classes can exceed it; a sparse table of more than 500 columns is read by one hidden layer of 32, 128 or
        256 units, whatever that takes. Of a column's categories the 64 most frequent have inputs of their own, and more
        where all columns together have no more than 3.6 times the root of the budget: 255, 1,121 or 2,277. Not used
        where one of the budgets below is given.
    max_parameters, max_bytes : int, default=None
        The network never exceeds them, and is the largest that fits, up to 10 million parameters: that of the nearest
        preset, its widths scaled by the square root of the ratio of their budgets. Bytes are those of the network as
        it is shipped: parameters in float32, and the buffers of its encoding.
    module : type, default=TabularNet
    optimizer : type or "auto", default="auto"
        "auto": :class:`Muon`, which with half the visits follows a teacher closer than AdamW, and AdamW for labels
        only, which it learns better where they are few; from 25,000 dense rows on Muon with a weight decay of
        0.3.
    lr : float or "auto", default="auto"
        The peak, reached after 5 % of the steps; then it falls to 0 as a cosine. "auto": 0.02, and more for a
        TabularNet whose hidden layers are narrower than 128 units: the root of 128 / width times that, 0.04 for "tiny".
        For labels only 0.006, or 0.014 for 25,000 rows and more, and 0.005 for networks that teach each other or
        themselves. For AdamW with a teacher about 0.003 is right.
    max_epochs : int or "auto", default="auto"
        "auto": as many as visit 300,000 rows, but at most 100 for each labelled row, or 7 passes over all rows where
        that is more; from 15,000 labelled rows on, visits grow with the power 2/3 of their number: 1.1 million for
        100,000. For labels only: 100,000 rows, at least 6 and at most 200 passes, and fewer from 80,000 rows on; a
        fifth of the rows is held out, and the epoch that does best on them is kept.
    batch_size : int or "auto", default="auto"
        "auto": 1,024, with a teacher at most a third of the labelled rows (down to 128), and 256 without one,
        512 for the labels of 25,000 rows and more.
    **kwargs
        Everything else that :class:`skorch.NeuralNet` takes.

    Raises
    ------
    ValueError
        At fit: if ``size`` is unknown, a budget is no number above 0 or below what the smallest network takes, or
        ``module__hidden`` or ``module__edges`` is given beside a budget, which decides them.
    TypeError
        At fit: if a budget is given for a module that is not a TabularNet.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklkd import DistilledClassifier
    >>> from sklkd.students import TabularStudent
    >>> X, y = load_iris(return_X_y=True)
    >>> student = TabularStudent(size="tiny", max_epochs=5)
    >>> est = DistilledClassifier(RandomForestClassifier(random_state=0), student, random_state=0).fit(X, y)
    >>> len(est.history_)
    5
    >>> student = TabularStudent(max_parameters=2_000, max_epochs=5)
    >>> est = DistilledClassifier(RandomForestClassifier(random_state=0), student, random_state=0).fit(X, y)
    >>> 1_900 < sum(part.numel() for part in est.student_.module_.parameters()) <= 2_000
    True
    """

    optimizer: Any
    lr: Any
    batch_size: Any

    def __init__(
        self,
        size: str = "small",
        *,
        max_parameters: int | None = None,
        max_bytes: int | None = None,
        module: Any = TabularNet,
        criterion: Any = nn.CrossEntropyLoss,
        optimizer: Any = "auto",
        lr: float | str = "auto",
        max_epochs: int | str = "auto",
        batch_size: int | str = "auto",
        train_split: Any = None,
        verbose: int = 0,
        **kwargs: Any,
    ):
        super().__init__(
            module,
            criterion=criterion,
            optimizer=optimizer,
            lr=lr,
            max_epochs=max_epochs,
            batch_size=batch_size,
            train_split=train_split,
            verbose=verbose,
            **kwargs,
        )
        self.size = size
        self.max_parameters = max_parameters
        self.max_bytes = max_bytes

    def __getstate__(self) -> dict[str, Any]:
        return plain_state(self, TabularStudent()) if has_plain_state(self) else wrapped(super().__getstate__())

    def __setstate__(self, state: dict[str, Any]) -> None:
        if PICKLED in state:
            super().__setstate__(unwrapped(state))
        else:
            restore(self, state, TabularStudent())

    @property
    def _default_callbacks(self) -> list:
        return [
            ("epoch_timer", EpochTimer()),
            ("train_loss", PassthroughScoring(name="train_loss", on_train=True)),
            ("valid_loss", PassthroughScoring(name="valid_loss")),
            ("clip", GradientNormClipping(1.0)),
            ("schedule", WarmupCosine()),
        ]

    def get_params_for_optimizer(self, prefix: str, named_parameters: Any) -> tuple[Any, dict[str, Any]]:
        """As skorch's; Muon gets to know which weights of a TabularNet are those of columns with many levels."""
        (groups,), kwargs = super().get_params_for_optimizer(prefix, named_parameters)
        if self.optimizer is AdamW and "foreach" not in kwargs and fuses(device_of(self.module_)):
            # a quarter of the time (benchmarks/README.md, "Time of a fit")
            kwargs = {"fused": True} | kwargs
        if self.optimizer is not Muon:
            return (groups,), kwargs
        nets = [part for part in self.module_.modules() if isinstance(part, TabularNet)]
        tables = {id(net.first_layer().weight): net.lookups(MANY) for net in nets}
        tables = {weight: lookups for weight, lookups in tables.items() if len(lookups)}
        split = []
        for group in groups:
            params = list(group["params"])
            split.append(group | {"params": [one for one in params if id(one) not in tables]})
            split += [group | {"params": [one], "lookups": tables[id(one)]} for one in params if id(one) in tables]
        return (split,), kwargs

    def most_levels(self) -> int:
        """Levels that all columns together may have before a column is held to 64 of them."""
        limits = self.limits()
        room = [limits[name] / size for name, size in (("max_parameters", 1), ("max_bytes", 4)) if name in limits]
        return round(LEVELS * (min(room) if room else self.preset().max_parameters) ** 0.5)

    def preset(self) -> Size:
        """The preset called ``size``."""
        if self.size not in SIZES:
            raise ValueError(f"size must be one of {sorted(SIZES)}, got size={self.size!r}.")
        return SIZES[self.size]

    def limits(self) -> dict[str, float]:
        """The budgets that are given, checked, by name."""
        given = {name: getattr(self, name) for name in ("max_parameters", "max_bytes")}
        limits = {name: value for name, value in given.items() if value is not None}
        for name, value in limits.items():
            if not isinstance(value, Real) or isinstance(value, bool) or not float(value) > 0:
                raise ValueError(f"{name} must be a number > 0 or None, got {name}={value!r}.")
        if limits and self.module is not TabularNet:
            raise TypeError(
                f"{next(iter(limits))} sizes a TabularNet, got module={self.module!r}: leave one of them out."
            )
        decided = [name for name in ("module__hidden", "module__edges") if limits and name in self.get_params()]
        if decided:
            raise ValueError(f"{next(iter(limits))} decides {decided[0]}, which is given too: leave one of them out.")
        return limits

    def plan(self, inputs: NetInputs) -> Plan:
        """The architecture for the data at hand: the largest within the budgets, or else the preset's."""
        limits = self.limits()
        return largest_plan(limits, inputs) if limits else preset_plan(self.preset(), inputs)

    def settle(self, n_labelled: int, recipe: Recipe, hidden: Sequence[int] = ()) -> None:
        """Put a recipe's optimizer, learning rate and batch size where they are "auto"; ``hidden`` are the widths."""
        if recipe.of_many and n_labelled >= MANY_LABELS and not self.get_params().get("module__sparse", False):
            recipe = recipe.of_many
        if self.optimizer == "auto":
            self.optimizer = recipe.optimizer
            if recipe.weight_decay is not None and "optimizer__weight_decay" not in self.get_params():
                self.set_params(optimizer__weight_decay=recipe.weight_decay)
        if self.lr == "auto":
            self.lr = recipe.peak(hidden)
        if self.batch_size == "auto":
            self.batch_size = recipe.batch_size
            while self.batch_size > LEAST_BATCH and self.batch_size * recipe.steps > PASSES * n_labelled:
                self.batch_size //= 2

    def epochs(self, n_labelled: int, n_rows: int, labels_only: bool = False, *, continued: bool = False) -> int:
        """Epochs for a transfer set of ``n_rows``, of which ``n_labelled`` are real; 1 for more rows later on."""
        if self.max_epochs != "auto":
            return int(self.max_epochs)
        if continued:
            return 1
        visits = distillation_visits(n_labelled, n_rows)
        if labels_only:
            visits = min(label_visits(n_rows), MOST_LABEL_PASSES * n_labelled)
        return max(1, math.ceil(visits / n_rows))


def distillation_visits(n_labelled: int, n_rows: int = 0) -> float:
    """Rows that a student with a teacher visits in all, labelled or not; ``n_rows`` is how many there are."""
    most = max(PASSES * n_labelled, ALL_PASSES * n_rows)
    return min(VISITS * max(1.0, n_labelled / MANY_ROWS) ** GROWTH, most)


def label_visits(n_rows: int) -> float:
    """Rows that a student visits in all that learns from labels only."""
    return max(LABEL_VISITS, LABEL_PASSES * n_rows * min(1.0, VERY_MANY / n_rows) ** (1 - GROWTH))


class WarmupCosine(Callback):
    """Learning rate: linear warm-up over the first steps of a training, then half a cosine down to 0.

    Steps are those of the rows that ``train_split`` leaves to train on.

    Parameters
    ----------
    warmup : float, default=0.05
        Part of the steps that warms up.
    """

    def __init__(self, warmup: float = 0.05):
        self.warmup = warmup

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        self.step_, self.n_steps_ = 0, 0
        for group in net.optimizer_.param_groups:
            # groups may have rates of their own, which keep their ratio to the net's
            group.setdefault("of_lr", group["lr"] / net.lr)

    def on_epoch_begin(self, net: Any, dataset_train: Any = None, **kwargs: Any) -> None:
        if self.n_steps_ == 0:  # only now is it known which rows train_split leaves
            n_epochs = net.n_epochs_ if hasattr(net, "n_epochs_") else net.max_epochs
            self.n_steps_ = n_epochs * len(net.get_iterator(dataset_train, training=True))

    def on_batch_begin(self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any) -> None:
        if not training:
            return
        progress = (self.step_ + 0.5) / self.n_steps_
        self.step_ += 1
        if progress < self.warmup:
            factor = progress / self.warmup
        else:
            factor = self.fall(min((progress - self.warmup) / (1 - self.warmup), 1))
        for group in net.optimizer_.param_groups:
            group["lr"] = net.lr * group["of_lr"] * factor

    def fall(self, done: float) -> float:
        """The factor of the peak when a part ``done`` of the steps after the warm-up is over."""
        return 0.5 + 0.5 * math.cos(math.pi * done)
