"""Torch modules and skorch nets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from scipy import sparse
from scipy.special import softmax
from torch import Tensor, nn

from sklkd.teachers._base import Teacher
from sklkd.teachers._rows import chunks

BATCH = 1024
"""Rows per forward pass of a bare module."""


class ModuleTeacher(Teacher):
    """A ``torch.nn.Module`` that maps a batch to logits (classification) or to values (regression).

    It gets rows in the dtype and on the device of its own parameters (integers as they are where it has an
    embedding), in evaluation mode and without gradients, and is left in the mode in which it was. If it returns a
    tuple, the first element counts. Two classes may be one logit.
    """

    takes_codes = True

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        return isinstance(estimator, nn.Module) and not hasattr(estimator, "predict")

    def margins(self, X: Any) -> np.ndarray:
        return self._forward(X)

    def predict_proba(self, X: Any) -> np.ndarray:
        return softmax(self._two_sided(X), axis=1)

    def predict(self, X: Any) -> np.ndarray:
        return self._forward(X)

    def _forward(self, X: Any) -> np.ndarray:
        with evaluating(self.estimator), torch.no_grad():
            answers = [first(self.estimator(as_tensor(part, self.estimator))) for part in chunks(X, BATCH)]
        return np.concatenate([answer.double().cpu().numpy() for answer in answers])


class NetTeacher(Teacher):
    """A fitted skorch net of any kind.

    Arrays are given to it in its module's dtype, frames as they are. ``predict_proba`` is skorch's (its criterion
    decides how); what its module returns counts as margins where the softmax is the same.
    """

    takes_codes = True

    @classmethod
    def accepts(cls, estimator: Any) -> bool:
        return hasattr(estimator, "initialized_") and isinstance(getattr(estimator, "module_", None), nn.Module)

    def margins(self, X: Any) -> np.ndarray:
        answer = self.estimator.forward(self._cast(X), training=False)
        return first(answer).double().cpu().numpy()

    def predict_proba(self, X: Any) -> Any:
        return self.estimator.predict_proba(self._cast(X))

    def predict(self, X: Any) -> Any:
        return self.estimator.predict(self._cast(X))

    def _cast(self, X: Any) -> Any:
        if sparse.issparse(X):
            X = X.toarray()
        if not isinstance(X, np.ndarray):
            return X
        return as_tensor(X, self.estimator.module_, device="cpu").numpy()


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
        values = torch.as_tensor(np.ascontiguousarray(array))
    parameters = [*module.parameters(), *module.buffers()]
    dtype = next((one.dtype for one in parameters if one.is_floating_point()), torch.get_default_dtype())
    if not values.is_floating_point() and any(isinstance(part, nn.Embedding) for part in module.modules()):
        dtype = torch.int64
    if device is None:
        device = parameters[0].device if parameters else "cpu"
    return values.to(device=device, dtype=dtype)


def first(answer: Any) -> Tensor:
    """What a module returned, or the first of several things."""
    return answer[0] if isinstance(answer, (tuple, list)) else answer


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
