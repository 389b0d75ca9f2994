"""What sklkd relies on in skorch beyond ``fit`` and ``predict``, in one place."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import clone
from skorch import NeuralNet, NeuralNetBinaryClassifier, NeuralNetClassifier, NeuralNetRegressor
from skorch.dataset import Dataset
from torch import nn

from sklkd._torch import as_tensor, evaluating, first, float_dtype, seeded

__all__ = [
    "NetDataset",
    "cast_rows",
    "cast_target",
    "dataset_params",
    "infers_nonlinearity",
    "initialized_module",
    "is_fitted_net",
    "is_net",
    "takes_logarithms",
]


def is_net(estimator: Any) -> bool:
    """Whether it is a skorch net, fitted or not."""
    return isinstance(estimator, NeuralNet)


def is_fitted_net(estimator: Any) -> bool:
    """Whether it is a skorch net whose module has been made."""
    return bool(getattr(estimator, "initialized_", False)) and isinstance(
        getattr(estimator, "module_", None), nn.Module
    )


def infers_nonlinearity(net: NeuralNet) -> bool:
    """Whether ``predict_proba`` is skorch's own, with the nonlinearity that skorch infers from the criterion."""
    return net.predict_nonlinearity == "auto" and type(net).predict_proba.__module__.partition(".")[0] == "skorch"


def takes_logarithms(net: NeuralNet) -> bool | None:
    """Whether a fitted net's ``NLLLoss`` is given the logarithms of what its module returns, as skorch's classifier has
    it, or that itself; None for other criteria and for losses of the user's own."""
    criterion = getattr(net, "criterion_", None)
    if not isinstance(criterion, nn.NLLLoss) or not type(net).get_loss.__module__.startswith("skorch."):
        return None
    return isinstance(net, NeuralNetClassifier)


def initialized_module(net: NeuralNet) -> nn.Module:
    """The module that a net would train; torch's generator is left as it was."""
    with seeded(0):  # any: its weights are not used
        return clone(net).set_params(verbose=0).initialize().module_


def cast_rows(module: nn.Module, X: Any) -> Any:
    """Arrays and sparse matrices in the dtype that a module takes; everything else, such as frames, as it is."""
    if isinstance(X, np.ndarray) or sparse.issparse(X):
        return as_tensor(X, module, device="cpu").numpy()
    return X


def cast_target(net: NeuralNet, module: nn.Module, y: NDArray, X: Any = None) -> NDArray:
    """Labels or targets as the criterion of a net takes them.

    Codes of classes are int64, those of a binary net and targets real numbers of the module's dtype. One column of
    targets has the shape of the module's output: (n, 1) or (n,).

    Parameters
    ----------
    net : NeuralNet
    module : Module
        Of the net, initialised.
    y : ndarray of shape (n,) or (n, n_targets)
        Codes or targets.
    X : array, default=None
        Rows in the module's dtype, two of which it is asked for. None: rows of zeros.
    """
    dtype, per_row = row_of_target(net, module, integers=y.dtype.kind in "iub", X=X)
    y = y.astype(dtype)
    return y.reshape(-1, 1) if y.ndim == 1 and per_row == 1 else y


def row_of_target(net: NeuralNet, module: nn.Module, *, integers: bool, X: Any = None) -> tuple[str, int]:
    """Dtype of the target of a net, and the number of dimensions of one row of it."""
    if integers and not isinstance(net, (NeuralNetBinaryClassifier, NeuralNetRegressor)):
        return "int64", 0
    dtype = float_dtype(module)
    # NumPy has no bfloat16
    name = str(dtype).removeprefix("torch.") if dtype in (torch.float16, torch.float32, torch.float64) else "float32"
    if isinstance(net, NeuralNetBinaryClassifier):
        return name, 0
    return name, _output_ndim(module, X) - 1


def _output_ndim(module: nn.Module, X: Any) -> int:
    """Dimensions of what a module returns for rows; 2 where it cannot be asked."""
    try:
        if X is None:
            width = next(part.in_features for part in module.modules() if hasattr(part, "in_features"))
            X = np.zeros((2, width))
        with torch.no_grad(), evaluating(module):
            return first(module(as_tensor(X[:2], module))).ndim
    except Exception:  # noqa: BLE001 - modules of the user, which refuse such rows in their own way
        return 2


def dataset_params(net: NeuralNet, *, integers: bool) -> dict[str, Any]:
    """Parameters with which a net inside another estimator casts what reaches it; none for a net with its own dataset.

    A clone keeps them, so that they hold at any depth: in a Pipeline, a search, an ensemble.

    Parameters
    ----------
    net : NeuralNet
        Unfitted.
    integers : bool
        Whether the target holds integers.
    """
    if net.dataset is not Dataset:
        return {}
    module = initialized_module(net)
    dtype = float_dtype(module)
    if any(isinstance(part, nn.Embedding) for part in module.modules()):
        dtype = torch.get_default_dtype()
    target_dtype, per_row = row_of_target(net, module, integers=integers)
    return {
        "dataset": NetDataset,
        "dataset__dtype": str(dtype).removeprefix("torch."),
        "dataset__target_dtype": target_dtype,
        "dataset__target_ndim": per_row,
    }


class NetDataset(Dataset):
    """skorch's dataset with real numbers in the dtype of the module, and targets as its criterion takes them.

    Parameters
    ----------
    X, y, length
        As in ``skorch.dataset.Dataset``.
    dtype : str, default="float32"
        Of real numbers in ``X``; integers stay what they are for modules with an embedding, and are cast otherwise by
        the module's first layer.
    target_dtype : str, default="float32"
    target_ndim : int, default=1
        Dimensions of one row of a target that is a single number.
    """

    def __init__(
        self,
        X: Any,
        y: Any = None,
        length: int | None = None,
        dtype: str = "float32",
        target_dtype: str = "float32",
        target_ndim: int = 1,
    ):
        super().__init__(X, y, length)
        self.dtype, self.target_dtype, self.target_ndim = getattr(torch, dtype), target_dtype, target_ndim

    def transform(self, X: Any, y: Any) -> tuple[Any, Any]:
        X, y = super().transform(X, y)
        if isinstance(X, np.ndarray) and X.dtype.kind == "f":
            X = torch.as_tensor(X).to(self.dtype)
        if not isinstance(y, torch.Tensor):
            y = np.asarray(y).astype(self.target_dtype)
            y = y.reshape(1) if y.ndim == 0 and self.target_ndim == 1 else y
        return X, y
