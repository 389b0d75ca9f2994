"""Teachers that are fitted on Dask collections, XGBoost's and LightGBM's: recognised without being imported."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklkd.teachers import is_fitted
from sklkd.teachers._clone import clone_teacher
from sklkd.teachers._fit import seeded


def is_dask_teacher(teacher: Any) -> bool:
    """Whether it is a ``DaskXGB*`` or ``DaskLGBM*`` estimator."""
    return _dask_class(teacher) is not None


def fitted_in_memory(
    teacher: Any, X: Any, y: Any, sample_weight: Any, classes: NDArray | None, seed: int | None, params: dict[str, Any]
) -> Any:
    """A Dask teacher in its ordinary form, fitted on collections where it is not fitted yet.

    Parameters
    ----------
    teacher : DaskXGBClassifier, DaskLGBMRegressor, ...
        It is not changed.
    X, y, sample_weight : Dask collections
    classes : ndarray or None
        Sorted classes, as whose codes 0..K-1 it is given y; None for regression.
    seed : int or None
        Seeds a ``random_state`` that is None.
    params : dict
        Further arguments of its ``fit``.
    """
    if is_fitted(teacher):
        return in_memory(teacher)
    if classes is not None:
        y = _coded(y, classes)
    weight = {} if sample_weight is None else {"sample_weight": sample_weight}
    return in_memory(seeded(clone_teacher(teacher), seed).fit(X, y, **weight, **params))


def in_memory(teacher: Any) -> Any:
    """The ordinary form of a fitted Dask teacher."""
    if hasattr(teacher, "to_local"):  # LightGBM
        return teacher.to_local()
    library = sys.modules["xgboost"]
    known: Any = _dask_class(teacher)
    made = getattr(library, known.__name__.removeprefix("Dask"))(**teacher.get_params())
    made.load_model(teacher.get_booster().save_raw())
    return made


def _dask_class(teacher: Any) -> type | None:
    for kind in type(teacher).__mro__:
        if kind.__module__.startswith(("xgboost.dask", "lightgbm.dask")) and kind.__name__.startswith("Dask"):
            return kind
    return None


def _coded(y: Any, classes: NDArray) -> Any:
    """The collection of codes."""
    if hasattr(y, "map_partitions"):
        return y.map_partitions(_codes, classes, meta=(y.name, np.int64))
    return y.map_blocks(_codes, classes, dtype=np.int64)


def _codes(y: Any, classes: NDArray) -> Any:
    codes = np.searchsorted(classes, np.asarray(y)).astype(np.int64)
    return type(y)(codes, index=y.index, name=y.name) if hasattr(y, "index") else codes
