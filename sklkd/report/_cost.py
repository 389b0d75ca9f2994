"""What a model costs: numbers, bytes and time."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from torch import nn

from sklkd._sklearn import _num_samples, _safe_indexing, hist_trees, is_hist_boosting
from sklkd.report._measured import Measured

NAN = float("nan")
SECONDS, LEAST = 1.0, 3
BATCH = 10_000
"""At most so many rows in the batch that is timed."""


def costs(measured: Measured, X: Any, n_repeats: int) -> dict[str, float]:
    """Size and time of a model, asked for the first of some rows and for a batch of them.

    Returns
    -------
    dict of str to float
        ``parameters``, ``bytes`` and ``fit_seconds``, each NaN where it cannot be known; ``us_one_row`` and
        ``us_per_row``, the microseconds of a prediction for one row, and of one for a batch divided by its rows.
    """
    X = measured.rows(X)
    row, batch = _safe_indexing(X, slice(1)), batch_of(X)
    return {
        "parameters": parameters(measured.model),
        "bytes": pickled_bytes(measured.model),
        "fit_seconds": measured.seconds,
        "us_one_row": microseconds(lambda: measured.predict(row), n_repeats),
        "us_per_row": microseconds(lambda: measured.predict(batch), n_repeats) / _num_samples(batch),
    }


def batch_of(X: Any) -> Any:
    """The rows that are timed together."""
    return _safe_indexing(X, slice(BATCH)) if _num_samples(X) > BATCH else X


def check_repeats(n_repeats: int) -> None:
    """Raise unless something can be timed so often."""
    if not (isinstance(n_repeats, Integral) and n_repeats >= 1):
        raise ValueError(f"n_repeats must be an integer >= 1, got n_repeats={n_repeats!r}.")


def microseconds(call: Callable[[], Any], n_repeats: int) -> float:
    """Median over ``n_repeats`` calls, or over as many as a second allows, but three at least."""
    call()
    times: list[float] = []
    while len(times) < n_repeats and (len(times) < LEAST or sum(times) < SECONDS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1e6 * float(np.median(times))


class _Counter:
    """A file that only counts what is written to it."""

    def __init__(self) -> None:
        self.size = 0

    def write(self, data: Any) -> int:
        n = memoryview(data).nbytes
        self.size += n
        return n


def pickled_bytes(model: Any) -> float:
    """Size of the pickled model, which is never held in memory; NaN if it cannot be pickled."""
    counter = _Counter()
    try:
        pickle.Pickler(counter, protocol=pickle.HIGHEST_PROTOCOL).dump(model)
    except (pickle.PicklingError, AttributeError, TypeError):
        # what pickle raises of local functions, open files and the like
        return NAN
    return float(counter.size)


def parameters(model: Any) -> float:
    """Numbers that a model has learnt; NaN for kinds of which that is not known.

    The weights of networks and of linear models; of a tree two numbers a split, column and threshold, and the values
    of each leaf; of an ensemble, a pipeline or a search the sum of the models inside. What scales, encodes or
    calibrates is not counted.
    """
    if isinstance(model, nn.Module):
        return float(sum(part.numel() for part in model.parameters()))
    if isinstance(model, list):
        return sum(parameters(member) for _, member in model)
    if hasattr(model, "tree_"):
        tree = model.tree_
        return float(2 * (tree.node_count - tree.n_leaves) + tree.n_leaves * tree.value[0].size)
    if is_hist_boosting(model):
        nodes = np.concatenate([tree.nodes for trees in hist_trees(model) for tree in trees])
        leaves = int(nodes["is_leaf"].sum())
        return float(2 * (len(nodes) - leaves) + leaves)
    if hasattr(model, "coefs_"):
        return float(sum(part.size for part in (*model.coefs_, *model.intercepts_)))
    inside = _inside(model)
    if inside:
        return sum(map(parameters, inside))
    if hasattr(model, "coef_"):
        return float(np.size(model.coef_) + np.size(model.intercept_))
    return NAN


def _inside(model: Any) -> list[Any]:
    """The fitted models of which a model consists."""
    if isinstance(model, Pipeline):
        return [model.steps[-1][1]]
    if isinstance(model, FrozenEstimator):
        return [model.estimator]
    if hasattr(model, "calibrated_classifiers_"):
        return [each.estimator for each in model.calibrated_classifiers_]
    if hasattr(model, "estimators_"):
        # gradient boosting has an array of trees; an array made of a list would take forests and pipelines apart
        members = model.estimators_
        members = list(members.ravel()) if isinstance(members, np.ndarray) else list(members)
        return members + ([model.final_estimator_] if hasattr(model, "final_estimator_") else [])
    # ensembles have an unfitted estimator_ too
    names = ("student_", "module_", "best_estimator_", "regressor_", "estimator_")
    return [getattr(model, name) for name in names if hasattr(model, name)][:1]
