"""What the teacher says of the training rows: in-sample, out-of-bag, or cross-fitted."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from skorch import NeuralNet
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, StratifiedKFold, check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch, check_random_state
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.validation import check_memory, has_fit_parameter

from sklkd._sklearn import _routing_enabled, _safe_indexing
from sklkd.exceptions import SampleWeightWarning
from sklkd.teachers import Outputs, Teacher, adapt, is_fitted, takes_codes


@dataclass
class Knowledge:
    """A teacher and its answers for the training rows.

    Attributes
    ----------
    teacher : Teacher
        The adapter of the fitted teacher.
    outputs : Outputs or None
        One row per training row; None where the teacher was not asked.
    unseen : ndarray of bool, shape (n,)
        Rows whose answer comes from a teacher that was not fitted on them.
    source : {"in-sample", "oob", "cross-fit", "none"}
    """

    teacher: Teacher
    outputs: Outputs | None
    unseen: NDArray
    source: str


@dataclass
class Rows:
    """Training rows as the teacher gets them: X as the user gave it, y as labels or targets, and row weights."""

    X: Any
    y: NDArray
    weight: NDArray | None

    def take(self, index: NDArray) -> Rows:
        weight = None if self.weight is None else self.weight[index]
        return Rows(_safe_indexing(self.X, index), self.y[index], weight)


class TeacherFitter:
    """Fits unfitted teachers, or clones of fitted ones: seeds them, codes their labels, hands weights on.

    Parameters
    ----------
    estimator : object
        The distilled estimator: its ``memory``, metadata routing and name in messages.
    classes : ndarray or None
        Sorted classes; None for regression.
    seed : int or None
        Seeds the ``random_state``s of the teacher that are None. None: they stay None.
    """

    def __init__(self, estimator: Any, classes: NDArray | None, seed: int | None):
        self.estimator, self.classes, self.seed = estimator, classes, seed
        self.memory = check_memory(estimator.memory)

    def fit(self, teacher: Any, rows: Rows, *, refit: bool = False) -> Any:
        """The teacher, fitted: as it stands where it is already, unless ``refit``; else a fitted clone."""
        if isinstance(teacher, list):
            return [(name, self.fit(member, rows, refit=refit)) for name, member in teacher]
        if not refit and is_fitted(teacher):
            return teacher
        unfitted = seeded(clone(teacher), self.seed)
        y = rows.y
        if self.classes is not None and takes_codes(teacher):
            # over the classes present: boosters refuse gaps
            y = np.unique(y, return_inverse=True)[1]
        return self.memory.cache(fit_teacher)(unfitted, rows.X, y, self.weight_params(teacher, rows.weight), self.seed)

    def adapt(self, fitted: Any, rows: Rows, *, kept: bool) -> Teacher:
        """The adapter; a class that a teacher fitted here has not seen gets the floor, of a kept one it is an error."""
        if self.classes is None or kept:
            return adapt(fitted, self.classes)
        return adapt(fitted, self.classes, seen=np.unique(rows.y), missing="floor")

    def weight_params(self, teacher: Any, weight: NDArray | None) -> dict[str, NDArray]:
        """Keyword arguments that carry ``sample_weight`` into the teacher's fit; a warning where nothing can."""
        if weight is None:
            return {}
        if _routing_enabled():
            routed: Bunch = process_routing(self.estimator, "fit", sample_weight=weight)
            return dict(routed.teacher.fit)
        name = weight_name(teacher)
        if name is None:
            warnings.warn(
                f"{type(teacher).__name__} takes no sample_weight: only the student is weighted.",
                SampleWeightWarning,
                stacklevel=6,
            )
            return {}
        return {name: weight}


def fit_teacher(unfitted: Any, X: Any, y: NDArray, fit_params: dict[str, Any], seed: int | None) -> Any:
    """Fit an unfitted teacher; a function of its own so that joblib can cache it."""
    if isinstance(unfitted, NeuralNet):
        return fit_net(unfitted, X, y, seed)
    return unfitted.fit(X, y, **fit_params)


def fit_net(net: NeuralNet, X: Any, y: NDArray, seed: int | None) -> NeuralNet:
    """Fit a skorch net, which takes float32 rows, int64 codes or float32 targets, and torch's global generator."""
    import torch

    X = np.asarray(X, np.float32)
    y = y.astype(np.int64) if y.dtype.kind in "iu" else y.reshape(len(y), -1).astype(np.float32)
    with torch.random.fork_rng(devices=[]):
        if seed is not None:
            torch.manual_seed(seed)
        return net.fit(X, y)


def seeded(teacher: Any, seed: int | None) -> Any:
    """Give every ``random_state`` of a teacher that is None a seed of its own."""
    if seed is None or not hasattr(teacher, "get_params"):
        return teacher
    rng = check_random_state(seed)
    params = teacher.get_params(deep=True)
    names = sorted(name for name in params if name == "random_state" or name.endswith("__random_state"))
    seeds = {name: int(rng.randint(np.iinfo(np.int32).max)) for name in names if params[name] is None}
    return teacher.set_params(**seeds) if seeds else teacher


def weight_name(teacher: Any) -> str | None:
    """The keyword under which a teacher's fit takes row weights, or None."""
    if isinstance(teacher, Pipeline):
        name, last = teacher.steps[-1]
        inner = None if last is None or last == "passthrough" else weight_name(last)
        return None if inner is None else f"{name}__{inner}"
    if has_fit_parameter(teacher, "sample_weight"):
        return "sample_weight"
    members = getattr(teacher, "estimators", None)
    if members and hasattr(teacher, "voting" if hasattr(teacher, "voting") else "weights"):
        # voting takes it among **fit_params and hands it to every member
        fits = [has_fit_parameter(member, "sample_weight") for _, member in members if member != "drop"]
        return "sample_weight" if all(fits) else None
    inner = getattr(teacher, "estimator", None)
    if inner is not None and hasattr(teacher, "cv") and not hasattr(teacher, "classes"):
        return weight_name(inner)
    return None


def gather(
    fitter: TeacherFitter,
    teacher: Any,
    rows: Rows,
    *,
    cv: Any,
    groups: Callable[[], NDArray],
    kept: bool,
    ask: bool,
    n_jobs: int | None,
) -> Knowledge:
    """Fit the teacher where it has to be, and ask it for the training rows once.

    Parameters
    ----------
    fitter : TeacherFitter
    teacher : object
        Fitted or not.
    rows : Rows
    cv : None, "auto", "oob", int, splitter or iterable of splits
    groups : callable
        Gives, of shape (n,), the number of each row's group of identical rows, which an int ``cv`` never separates.
    kept : bool
        Whether the teacher was fitted by the user.
    ask : bool
        False: only fit it.
    n_jobs : int or None
        Folds fitted at once.
    """
    folds = cv is not None and not isinstance(cv, str)
    if folds and kept:
        raise ValueError(
            f"cv={cv!r} would refit the teacher on parts of the rows, but a fitted teacher is kept as it is: pass an "
            "unfitted teacher, or cv=None, 'oob' or 'auto'."
        )
    adapter = fitter.adapt(fitter.fit(teacher, rows), rows, kept=kept)
    if not ask:
        return Knowledge(adapter, None, np.zeros(len(rows.y), bool), "none")
    if folds:
        return cross_fit(fitter, teacher, adapter, rows, make_splits(cv, rows, groups, fitter.classes), n_jobs)
    if cv == "oob" or (cv == "auto" and adapter.has_out_of_bag):
        try:
            answer, unseen = adapter.out_of_bag(rows.X, rows.y, rows.weight)
        except ValueError:
            # "auto": fitted on other rows, or on these in another order
            if cv == "oob":
                raise
        else:
            kind = "values" if fitter.classes is None else "proba"
            return Knowledge(adapter, Outputs(**{kind: answer}), unseen, "oob")
    return Knowledge(adapter, adapter.outputs(rows.X), np.zeros(len(rows.y), bool), "in-sample")


def cross_fit(
    fitter: TeacherFitter,
    teacher: Any,
    adapter: Teacher,
    rows: Rows,
    splits: list[tuple[NDArray, NDArray]],
    n_jobs: int | None,
) -> Knowledge:
    """Answers for each fold from a clone fitted without it; rows of no fold keep the full teacher's."""
    unseen = np.zeros(len(rows.y), bool)
    for _, test in splits:
        if unseen[test].any():
            raise ValueError("cv must hold out each row at most once, got splits whose test rows overlap.")
        unseen[test] = True
    parts = Parallel(n_jobs=n_jobs)(delayed(answer_fold)(fitter, teacher, rows, train, test) for train, test in splits)
    order = np.concatenate([test for _, test in splits])
    rest = np.flatnonzero(~unseen)
    if len(rest):
        parts.append(adapter.outputs(_safe_indexing(rows.X, rest)))
        order = np.concatenate([order, rest])
    # margins of different folds may be there for some only
    if any(part.margins is None for part in parts):
        parts = [replace(part, margins=None) for part in parts]
    return Knowledge(adapter, Outputs.concatenate(parts).take(np.argsort(order)), unseen, "cross-fit")


def answer_fold(fitter: TeacherFitter, teacher: Any, rows: Rows, train: NDArray, test: NDArray) -> Outputs:
    """Fit a clone without a fold, and ask it for the fold."""
    part = rows.take(train)
    fitted = fitter.fit(teacher, part, refit=True)
    return fitter.adapt(fitted, part, kept=False).outputs(_safe_indexing(rows.X, test))


def make_splits(cv: Any, rows: Rows, groups: Callable[[], NDArray], classes: NDArray | None) -> list[tuple[NDArray, NDArray]]:
    """Splits as index arrays. An int splits groups of identical rows, so that repeating a row changes nothing."""
    if isinstance(cv, (int, np.integer)):
        group = groups()
        first = np.unique(group, return_index=True)[1]
        splitter = check_cv(int(cv), rows.y[first], classifier=classes is not None)
        if isinstance(splitter, StratifiedKFold):
            counts = np.unique(rows.y[first], return_counts=True)[1]
            if counts.min() < cv:
                splitter = GroupKFold(int(cv))
        splits = splitter.split(np.zeros(len(first)), rows.y[first], np.arange(len(first)))
        return [tuple(np.flatnonzero(np.isin(group, part)) for part in split) for split in splits]
    if isinstance(cv, Iterable) and not hasattr(cv, "split"):
        splits = list(cv)
    else:
        splits = list(check_cv(cv).split(rows.X, rows.y))
    n = len(rows.y)
    return [tuple(np.arange(n)[part] for part in split) for split in splits]
