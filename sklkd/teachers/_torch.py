"""Torch modules and skorch nets."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sklkd._skorch import cast_rows, infers_nonlinearity, is_fitted_net, takes_logarithms
from sklkd._torch import LAST_HIDDEN, Trace, as_tensor, collect, declared, evaluating, first, seeded, trace
from sklkd.teachers._base import Shape
from sklkd.teachers._checked_outputs import checked_numbers
from sklkd.teachers._interpreted import InterpretedTeacher
from sklkd.teachers._reading import (
    LOG_PROBABILITIES,
    LOGITS,
    ONE_VS_REST,
    PROBABILITIES,
    reading_of,
    to_probabilities,
    within_unit,
)
from sklkd.teachers._rows import chunks, sample

BATCH = 1024
"""Rows per forward pass of a bare module."""
STRETCH = 1e3
"""Factor of the rows for which a module is asked to tell probabilities from logits that happen to lie in [0, 1]."""


class TorchTeacher(InterpretedTeacher):
    """Base of what has a torch module inside: an adapter says ``module`` and how to ``run`` it.

    Layers: every module path of ``named_modules`` whose output is a tensor; ``"last_hidden"``, what the last linear or
    convolutional layer is given; and ``"previous_hidden"``, what the one before it is given. Their shapes are read from
    the rows that the adapter was prepared with, or guessed without.
    """

    takes_codes = True
    default_layer = LAST_HIDDEN

    @property
    def module(self) -> nn.Module:
        raise NotImplementedError

    def run(self, X: Any) -> Tensor:
        """The module's first output for all rows, without gradients."""
        raise NotImplementedError

    def forward(self, X: Any) -> NDArray[np.float64]:
        """The same in evaluation mode, as float64."""
        with evaluating(self.module):
            return self.run(X).cpu().double().numpy()

    def raw(self, X: Any) -> NDArray[np.float64]:
        return self.forward(X)

    def read(self, rows: Any) -> str:
        values = self.forward(rows)
        reading = reading_of(values)
        one_column = values.ndim == 1 or values.shape[1] == 1
        if reading == ONE_VS_REST or (reading == PROBABILITIES and one_column):
            # logits that happen to lie in [0, 1] leave it where rows lie far out
            return reading if self._stays_in_unit(rows) else LOGITS
        return reading

    def _stays_in_unit(self, rows: Any) -> bool:
        try:
            far = self.forward(STRETCH * np.asarray(as_tensor(rows, self.module, device="cpu").double().numpy()))
        except Exception:  # noqa: BLE001 - modules of the user refuse such rows in their own way
            return True
        far = far[np.isfinite(far).reshape(len(far), -1).all(axis=1)]
        return len(far) == 0 or within_unit(far)

    def margins(self, X: Any) -> np.ndarray | None:
        return self.forward(X) if self.reading(X) in (LOGITS, LOG_PROBABILITIES) else None

    @property
    def layers(self) -> dict[str, Shape]:
        return self._trace().layers

    @property
    def hidden(self) -> tuple[str, ...]:
        return self._trace().hidden

    def feature(self, X: Any, layer: str) -> np.ndarray:
        return collect(self.module, layer, self._trace().tap(layer), partial(self.forward, X))

    def _trace(self) -> Trace:
        rows = None if self._reference is None else self._reference.few()
        if rows is not None:
            return self.learnt("trace", lambda rows: trace(self.module, partial(self.forward, sample(rows, 2))), rows)
        if "trace" in self._learnt:
            return self._learnt["trace"]
        width = next((part.in_features for part in self.module.modules() if hasattr(part, "in_features")), None)
        if width is None:
            return declared(self.module)
        try:
            return trace(self.module, partial(self.forward, np.zeros((2, width), dtype=np.float32)))
        except (RuntimeError, TypeError):
            # its rows are not vectors of the width of its first linear layer
            return declared(self.module)


class ModuleTeacher(TorchTeacher):
    """A ``torch.nn.Module`` that maps a batch to logits or probabilities (classification) or to values (regression).

    It gets rows in the dtype and on the device of its own parameters (integers as they are where it has an
    embedding), in evaluation mode and without gradients, and is left in the mode in which it was. If it returns a
    tuple, the first element counts. Two classes may be one logit or one probability. Whether it ends in a sigmoid or
    softmax is seen from its outputs.
    """

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        return isinstance(estimator, nn.Module) and not any(
            hasattr(estimator, own) for own in ("predict", "predict_proba")
        )

    @property
    def module(self) -> nn.Module:
        return self.estimator

    def run(self, X: Any) -> Tensor:
        with torch.no_grad():
            return torch.cat([first(self.module(as_tensor(part, self.module))) for part in chunks(X, BATCH)])

    def predict_proba(self, X: Any) -> np.ndarray:
        outputs = self.forward(X)
        if not np.isfinite(outputs).all():
            raise ValueError(f"{self.name} returned a logit that is not finite.")
        return to_probabilities(outputs, self.reading(X))


class NetTeacher(TorchTeacher):
    """A fitted skorch net of any kind.

    Arrays are given to it in its module's dtype, frames as they are. Where the module itself returns probabilities,
    these are taken, whatever the criterion; else ``predict_proba`` is skorch's, whose criterion decides. Where that
    gives no probabilities, as with a criterion of the user's own, it is read as logits. What the module returns counts
    as margins where its softmax is the same.
    """

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        return is_fitted_net(estimator)

    @property
    def module(self) -> nn.Module:
        return self.estimator.module_

    def run(self, X: Any) -> Tensor:
        # its loader draws from torch's generator, from which another thread may be training
        with seeded(0):
            return first(self.estimator.forward(cast_rows(self.module, X), training=False))

    @property
    def mistake(self) -> str | None:
        takes = takes_logarithms(self.estimator)
        if self.classes is None or takes is None:
            return None
        wanted, reading = PROBABILITIES if takes else LOG_PROBABILITIES, self.reads_as
        if reading in (None, wanted):
            return None
        layer = "softmax" if takes else "log-softmax"
        return (
            f"its module returns {reading} under NLLLoss, which takes {wanted} in a {self.name}: end the module in a "
            f"{layer}, or let it return logits under CrossEntropyLoss"
        )

    def predict_proba(self, X: Any) -> Any:
        if self.reading(X) == PROBABILITIES and infers_nonlinearity(self.estimator):
            return to_probabilities(self.forward(X), PROBABILITIES)
        known: Any = self._known(X)
        reading = known.learnt("output", lambda rows: reading_of(self._proba(rows)), X)
        return to_probabilities(self._proba(X), reading)

    def _proba(self, X: Any) -> NDArray[np.float64]:
        with seeded(0), evaluating(self.module):
            proba = self.estimator.predict_proba(cast_rows(self.module, X))
        return checked_numbers(proba, X, f"predict_proba of {self.name}")

    def predict(self, X: Any) -> Any:
        with seeded(0), evaluating(self.module):
            return self.estimator.predict(cast_rows(self.module, X))
