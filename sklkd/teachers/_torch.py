"""Torch modules and skorch nets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy import sparse
from scipy.special import softmax
from torch import Tensor, nn

from sklkd.teachers._base import Shape, Teacher
from sklkd.teachers._hooks import LAST_HIDDEN, Trace, collect, declared, first, trace
from sklkd.teachers._rows import chunks, sample

BATCH = 1024
"""Rows per forward pass of a bare module."""


class TorchTeacher(Teacher):
    """Base of what has a torch module inside: an adapter says ``module`` and how to ``run`` it.

    Layers: every module path of ``named_modules`` whose answer is a tensor; ``"last_hidden"``, what the last linear or
    convolutional layer is given; and ``"previous_hidden"``, what the one before it is given. Their shapes are read from
    the rows that were asked last, or guessed before that.
    """

    takes_codes = True
    default_layer = LAST_HIDDEN
    _example: Any = None

    @property
    def module(self) -> nn.Module:
        raise NotImplementedError

    def run(self, X: Any) -> Tensor:
        """The module's first answer for all rows, without gradients."""
        raise NotImplementedError

    def forward(self, X: Any) -> np.ndarray:
        """The same in evaluation mode, as float64."""
        self._example = sample(X, 2)
        with evaluating(self.module):
            return self.run(X).cpu().double().numpy()

    def margins(self, X: Any) -> np.ndarray | None:
        return self.forward(X)

    @property
    def layers(self) -> dict[str, Shape]:
        return self._trace().layers

    @property
    def hidden(self) -> tuple[str, ...]:
        return self._trace().hidden

    def feature(self, X: Any, layer: str) -> np.ndarray:
        self._example = sample(X, 2)
        return collect(self.module, layer, self._trace().tap(layer), partial(self.forward, X))

    def _trace(self) -> Trace:
        if self._example is not None:
            return trace(self.module, partial(self.forward, self._example))
        width = next((part.in_features for part in self.module.modules() if hasattr(part, "in_features")), None)
        if width is None:
            return declared(self.module)
        try:
            return trace(self.module, partial(self.forward, np.zeros((2, width), dtype=np.float32)))
        except (RuntimeError, TypeError):
            # Its rows are not vectors of the width of its first linear layer.
            return declared(self.module)
        finally:
            self._example = None


class ModuleTeacher(TorchTeacher):
    """A ``torch.nn.Module`` that maps a batch to logits (classification) or to values (regression).

    It gets rows in the dtype and on the device of its own parameters (integers as they are where it has an
    embedding), in evaluation mode and without gradients, and is left in the mode in which it was. If it returns a
    tuple, the first element counts. Two classes may be one logit.
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
        margins = self._two_sided(X)
        if margins is None:
            raise ValueError(f"{self.name} returned a logit that is not finite.")
        return softmax(margins, axis=1)

    def predict(self, X: Any) -> np.ndarray:
        return self.forward(X)


class NetTeacher(TorchTeacher):
    """A fitted skorch net of any kind.

    Arrays are given to it in its module's dtype, frames as they are. ``predict_proba`` is skorch's (its criterion
    decides how); what its module returns counts as margins where the softmax is the same.
    """

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        return hasattr(estimator, "initialized_") and isinstance(getattr(estimator, "module_", None), nn.Module)

    @property
    def module(self) -> nn.Module:
        return self.estimator.module_

    def run(self, X: Any) -> Tensor:
        return first(self.estimator.forward(self._cast(X), training=False))

    def predict_proba(self, X: Any) -> Any:
        self._example = sample(X, 2)
        with evaluating(self.module):
            return self.estimator.predict_proba(self._cast(X))

    def predict(self, X: Any) -> Any:
        self._example = sample(X, 2)
        with evaluating(self.module):
            return self.estimator.predict(self._cast(X))

    def _cast(self, X: Any) -> Any:
        if sparse.issparse(X) or isinstance(X, np.ndarray):
            return as_tensor(X, self.module, device="cpu").numpy()
        return X


def as_tensor(X: Any, module: nn.Module, device: Any = None) -> Tensor:
    """Rows as a tensor in the dtype and on the device of the module's parameters."""
    if isinstance(X, Tensor):
        values = X
    else:
        array = X.toarray() if sparse.issparse(X) else np.asarray(X)
        if array.dtype.kind not in "biuf":
            try:
                array = array.astype(np.float64)
            except (TypeError, ValueError) as error:
                raise ValueError(f"a torch teacher takes numbers: {error}; encode other columns first.") from error
        values = torch.as_tensor(np.require(array, requirements=["C", "W"]))
    parameters = [*module.parameters(), *module.buffers()]
    dtype = next((one.dtype for one in parameters if one.is_floating_point()), torch.get_default_dtype())
    if not values.is_floating_point() and any(isinstance(part, nn.Embedding) for part in module.modules()):
        dtype = torch.int64
    if device is None:
        device = parameters[0].device if parameters else "cpu"
    return values.to(device=device, dtype=dtype)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode; afterwards every submodule is back in the mode in which it was."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training
