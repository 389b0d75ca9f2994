"""Training on several processes, each of which takes its part of every batch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from skorch import NeuralNet
from skorch.hf import AccelerateMixin
from torch import Tensor, nn

from sklkd._digest import digest
from sklkd.transfer import Batch, TransferSet

_Net: Any = NeuralNet if TYPE_CHECKING else object

LEAST_ROWS = 2  # of a batch for each process: one row has no variance and no relations
WHOLE_COPIES = ("NO", "MULTI_CPU", "MULTI_GPU", "MULTI_XPU", "MULTI_NPU", "MULTI_MLU", "MULTI_MUSA", "MULTI_HPU")


class DataParallelTraining(_Net):
    """The hooks for a net class with skorch's ``AccelerateMixin``, before those of ``TransferTraining``.

    Gradients are averaged here, in one vector for module and criterion. DistributedDataParallel would wrap both, hide
    what is set on them and read of them, and refuse parameters that get no gradient, as those of a hint stage. Between
    trainings module and optimizer are as if there were no Accelerator.
    """

    def _initialize_accelerator(self) -> Any:
        return self  # each training does by itself

    def partial_fit(self, X: Any, y: Any = None, classes: Any = None, **fit_params: Any) -> Any:
        if isinstance(X, TransferSet):
            check_same(self.accelerator, X, self.batch_size, fit_params.get("epochs"))
        with self._prepared():
            return super().partial_fit(X, y, classes=classes, **fit_params)

    @contextmanager
    def _prepared(self) -> Iterator[None]:
        """Module, criterion and optimizer on the process's device and in its precision, alike on all processes."""
        accelerator = self.accelerator
        check_accelerator(accelerator)
        state: dict[str, Any] = self.__dict__
        modules = [f"{name}_" for name in self._modules]
        optimizers = {f"{name}_": state[f"{name}_"] for name in self._optimizers}
        # without a wrapper: the forward pass alone is made one of lower precision
        state.update({name: accelerator.prepare_model(state[name], evaluation_mode=True) for name in modules})
        for criterion in self._learning_criteria():
            criterion.to(accelerator.device)
        for part in (*(state[name] for name in modules), *self._learning_criteria()):
            copy_from_first([*part.parameters(), *part.buffers()])
        state.update({name: accelerator.prepare_optimizer(optimizer) for name, optimizer in optimizers.items()})
        try:
            yield
        finally:
            state.update({name: accelerator.unwrap_model(state[name], keep_fp32_wrapper=False) for name in modules})
            state.update(optimizers)
            accelerator.free_memory()

    def __setstate__(self, state: dict[str, Any]) -> None:
        left_open = state.get("device", "cpu") is None
        super().__setstate__({**state, "device": "cpu"} if left_open else state)
        if left_open:  # skorch's would be the CPU now, which an Accelerator that places modules itself refuses
            self.__dict__["device"] = None

    def _learning_criteria(self) -> list[nn.Module]:
        criteria = [getattr(self, f"{name}_") for name in self._criteria]
        return [criterion for criterion in criteria if isinstance(criterion, nn.Module)]

    def own_part(self, batches: Any, n_rows: int, size: int) -> Any:
        """Of each batch the part of this process."""
        if self.accelerator.num_processes == 1:
            return batches
        return Shares(batches, n_rows, size, self.accelerator)

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        # each process predicts by itself, and no other has to take part
        if not training and not isinstance(dataset, TransferSet):
            return super(AccelerateMixin, self).get_iterator(dataset, training=training)
        return super().get_iterator(dataset, training=training)

    def evaluation_step(self, batch: Any, training: bool = False) -> Any:
        return super(AccelerateMixin, self).evaluation_step(batch, training=training)

    def get_loss(self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False) -> Tensor:
        """The loss, in float32 at least: lower precision is for the module."""
        features = getattr(self.criterion_, "features", {})
        features.update({tap: at_least_float32(value) for tap, value in features.items()})
        with torch.autocast(self.accelerator.device.type, enabled=False):
            return super().get_loss(y_pred, y_true, X=X, training=training)

    def train_step_single(self, batch: Any, **fit_params: Any) -> Any:
        step = super().train_step_single(batch, **fit_params)
        synchronise = self.accelerator.sync_gradients
        parameters = [parameter for _, parameter in self.get_all_learnable_params()] if synchronise else []
        loss = average(self.accelerator, step["loss"].detach(), parameters)
        if synchronise:
            # so that gradients are clipped as they are
            self.accelerator.unscale_gradients([getattr(self, f"{name}_") for name in self._optimizers])
        return {**step, "loss": loss}

    def run_single_epoch(self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any) -> None:
        super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)
        if training:  # means over rows, as of a batch normalisation, are those of the first process's rows
            for name in self._modules:
                copy_from_first(list(getattr(self, f"{name}_").buffers()))


class Shares:
    """Of each batch the part of one process; the parts are equally long, and disjoint.

    All processes take the rows in the same order. What is left of a batch that cannot be divided, and a last batch
    with too few rows, train no process in this epoch.

    Parameters
    ----------
    batches : iterable of Batch
        All rows, the same on each process for the same seed.
    n_rows : int
    size : int
        Of a whole batch.
    accelerator : Accelerator

    Raises
    ------
    ValueError
        If a process would get batches of a single row.
    """

    def __init__(self, batches: Any, n_rows: int, size: int, accelerator: Any):
        self.batches, self.rank, self.n_parts = batches, accelerator.process_index, accelerator.num_processes
        self.device = accelerator.device
        least = LEAST_ROWS * self.n_parts
        for name, value in (("batch_size", size), ("the number of rows", n_rows)):
            if value < least:
                raise ValueError(
                    f"{name} must be at least {LEAST_ROWS} for each of the {self.n_parts} processes, got {value}: "
                    "raise it, or train on fewer processes."
                )
        last = n_rows - (len(batches) - 1) * size
        self.n_batches = len(batches) - (last < least)

    def __len__(self) -> int:
        return self.n_batches

    def __iter__(self) -> Iterator[Batch]:
        from accelerate.utils import broadcast

        torch.manual_seed(int(broadcast(torch.randint(2**62, (1,)).to(self.device))))
        for batch in self.batches:
            n = len(batch.rows) // self.n_parts
            if n >= LEAST_ROWS:
                yield Batch(batch.rows.take(slice(self.rank * n, (self.rank + 1) * n)))


def average(accelerator: Any, loss: Tensor, parameters: list[nn.Parameter]) -> Tensor:
    """The mean of the loss over all processes; each parameter is given that of its gradients, in one exchange."""
    if accelerator.num_processes == 1:
        return loss
    loss = loss.reshape(1)
    given = loss.new_tensor([parameter.grad is not None for parameter in parameters])
    gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in parameters]
    mean = accelerator.reduce(torch.cat([loss, given, *(one.flatten() for one in gradients)]), reduction="mean")
    loss, given, *means = mean.split([1, len(given), *(one.numel() for one in gradients)])
    for parameter, anywhere, one in zip(parameters, given.tolist(), means, strict=True):
        if anywhere:
            parameter.grad = one.view_as(parameter).to(parameter.dtype)
    return loss.squeeze()


def check_accelerator(accelerator: Any) -> None:
    """Raise unless each process has the whole student, and can exchange gradients with the others."""
    kind = accelerator.distributed_type.value
    if kind not in WHOLE_COPIES:
        raise ValueError(
            f"accelerator must give each process a whole copy of the student, got one of type {kind}: leave sharding "
            "(FSDP, DeepSpeed, Megatron) and XLA out of its configuration."
        )
    n_started = int(os.environ.get("WORLD_SIZE", "1"))
    if accelerator.num_processes == 1 < n_started:
        raise ValueError(
            f"accelerator must have the {n_started} processes that were started, got 1, so that each would train by "
            "itself: without a GPU, pass Accelerator(cpu=True)."
        )
    if accelerator.num_processes > 1 and not torch.distributed.is_initialized():
        raise ValueError(
            f"accelerator must train in one of its {accelerator.num_processes} processes, got another one, as joblib "
            "starts it: leave n_jobs=None where the student trains on several processes."
        )


def copy_from_first(tensors: list[Tensor]) -> None:
    """Give all processes what the first one has."""
    from accelerate.utils import broadcast

    with torch.no_grad():
        for tensor in tensors:
            tensor.copy_(broadcast(tensor.contiguous()))


def check_same(accelerator: Any, rows: TransferSet, batch_size: int, n_epochs: int | None) -> None:
    """Raise on all processes unless they have the same rows in the same order, and as many epochs."""
    from accelerate.utils import gather_object

    if accelerator.num_processes == 1:
        return
    found = gather_object([(digest((rows.inputs, rows.y)), batch_size, n_epochs)])
    if len(set(found)) > 1:
        raise ValueError(
            "the processes must train on the same rows in the same order, got others: pass each the same X and y, let "
            "random_state be an int, and leave n_jobs=None."
        )


def at_least_float32(value: Tensor) -> Tensor:
    return value.float() if value.dtype in (torch.float16, torch.bfloat16) else value
