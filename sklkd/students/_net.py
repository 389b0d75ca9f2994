"""A user's skorch net, able to train on a transfer set: hooks only, the loop stays skorch's."""

from __future__ import annotations

import dis
from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from skorch.hf import AccelerateMixin
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from sklkd._device import device_of
from sklkd._sparse_rows import SparseRows
from sklkd.exceptions import DivergedError
from sklkd.students._data_parallel import DataParallelTraining
from sklkd.students._validation import validation_rows
from sklkd.transfer import Batch, Slices, TransferSet

# a mixin, which knows its base only to the type checker
_Net: Any = NeuralNet if TYPE_CHECKING else object


class TransferTraining(_Net):
    """The hooks, mixed into a subclass of the user's own net class by :func:`distilled_class`.

    Nothing that the user's class overrides is replaced: every hook ends in ``super()``.
    """

    def use_objective(self, objective: Any, build: Callable[[nn.Module], None]) -> None:
        """Make ``objective`` the criterion, in place of the user's; ``build`` is called once the module is there."""
        for name in [name for name in vars(self) if name.startswith("criterion__")]:
            delattr(self, name)
        self.criterion = type(objective)
        self.__dict__["_objective"] = [objective, build]

    def initialize_criterion(self) -> Any:
        objective, build = self.__dict__.pop("_objective")
        build(self.module_)
        self.criterion_ = objective
        return self

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Whole batches of a transfer set; a DataLoader of the user's own class batches its row numbers."""
        if not isinstance(dataset, TransferSet):
            return super().get_iterator(dataset, training=training)
        prefix = "iterator_train" if training else "iterator_valid"
        options = self.get_params_for(prefix)
        size = options.pop("batch_size", self.batch_size)
        size = len(dataset) if size == -1 else size
        options.pop("shuffle", None)
        device = device_of(self.module_)
        batches: Any
        if getattr(self, prefix) is DataLoader and not options:
            batches = Slices(dataset, size, shuffle=training, device=device)
        else:
            batches = _Loader(getattr(self, prefix), dataset, size, training, device, options)
        if not training:
            return batches
        batches = self.own_part(batches, len(dataset), size)
        return self.criterion_.batches(batches) if hasattr(self.criterion_, "batches") else batches

    def own_part(self, batches: Any, n_rows: int, size: int) -> Any:
        """What this process trains on of the batches of ``size`` rows: all, where it is the only one."""
        return batches

    def get_split_datasets(self, X: Any, y: Any = None, **fit_params: Any) -> tuple[Any, Any]:
        """Split labelled rows by the net's own ``train_split``; rows without a label always train."""
        if not isinstance(X, TransferSet) or not self.train_split:
            return super().get_split_datasets(X, y, **fit_params)
        labelled = X.labelled()
        real = X.take(labelled)
        train, valid = self.train_split(real, np.asarray(real.y), **fit_params)
        if isinstance(valid, Subset) and valid.dataset is real:
            valid = real.take(torch.as_tensor(valid.indices))
        elif valid is not None and not isinstance(valid, TransferSet):
            valid = self._validation_rows(valid, real)
        if train is real:  # as predefined_split has it
            return X, valid
        train_rows = torch.cat([labelled.nonzero()[:, 0][torch.as_tensor(train.indices)], (~labelled).nonzero()[:, 0]])
        return X.take(train_rows), valid

    def _validation_rows(self, dataset: Any, like: TransferSet) -> TransferSet:
        """A dataset that the user has brought for validation, as the training rows are."""
        standardize = None
        if like.y.is_floating_point():
            scaling = getattr(getattr(self.criterion_, "link", None), "__self__", None)
            standardize = np.asarray if scaling is None else scaling.standardize
        return validation_rows(dataset, getattr(self, "validation_encoder_", None), standardize)

    def fit_loop(self, X: Any, y: Any = None, epochs: int | None = None, **fit_params: Any) -> Any:
        try:
            super().fit_loop(X, y, epochs=epochs, **fit_params)
        except KeyboardInterrupt as interrupt:
            self.__dict__["_interrupt"] = None if raised_by_callback(interrupt) else interrupt
            raise
        self.__dict__["_interrupt"] = None
        return self

    def partial_fit(self, X: Any, y: Any = None, classes: Any = None, **fit_params: Any) -> Any:
        """As skorch's, which also takes an interruption by the user for the end of a training; that is raised here."""
        # until fit_loop says how it has ended; one that comes just before it begins is lost in skorch's too
        is_skorchs = getattr(super().partial_fit, "__func__", None) is NeuralNet.partial_fit
        self.__dict__["_interrupt"] = KeyboardInterrupt() if is_skorchs else None
        super().partial_fit(X, y, classes=classes, **fit_params)
        interrupt = self.__dict__.pop("_interrupt", None)
        if interrupt is not None:
            raise interrupt
        return self

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        super().on_epoch_begin(net, **kwargs)
        if hasattr(self.criterion_, "begin_epoch"):
            self.criterion_.begin_epoch(self, kwargs.get("dataset_train"))

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        """Show callbacks the gradients of one group after the other, so that each is clipped by itself."""
        groups = self.criterion_.groups if method_name == "on_grad_computed" else []
        if not groups:
            super().notify(method_name, **cb_kwargs)
        for group in groups:
            super().notify(method_name, **cb_kwargs | {"named_parameters": group})

    def train_step_single(self, batch: Any, **fit_params: Any) -> Any:
        self._expect(batch)
        return super().train_step_single(batch, **fit_params)

    def validation_step(self, batch: Any, **fit_params: Any) -> Any:
        self._expect(batch)
        return super().validation_step(batch, **fit_params)

    def run_single_epoch(self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any) -> None:
        super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)
        if iterator is not None and training:
            losses = [batch[f"{prefix}_loss"] for batch in self.history[-1]["batches"] if f"{prefix}_loss" in batch]
            if not np.isfinite(losses).all():
                self.raise_diverged(f"its loss is {losses[int(np.argmin(np.isfinite(losses)))]}")

    def raise_diverged(self, what: str) -> NoReturn:
        """Raise the error of a training that has left the finite numbers."""
        raise DivergedError(
            f"{self.criterion_.diverged()}'s training diverged in epoch {len(self.history)}: {what}. Lower its "
            f"learning rate (lr={self.lr}), clip its gradients, or check the scale of the inputs."
        )

    def _expect(self, batch: Any) -> None:
        if hasattr(self.criterion_, "rows"):
            self.criterion_.rows = getattr(batch, "rows", None)

    def __reduce__(self) -> tuple:
        return _rebuild, (type(self).__bases__[-1],), self.__getstate__()


def raised_by_callback(interrupt: KeyboardInterrupt) -> bool:
    """Whether a callback has raised it to end a training, as skorch's early stopping does; else the user has."""
    trace = interrupt.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or not isinstance(trace.tb_frame.f_locals.get("self"), Callback):
        return False
    # a signal arrives between two instructions, and never at one that raises
    return dis.opname[trace.tb_frame.f_code.co_code[trace.tb_lasti]] == "RAISE_VARARGS"


def _fast_infer(self: Any, x: Any, **fit_params: Any) -> Any:
    if fit_params or not isinstance(x, (Tensor, SparseRows)):
        return NeuralNet.infer(self, x, **fit_params)
    return self.module_(x.to(device_of(self.module_)))


def _fast_get_loss(self: Any, y_pred: Any, y_true: Any, X: Any = None, training: bool = False) -> Tensor:
    return self.criterion_(y_pred, y_true)


def _guarded_set_training(self: Any, training: bool = True) -> None:
    for name in self._modules + self._criteria:
        module = getattr(self, name + "_")
        if isinstance(module, nn.Module) and module.training != training:
            module.train(training)


# skorch's own versions walk nested inputs and set modes at every step (a tenth of a small net's step); each stands in
# only where the user's class has left skorch's in place
_FAST = {"infer": _fast_infer, "_set_training": _guarded_set_training}


@cache
def distilled_class(base: Any) -> Any:
    """A subclass of a net class that also trains on transfer sets; the same one for the same class."""
    if issubclass(base, TransferTraining):
        return base
    members: dict[str, Any] = {
        name: fast for name, fast in _FAST.items() if getattr(base, name) is getattr(NeuralNet, name)
    }
    hooks: tuple[Any, ...] = (TransferTraining, base)
    if issubclass(base, AccelerateMixin):
        hooks = (DataParallelTraining, *hooks)
    elif base.get_loss.__module__.startswith("skorch."):
        members["get_loss"] = _fast_get_loss
    members |= {"__module__": base.__module__, "__doc__": base.__doc__}
    return type(base.__name__, hooks, members)


def _rebuild(base: Any) -> NeuralNet:
    cls = distilled_class(base)
    return cls.__new__(cls)


class _Loader:
    """A user's DataLoader class over row numbers, giving the batches of a transfer set."""

    def __init__(self, loader: Any, rows: TransferSet, size: int, training: bool, device: Any, options: dict):
        self.rows, self.device = rows, device
        self.loader = loader(torch.arange(len(rows)), batch_size=size, shuffle=training, **options)

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Batch]:
        for index in self.loader:
            yield Batch(self.rows.take(index).to(self.device))
