"""From what a user passes as ``student`` to an encoder and a skorch net, sized to the data."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from skorch import NeuralNet
from skorch.dataset import ValidSplit
from torch import nn

from sklkd._columns import is_csr
from sklkd._device import device_of
from sklkd.losses._objective import logits_of
from sklkd.students._bin_edges import bin_edges
from sklkd.students._encoder import InputEncoder
from sklkd.students._forward import as_input as as_input
from sklkd.students._net import distilled_class
from sklkd.students._sizes import SIZES, NetInputs, preset_plan, room_for_bins
from sklkd.students._tabular_net import TabularNet
from sklkd.students._tabular_student import Recipe, TabularStudent


@dataclass
class Student:
    """An unfitted student: the net, and the user's own encoder (a Pipeline's steps) or None for ours."""

    net: NeuralNet
    encoder: Any = None

    @property
    def tabular(self) -> bool:
        """Whether the module is a TabularNet, which expands columns itself."""
        return isinstance(self.net.module, type) and issubclass(self.net.module, TabularNet)

    @property
    def budgeted(self) -> bool:
        """Whether the epochs are up to us."""
        return isinstance(self.net, TabularStudent) and self.net.max_epochs == "auto"


def resolve_student(student: Any, *, or_else: str = "") -> Student:
    """Copies of what the user passed; a clear error where it is nothing that can be a student.

    ``or_else`` says what else could have been passed.
    """
    if student is None:
        return Student(TabularStudent())
    if isinstance(student, str):
        if student not in SIZES:
            raise ValueError(f"student must be one of the presets {list(SIZES)}, got student={student!r}.")
        return Student(TabularStudent(size=student))
    if isinstance(student, type) and issubclass(student, nn.Module):
        return Student(TabularStudent(module=student))
    if isinstance(student, Pipeline):
        last = student.steps[-1][1]
        if isinstance(last, NeuralNet):
            copy = clone(student)
            return Student(copy.steps[-1][1], Pipeline(copy.steps[:-1]) if len(copy.steps) > 1 else None)
    if isinstance(student, NeuralNet):
        return Student(clone(student))
    raise TypeError(
        f"student must be None, a preset name, an nn.Module subclass, a skorch net (an instance){or_else}, or a "
        f"Pipeline whose last step is one, got {student!r}."
    )


def fill_module(
    student: Student,
    encoder: Any,
    encoded: Any,
    weight: NDArray,
    n_outputs: int,
    thresholds: list[tuple[NDArray, NDArray]],
    kind: str,
) -> None:
    """Fill in what the data decide of a student's module and the user has not.

    ``thresholds`` may be empty; ``kind`` is that of the task: "classification", "multilabel" or "regression".
    """
    net = student.net
    values: dict[str, Any] = {"n_features": encoded.shape[1], "n_outputs": n_outputs}
    net.task_kind_ = kind
    if net.train_split and not isinstance(net.train_split, ValidSplit):
        net.validation_encoder_ = encoder
    values["n_targets" if kind == "regression" else "n_classes"] = n_outputs
    if isinstance(net, TabularStudent):
        net.limits()  # also where they cannot be kept
    if student.tabular:
        n_units = 0 if kind == "classification" else n_outputs
        values |= _sized(net, encoder, encoded, weight, n_outputs, n_units, thresholds)
    accepted = _arguments(net.module)
    params = net.get_params()
    fill = {f"module__{k}": v for k, v in values.items() if k in accepted and f"module__{k}" not in params}
    if fill:
        net.set_params(**fill)


def settle(student: Student, n_rows: int, recipe: Recipe) -> None:
    """Put a recipe's optimizer, learning rate and batch size where those of a default student are "auto"."""
    if isinstance(student.net, TabularStudent):
        hidden = student.net.get_params().get("module__hidden", ()) if student.tabular else ()
        student.net.settle(n_rows, recipe, hidden)


def _sized(
    net: NeuralNet,
    encoder: Any,
    encoded: Any,
    weight: NDArray,
    n_outputs: int,
    n_units: int,
    thresholds: list[tuple[NDArray, NDArray]],
) -> dict[str, Any]:
    """A TabularNet's widths, and what it has to know of the columns; the user's own steps give plain numbers."""
    ours = isinstance(encoder, InputEncoder)
    if is_csr(encoded):
        return _sized_sparse(net, encoder, encoded, n_outputs, n_units)
    levels = encoder.cardinalities_ if ours else [0] * encoded.shape[1]
    missing = [bool(one) for one in encoder.missing_] if ours else []
    limited = isinstance(net, TabularStudent) and bool(net.limits())
    room = room_for_bins(encoded, encoder) if ours and limited else np.zeros(encoded.shape[1], int)
    inputs = NetInputs(levels.count(0), sum(missing), sum(levels), n_outputs, n_units, room)
    plan = net.plan(inputs) if isinstance(net, TabularStudent) else preset_plan(SIZES["small"], inputs)
    if not ours:
        return {"hidden": plan.hidden}
    # teachers split no part of a date
    thresholds = [*thresholds, *[(np.empty(0), np.empty(0))] * (encoded.shape[1] - len(thresholds))]
    edges = bin_edges(encoded, weight, encoder, thresholds, plan.n_bins, plan.max_bins)
    return {"cardinalities": levels, "missing": missing, "hidden": plan.hidden, "edges": edges}


def _sized_sparse(net: Any, encoder: Any, encoded: Any, n_outputs: int, n_units: int) -> dict[str, Any]:
    """The same for sparse rows, whose columns have no bins."""
    missing = [bool(one) for one in encoder.missing_] if isinstance(encoder, InputEncoder) else []
    n_columns = encoded.shape[1]
    inputs = NetInputs(n_columns, sum(missing), 0, n_outputs, n_units, np.zeros(n_columns, int), sparse=True)
    plan = net.plan(inputs) if isinstance(net, TabularStudent) else preset_plan(SIZES["small"], inputs)
    return {"missing": missing if any(missing) else None, "hidden": plan.hidden, "sparse": True}


def _arguments(module: Any) -> set[str]:
    if not isinstance(module, type) and isinstance(module, nn.Module):
        return set()
    return set(inspect.signature(module).parameters)


def trainable(net: NeuralNet) -> NeuralNet:
    """The same net, able to train on transfer sets."""
    kind: Any = type(net)
    net.__class__ = distilled_class(kind)
    return net


def check_output(net: NeuralNet, inputs: Any, n_outputs: int) -> None:
    """Raise where the initialised module does not give ``n_outputs`` columns."""
    training = net.module_.training
    net.module_.eval()
    with torch.no_grad():
        out = net.module_(inputs[:2].to(device_of(net.module_)))
    net.module_.train(training)
    out = logits_of(out)
    if out.ndim != 2 or out.shape[1] != n_outputs:
        raise ValueError(
            f"student must give {n_outputs} outputs per row (one logit per class, or one per target), got an output "
            f"of shape {tuple(out.shape)} for {min(2, len(inputs))} rows: let its module take n_outputs."
        )
